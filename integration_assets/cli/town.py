"""The sandbox as the commands use it: started or found running, with a town in it."""

import json
import os
import signal
import time
import urllib.request
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil

from integration_assets.sandbox.background import RunningSandbox, start_in_background
from integration_assets.sandbox.server import read_state
from integration_assets.sandbox.systems import SandboxOptions

BACKGROUND_PID = "sandbox.background"
"""File with the process id of a sandbox that a command started for itself."""

STOP_SECONDS = 15


@dataclass
class SandboxHandle:
    """A running sandbox. `pid` is that of its process; `ours` where a command started it in the background."""

    control_url: str
    settings: dict[str, str]
    systems: dict[str, str]
    pid: int
    ours: bool
    process: RunningSandbox | None = None

    def get(self, path: str) -> Any:
        """JSON answer of the control system."""
        with urllib.request.urlopen(self.control_url + path, timeout=600) as answer:
            return json.load(answer)

    def post(self, path: str, body: Any = None) -> Any:
        """Sends JSON to the control system; its JSON answer."""
        data = json.dumps(body if body is not None else {}).encode()
        request = urllib.request.Request(self.control_url + path, data, {"Content-Type": "application/json"})
        with urllib.request.urlopen(request, timeout=600) as answer:
            return json.load(answer)

    def stop(self) -> None:
        """Ends the sandbox if this command, or a killed one before it, started it in the background."""
        if self.process is not None:
            self.process.stop()
        elif self.ours:
            os.kill(self.pid, signal.SIGTERM)
            deadline = time.monotonic() + STOP_SECONDS
            while _lives(self.pid) and time.monotonic() < deadline:
                time.sleep(0.05)

    def answers(self) -> bool:
        """Whether this very process answers, and not another one that has got its port."""
        try:
            return self.get("/health")["pid"] == self.pid
        except (OSError, ValueError):
            return False


def sandbox_of(data_dir: Path, customers: int, seed: int) -> SandboxHandle:
    """The sandbox of this data directory: the one that runs (left over by a killed command), else a new one."""
    mark = data_dir / BACKGROUND_PID
    state = read_state(data_dir)
    if state:
        pid = int(state.get("pids", {}).get("sandbox", 0))
        ours = mark.exists() and mark.read_text() == str(pid)
        found = SandboxHandle(state["control_url"], state["settings"], state["systems"], pid, ours)
        if found.answers():
            return found
    started = start_in_background(SandboxOptions(data_dir=data_dir, customers=customers, seed=seed))
    mark.write_text(str(started.process.pid))
    return SandboxHandle(started.control_url, started.settings, started.systems, started.process.pid, True, started)


def _lives(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def point_settings_at(data_dir: Path) -> None:
    """Makes this process and its children read the sandbox's settings."""
    os.environ["INTEGRATION_SETTINGS_FILE"] = str((data_dir / "sandbox.json").resolve())
    os.environ["INTEGRATION_DATA_DIR"] = str(data_dir.resolve())
