"""`integration-assets run`: plays days of a sandbox town through the assets and holds the result against the truth."""

import contextlib
import fcntl
import json
import shutil
import signal
import socket
import time
from dataclasses import asdict, dataclass, field
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import dagster as dg
from rich.console import Console

from integration_assets.cache.engine import drop_database
from integration_assets.cli.runner import DayRunner, RunFailed, own_instance
from integration_assets.cli.summary import DaySummary, print_day, requests_between
from integration_assets.cli.town import SandboxHandle, point_settings_at, sandbox_of
from integration_assets.resources.cache import open_cache
from integration_assets.settings import Settings

DIFFERENCES_SHOWN = 20
PROGRESS_FILE = "play.json"


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


class _EndSignals:
    """Ctrl-C and SIGTERM alike ask the command to end in order: its sandbox, and its database, with it.

    Both raise KeyboardInterrupt. Called, an instance says whether one of them came; it knows also where Dagster takes
    the signal, or where the exception is raised in a callback of the interpreter and lost.
    """

    def __init__(self) -> None:
        self._came = False
        self._reader, self._writer = socket.socketpair()
        self._reader.setblocking(False)
        self._writer.setblocking(False)
        signal.set_wakeup_fd(self._writer.fileno(), warn_on_full_buffer=False)
        signal.signal(signal.SIGTERM, signal.default_int_handler)

    def __call__(self) -> bool:
        with contextlib.suppress(BlockingIOError):
            received = self._reader.recv(64)
            self._came |= signal.SIGINT in received or signal.SIGTERM in received
        return self._came


def play_town(*, customers: int, days: int, seed: int, data_dir: Path, faults: str) -> int:
    """Runs the command; returns its exit code.

    0: LoRa and Dynamics hold exactly the truth; 1: they do not; 2: a run failed again and again; 3: another command
    plays in this folder; 130: interrupted by Ctrl-C or SIGTERM.
    """
    console = Console(width=None if Console().is_terminal else 140)
    data_dir.mkdir(parents=True, exist_ok=True)
    asked_to_end = _EndSignals()
    with (data_dir / "play.lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            console.print(f"[red]Another command plays in {data_dir}.[/red]")
            return 3
        try:
            return _play(console, asked_to_end, customers, days, seed, data_dir, faults)
        except RunFailed as failure:
            console.print(f"[red]{failure}[/red]", highlight=False)
            return 2
        except KeyboardInterrupt:
            console.print("Interrupted; the same command goes on from here.")
            return 130


def _play(
    console: Console, asked_to_end: _EndSignals, customers: int, days: int, seed: int, data_dir: Path, faults: str
) -> int:
    started = time.monotonic()
    console.print(f"Sandbox with {customers} customers, seed {seed} …")
    sandbox = sandbox_of(data_dir, customers, seed)
    try:
        point_settings_at(data_dir)
        progress = _resumed(data_dir, customers, seed) or _fresh(sandbox, data_dir, customers, seed)
        if faults:
            sandbox.post("/faults", json.loads(faults))
        with own_instance(data_dir) as instance:
            stage = _Stage(console, sandbox, progress, data_dir / PROGRESS_FILE, instance, asked_to_end)
            summaries = _play_days(stage, days)
        if faults:
            sandbox.post("/faults", dict.fromkeys(json.loads(faults)))
        differences = _differences(sandbox)
        progress.finished = True
        progress.save(data_dir / PROGRESS_FILE)
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
    verdict = (
        f"{len(differences)} differences from the truth"
        if differences
        else "LoRa, Dynamics and the facts hold the truth"
    )
    console.print(f"{verdict}; {seconds:.0f} s in all; figures in {data_dir / 'summary.json'}")
    return 1 if differences else 0


@dataclass(frozen=True)
class _Stage:
    """What playing needs: where to print, the outside world, how far the play is, where runs are kept, when to end."""

    console: Console
    sandbox: SandboxHandle
    progress: Progress
    progress_file: Path
    instance: dg.DagsterInstance
    asked_to_end: _EndSignals


def _resumed(data_dir: Path, customers: int, seed: int) -> Progress | None:
    """The play that was interrupted, if it was of the same town."""
    path = data_dir / PROGRESS_FILE
    if not path.exists():
        return None
    progress = Progress(**json.loads(path.read_text()))
    same = (progress.customers, progress.seed) == (customers, seed)
    return progress if same and not progress.finished else None


def _fresh(sandbox: SandboxHandle, data_dir: Path, customers: int, seed: int) -> Progress:
    """A new town and an empty cache; the history of earlier plays goes with them."""
    (data_dir / PROGRESS_FILE).unlink(missing_ok=True)
    sandbox.post("/reset")
    drop_database(data_dir, "cache")
    shutil.rmtree(data_dir / "dagster", ignore_errors=True)
    town = sandbox.post("/town", {"customers": customers, "seed": seed})
    progress = Progress(customers=customers, seed=seed, base_day=town["base_day"])
    progress.save(data_dir / PROGRESS_FILE)
    return progress


def _play_days(stage: _Stage, days: int) -> list[DaySummary]:
    summaries: list[DaySummary] = []
    progress, sandbox = stage.progress, stage.sandbox
    # A play that was interrupted within a day finds that day already played in the town.
    played = sandbox.get("/truth")["day"]
    for day in range(progress.day_done + 1, days + 1):
        events = sandbox.post("/day", {"day": day}) if day > played else {}
        sandbox.post("/deliver-events")
        summaries.append(_play_day(stage, day, events))
        progress.day_done = day
        progress.save(stage.progress_file)
    return [*summaries, _play_day(stage, days, {}, title="again", nightly=True)]


def _play_day(
    stage: _Stage, day: int, events: dict[str, Any], *, title: str | None = None, nightly: bool = False
) -> DaySummary:
    """One business day: the sensors ask for runs, the runs are carried out, what is due again is tried again."""
    mark = stage.sandbox.get("/requests/summary")
    started = time.monotonic()
    as_of = date.fromisoformat(stage.progress.base_day) + timedelta(days=day)
    settings = Settings(business_day=as_of.isoformat())
    runner = DayRunner(settings, stage.progress.cursors, stage.console, stage.instance, stage.asked_to_end)
    run_ids = runner.nightly() if nightly else runner.until_quiet()
    requests = requests_between(mark, stage.sandbox.get("/requests/summary"))
    summary = DaySummary.of(title or f"day {day}", as_of, settings, run_ids, requests, events)
    summary.seconds = time.monotonic() - started
    print_day(stage.console, summary)
    return summary


def _differences(sandbox: SandboxHandle) -> list[str]:
    """What the outside world and our open rejections hold otherwise than the town's truth, as sentences."""
    from integration_assets.sandbox.verify import compare, compare_facts, compare_rejections, read_truth

    settings, truth = Settings(), read_truth(sandbox.control_url)
    cache = open_cache(settings)
    try:
        open_rejections = cache.rejections.open(None, None).select("asset", "record_key", "reason").rows()
        facts = cache.facts.on_day(date.fromisoformat(truth["as_of"]))
    finally:
        cache.close()
    found = compare(sandbox.control_url, sandbox.systems, sandbox.settings)
    found += compare_rejections(truth, open_rejections)
    found += compare_facts(truth, facts)
    return [str(difference) for difference in found]
