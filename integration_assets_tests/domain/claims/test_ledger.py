"""The ledger file row by row, what agreements ask of claims, working days, and the collection base."""

from datetime import date, timedelta
from decimal import Decimal

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from integration_assets.domain.claims import proposals
from integration_assets.domain.claims.ledger import CLAIMS, checked_claims, checked_movements, missing_columns
from integration_assets.domain.claims.reconciliation import ENTRIES, monthly_base
from integration_assets.domain.claims.working_days import holidays, is_working_day, working_days_before

TODAY = date(2025, 11, 3)
GOOD = {
    "claim_id": "100001",
    "main_claim_id": "",
    "art": "indr",
    "type_code": "FOFAKFY",
    "creditor_id": "1999",
    "creditor_ref": "4711-202504",
    "customer_number": None,
    "period_from": "2025-04-01",
    "period_to": "2025-04-30",
    "amount": "1200.5",
    "received_on": "2025-06-02",
    "state_refund": "ja",
    "agreement": "a column that nobody asked for",
}


def checked(*rows: dict[str, str | None], known: tuple[int, ...] = ()) -> tuple[pl.DataFrame, list[str]]:
    schema = dict.fromkeys(GOOD, pl.String)
    done = checked_claims(pl.DataFrame(list(rows), schema=schema), known, TODAY)
    return done.good, done.rejected["reason"].to_list()


def test_a_good_row_is_typed_and_completed() -> None:
    good, rejected = checked(GOOD)
    assert rejected == []
    assert good.schema == CLAIMS
    assert good.row(0) == (
        *(100001, 100001, "INDR", "FOFAKFY", 1999, "4711-202504", "4711"),
        *(date(2025, 4, 1), date(2025, 4, 30), Decimal("1200.50"), date(2025, 6, 2), True),
    )


@pytest.mark.parametrize(
    ("column", "value"),
    [
        ("claim_id", ""),
        ("claim_id", "-1"),
        ("claim_id", "1000000000000000000"),
        ("art", "XXXX"),
        ("art", None),
        ("type_code", " "),
        ("creditor_id", "me"),
        ("creditor_ref", None),
        ("amount", "0"),
        ("amount", "-5.00"),
        ("amount", "5.001"),
        ("amount", "1.200,50"),
        ("received_on", "02.06.2025"),
        ("received_on", "2025-11-04"),
    ],
)
def test_a_bad_value_rejects_its_row_alone(column: str, value: str | None) -> None:
    good, rejected = checked({**GOOD, column: value}, {**GOOD, "claim_id": "100005"})
    assert rejected == [column]
    assert good["claim_id"].to_list() == [100005]


@pytest.mark.parametrize("period", [("2025-04-30", "2025-04-01"), ("2025-04-01", ""), ("", "2025-04-30"), ("x", "")])
def test_a_period_has_both_days_in_order(period: tuple[str, str]) -> None:
    assert checked({**GOOD, "period_from": period[0], "period_to": period[1]})[1] == ["period"]


def test_a_claim_without_period_is_taken() -> None:
    assert checked({**GOOD, "period_from": "", "period_to": None})[1] == []


def test_sub_claims_need_their_main_claim_and_ids_are_told_once() -> None:
    fee = {**GOOD, "claim_id": "100002", "main_claim_id": "100001"}
    assert checked(fee)[1] == ["main_claim"]
    assert checked(fee, known=(100001,))[1] == []
    assert checked(fee, GOOD)[1] == []
    assert checked(GOOD, GOOD)[1] == ["duplicate"]


def test_movements() -> None:
    schema = dict.fromkeys(("reference", "claim_id", "kind", "amount", "effective_on"), pl.String)
    rows = [
        ("a", "100001", "NEDSKRIV", "10.00", "2025-07-01"),
        ("b", "100001", "OPSKRIV", "5", "2025-07-02"),
        ("b", "100001", "OPSKRIV", "5", "2025-07-02"),
        ("c", "100009", "OPSKRIV", "5", "2025-07-02"),
        ("d", "100001", "BETALT", "5", "2025-07-02"),
        ("e", "100001", "OPSKRIV", "5", ""),
    ]
    done = checked_movements(pl.DataFrame(rows, schema=schema, orient="row"), [100001])
    assert done.good["kind"].to_list() == ["written_down", "written_up"]
    assert done.rejected["reason"].to_list() == ["duplicate", "claim_id", "kind", "effective_on"]


