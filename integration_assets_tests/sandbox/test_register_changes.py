"""What changes between two records of a party, and the history of several changes."""

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from integration_assets.sandbox.register_changes import changes_of, history, renumbering

Json = dict[str, Any]
HOME: Json = {"unit_id": "unit-a", "moved_in": "2019-04-01"}
AWAY: Json = {"unit_id": "unit-b", "moved_in": "2026-02-27"}
PERSON: Json = {
    "pnr": "0102030405",
    "first_name": "Åse",
    "middle_name": None,
    "last_name": "Bæk",
    "civil_status": "U",
    "protected": False,
    "address": HOME,
}


def unit(address: Json | None) -> str | None:
    return address["unit_id"] if address else None


def lines(*changes: list[Json]) -> Json:
    return history([each for some in changes for each in some], unit)


def test_a_change_begins_on_its_own_day_and_leaves_other_fields_out() -> None:
    after = {**PERSON, "last_name": "Holm", "name_from": "2026-02-20", "civil_status": "G",
             "civil_status_from": "2026-02-21"}  # fmt: skip
    assert lines(changes_of(PERSON, after)) == {
        "last_name": [[None, "Bæk"], ["2026-02-20", "Holm"]],
        "civil_status": [[None, "U"], ["2026-02-21", "G"]],
    }


def test_a_protection_with_an_end_is_over_by_itself() -> None:
    granted = {**PERSON, "protected": True, "protected_from": "2026-03-02", "protected_until": "2026-03-03"}
    line = [[None, False], ["2026-03-02", True], ["2026-03-03", False]]
    assert lines(changes_of(PERSON, granted)) == {"protected": line}
    endless = {**granted, "protected_until": None}
    assert lines(changes_of(PERSON, endless)) == {"protected": line[:2]}


def test_the_dead_live_nowhere_from_the_day_of_death() -> None:
    dead = {**PERSON, "status": "90", "status_from": "2026-03-01", "address": None}
    assert lines(changes_of(PERSON, dead)) == {"address_id": [[None, "unit-a"], ["2026-03-01", None]]}


def test_a_company_s_seat_is_dated_by_the_company() -> None:
    company: Json = {"cvr": "12345678", "name": "Prøve ApS", "address": {"unit_id": "unit-a"}}
    after = {**company, "address": {"unit_id": "unit-b"}, "address_from": "2026-03-01"}
    assert lines(changes_of(company, after)) == {"address_id": [[None, "unit-a"], ["2026-03-01", "unit-b"]]}


def test_a_later_change_that_reaches_back_replaces_what_it_covers() -> None:
    moved = {**PERSON, "address": AWAY}
    back = {**moved, "address": {"unit_id": "unit-c", "moved_in": "2026-02-25"}}
    same_day = {**moved, "address": {"unit_id": "unit-c", "moved_in": "2026-02-27"}}
    first = changes_of(PERSON, moved)
    assert lines(first, changes_of(moved, back)) == {"address_id": [[None, "unit-a"], ["2026-02-25", "unit-c"]]}
    assert lines(first, changes_of(moved, same_day)) == {"address_id": [[None, "unit-a"], ["2026-02-27", "unit-c"]]}


def test_a_changed_number_has_a_line_too() -> None:
    change = renumbering("0102030405", "0102030407", "2026-03-01")
    assert lines([change]) == {"number": [[None, "0102030405"], ["2026-03-01", "0102030407"]]}


@given(st.lists(st.tuples(st.integers(1, 28), st.sampled_from("ABC")), max_size=6))
def test_a_history_says_on_every_day_what_the_last_change_that_covers_it_says(played: list[tuple[int, str]]) -> None:
    """Computed day by day: each change overwrites its first day and all days after."""
    days = dict.fromkeys((f"2026-02-{day:02d}" for day in range(1, 29)), "start")
    record: Json = {**PERSON, "last_name": "start"}
    changes: list[Json] = []
    for first, name in played:
        after = {**record, "last_name": name, "name_from": f"2026-02-{first:02d}"}
        changes += changes_of(record, after)
        if name != record["last_name"]:
            days.update((day, name) for day in days if day >= after["name_from"])
        record = after
    line = history(changes, unit).get("last_name", [[None, "start"]])
    assert {day: [value for since, value in line if (since or "") <= day][-1] for day in days} == days
    assert [since for since, _ in line[1:]] == sorted({since for since, _ in line[1:]})
    assert all(line[each][1] != line[each + 1][1] for each in range(len(line) - 1))
