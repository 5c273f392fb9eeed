"""Ending timelines and reading their values, against the model of days."""

from hypothesis import given
from hypothesis import strategies as st

from integration_assets_tests.domain.test_timeslices import Line, days_of, model, read, timelines, well_formed

moments = st.integers(0, 12)


@given(timelines(), moments)
def test_ended(line: Line, moment: int) -> None:
    """Nothing from the moment on; what holds just before and at it in one slice is changed, all the rest as it was."""
    spanning = line.slice_at(moment)
    cut = spanning is not None and (spanning.start is None or spanning.start < moment)
    result = line.ended(moment, lambda piece: ("ended", piece.end, piece.value))
    well_formed(result)
    wanted = {day: value for day, value in model(line).items() if day < moment}
    if cut and spanning is not None:
        held = [day for day in days_of(spanning.start, spanning.end) if day < moment]
        wanted |= dict.fromkeys(held, ("ended", spanning.end, spanning.value))
    assert read(result) == wanted
    assert (result is line) == (max(model(line), default=-2) < moment)


@given(timelines(), moments)
def test_values(line: Line, moment: int) -> None:
    assert line.values() == [piece.value for piece in line]
    assert line.values_from(moment) == [piece.value for piece in line if piece.end is None or moment < piece.end]
