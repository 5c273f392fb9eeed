"""Reading rows of the exchange format: texts and days, with a sentence where one is missing or wrong."""

from collections.abc import Mapping
from datetime import date
from typing import Any

Row = Mapping[str, Any]


class BadExchange(ValueError):
    """Slices, contracts or a call cannot be read; the text says which and why."""


def text_of(row: Row, name: str, otherwise: object = None) -> str:
    """The text of that name, or the other one where there is none. Raises BadExchange."""
    value = row.get(name)
    value = otherwise if value is None else value
    if not isinstance(value, str) or not value:
        raise BadExchange(f"{name} is missing, or is no text.")
    return value


def day_of(row: Row, name: str, otherwise: date | None = None) -> date:
    """The day of that name, or the other one where there is none. Raises BadExchange."""
    value = row.get(name)
    if value is None and otherwise is not None:
        return otherwise
    return as_day(value, name)


def as_day(value: object, what: str) -> date:
    """A day told as ISO text; `what` names it in the sentence of BadExchange."""
    try:
        return date.fromisoformat(value if isinstance(value, str) else "")
    except ValueError:
        raise BadExchange(f"{what}: {value!r} is no day.") from None
