"""`integration-assets replay-lora`: plays recorded exchanges of a registry against the sandbox's, or another one.

Belongs here: starting a fresh sandbox for it and printing how each exchange went. What counts as equal, the module
`sandbox.lora_replay` says.
"""

import tempfile
from contextlib import ExitStack
from pathlib import Path


def replay_folder(folder: Path, url: str | None) -> int:
    """Plays the folder and prints a line per exchange; 0 when all answers were equal, 1 when not, 3 when none was got.

    Without `url` a sandbox registry is started for this and thrown away. A registry given by `url` must be empty; it
    keeps what the exchanges write.
    """
    from integration_assets.sandbox.background import start_in_background
    from integration_assets.sandbox.lora_replay import read_exchanges, replay
    from integration_assets.sandbox.systems import SandboxOptions

    try:
        exchanges = read_exchanges(folder)
    except ValueError as problem:
        print(f"Nothing was played: {problem}.")
        return 3
    if not exchanges:
        print(f"Nothing was played: there is no exchange (*.json) in {folder}.")
        return 3
    different = 0
    with ExitStack() as stack:
        if url is None:
            data_dir = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="replay-lora-")))
            sandbox = start_in_background(SandboxOptions(data_dir, systems=("lora",)))
            stack.callback(sandbox.stop)
            url = sandbox.systems["lora"]
        try:
            for outcome in replay(exchanges, url):
                different += outcome.difference is not None
                print(f"{outcome.name}: {'equal' if outcome.difference is None else outcome.difference}")
        except OSError as problem:
            print(f"No answer from the registry ({type(problem).__name__}); the exchanges after this were not played.")
            return 3
    print(f"{len(exchanges) - different} of {len(exchanges)} exchanges equal")
    return 1 if different else 0
