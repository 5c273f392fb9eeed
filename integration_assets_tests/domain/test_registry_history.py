"""Values that no source dates, from run to run, against a model that asks a dict what was seen on which day."""

from datetime import date, timedelta
from typing import Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from integration_assets.domain.registry.history import UNDATED, continued, corrected, is_undated, on_day
from integration_assets.domain.registry.lines import Lines
from integration_assets.domain.tables import REGISTRY_ROWS
from integration_assets_tests.domain.registry_rows import BILLED, COMPANY, MOVED, PERSON, REACHED, RELATION, piece

FIRST = date(2026, 3, 1)
DAYS = [FIRST + timedelta(days=number) for number in range(8)]


def frame(entity: str, **rows: dict[str, Any]) -> pl.DataFrame:
    """One row per object, by its id."""
    schema = REGISTRY_ROWS[entity]
    dated = [
        {
            "object_id": object_id,
            **{
                name: date.fromisoformat(value) if value and dtype == pl.Date else value
                for (name, value), dtype in zip(row.items(), schema.values(), strict=True)
            },
            "history": [
                {**told, "from": date.fromisoformat(told["from"]) if told["from"] else None} for told in row["history"]
            ],
        }
        for object_id, row in rows.items()
    ]
    return pl.DataFrame(dated, schema={"object_id": pl.String, **schema})


def row_of(rows: pl.DataFrame, object_id: str = "anna") -> dict[str, Any]:
    return rows.row(by_predicate=pl.col("object_id") == object_id, named=True)


def history(rows: pl.DataFrame, object_id: str = "anna") -> list[tuple[str, date | None, str | None]]:
    return [(told["field"], told["from"], told["value"]) for told in row_of(rows, object_id)["history"]]


def test_the_former_value_holds_until_the_day_on_which_another_one_is_seen() -> None:
    first = frame("customers", anna=PERSON, bo=PERSON)
    changed = frame("customers", anna=PERSON | {"phone": "87", "email": None}, bo=PERSON)
    after = continued("customers", changed, first, DAYS[1])
    assert history(after) == [
        ("email", None, PERSON["email"]),
        ("email", DAYS[1], None),
        ("phone", None, PERSON["phone"]),
        ("phone", DAYS[1], "87"),
    ]
    assert history(after, "bo") == []
    assert after.drop("history").equals(changed.drop("history"))


def test_an_object_seen_for_the_first_time_has_its_values_from_its_beginning() -> None:
    rows = frame("customer_relations", relation=RELATION)
    assert continued("customer_relations", rows, rows.clear(), DAYS[0]).equals(rows)


def test_what_the_registers_date_is_theirs() -> None:
    """The name of a company and its business code come with days of their own; her telephone does not."""
    first = frame("customers", baker=COMPANY)
    changed = frame("customers", baker=MOVED | {"phone": "87"})
    after = continued("customers", changed, first, date(2026, 5, 1))
    assert history(after, "baker") == [
        *((told["field"], date.fromisoformat(told["from"]) if told["from"] else None, told["value"])
          for told in MOVED["history"]),
        ("phone", None, COMPANY["phone"]),
        ("phone", date(2026, 5, 1), "87"),
    ]  # fmt: skip
    assert not is_undated("customers", COMPANY, "name")
    assert is_undated("customers", PERSON, "name")
    corrected_name = frame("customers", baker=COMPANY | {"name": "Bageriet A/S"})
    assert history(continued("customers", corrected_name, first, DAYS[1]), "baker") == []


def test_every_supply_area_of_an_object_gets_the_same_history() -> None:
    rows = frame("customers", anna=PERSON | {"phone": "87"})
    twice = pl.concat([rows, rows]).with_columns(pl.Series("supply_area", ["4000", "5000"]))
    after = continued("customers", twice, frame("customers", anna=PERSON), DAYS[1])
    assert after.get_column("supply_area").to_list() == ["4000", "5000"]
    assert after.get_column("history").to_list()[0] == after.get_column("history").to_list()[1] != []


