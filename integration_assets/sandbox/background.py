"""Starting the sandbox as a process of its own and stopping it again.

Belongs here: the command line of the process, waiting until it answers, ending it.
"""

import json
import subprocess
import sys
import time
import urllib.request
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from integration_assets.sandbox.server import read_state
from integration_assets.sandbox.systems import SandboxOptions

_START_SECONDS = 90
_STOP_SECONDS = 15


@dataclass
class RunningSandbox:
    """A sandbox in the background. `settings` are the product settings that lead to it, `systems` urls by name."""

    control_url: str
    settings: dict[str, str]
    systems: dict[str, str]
    process: "subprocess.Popen[bytes]"

    def get(self, path: str) -> Any:
        """JSON answer of the control system."""
        return _json(self.control_url + path, None)

    def post(self, path: str, body: Any = None) -> Any:
        """Send JSON to the control system; its JSON answer."""
        return _json(self.control_url + path, body if body is not None else {})

    def stop(self) -> None:
        """End the process cleanly; kills it when it does not end in time."""
        self.process.terminate()
        try:
            self.process.wait(_STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


def start_in_background(options: SandboxOptions) -> RunningSandbox:
    """Start `python -m integration_assets.sandbox` and wait until it answers.

    Its output goes to `<data_dir>/sandbox.log`. Raises RuntimeError (with the end of that file) when it ends or does
    not answer in 90 seconds.
    """
    options.data_dir.mkdir(parents=True, exist_ok=True)
    log_path = options.data_dir / "sandbox.log"
    with log_path.open("ab") as output:
        # A session of its own: a Ctrl-C meant for us must not take the outside world away while we still end our work.
        process = subprocess.Popen(
            _command(options), stdout=output, stderr=output, stdin=subprocess.DEVNULL, start_new_session=True
        )
    deadline = time.monotonic() + _START_SECONDS
    while time.monotonic() < deadline and process.poll() is None:
        state = read_state(options.data_dir)
        if state.get("pids", {}).get("sandbox") == process.pid and _healthy(state["control_url"], process.pid):
            return RunningSandbox(state["control_url"], state["settings"], state["systems"], process)
        time.sleep(0.05)
    process.kill()
    process.wait()
    raise RuntimeError(f"the sandbox did not start: {_tail(log_path)}")


def _command(options: SandboxOptions) -> list[str]:
    command = [sys.executable, "-m", "integration_assets.sandbox", "--data-dir", str(options.data_dir)]
    command += ["--customers", str(options.customers), "--seed", str(options.seed)]
    command += ["--systems", ",".join(options.systems)]
    command += ["--ports", json.dumps(dict(options.ports))]
    command += [] if options.tls else ["--no-tls"]
    command += ["--lora-extension-fields"] if options.lora_extension_fields else []
    command += ["--lora-parameters", ",".join(options.lora_parameters)]
    command += ["--lora-request-line", str(options.lora_request_line)]
    return [*command, "--faults", json.dumps({system: asdict(plan) for system, plan in options.faults.items()})]


def _healthy(control_url: str, pid: int) -> bool:
    try:
        return _json(control_url + "/health", None)["pid"] == pid
    except OSError:
        return False


def _json(url: str, body: Any) -> Any:
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(url, data, {"Content-Type": "application/json"} if data else {})
    with urllib.request.urlopen(request, timeout=600) as answer:
        return json.load(answer)


def _tail(path: Path) -> str:
    return path.read_text(errors="replace")[-2000:]