def test_columns_that_must_be_there() -> None:
    assert missing_columns(["claim_id", "art", "type_code", "creditor_id", "creditor_ref"], CLAIMS) == [
        "amount",
        "received_on",
    ]


def day(text: str | None) -> date | None:
    return None if text is None else date.fromisoformat(text)


Event = tuple[int, str, str, str, str | None, str | None, str, str | None]
"""Number, contract, kind, first day changed; moved in and out before; moved in and out."""


def wanted(
    *events: Event, claims: dict[int, tuple[str | None, str | None]], seen: str = "2025-09-01"
) -> dict[int, str]:
    """Claim -> reason. All are of one customer, received on 2 June 2025."""
    told = [
        (number, "K", contract, kind, day(first), *map(day, before), *map(day, after), day(seen))
        for number, contract, kind, first, *dates in events
        for before, after in [(dates[:2], dates[2:])]
    ]
    rows = [(number, "K", day(first), day(last), date(2025, 6, 2)) for number, (first, last) in claims.items()]
    found = proposals.wanted(
        pl.DataFrame(told, schema=proposals.EVENTS, orient="row"),
        pl.DataFrame(rows, schema=proposals.CLAIMS, orient="row"),
    )
    return dict(found.select("claim_id", "reason").iter_rows())


JANUARY, MARCH, APRIL, SPRING = (
    ("2025-01-01", "2025-01-31"),
    ("2025-03-01", "2025-03-31"),
    ("2025-04-01", "2025-04-30"),
    ("2025-02-01", "2025-04-30"),
)
ANNULLED: Event = (1, "K", "cancel_contract_start", "2025-01-01", "2025-01-01", None, "2025-01-01", "2025-01-01")
EARLIER: Event = (2, "K", "change_move_out_date", "2025-03-01", "2025-01-01", "2025-06-01", "2025-01-01", "2025-03-01")


def test_an_annulled_agreement_takes_all_its_claims() -> None:
    assert wanted(ANNULLED, claims={1: JANUARY, 2: SPRING, 3: (None, None)}) == {1: "FEJL", 2: "FEJL", 3: "FEJL"}


def test_an_end_in_the_past_takes_what_lies_behind_it_and_cuts_what_it_crosses() -> None:
    claims = {1: JANUARY, 2: SPRING, 3: MARCH, 4: APRIL, 5: (None, None)}
    assert wanted(EARLIER, claims=claims) == {2: "REGU", 3: "FEJL", 4: "FEJL", 5: "REGU"}


def test_a_later_beginning() -> None:
    later: Event = (1, "K", "change_move_in_date", "2025-01-01", "2025-01-01", None, "2025-02-15", None)
    assert wanted(later, claims={1: JANUARY, 2: SPRING, 3: MARCH}) == {1: "FEJL", 2: "REGU"}


@pytest.mark.parametrize(
    "event",
    [
        (1, "K", "change_move_out_date", "2025-04-01", "2025-01-01", "2025-04-01", "2025-01-01", "2025-06-01"),
        (1, "K", "cancel_contract_end", "2025-04-01", "2025-01-01", "2025-04-01", "2025-01-01", None),
        (1, "K", "move_out", "2025-05-01", "2025-01-01", None, "2025-01-01", "2025-05-01"),
        (1, "K", "new_contract", "2025-01-01", None, None, "2025-01-01", None),
        (1, "K", "product_change", "2025-03-01", "2025-01-01", None, "2025-01-01", None),
    ],
)
def test_what_takes_nothing_away_asks_for_nothing(event: Event) -> None:
    assert wanted(event, claims={1: JANUARY, 2: SPRING, 3: MARCH, 4: APRIL}) == {}


@pytest.mark.parametrize("kind", ["product_change_cancel", "contract_change"])
def test_corrections_are_written_down_by_a_person(kind: str) -> None:
    event: Event = (1, "K", kind, "2025-03-01", "2025-01-01", None, "2025-01-01", None)
    assert wanted(event, claims={1: JANUARY, 2: SPRING, 3: APRIL}) == {2: "REGU", 3: "REGU"}


