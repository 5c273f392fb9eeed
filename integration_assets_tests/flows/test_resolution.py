"""Who the customers of a row are: main and co-customer, each on her own, with a reason where nobody can be named."""

from datetime import date, timedelta
from typing import Any

import polars as pl
import pytest

from integration_assets.cache.store import Cache
from integration_assets.clients.http import NotAllowedError
from integration_assets.domain.addresses.resolve import consumption
from integration_assets.domain.addresses.washing.washed import UNIT
from integration_assets.domain.gates import GateClosed
from integration_assets.domain.identity import ObjectIds
from integration_assets.domain.people.parties import AddressKey, SearchResult
from integration_assets.domain.tables import KMD_CUSTOMERS, RESOLVED_CUSTOMERS
from integration_assets.flows.lookups import Lookups
from integration_assets.flows.resolution import (
    PASSING_REASONS,
    CustomerSources,
    ResolvedCustomers,
    require_plausible_rejections,
    resolve_customers,
    waiting_customers,
)
from integration_assets_tests.domain.register_rows import index_of
from integration_assets_tests.flows.conftest import MANDATE
from integration_assets_tests.flows.village import (
    TODAY,
    Registers,
    address,
    address_register,
    company,
    person,
    resident,
    washer,
)

ASSET = "resolved/customers"
ANNA, BO, TWIN, BAKER = "0101701234", "0202721111", "0101705555", "25052943"
ANNA_UNKNOWN, BO_UNKNOWN = "0101700000", "0202720000"
HOUSE = AddressKey("1111", "1", "5000", municipality_code="0461", is_unit=True)
REGISTER = address_register(address("Vestergade", "1"), address("Nørregade", "20"))
INDEX = index_of(REGISTER)


def row(number: str, id_number: str | None, co_id_number: str | None = None, **values: Any) -> dict[str, Any]:
    return {
        "customer_number": number,
        "supply_area": "5000",
        "id_number": id_number,
        "co_id_number": co_id_number,
        "name": "Anna Prøve",
        "consumption_place_id": 1,
        "moved_in": date(2020, 1, 1),
        "street_name": "Vestergade",
        "street_code": "1111",
        "house_number": "1",
        "postcode": "5000",
        "city": "Odense C",
        **values,
    }


class Town:
    """Resolves rows day after day as a run does: rejections are recorded, what was resolved is known next time."""

    def __init__(self, store: Cache, ids: ObjectIds, registers: Registers) -> None:
        self._store, self._ids, self.registers = store, ids, registers
        self.previous = pl.DataFrame(schema=RESOLVED_CUSTOMERS.schema)

    def resolve(self, *rows: dict[str, Any], day: date = TODAY, asks: bool = True) -> ResolvedCustomers:
        customers = pl.DataFrame(rows, schema=KMD_CUSTOMERS.schema)
        ports = self.registers if asks else None
        lookups = Lookups(self._store.answers, self._ids, ports, MANDATE, as_of=day, run_id="run")
        rejected = self._store.rejections.open(ASSET, ["5000"])
        asked = washer(self._store, INDEX)
        sources = CustomerSources(
            customers=customers,
            consumption=consumption(customers, asked.components(customers, UNIT)).rows,
            washer=asked,
            addresses=lambda wanted: REGISTER.filter(pl.col("address_id").is_in(wanted.implode())),
            previous=self.previous,
            rejected=rejected,
        )
        resolved = resolve_customers(sources, lookups, self._ids, day)
        if asks:
            self._store.rejections.replace(ASSET, ["5000"], resolved.rejections, day, at_once=PASSING_REASONS)
            self.previous = resolved.rows
        return resolved

    def id_of(self, kind: str, number: str) -> str:
        return str(self._ids.of(kind, number))


@pytest.fixture
def town(store: Cache, ids: ObjectIds, registers: Registers) -> Town:
    registers.people = {ANNA: person(ANNA, "Anna Prøve"), BO: person(BO, "Bo Prøve")}
    registers.companies = {BAKER: company(BAKER, "Bager & Søn")}
    return Town(store, ids, registers)


def reasons(resolved: ResolvedCustomers) -> list[tuple[str, ...]]:
    return resolved.rejections.select("record_key", "reason").sort("record_key").rows()


