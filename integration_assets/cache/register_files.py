"""Parquet files of one entity of the address register: a table, and pieces that change it."""

import os
import shutil
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Final

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

from integration_assets.domain.addresses.dar_tables import DAR_TABLES, Kind, id_columns, merged, row_columns

_BATCH_ROWS: Final = 200_000


def written(path: Path, entity: str, portions: Iterable[pl.DataFrame]) -> int:
    """Writes the portions of an entity's table one after the other and returns how many rows there are."""
    empty = DAR_TABLES[entity].to_frame()
    rows = 0
    with pq.ParquetWriter(path, _arrow(empty).schema, compression="zstd") as writer:
        for portion in portions:
            writer.write_table(_arrow(portion))
            rows += portion.height
    return rows


def table(entity: str, kind: Kind, paths: Sequence[Path], columns: Sequence[str] | None = None) -> pl.DataFrame:
    """The rows of an entity after all changes; all columns, or those named and the ones that name a row."""
    wanted = [*row_columns(entity, kind), *columns] if columns is not None else list(DAR_TABLES[entity])
    first = pl.read_parquet(paths[0], columns=list(dict.fromkeys(wanted)))
    return merged(entity, kind, first, _changes(entity, paths[1:]))


def rows_of(entity: str, kind: Kind, paths: Sequence[Path], things: pl.DataFrame) -> pl.DataFrame:
    """The rows of the things named by the entity's id columns, after all changes."""
    names = id_columns(entity)
    first = pl.scan_parquet(paths[0]).join(things.lazy().select(names), on=names, how="semi").collect()
    changes = _changes(entity, paths[1:]).join(things.select(names), on=names, how="semi")
    return merged(entity, kind, first, changes)


def compacted(entity: str, kind: Kind, paths: Sequence[Path], target: Path) -> int:
    """Writes the rows of an entity after all changes to one new file, a batch at a time; returns how many."""
    names = row_columns(entity, kind)
    latest = _changes(entity, paths[1:]).unique(names, keep="last", maintain_order=True)

    def portions() -> Iterable[pl.DataFrame]:
        for batch in pq.ParquetFile(paths[0]).iter_batches(_BATCH_ROWS):
            frame = pl.DataFrame(pa.Table.from_batches([batch]))
            yield frame.join(latest, on=names, how="anti", nulls_equal=True)
        yield latest.filter(~pl.col("ended")).select(list(DAR_TABLES[entity]))

    return written(target, entity, portions())


def linked(path: Path, target: Path) -> None:
    """The same file under another name; a copy where the file system knows no hard links."""
    try:
        os.link(path, target)
    except OSError:
        shutil.copy2(path, target)


def _changes(entity: str, paths: Sequence[Path]) -> pl.DataFrame:
    schema = pl.Schema({**DAR_TABLES[entity], "ended": pl.Boolean})
    return pl.concat([schema.to_frame(), *(pl.read_parquet(path).select(list(schema)) for path in paths)])


def _arrow(frame: pl.DataFrame) -> pa.Table:
    return frame.to_arrow(compat_level=pl.CompatLevel.oldest())
