"""Where sealed values lie: every column of the cache that may hold one, found in the schema and listed nowhere else.

A table that gains a column of bytes is rotated and counted from then on, whether anybody thought of it or not.
"""

from dataclasses import dataclass
from typing import Final

import polars as pl
import sqlalchemy as sa

from integration_assets.cache.all_tables import metadata
from integration_assets.cache.cipher import is_sealed, key_id_of
from integration_assets.cache.tables import cipher_check, partition_fingerprint

KEY_COUNTS: Final = pl.Schema({"table": pl.String, "column": pl.String, "key_id": pl.String, "values": pl.Int64})

_NOT_SEALED: Final = frozenset({partition_fingerprint.c.packed, cipher_check.c.sealed})
"""Columns of bytes that hold no sealed data: packed fingerprints, and the checks of the keys themselves."""


@dataclass(frozen=True)
class SealedTable:
    """A table with sealed values: its SQL name, the columns of its primary key (texts), the columns of bytes."""

    name: str
    key: tuple[str, ...]
    columns: tuple[str, ...]


def _sealed_tables() -> tuple[SealedTable, ...]:
    found: list[SealedTable] = []
    for table in sorted(metadata.tables.values(), key=lambda each: each.name):
        columns = [
            column.name
            for column in table.columns
            if isinstance(column.type, sa.LargeBinary) and column not in _NOT_SEALED
        ]
        key = [column.name for column in table.primary_key]
        if columns and not all(isinstance(table.c[name].type, sa.Text) for name in key):
            raise TypeError(f"The sealed table {table.name} has a primary key that is no text.")
        if columns:
            found.append(SealedTable(table.name, tuple(key), tuple(columns)))
    return tuple(found)


SEALED_TABLES: Final = _sealed_tables()
"""All tables with columns that may hold sealed values, by name."""


def key_counts(connection: sa.Connection) -> pl.DataFrame:
    """How many values each key seals, as KEY_COUNTS; columns without sealed values have no row. Reads every value."""
    rows: list[tuple[str, str, str, int]] = []
    for table in SEALED_TABLES:
        for column in table.columns:
            query = (
                f"SELECT convert_from({key_id_of(column)}, 'UTF8') AS key_id, count(*) FROM \"{table.name}\" "
                f"WHERE {is_sealed(column)} GROUP BY 1 ORDER BY 1"
            )
            rows += [(table.name, column, key_id, count) for key_id, count in connection.execute(sa.text(query))]
    return pl.DataFrame(rows, schema=KEY_COUNTS, orient="row")


def sample(connection: sa.Connection, table: str, column: str, key_id: str) -> bytes | None:
    """One value of the column that the key sealed; None where there is none (any more)."""
    query = (
        f'SELECT {column} FROM "{table}" WHERE {is_sealed(column)} AND {key_id_of(column)} = CAST(:key_id AS bytea) '
        "LIMIT 1"
    )
    return connection.execute(sa.text(query), {"key_id": key_id.encode()}).scalar_one_or_none()
