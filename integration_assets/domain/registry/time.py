"""Registry time: business days as periods of validity (virkning) of OIO objects, and back.

A business day begins at midnight in Copenhagen; an open end is null here and ``infinity`` there. LoRa answers in the
time zone of its database, with a blank instead of T and hours-only offsets, and leaves periods in any order and number
of pieces; all of that is put straight here. Days are ISO texts (as in the JSON of deliveries) throughout this module.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime, time
from typing import Any, Final
from zoneinfo import ZoneInfo

COPENHAGEN: Final = ZoneInfo("Europe/Copenhagen")
ALWAYS_FROM: Final = "-infinity"
ALWAYS_TO: Final = "infinity"

FAR_END: Final = "9999-12-31T00:00:00+00:00"
"""How the open end of an agreement is written in its sluttidspunkt, which knows no infinity."""

_FAR_YEAR: Final = 9999

Day = str | None
"""A business day as ISO text; None is an open end."""


@dataclass(frozen=True)
class Period:
    """A half-open period of business days; None is open."""

    start: Day
    end: Day

    @property
    def is_empty(self) -> bool:
        """Whether it has no day; LoRa takes no such period."""
        return self.start is not None and self.end is not None and self.end <= self.start


def iso_day(value: object) -> Day:
    """A day as ISO text out of a date, an ISO text or None. Raises ValueError for anything else."""
    if value is None:
        return None
    if isinstance(value, datetime):
        return value.date().isoformat()
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, str):
        return date.fromisoformat(value).isoformat()
    raise ValueError(f"A day is a date or an ISO text, not {type(value).__name__}.")


def midnight(day: str) -> str:
    """The beginning of a business day as a timestamp with the offset that Copenhagen had: 2020-06-01T00:00:00+02:00."""
    return datetime.combine(date.fromisoformat(day), time(), COPENHAGEN).isoformat()


def validity(period: Period, actor: str) -> dict[str, str]:
    """The virkning object of a period: who (the integration, as a Bruger) says so, from when to when."""
    return {
        "from": ALWAYS_FROM if period.start is None else midnight(period.start),
        "to": ALWAYS_TO if period.end is None else midnight(period.end),
        "aktoerref": actor,
        "aktoertypekode": "Bruger",
    }


def day_of(timestamp: str | None) -> Day:
    """The business day on which a timestamp falls in Copenhagen; None for none, ±infinity and the year 9999.

    Raises ValueError for a text that is no timestamp.
    """
    if timestamp is None or timestamp in (ALWAYS_FROM, ALWAYS_TO):
        return None
    moment = datetime.fromisoformat(timestamp)
    if moment.year == _FAR_YEAR:
        return None
    return (moment if moment.tzinfo is None else moment.astimezone(COPENHAGEN)).date().isoformat()


def period_of(piece: Mapping[str, Any]) -> Period:
    """The period of validity of one attribute, state or relation item of an object."""
    virkning = piece["virkning"]
    return Period(day_of(virkning.get("from")), day_of(virkning.get("to")))


def start_order(period: Period) -> tuple[bool, str]:
    """Sort key by start; the open start comes first."""
    return (period.start is not None, period.start or "")


def end_order(period: Period) -> tuple[bool, str]:
    """Sort key by end; the open end comes last."""
    return (period.end is None, period.end or "")


def joined(periods: Iterable[Period]) -> list[Period]:
    """Periods in order, those that touch or overlap made one."""
    result: list[Period] = []
    for period in sorted(periods, key=lambda item: (start_order(item), end_order(item))):
        last = result[-1] if result else None
        if last is not None and (last.end is None or period.start is None or period.start <= last.end):
            result[-1] = Period(last.start, max(last, period, key=end_order).end)
        else:
            result.append(period)
    return result
