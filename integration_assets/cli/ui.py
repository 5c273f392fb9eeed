"""`integration-assets ui`: Dagster's web server, its daemon and the pages; over the sandbox unless systems are set."""

import os
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from datetime import date, timedelta
from pathlib import Path

import dagster as dg
from rich.console import Console

from integration_assets.cli.instance import project_folder, use_instance
from integration_assets.cli.town import SandboxHandle, point_settings_at, sandbox_of
from integration_assets.settings import Settings

HOST = "127.0.0.1"
START_SECONDS = 180
STOP_SECONDS = 20
QUIET = {"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}}


class Stopped(Exception):
    """Somebody asked the command to end."""


def serve_ui(*, port: int, pages_port: int, customers: int, seed: int, data_dir: Path) -> int:
    """Runs until Ctrl-C, SIGTERM or the end of a child; returns the exit code.

    Without a configured billing system (INTEGRATION_KMD_EE_URL) the sandbox of the data directory is started, or found
    running, and gets a town where it has none. All children end with the command.
    """
    console = Console()
    for option, wanted in (("--port", port), ("--pages-port", pages_port)):
        if not _is_free(wanted):
            console.print(f"Port {wanted} of {HOST} is taken; choose another with {option}.")
            return 2
    data_dir.mkdir(parents=True, exist_ok=True)
    ended = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: _end(ended))
    try:
        with ExitStack() as running:
            sandbox = _outside_world(running, console, data_dir, customers, seed)
            home = use_instance(data_dir)
            settings = Settings()
            _prepare(console, settings)
            commands = _commands(port, pages_port, data_dir.resolve())
            children = running.enter_context(_children(commands, data_dir / "dagster", home))
            addresses = (f"http://{HOST}:{port}/server_info", f"http://{HOST}:{pages_port}/health")
            _wait_until(lambda: all(_answers(each) for each in addresses) or _dead(children), ended)
            if not _dead(children):
                _announce(console, port, pages_port, settings, sandbox, data_dir)
                _wait_until(lambda: bool(_dead(children)), ended, seconds=None)
            if name := _dead(children):
                console.print(f"{name} has ended by itself; its last words are in {data_dir}/dagster/{name}.log.")
                return 1
    except Stopped:
        console.print("Ended.")
    return 0


def _end(ended: threading.Event) -> None:
    """The first signal ends the command in order; those that follow find it on its way."""
    if not ended.is_set():
        ended.set()
        raise Stopped


def _outside_world(
    running: ExitStack, console: Console, data_dir: Path, customers: int, seed: int
) -> SandboxHandle | None:
    """The sandbox with a town, which the settings then lead to; None where real systems are configured."""
    if Settings().kmd_ee_url is not None and "INTEGRATION_SETTINGS_FILE" not in os.environ:
        return None
    console.print("Starting the outside world in small …")
    sandbox = sandbox_of(data_dir, customers, seed)
    running.callback(sandbox.stop)
    point_settings_at(data_dir)
    town = _town_of(sandbox)
    if town is None:
        console.print(f"Building a town of {customers} customers …")
        sandbox.post("/town", {"customers": customers, "seed": seed})
        town = _town_of(sandbox)
    if town is not None:
        os.environ["INTEGRATION_BUSINESS_DAY"] = town.isoformat()
    return sandbox


def _town_of(sandbox: SandboxHandle) -> date | None:
    """The day that the town has reached; None without a town."""
    try:
        truth = sandbox.get("/truth")
        return date.fromisoformat(truth["base_day"]) + timedelta(days=int(truth["day"]))
    except (urllib.error.HTTPError, KeyError, TypeError, ValueError):
        return None


def _prepare(console: Console, settings: Settings) -> None:
    """Registers the supply areas of the source and loads the address register where the cache has none."""
    warnings.filterwarnings("ignore", module="dagster")
    from integration_assets.automation.jobs import address_register
    from integration_assets.automation.sensors import area_fingerprints, known_areas, register_is_loaded
    from integration_assets.definitions import build_definitions
    from integration_assets.partitions import ALL_MUNICIPALITIES, SUPPLY_AREAS
    from integration_assets.resources.business_day import BusinessDay
    from integration_assets.resources.cache import CacheResource
    from integration_assets.resources.kmd_ee import KmdEeResource
    from integration_assets.resources.washing import washing_resource

    with dg.DagsterInstance.get() as instance:
        today = BusinessDay(fixed=settings.business_day or "").today()
        found = area_fingerprints(KmdEeResource(settings=settings), today)
        new = sorted(found.keys() - set(known_areas(instance)))
        instance.add_dynamic_partitions(str(SUPPLY_AREAS.name), new)
        if not register_is_loaded(CacheResource(settings=settings), washing_resource(settings)):
            console.print("Loading the address register …")
            job = build_definitions(settings).resolve_job_def(address_register.name)
            job.execute_in_process(instance=instance, run_config=QUIET, tags=ALL_MUNICIPALITIES)


