"""What the law wants kept, what nobody needs, and which runs of the history may go."""

from datetime import UTC, date, datetime, timedelta

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from integration_assets.domain.retention import (
    PastRun,
    deletable_runs,
    ended_parties,
    kept_for_the_books_until,
    not_needed_if_ended_before,
    unneeded_answers,
)


@pytest.mark.parametrize(
    ("ended", "first_month", "until"),
    [
        (date(2020, 1, 1), 1, date(2026, 1, 1)),
        (date(2020, 12, 31), 1, date(2026, 1, 1)),
        (date(2021, 1, 1), 1, date(2027, 1, 1)),
        (date(2020, 5, 31), 6, date(2025, 6, 1)),  # the year from 1 June 2019 to 31 May 2020
        (date(2020, 6, 1), 6, date(2026, 6, 1)),
    ],
)
def test_the_books_are_kept_five_years_from_the_end_of_the_accounting_year(
    ended: date, first_month: int, until: date
) -> None:
    assert kept_for_the_books_until(ended, first_month) == until


@given(
    ended=st.dates(date(1990, 1, 1), date(2040, 1, 1)),
    as_of=st.dates(date(1990, 1, 1), date(2060, 1, 1)),
    first_month=st.integers(1, 12),
)
def test_both_ways_to_ask_agree(ended: date, as_of: date, first_month: int) -> None:
    may_go = kept_for_the_books_until(ended, first_month) <= as_of
    assert (ended < not_needed_if_ended_before(as_of, first_month)) is may_go


def test_a_party_has_ended_when_its_last_role_has() -> None:
    old, new = date(2015, 5, 1), date(2024, 5, 1)
    roles = pl.DataFrame(
        [("gone", old), ("moved", old), ("moved", new), ("open", old), ("open", None), ("living", old)],
        schema={"party_id": pl.String, "valid_to": pl.Date},
        orient="row",
    )
    names = ["gone", "moved", "open", "living", "no role, long ago", "no role, of late"]
    parties = pl.DataFrame({"party_id": names, "known_on": [old, old, old, old, old, new]})
    ended = ended_parties(roles, parties, pl.Series(["living"]), before=date(2020, 1, 1))
    assert ended.to_list() == ["gone", "no role, long ago"]


def test_answers_are_needed_by_subject_or_by_the_number_that_they_mention() -> None:
    answers = pl.DataFrame(
        {
            "subject": ["a", "b", "c", "d"],
            "answer": ['{"kind":"nobody"}', '{"outcome":"|0101701234|x"}', '{"number":"0202721111"}', "{}"],
        }
    )
    unneeded = unneeded_answers(answers, pl.Series(["a"]), pl.Series(["0101701234"]))
    assert unneeded["subject"].to_list() == ["c", "d"]
    nobody = pl.Series([], dtype=pl.String)
    assert unneeded_answers(answers, nobody, nobody).height == 4


MAIN = ("main_flow",)
START = datetime(2026, 1, 1, tzinfo=UTC)


def run(name: str, day: int | None, *partitions: str, made: tuple[str, ...] = MAIN, ok: bool = True) -> PastRun:
    return PastRun(name, made, partitions, None if day is None else START + timedelta(days=day), ok)


def test_the_newest_run_of_a_partition_and_its_newest_success_stay() -> None:
    runs = [
        run("replaced", 1, "5000"),
        run("only one of 4000", 2, "4000"),
        run("newest success", 3, "5000"),
        run("newest", 4, "5000", ok=False),
        run("of no partition, replaced", 1, made=("retention",)),
        run("of no partition", 2, made=("retention",)),
        run("another job", 1, "5000", made=("address_register",)),
        run("under way", None, "5000"),
        run("too young", 29, "6000"),
        run("young and newest", 30, "6000"),
    ]
    assert deletable_runs(runs, START + timedelta(days=20)) == ["of no partition, replaced", "replaced"]


def test_an_asset_that_was_made_by_hand_keeps_its_newest_run() -> None:
    """By hand, several assets may be chosen, each time others."""
    runs = [
        run("replaced", 1, "5000", made=("lora/customers",)),
        run("newest of roles", 2, "5000", made=("lora/customers", "lora/customer_roles")),
        run("newest success of customers", 3, "5000", made=("lora/customers",)),
        run("newest of customers", 4, "5000", made=("lora/customers",), ok=False),
        run("of another partition", 1, "4000", made=("lora/customers",)),
        run("the flow", 5, "5000"),
    ]
    assert deletable_runs(runs, START + timedelta(days=20)) == ["replaced"]


_RUNS = st.lists(
    st.tuples(st.integers(0, 40), st.sets(st.sampled_from(["4", "5", "6"]), max_size=3), st.booleans()), max_size=15
)


@given(found=_RUNS, before=st.integers(0, 50))
def test_no_partition_ever_loses_its_newest_run(found: list[tuple[int, set[str], bool]], before: int) -> None:
    runs = [run(f"{n:02}", day, *sorted(parts), ok=ok) for n, (day, parts, ok) in enumerate(found)]
    gone = set(deletable_runs(runs, START + timedelta(days=before)))
    for partition in ("4", "5", "6"):
        for kind in (runs, [each for each in runs if each.succeeded]):
            mine = [each for each in kind if partition in each.partitions]
            if mine:
                newest = max(each.ended_at for each in mine if each.ended_at)
                assert any(each.run_id not in gone for each in mine if each.ended_at == newest)
    assert all(each.ended_at and each.ended_at < START + timedelta(days=before) for each in runs if each.run_id in gone)
