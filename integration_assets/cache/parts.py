"""Work that is done for many at once, and for each alone where one of them spoils it."""

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import psycopg
from sqlalchemy.exc import DataError, DBAPIError, IntegrityError

_SPOILT = (DataError, IntegrityError, psycopg.DataError, psycopg.IntegrityError, ValueError)
"""What one row may do to all the others; that a database is away is no such thing."""


class Failure(NamedTuple):
    """What could not be done for somebody or something of a supply area, and what the database said."""

    key: str
    area: str
    sentence: str


def in_parts(part: Any, act: Callable[[Any], None]) -> Iterator[tuple[Any, str]]:
    """Does it for all of a part at once or, where the data spoil that, for halves of it; gives the ones that fail.

    Other errors are raised.
    """
    try:
        act(part)
    except _SPOILT as error:
        if len(part) == 1:
            yield part, _said(error)
            return
        half = len(part) // 2
        yield from in_parts(part[:half], act)
        yield from in_parts(part[half:], act)


def _said(error: Exception) -> str:
    cause = error.orig if isinstance(error, DBAPIError) and error.orig is not None else error
    return f"The database refused it: {' '.join(str(cause).split())}"
