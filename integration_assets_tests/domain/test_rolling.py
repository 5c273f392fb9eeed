"""Turns: everybody once in so many days, whatever happens on single days."""

from datetime import date, timedelta

import polars as pl
from hypothesis import given, settings
from hypothesis import strategies as st

from integration_assets.domain.rolling import turn

DAY = date(2026, 3, 31)


def looks(**days: int | None) -> pl.DataFrame:
    """Keys with the days since they were looked at."""
    seen = [None if ago is None else DAY - timedelta(days=ago) for ago in days.values()]
    return pl.DataFrame({"id": list(days), "as_of": seen}, schema={"id": pl.String, "as_of": pl.Date})


def test_what_was_never_seen_comes_first_and_then_the_oldest() -> None:
    frame = looks(a=3, b=None, c=9, d=1)
    assert turn(frame, "id", DAY, 10).to_list() == ["b"]
    assert turn(frame, "id", DAY, 4).to_list() == ["b", "c"], "both are overdue"
    assert turn(frame, "id", DAY, 1).to_list() == ["b", "c", "a", "d"]


def test_nothing_is_looked_at_twice_on_a_day() -> None:
    assert turn(looks(a=0, b=0, c=5), "id", DAY, 1).to_list() == ["c"]
    assert turn(looks(a=0, b=2, c=1), "id", DAY, 3).to_list() == []
    assert turn(looks(), "id", DAY, 30).to_list() == []


@settings(max_examples=25, deadline=None)
@given(ago=st.lists(st.none() | st.integers(0, 90), min_size=1, max_size=40), days=st.integers(1, 12))
def test_everybody_has_a_turn_in_so_many_days_however_many_were_missed(ago: list[int | None], days: int) -> None:
    frame = looks(**{f"{number:02}": one for number, one in enumerate(ago)})
    for number in range(1, days + 1):
        today = DAY + timedelta(days=number)
        now = turn(frame, "id", today, days)
        is_seen = pl.col("id").is_in(now.implode())
        frame = frame.with_columns(as_of=pl.when(is_seen).then(pl.lit(today)).otherwise("as_of"))
    assert frame.filter((pl.col("as_of") > DAY).fill_null(False)).height == len(ago)
