"""Versions of register answers over time, against a plain retelling of the rules by lists."""

import json
from dataclasses import replace
from datetime import date, timedelta
from itertools import pairwise
from typing import Any

import polars as pl
from hypothesis import given, settings
from hypothesis import strategies as st

from integration_assets.domain.people.history import PARTY_ROWS, parties
from integration_assets.domain.people.parties import Company, Person, RegisteredAddress
from integration_assets.domain.people.register_rows import (
    VERSIONS,
    Answer,
    answer_versions,
    from_answer,
    succeeded_by,
    to_answer,
)
from integration_assets.domain.registry.history import on_day

DAY = date(2026, 3, 1)
HOME, FLAT = (
    RegisteredAddress("0461", "0866", house, None, None, "5000", unit_id=f"unit-{house}") for house in ("1", "2")
)
ANNA = Person("0101701234", "01", "Anna", None, "Carlsen", "Anna Carlsen", "K", "U", False, HOME)
BAKER = Company("25052943", "Bageriet ApS", "107110", "80", HOME)


def told(*answers: tuple[Person | Company | None, date]) -> Answer:
    """What is kept after a party was answered for on these days, one after the other."""
    kept: Answer | None = None
    for party, day in answers:
        kept = succeeded_by(kept, json.loads(json.dumps(to_answer(party))), day) or kept
    assert kept is not None
    return kept


def rows_of(*kept: Answer) -> pl.DataFrame:
    """The rows of parties p0, p1 …; the address is known by its unit id."""
    answers = pl.DataFrame(
        [(f"p{n}", json.dumps(answer)) for n, answer in enumerate(kept)],
        schema={"party_id": pl.String, "answer": pl.String},
        orient="row",
    )
    versions = answer_versions(answers)
    assert versions.schema == VERSIONS
    rows = parties(versions.with_columns(pl.col("unit_id").alias("address_id")))
    assert rows.schema == PARTY_ROWS
    return rows


def row_of(*answers: tuple[Person | Company | None, date]) -> dict[str, Any]:
    (row,) = rows_of(told(*answers)).to_dicts()
    return row


def line(row: dict[str, Any], field: str) -> list[tuple[date | None, str | None]]:
    return [(piece["from"], piece["value"]) for piece in row["history"] if piece["field"] == field]


def test_an_answer_that_says_the_same_is_no_version() -> None:
    first = json.loads(json.dumps(to_answer(replace(ANNA, source="v4"))))
    kept = succeeded_by(None, first, DAY)
    assert kept is not None
    assert succeeded_by(kept, json.loads(json.dumps(to_answer(replace(ANNA, source="v5")))), DAY) is None
    later = succeeded_by(kept, json.loads(json.dumps(to_answer(replace(ANNA, last_name="Dam")))), date(2026, 4, 1))
    assert later is not None
    assert (later["seen_on"], later["last_name"], len(later["former"])) == ("2026-04-01", "Dam", 1)  # pyright: ignore
    assert from_answer(later) == replace(ANNA, last_name="Dam")


def test_one_answer_holds_always() -> None:
    row = row_of((replace(ANNA, name_from=date(2020, 1, 1), address_from=date(2025, 1, 1)), DAY))
    assert (row["history"], row["ended_on"], row["address_id"], row["name"]) == ([], None, "unit-1", "Anna Carlsen")


def test_changes_hold_from_the_register_s_own_days() -> None:
    married = replace(
        ANNA, last_name="Dam", civil_status="G", name_from=date(2026, 3, 14), civil_status_from=date(2026, 3, 14)
    )
    moved = replace(married, address=FLAT, address_from=date(2026, 3, 20), gender="M")
    row = row_of((ANNA, DAY), (married, date(2026, 3, 16)), (moved, date(2026, 3, 25)))
    assert line(row, "last_name") == [(None, "Carlsen"), (date(2026, 3, 14), "Dam")]
    assert line(row, "civil_status") == [(None, "U"), (date(2026, 3, 14), "G")]
    assert line(row, "address_id") == [(None, "unit-1"), (date(2026, 3, 20), "unit-2")]
    assert line(row, "gender") == [(None, "K"), (date(2026, 3, 25), "M")], "the register names no day for it"
    assert line(row, "first_name") == []
    assert (row["last_name"], row["civil_status"], row["address_id"]) == ("Dam", "G", "unit-2")


