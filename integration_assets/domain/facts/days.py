"""Business days of facts: inclusive on both ends in the rules and in every exchange, half-open inside timelines."""

from calendar import monthrange
from datetime import date, timedelta
from typing import Final

INFINITY: Final = date.max
"""The last day of what has no end: 9999-12-31."""

_DAY: Final = timedelta(days=1)
_MONTHS: Final = 12
_SHORTEST_MONTH: Final = 28


def moment_after(last: date) -> date | None:
    """The moment at which a period ends whose last day is given; None for no end."""
    return None if last == INFINITY else last + _DAY


def last_day(end: date | None) -> date:
    """The last day of a period that ends at a moment."""
    return INFINITY if end is None else end - _DAY


def day_before(day: date) -> date:
    """The day before; the first day of the calendar has none, and is its own."""
    return day if day == date.min else day - _DAY


def day_after(day: date) -> date:
    """The day after. There is none after INFINITY (OverflowError)."""
    return day + _DAY


def months_later(day: date, months: int) -> date:
    """The same day of a later month, or its last day where the month is shorter; INFINITY beyond the calendar."""
    year, month = divmod(day.year * _MONTHS + day.month - 1 + months, _MONTHS)
    if year > INFINITY.year:
        return INFINITY
    if day.day <= _SHORTEST_MONTH:
        return date(year, month + 1, day.day)
    return date(year, month + 1, min(day.day, monthrange(year, month + 1)[1]))
