"""The rows of entity tables: reading them, writing new versions of them, marking those that vanished.

Pages of these tables are half empty (fillfactor 50): a new version of a row then finds room beside the old one and no
index needs to be touched, which makes a change of all rows twice as fast.
"""

from collections.abc import Iterator, Sequence
from datetime import datetime

import polars as pl
import sqlalchemy as sa

from integration_assets.cache.cipher import Cipher
from integration_assets.cache.copying import ROWS_AT_ONCE, as_number, copy_in, copy_out, copy_parts
from integration_assets.domain.schema import EntityTable


def read(
    connection: sa.Connection,
    table: EntityTable,
    areas: Sequence[str] | None,
    cipher: Cipher,
    *,
    include_vanished: bool,
    columns: Sequence[str] | None = None,
) -> pl.DataFrame:
    """The rows of the partitions `areas` (None: all), `columns` of `table.schema`, ordered by partition and key."""
    wanted = table.schema.names() if columns is None else list(columns)
    conditions = [] if include_vanished else ["vanished_at IS NULL"]
    if areas is not None:
        conditions.append(f'"{table.partition}" = ANY(%s)')
    needed = list(dict.fromkeys([*wanted, table.partition, table.key]))
    schema = {name: pl.Binary if name in table.sealed else table.schema[name] for name in needed}
    selected = ", ".join(as_number(name, dtype) for name, dtype in schema.items())
    where = f" WHERE {' AND '.join(conditions)}" if conditions else ""
    query = f'SELECT {selected} FROM "{table.name}"{where}'
    rows = copy_out(connection, query, schema, [] if areas is None else [list(areas)])
    opened = rows.with_columns(cipher.open_series(rows[name]) for name in sorted(table.sealed.intersection(needed)))
    return opened.sort(table.partition, table.key).select(wanted)


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
    columns = (*table.schema.names(), "fingerprint")

    def parts() -> Iterator[pl.DataFrame]:
        for start in range(0, len(positions), ROWS_AT_ONCE):
            chosen = positions.slice(start, ROWS_AT_ONCE)
            part = frame[chosen]
            yield part.with_columns(
                *(cipher.seal_series(part[name]) for name in sorted(table.sealed)),
                fingerprints.gather(chosen).reinterpret(signed=True).alias("fingerprint"),
                pl.lit(now.isoformat()).alias("first_seen_at"),
                pl.lit(now.isoformat()).alias("changed_at"),
            )

    if _has_rows(connection, table, frame[table.partition].gather(positions).unique().to_list()):
        listed = ", ".join(f'"{name}"' for name in columns)
        connection.execute(
            sa.text(f'CREATE TEMP TABLE merged ON COMMIT DROP AS SELECT {listed} FROM "{table.name}" WITH NO DATA')
        )
        copy_parts(connection, "merged", columns, parts())
        _take_over(connection, table, columns, len(positions), now)
    else:
        copy_parts(connection, table.name, (*columns, "first_seen_at", "changed_at"), parts())


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


def _take_over(
    connection: sa.Connection, table: EntityTable, columns: Sequence[str], count: int, now: datetime
) -> None:
    """Update the table's rows from the temporary table `merged` (`count` rows), and insert those it does not have."""
    same = " AND ".join(f'stored."{name}" = merged."{name}"' for name in (table.partition, table.key))
    payload = [name for name in columns if name not in (table.partition, table.key)]
    values = ", ".join(f'"{name}" = merged."{name}"' for name in payload)
    connection.execute(sa.text("ANALYZE merged"))
    updated = connection.execute(
        sa.text(
            f'UPDATE "{table.name}" AS stored SET {values}, changed_at = :now, vanished_at = NULL '
            f"FROM merged WHERE {same}"
        ),
        {"now": now},
    ).rowcount
    if updated < count:
        listed = ", ".join(f'"{name}"' for name in columns)
        connection.execute(
            sa.text(
                f'INSERT INTO "{table.name}" ({listed}, first_seen_at, changed_at) '
                f"SELECT {listed}, :now, :now FROM merged "
                f'WHERE NOT EXISTS (SELECT FROM "{table.name}" AS stored WHERE {same})'
            ),
            {"now": now},
        )


def _has_rows(connection: sa.Connection, table: EntityTable, areas: Sequence[str]) -> bool:
    query = sa.text(f'SELECT EXISTS (SELECT FROM "{table.name}" WHERE "{table.partition}" = ANY(:areas))')
    return bool(connection.execute(query, {"areas": list(areas)}).scalar_one())
