"""What a partition looked like at its last merge: key and fingerprint of every living row, as one packed value.

The packed value stands beside the rows and changes in the same transaction. It saves reading (and opening) the rows to
find out that they are unchanged.
"""

import io
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import polars as pl
import polars_hash as plh
import sqlalchemy as sa

from integration_assets.cache.copying import driver

# %b: as text, the packed value would be sent in twice its size, which takes longer than storing it.
_STORE = """
INSERT INTO partition_fingerprint AS p (table_name, area, algorithm, packed, row_count, updated_at)
VALUES (%s, %s, %s, %b, %s, %s)
ON CONFLICT (table_name, area) DO UPDATE SET algorithm = excluded.algorithm, packed = excluded.packed,
  row_count = excluded.row_count, updated_at = excluded.updated_at
"""

SNAPSHOT = pl.Schema({"key": pl.String, "fingerprint": pl.UInt64})


@dataclass(frozen=True)
class Difference:
    """A partition's new rows against its snapshot: positions in the new frame, keys of the old one."""

    new: pl.Series
    changed: pl.Series
    vanished: pl.Series
    unchanged: int

    @property
    def is_empty(self) -> bool:
        return not (len(self.new) or len(self.changed) or len(self.vanished))


def compare(old: pl.DataFrame, new: pl.DataFrame) -> Difference:
    """The difference of two frames of `SNAPSHOT`. `new` and `changed` are row positions in the second one."""
    position = pl.int_range(pl.len(), dtype=pl.UInt32).alias("position")
    if old.height == new.height and (old["key"] == new["key"]).all():  # the usual case: same rows in the same order
        changed = new.select(position.filter(pl.col("fingerprint") != old["fingerprint"])).to_series()
        nothing = changed.clear()
        return Difference(nothing, changed, old["key"].clear(), new.height - len(changed))
    # Joined by a hash of the key, which costs half of a join of texts. Should two keys ever share a hash: by the text.
    hashed = plh.col("key").nchash.xxh3_64().alias("hash")
    left, right, by = new.with_columns(position, hashed), old.with_columns(hashed), "hash"
    joined = left.join(right, on=by, how="left", suffix="_old")
    if joined.height > new.height or not (joined["key"] == joined["key_old"]).fill_null(True).all():
        by = "key"
        joined = left.join(right, on=by, how="left", suffix="_old")
    before = pl.col("fingerprint_old")
    added = joined.filter(before.is_null())["position"].sort()
    changed = joined.filter(before != pl.col("fingerprint"))["position"].sort()
    known = new.height - len(added)
    vanished = old["key"].clear() if known == old.height else right.join(left, on=by, how="anti")["key"]
    return Difference(added, changed, vanished, known - len(changed))


def load(connection: sa.Connection, table: str, areas: Sequence[str], algorithm: str) -> dict[str, pl.DataFrame]:
    """The snapshots (frames of `SNAPSHOT`) by area; areas without one, or with one of another algorithm, are absent."""
    query = "SELECT area, packed FROM partition_fingerprint WHERE table_name = %s AND area = ANY(%s) AND algorithm = %s"
    with driver(connection).cursor(binary=True) as cursor:  # binary: as text, the packed values would double in size
        stored = cursor.execute(query, [table, list(areas), algorithm])
        return {area: pl.read_ipc(io.BytesIO(packed)) for area, packed in stored}


def version(connection: sa.Connection, table: str) -> tuple[object, ...]:
    """What differs as soon as a merge changed a row of the table: partitions, rows and the last change."""
    query = "SELECT count(*), sum(row_count), max(updated_at) FROM partition_fingerprint WHERE table_name = :table"
    return tuple(connection.execute(sa.text(query), {"table": table}).one())


def store(
    connection: sa.Connection, table: str, area: str, algorithm: str, snapshot: pl.DataFrame, now: datetime
) -> None:
    """Keep the snapshot of one partition, replacing the former one."""
    buffer = io.BytesIO()
    snapshot.write_ipc(buffer, compression="lz4", compat_level=pl.CompatLevel.oldest())
    row = (table, area, algorithm, buffer.getvalue(), snapshot.height, now)
    with driver(connection).cursor() as cursor:
        cursor.execute(_STORE, row)
