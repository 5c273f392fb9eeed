"""What the registers remember of the parties, as rows for the registry, and where bills go to."""

from datetime import date
from typing import Any

import polars as pl

from integration_assets.cache.store import Cache
from integration_assets.domain.identity import ObjectIds
from integration_assets.domain.people.parties import RegisteredAddress
from integration_assets.domain.tables import KMD_CUSTOMERS, RESOLVED_CUSTOMERS
from integration_assets.flows.lookups import Lookups
from integration_assets.flows.parties import billing_addresses, named_parties, party_frame, registered_addresses
from integration_assets_tests.domain.register_rows import index_of
from integration_assets_tests.flows.village import Registers, address, address_register, company, person, washer

ANNA, BO, CARL, BAKER = "0101701234", "0202721111", "0303731234", "25052943"
HOME, SHOP = address("Nørregade", "10", "1", "tv"), address("Nørregade", "20")
OTHER = address("Nørregade", "21")
DAY = date(2026, 3, 1)
INDEX = index_of(address_register(HOME, SHOP, OTHER))


def row(number: str, party: str, co: str | None = None) -> dict[str, Any]:
    return {
        "customer_number": number,
        "supply_area": "5000",
        "party_id": f"id of {party}",
        "party_kind": "company" if party == BAKER else "person",
        "number": party,
        "co_party_id": f"id of {co}" if co else None,
        "co_number": co,
    }


def resolved(*rows: dict[str, Any]) -> pl.DataFrame:
    return pl.DataFrame(rows, schema=RESOLVED_CUSTOMERS.schema)


def remember(lookups: Lookups, registers: Registers) -> None:
    """Anna and the baker are known with their addresses, Bo without one; nobody knows Carl."""
    by_codes = RegisteredAddress("0461", "3333", "010", "01", "TV", "5000")
    registers.people = {ANNA: person(ANNA, "Anna Prøve", address=by_codes), BO: person(BO, "Bo Prøve")}
    registers.companies = {BAKER: company(BAKER, "Bager & Søn", SHOP["address_id"])}
    lookups.people([ANNA, BO, CARL])
    lookups.confirm_companies(pl.Series("number", [BAKER]))


def test_each_party_is_named_once() -> None:
    named = named_parties(resolved(row("1001", ANNA, BO), row("1002", BO), row("1003", BAKER, ANNA)))
    assert named.sort("party_id").rows() == [
        (f"id of {ANNA}", "person", ANNA),
        (f"id of {BO}", "person", BO),
        (f"id of {BAKER}", "company", BAKER),
    ]


def test_parties_as_the_registers_know_them(
    lookups: Lookups, store: Cache, ids: ObjectIds, registers: Registers
) -> None:
    remember(lookups, registers)
    named = named_parties(resolved(row("1001", ANNA, BO), row("1002", BAKER, CARL), row("1003", "0404741111")))
    frame = party_frame(named, store.answers, ids, INDEX).sort("party_id")
    columns = ("party_id", "party_kind", "name", "first_name", "last_name", "company_form", "address_id")
    assert frame.select(columns).rows() == [
        (f"id of {ANNA}", "person", "Anna Prøve", "Anna", "Prøve", None, HOME["address_id"]),
        (f"id of {BO}", "person", "Bo Prøve", "Bo", "Prøve", None, None),
        (f"id of {BAKER}", "company", "Bager & Søn", None, None, "60", SHOP["address_id"]),
    ]


def test_registered_addresses_are_those_of_main_customers(
    lookups: Lookups, store: Cache, ids: ObjectIds, registers: Registers
) -> None:
    remember(lookups, registers)
    rows = resolved(row("1001", ANNA), row("1002", BO, ANNA), row("1003", ANNA), row("1004", CARL))
    addresses = registered_addresses(rows, store.answers, ids, INDEX, DAY)
    assert addresses.sort("customer_number").rows() == [
        ("1001", HOME["address_id"], False),
        ("1002", None, False),
        ("1003", HOME["address_id"], False),
        ("1004", None, False),
    ]


def test_bills_go_where_the_line_says_else_to_the_registered_address(
    lookups: Lookups, store: Cache, ids: ObjectIds, registers: Registers
) -> None:
    remember(lookups, registers)
    typed = {"supply_area": "5000", "billing_district": "5000 Odense C"}
    lines = [("1001", "Nørregade 21"), ("1002", "Poste restante"), ("1003", "Poste restante"), ("1004", "Nørregade 20")]
    customers = pl.DataFrame(
        [{**typed, "customer_number": number, "billing_street_line": line} for number, line in lines],
        schema=KMD_CUSTOMERS.schema,
    )
    exported = resolved(row("1001", ANNA), row("1002", ANNA), row("1003", BO))
    billing = billing_addresses(customers, exported, store.answers, ids, washer(store, INDEX), DAY)
    assert billing.rows.select("customer_number", "address_id", "method", "category").rows() == [
        ("1001", OTHER["address_id"], "exact", "A"),
        ("1002", HOME["address_id"], "registered_address", "C"),
        ("1003", None, "none", "C"),
    ]
    assert billing.rejections.select("record_key", "reason").rows() == [("1003", "billing_address_not_found")]
