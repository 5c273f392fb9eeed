"""The sandbox as the commands use it: started or found running, with a town in it."""

import json
import os
import urllib.error
import urllib.request
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from integration_assets.sandbox.background import RunningSandbox, start_in_background
from integration_assets.sandbox.server import read_state
from integration_assets.sandbox.systems import SandboxOptions


@dataclass
class SandboxHandle:
    """A running sandbox. `process` is set where this command started it and ends it again."""

    control_url: str
    settings: dict[str, str]
    systems: dict[str, str]
    process: RunningSandbox | None

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
        """Ends the sandbox if this command started it."""
        if self.process is not None:
            self.process.stop()


def sandbox_of(data_dir: Path, customers: int, seed: int) -> SandboxHandle:
    """The sandbox of this data directory: the one that runs (left over by a killed command), else a new one."""
    state = read_state(data_dir)
    if state:
        found = SandboxHandle(state["control_url"], state["settings"], state["systems"], None)
        pid = state.get("pids", {}).get("sandbox")
        try:
            if found.get("/health")["pid"] == pid:
                return found
        except (urllib.error.URLError, OSError, ValueError):
            pass  # nobody answers there: a new one is started
    started = start_in_background(SandboxOptions(data_dir=data_dir, customers=customers, seed=seed))
    return SandboxHandle(started.control_url, started.settings, started.systems, started)


def point_settings_at(data_dir: Path) -> None:
    """Makes this process and its children read the sandbox's settings."""
    os.environ["INTEGRATION_SETTINGS_FILE"] = str((data_dir / "sandbox.json").resolve())
    os.environ["INTEGRATION_DATA_DIR"] = str(data_dir.resolve())
