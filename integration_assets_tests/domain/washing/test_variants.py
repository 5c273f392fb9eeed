"""Ways of typing that keep the meaning, and those that must not be taken for it."""

from typing import Any

import polars as pl
import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from integration_assets.domain.addresses.washing import wash
from integration_assets_tests.domain.washing.register import index, unit_rows


def living() -> list[dict[str, str | None]]:
    """Present versions of units whose text is theirs alone."""
    rows = unit_rows().filter((pl.col("valid_to").is_null()) & (pl.col("status") == "3"))
    line = ["street_name", "house_number", "floor", "door", "postcode"]
    alone = rows.filter((pl.len().over(line) == 1) & (pl.col("supplementary_town").n_unique().over(line) == 1))
    texts = unit_rows().group_by(line).agg(pl.col("id").n_unique().alias("ids"))
    return alone.join(texts.filter(pl.col("ids") == 1), on=line, nulls_equal=True).to_dicts()


LIVING = living()

PHASES = (Phase.explicit, Phase.reuse, Phase.generate)
"""Without shrinking: it would wash long lists over and over."""


def answers(lines: list[str]) -> list[dict[str, Any]]:
    """One WASHED row per line: many lines are washed at once, which costs as much as one."""
    return wash(pl.Series(lines), index()).to_dicts()


def many(strategy: st.SearchStrategy[Any]) -> st.SearchStrategy[list[Any]]:
    return st.lists(strategy, min_size=40, max_size=40)


@st.composite
def typographic(draw: st.DrawFn) -> tuple[dict[str, str | None], str]:
    """An address and a line of it in which only case, blanks, dots, commas, leading zeros and the forms of floor and
    door are others than the register's."""
    row = draw(st.sampled_from(LIVING))
    house = row["house_number"] or ""
    digits, letter = house.rstrip("ABCDEFGHIJKLMNOPQRSTUVWXYZÆØÅ"), house[-1:] if not house[-1:].isdigit() else ""
    number = draw(st.sampled_from(["", "0", "00"])) + digits + draw(st.sampled_from(["", " "])) + letter
    floors = {"st": ["st", "st.", "stuen", "stueplan", "ST"], "kl": ["kl", "kld", "kld.", "kælder"]}
    floor = row["floor"]
    forms = floors.get(floor or "", [f"{floor}.", f"{floor}. sal", f"{floor} sal", f"0{floor}."]) if floor else [""]
    door = row["door"] or ""
    doors = {"tv": ["tv", "t.v.", "TV", "til venstre"], "th": ["th", "t.h.", "TH", "til højre"], "mf": ["mf", "m.f."]}
    side = draw(st.sampled_from(doors.get(door, [door, f"-{door}", f"0{door}"] if door.isdigit() else [door])))
    unit = f"{draw(st.sampled_from(forms))} {side}".strip()
    comma = draw(st.sampled_from([", ", " , ", ",", ",  "]))
    town = row["supplementary_town"] if draw(st.booleans()) else None
    end = draw(st.sampled_from(["", ".", " ", ", Danmark"]))
    line = comma.join(
        part
        for part in (f"{row['street_name']} {number}", unit, town, f"{row['postcode']} {row['district']}{end}")
        if part
    )
    return row, draw(st.sampled_from([str.upper, str.lower, str.title, str]))(line)


@settings(max_examples=20, deadline=None, phases=PHASES)
@given(many(typographic()))
def test_typography_does_not_change_the_address(cases: list[tuple[dict[str, str | None], str]]) -> None:
    for (row, line), found in zip(cases, answers([line for _, line in cases]), strict=True):
        assert (found["category"], found["unit_id"]) == ("A", row["id"]), line


@pytest.mark.parametrize(("letter", "pair"), [("å", "aa"), ("ø", "oe"), ("æ", "ae")])
def test_danish_letters_may_be_written_out(letter: str, pair: str) -> None:
    texts = [(row["text"] or "").lower() for row in LIVING]
    lines = [text.replace(letter, pair) for text in texts]
    for row, text, line, found in zip(LIVING, texts, lines, answers(lines), strict=True):
        assert (found["category"], found["unit_id"]) == ("A" if line == text else "B", row["id"]), line


