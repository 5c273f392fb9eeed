"""Accounts derived on frames, against the model that goes account by account; and when they are due again."""

from datetime import UTC, date, datetime, timedelta
from typing import Any

import polars as pl
from hypothesis import given
from hypothesis import strategies as st

from integration_assets.domain.accounts.decision import to_decide_again
from integration_assets.domain.accounts.derived import (
    ACCOUNTS,
    COLLECTIONS,
    CONTRACTS,
    FACTS,
    METERS,
    PLACES,
    PRODUCTS,
    Linked,
    derived,
)
from integration_assets.domain.accounts.marking import Calculated, Mark, Reason, reasons_to_mark
from integration_assets_tests.domain.accounts.account_model import FAR, Contract, Meter, shown

TODAY = date(2025, 7, 1)
DAY = timedelta(days=1)


def half_open(last: date) -> date | None:
    return None if last == FAR else last + DAY


def linked(contracts: dict[str, list[Contract]], meters: dict[str, list[Meter]], **more: pl.DataFrame) -> Linked:
    """Frames of contracts by account and meters by installation; account and installation have the same name."""
    held = [
        {"account_id": name, "customer_number": one.number, "installation": name, "supply_area": "5000",
         "start": one.first, "end": half_open(one.last), "address_line": "Vej 1", "billing_line": "Bakken 1"}
        for name, several in contracts.items() for one in several
    ]  # fmt: skip
    standing = [
        {"installation": name, "meter_number": one.number, "from": one.first, "to": half_open(one.last)}
        for name, several in meters.items()
        for one in several
    ]
    frames = Linked(
        contracts=pl.DataFrame(held, schema=CONTRACTS),
        meters=pl.DataFrame(standing, schema=METERS),
        places=PLACES.to_frame(),
        facts=FACTS.to_frame(),
        products=PRODUCTS.to_frame(),
        collections=COLLECTIONS.to_frame(),
    )
    return frames._replace(**more)


def rows_of(frames: Linked, *names: str, today: date = TODAY) -> dict[str, dict[str, Any]]:
    accounts = pl.DataFrame([{"account_id": name, "supply_area": "5000", "installation": name} for name in names],
                            schema=ACCOUNTS)  # fmt: skip
    return {row["account_id"]: row for row in derived(accounts, frames, today, "Varme").to_dicts()}


days = st.integers(-20, 20).map(lambda offset: TODAY + offset * DAY)
spans = st.tuples(days, st.one_of(days, st.just(FAR))).map(lambda pair: (min(pair), max(pair)))
contracts_of_one = st.lists(spans, max_size=3).map(
    lambda several: [Contract(str(number), *span) for number, span in enumerate(several)]
)
meters_of_one = st.lists(spans, max_size=3).map(
    lambda several: [Meter(*span, f"M{number}") for number, span in enumerate(several)]
)
worlds = st.dictionaries(st.sampled_from("abcdef"), st.tuples(contracts_of_one, meters_of_one), max_size=6)


@given(worlds, days)
def test_frames_show_what_the_model_shows(world: dict[str, Any], today: date) -> None:
    frames = linked(
        {name: contracts for name, (contracts, _) in world.items()},
        {name: meters for name, (_, meters) in world.items()},
    )
    rows = rows_of(frames, *world, today=today)
    for name, (contracts, meters) in world.items():
        wanted = shown(contracts, meters, today)
        assert rows[name]["is_left"] == (wanted is None)
        if wanted is not None:
            assert {field: rows[name][field] for field in wanted} == wanted


@given(worlds, days, st.lists(days, min_size=1, max_size=5))
def test_an_account_is_due_exactly_when_the_rules_mark_it(
    world: dict[str, Any], first: date, later: list[date]
) -> None:
    """The two days that are stored with an account decide as the rules do, which look at all of its rows."""
    frames = linked(
        {name: contracts for name, (contracts, _) in world.items()},
        {name: meters for name, (_, meters) in world.items()},
    )
    rows = rows_of(frames, *world, today=first)
    for name, (contracts, meters) in world.items():
        spans = [(one.first, one.last) for one in (*contracts, *meters)]
        calculated = Calculated(first, datetime(2025, 1, 1, tzinfo=UTC))
        for today in (day for day in later if day >= first):
            reasons = set(reasons_to_mark(calculated, [], spans, today))
            begins, ended = rows[name]["next_begins_on"], rows[name]["next_ended_on"]
            assert (begins is not None and begins <= today) == (Reason.ROW_BEGINS in reasons)
            assert (ended is not None and ended <= today) == (Reason.ROW_ENDED in reasons)