def test_people_and_companies_are_identified_by_their_numbers(town: Town) -> None:
    resolved = town.resolve(row("1001", ANNA, BO), row("1002", BAKER), row("1003", BO), row("1004", BAKER, ANNA))
    assert resolved.rows.schema == RESOLVED_CUSTOMERS.schema
    assert resolved.rejections.is_empty()
    anna, bo, baker = town.id_of("person", ANNA), town.id_of("person", BO), town.id_of("company", BAKER)
    columns = ("customer_number", "party_id", "party_kind", "number", "number_origin", "co_party_id", "co_number")
    assert resolved.rows.select(columns).sort("customer_number").rows() == [
        ("1001", anna, "person", ANNA, "source", bo, BO),
        ("1002", baker, "company", BAKER, "source", None, None),
        ("1003", bo, "person", BO, "source", None, None),
        ("1004", baker, "company", BAKER, "source", anna, ANNA),
    ]
    assert sorted(town.registers.asked) == [("company", BAKER), ("person", ANNA), ("person", BO)]


@pytest.mark.parametrize(
    ("id_number", "reason"),
    [
        (None, "no_id_number"),
        ("123456", "unreadable_id_number"),
        ("9901701234", "not_a_person_number"),
        (TWIN, "person_not_in_register"),
        ("12345678", "company_not_in_register"),
        ("0303730000", "completion_no_match"),
    ],
)
def test_a_row_whose_main_customer_is_unknown_is_withheld(town: Town, id_number: str | None, reason: str) -> None:
    resolved = town.resolve(row("1001", id_number, BO), row("1002", BO))
    assert resolved.rows["customer_number"].to_list() == ["1002"]
    assert reasons(resolved) == [("1001", reason)]
    rejection = resolved.rejections.row(0, named=True)
    assert (rejection["customer_number"], rejection["supply_area"]) == ("1001", "5000")
    assert "1001" in rejection["text"]
    assert id_number is None or id_number not in rejection["text"]


@pytest.mark.parametrize(
    ("co_id_number", "reason"),
    [
        ("123456", "co_unreadable_id_number"),
        (BAKER, "co_unreadable_id_number"),
        ("9901701234", "co_not_a_person_number"),
        (TWIN, "co_person_not_in_register"),
        (BO_UNKNOWN, "co_completion_no_match"),
    ],
)
def test_a_row_goes_on_without_a_co_customer_who_is_unknown(town: Town, co_id_number: str, reason: str) -> None:
    resolved = town.resolve(row("1001", ANNA, co_id_number))
    assert resolved.rows.select("customer_number", "number", "co_party_id", "co_number").rows() == [
        ("1001", ANNA, None, None)
    ]
    assert reasons(resolved) == [("1001/co", reason)]
    assert resolved.rejections["customer_number"].to_list() == ["1001"]


def test_numbers_are_completed_at_the_place(town: Town) -> None:
    town.registers.homes[HOUSE] = [resident(ANNA, "Anna Prøve"), resident(BO, "Bo Prøve")]
    resolved = town.resolve(row("1001", ANNA_UNKNOWN, BO_UNKNOWN), row("1002", BAKER, BO_UNKNOWN))
    columns = ("customer_number", "number", "number_origin", "co_number", "co_number_origin")
    assert resolved.rows.select(columns).sort("customer_number").rows() == [
        ("1001", ANNA, "consumption_address", BO, "inferred"),
        ("1002", BAKER, "source", BO, "inferred"),
    ]
    assert resolved.rejections.is_empty()


def test_numbers_are_completed_at_the_billing_address(town: Town) -> None:
    elsewhere = AddressKey("3333", "20", "5000", municipality_code="0461", is_unit=True)
    town.registers.homes[elsewhere] = [resident(ANNA, "Anna Prøve"), resident(BO, "Bo Prøve")]
    billed = {"billing_street_line": "Nørregade 20", "billing_district": "5000 Odense C"}
    resolved = town.resolve(row("1001", ANNA_UNKNOWN, BO_UNKNOWN, **billed))
    assert resolved.rows.select("number", "number_origin", "co_number").rows() == [(ANNA, "billing_address", BO)]


