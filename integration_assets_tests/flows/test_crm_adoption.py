"""Rows that stand in the CRM before us: which is taken for what, and what a delivery does to them."""

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import polars as pl
import pytest
import sqlalchemy as sa

from integration_assets.cache.refused import refused
from integration_assets.cache.store import Cache
from integration_assets.domain.crm.adoption import ADOPTED_ROWS, FOUND_ROWS, Source, addresses, match
from integration_assets.domain.crm.tables import STANDARD
from integration_assets.domain.identity import ObjectIds
from integration_assets.domain.tables import ADDRESS_REGISTER
from integration_assets.flows.crm import SYSTEM, worklist
from integration_assets.flows.crm_adoption import Means, RowAdoption, adopt_rows
from integration_assets.flows.identity import party_ids
from integration_assets.sandbox.requests import RequestLog
from integration_assets.sandbox.store import Store
from integration_assets_tests.flows.crm_city import AREA, city, in_crm, row_id
from integration_assets_tests.flows.crm_office import DAY, Office, opened_office, serving_office

IDS = ObjectIds("a key for these tests only")
HEAT, WASTE = 915240001, 915240000


def there(number: int) -> str:
    """An id that the CRM gave."""
    return f"ffffffff-0000-4000-8000-{number:012x}"


@pytest.fixture(scope="module")
def served(server_dir: Path) -> Iterator[tuple[str, Store, RequestLog]]:
    with serving_office(server_dir, "crm_adoption_sandbox") as (url, store, log, _):
        yield url, store, log


@pytest.fixture
def office(served: tuple[str, Store, RequestLog], cache: sa.Engine) -> Iterator[Office]:
    with opened_office(*served, Cache(cache, "a secret of these tests")) as office:
        yield office


def adopt(office: Office, *, dry_run: bool = False) -> RowAdoption:
    means = Means(office.client, office.cache, IDS, STANDARD, "Varme")
    return adopt_rows(means, DAY, dry_run=dry_run)


def account(number: str, **values: Any) -> pl.DataFrame:
    """A customer relation as we desire it."""
    row = {"object_id": str(IDS.of("customer_relation", number)), "business_key": number, "supply_area": AREA}
    own = {"name": "Varme, Vej 1", "ava_kundenummer": number, "ava_kundetype": HEAT, "statecode": 0, "statuscode": 1}
    return pl.DataFrame([row | own | values])


def test_a_row_that_people_made_meanwhile_is_refused_told_of_and_taken_over(office: Office) -> None:
    office.do("POST", "accounts", {"accountid": there(1), "name": "Af Kim", "ava_kundenummer": "1001"})
    office.state({"accounts": account("1001")})
    assert office.deliver().failed == 1
    (row,) = worklist("accounts", refused(office.cache.engine, SYSTEM, "accounts", [AREA])).to_dicts()
    assert row["text"].endswith("`integration-assets adopt --system crm` takes it over.")
    assert office.cache.deliveries.due(datetime.now(UTC)).is_empty(), "not before tomorrow"
    adoption = adopt(office)
    (counts,) = adoption.counts.filter(pl.col("entity") == "accounts").to_dicts()
    assert counts == {
        "entity": "accounts",
        "found": 1,
        "taken": 1,
        "wanted_now": 1,
        "left_for_another": 0,
        "not_ours": 0,
        "new": 1,
    }
    assert office.deliver().created == 1
    (row,) = office.rows("accounts")
    assert (row["accountid"], row["name"], row["ava_kundetype"]) == (there(1), "Varme, Vej 1", HEAT)
    with office.cache.engine.connect() as connection:
        kept = connection.execute(sa.text("SELECT external_ref FROM delivery WHERE entity = 'accounts'")).scalar_one()
    assert kept == there(1)
    office.state({"accounts": account("1001", name="Varme, Vej 2")})
    assert office.deliver().updated == 1
    assert [(row["accountid"], row["name"]) for row in office.rows("accounts")] == [(there(1), "Varme, Vej 2")]
    office.do("DELETE", f"accounts({there(1)})")
    assert office.look().kinds == {"deleted": 1}
    office.deliver()
    assert [row["accountid"] for row in office.rows("accounts")] == [there(1)], "it comes back under its own id"