def _commands(port: int, pages_port: int, data_dir: Path) -> dict[str, list[str]]:
    project = project_folder()
    location = ["-w", str(project / "workspace.yaml")] if project else ["-m", "integration_assets.definitions"]
    return {
        "webserver": [
            *(sys.executable, "-m", "dagster_webserver", "-h", HOST, "-p", str(port)),
            *("--log-level", "warning", *location),
        ],
        "daemon": [sys.executable, "-m", "dagster._daemon", "run", "--log-level", "warning", *location],
        "pages": [
            *(sys.executable, "-m", "integration_assets.cli.app", "web", "--host", HOST, "--port", str(pages_port)),
            *("--data-dir", str(data_dir), "--dagit-url", f"http://{HOST}:{port}"),
        ],
    }


@contextmanager
def _children(commands: dict[str, list[str]], logs: Path, home: Path) -> Iterator[dict[str, "subprocess.Popen[bytes]"]]:
    """Starts the commands, each with a log file of its own, and ends them, and theirs, on leaving."""
    logs.mkdir(parents=True, exist_ok=True)
    children: dict[str, subprocess.Popen[bytes]] = {}
    try:
        for name, command in commands.items():
            with (logs / f"{name}.log").open("ab") as output:
                children[name] = subprocess.Popen(
                    # A session of its own: Ctrl-C reaches this command only, which then ends the others in order.
                    command, cwd=home, stdin=subprocess.DEVNULL, stdout=output, stderr=output, start_new_session=True,
                )  # fmt: skip
        yield children
    finally:
        _stop(list(children.values()))


def _stop(children: Sequence["subprocess.Popen[bytes]"]) -> None:
    """Asks the processes, their code servers and runs to end; whoever is left after a while is killed."""
    for child in children:
        _signal_group(child, signal.SIGINT)
    deadline = time.monotonic() + STOP_SECONDS
    for child in children:
        with suppress(subprocess.TimeoutExpired):
            child.wait(max(0.1, deadline - time.monotonic()))
        while _signal_group(child, 0) and time.monotonic() < deadline:
            time.sleep(0.05)
        _signal_group(child, signal.SIGKILL)
        child.wait()


def _signal_group(child: "subprocess.Popen[bytes]", number: int) -> bool:
    """Whether anybody of the child's process group was there to get the signal."""
    try:
        os.killpg(child.pid, number)
    except (ProcessLookupError, PermissionError):
        return False
    return True


def _dead(children: dict[str, "subprocess.Popen[bytes]"]) -> str:
    """The name of a child that has ended, or nothing."""
    return next((name for name, child in children.items() if child.poll() is not None), "")


def _wait_until(condition: Callable[[], object], ended: threading.Event, seconds: float | None = START_SECONDS) -> None:
    """Waits for the condition. Raises TimeoutError when it does not come true in time, Stopped when asked to end."""
    deadline = None if seconds is None else time.monotonic() + seconds
    while not condition():
        if deadline is not None and time.monotonic() > deadline:
            raise TimeoutError(f"the web server did not answer within {seconds:.0f} s")
        if ended.wait(0.3):
            raise Stopped


def _answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=5):
            return True
    except OSError:
        return False


def _is_free(port: int) -> bool:
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError:
            return False
    return True


def _announce(
    console: Console, port: int, pages_port: int, settings: Settings, sandbox: SandboxHandle | None, data_dir: Path
) -> None:
    lines = [
        f"pages             http://{HOST}:{pages_port}",
        f"Dagster           http://{HOST}:{port}",
        f"asset graph       http://{HOST}:{port}/asset-groups",
        f"business day      {settings.business_day or 'today'}",
    ]
    if sandbox is not None:
        lines += [f"sandbox control   {sandbox.control_url}"]
        lines += [f"{name:<17} {url}" for name, url in sandbox.systems.items()]
    lines += [
        f"data, logs        {data_dir.resolve()}",
        "",
        "Materialize a supply area: Jobs > main_flow > Materialize all. Sensors and schedule are off until switched on",
        "(Automation). Ctrl-C ends everything.",
    ]
    console.print("\n".join(lines), highlight=False, soft_wrap=True)
