"""Errors of the database without the rows that caused them.

PostgreSQL adds the whole failing row to many of its errors (DETAIL), and the line that COPY was at (CONTEXT). Errors
end up in logs and in Dagster's history, where names, addresses and numbers have no business. What is kept is what an
operator can act on: the message itself, the table, the constraint and the column.
"""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

import psycopg

_LOOKS_LIKE_CPR: Final = re.compile(r"(?<!\d)\d{5,6}[- ]?\d{4}(?!\d)")


class QuietCursor(psycopg.Cursor[Any]):
    """A cursor whose errors say what went wrong, and with which table, and never with which values."""

    def execute(self, *arguments: Any, **options: Any) -> "QuietCursor":
        with _quiet():
            super().execute(*arguments, **options)
        return self

    def executemany(self, *arguments: Any, **options: Any) -> None:
        with _quiet():
            super().executemany(*arguments, **options)

    @contextmanager
    def copy(self, *arguments: Any, **options: Any) -> Iterator[psycopg.Copy]:
        with _quiet(), super().copy(*arguments, **options) as copy:
            yield copy


@contextmanager
def _quiet() -> Iterator[None]:
    try:
        yield
    except psycopg.Error as error:
        # In place: the class tells callers whether to try again.
        error.args = (said_without_values(error),)
        raise


def said_without_values(error: psycopg.Error) -> str:
    """What the error says, without detail and context; what looks like a personal number is masked."""
    diagnosis = error.diag
    said = diagnosis.message_primary or str(error).partition("\n")[0]
    named = [
        f"{kind} {name}"
        for kind, name in (("table", diagnosis.table_name), ("column", diagnosis.column_name))
        if name and name not in said
    ]
    masked = _LOOKS_LIKE_CPR.sub("**********", said)
    return f"{masked} ({', '.join(named)})" if named else masked
