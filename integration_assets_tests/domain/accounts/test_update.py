"""Updating installation accounts from linked entities, and marks that nothing gets lost by."""

from datetime import UTC, date, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st
from integration_assets.domain.accounts.update import (
    AccountState,
    BillingContract,
    LinkedEntities,
    TimeRow,
    contract_that_counts,
    updated,
)

from integration_assets.domain.accounts.decision import to_decide_again
from integration_assets.domain.accounts.marking import Calculated, Mark, Reason, reasons_to_mark

TODAY = date(2025, 7, 1)
NOW = datetime(2025, 7, 1, 5, tzinfo=UTC)
FAR = date(9999, 12, 31)
MARK = Mark(frozenset({Reason.CHANGED}), 3)


def contract(name: str, start: date, end: date = FAR) -> BillingContract:
    return BillingContract(name, start, end, "VARME_STD")


def linked(*meters: TimeRow, contracts: tuple[BillingContract, ...] = ()) -> LinkedEntities:
    return LinkedEntities("Vej 1", "Varme", None, "Vej 2", "4711", meters, contracts, {"ENERGIPRIS": "E1"})


def state(**fields: str) -> AccountState:
    return AccountState(fields, MARK, Calculated(date(2025, 6, 1), datetime(2025, 6, 1, 5, tzinfo=UTC)))


METER = TimeRow(date(2025, 1, 1), FAR, "M1", "Fjernvarme")


def test_derived_fields_mirror_the_billing_side_and_notes_of_people_stay() -> None:
    before = state(notes="calls on Mondays", meter_number="M0", invoice_address="old")
    result = updated(before, linked(METER, contracts=(contract("A1", date(2025, 1, 1)),)), TODAY, NOW, seen=3)
    fields = result.state.fields
    assert (fields["notes"], fields["meter_number"], fields["status"]) == ("calls on Mondays", "M1", "ACTIVE")
    assert fields["tariff_facts"] == (("ENERGIPRIS", "E1"),)
    assert result.state.mark == Mark(frozenset(), 3)
    assert result.state.calculated == Calculated(TODAY, NOW)
    again = updated(result.state, linked(METER, contracts=(contract("A1", date(2025, 1, 1)),)), TODAY, NOW, seen=3)
    assert (again.changed, again.issues) == ((), ())
    assert again.state.fields is result.state.fields


def test_a_mark_that_was_set_again_meanwhile_stays() -> None:
    result = updated(state(), linked(METER), TODAY, NOW, seen=2)
    assert result.state.mark == MARK
    assert MARK.marked([Reason.ROW_BEGINS]) == Mark(frozenset({Reason.CHANGED, Reason.ROW_BEGINS}), 4)
    assert MARK.marked([]) is MARK


def test_two_meters_on_one_day_leave_everything_as_it_was() -> None:
    before = state(meter_number="M0")
    other = TimeRow(TODAY, FAR, "M2", "Fjernvarme")
    result = updated(before, linked(METER, other), TODAY, NOW, seen=3)
    assert result.state is before
    assert result.issues == ("Two meters hold on 2025-07-01 (M1, M2); the account was left as it is.",)


def test_a_meter_that_ended_without_successor_empties_its_fields_and_is_told() -> None:
    ended = TimeRow(date(2025, 1, 1), date(2025, 6, 30), "M1", "Fjernvarme")
    result = updated(state(meter_number="M1"), linked(ended), TODAY, NOW, seen=3)
    assert result.state.fields["meter_number"] is None
    assert result.state.fields["status"] == "PROSPECT"
    assert result.issues == ("No meter holds on 2025-07-01.",)


def test_the_contract_that_counts_is_todays_else_the_next_else_the_last() -> None:
    past = contract("P", date(2020, 1, 1), date(2021, 1, 1))
    later_past = contract("L", date(2022, 1, 1), date(2025, 6, 30))
    valid, following = contract("V", date(2025, 7, 1), date(2025, 7, 1)), contract("F", date(2025, 9, 1))
    distant = contract("D", date(2026, 1, 1))
    assert contract_that_counts([past, valid, following], TODAY) is valid
    assert contract_that_counts([past, distant, following], TODAY) is following
    assert contract_that_counts([past, later_past], TODAY) is later_past
    assert contract_that_counts([], TODAY) is None


def test_a_waiting_contract_is_decided_again_when_something_it_lacks_arrives() -> None:
    waiting = {"A2": ["installation:I2", "connection_object:F2"], "A1": ["installation:I1"], "A3": ["partner:K3"]}
    assert to_decide_again(waiting, ["installation:I1", "connection_object:F2"]) == ["A1", "A2"]


days = st.integers(0, 40).map(lambda offset: date(2025, 1, 1) + timedelta(days=offset))
rows = st.lists(st.tuples(days, days).map(lambda pair: (min(pair), max(pair))), max_size=4)


@given(rows, days, st.lists(days, min_size=1, max_size=5))
def test_whatever_runs_are_missed_every_beginning_and_end_is_noticed(
    told: list[tuple[date, date]], first: date, runs: list[date]
) -> None:
    """A run marks, then updates; between two runs any days may pass. Each row's first day, and the day after its last,
    that lies after the first calculation is followed by a mark in the next run."""
    calculated = Calculated(first, datetime.combine(first, NOW.time()))
    for today in sorted(day for day in runs if day > first):
        since = calculated.on
        assert since is not None
        happened = any(since < start <= today or since < end + timedelta(days=1) <= today for start, end in told)
        assert bool(reasons_to_mark(calculated, [], told, today)) == happened
        calculated = Calculated(today, datetime.combine(today, NOW.time()))
        assert reasons_to_mark(calculated, [], told, today) == []