def test_a_correction_of_the_past_replaces_what_was_said_of_it() -> None:
    first = replace(ANNA, address=FLAT, address_from=date(2026, 3, 10))
    corrected = replace(first, address=replace(HOME, unit_id="unit-3"), address_from=date(2026, 3, 5))
    row = row_of((ANNA, DAY), (first, date(2026, 3, 11)), (corrected, date(2026, 3, 20)))
    assert line(row, "address_id") == [(None, "unit-1"), (date(2026, 3, 5), "unit-3")]
    taken_back = replace(ANNA, address_from=date(2026, 3, 5))
    row = row_of((ANNA, DAY), (first, date(2026, 3, 11)), (taken_back, date(2026, 3, 20)))
    assert line(row, "address_id") == []


def test_a_first_day_that_the_register_corrects_is_moved() -> None:
    moved = replace(ANNA, address=FLAT, address_from=date(2026, 3, 8))
    for day in (date(2026, 3, 3), date(2026, 3, 10)):
        row = row_of((ANNA, DAY), (moved, date(2026, 3, 9)), (replace(moved, address_from=day), date(2026, 3, 20)))
        assert line(row, "address_id") == [(None, "unit-1"), (day, "unit-2")]
    renamed = replace(ANNA, first_name="Ann", name_from=date(2026, 3, 4))
    married = replace(renamed, last_name="Dam", name_from=date(2026, 3, 14))
    row = row_of((ANNA, DAY), (renamed, date(2026, 3, 5)), (married, date(2026, 3, 16)))
    assert line(row, "first_name") == [(None, "Anna"), (date(2026, 3, 4), "Ann")], "only the last name changed then"
    assert line(row, "last_name") == [(None, "Carlsen"), (date(2026, 3, 14), "Dam")]


def test_a_protection_with_an_end_is_over_by_itself() -> None:
    protected = replace(
        ANNA, address_protected=True, protected_from=date(2026, 3, 10), protected_until=date(2027, 3, 10)
    )
    row = row_of((ANNA, DAY), (protected, date(2026, 3, 12)))
    expected = [(None, "false"), (date(2026, 3, 10), "true"), (date(2027, 3, 10), "false")]
    assert line(row, "address_protected") == expected
    frame = rows_of(told((ANNA, DAY), (protected, date(2026, 3, 12))))
    shown = [on_day(frame, day)["address_protected"].item() for day in (DAY, date(2026, 3, 10), date(2027, 3, 10))]
    assert shown == [False, True, False]
    over = replace(protected, address_protected=False)
    assert line(row_of((ANNA, DAY), (protected, date(2026, 3, 12)), (over, date(2027, 4, 1))), "address_protected") == (
        expected
    )
    longer = replace(protected, protected_until=date(2028, 3, 10))
    row = row_of((ANNA, DAY), (protected, date(2026, 3, 12)), (longer, date(2027, 1, 1)))
    assert line(row, "address_protected") == [*expected[:2], (date(2028, 3, 10), "false")]
    brief = replace(protected, protected_until=date(2026, 3, 11))
    row = row_of((ANNA, DAY), (brief, date(2026, 3, 20)))
    assert line(row, "address_protected") == [*expected[:2], (date(2026, 3, 11), "false")], "seen when it was over"
    assert row_of((brief, date(2026, 3, 20)))["history"] == []
    row = row_of((protected, DAY))
    assert line(row, "address_protected") == [(None, "true"), (date(2027, 3, 10), "false")]


