"""Where Dagster keeps its history: the instance of the project, or one that lives in a data directory of its own."""

import os
from pathlib import Path
from typing import Any

import yaml

INSTANCE_FILE = "dagster.yaml"
DEFAULT_DATA_DIR = "var"

_EMBEDDED: dict[str, Any] = {
    "telemetry": {"enabled": False},
    "nux": {"enabled": False},
    "concurrency": {"runs": {"max_concurrent_runs": 2}},
    "run_queue": {"dequeue_interval_seconds": 2},
    "run_monitoring": {"enabled": True},
}
"""What an instance needs where no `dagster.yaml` of the project is at hand."""


def instance_home(data_dir: Path) -> Path:
    """The folder to use as DAGSTER_HOME.

    The folder of the project's `dagster.yaml` where the data directory is the default one, which that file names. Any
    other data directory gets a `dagster.yaml` of its own: the project's, with all history kept below the directory.
    """
    project = project_folder()
    if project is not None and data_dir.resolve() == (project / DEFAULT_DATA_DIR).resolve():
        return project
    kept = data_dir.resolve() / "dagster"
    kept.mkdir(parents=True, exist_ok=True)
    content = _EMBEDDED if project is None else yaml.safe_load((project / INSTANCE_FILE).read_text(encoding="utf-8"))
    content = {
        **content,
        "storage": {"sqlite": {"base_dir": str(kept / "storage")}},
        "local_artifact_storage": _located("dagster._core.storage.root", "LocalArtifactStorage", kept),
        "compute_logs": _located(
            "dagster._core.storage.local_compute_log_manager", "LocalComputeLogManager", kept / "compute_logs"
        ),
    }
    (data_dir / INSTANCE_FILE).write_text(yaml.safe_dump(content, sort_keys=False), encoding="utf-8")
    return data_dir.resolve()


def project_folder() -> Path | None:
    """The folder of the project's `dagster.yaml`: the working directory or the one that holds this package."""
    for folder in (Path.cwd(), Path(__file__).resolve().parents[2]):
        if (folder / INSTANCE_FILE).exists() and (folder / "workspace.yaml").exists():
            return folder
    return None


def use_instance(data_dir: Path) -> Path:
    """Makes this process and its children use the instance of the data directory; returns its folder."""
    home = instance_home(data_dir)
    os.environ["DAGSTER_HOME"] = str(home)
    return home


def _located(module: str, name: str, folder: Path) -> dict[str, Any]:
    return {"module": module, "class": name, "config": {"base_dir": str(folder)}}