def test_what_was_taken_back_asks_for_nothing_any_more() -> None:
    again: Event = (3, "K-2", "new_contract", "2025-01-01", None, None, "2025-01-01", None)
    back: Event = (3, "K", "change_move_out_date", "2025-03-01", "2025-01-01", "2025-03-01", "2025-01-01", "2025-06-01")
    assert wanted(ANNULLED, again, claims={1: JANUARY}) == {}
    assert wanted(EARLIER, back, claims={1: APRIL, 2: SPRING}) == {}


def test_claims_that_were_handed_over_afterwards_are_meant() -> None:
    assert wanted(EARLIER, claims={1: APRIL}, seen="2025-06-01") == {}


@settings(deadline=None)
@given(
    st.dates(date(2025, 1, 1), date(2025, 12, 1)),
    st.integers(0, 90),
    st.dates(date(2025, 1, 1), date(2025, 12, 31)),
    st.integers(0, 300),
    st.integers(0, 300),
)
def test_days_left_decide_as_counted_one_by_one(first: date, length: int, begin: date, was: int, now: int) -> None:
    last, ended, ends = first + timedelta(length), begin + timedelta(was), begin + timedelta(now)
    billed = {first + timedelta(number) for number in range(length + 1)}
    had = {each for each in billed if begin <= each < ended}
    left = {each for each in billed if begin <= each < ends}
    expected = None if ends > begin and len(left) >= len(had) else "REGU" if ends > begin and left else "FEJL"
    dates = (begin.isoformat(), ended.isoformat(), begin.isoformat(), ends.isoformat())
    found = wanted(
        (1, "K", "change_move_out_date", ends.isoformat(), *dates), claims={1: (first.isoformat(), last.isoformat())}
    )
    assert found.get(1) == expected


def test_danish_holidays_of_two_years() -> None:
    """As the official calendars of 2023 and 2025 list them, with 5 June, 24 and 31 December."""
    days_2023 = "01-01 04-06 04-07 04-09 04-10 05-05 05-18 05-28 05-29 06-05 12-24 12-25 12-26 12-31"
    days_2025 = "01-01 04-17 04-18 04-20 04-21 05-29 06-08 06-09 06-05 12-24 12-25 12-26 12-31"
    assert holidays(2023) == {date.fromisoformat(f"2023-{each}") for each in days_2023.split()}
    assert holidays(2025) == {date.fromisoformat(f"2025-{each}") for each in days_2025.split()}


def test_working_days_over_easter() -> None:
    """Five working days before Tuesday 22 April 2025: the 22nd, then 16, 15, 14 and 11 April."""
    assert working_days_before(date(2025, 4, 22), 5) == date(2025, 4, 10)
    assert working_days_before(date(2025, 4, 20), 0) == date(2025, 4, 20)


@settings(deadline=None)
@given(st.dates(date(2020, 1, 1), date(2030, 1, 1)), st.integers(0, 40))
def test_so_many_working_days_lie_between(today: date, number: int) -> None:
    last = working_days_before(today, number)
    between = [last + timedelta(days=each) for each in range(1, (today - last).days + 1)]
    assert sum(is_working_day(each) for each in between) == number
    assert number == 0 or is_working_day(between[0]), "it is the last such day"


def test_the_collection_base_month_by_month() -> None:
    entries = [
        (date(2025, 6, 2), "received", "1300.00"),
        (date(2025, 6, 20), "received", "500.50"),
        (date(2025, 7, 1), "written_down", "200.00"),
        (date(2025, 7, 9), "written_up", "50.25"),
        (date(2025, 11, 4), "recalled", "1300.00"),
    ]
    frame = pl.DataFrame(entries, schema=["day", "kind", "amount"], orient="row")
    months = monthly_base(frame.select(pl.col(name).cast(dtype) for name, dtype in ENTRIES.items()))
    assert [tuple(map(str, row)) for row in months.iter_rows()] == [
        ("2025-06-01", "1800.50", "0.00", "0.00", "0.00", "1800.50"),
        ("2025-07-01", "0.00", "0.00", "200.00", "50.25", "1650.75"),
        ("2025-11-01", "0.00", "1300.00", "0.00", "0.00", "350.75"),
    ]
