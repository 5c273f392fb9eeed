"""Days of the journal, kept in memory: a day that is over does not change, and today is read once a minute."""

import threading
import time
from datetime import date, datetime, timedelta
from typing import Final

import sqlalchemy as sa

from integration_assets.cache.trends import Day, day_of, days_until
from integration_assets.web.languages import COPENHAGEN

_KEPT_SECONDS: Final = 60.0
_STILL_CHANGING: Final = timedelta(hours=1)
"""A step that ended before midnight may be written down a little later."""


class TrendDays:
    """The last days by the clock of Copenhagen."""

    def __init__(self, engine: sa.Engine) -> None:
        self._engine = engine
        self._lock = threading.Lock()
        self._over: dict[date, Day] = {}
        self._current: dict[date, tuple[float, Day]] = {}

    def last(self, number: int, now: datetime) -> list[Day]:
        """The last days up to that of `now`, the earliest first."""
        with self._lock:
            return [self._day(day, now) for day in days_until(now.astimezone(COPENHAGEN).date(), number)]

    def _day(self, day: date, now: datetime) -> Day:
        if day in self._over:
            return self._over[day]
        read_at, known = self._current.get(day, (float("-inf"), None))
        if known is not None and time.monotonic() - read_at < _KEPT_SECONDS:
            return known
        begin = datetime.combine(day, datetime.min.time(), COPENHAGEN)
        end = datetime.combine(day + timedelta(days=1), datetime.min.time(), COPENHAGEN)
        found = day_of(self._engine, day, begin, end)
        if end + _STILL_CHANGING < now:
            self._over[day] = found
            self._current.pop(day, None)
        else:
            self._current[day] = (time.monotonic(), found)
        return found
