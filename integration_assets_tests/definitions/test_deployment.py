"""The configuration files that are checked in: each is what Dagster understands."""

import re
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
import yaml
from dagster._config import process_config
from dagster._core.instance.config import dagster_instance_config_schema
from dagster._core.workspace.config_schema import process_workspace_config
from dagster_postgres.utils import pg_config, pg_url_from_config

from integration_assets.cache.server import embedded_server
from integration_assets.cli.instance import instance_home, opened

ROOT = Path(__file__).resolve().parents[2]
INSTANCES = ["dagster.yaml", "deploy/dagster.postgres.yaml"]


def _loaded(name: str) -> dict[str, Any]:
    content: dict[str, Any] = yaml.safe_load((ROOT / name).read_text(encoding="utf-8"))
    return content


def _variables(content: object) -> set[str]:
    if isinstance(content, dict):
        if set(content) == {"env"}:
            return {str(content["env"])}
        return set().union(*map(_variables, content.values())) if content else set()
    return set().union(*map(_variables, content)) if isinstance(content, list) and content else set()


def _with_variables(name: str, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """The content of a file whose variables are set."""
    content = _loaded(name)
    for variable in _variables(content):
        monkeypatch.setenv(variable, "somewhere")
    return content


@pytest.mark.parametrize("name", INSTANCES)
def test_an_instance_file_is_understood(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    content = _with_variables(name, monkeypatch)
    result = process_config(dagster_instance_config_schema(), content)
    assert result.success, [error.message for error in result.errors or []]


def test_the_embedded_instance_needs_no_variable() -> None:
    assert _variables(_loaded("dagster.yaml")) == set()


def test_the_history_in_postgresql_has_a_named_driver_that_is_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    content = _with_variables("deploy/dagster.postgres.yaml", monkeypatch)["storage"]["postgres"]
    result = process_config(pg_config(), content)
    assert result.success, [error.message for error in result.errors or []]
    url = pg_url_from_config(result.value or {})
    assert sa.make_url(url).get_dialect()().driver == "psycopg2"
    assert sa.create_engine(url).dialect.name == "postgresql"


@pytest.mark.parametrize("name", ["workspace.yaml", "deploy/workspace.grpc.yaml"])
def test_a_workspace_is_understood(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    result = process_workspace_config(_with_variables(name, monkeypatch))
    assert result.success, [error.message for error in result.errors or []]
    assert "location_name: integration_assets" in (ROOT / name).read_text(encoding="utf-8")


def test_the_guide_names_every_variable() -> None:
    guide = (ROOT / "deploy" / "README.md").read_text(encoding="utf-8")
    for name in ("deploy/dagster.postgres.yaml", "deploy/workspace.grpc.yaml"):
        for variable in _variables(_loaded(name)):
            assert re.search(rf"\b{variable}\b", guide), f"{variable} of {name}"


def test_a_data_directory_keeps_its_history_on_its_own_server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    home = instance_home(tmp_path)
    assert home == tmp_path
    for _ in range(2):  # whoever opens it next finds what was there
        with opened(home) as instance:
            assert instance.get_dynamic_partitions("supply_area") in ([], ["5000"])
            instance.add_dynamic_partitions("supply_area", ["5000"])
            assert instance.run_coordinator
    assert instance_home(tmp_path) == home
    with opened(home) as instance:
        assert instance.get_dynamic_partitions("supply_area") == ["5000"]
    written = {path.relative_to(tmp_path).parts[0] for path in tmp_path.iterdir()}
    assert written == {"dagster", "dagster.yaml", "postgres", "postgres.handles", "postgres.lock"}
    ours, theirs = _loaded("dagster.yaml"), yaml.safe_load((home / "dagster.yaml").read_text(encoding="utf-8"))
    assert set(ours) == set(theirs)
    assert {name for name in ours if ours[name] != theirs[name]} == {
        "storage",
        "local_artifact_storage",
        "compute_logs",
    }
    embedded_server(tmp_path).close()