def test_lookups_and_links_lead_to_adopted_rows_and_a_lookup_elsewhere_is_drift(office: Office) -> None:
    adopted = [("contacts", 1, there(11)), ("accounts", 1, there(12)), ("agreements", 1, there(13))]
    office.do("POST", "contacts", {"contactid": there(11), "firstname": "Gammel", "telephone1": "86111111"})
    office.do("POST", "contacts", {"contactid": there(14), "firstname": "Kopi"})
    office.do("POST", "accounts", {"accountid": there(12), "name": "Gammel", "ava_kundenummer": "1"})
    office.do("POST", "ava_aftales", {"ava_aftaleid": there(13), "ava_name": "Gammel"})
    rows = [(entity, key, row_id(entity, number), None, True) for entity, number, key in adopted]
    rows.append(("contacts", there(14), row_id("contacts", 1), None, False))
    office.cache.row_adoptions.record(pl.DataFrame(rows, schema=ADOPTED_ROWS, orient="row"), DAY)
    office.state(city([1, 2]))
    assert office.deliver().failed == 0
    role = office.row("ava_kunderolles", row_id("customer_roles", 1))
    assert (role["_ava_aktoer_value"], role["_ava_kundeforhold_value"]) == (there(11), there(12))
    assert office.row("ava_installations", row_id("installations", 1))["_ava_aftale_value"] == there(13)
    assert office.linked(there(13)) == {there(11)}
    assert len(in_crm(office.client, "contacts")) == 3, "Kopi is left alone"
    assert office.row("contacts", there(11))["telephone1"] == "86111111"
    assert (office.look(0).read, office.open()) == (12, {})
    office.do(
        "PATCH", f"ava_kunderolles({role['ava_kunderolleid']})", {"ava_aktoer@odata.bind": f"/contacts({there(14)})"}
    )
    office.do("PATCH", f"contacts({there(14)})", {"lastname": "Hvemsomhelst"})
    assert set(office.look().kinds.items()) == {("changed", 1)}
    office.deliver()
    assert office.row("ava_kunderolles", role["ava_kunderolleid"])["_ava_aktoer_value"] == there(11)
    assert office.row("contacts", there(14))["lastname"] == "Hvemsomhelst"


def found(**rows: list[dict[str, Any]]) -> dict[str, pl.DataFrame]:
    base = {"active": True, "created_at": "2019-01-01T00:00:00Z"}
    return {
        entity: pl.DataFrame([base | row for row in rows.get(entity, [])], schema=schema)
        for entity, schema in FOUND_ROWS.items()
    }


def matched(rows: dict[str, pl.DataFrame], *standing: tuple[str, str]) -> dict[str, tuple[str, bool]]:
    """Our id, and whether it is taken, by row id."""
    register = pl.DataFrame(schema=ADDRESS_REGISTER.schema)
    source = Source(IDS, lambda kinds, numbers: party_ids(IDS, {}, kinds, numbers), register, HEAT)
    before = pl.DataFrame(standing, schema={"entity": pl.String, "row_id": pl.String}, orient="row")
    frame = match(rows, source, before)
    return {row: (ours, taken) for row, ours, taken in frame.select("row_id", "object_id", "taken").iter_rows()}


