"""`integration-assets run` as people start it: killed, it goes on where it was; interrupted, it leaves no process."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import psutil
import pytest

from integration_assets.sandbox.server import read_state

CUSTOMERS = "30"
RUN_SECONDS = 300
INTERRUPTED, ANOTHER_PLAYS = 130, 3


@pytest.fixture
def data_dir(server_dir: Path) -> Iterator[Path]:
    """A data directory; whatever a failed test leaves running in it is ended.

    Not pytest's own: another session of pytest closes that to the user whom PostgreSQL runs as.
    """
    folder = server_dir / "command"
    folder.mkdir()
    yield folder
    for process in _living(folder):
        process.kill()


def test_a_killed_command_goes_on_and_an_interrupted_one_leaves_no_process(data_dir: Path) -> None:
    killed = _start(data_dir)
    _wait_for_requests(data_dir, killed, at_least=40)  # the address register, people asked, some objects written
    killed.kill()
    killed.wait()
    sandbox = read_state(data_dir)["pids"]["sandbox"]
    assert psutil.pid_exists(sandbox)

    for number in (signal.SIGINT, signal.SIGTERM):
        interrupted = _start(data_dir)
        _wait_for_requests(data_dir, interrupted, at_least=1)
        time.sleep(1.5)  # well within a run
        interrupted.send_signal(number)
        output, _ = interrupted.communicate(timeout=RUN_SECONDS)
        assert interrupted.returncode == INTERRUPTED, output
        assert _living(data_dir) == []

    last = _start(data_dir)
    _wait_for_requests(data_dir, last, at_least=1)
    beside = _start(data_dir)
    assert beside.wait(RUN_SECONDS) == ANOTHER_PLAYS
    output, _ = last.communicate(timeout=RUN_SECONDS)
    assert last.returncode == 0, output
    assert json.loads((data_dir / "summary.json").read_text())["differences"] == []
    assert _living(data_dir) == []


def _start(data_dir: Path) -> "subprocess.Popen[str]":
    command = [sys.executable, "-m", "integration_assets.cli.app", "run", "--customers", CUSTOMERS, "--days", "0"]
    return subprocess.Popen(
        [*command, "--data-dir", str(data_dir)],
        cwd=data_dir,
        env={**os.environ, "INTEGRATION_SUPPLY_AREA_DIGITS": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def _wait_for_requests(data_dir: Path, process: "subprocess.Popen[str]", at_least: int) -> None:
    """Waits until the outside systems have been sent so many requests more than before."""
    before = _requests(data_dir)
    deadline = time.monotonic() + RUN_SECONDS
    while (now := _requests(data_dir)) < before + at_least:
        before = min(before, now)  # a new sandbox counts from zero
        if process.poll() is not None:
            pytest.fail(process.communicate()[0])
        assert time.monotonic() < deadline
        time.sleep(0.05)


def _requests(data_dir: Path) -> int:
    try:
        url = read_state(data_dir)["control_url"]
        return sum(each["total"] for each in httpx.get(f"{url}/requests/summary", timeout=5).json().values())
    except (KeyError, httpx.TransportError):
        return 0


def _living(data_dir: Path) -> list[psutil.Process]:
    """Sandbox, PostgreSQL and whatever else runs with this data directory on its command line."""
    found: list[psutil.Process] = []
    for process in psutil.process_iter(["cmdline", "status"]):
        named = any(str(data_dir) in argument for argument in process.info["cmdline"] or [])
        if named and process.info["status"] != psutil.STATUS_ZOMBIE:
            found.append(process)
    return found
