"""Installation accounts of a town: from the billing system to a custom table of the CRM, told from the town's truth."""

from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import Any

import pytest
import sqlalchemy as sa

from integration_assets.domain.identity import ObjectIds
from integration_assets.flows.lookups import person_ids
from integration_assets.resources.cache import open_cache
from integration_assets.sandbox.verify_read import Crm
from integration_assets_tests.end_to_end.conftest import NewWorld
from integration_assets_tests.end_to_end.world import Json, World, writes

CUSTOMERS = 35
DAYS = 2
TABLE = "ava_installationskontos"
MAIN_CUSTOMER = "915240004"


@dataclass
class Seen:
    """What there was after each day: the accounts expected, those in the cache and in the CRM, and CRM writes."""

    world: World = field(repr=False)
    expected: list[dict[tuple[str, str], Json]] = field(default_factory=list, repr=False)
    stored: list[dict[tuple[str, str], Json]] = field(default_factory=list, repr=False)
    crm: list[dict[str, Json]] = field(default_factory=list, repr=False)
    differences: list[list[str]] = field(default_factory=list, repr=False)
    again: list[Json] = field(default_factory=list, repr=False)


@pytest.fixture(scope="module")
def seen(new_world: NewWorld) -> Seen:
    world = new_world()
    world.given = {**world.given, "crm_accounts_table": "ava_installationskonto"}
    seen = Seen(world)
    world.build(CUSTOMERS, seed=11)
    held: dict[tuple[str, str], set[tuple[str, str, str]]] = {}
    for day in range(DAYS + 1):
        if day:
            world.play(day)
        world.run_day(day)
        truth = world.truth()
        parties = party_ids(world, truth)
        for number, agreement in truth["agreements"].items():
            for installation in agreement["installations"]:
                for contracts in held.values():
                    contracts -= {each for each in contracts if each[:2] == (number, installation)}
                account = (parties[main_party(truth, number)], installation)
                held.setdefault(account, set()).add((number, installation, agreement["valid_from"]))
        seen.expected.append(accounts_of(truth, held))
        seen.stored.append(stored_accounts(world))
        with Crm(world.given) as crm:
            seen.crm.append({row[f"{TABLE[:-1]}id"]: row for row in crm.rows(TABLE)})
        seen.differences.append(world.differences() + world.account_differences())
    mark = world.mark()
    world.run_nightly(DAYS)
    seen.again = world.requests(mark)
    return seen


def main_party(truth: Json, number: str) -> str:
    """The number of the party that is main customer now."""
    (party,) = {
        role["party"]
        for role in truth["roles"]
        if (role["customer_number"], role["role_code"]) == (number, MAIN_CUSTOMER)
        and role["valid_to"] == truth["agreements"][number]["valid_to"]
    }
    return party


def party_ids(world: World, truth: Json) -> dict[str, str]:
    """The uuids of all parties by their numbers in force."""
    import polars as pl

    ids = ObjectIds(world.given["identity_key"])
    cache = open_cache(world.settings(0))
    try:
        numbers = pl.Series("number", sorted(truth["contacts"]), dtype=pl.String)
        people = person_ids(ids, numbers, cache.answers.aliases())
    finally:
        cache.close()
    companies = ids.series("company", numbers)
    return {
        number: company if truth["contacts"][number]["kind"] == "company" else person
        for number, person, company in zip(numbers, people, companies, strict=True)
    }


def accounts_of(truth: Json, held: dict[tuple[str, str], set[tuple[str, str, str]]]) -> dict[tuple[str, str], Json]:
    """What each account shows: the contract in force, else the one that ended last, and the meter of the day."""
    today = truth["as_of"]
    expected: dict[tuple[str, str], Json] = {}
    for (party, installation), contracts in held.items():
        agreements = {number: truth["agreements"][number] for number, _, _ in contracts}
        begun = sorted(agreements, key=lambda number: agreements[number]["valid_to"] or "9999")
        counting = begun[-1] if begun else None
        agreement = agreements[counting] if counting else {"valid_from": None, "valid_to": None, "ended": None}
        meters = [
            meter
            for meter in truth["installations"][installation]["meters"]
            if meter[3] <= today and (meter[4] is None or today < meter[4])
        ]
        expected[(party, installation)] = {
            "status": "PROSPECT" if counting is None else "ENDED" if agreement["ended"] else "ACTIVE",
            "customer_number": counting,
            "contract_start": agreement["valid_from"],
            "contract_end": agreement["valid_to"],
            "meter_number": meters[-1][0] if meters else None,
            "meter_type": meters[-1][1] if meters else None,
        }
    return expected


def stored_accounts(world: World) -> dict[tuple[str, str], Json]:
    cache = open_cache(world.settings(0))
    try:
        rows = cache.accounts.rows(None).to_dicts()
    finally:
        cache.close()
    return {(row["party_id"], row["installation"]): row for row in rows}


def plain(value: Any) -> Any:
    return value.isoformat() if isinstance(value, date) else value


@pytest.mark.parametrize("day", range(DAYS + 1))
def test_the_accounts_are_those_of_the_town(seen: Seen, day: int) -> None:
    expected, stored = seen.expected[day], seen.stored[day]
    assert len(expected) > CUSTOMERS / 2
    assert sorted(stored) == sorted(expected)
    shown = {key: {name: plain(stored[key][name]) for name in wanted} for key, wanted in expected.items()}
    assert {key: (shown[key], wanted) for key, wanted in expected.items() if shown[key] != wanted} == {}


@pytest.mark.parametrize("day", range(DAYS + 1))
def test_the_crm_has_them_and_everything_else_holds_the_truth(seen: Seen, day: int) -> None:
    rows, stored = seen.crm[day], seen.stored[day]
    assert sorted(rows) == sorted(account["account_id"] for account in stored.values())
    ids = ObjectIds(seen.world.given["identity_key"])
    for account in stored.values():
        row = rows[account["account_id"]]
        assert row["ava_kontostatus"] == account["status"]
        assert row["statecode"] == (1 if account["status"] == "ENDED" else 0)
        assert (row["ava_kundenummer"], row["ava_maalernummer"]) == (
            account["customer_number"],
            account["meter_number"],
        )
        assert (row["_ava_aktoer_value"], row["_ava_adresse_value"]) == (account["party_id"], account["address_id"])
        assert row["_ava_installation_value"] == str(ids.of("installation", account["installation"]))
        if account["customer_number"]:
            assert row["_ava_aftale_value"] == str(ids.of("agreement", account["customer_number"]))
    assert seen.differences[day] == []


def test_a_night_without_changes_writes_nothing(seen: Seen) -> None:
    assert writes(seen.again) == []
    cache = open_cache(seen.world.settings(DAYS))
    try:
        (entry,) = cache.journal.entries(step="billing/installation_accounts", limit=1)["counts"].str.json_decode(
            dtype=None, infer_schema_length=1
        )
        with cache.engine.connect() as connection:
            marked = connection.scalar(sa.text("SELECT count(*) FROM installation_account WHERE mark_reasons <> '{}'"))
    finally:
        cache.close()
    assert marked == 0
    assert not any(number for name, number in entry.items() if name.startswith(("marked", "accounts_changed")))


def test_the_day_is_the_towns(seen: Seen) -> None:
    assert seen.world.settings(DAYS).business_day == (seen.world.base_day + timedelta(days=DAYS)).isoformat()
