"""`integration-assets run`: plays days of a sandbox town through the assets and holds the result against the truth."""

import json
import shutil
import signal
import sys
import time
from dataclasses import asdict, dataclass, field
from datetime import date, timedelta
from pathlib import Path
from typing import Any

from rich.console import Console

from integration_assets.cache.engine import drop_database
from integration_assets.cli.runner import DayRunner, RunFailed
from integration_assets.cli.summary import DaySummary, print_day, requests_between
from integration_assets.cli.town import SandboxHandle, point_settings_at, sandbox_of
from integration_assets.resources.cache import open_cache
from integration_assets.settings import Settings

DIFFERENCES_SHOWN = 20


@dataclass
class Progress:
    """How far a play has come, kept in `<data_dir>/play.json` so that an interrupted one goes on."""

    customers: int
    seed: int
    base_day: str = ""
    day_done: int = -1
    finished: bool = False
    cursors: dict[str, str] = field(default_factory=dict)

    def save(self, path: Path) -> None:
        """Writes the file whole or not at all."""
        fresh = path.with_suffix(".new")
        fresh.write_text(json.dumps(asdict(self)))
        fresh.replace(path)


def play_town(*, customers: int, days: int, seed: int, data_dir: Path, faults: str) -> int:
    """Runs the command; returns its exit code: 0 when LoRa and Dynamics hold exactly the truth."""
    console = Console(width=None if Console().is_terminal else 140)
    data_dir.mkdir(parents=True, exist_ok=True)
    # Asked to end, the command ends in order: its sandbox with it.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    started = time.monotonic()
    console.print(f"Sandbox with {customers} customers, seed {seed} …")
    sandbox = sandbox_of(data_dir, customers, seed)
    point_settings_at(data_dir)
    try:
        progress = _resumed(data_dir, customers, seed) or _fresh(sandbox, data_dir, customers, seed)
        if faults:
            sandbox.post("/faults", json.loads(faults))
        summaries = _play_days(console, sandbox, progress, days, data_dir)
        if faults:
            sandbox.post("/faults", {system: None for system in json.loads(faults)})
        differences = _differences(sandbox)
        progress.finished = True
        progress.save(data_dir / "play.json")
    except RunFailed as failure:
        console.print(f"[red]{failure}[/red]")
        return 2
    finally:
        sandbox.stop()
    seconds = time.monotonic() - started
    report = {
        "customers": customers,
        "seed": seed,
        "seconds": round(seconds, 1),
        "days": [summary.as_dict() for summary in summaries],
        "differences": differences,
    }
    (data_dir / "summary.json").write_text(json.dumps(report, indent=2, ensure_ascii=False))
    for text in differences[:DIFFERENCES_SHOWN]:
        console.print(f"[red]difference:[/red] {text}", highlight=False)
    verdict = f"{len(differences)} differences from the truth" if differences else "LoRa and Dynamics hold the truth"
    console.print(f"{verdict}; {seconds:.0f} s in all; figures in {data_dir / 'summary.json'}")
    return 1 if differences else 0


def _resumed(data_dir: Path, customers: int, seed: int) -> Progress | None:
    """The play that was interrupted, if it was of the same town."""
    path = data_dir / "play.json"
    if not path.exists():
        return None
    progress = Progress(**json.loads(path.read_text()))
    same = (progress.customers, progress.seed) == (customers, seed)
    return progress if same and not progress.finished else None


def _fresh(sandbox: SandboxHandle, data_dir: Path, customers: int, seed: int) -> Progress:
    """A new town and an empty cache; the history of earlier plays goes with them."""
    (data_dir / "play.json").unlink(missing_ok=True)
    sandbox.post("/reset")
    drop_database(data_dir, "cache")
    shutil.rmtree(data_dir / "dagster", ignore_errors=True)
    town = sandbox.post("/town", {"customers": customers, "seed": seed})
    progress = Progress(customers=customers, seed=seed, base_day=town["base_day"])
    progress.save(data_dir / "play.json")
    return progress


def _play_days(
    console: Console, sandbox: SandboxHandle, progress: Progress, days: int, data_dir: Path
) -> list[DaySummary]:
    summaries: list[DaySummary] = []
    base = date.fromisoformat(progress.base_day)
    # A play that was interrupted within a day finds that day already played in the town.
    played = sandbox.get("/truth")["day"]
    for day in range(progress.day_done + 1, days + 1):
        events = sandbox.post("/day", {"day": day}) if day > played else {}
        summaries.append(_play_day(console, sandbox, progress, day, base + timedelta(days=day), events))
        progress.day_done = day
        progress.save(data_dir / "play.json")
    again = _play_day(console, sandbox, progress, days, base + timedelta(days=days), {}, title="again", nightly=True)
    return [*summaries, again]


def _play_day(
    console: Console,
    sandbox: SandboxHandle,
    progress: Progress,
    day: int,
    as_of: date,
    events: dict[str, Any],
    *,
    title: str | None = None,
    nightly: bool = False,
) -> DaySummary:
    """One business day: the sensors ask for runs, the runs are carried out, what is due again is tried again."""
    label = title or f"day {day}"
    mark = sandbox.get("/requests/summary")
    started = time.monotonic()
    runner = DayRunner(Settings(business_day=as_of.isoformat()), progress.cursors, console)
    run_ids = runner.nightly() if nightly else runner.until_quiet()
    summary = DaySummary.of(
        label, as_of, runner.settings, run_ids, requests_between(mark, sandbox.get("/requests/summary")), events
    )
    summary.seconds = time.monotonic() - started
    print_day(console, summary)
    return summary


def _differences(sandbox: SandboxHandle) -> list[str]:
    """What the outside world and our open rejections hold otherwise than the town's truth, as sentences."""
    from integration_assets.sandbox.verify import compare, compare_rejections, read_truth

    settings = Settings()
    cache = open_cache(settings)
    try:
        open_rejections = cache.rejections.open(None, None).select("asset", "record_key", "reason").rows()
    finally:
        cache.close()
    found = compare(sandbox.control_url, sandbox.systems, sandbox.settings)
    found += compare_rejections(read_truth(sandbox.control_url), open_rejections)
    return [str(difference) for difference in found]