@settings(max_examples=10, deadline=None, phases=PHASES)
@given(many(st.tuples(st.sampled_from(LIVING), st.integers(0, 999), st.sampled_from(["", "A", "B", "Z"]))))
def test_a_house_number_is_never_guessed(cases: list[tuple[dict[str, str | None], int, str]]) -> None:
    lines = [
        (row["text"] or "").replace(
            f"{row['short_street_name']} {row['house_number']}", f"{row['short_street_name']} {number}{letter}", 1
        )
        for row, number, letter in cases
    ]
    for (row, number, letter), found in zip(cases, answers(lines), strict=True):
        if found["category"] != "C":
            named = (found["matched"]["house_number"], found["matched"]["floor"], found["matched"]["door"])
            assert named == (f"{number}{letter}", row["floor"], row["door"])


@settings(max_examples=10, deadline=None, phases=PHASES)
@given(
    many(
        st.tuples(
            st.sampled_from(LIVING),
            st.sampled_from([None, "st", "kl", "1", "2", "9", "14"]),
            st.sampled_from([None, "tv", "th", "mf", "3", "88", "6b"]),
        )
    )
)
def test_floor_and_door_are_never_guessed(cases: list[tuple[dict[str, str | None], str | None, str | None]]) -> None:
    def line(row: dict[str, str | None], floor: str | None, door: str | None) -> str:
        unit = " ".join(part for part in (f"{floor}." if floor else None, door) if part)
        house, district = f"{row['street_name']} {row['house_number']}", f"{row['postcode']} {row['district']}"
        return ", ".join(part for part in (house, unit, row["supplementary_town"], district) if part)

    for (_, floor, door), found in zip(cases, answers([line(*case) for case in cases]), strict=True):
        if found["category"] != "C":
            named = (found["matched"]["floor"], found["matched"]["door"])
            # A lone number without dot is the floor or the door, whichever the house has.
            assert named in ((floor, door), (door, None) if floor is None else (floor, door))


@settings(max_examples=15, deadline=None, phases=PHASES)
@given(many(st.tuples(st.sampled_from(LIVING), st.floats(0, 1), st.sampled_from(["insert", "delete", "swap"]))))
def test_one_typing_error_in_the_street_finds_the_address_or_none(
    cases: list[tuple[dict[str, str | None], float, str]],
) -> None:
    def line(row: dict[str, str | None], where: float, kind: str) -> str:
        street = row["street_name"] or ""
        at = 1 + int(where * (len(street) - 2))
        wrong = {
            "insert": street[:at] + "q" + street[at:],
            "delete": street[:at] + street[at + 1 :],
            "swap": street[: at - 1] + street[at] + street[at - 1] + street[at + 1 :],
        }
        return (row["text"] or "").replace(street, wrong[kind], 1)

    for case, found in zip(cases, answers([line(*case) for case in cases]), strict=True):
        assert found["category"] == "C" or found["unit_id"] == case[0]["id"], line(*case)


def test_equal_texts_cost_one_answer_and_keep_their_order() -> None:
    texts = pl.Series(["Østergade 43, 2. tv, 5000 Odense C", "nowhere", "Østergade 43, 2. tv, 5000 Odense C", None])
    washed = wash(texts, index())
    assert washed["category"].to_list() == ["A", "C", "A", "C"]
    assert washed["outcome"].to_list() == ["unit", "none", "unit", "none"]


def test_threads_do_not_change_answers() -> None:
    texts = unit_rows()["text"]
    assert wash(texts, index(), workers=2).equals(wash(texts, index()))


def test_another_kind_is_refused() -> None:
    with pytest.raises(ValueError, match="not as 'road'"):
        wash(pl.Series(["Østergade 43"]), index(), "road")
