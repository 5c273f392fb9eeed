"""Timelines against a model that knows no intervals: a dict from each of a few days to the value that holds on it."""

from collections.abc import Callable, Iterable
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from integration_assets.domain.timeslices import Period, Slice, Timeline, periods_of

DAYS = range(-1, 13)
"""The days that are looked at; slices begin and end from 0 to 12, so the first and the last tell the open ends."""

few = settings(max_examples=60, deadline=None)
Line = Timeline[int, Any]
Model = dict[int, Any]

bounds = st.none() | st.integers(0, 12)
values = st.sampled_from(["a", "b", None])


@st.composite
def timelines(draw: st.DrawFn) -> Line:
    """Up to six slices one after the other, gaps between some of them, touching ones of equal value too."""
    cuts = sorted(draw(st.sets(st.integers(0, 12), max_size=6)))
    edges = [None, *cuts, None]
    pieces = [(start, end, draw(values)) for start, end in pairwise(edges) if draw(st.booleans())]
    return Timeline.of(draw(st.permutations(pieces)))


def days_of(start: int | None, end: int | None) -> set[int]:
    return {day for day in DAYS if (start is None or start <= day) and (end is None or day < end)}


def model(line: Iterable[tuple[int | None, int | None, Any]]) -> Model:
    """By the slices alone, each of which says its value on each of its days."""
    told: Model = {}
    for start, end, value in line:
        days = days_of(start, end)
        assert not days & set(told), "two slices hold on one day"
        told |= dict.fromkeys(days, value)
    return told


def read(line: Line) -> Model:
    """By look-ups alone."""
    return {day: line.at(day, "gap") for day in DAYS if line.at(day, "gap") != "gap"}


def edges_of(line: Line) -> set[int]:
    return {edge for piece in line for edge in (piece.start, piece.end) if edge is not None}


def well_formed(line: Line) -> None:
    """In order, none empty, no two at once, and both ways to read it agree."""
    pieces = list(line)
    assert all(not piece.period.is_empty for piece in pieces)
    for before, after in pairwise(pieces):
        assert before.end is not None
        assert after.start is not None
        assert before.end <= after.start
    assert read(line) == model(line)
    assert Timeline.of(reversed(pieces)) == line
    assert hash(Timeline.of(pieces)) == hash(line)
    assert len(line) == len(pieces)


@few
@given(timelines())
def test_slices_come_back(line: Line) -> None:
    well_formed(line)


@few
@given(timelines(), timelines(), bounds, bounds)
def test_a_period_is_replaced(line: Line, by: Line, start: int | None, end: int | None) -> None:
    inside = days_of(start, end)
    made = line.replaced(start, end, by)
    well_formed(made)
    outside_stays = {day: value for day, value in model(line).items() if day not in inside}
    assert read(made) == outside_stays | {day: value for day, value in model(by).items() if day in inside}


@few
@given(timelines(), bounds, bounds)
def test_a_value_is_written_and_a_period_taken_out_or_kept_alone(
    line: Line, start: int | None, end: int | None
) -> None:
    inside, before = days_of(start, end), model(line)
    written, without, clipped = line.written(start, end, "new"), line.without(start, end), line.clipped(start, end)
    for made in (written, without, clipped):
        well_formed(made)
    assert read(without) == {day: value for day, value in before.items() if day not in inside}
    assert read(written) == read(without) | dict.fromkeys(inside, "new")
    assert read(clipped) == {day: value for day, value in before.items() if day in inside}
    if inside:
        assert [piece for piece in written if piece.value == "new"] == [Slice(start, end, "new")]


@few
@given(timelines(), st.integers(0, 12))
def test_a_cut_changes_the_slices_and_nothing_else(line: Line, moment: int) -> None:
    cut = line.cut_at(moment)
    well_formed(cut)
    assert read(cut) == read(line)
    assert edges_of(cut) == edges_of(line) | ({moment} if moment in read(line) else set())


@few
@given(timelines(), timelines())
def test_two_timelines(line: Line, other: Line) -> None:
    mine, others = model(line), model(other)
    expected: list[tuple[Line, Model]] = [
        (line.overlaid(other), mine | others),
        (line.within(other), {day: value for day, value in mine.items() if day in others}),
        (line.outside(other), {day: value for day, value in mine.items() if day not in others}),
    ]
    for made, told in expected:
        well_formed(made)
        assert read(made) == told
    # Where one gives way, the other's slices stay whole: no cut is left of what was replaced.
    assert set(other) <= set(line.overlaid(other))


@few
@given(timelines(), timelines())
def test_zipped_values_stand_between_every_two_changes(line: Line, other: Line) -> None:
    zipped = line.zipped(other)
    well_formed(zipped)
    mine, others = model(line), model(other)
    assert read(zipped) == {day: (mine.get(day), others.get(day)) for day in DAYS if day in mine or day in others}
    assert edges_of(zipped) == edges_of(line) | edges_of(other)


