"""Instants and periods as a PostgreSQL-backed registry reads and writes them.

Belongs here: reading date texts, writing them back, half-open periods, cutting one period out of others. An instant is
a whole number of microseconds since 1970-01-01 UTC; `PAST` and `FUTURE` stand for -infinity and infinity, `UNBOUNDED`
for the lower bound that an empty text makes (it reads back as nothing at all).
"""

import re
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import NamedTuple

PAST = -(1 << 62)
FUTURE = 1 << 62
UNBOUNDED = PAST - 1

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_DATE_TEXT = re.compile(
    r"(\d{4})-(\d{1,2})-(\d{1,2})"
    r"(?:(?:[Tt]| +)(\d{1,2}):(\d{2})(?::(\d{2})(?:\.(\d+))?)?)?"
    r" *([Zz]|[+-]\d{2}(?::?\d{2})?)?"
)


class UnreadableInstant(ValueError):
    """A text that the database cannot read as an instant."""


class Period(NamedTuple):
    """Half-open [start, end) in microseconds since 1970."""

    start: int
    end: int

    def overlaps(self, other: "Period") -> bool:
        """Whether the two have an instant in common; an empty period has none."""
        return self.start < other.end and other.start < self.end and self.start < self.end and other.start < other.end

    def common(self, other: "Period") -> "Period":
        """The instants of both; only meaningful when they overlap."""
        return Period(max(self.start, other.start), min(self.end, other.end))

    def without(self, others: Iterable["Period"]) -> list["Period"]:
        """What is left of this period when the others are taken away, in time order."""
        rest: list[Period] = []
        start = self.start
        for other in sorted(others):
            if not other.overlaps(self):
                continue
            if other.start > start:
                rest.append(Period(start, other.start))
            start = max(start, other.end)
        if start < self.end:
            rest.append(Period(start, self.end))
        return rest


def any_overlap(periods: Iterable[Period]) -> bool:
    """Whether two of the periods have an instant in common."""
    ordered = sorted(periods)
    return any(ordered[index].end > ordered[index + 1].start for index in range(len(ordered) - 1))


def now() -> int:
    """The present instant."""
    return (datetime.now(UTC) - _EPOCH) // _MICROSECOND


def read_instant(text: str) -> int:
    """The instant of a text under ISO, YMD in a session at UTC: dates, date-times, ±infinity, now, today.

    An empty text is `UNBOUNDED`. Raises UnreadableInstant.
    """
    word = text.strip().lower()
    if word == "now":
        return now()
    if word in ("today", "yesterday", "tomorrow"):
        midnight = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
        return (midnight - _EPOCH) // _MICROSECOND + {"yesterday": -1, "today": 0, "tomorrow": 1}[word] * 86_400_000_000
    return _read_fixed(word)


def read_fixed_instant(text: str) -> int:
    """The instant of a date or date-time, without the words that stand for moments. Raises UnreadableInstant."""
    if not text or not text.lstrip()[:1].isdigit():
        raise UnreadableInstant(text)
    return _read_fixed(text.strip())


@lru_cache(maxsize=20_000)
def _read_fixed(text: str) -> int:
    fixed = {"": UNBOUNDED, "infinity": FUTURE, "-infinity": PAST, "epoch": 0}.get(text)
    if fixed is not None:
        return fixed
    match = _DATE_TEXT.fullmatch(text)
    if match is None:
        raise UnreadableInstant(text)
    year, month, day, hour, minute, second, fraction, offset = match.groups()
    try:
        moment = datetime(int(year), int(month), int(day), tzinfo=UTC)
    except ValueError:
        raise UnreadableInstant(text) from None
    hours, minutes, seconds = int(hour or 0), int(minute or 0), int(second or 0)
    if hours > 24 or minutes > 59 or seconds > 60:
        raise UnreadableInstant(text)
    microseconds = round(float(f"0.{fraction}") * 1_000_000) if fraction else 0
    instant = (moment - _EPOCH) // _MICROSECOND
    return instant + (hours * 3600 + minutes * 60 + seconds) * 1_000_000 + microseconds - _offset(offset)


def _offset(text: str | None) -> int:
    """Microseconds east of UTC."""
    if text is None or text in "Zz":
        return 0
    digits = text[1:].replace(":", "")
    seconds = int(digits[:2]) * 3600 + int(digits[2:] or 0) * 60
    return (seconds if text[0] == "+" else -seconds) * 1_000_000


@lru_cache(maxsize=20_000)
def database_text(instant: int) -> str:
    """An instant as the database prints it: `2020-01-01 00:00:00+00`, a fraction only when there is one.

    `UNBOUNDED` is an empty text.
    """
    return _text(instant, " ", "+00")


@lru_cache(maxsize=20_000)
def iso_text(instant: int) -> str:
    """An instant with a `T` and the offset `+00:00`, trailing zeros of the fraction cut."""
    return _text(instant, "T", "+00:00")


def _text(instant: int, separator: str, offset: str) -> str:
    if instant == UNBOUNDED:
        return ""
    if instant >= FUTURE:
        return "infinity"
    if instant <= PAST:
        return "-infinity"
    moment = _EPOCH + timedelta(microseconds=instant)
    text = moment.replace(tzinfo=None, microsecond=0).isoformat(sep=separator)
    fraction = f".{moment.microsecond:06d}".rstrip("0") if moment.microsecond else ""
    return text + fraction + offset
