"""When a folder is supervised: some hours on some weekdays, by the clock of Copenhagen.

A window is told in wall-clock time and looked at in instants, so the two nights on which the clock is changed have
windows an hour shorter and an hour longer. What lies between two windows does not count as time: a row that was
refreshed on Friday evening is not stale on Monday morning.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Literal
from zoneinfo import ZoneInfo

COPENHAGEN = ZoneInfo("Europe/Copenhagen")

Weekday = Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
WEEKDAYS: tuple[Weekday, ...] = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")

_DAY_HOURS = 24
_DAY_MINUTES = _DAY_HOURS * 60


@dataclass(frozen=True, kw_only=True)
class Window:
    """From `start` for so many `hours`, on the weekdays on which it starts; by default always.

    Raises ValueError for a window without a day or a length, longer than a day, or with a start that has seconds.
    """

    weekdays: tuple[Weekday, ...] = WEEKDAYS
    start: time = time()
    hours: float = 24

    __pydantic_config__ = {"extra": "forbid"}  # noqa: RUF012 - what a misspelt setting meets

    def __post_init__(self) -> None:
        if not self.weekdays:
            raise ValueError("A window needs a weekday.")
        if not 0 < self.hours <= 24 or self.minutes != self.hours * 60:
            raise ValueError(f"A window lasts whole minutes, more than none and a day at most, not {self.hours} hours.")
        if self.start.tzinfo is not None or self.start.second or self.start.microsecond:
            raise ValueError("A window starts at a full minute of the clock of Copenhagen, such as 08:20.")

    @property
    def minutes(self) -> int:
        """Its length by the clock."""
        return int(self.hours * 60)

    @property
    def is_always(self) -> bool:
        """Whether there is no time outside of it."""
        return len(set(self.weekdays)) == len(WEEKDAYS) and self.minutes == _DAY_MINUTES

    def contains(self, instant: datetime) -> bool:
        """Whether the instant lies in it; its end does not."""
        return any(start <= instant < end for start, end in self._around(instant))

    def supervised_between(self, earlier: datetime, later: datetime) -> timedelta:
        """How much supervised time lies between two instants."""
        total = timedelta()
        day = earlier.astimezone(COPENHAGEN).date() - timedelta(days=1)
        while day <= later.astimezone(COPENHAGEN).date():
            for start, end in self._on(day):
                total += max(timedelta(), min(end, later) - max(start, earlier))
            day += timedelta(days=1)
        return total

    def after(self, instant: datetime, supervised: timedelta) -> datetime:
        """The instant at which so much supervised time has passed since another one."""
        left, day = supervised, instant.astimezone(COPENHAGEN).date() - timedelta(days=1)
        while True:
            for start, end in self._on(day):
                begins = max(start, instant)
                if end - begins > left:
                    return begins + left
                left -= max(timedelta(), end - begins)
            day += timedelta(days=1)

    def longest_rest(self) -> timedelta:
        """The longest time by the clock that lies between two windows of a week."""
        starts = sorted(WEEKDAYS.index(day) * _DAY_MINUTES for day in set(self.weekdays))
        following = [*starts[1:], starts[0] + 7 * _DAY_MINUTES]
        return timedelta(
            minutes=max(later - start - self.minutes for start, later in zip(starts, following, strict=True))
        )

    def crons(self, period_min: int) -> list[str]:
        """Cron strings, by the clock of Copenhagen, of runs every so many minutes from the start of each window on."""
        runs: dict[tuple[int, int], list[int]] = {}
        start = self.start.hour * 60 + self.start.minute
        for minute in range(start, start + self.minutes, period_min):
            runs.setdefault((minute // _DAY_MINUTES, minute % _DAY_MINUTES // 60), []).append(minute % 60)
        hours: dict[tuple[int, tuple[int, ...]], list[int]] = {}
        for (days_later, hour), minutes in runs.items():
            hours.setdefault((days_later, tuple(minutes)), []).append(hour)
        return [
            f"{_listed(minutes)} {'*' if len(of_hours) == _DAY_HOURS else _listed(of_hours)} * * "
            f"{self._cron_days(days_later)}"
            for (days_later, minutes), of_hours in hours.items()
        ]

    def _cron_days(self, days_later: int) -> str:
        # Sunday is 0 there.
        days = {(WEEKDAYS.index(day) + 1 + days_later) % 7 for day in self.weekdays}
        return "*" if len(days) == len(WEEKDAYS) else _listed(sorted(days))

    def _around(self, instant: datetime) -> Iterator[tuple[datetime, datetime]]:
        day = instant.astimezone(COPENHAGEN).date()
        yield from self._on(day - timedelta(days=1))
        yield from self._on(day)

    def _on(self, day: date) -> Iterator[tuple[datetime, datetime]]:
        """The window that starts on a day, as instants."""
        if WEEKDAYS[day.weekday()] in self.weekdays:
            start = datetime.combine(day, self.start)
            yield _instant(start), _instant(start + timedelta(minutes=self.minutes))


def day_start(instant: datetime) -> datetime:
    """Midnight in Copenhagen of the day of an instant."""
    return _instant(datetime.combine(instant.astimezone(COPENHAGEN).date(), time()))


def _instant(clock: datetime) -> datetime:
    """The first instant at which the clock shows this, or would without being put forward."""
    return clock.replace(tzinfo=COPENHAGEN, fold=0).astimezone(UTC)


def _listed(numbers: tuple[int, ...] | list[int]) -> str:
    return ",".join(str(number) for number in numbers)
