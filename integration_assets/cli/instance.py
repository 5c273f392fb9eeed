"""Where the commands keep Dagster's history: in the embedded PostgreSQL of their data directory.

Dagster writes an event per asset and supply area, and its SQLite storage opens, commits and closes a file for each.
PostgreSQL takes them several times as fast, and it runs beside the cache anyway.
"""

import os
from pathlib import Path
from typing import Any

import dagster as dg
import sqlalchemy as sa
import yaml

from integration_assets.cache.engine import embedded_server_url

INSTANCE_FILE = "dagster.yaml"
DATABASE = "dagster"
EVENTS_AT_ONCE = "1000"

_EMBEDDED: dict[str, Any] = {
    "telemetry": {"enabled": False},
    "nux": {"enabled": False},
    "concurrency": {"runs": {"max_concurrent_runs": 2}},
    "run_queue": {"dequeue_interval_seconds": 2},
    "run_monitoring": {"enabled": True},
}
"""What an instance needs where no `dagster.yaml` of the project is at hand."""


def instance_home(data_dir: Path) -> Path:
    """The folder to use as DAGSTER_HOME: the data directory, with a `dagster.yaml` of its own.

    That is the project's, with all history kept below the directory: runs and events in the database `dagster` of its
    embedded server, which this process then holds until it ends, artifacts and logs in files.
    """
    kept = data_dir.resolve() / "dagster"
    kept.mkdir(parents=True, exist_ok=True)
    project = project_folder()
    content = _EMBEDDED if project is None else yaml.safe_load((project / INSTANCE_FILE).read_text(encoding="utf-8"))
    # History may lose its last moments when the machine itself dies, so no event waits for the disk.
    url = (
        sa.make_url(embedded_server_url(data_dir.resolve(), DATABASE))
        .set(drivername="postgresql+psycopg2")
        .update_query_dict({"options": "-c synchronous_commit=off"})
    )
    content = {
        **content,
        "storage": {"postgres": {"postgres_url": url.render_as_string(hide_password=False)}},
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
    os.environ.setdefault("DAGSTER_EVENT_BATCH_SIZE", EVENTS_AT_ONCE)
    return home


def opened(home: Path) -> dg.DagsterInstance:
    """The instance of a folder that `instance_home` gave, with connections to its history kept open.

    Dagster connects anew for every event unless it is told that somebody reads along.
    """
    instance = dg.DagsterInstance.from_config(str(home))
    instance.optimize_for_webserver(statement_timeout=0, pool_recycle=3600, max_overflow=8)
    return instance


def _located(module: str, name: str, folder: Path) -> dict[str, Any]:
    return {"module": module, "class": name, "config": {"base_dir": str(folder)}}
