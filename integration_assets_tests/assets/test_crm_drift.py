"""The asset `drift/crm`, its checks and the commands `drift` and `adopt`, over a CRM in which people work."""

import json
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import dagster as dg
import pytest
from typer.testing import CliRunner

from integration_assets.cache.store import Cache
from integration_assets.cli import app
from integration_assets.definitions import build_definitions
from integration_assets.flows.crm import SYSTEM
from integration_assets.resources.cache import open_cache
from integration_assets.sandbox.requests import RequestLog
from integration_assets.sandbox.store import Store
from integration_assets.settings import Settings
from integration_assets_tests.flows.crm_city import city, row_id
from integration_assets_tests.flows.crm_office import CLIENT_ID, DAY, SECRET, Office, opened_office, serving_office

SECRETS = {"identity_key": "a key for these tests only", "cipher_key": "a secret of these tests"}
PEOPLE = 3
CONTACT = row_id("contacts", 1)


@pytest.fixture(scope="module")
def served(server_dir: Path) -> Iterator[tuple[str, Store, RequestLog]]:
    with serving_office(server_dir, "crm_drift_asset_sandbox") as (url, store, log, _):
        yield url, store, log


@pytest.fixture
def office(
    served: tuple[str, Store, RequestLog],
    server_dir: Path,
    cache_url: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[Office]:
    """A city that was delivered, and in which somebody changed a contact and deleted an installation."""
    monkeypatch.chdir(tmp_path)
    cache: Cache = open_cache(Settings(**{**SECRETS, "cache_url": cache_url, "data_dir": server_dir}))
    with opened_office(*served, cache) as office:
        office.state(city(range(PEOPLE)))
        office.deliver()
        office.look(0)
        office.do("PATCH", f"contacts({CONTACT})", {"ava_mobilkmdee": "11223344", "telephone1": "86123456"})
        office.do("DELETE", f"ava_installations({row_id('installations', 2)})")
        yield office
    cache.close()


def given(office: Office, cache_url: str, **values: Any) -> dict[str, Any]:
    return {
        **SECRETS,
        "cache_url": cache_url,
        "crm_url": office.url,
        "crm_token_url": f"{office.url}/oauth2/token",
        "crm_scope": f"{office.url}/.default",
        "crm_client_id": CLIENT_ID,
        "crm_client_secret": SECRET,
        "business_day": (DAY + timedelta(days=1)).isoformat(),
        **values,
    }


def materialized(settings: Settings) -> tuple[dict[str, Any], dict[str, bool]]:
    """Metadata of the asset after a run, and how its checks came out."""
    job = build_definitions(settings).resolve_job_def("crm_reconciliation")
    with dg.DagsterInstance.ephemeral() as instance:
        result = job.execute_in_process(instance=instance)
        (event,) = result.get_asset_materialization_events()
        checks = {each.check_name: each.passed for each in result.get_asset_check_evaluations()}
    return {name: value.value for name, value in event.materialization.metadata.items()}, checks


def test_the_asset_tells_counts_and_fields_and_orders_repairs(office: Office, cache_url: str) -> None:
    told, checks = materialized(Settings(**given(office, cache_url)))
    expected = {"read_back": 2, "drift_changed": 1, "drift_deleted": 1, "repairs_ordered": 2}
    expected |= {"drift_open": 2, "drift_open_contacts": 1, "drift_open_installations": 1, "drift_left": 0}
    assert {name: told[name] for name in expected} == expected
    assert told["requests_crm"] == told["requests_crm_query"] == 6 + 2, "a request a table, one for each suspect"
    assert "| contacts | 0000001 | changed | 2026-03-02 | 1 | ava_mobilkmdee |  | ••••••44 |" in told["open_drift"]
    assert checks == {"nothing_is_left": True, "changes_were_read": True}
    assert office.deliver().repaired == 2
    assert office.row("contacts", CONTACT).get("ava_mobilkmdee") is None
    assert office.row("contacts", CONTACT)["telephone1"] == "86123456"


def test_what_is_left_fails_the_check(office: Office, cache_url: str) -> None:
    settings = Settings(**given(office, cache_url, crm_drift={"contacts": "leave", "installations": "leave"}))
    told, checks = materialized(settings)
    assert (told["drift_open"], told["drift_left"], told["repairs_ordered"]) == (2, 2, 0)
    assert checks == {"nothing_is_left": False, "changes_were_read": True}
    assert office.deliver().repaired == 0


def run(command: str, settings: dict[str, Any], *arguments: str) -> tuple[int, str]:
    """Exit code and output of the command."""
    none = {f"INTEGRATION_{name.upper()}": None for name in Settings.model_fields} | {"INTEGRATION_SETTINGS_FILE": None}
    here = {f"INTEGRATION_{name.upper()}": value for name, value in settings.items()}
    result = CliRunner().invoke(app, [command, *arguments], env={**none, **here})
    return result.exit_code, result.stdout + result.stderr


def test_the_command_shows_the_crm_and_repairs_when_told(office: Office, cache_url: str) -> None:
    settings = given(office, cache_url)
    code, text = run("drift", settings)
    words = " ".join(text.split())
    assert code == 1
    assert "2 rows of the CRM were read that changed since the last look on 2026-03-02." in words
    assert "Open drift in crm" in words
    assert "0 are delivered again by the next run, 2 are left." in words
    assert "11223344" not in text
    assert office.deliver().repaired == 0, "shown, not repaired"
    code, text = run("drift", settings, "--system", "crm", "--entity", "contacts", "--repair", "--json")
    shown = json.loads(text)
    assert (code, shown["counts"]["repairs_ordered"]) == (1, 1)
    assert [(row["system"], row["business_key"]) for row in shown["open"]] == [(SYSTEM, "0000001")]
    assert office.deliver().repaired == 1
    assert run("drift", settings, "--entity", "customers")[0] == 2
    away = {**settings, "crm_url": "http://127.0.0.1:9", "crm_token_url": "http://127.0.0.1:9/t", "http_attempts": "1"}
    code, text = run("drift", away)
    assert (code, "The CRM was not read to the end" in text) == (2, True)


def test_the_command_adopts(office: Office, cache_url: str) -> None:
    office.do("POST", "contacts", {"firstname": "Ny", "ava_cvr_nummer": "12345678"})
    settings = given(office, cache_url)
    code, text = run("adopt", settings, "--system", "crm", "--dry-run", "--json")
    counts = {row["entity"]: row for row in json.loads(text)["counts"]}
    assert code == 0
    assert (counts["contacts"]["taken"], counts["contacts"]["not_ours"], counts["contacts"]["new"]) == (1, PEOPLE, 1)
    assert office.cache.row_adoptions.rows().is_empty()
    code, text = run("adopt", settings, "--system", "crm", "--report", "--data-dir", str(Path.cwd()))
    assert code == 0
    assert "The address register is not loaded yet" in " ".join(text.split())
    assert office.cache.row_adoptions.rows().filter("taken")["entity"].to_list().count("contacts") == 1
    assert (Path.cwd() / "adoption" / "crm" / "cross_reference.csv").exists()
    assert run("adopt", {**settings, "crm_url": None}, "--system", "crm")[0] == 3
