"""The code location as a whole: it loads without any setting, and every asset says what it is."""

import os
import subprocess
import sys
from pathlib import Path

import dagster as dg
import pytest

from integration_assets.automation.jobs import MAIN_GROUPS
from integration_assets.definitions import build_definitions
from integration_assets.domain.tables import ENTITY_TABLES
from integration_assets.partitions import MUNICIPALITIES, SUPPLY_AREAS
from integration_assets.settings import Settings

ROOT = Path(__file__).resolve().parents[2]
KMD_EE = dg.AssetKey(["outside", "kmd_ee"])
WASHING_INDEX = dg.AssetKey(["addresses", "washing_index"])
DRIFT = dg.AssetKey(["drift", "lora"])
NOTIFICATIONS = "notifications"
COMPLETED_RUN = dg.AssetKey(["supervision", "run_completed"])
INTERACTION_STATE = dg.AssetKey(["supervision", "interaction_state"])
CLAIMS = "claims"
DYNAMICS = dg.AssetKey(["outside", "dynamics_crm"])
SUPERSEDED = dg.AssetKey(["lora", "superseded"])
"""Ends in the registry: of what others stand for the CRM never hears."""
TARIFFS = dg.AssetKey(["billing", "tariffs"])
SOURCES = [
    dg.AssetKey(["outside", name]) for name in ("kmd_ee", "address_register", "person_register", "company_register")
]
TARIFF_FILES = dg.AssetKey(["outside", "tariff_files"])
BILLING = "billing"
"""Ends in the cache: facts are looked up there."""


@pytest.fixture(scope="module")
def definitions() -> dg.Definitions:
    """The definitions without any setting."""
    return build_definitions(Settings())


def _specs(definitions: dg.Definitions, *, materializable: bool | None = None) -> dict[dg.AssetKey, dg.AssetSpec]:
    made = definitions.resolve_asset_graph().materializable_asset_keys
    return {
        spec.key: spec
        for spec in definitions.resolve_all_asset_specs()
        if materializable is None or (spec.key in made) == materializable
    }


def test_the_definitions_resolve(definitions: dg.Definitions) -> None:
    dg.Definitions.validate_loadable(definitions)
    assert len(_specs(definitions, materializable=True)) >= 24


def test_every_asset_says_whose_it_is_and_what_it_holds(definitions: dg.Definitions) -> None:
    for key, spec in _specs(definitions).items():
        lacking = [name for name in ("owners", "group_name", "kinds", "description") if not getattr(spec, name)]
        assert not lacking, f"{key.to_user_string()} lacks {lacking}"
        assert spec.group_name != "default"
        assert len(str(spec.description)) > 20


def test_every_asset_of_ours_leads_to_its_code(definitions: dg.Definitions) -> None:
    for key, spec in _specs(definitions, materializable=True).items():
        references = spec.metadata["dagster/code_references"].code_references
        assert [Path(reference.file_path).is_relative_to(ROOT) for reference in references] == [True], key


def test_every_asset_of_ours_describes_its_columns(definitions: dg.Definitions) -> None:
    for key, spec in _specs(definitions, materializable=True).items():
        if key != WASHING_INDEX:  # files in a form of their own, no table
            assert spec.metadata["dagster/column_schema"].columns, key


def test_every_table_has_its_asset_with_the_columns_described_and_their_origin(definitions: dg.Definitions) -> None:
    specs = _specs(definitions, materializable=True)
    for name, table in ENTITY_TABLES.items():
        metadata = specs[dg.AssetKey(list(name))].metadata
        columns = metadata["dagster/column_schema"].columns
        assert [column.name for column in columns] == table.schema.names()
        assert all(column.description for column in columns), name
        lineage = metadata["dagster/column_lineage"].deps_by_column
        assert set(lineage) == {column.name for column in table.columns if column.sources}
        known = {dependency.asset_key for dependencies in lineage.values() for dependency in dependencies}
        assert known <= set(_specs(definitions)), f"{name} comes from assets that do not exist"


def test_lineage_leads_from_the_billing_system_to_the_crm(definitions: dg.Definitions) -> None:
    graph = definitions.resolve_asset_graph()
    after = {KMD_EE} | graph.get_ancestor_asset_keys(KMD_EE)
    assert after == {KMD_EE}, "nothing stands before the source"
    before = graph.get_ancestor_asset_keys(DYNAMICS)
    assert set(SOURCES) <= before
    main = {key: spec.group_name for key, spec in _specs(definitions).items() if spec.group_name in MAIN_GROUPS}
    assert {key for key, group in main.items() if group != BILLING} - {SUPERSEDED} <= before
    for key in _specs(definitions, materializable=True):
        assert {*SOURCES, TARIFF_FILES} & graph.get_ancestor_asset_keys(key), (
            f"{key.to_user_string()} comes from nowhere"
        )