def test_death_emigration_and_a_new_number() -> None:
    dead = replace(ANNA, status="90", status_from=date(2026, 3, 4), address=None)
    row = row_of((ANNA, DAY), (dead, date(2026, 3, 6)))
    assert (row["ended_on"], row["status"], row["address_id"]) == (date(2026, 3, 4), "90", None)
    assert line(row, "address_id") == [(None, "unit-1"), (date(2026, 3, 4), None)]
    undated = replace(dead, status_from=None)
    row = row_of((ANNA, DAY), (undated, date(2026, 3, 5)), (replace(undated, civil_status="E"), date(2026, 3, 9)))
    assert row["ended_on"] == date(2026, 3, 5)
    gone = replace(ANNA, status="80", status_from=date(2026, 3, 4), emigrated_on=date(2026, 3, 3), address=None)
    row = row_of((ANNA, DAY), (gone, date(2026, 3, 6)))
    assert row["ended_on"] is None
    assert line(row, "address_id") == [(None, "unit-1"), (date(2026, 3, 3), None)]
    renumbered = replace(ANNA, number="0101701242", number_from=date(2026, 3, 2))
    row = row_of((ANNA, DAY), (renumbered, date(2026, 3, 6)))
    assert (row["number"], line(row, "number")) == (
        "0101701242",
        [(None, "0101701234"), (date(2026, 3, 2), "0101701242")],
    )


def test_companies_and_nobody() -> None:
    changed = replace(BAKER, name="Brød ApS", name_from=date(2026, 3, 3), business_code="471000")
    ceased = replace(changed, ceased_on=date(2026, 5, 1))
    rows = rows_of(
        told((BAKER, DAY), (changed, date(2026, 3, 5)), (ceased, date(2026, 5, 2))),
        told((None, DAY)),
        told((None, DAY), (ANNA, date(2026, 3, 9))),
    )
    assert rows["party_id"].to_list() == ["p0", "p2"]
    company, person = rows.to_dicts()
    assert line(company, "name") == [(None, "Bageriet ApS"), (date(2026, 3, 3), "Brød ApS")]
    assert line(company, "business_code") == [(None, "107110"), (date(2026, 3, 5), "471000")]
    assert (company["ended_on"], company["party_kind"]) == (date(2026, 5, 1), "company")
    assert person["history"] == []


DAYS = st.integers(0, 24).map(lambda n: DAY + timedelta(days=n))


@settings(max_examples=60, deadline=None)
@given(answers=st.lists(st.tuples(st.sampled_from("ABC"), st.none() | DAYS, st.integers(0, 9)), min_size=1, max_size=6))
def test_any_sequence_of_answers_says_on_each_day_what_was_said_last_of_it(
    answers: list[tuple[str, date | None, int]],
) -> None:
    """Independent: every change paints over the days from its first day on, as the last answer that says it has it."""
    kept: list[tuple[Person, date]] = []
    seen = DAY
    calendar = [DAY + timedelta(days=n) for n in (*range(-1, 25), 40, 60, 61, 120)]
    changes: list[tuple[str, date]] = []
    for name, since, pause in answers:
        seen += timedelta(days=pause)
        kept.append((replace(ANNA, last_name=name, name_from=since), seen))
        if kept[-2:-1] and (kept[-2][0].last_name, kept[-2][0].name_from) == (name, since):
            continue  # the same answer again
        if not changes:
            changes.append((name, calendar[0]))
        elif name != changes[-1][0]:
            changes.append((name, min(since or seen, seen)))
        elif since is not None and len(changes) > 1:
            changes[-1] = (name, min(since, seen))
    painted: dict[date, str] = {}
    for name, start in changes:
        painted |= {day: name for day in calendar if day >= start}
    last = changes[-1][0]
    frame = rows_of(told(*kept))
    assert {day: on_day(frame, day)["last_name"].item() for day in calendar} == painted
    assert frame["last_name"].item() == last
    values = [value for _day, value in line(frame.to_dicts()[0], "last_name")]
    assert all(one != two for one, two in pairwise(values))