def test_a_search_keeps_to_the_flat_that_was_typed(town: Town) -> None:
    """Only the house is in the address register: the search still asks for the flat, not for the whole house."""
    flat = AddressKey("1111", "1", "5000", "2", "tv", "0461")
    town.registers.homes[flat] = [resident(ANNA, "Anna Prøve")]
    resolved = town.resolve(row("1001", ANNA_UNKNOWN, floor="2", door="tv"))
    assert resolved.rows["number"].to_list() == [ANNA]
    assert ("residents", flat) in town.registers.asked


def test_a_completed_number_is_known_the_next_day_without_asking(town: Town) -> None:
    town.registers.homes[HOUSE] = [resident(ANNA, "Anna Prøve"), resident(BO, "Bo Prøve")]
    today = row("1001", ANNA_UNKNOWN, BO_UNKNOWN)
    town.resolve(today)
    town.registers.asked.clear()
    moved = row("1001", ANNA_UNKNOWN, BO_UNKNOWN, house_number="99")
    resolved = town.resolve(moved, day=TODAY + timedelta(days=1))
    # The origin stays what it was: a row that did not change must not look changed the next day.
    columns = ("number", "number_origin", "co_number", "co_number_origin")
    assert resolved.rows.select(columns).rows() == [(ANNA, "consumption_address", BO, "inferred")]
    assert town.registers.asked == []


def test_somebody_else_of_the_same_birth_date_does_not_inherit_the_number(town: Town) -> None:
    town.registers.people[TWIN] = person(TWIN, "Tvilling Prøve")
    town.registers.homes[HOUSE] = [resident(ANNA, "Anna Prøve"), resident(TWIN, "Tvilling Prøve")]
    town.resolve(row("1001", ANNA_UNKNOWN))
    resolved = town.resolve(row("1001", ANNA_UNKNOWN, name="Tvilling Prøve"), day=TODAY + timedelta(days=1))
    assert resolved.rows["number"].to_list() == [TWIN]


def test_the_main_customer_is_not_taken_for_her_co_customer(town: Town) -> None:
    town.registers.homes[HOUSE] = [resident(ANNA, "Anna Prøve")]
    resolved = town.resolve(row("1001", ANNA, ANNA_UNKNOWN), row("1002", ANNA_UNKNOWN, ANNA_UNKNOWN))
    assert reasons(resolved) == [("1001/co", "co_completion_no_match"), ("1002/co", "co_completion_no_match")]
    assert resolved.rows["co_number"].null_count() == 2


def test_nor_for_one_who_is_unknown_herself(town: Town) -> None:
    town.registers.homes[HOUSE] = [resident(ANNA, "Anne Prøve")]
    resolved = town.resolve(row("1001", ANNA_UNKNOWN, ANNA_UNKNOWN))
    assert reasons(resolved) == [("1001", "completion_no_match"), ("1001/co", "co_completion_ambiguous")]


@pytest.mark.parametrize("co_id_number", [ANNA_UNKNOWN, ANNA, TWIN])
def test_nor_is_a_co_customer_of_the_same_birth_date_for_the_main_customer(town: Town, co_id_number: str) -> None:
    """TWIN: her number in force is Anna's."""
    town.registers.people[TWIN] = town.registers.people[ANNA]
    town.registers.homes[HOUSE] = [resident(ANNA, "Anna Prøve")]
    resolved = town.resolve(row("1001", ANNA_UNKNOWN, co_id_number, name="A. Prøve"))
    assert resolved.rows.is_empty()
    assert reasons(resolved)[0] == ("1001", "completion_ambiguous")


def test_a_substitute_number_is_answered_here(town: Town) -> None:
    resolved = town.resolve(row("1001", "6101701234"), row("1002", "6101700000"))
    assert reasons(resolved) == [("1001", "not_a_person_number"), ("1002", "not_a_person_number")]
    assert town.registers.asked == []


