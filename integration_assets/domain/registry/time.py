"""Registry time: business days as periods of validity (virkning) of OIO objects, and back.

A business day begins at midnight in Copenhagen; an open end is null here and ``infinity`` there. LoRa answers in the
time zone of its database, with a blank instead of T and hours-only offsets, and leaves periods in any order and number
of pieces; all of that is put straight here. Days are ISO texts (as in the JSON of deliveries) throughout this module.
"""

from collections.abc import Mapping
from datetime import date, datetime, time
from typing import Any, Final
from zoneinfo import ZoneInfo

from integration_assets.domain.timeslices import Period

COPENHAGEN: Final = ZoneInfo("Europe/Copenhagen")
ALWAYS_FROM: Final = "-infinity"
ALWAYS_TO: Final = "infinity"

FAR_END: Final = "9999-12-31T00:00:00+00:00"
"""How the open end of an agreement is written in its sluttidspunkt, which knows no infinity."""

_FAR_YEAR: Final = 9999

Day = str | None
"""A business day as ISO text; None is an open end."""


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


def validity(period: Period[str], actor: str) -> dict[str, str]:
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


def period_of(piece: Mapping[str, Any]) -> Period[str]:
    """The period of validity of one attribute, state or relation item of an object."""
    virkning = piece["virkning"]
    return Period(day_of(virkning.get("from")), day_of(virkning.get("to")))
