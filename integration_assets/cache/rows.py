"""The rows of entity tables: reading them, writing new versions of them, marking those that vanished.

A new version of a row is written by deleting the old one and copying the new one into the table, in one transaction.
That costs half of an upsert by way of a temporary table when much has changed, and the same when little has.
"""

from collections.abc import Iterator, Sequence
from datetime import datetime

import polars as pl
import sqlalchemy as sa

from integration_assets.cache.cipher import Cipher
from integration_assets.cache.copying import ROWS_AT_ONCE, as_number, copy_in, copy_out, copy_parts
from integration_assets.domain.schema import EntityTable

_BOOKS = ("fingerprint", "first_seen_at", "changed_at")


def read(
    connection: sa.Connection, table: EntityTable, areas: Sequence[str] | None, cipher: Cipher, include_vanished: bool
) -> pl.DataFrame:
    """The rows of the partitions `areas` (None: all), columns as `table.schema`, ordered by partition and key."""
    conditions = [] if include_vanished else ["vanished_at IS NULL"]
    if areas is not None:
        conditions.append(f'"{table.partition}" = ANY(%s)')
    schema = {name: pl.Binary if name in table.sealed else dtype for name, dtype in table.schema.items()}
    selected = ", ".join(as_number(name, dtype) for name, dtype in schema.items())
    where = f" WHERE {' AND '.join(conditions)}" if conditions else ""
    query = f'SELECT {selected} FROM "{table.name}"{where}'
    rows = copy_out(connection, query, schema, [] if areas is None else [list(areas)])
    opened = rows.with_columns(cipher.open_series(rows[name]) for name in sorted(table.sealed))
    return opened.sort(table.partition, table.key)


def write(
    connection: sa.Connection,
    table: EntityTable,
    frame: pl.DataFrame,
    fingerprints: pl.Series,
    positions: pl.Series,
    cipher: Cipher,
    now: datetime,
) -> None:
    """Write the rows at `positions` of the frame, new or instead of their former versions (living or vanished).

    `first_seen_at` is kept, `changed_at` is `now`, `vanished_at` empty. Sealed columns are encrypted here.
    """
    first_seen = _removed(connection, table, frame.select(table.partition, table.key)[positions], now)

    def parts() -> Iterator[pl.DataFrame]:
        for start in range(0, len(positions), ROWS_AT_ONCE):
            chosen = positions.slice(start, ROWS_AT_ONCE)
            part = frame[chosen]
            yield part.with_columns(
                *(cipher.seal_series(part[name]) for name in sorted(table.sealed)),
                fingerprints.gather(chosen).reinterpret(signed=True).alias("fingerprint"),
                first_seen.slice(start, ROWS_AT_ONCE).alias("first_seen_at"),
                pl.lit(now.isoformat()).alias("changed_at"),
            )

    copy_parts(connection, table.name, (*table.schema.names(), *_BOOKS), parts())


def mark_vanished(connection: sa.Connection, table: EntityTable, gone: pl.DataFrame, now: datetime) -> None:
    """Set `vanished_at` of the rows that `gone` names (partition and key)."""
    if gone.is_empty():
        return
    connection.execute(sa.text("CREATE TEMP TABLE gone (area text, key text) ON COMMIT DROP"))
    copy_in(connection, "gone", gone.select(area=table.partition, key=table.key))
    connection.execute(
        sa.text(
            f'UPDATE "{table.name}" AS stored SET vanished_at = :now FROM gone '
            f'WHERE stored."{table.partition}" = gone.area AND stored."{table.key}" = gone.key'
        ),
        {"now": now},
    )


def _removed(connection: sa.Connection, table: EntityTable, identities: pl.DataFrame, now: datetime) -> pl.Series:
    """Delete the rows with these identities; the instant (text) at which each was first seen, `now` for new ones."""
    this_moment = now.isoformat()
    if not _has_rows(connection, table, identities[table.partition].unique().to_list()):
        return pl.repeat(this_moment, identities.height, dtype=pl.String, eager=True)
    connection.execute(sa.text("CREATE TEMP TABLE rewritten (row int, area text, key text) ON COMMIT DROP"))
    copy_in(connection, "rewritten", identities.select(area=table.partition, key=table.key).with_row_index("row"))
    connection.execute(sa.text("ANALYZE rewritten"))
    query = (
        f'DELETE FROM "{table.name}" AS stored USING rewritten WHERE stored."{table.partition}" = rewritten.area '
        f'AND stored."{table.key}" = rewritten.key RETURNING rewritten.row, stored.first_seen_at'
    )
    removed = copy_out(connection, query, {"row": pl.Int64, "first_seen_at": pl.String})
    instants = pl.repeat(this_moment, identities.height, dtype=pl.String, eager=True)
    return instants.scatter(removed["row"], removed["first_seen_at"])


def _has_rows(connection: sa.Connection, table: EntityTable, areas: Sequence[str]) -> bool:
    query = sa.text(f'SELECT EXISTS (SELECT FROM "{table.name}" WHERE "{table.partition}" = ANY(:areas))')
    return bool(connection.execute(query, {"areas": list(areas)}).scalar_one())
