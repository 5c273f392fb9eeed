"""Merging frames into entity tables: one transaction per call, and only rows that differ are written.

A row that is no longer in the frame stays in the table with `vanished_at`; when it returns it is revived. Sealed
columns are compared by their plain text and encrypted only when they are written.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import polars as pl
import sqlalchemy as sa

from integration_assets.cache import rows, snapshots
from integration_assets.cache.cipher import Cipher
from integration_assets.cache.fingerprint import algorithm, row_fingerprints
from integration_assets.cache.locks import lock_key
from integration_assets.domain.schema import EntityTable

_KEYS_SHOWN = 5


@dataclass(frozen=True)
class MergeCounts:
    """Rows of a merge. `new` includes rows that had vanished and are back."""

    new: int
    changed: int
    unchanged: int
    vanished: int


def merge_partition(
    engine: sa.Engine,
    table: EntityTable,
    areas: Sequence[str],
    frame: pl.DataFrame,
    *,
    cipher: Cipher,
    as_of_now: datetime,
) -> MergeCounts:
    """Make the partitions `areas` of the table hold exactly the rows of `frame`, in one transaction.

    `frame` has the table's columns (any order); `as_of_now` is the instant written to first_seen_at, changed_at and
    vanished_at. Two merges of the same partition wait for each other. Raises ValueError when a key or partition is
    missing or comes twice, when a row lies outside `areas`, or when a text holds NUL.
    """
    frame = _checked(table, areas, frame)
    stamp = algorithm(table.schema)
    fingerprints = frame.select(
        pl.col(table.partition).alias("area"),
        pl.col(table.key).alias("key"),
        row_fingerprints(frame, list(table.schema)),
    ).with_row_index("row")
    by_area = fingerprints.partition_by("area", as_dict=True)
    with engine.begin() as connection:
        for area in sorted(set(areas)):
            lock = lock_key(f"merge {table.name} {area}")
            connection.execute(sa.text("SELECT pg_advisory_xact_lock(:key)"), {"key": lock})
        stored = snapshots.load(connection, table.name, areas, stamp)
        rebuilt = _rebuilt(connection, table, [area for area in areas if area not in stored], cipher)
        empty = pl.DataFrame(schema=snapshots.SNAPSHOT)
        different: list[pl.Series] = [pl.Series(dtype=pl.UInt32)]
        gone: list[pl.DataFrame] = [pl.DataFrame(schema={table.partition: pl.String, table.key: pl.String})]
        counts = MergeCounts(0, 0, 0, 0)
        for area in sorted(set(areas)):
            part = by_area.get((area,), fingerprints.clear())
            snapshot = part.select("key", "fingerprint")
            difference = snapshots.compare(stored.get(area, rebuilt.get(area, empty)), snapshot)
            counts = _plus(counts, difference)
            if area not in stored or not difference.is_empty:
                snapshots.store(connection, table.name, area, stamp, snapshot, as_of_now)
            different += [part["row"].gather(difference.new), part["row"].gather(difference.changed)]
            gone.append(_named(table, area, difference.vanished))
        written = pl.concat(different).sort()
        if len(written):
            rows.write(connection, table, frame, fingerprints["fingerprint"], written, cipher, as_of_now)
        rows.mark_vanished(connection, table, pl.concat(gone), as_of_now)
    return counts


def read_partition(
    engine: sa.Engine,
    table: EntityTable,
    areas: Sequence[str] | None,
    *,
    cipher: Cipher,
    include_vanished: bool = False,
    columns: Sequence[str] | None = None,
) -> pl.DataFrame:
    """The rows of the partitions `areas` (None: all), columns as `table.schema`, ordered by partition and key.

    `columns` chooses some of them: sealed ones that nobody needs are then not opened. Rows that vanished from their
    source are left out unless asked for. Raises CipherError when sealed values cannot be opened with the configured
    keys.
    """
    with engine.connect() as connection:
        return rows.read(connection, table, areas, cipher, include_vanished=include_vanished, columns=columns)


def _checked(table: EntityTable, areas: Sequence[str], frame: pl.DataFrame) -> pl.DataFrame:
    if missing := [name for name in table.schema if name not in frame.columns]:
        raise ValueError(f"The frame for {table.name} lacks the columns {missing}.")
    frame = frame.select(table.schema.names()).cast(dict(table.schema))  # pyright: ignore[reportArgumentType]
    for name in (table.key, table.partition):
        if frame[name].null_count():
            raise ValueError(f"{frame[name].null_count()} rows for {table.name} have no {name}.")
    strangers = frame[table.partition].unique().sort()
    if outside := [area for area in strangers if area not in set(areas)]:
        raise ValueError(f"Rows for {table.name} lie in partitions that were not asked for: {outside[:_KEYS_SHOWN]}.")
    identity = [table.partition, table.key] if len(strangers) > 1 else [table.key]
    # By hashes first, which costs a quarter of comparing texts; two keys may share one, so texts have the last word.
    if row_fingerprints(frame, identity).n_unique() < frame.height and frame.n_unique(identity) < frame.height:
        twice = frame.filter(pl.struct(identity).is_duplicated())[table.key].unique().sort()
        shown = ", ".join(twice.head(_KEYS_SHOWN))
        raise ValueError(f"{len(twice)} keys come twice in a partition of {table.name}: {shown}.")
    return frame


def _rebuilt(
    connection: sa.Connection, table: EntityTable, areas: Sequence[str], cipher: Cipher
) -> dict[str, pl.DataFrame]:
    """Snapshots computed from the living rows themselves, for areas without a usable stored one."""
    if not areas:
        return {}
    living = rows.read(connection, table, areas, cipher, include_vanished=False)
    frame = living.select(
        pl.col(table.partition).alias("area"),
        pl.col(table.key).alias("key"),
        row_fingerprints(living, list(table.schema)),
    )
    parts = frame.partition_by("area", as_dict=True, include_key=False)
    return {str(area): part for (area,), part in parts.items()}


def _named(table: EntityTable, area: str, keys: pl.Series) -> pl.DataFrame:
    return pl.DataFrame({table.partition: pl.repeat(area, len(keys), dtype=pl.String, eager=True), table.key: keys})


def _plus(counts: MergeCounts, difference: snapshots.Difference) -> MergeCounts:
    return MergeCounts(
        counts.new + len(difference.new),
        counts.changed + len(difference.changed),
        counts.unchanged + difference.unchanged,
        counts.vanished + len(difference.vanished),
    )
