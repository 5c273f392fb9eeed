"""Which ids the register holds, against the rows that it was made of."""

import uuid

import polars as pl
from hypothesis import given
from hypothesis import strategies as st

from integration_assets.domain.addresses.register import RegisterFrames
from integration_assets.domain.addresses.washing import WashingIndex
from integration_assets.domain.addresses.washing.known import lines, live_access, live_units
from integration_assets.domain.addresses.washing.washed import ACCESS, UNIT
from integration_assets_tests.domain.washing.register import access_rows, frames, index, unit_rows


def in_use(rows: pl.DataFrame) -> set[str]:
    """Ids of rows of the sample without end and with DAR status 2 or 3."""
    return set(rows.filter(pl.col("valid_to").is_null() & pl.col("status").is_in(["2", "3"]))["id"])


def test_every_unit_of_the_sample_is_told_by_its_present_status() -> None:
    ids = unit_rows()["id"]
    expected = [text in in_use(unit_rows()) for text in ids]
    assert live_units(ids, index()).to_list() == expected
    assert {True, False} == set(expected)


def test_every_access_address_of_the_sample_is_told_by_its_present_status() -> None:
    present = access_rows().filter(pl.col("status").is_in(["2", "3"]))["id"].to_list()
    closed = access_rows().filter(~pl.col("status").is_in(["2", "3"]))["id"].to_list()
    assert all(live_access(pl.Series(present), index()))
    assert not any(live_access(pl.Series("closed", closed, dtype=pl.String), index()))


def test_statuses_and_ends_decide() -> None:
    """The same unit, made provisional, closed, abandoned, and ended without another version."""
    unit = sorted(in_use(unit_rows()))[0]
    high, low = int(unit.replace("-", "")[:16], 16), int(unit.replace("-", "")[16:], 16)
    own = (pl.col("id_high") == high) & (pl.col("id_low") == low)

    def answer(**values: pl.Expr) -> bool:
        units = frames().units.with_columns(
            pl.when(own).then(value).otherwise(name).cast(frames().units.schema[name]).alias(name)
            for name, value in values.items()
        )
        changed = WashingIndex.build(RegisterFrames(1, frames().places, frames().access, units))
        return live_units(pl.Series([unit]), changed).item()

    assert answer(status=pl.lit(2))
    assert answer(status=pl.lit(3))
    assert not answer(status=pl.lit(4))
    assert not answer(status=pl.lit(5))
    assert not answer(valid_to=pl.datetime(2020, 1, 1, time_zone="UTC"))


def test_a_unit_is_no_access_address_nor_the_other_way_round() -> None:
    assert not any(live_access(pl.Series(sorted(in_use(unit_rows()))), index()))
    assert not any(live_units(access_rows()["id"], index()))


def test_half_an_id_is_not_enough() -> None:
    one, other = sorted(in_use(unit_rows()))[:2]
    mixed = pl.Series([one[:18] + other[18:], other[:18] + one[18:], one])
    assert live_units(mixed, index()).to_list() == [False, False, True]


@given(st.lists(st.one_of(st.none(), st.text(max_size=40), st.uuids().map(str)), max_size=8))
def test_what_is_no_id_of_the_register_is_false(strange: list[str | None]) -> None:
    known = sorted(in_use(unit_rows()))[0]
    asked = pl.Series("unit", [*strange, known, None, known.upper()], dtype=pl.String)
    answer = live_units(asked, index())
    assert (answer.name, answer.dtype) == ("unit", pl.Boolean)
    assert answer.to_list() == [False] * len(strange) + [True, False, True]


def test_no_ids_give_no_answers() -> None:
    nothing = pl.Series("unit", [], dtype=pl.String)
    for answer in (live_units(nothing, index()), live_access(nothing, index()), lines(nothing, index(), UNIT)):
        assert answer.is_empty()
    assert live_units(pl.Series([None]), index()).to_list() == [False]


def test_lines_say_what_the_register_says_today() -> None:
    present = pl.col("valid_to").is_null() & pl.col("id").is_in(in_use(unit_rows()))
    units = unit_rows().filter(present).head(50)
    told = lines(units["id"], index(), UNIT)
    for row, line in zip(units.iter_rows(named=True), told, strict=True):
        assert line.startswith(f"{row['street_name']} {row['house_number']}")
        assert line.endswith(f"{row['postcode']} {row['district']}")
        assert row["floor"] is None or f", {row['floor']}." in line
    house = access_rows().filter(pl.col("id").is_in(units["access_id"].to_list())).row(0, named=True)
    twice = pl.Series([house["id"], str(uuid.UUID(int=5)), None, house["id"]])
    first, unknown, nothing, again = lines(twice, index(), ACCESS)
    assert first == again == house["text"]
    assert unknown is nothing is None
