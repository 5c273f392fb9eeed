"""Who is to be asked again: told of by the register, or by turn."""

from datetime import date, timedelta

import polars as pl
from hypothesis import given, settings
from hypothesis import strategies as st

from integration_assets.domain.people.sweep import CHECKS, to_check

DAY = date(2026, 3, 31)
NONE = pl.Series("subject", [], dtype=pl.String)


def checks(*rows: tuple[str, int, bool]) -> pl.DataFrame:
    """Subject, days since it was asked, whether the register told of a change."""
    told = [(subject, DAY - timedelta(days=days), recheck, None) for subject, days, recheck in rows]
    return pl.DataFrame(told, schema=CHECKS, orient="row")


def due(frame: pl.DataFrame, sweep_days: int, *watched: str) -> list[tuple[str, str]]:
    return to_check(frame, DAY, sweep_days=sweep_days, watched=pl.Series("subject", watched, dtype=pl.String)).rows()


def test_events_come_at_once_and_the_sweep_takes_its_daily_share_of_the_oldest() -> None:
    frame = checks(("a", 3, False), ("b", 9, False), ("c", 1, True), ("d", 5, False), ("e", 0, True))
    assert due(frame, 10) == [("c", "event"), ("e", "event"), ("b", "sweep")]
    assert due(frame, 4) == [("c", "event"), ("e", "event"), ("b", "sweep"), ("d", "sweep")]
    assert due(frame, 1) == [("c", "event"), ("e", "event"), ("b", "sweep"), ("d", "sweep"), ("a", "sweep")]


def test_who_is_watched_or_was_asked_today_is_left_out() -> None:
    frame = checks(("a", 400, False), ("b", 0, False), ("c", 2, False))
    assert due(frame, 1, "a") == [("c", "sweep")]
    assert due(frame, 30, "a", "c") == []
    assert due(checks(("a", 400, True)), 30, "a") == [("a", "event")]


def test_who_was_told_of_is_asked_daily_while_the_register_may_lag_behind() -> None:
    until = [DAY - timedelta(days=1), DAY, DAY, DAY + timedelta(days=2)]
    frame = checks(("a", 1, False), ("b", 1, False), ("c", 0, False), ("d", 3, False))
    frame = frame.with_columns(pl.Series("again_until", until))
    assert due(frame, 365, "a", "b", "c", "d") == [("b", "event"), ("d", "event")]


def test_who_is_watched_has_a_turn_too_but_seldom() -> None:
    frame = checks(*((f"{n}", 9, False) for n in range(9)))
    watched = pl.Series("subject", [f"{n}" for n in range(8)])
    turn = to_check(frame, DAY, sweep_days=30, watched=watched, watched_sweep_days=10)
    assert turn["subject"].to_list() == ["8", "0"]


def test_missed_days_are_made_up_for_little_by_little() -> None:
    everybody = checks(*((f"{n:03}", 40, False) for n in range(100)))
    assert len(due(everybody, 10)) == 40
    assert due(pl.DataFrame(schema=CHECKS), 30) == []


@settings(max_examples=60, deadline=None)
@given(parties=st.integers(1, 60), sweep_days=st.integers(1, 30))
def test_everybody_is_asked_once_in_so_many_days(parties: int, sweep_days: int) -> None:
    asked = {f"{n:03}": DAY for n in range(parties)}
    longest = 0
    for n in range(1, 3 * sweep_days + 1):
        day = DAY + timedelta(days=n)
        frame = pl.DataFrame(
            [(subject, last, False, None) for subject, last in asked.items()], schema=CHECKS, orient="row"
        )
        turn = to_check(frame, day, sweep_days=sweep_days, watched=NONE)["subject"].to_list()
        assert len(turn) <= -(-parties // sweep_days)
        asked |= dict.fromkeys(turn, day)
        longest = max(longest, *((day - last).days for last in asked.values()))
        again = pl.DataFrame(
            [(subject, last, False, None) for subject, last in asked.items()], schema=CHECKS, orient="row"
        )
        assert to_check(again, day, sweep_days=sweep_days, watched=NONE).is_empty(), "a second run on the day"
    assert longest <= sweep_days