def test_what_was_in_vain_is_asked_again_when_it_is_due(town: Town) -> None:
    rows = (row("1001", ANNA_UNKNOWN), row("1002", TWIN))
    vain = town.resolve(*rows)
    assert reasons(vain) == [("1001", "completion_no_match"), ("1002", "person_not_in_register")]
    town.registers.homes[HOUSE] = [resident(ANNA, "Anna Prøve")]
    town.registers.people[TWIN] = person(TWIN, "Tvilling Prøve")
    town.registers.asked.clear()
    assert reasons(town.resolve(*rows)) == reasons(vain)
    assert town.registers.asked == []
    resolved = town.resolve(*rows, day=TODAY + timedelta(days=1))
    assert resolved.rejections.is_empty()
    assert resolved.rows["number"].to_list() == [ANNA, TWIN]


def test_completion_in_vain_is_tried_again_after_1_2_and_4_days(town: Town) -> None:
    asked_on: list[int] = []
    for day in range(9):
        town.registers.asked.clear()
        resolved = town.resolve(row("1001", ANNA_UNKNOWN), day=TODAY + timedelta(days=day))
        assert reasons(resolved) == [("1001", "completion_no_match")]
        if town.registers.asked:
            asked_on.append(day)
    assert asked_on == [0, 1, 3, 7]


def test_where_the_register_refuses_the_search_the_row_says_so_and_is_asked_again(town: Town) -> None:
    answers = town.registers.residents

    def refuse(_address: AddressKey) -> SearchResult:
        raise NotAllowedError("No access.")

    town.registers.residents = refuse  # pyright: ignore[reportAttributeAccessIssue] - the register changes its mind
    resolved = town.resolve(row("1001", ANNA, BO_UNKNOWN))
    assert reasons(resolved) == [("1001/co", "co_completion_not_allowed")]
    town.registers.residents = answers  # pyright: ignore[reportAttributeAccessIssue]
    town.registers.homes[HOUSE] = [resident(BO, "Bo Prøve")]
    assert town.resolve(row("1001", ANNA, BO_UNKNOWN)).rows["co_number"].to_list() == [BO]


def test_a_register_that_is_down_holds_rows_back_until_it_answers(town: Town) -> None:
    town.registers.down = {"person", "residents"}
    rows = (row("1001", ANNA, BO_UNKNOWN), row("1002", BAKER, BO))
    resolved = town.resolve(*rows)
    assert reasons(resolved) == [
        ("1001", "register_unavailable"),
        ("1001/co", "co_register_unavailable"),
        ("1002/co", "co_register_unavailable"),
    ]
    assert resolved.rows.select("customer_number", "co_party_id").rows() == [("1002", None)]
    town.registers.down = set()
    town.registers.homes[HOUSE] = [resident(BO, "Bo Prøve")]
    resolved = town.resolve(*rows)
    assert resolved.rejections.is_empty()
    assert resolved.rows["co_number"].to_list() == [BO, BO]


def test_a_plan_counts_who_must_be_asked_for_first(town: Town) -> None:
    town.resolve(row("1001", ANNA))
    asked = len(town.registers.asked)
    rows = (row("1001", ANNA, BO), row("1002", BAKER), row("1003", ANNA_UNKNOWN, BO_UNKNOWN), row("1004", None))
    planned = town.resolve(*rows, asks=False)
    assert len(town.registers.asked) == asked
    assert planned.rows.select("customer_number", "co_party_id").rows() == [("1001", None)]
    assert reasons(planned) == [
        ("1001/co", "co_lookup_pending"),
        ("1002", "lookup_pending"),
        ("1003", "lookup_pending"),
        ("1003/co", "co_lookup_pending"),
        ("1004", "no_id_number"),
    ]
    assert waiting_customers(planned.rejections) == 3


def test_too_many_rejections_close_the_gate_but_not_those_that_wait(town: Town) -> None:
    limits = {"largest_share": 0.5, "tolerated": 0}
    half = town.resolve(row("1001", ANNA, TWIN), row("1002", None))
    require_plausible_rejections(half, ["5000"], **limits)
    most = town.resolve(row("1001", ANNA), row("1002", None), row("1003", "12"))
    with pytest.raises(GateClosed, match=r"supply area 5000: 2 of 3 rows"):
        require_plausible_rejections(most, ["5000"], **limits)
    waiting = town.resolve(row("1001", ANNA), row("1002", BAKER), row("1003", BO), asks=False)
    assert waiting_customers(waiting.rejections) == 2
    require_plausible_rejections(waiting, ["5000"], **limits)
