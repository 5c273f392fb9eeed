"""What following the registers costs: a sweep over parties of whom nothing changed, and a day of register events.

``python -m integration_assets_tests.benchmarks.register_sweep [--customers 20000] [--data-dir DIR]``

A town is filled as for `unchanged_night` (clients in memory, not measured). Then the job that the schedule
`registers_nightly` asks for runs against the sandbox over HTTPS and SFTP: without events and with everybody's turn on
one day, twice (the first sweep meets answers that were not given over the wire), and, after everybody was subscribed
to and a day of the town was played, with that day's delivery of events.

Exit code 1: the second sweep wrote to the registry or the CRM, or the events cost more calls than they may.
"""

import argparse
import json
import os
import shutil
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Sequence
from datetime import date, timedelta
from pathlib import Path
from typing import Any

from rich.console import Console

from integration_assets.cache.journal import Journal
from integration_assets.cli.instance import opened, use_instance
from integration_assets.cli.runner import DayRunner
from integration_assets.resources.cache import open_cache
from integration_assets.sandbox.background import RunningSandbox, start_in_background
from integration_assets.sandbox.systems import SandboxOptions
from integration_assets.settings import SETTINGS_FILE_VARIABLE, Settings
from integration_assets_tests.benchmarks.unchanged_night import filled

CALLS_PER_EVENT = 3
"""A replaced number costs a look-up under either number; each of the two is told of by an event of its own."""

SWEEP: dict[str, Any] = {
    "person_events_source": "none",
    "person_sweep_days": 1,
    "company_sweep_days": 1,
    "register_calls_per_second": None,
}
EVENTS: dict[str, Any] = {"company_sweep_days": 365, "register_calls_per_second": None}


class Nights:
    """Runs nightly schedules against a sandbox and counts what they send."""

    def __init__(self, sandbox: RunningSandbox, data_dir: Path, base_day: str) -> None:
        self._sandbox = sandbox
        self._data_dir = data_dir
        self._base_day = date.fromisoformat(base_day)
        self.settings = Settings()

    def run(self, schedule: str, day: int, **settings: Any) -> tuple[float, Counter[str]]:
        """Seconds that a schedule's job takes on a day, and the requests it sends: "system kind"."""
        self.settings = Settings(
            business_day=(self._base_day + timedelta(days=day)).isoformat(), **{"data_dir": self._data_dir, **settings}
        )
        self._sandbox.post("/requests/clear")
        with opened(use_instance(self._data_dir)) as instance:
            runner = DayRunner(self.settings, {}, Console(stderr=True), instance)
            began = time.monotonic()
            runner.scheduled(schedule)
            seconds = time.monotonic() - began
        return seconds, self._requests()

    def _requests(self) -> Counter[str]:
        summary = self._sandbox.get("/requests/summary")
        return Counter(
            {
                f"{system} {kind}": number
                for system, counts in summary.items()
                for kind, number in counts["by_kind"].items()
            }
        )

    def counts(self, steps: Sequence[str]) -> Counter[str]:
        """What the journal says of the last run of each step."""
        cache = open_cache(self.settings)
        try:
            return sum((_last_counts(cache.journal, step) for step in steps), Counter())
        finally:
            cache.close()


def _last_counts(journal: Journal, step: str) -> Counter[str]:
    entries = journal.entries(step=step, limit=1)
    return Counter(json.loads(entries["counts"].item()))


def written(requests: Counter[str]) -> int:
    """Requests that wrote to the registry or the CRM."""
    return requests["lora write"] + requests["dataverse write"]


def sweep(nights: Nights, day: int, what: str) -> int:
    """Runs a sweep and prints its figures; how many writes it sent."""
    seconds, requests = nights.run("registers_nightly", day, **SWEEP)
    counts = nights.counts(("notifications/persons", "notifications/companies"))
    asked = requests["person_register lookup"] + requests["company_register lookup"]
    print(
        f"{what}: {counts['asked_by_sweep']:,} parties, {asked:,} look-ups in {seconds:.0f} s "
        f"({asked / seconds:.0f} a second); {counts['changed']:,} answers differ, {written(requests)} writes",
        flush=True,
    )
    return written(requests)


def events(nights: Nights, day: int, play: Callable[[], Any]) -> bool:
    """Subscribes, plays a day and takes in its delivery; whether the calls follow the events."""
    seconds, requests = nights.run("relations_nightly", day - 1, **EVENTS)
    added = nights.counts(("notifications/subscriptions",))["added"]
    print(f"subscribed to {added:,} persons in {seconds:.0f} s ({added / max(seconds, 1e-9):.0f} a second)", flush=True)
    play()
    seconds, requests = nights.run("registers_nightly", day, **EVENTS)
    counts = nights.counts(("notifications/persons",))
    told, looked_up = counts["events"], requests["person_register lookup"]
    print(
        f"event day: {told} persons in {counts['deliveries']} deliveries, {looked_up} look-ups, {counts['changed']} "
        f"persons changed, {written(requests)} writes, {seconds:.1f} s"
    )
    return 0 < looked_up <= CALLS_PER_EVENT * told and 0 < written(requests) <= told


def main() -> None:
    """Fill, sweep twice, and take in a day of events."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--customers", type=int, default=20_000)
    parser.add_argument("--data-dir", type=Path, help="keep the filled town here; default: a folder that is removed")
    options = parser.parse_args()
    data_dir = (options.data_dir or Path(tempfile.mkdtemp(prefix="register-sweep-"))).resolve()
    sandbox = start_in_background(SandboxOptions(data_dir=data_dir))
    try:
        base_day = filled(sandbox, data_dir, options.customers)
        os.environ[SETTINGS_FILE_VARIABLE] = str(data_dir / "sandbox.json")
        nights = Nights(sandbox, data_dir, base_day)
        sweep(nights, 1, "first sweep")
        writes = sweep(nights, 2, "sweep over unchanged parties")
        follows = events(nights, 3, lambda: (sandbox.post("/day", {"day": 3}), sandbox.post("/deliver-events")))
    finally:
        sandbox.stop()
        if options.data_dir is None:
            shutil.rmtree(data_dir, ignore_errors=True)
    sys.exit(1 if writes or not follows else 0)


if __name__ == "__main__":
    main()
