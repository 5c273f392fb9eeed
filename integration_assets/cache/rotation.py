"""Seals every sealed value anew with the current key, while runs go on.

A batch of rows is locked, opened, sealed and written in one short transaction. Rows that somebody else holds are left
out and taken in a later pass, so rotation never waits for a run; a run waits for one batch at most. Between locking and
writing nobody can change a row, so no change of a run is lost. Fingerprints are of the plain values and stay.

Rotation may be killed at any moment and started again: what is sealed with the current key already is not touched.
"""

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from psycopg import sql

from integration_assets.cache.cipher import Cipher, CipherError, is_sealed
from integration_assets.cache.copying import driver
from integration_assets.cache.key_checks import retire_unused
from integration_assets.cache.sealed import SEALED_TABLES, SealedTable

BATCH_ROWS = 1000
_PAUSE_SECONDS = 0.2

Progress = Callable[[str, int, int], None]
"""Told after each batch: the table, values sealed anew in it so far, values that had to be when the rotation began."""


@dataclass(frozen=True)
class Rotation:
    """What a rotation did: values sealed anew by table, values it could not get at because runs held them all the time,
    ids of the keys that seal nothing any more, and how long it took."""

    resealed: dict[str, int]
    left: dict[str, int]
    retired: Sequence[str]
    seconds: float

    @property
    def values(self) -> int:
        """Values sealed anew."""
        return sum(self.resealed.values())


def _silent(_table: str, _done: int, _size: int) -> None:
    """Tells nobody."""


def rotate(
    engine: sa.Engine,
    cipher: Cipher,
    *,
    progress: Progress = _silent,
    batch_rows: int = BATCH_ROWS,
    patience_seconds: float = 60.0,
) -> Rotation:
    """Seals all values with the cipher's current key that are sealed with another one.

    Rows that runs hold are tried again for `patience_seconds`. Raises CipherError, naming the table, when a value does
    not open; what was sealed anew before stays so, and the value is as it was.
    """
    began = time.monotonic()
    sizes = outdated(engine, cipher)
    left, resealed = dict(sizes), dict.fromkeys(sizes, 0)
    while True:
        for table in SEALED_TABLES:
            if not left[table.name]:
                continue
            for values in _reseal(engine, table, cipher, batch_rows):
                resealed[table.name] += values
                progress(table.name, resealed[table.name], max(sizes[table.name], resealed[table.name]))
        left = outdated(engine, cipher)
        if not any(left.values()) or time.monotonic() - began > patience_seconds:
            break
        time.sleep(_PAUSE_SECONDS)
    with engine.begin() as connection:
        retired = retire_unused(connection, cipher)
    remaining = {name: count for name, count in left.items() if count}
    return Rotation(resealed, remaining, retired, time.monotonic() - began)


def outdated(engine: sa.Engine, cipher: Cipher) -> dict[str, int]:
    """How many values of each sealed table another key than the current one seals."""
    counts: dict[str, int] = {}
    with engine.connect() as connection:
        for table in SEALED_TABLES:
            query = _query("SELECT {counts} FROM {table}", table, cipher, counts=_counts(table, cipher))
            row = driver(connection).execute(query).fetchone()
            counts[table.name] = sum(row or ())
    return counts


def _reseal(engine: sa.Engine, table: SealedTable, cipher: Cipher, batch_rows: int) -> Iterator[int]:
    """One pass over a table in the order of its primary key; gives how many values each batch sealed anew."""
    after: Sequence[str] = ()
    while True:
        with engine.begin() as connection:
            rows = _locked(connection, table, cipher, after, batch_rows)
            values = _write(connection, table, cipher, rows) if rows else 0
        if not rows:
            return
        yield values
        after = rows[-1][: len(table.key)]


def _locked(
    connection: sa.Connection, table: SealedTable, cipher: Cipher, after: Sequence[str], limit: int
) -> list[tuple[Any, ...]]:
    """Up to `limit` free rows behind the key `after` with a value to seal anew, locked: key columns, sealed columns."""
    query = _query(
        "SELECT {key}, {columns} FROM {table} WHERE {behind} AND ({outdated}) ORDER BY {key} LIMIT {limit} "
        "FOR UPDATE SKIP LOCKED",
        table,
        cipher,
        limit=sql.Literal(limit),
        behind=sql.SQL("({}) > ({})").format(_names(table.key), sql.SQL(", ").join(map(sql.Literal, after)))
        if after
        else sql.SQL("true"),
    )
    with driver(connection).cursor(binary=True) as cursor:
        return cursor.execute(query).fetchall()


def _write(connection: sa.Connection, table: SealedTable, cipher: Cipher, rows: Sequence[tuple[Any, ...]]) -> int:
    """Writes the values of locked rows sealed anew; returns how many there were."""
    keys = len(table.key)
    values = list(zip(*rows, strict=True))
    try:
        fresh = [[cipher.resealed(value) for value in column] for column in values[keys:]]
    except CipherError as error:
        raise CipherError(f"Table {table.name}: {error}") from None
    query = _query(
        "UPDATE {table} AS stored SET {assigned} FROM unnest({arrays}) AS fresh ({key}, {columns}) WHERE {same}",
        table,
        cipher,
        assigned=_pairs(table.columns, "{0} = fresh.{0}", ", "),
        arrays=sql.SQL(", ").join([sql.SQL("%s::text[]")] * keys + [sql.SQL("%b::bytea[]")] * len(table.columns)),
        same=_pairs(table.key, "stored.{0} = fresh.{0}", " AND "),
    )
    driver(connection).execute(query, [*(list(column) for column in values[:keys]), *fresh])
    changed = zip(values[keys:], fresh, strict=True)
    return sum(old is not new for olds, news in changed for old, new in zip(olds, news, strict=True))


def _counts(table: SealedTable, cipher: Cipher) -> sql.Composable:
    each = (sql.SQL("count(*) FILTER (WHERE {})").format(_outdated(column, cipher)) for column in table.columns)
    return sql.SQL(", ").join(each)


def _outdated(column: str, cipher: Cipher) -> sql.Composable:
    """The condition that a value is sealed, and not with the current key."""
    start = sql.SQL("substring({} FROM 1 FOR {})").format(sql.Identifier(column), sql.Literal(len(cipher.header)))
    sealed = sql.SQL(is_sealed(f'"{column}"'))  # pyright: ignore[reportArgumentType] - a column's name, no input
    return sql.SQL("({} AND {} <> {})").format(sealed, start, sql.Literal(cipher.header))


def _query(text: str, table: SealedTable, cipher: Cipher, **parts: sql.Composable) -> sql.Composed:
    return sql.SQL(text).format(  # pyright: ignore[reportArgumentType] - texts of this module
        table=sql.Identifier(table.name),
        key=_names(table.key),
        columns=_names(table.columns),
        outdated=sql.SQL(" OR ").join(_outdated(column, cipher) for column in table.columns),
        **parts,
    )


def _names(columns: Sequence[str]) -> sql.Composable:
    return sql.SQL(", ").join(map(sql.Identifier, columns))


def _pairs(columns: Sequence[str], form: str, separator: str) -> sql.Composable:
    each = (
        sql.SQL(form).format(sql.Identifier(column))  # pyright: ignore[reportArgumentType] - texts of this module
        for column in columns
    )
    return sql.SQL(separator).join(each)  # pyright: ignore[reportArgumentType]
