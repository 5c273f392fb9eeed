"""`integration-assets accounts` against a cache: what people see of accounts, and what they may keep in them."""

import json
from datetime import date
from pathlib import Path

import pytest
import sqlalchemy as sa
from typer.testing import CliRunner

from integration_assets.cache.store import Cache
from integration_assets.cli import app
from integration_assets_tests.flows.account_street import IDS, Street

DAY = date(2025, 7, 1)
IN = date(2024, 1, 1)
MALO = "41373559241"
REFUSED = 2


@pytest.fixture
def street(cache: sa.Engine, cache_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Street:
    monkeypatch.setenv("INTEGRATION_CACHE_URL", cache_url)
    monkeypatch.setenv("INTEGRATION_CIPHER_KEY", "a secret of the tests")
    monkeypatch.setenv("INTEGRATION_IDENTITY_KEY", "a key for these tests only")
    monkeypatch.setenv("INTEGRATION_DATA_DIR", str(tmp_path))
    street = Street(Cache(cache, "a secret of the tests"))
    street.customer("100", "Anna", 1, IN)
    street.customer("200", None, 2, IN)
    street.meter("7", 1, IN, meter="A")
    street.meter("8", 2, IN)
    return street


def run(*arguments: str) -> str:
    result = CliRunner().invoke(app, ["accounts", *arguments])
    assert result.exit_code == 0, result.output
    return result.stdout


def refused(*arguments: str) -> str:
    result = CliRunner().invoke(app, ["accounts", *arguments])
    assert result.exit_code == REFUSED, result.output
    return result.stderr


def test_accounts_and_what_waits_are_shown_by_customer_and_installation(street: Street) -> None:
    street.refresh(DAY)
    account_id = str(IDS.of("installation_account", "Anna|7"))
    shown = run("show", "100")
    assert f"Installation 7, customer 100: ACTIVE ({account_id})" in shown
    assert "meter_number: A" in shown
    assert "contract 100 on 7: 2024-01-01 – open" in shown
    assert run("show", "7") == shown
    assert run("show", "8") == (
        "Customer 200 on installation 8 (area 5000) waits since 2025-07-01: "
        "contract account, business partner missing.\n"
    )
    assert run("waiting").endswith("missing.\n1 contract waits.\n")
    told = json.loads(run("show", "100", "--json"))
    assert (told["accounts"][0]["account_id"], told["accounts"][0]["contracts"][0]["end"]) == (account_id, None)
    assert json.loads(run("waiting", "--json"))[0]["missing"] == ["contract_account", "business_partner"]
    assert refused("show", "999") == "There is no installation account of 999, and none waits.\n"


def test_a_prospect_becomes_the_account_of_the_first_contract_and_keeps_its_notes(street: Street) -> None:
    street.customer("100", "Anna", 9, IN)  # at a place without any installation
    street.refresh(DAY)
    account_id = run("prospect", "100", MALO).strip()
    run("note", account_id, "notes", "calls on Mondays")
    street.refresh(DAY)
    assert "Installation –, customer –: PROSPECT" in run("show", account_id)
    street.meter("90", 9, IN)
    street.numbers = {"90": MALO}
    assert street.refresh(DAY).counts["accounts_reassigned"] == 1
    shown = run("show", "90")
    assert f"Installation 90, customer 100: ACTIVE ({account_id})" in shown
    assert "notes: calls on Mondays (kept by people)" in shown
    run("note", account_id, "notes", "")
    assert "kept by people" not in run("show", "90")


def test_what_cannot_be_is_refused_in_a_sentence(street: Street) -> None:
    street.refresh(DAY)
    assert refused("prospect", "100", "41373559242") == "41373559242 is no valid MaLo-ID or GSRN.\n"
    assert "No customer is known by the customer number 999" in refused("prospect", "999", MALO)
    run("prospect", "100", MALO)
    assert "has an account with the market location" in refused("prospect", "100", MALO)
    assert "People keep notes" in refused("note", "x", "status", "ACTIVE")
    assert "no installation account x" in refused("note", "x", "notes", "text")