def test_of_several_the_one_that_stood_before_then_ours_then_an_active_then_the_oldest_is_taken() -> None:
    ours = str(IDS.of("customer_relation", "1"))
    rows = [
        {"row_id": "young", "customer_number": "1", "created_at": "2020-01-01T00:00:00Z"},
        {"row_id": "old", "customer_number": " 1 ", "created_at": "2018-01-01T00:00:00Z"},
        {"row_id": "oldest", "customer_number": "1", "created_at": "2017-01-01T00:00:00Z", "active": False},
    ]

    def taken(*more: dict[str, Any], standing: tuple[tuple[str, str], ...] = ()) -> list[str]:
        return [key for key, (_, is_taken) in matched(found(accounts=[*rows, *more]), *standing).items() if is_taken]

    assert taken() == ["old"]
    assert taken({"row_id": ours, "customer_number": "1", "created_at": "2026-01-01T00:00:00Z"}) == [ours]
    assert taken(standing=(("accounts", "young"),)) == ["young"]


def test_rows_say_what_they_are_by_numbers_and_by_whom_they_point_at() -> None:
    rows = found(
        contacts=[
            {"row_id": "c1", "cpr_number": "010170-1234"},
            {"row_id": "c2", "cvr_number": "12345678"},
            {"row_id": "c3", "cpr_number": "0101700000"},  # whose, nobody can tell
            {"row_id": "c4", "cpr_number": None, "cvr_number": "1234"},
        ],
        accounts=[
            {"row_id": "a1", "customer_number": "1001", "utility": HEAT},
            {"row_id": "a2", "customer_number": "1002", "utility": WASTE},
        ],
        customer_roles=[
            {"row_id": "r1", "role_code": 915240004, "party": "c1", "relation": "a1"},
            {"row_id": "r2", "role_code": 915240006, "party": "c1", "relation": "a2"},
            {"row_id": "r3", "role_code": 915240004, "party": "c4", "relation": "a1"},
        ],
        agreements=[{"row_id": "g1", "relation": "a1"}, {"row_id": "g2", "relation": "a1", "utility": WASTE}],
        installations=[{"row_id": "i1", "installation_number": "77"}],
    )
    person = str(IDS.of("person", "0101701234"))
    assert matched(rows) == {
        "c1": (person, True),
        "c2": (str(IDS.of("company", "12345678")), True),
        "a1": (str(IDS.of("customer_relation", "1001")), True),
        "r1": (str(IDS.of("customer_role", f"1001|915240004|{person}")), True),
        "g1": (str(IDS.of("agreement", "1001")), True),
        "i1": (str(IDS.of("installation", "77")), True),
    }


UNIT = {"kind": "unit", "access_id": "h1", "municipality_code": "0751", "street_code": "0001", "house_number": "007B"}
REGISTER = pl.DataFrame(
    [
        {**UNIT, "address_id": "u1", "floor": "1", "door": "tv", "status": 3},
        {**UNIT, "address_id": "former", "floor": "1", "door": "tv", "status": 4},
        {**UNIT, "address_id": "u2", "floor": None, "door": None, "status": 3},
        {**UNIT, "address_id": "h1", "kind": "access", "floor": None, "door": None, "status": 3},
    ],
    schema=ADDRESS_REGISTER.schema,
)
PLACE = {"municipality_code": "0751", "street_code": "0001", "house_digits": "7", "house_letter": "B"}


@pytest.mark.parametrize(
    ("row", "address"),
    [
        ({"access_id": "H1", "floor": "1", "door": "TV"}, "u1"),
        ({"access_id": "h1"}, "u2"),
        ({"kvhx": "07510001__7B__1__tv"}, "u1"),
        ({"kvhx": "07510001__7B_______"}, "u2"),
        (PLACE, "h1"),
        (PLACE | {"house_letter": None}, None),
        (PLACE | {"floor": "1"}, None),  # a unit of no house is none that we know
        ({"row_id": "u2"}, "u2"),  # a row of ours
    ],
)
def test_addresses_are_known_by_their_place(row: dict[str, Any], address: str | None) -> None:
    rows = found(addresses=[{"row_id": "x", **row}])["addresses"]
    assert addresses(rows, REGISTER)["object_id"].to_list() == ([] if address is None else [address])