def test_groups_run_in_one_direction(definitions: dg.Definitions) -> None:
    """A circle of groups would make the collapsed graph unreadable."""
    group = {key: spec.group_name for key, spec in _specs(definitions).items()}
    graph = definitions.resolve_asset_graph()
    edges = {
        (group[parent], group[key])
        for key in group
        for parent in graph.get(key).parent_keys
        if group[parent] != group[key]
    }
    left = {name for edge in edges for name in edge}
    while starts := left - {target for source, target in edges if source in left}:
        left -= starts
    assert not left, f"a circle among {sorted(map(str, left))}"


def test_partitions_run_through_the_main_flow(definitions: dg.Definitions) -> None:
    graph = definitions.resolve_asset_graph()
    for key, spec in _specs(definitions, materializable=True).items():
        node = graph.get(key)
        if (spec.group_name in MAIN_GROUPS and key != TARIFFS) or key == COMPLETED_RUN:
            assert node.partitions_def == SUPPLY_AREAS, key
        elif key == INTERACTION_STATE:
            assert node.partitions_def == dg.StaticPartitionsDefinition(["standard"]), key
        elif key in (WASHING_INDEX, DRIFT, TARIFFS) or spec.group_name in (NOTIFICATIONS, CLAIMS):
            assert not node.is_partitioned, (
                "the index, the registers, tariffs and claims are for all, turns in the registry know no area"
            )
            continue
        else:
            assert node.partitions_def == MUNICIPALITIES, key
        assert node.backfill_policy == dg.BackfillPolicy.single_run(), key


def test_jobs_schedules_and_sensors_resolve(definitions: dg.Definitions) -> None:
    jobs = {job.name for job in definitions.resolve_all_job_defs()}
    assert {"main_flow", "address_register"} <= jobs
    for name in ("mail_outbox", "failed_runs", "succeeded_runs", "supervision_is_alive"):
        assert definitions.resolve_sensor_def(name).default_status == dg.DefaultSensorStatus.STOPPED
    for name in ("source_changes", "registry_corrected", "due_again", "new_address_register"):
        sensor = definitions.resolve_sensor_def(name)
        assert sensor.job_name in jobs
        assert (sensor.minimum_interval_seconds or 0) >= 60
        assert sensor.default_status == dg.DefaultSensorStatus.STOPPED
    for name in (
        "nightly",
        "registers_nightly",
        "relations_nightly",
        "registry_drift_daily",
        "claims_quarter_hourly",
        "supervise_standard",
    ):
        assert definitions.resolve_schedule_def(name).execution_timezone == "Europe/Copenhagen"
    selected = definitions.resolve_job_def("main_flow").asset_layer.selected_asset_keys
    register = {WASHING_INDEX, dg.AssetKey(["addresses", "register"])}
    correcting, following = (
        {dg.AssetKey([NOTIFICATIONS, name]) for name in names}
        for names in (("persons", "companies"), ("subscriptions", "notices"))
    )
    claims = {dg.AssetKey([CLAIMS, name]) for name in ("ledger", "recall_proposals", "recalls", "statuses")}
    others = register | correcting | following | {DRIFT, INTERACTION_STATE} | claims
    assert selected == set(_specs(definitions, materializable=True)) - others
    assert definitions.resolve_job_def("claim_recalls").asset_layer.selected_asset_keys == claims
    assert definitions.resolve_job_def("register_notifications").asset_layer.selected_asset_keys == correcting
    assert definitions.resolve_job_def("follow_relations").asset_layer.selected_asset_keys == following
    assert definitions.resolve_job_def("registry_reconciliation").asset_layer.selected_asset_keys == {DRIFT}
    assert definitions.resolve_job_def("supervise").asset_layer.selected_asset_keys == {INTERACTION_STATE}
    assert definitions.resolve_job_def("address_register").asset_layer.selected_asset_keys == register


def test_it_loads_in_a_bare_environment_without_noise(tmp_path: Path) -> None:
    """No setting, no `.env`, no DAGSTER_HOME; whatever warns at import would warn at every start of every process."""
    bare = {name: value for name, value in os.environ.items() if not name.startswith(("INTEGRATION_", "DAGSTER_"))}
    loaded = subprocess.run(
        [
            sys.executable,
            "-c",
            "import integration_assets.definitions as d; print(len(d.defs.resolve_all_asset_specs()))",
        ],
        cwd=tmp_path,
        env=bare,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert loaded.returncode == 0, loaded.stderr
    assert int(loaded.stdout) >= 30
    assert loaded.stderr == ""
    assert list(tmp_path.iterdir()) == [], "loading writes nothing"


def test_dagster_validates_the_workspace(tmp_path: Path) -> None:
    bare = {name: value for name, value in os.environ.items() if not name.startswith(("INTEGRATION_", "DAGSTER_"))}
    validated = subprocess.run(
        [sys.executable, "-m", "dagster", "definitions", "validate", "-w", str(ROOT / "workspace.yaml")],
        cwd=tmp_path,
        env={**bare, "DAGSTER_HOME": str(tmp_path)},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert validated.returncode == 0, validated.stderr
    assert "BetaWarning" not in validated.stderr
