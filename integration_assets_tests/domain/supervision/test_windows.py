"""Windows against a model that looks at every minute of the clock, on both nights on which it is changed."""

from datetime import UTC, date, datetime, time, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from integration_assets.domain.supervision.windows import COPENHAGEN, WEEKDAYS, Window, day_start

OFFICE = Window(weekdays=("mon", "tue", "wed", "thu", "fri"), start=time(8, 20), hours=10)
MINUTE = timedelta(minutes=1)

instants = st.datetimes(datetime.fromisoformat("2025-01-01"), datetime.fromisoformat("2026-12-31")).map(
    lambda moment: moment.replace(second=0, microsecond=0, tzinfo=UTC)
)
windows = st.builds(
    Window,
    weekdays=st.sets(st.sampled_from(WEEKDAYS), min_size=1).map(tuple),
    start=st.times().map(lambda clock: clock.replace(second=0, microsecond=0)),
    hours=st.integers(1, 96).map(lambda quarters: quarters / 4),
)


def on_the_clock(window: Window, instant: datetime) -> bool:
    """Whether the clock of Copenhagen shows a time of the window, without any thought for the nights it is changed."""
    local = instant.astimezone(COPENHAGEN).replace(tzinfo=None)
    for day in (local.date(), local.date() - timedelta(days=1)):
        start = datetime.combine(day, window.start)
        if WEEKDAYS[day.weekday()] in window.weekdays and start <= local < start + timedelta(hours=window.hours):
            return True
    return False


def is_changed_near(instant: datetime) -> bool:
    """Whether the clock is changed in the day and a half around."""
    offsets = {(instant + timedelta(hours=hours)).astimezone(COPENHAGEN).utcoffset() for hours in (-36, 0, 36)}
    return len(offsets) > 1


@given(windows, instants)
def test_it_contains_what_the_clock_shows(window: Window, instant: datetime) -> None:
    if not is_changed_near(instant):
        assert window.contains(instant) == on_the_clock(window, instant)


@given(windows, instants, st.integers(0, 3 * 24 * 60))
def test_supervised_time_is_the_minutes_that_it_contains(window: Window, earlier: datetime, minutes: int) -> None:
    counted = sum(window.contains(earlier + MINUTE * number) for number in range(minutes))
    assert window.supervised_between(earlier, earlier + MINUTE * minutes) == MINUTE * counted


@given(windows, instants, st.integers(1, 600))
def test_after_is_the_inverse_of_supervised_time(window: Window, instant: datetime, minutes: int) -> None:
    after = window.after(instant, MINUTE * minutes)
    assert window.supervised_between(instant, after) == MINUTE * minutes
    assert window.contains(after), "the instant after it is supervised"


@given(windows, st.integers(1, 90))
def test_crons_are_the_period_from_each_start_on(window: Window, period: int) -> None:
    expected = {
        (WEEKDAYS.index(day) * 1440 + window.start.hour * 60 + window.start.minute + minute) % (7 * 1440)
        for day in window.weekdays
        for minute in range(0, round(window.hours * 60), period)
    }
    told: list[int] = []
    for cron in window.crons(period):
        minutes, hours, _, _, days = cron.split()
        all_days = range(7) if days == "*" else [(int(day) - 1) % 7 for day in days.split(",")]
        all_hours = range(24) if hours == "*" else [int(hour) for hour in hours.split(",")]
        told += [d * 1440 + h * 60 + int(m) for d in all_days for h in all_hours for m in minutes.split(",")]
    assert sorted(told) == sorted(expected), "each once"


def test_the_example_of_the_seed() -> None:
    """Monday to Friday from 08:20 for ten hours."""
    assert OFFICE.crons(20) == [
        "20,40 8 * * 1,2,3,4,5",
        "0,20,40 9,10,11,12,13,14,15,16,17 * * 1,2,3,4,5",
        "0 18 * * 1,2,3,4,5",
    ]
    assert OFFICE.longest_rest() == timedelta(hours=62)
    assert not OFFICE.contains(datetime(2025, 11, 3, 8, 19, 59, tzinfo=COPENHAGEN))
    assert OFFICE.contains(datetime(2025, 11, 3, 8, 20, tzinfo=COPENHAGEN))
    assert not OFFICE.contains(datetime(2025, 11, 3, 18, 20, tzinfo=COPENHAGEN))
    assert not OFFICE.contains(datetime(2025, 11, 8, 12, tzinfo=COPENHAGEN))
    friday = datetime(2025, 11, 7, 18, 0, tzinfo=COPENHAGEN)
    assert OFFICE.after(friday, timedelta(minutes=40)) == datetime(2025, 11, 10, 8, 40, tzinfo=COPENHAGEN)


def test_nights_on_which_the_clock_is_changed() -> None:
    night = Window(weekdays=("sat",), start=time(22), hours=8)
    for day, hours in ((date(2026, 3, 28), 7), (date(2026, 10, 24), 9), (date(2026, 5, 2), 8)):
        start = datetime.combine(day, time(22), COPENHAGEN)
        assert night.supervised_between(start, start + timedelta(days=2)) == timedelta(hours=hours), day
        six = datetime.combine(day + timedelta(days=1), time(6), COPENHAGEN)
        assert not night.contains(six)
        assert night.contains(six.astimezone(UTC) - MINUTE)


@given(instants, st.integers(0, 10_000))
def test_always_is_always(instant: datetime, minutes: int) -> None:
    always = Window()
    assert always.is_always
    assert always.contains(instant)
    assert always.after(instant, MINUTE * minutes) == instant + MINUTE * minutes
    assert always.longest_rest() == timedelta()


def test_a_day_starts_at_midnight_in_copenhagen() -> None:
    assert day_start(datetime(2026, 6, 30, 22, 30, tzinfo=UTC)) == datetime(2026, 6, 30, 22, 0, tzinfo=UTC)
    assert day_start(datetime(2026, 1, 1, 22, 30, tzinfo=UTC)) == datetime(2025, 12, 31, 23, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    "wrong",
    [{"weekdays": ()}, {"hours": 0}, {"hours": 25}, {"hours": 0.001}, {"start": time(8, 20, 30)}],
    ids=str,
)
def test_windows_that_are_none(wrong: dict[str, object]) -> None:
    with pytest.raises(ValueError, match="A window"):
        Window(**wrong)  # pyright: ignore[reportArgumentType]