@few
@given(st.lists(timelines(), min_size=1, max_size=4))
def test_any_number_of_timelines_together(lines: list[Line]) -> None:
    made = Timeline.together(*lines)
    well_formed(made)
    models = [model(line) for line in lines]
    told = {day: tuple(each.get(day) for each in models) for day in DAYS if any(day in each for each in models)}
    assert read(made) == told


@few
@given(timelines(), bounds, bounds)
def test_gaps_are_what_is_not_covered_and_can_be_filled(line: Line, start: int | None, end: int | None) -> None:
    told = model(line)
    covered, gaps, filled = line.covered(), line.gaps(start, end), line.filled("new", start, end)
    missing = days_of(start, end) - set(told)
    for made in (covered, gaps, filled):
        well_formed(made)
    assert set(read(covered)) == set(told)
    assert set(read(gaps)) == missing
    assert read(filled) == told | dict.fromkeys(missing, "new")
    assert covered == covered.joined()
    assert set(line) <= set(filled)


@few
@given(timelines())
def test_joined_slices_are_as_few_as_say_the_same(line: Line) -> None:
    joined = line.joined()
    well_formed(joined)
    assert read(joined) == read(line)
    for before, after in pairwise(joined):
        assert before.end != after.start or before.value != after.value
    assert joined.joined() == joined


@few
@given(timelines())
def test_values_changed_or_selected(line: Line) -> None:
    changed, chosen = line.mapped(str), line.selected(lambda value: value == "a")
    well_formed(changed)
    well_formed(chosen)
    assert [tuple(piece) for piece in changed] == [(start, end, str(value)) for start, end, value in line]
    assert list(chosen) == [piece for piece in line if piece.value == "a"]


@few
@given(timelines(), st.integers(-1, 12))
def test_the_slice_of_a_moment(line: Line, moment: int) -> None:
    holding = [piece for piece in line if moment in days_of(piece.start, piece.end)]
    assert line.slice_at(moment) == (holding[0] if holding else None)


@few
@given(timelines())
def test_the_span_goes_from_the_first_start_to_the_last_end(line: Line) -> None:
    pieces = list(line)
    assert line.span == (Period(pieces[0].start, pieces[-1].end) if pieces else None)
    assert line.periods() == [Period(piece.start, piece.end) for piece in pieces]


@few
@given(st.lists(st.tuples(bounds, bounds), max_size=6))
def test_a_union_of_periods(periods: list[tuple[int | None, int | None]]) -> None:
    made = periods_of(periods)
    well_formed(made)
    assert set(read(made)) == set[int]().union(*(days_of(start, end) for start, end in periods))
    assert made == made.joined()


@few
@given(st.lists(st.tuples(bounds, bounds, values), max_size=4))
def test_slices_that_share_a_day_or_have_none_are_refused(pieces: list[tuple[int | None, int | None, Any]]) -> None:
    days = [days_of(start, end) for start, end, _value in pieces]
    if all(days) and sum(map(len, days)) == len(set[int]().union(*days)):
        assert read(Timeline.of(pieces)) == model(pieces)
    else:
        with pytest.raises(ValueError, match=r"hold at|no moment|open start"):
            Timeline.of(pieces)


def test_values_since_a_day() -> None:
    line = Timeline.since([(None, "a"), (3, "b"), (5, None)])
    assert list(line) == [Slice(None, 3, "a"), Slice(3, 5, "b"), Slice(5, None, None)]
    assert Timeline[int, str].since([]) == Timeline.nowhere()
    with pytest.raises(ValueError, match="no moment"):
        Timeline.since([(3, "a"), (3, "b")])
    with pytest.raises(ValueError, match="Only the first"):
        Timeline.since([(3, "a"), (None, "b")])


def test_one_value_always() -> None:
    assert list(Timeline[int, str].always("a")) == [Slice(None, None, "a")]
    assert Timeline[int, str].always("a").clipped(2, 4) == Timeline.of([(2, 4, "a")])


def test_business_days_as_texts_are_bounds_too() -> None:
    line = Timeline.of([("2026-03-01", None, "new"), (None, "2026-03-01", "old")])
    assert (line.at("2026-02-28"), line.at("2026-03-01")) == ("old", "new")


UNCHANGED: list[Callable[[Line], Line]] = [
    lambda line: line.written(5, 5, "x"),
    lambda line: line.without(6, 5),
    lambda line: line.replaced(6, 5, Timeline.always("x")),
]


@pytest.mark.parametrize("change", UNCHANGED)
def test_an_empty_period_changes_nothing(change: Callable[[Line], Line]) -> None:
    line = Timeline.of([(1, 9, "a")])
    assert change(line) == line
