"""Work that is done for many at once, and for each alone where one of them spoils it."""

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import psycopg
from sqlalchemy.exc import DBAPIError


class Failure(NamedTuple):
    """What could not be done for somebody or something, and what the database said."""

    key: str
    sentence: str


def in_parts(part: Any, act: Callable[[Any], None]) -> Iterator[tuple[Any, str]]:
    """Does it for all of a part at once or, where that fails, for halves of it; gives the single ones that fail."""
    try:
        act(part)
    except (DBAPIError, psycopg.Error, ValueError) as error:
        if len(part) == 1:
            yield part, _said(error)
            return
        half = len(part) // 2
        yield from in_parts(part[:half], act)
        yield from in_parts(part[half:], act)


def _said(error: Exception) -> str:
    cause = error.orig if isinstance(error, DBAPIError) and error.orig is not None else error
    return f"The database refused it: {' '.join(str(cause).split())}"