def test_a_run_of_an_earlier_day_does_not_reach_behind_the_last_change() -> None:
    second = continued(
        "customers", frame("customers", anna=PERSON | {"phone": "2"}), frame("customers", anna=PERSON), DAYS[5]
    )
    third = continued("customers", frame("customers", anna=PERSON | {"phone": "3"}), second, DAYS[2])
    assert history(third) == [("phone", None, PERSON["phone"]), ("phone", DAYS[5], "3")]


ENTITIES = {
    "customers": (PERSON, st.sampled_from([None, "a", "b", "c"])),
    "customer_relations": (RELATION, st.sampled_from(["a", "b", "c"])),
    "agreements": (BILLED | {"history": BILLED["history"][3:]}, st.sampled_from([None, "a", "b"])),
}


@pytest.mark.parametrize("entity", sorted(ENTITIES))
@settings(max_examples=12, deadline=None)
@given(data=st.data())
def test_every_day_has_the_value_that_was_seen_last_by_then(entity: str, data: st.DataObject) -> None:
    base, values = ENTITIES[entity]
    fields = UNDATED[entity]
    seen = data.draw(
        st.lists(st.tuples(st.sampled_from(DAYS), st.fixed_dictionaries(dict.fromkeys(fields, values))), max_size=5)
    )
    rows = before = frame(entity)
    told: dict[date, dict[str, Any]] = {}
    for day, row in sorted(seen, key=lambda one: one[0]):
        now = frame(entity, anna={**base, **row})
        rows = continued(entity, now, before, day)
        # Repeating it changes nothing: by the source, or by its own outcome, on this day or later.
        assert_frame_equal(continued(entity, now, rows, day), rows)
        assert_frame_equal(continued(entity, rows, rows, DAYS[-1]), rows)
        before, told[day if told else date.min] = rows, row
    if not told:
        return
    lines = Lines(row_of(rows))
    for day in (date(1900, 1, 1), *DAYS):
        wanted = told[max(known for known in told if known <= day)]
        assert {field: lines.of(field).at(day.isoformat()) for field in fields} == wanted
    day = data.draw(st.sampled_from(DAYS))
    assert {field: row_of(on_day(rows, day))[field] for field in fields} == told[max(d for d in told if d <= day)]
    for field in fields:
        assert lines.of(field) == lines.of(field).joined()
        assert row_of(rows)[field] == told[max(told)][field]


PHONES = [
    piece("phone", None, "1"), piece("phone", "2026-03-02", "2"), piece("phone", "2026-03-05", "3"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("since", "expected"),
    [
        (None, []),
        (date(2026, 3, 1), [(None, "1"), ("2026-03-01", "3")]),
        (date(2026, 3, 4), [(None, "1"), ("2026-03-02", "2"), ("2026-03-04", "3")]),
        (date(2026, 3, 7), [(None, "1"), ("2026-03-02", "2"), ("2026-03-07", "3")]),
    ],
)
def test_an_operator_says_from_when_on_the_value_of_today_was_true(
    since: date | None, expected: list[tuple[str | None, str]]
) -> None:
    row = PERSON | {"phone": "3", "history": [*REACHED["history"][:2], *PHONES]}
    made = corrected(row, "phone", since, date(2026, 3, 8))
    assert [told["field"] for told in made] == ["email"] * 2 + ["phone"] * len(expected)
    shown = [(told["from"] and told["from"].isoformat(), told["value"]) for told in made]
    assert shown == [(told["from"], told["value"]) for told in REACHED["history"][:2]] + expected


def test_a_value_that_was_always_there_cannot_begin_later() -> None:
    with pytest.raises(ValueError, match="Nothing is known of phone before"):
        corrected(PERSON, "phone", date(2026, 3, 1), date(2026, 3, 8))
    with pytest.raises(ValueError, match="yet to come"):
        corrected(PERSON, "phone", date(2026, 3, 9), date(2026, 3, 8))
