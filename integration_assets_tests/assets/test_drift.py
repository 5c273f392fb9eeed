"""The asset `drift/lora`, its checks and the command `drift`, over a registry that others wrote to."""

import json
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import dagster as dg
import pytest
from typer.testing import CliRunner

from integration_assets.cache.person_data import Identity, sections
from integration_assets.cache.retention import blank_parties
from integration_assets.cache.store import Cache
from integration_assets.cli import app
from integration_assets.definitions import build_definitions
from integration_assets.resources.cache import open_cache
from integration_assets.settings import Settings
from integration_assets_tests.domain.registry_rows import TENANT
from integration_assets_tests.flows.other_writers import (
    DAY,
    PEOPLE,
    SPOILED,
    World,
    others_change,
    others_spoil,
    serving_registry,
    settle,
)

DRIFT = dg.AssetKey(["drift", "lora"])
SECRETS = {"identity_key": "a key for these tests only", "cipher_key": "a secret of these tests"}


@pytest.fixture
def town(server_dir: Path, tmp_path: Path, cache_url: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    """Objects that were delivered and read back on the day before, and that others wrote to since."""
    monkeypatch.chdir(tmp_path)
    with serving_registry(server_dir, tmp_path, "drift_asset_sandbox") as new_world:
        cache = open_cache(Settings(**{**SECRETS, "cache_url": cache_url, "data_dir": server_dir}))
        town = settle(new_world(cache))
        others_spoil(town)
        yield town
        cache.close()


def given(town: World, cache_url: str, **values: Any) -> dict[str, Any]:
    return {
        **SECRETS,
        "cache_url": cache_url,
        "lora_url": town.url,
        "lora_organisation": TENANT.organisation,
        "lora_actor": TENANT.actor,
        "business_day": (DAY + timedelta(days=1)).isoformat(),
        **values,
    }


def materialized(settings: Settings, *, everything: bool) -> tuple[dict[str, Any], dict[str, bool]]:
    """Metadata of the asset after a run, and how its checks came out."""
    job = build_definitions(settings).resolve_job_def("registry_reconciliation")
    config = {"ops": {"drift__lora": {"config": {"everything": everything}}}}
    with dg.DagsterInstance.ephemeral() as instance:
        result = job.execute_in_process(instance=instance, run_config=config)
        (event,) = result.get_asset_materialization_events()
        checks = {each.check_name: each.passed for each in result.get_asset_check_evaluations()}
    return {name: value.value for name, value in event.materialization.metadata.items()}, checks


def test_the_asset_tells_counts_and_fields_and_orders_repairs(town: World, cache_url: str) -> None:
    told, checks = materialized(Settings(**given(town, cache_url)), everything=True)
    expected = {"read_back": 5, "drift_changed": 1, "drift_deleted": 1, "drift_passive": 1, "drift_missing": 1}
    expected |= {"drift_open": 4, "drift_open_customers": 4, "drift_left": 0, "repairs_ordered": 4}
    assert {name: told[name] for name in expected} == expected
    assert told["requests_lora"] == told["requests_lora_list"] > 0
    assert "| customers | anna | changed | 2026-03-02 | 1 | phone | ••••••56 | ••••••99 |" in told["open_drift"]
    assert "0101701234" not in str(told)
    assert checks == {"nothing_is_left": True, "everything_was_read": True}
    assert town.deliver("customers").repaired == 4


def test_what_is_left_fails_the_check(town: World, cache_url: str) -> None:
    settings = Settings(**given(town, cache_url, lora_drift={"customers": "leave"}))
    told, checks = materialized(settings, everything=True)
    assert (told["drift_open"], told["drift_left"], told["repairs_ordered"]) == (4, 4, 0)
    assert checks == {"nothing_is_left": False, "everything_was_read": True}


def test_a_turn_is_a_thirtieth_and_at_least_one(town: World, cache_url: str) -> None:
    told, _ = materialized(Settings(**given(town, cache_url)), everything=False)
    assert (told["read_back"], told["requests_lora_list"]) == (1, 1)


def run(settings: dict[str, Any], *arguments: str) -> tuple[int, str]:
    """Exit code and output of the command."""
    none = {f"INTEGRATION_{name.upper()}": None for name in Settings.model_fields} | {"INTEGRATION_SETTINGS_FILE": None}
    here = {f"INTEGRATION_{name.upper()}": value for name, value in settings.items()}
    result = CliRunner().invoke(app, ["drift", *arguments], env={**none, **here})
    return result.exit_code, result.stdout + result.stderr


def test_the_command_shows_fields_masked_and_repairs_when_told(town: World, cache_url: str) -> None:
    settings = given(town, cache_url)
    code, text = run(settings, "--all")
    assert code == 1
    assert "5 objects of the registry were read on 2026-03-02." in text
    assert "0 are delivered again by the next run, 4 are left." in " ".join(text.split())
    assert all(name in text for name in SPOILED)
    assert ("dan" in text, "86123456" in text, "99999999" in text) == (False, False, False)
    assert town.deliver("customers").repaired == 0, "shown, not repaired"

    code, text = run(settings, "--all", "--entity", "customers", "--repair", "--json")
    shown = json.loads(text)
    assert (code, shown["counts"]["repairs_ordered"]) == (1, 4)
    anna = next(row for row in shown["open"] if row["business_key"] == "anna")
    assert anna["differences"] == [{"field": "phone", "delivered": "••••••56", "found": "••••••99"}]
    assert town.deliver("customers").repaired == 4
    assert {name: town.holds("customers", name) for name in PEOPLE} == PEOPLE

    town.read_changed("customers")
    code, text = run(settings)
    assert (code, "All that was read is as it was delivered." in text) == (0, True)


def test_the_command_says_what_stands_in_its_way(town: World, cache_url: str) -> None:
    settings = given(town, cache_url)
    assert run(settings, "--entity", "contacts")[0] == 2
    code, text = run({**settings, "lora_url": None})
    assert (code, "INTEGRATION_LORA_URL" in text) == (3, True)
    away = {**settings, "lora_url": "http://127.0.0.1:9", "http_attempts": "1"}
    code, text = run(away, "--all")
    assert (code, "registry" in text) == (2, True)


def test_show_and_erasure_know_of_drift(town: World) -> None:
    """What is kept of a party's drift is shown with her deliveries and goes with them."""
    others_change(town, "dan", email="dan@example.dk")
    town.look("customers", 1)
    cache: Cache = town.means.cache
    identity = Identity("unknown", frozenset({town.ids["anna"]}), frozenset())
    with cache.engine.connect() as connection:
        shown = {section.table: section.rows for section in sections(connection, cache.cipher, identity)}
    assert [row["kind"] for row in shown["drift"]] == ["changed"]
    town.deliver("customers")
    blank_parties(cache.engine, [town.ids["anna"], town.ids["dan"]], [])
    assert set(town.open()) == {"bo", "carla", "bakery"}