@given(st.lists(st.tuples(days, st.one_of(days, st.just(FAR))).map(lambda pair: (min(pair), max(pair))), max_size=4),
       days, st.lists(days, min_size=1, max_size=5))  # fmt: skip
def test_whatever_runs_are_missed_every_beginning_and_end_is_noticed(
    told: list[tuple[date, date]], first: date, runs: list[date]
) -> None:
    """A run marks, then updates; between two runs any days may pass. Each row's first day, and the day after its last,
    that lies after the first calculation is followed by a mark in the next run."""
    calculated = Calculated(first, datetime(2025, 1, 1, tzinfo=UTC))
    for today in sorted(day for day in runs if day > first):
        since = calculated.on
        assert since is not None
        happened = any(since < start <= today or (end != FAR and since < end + DAY <= today) for start, end in told)
        assert bool(reasons_to_mark(calculated, [], told, today)) == happened
        calculated = Calculated(today, datetime(2025, 1, 1, tzinfo=UTC))
        assert reasons_to_mark(calculated, [], told, today) == []


def test_a_meter_that_ended_without_successor_empties_its_fields_and_is_told() -> None:
    frames = linked({"7": [Contract("100", TODAY - DAY, FAR)]}, {"7": [Meter(TODAY - 9 * DAY, TODAY - DAY, "M1")]})
    row = rows_of(frames, "7")["7"]
    assert (row["meter_number"], row["status"]) == (None, "ACTIVE")
    assert row["issues"] == ["no_meter: Installation 7 has no meter on 2025-07-01."]


def test_alternative_place_facts_and_collection_are_shown() -> None:
    frames = linked(
        {"7": [Contract("100", TODAY, FAR)], "8": [Contract("200", TODAY, FAR)]},
        {"7": [Meter(TODAY, FAR, "M1")], "8": [Meter(TODAY, FAR, "M2")]},
        places=pl.DataFrame([("7", "Kælderen", "id of it")], schema=PLACES, orient="row"),
        facts=pl.DataFrame([("7", '{"RABAT": 0.1}', TODAY + 5 * DAY, None)], schema=FACTS, orient="row"),
        collections=pl.DataFrame([("200", None)], schema=COLLECTIONS, orient="row"),
    )
    rows = rows_of(frames, "7", "8")
    assert (rows["7"]["address_line"], rows["7"]["address_id"]) == ("Kælderen", "id of it")
    assert (rows["8"]["address_line"], rows["8"]["address_id"]) == ("Vej 1", None)
    assert (rows["7"]["tariff_facts"], rows["8"]["tariff_facts"]) == ('{"RABAT": 0.1}', "{}")
    assert (rows["7"]["open_collection"], rows["8"]["open_collection"]) == (False, True)
    assert (rows["7"]["next_begins_on"], rows["8"]["next_begins_on"]) == (TODAY + 5 * DAY, None)


def test_the_product_is_the_last_that_has_begun_else_the_first() -> None:
    told = [("7", "100", "OLD", TODAY - 9 * DAY), ("7", "100", "NOW", TODAY), ("7", "100", "SOON", TODAY + DAY),
            ("8", "200", "LATER", TODAY + 9 * DAY), ("8", "200", "NEXT", TODAY + 2 * DAY)]  # fmt: skip
    frames = linked(
        {"7": [Contract("100", TODAY - 9 * DAY, FAR)], "8": [Contract("200", TODAY + 2 * DAY, FAR)]},
        {"7": [Meter(TODAY, FAR, "M1")], "8": [Meter(TODAY, FAR, "M2")]},
        products=pl.DataFrame(told, schema=PRODUCTS, orient="row"),
    )
    rows = rows_of(frames, "7", "8")
    assert (rows["7"]["product"], rows["8"]["product"]) == ("NOW", "NEXT")
    assert (rows["7"]["next_begins_on"], rows["8"]["status"]) == (TODAY + DAY, "FUTURE")


def test_a_mark_that_was_set_again_meanwhile_stays() -> None:
    mark = Mark(frozenset({Reason.CHANGED}), 3)
    assert mark.cleared(2) is mark
    assert mark.cleared(3) == Mark(frozenset(), 3)
    assert mark.marked([Reason.ROW_BEGINS]) == Mark(frozenset({Reason.CHANGED, Reason.ROW_BEGINS}), 4)
    assert mark.marked([]) is mark


def test_a_waiting_contract_is_decided_again_when_something_it_lacks_arrives() -> None:
    waiting = {"A2": ["installation:I2", "connection_object:F2"], "A1": ["installation:I1"], "A3": ["partner:K3"]}
    assert to_decide_again(waiting, ["installation:I1", "connection_object:F2"]) == ["A1", "A2"]
