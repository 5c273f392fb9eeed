"""Lists of addresses that people hand over: CSV or parquet files, read and written a portion at a time.

Belongs here: what may be wrong with such a file, and sentences that say so with its line. What the columns mean is
another's.
"""

import contextlib
import csv
import os
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import IO, Final, Protocol

import polars as pl
import polars.selectors as cs
import pyarrow as pa
import pyarrow.parquet as pq

CSV, PARQUET = ".csv", ".parquet"
ENDINGS: Final = (CSV, PARQUET)

_SEPARATORS: Final = (",", ";", "\t")
_BOM: Final = b"\xef\xbb\xbf"
_PARQUET_MAGIC: Final = b"PAR1"
_NOT_PARQUET: Final = (OSError, pa.ArrowException, pl.exceptions.PolarsError)
_NO_TEXT: Final = ("Binary", "Duration", "Object")
# A list of one column needs no quotes: no separator occurs in it that is one.
_NO_SEPARATOR: Final = "\x1f"


class BadList(Exception):
    """A file cannot be read or written as a list; the message says which, where in it and why."""


@dataclass(frozen=True)
class Portion:
    """Rows that follow each other in a list, and how far it has been read with them, of `size` in all (any unit)."""

    rows: pl.DataFrame
    read: int
    size: int


class GivenList(Protocol):
    """A list that is there to be read. `separator` and `with_bom` are how a CSV of the same kind is written."""

    path: Path
    schema: pl.Schema
    separator: str
    with_bom: bool

    def portions(self, rows: int) -> Iterator[Portion]:
        """The rows in order, so many at a time; at least one portion, which may be empty. Raises BadList."""
        ...


def open_list(path: Path) -> GivenList:
    """The list in a file: parquet where its name or its first bytes say so, else CSV. Raises BadList."""
    try:
        with path.open("rb") as file:
            begin = file.read(len(_PARQUET_MAGIC))
    except OSError as error:
        raise BadList(f"{path} cannot be read: {_reason(error)}.") from None
    if path.suffix.lower() == PARQUET or begin == _PARQUET_MAGIC:
        return ParquetList(path)
    return CsvList(path)


class CsvList:
    """A CSV file in UTF-8, with or without byte order mark, of columns apart by comma, semicolon or tabulator.

    All columns are text, a cell without text is "". A list of one column may do without quotation marks; an empty line
    is an empty row. Raises BadList with the line where the file is no such thing.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        lines = _Lines(path)
        first = next(lines, None)
        if first is None:
            raise BadList(f"{path} is empty: its first line has to name the columns.")
        self.with_bom = lines.had_bom
        found = max(_SEPARATORS, key=first.count)
        self._separator = found if found in first else _NO_SEPARATOR
        self.separator = found if found in first else _SEPARATORS[0]
        header, _ = next(self._rows(_Lines(path)))
        if twice := sorted({name for name in header if header.count(name) > 1}):
            raise BadList(f"{path} names a column twice: {', '.join(map(repr, twice))}.")
        self.schema = pl.Schema(dict.fromkeys(header, pl.String))

    def portions(self, rows: int) -> Iterator[Portion]:
        """As `GivenList.portions`; positions are bytes."""
        lines, size = _Lines(self.path), self.path.stat().st_size
        several = self._rows(lines)
        next(several)  # the names
        whole = (self._whole(row, line) for row, line in several)
        yield Portion(self._frame(list(islice(whole, rows))), lines.read, size)
        while portion := list(islice(whole, rows)):
            yield Portion(self._frame(portion), lines.read, size)

    def _frame(self, rows: list[list[str]]) -> pl.DataFrame:
        columns = zip(*rows, strict=True) if rows else ((),) * len(self.schema)
        return pl.DataFrame(dict(zip(self.schema, columns, strict=True)), schema=self.schema)

    def _whole(self, row: list[str], line: int) -> list[str]:
        """The row, where it has all columns or is an empty line. Raises BadList otherwise."""
        if len(row) == len(self.schema):
            return row
        if not row:
            return [""] * len(self.schema)
        raise BadList(
            f"{self.path}, line {line}: {len(row)} columns where the first line names {len(self.schema)}. "
            "Text in which the separator occurs has to stand in quotation marks."
        )

    def _rows(self, lines: Iterator[str]) -> Iterator[tuple[list[str], int]]:
        """The rows with the number of the line on which each begins."""
        reader = csv.reader(lines, delimiter=self._separator, strict=True)
        begin = 1
        try:
            for row in reader:
                yield row, begin
                begin = reader.line_num + 1
        except csv.Error as error:
            raise BadList(f"{self.path} cannot be read as CSV: the row of line {begin} is broken ({error}).") from None


class _Lines:
    """The lines of a file as text, and how many bytes they were."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lines = self._decoded()
        self.had_bom = False
        self.read = 0

    def __iter__(self) -> Iterator[str]:
        return self._lines

    def __next__(self) -> str:
        return next(self._lines)

    def _decoded(self) -> Iterator[str]:
        with self._path.open("rb") as file:
            for number, line in enumerate(file, 1):
                self.read += len(line)
                if number == 1:
                    self.had_bom = line.startswith(_BOM)
                    line = line.removeprefix(_BOM)
                try:
                    yield line.decode("utf-8")
                except UnicodeDecodeError:
                    raise BadList(
                        f"{self._path} is not UTF-8: line {number} is the first that cannot be read. "
                        "Save the file as CSV UTF-8 and try again."
                    ) from None


class ParquetList:
    """A parquet file. Raises BadList where it is none."""

    separator = ","
    with_bom = False

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            with pq.ParquetFile(path) as file:
                self.schema = pl.DataFrame(file.schema_arrow.empty_table()).schema
        except _NOT_PARQUET as error:
            raise BadList(f"{path} cannot be read as parquet: {_reason(error)}.") from None

    def portions(self, rows: int) -> Iterator[Portion]:
        """As `GivenList.portions`; positions are rows."""
        read = 0
        try:
            with pq.ParquetFile(self.path) as file:
                size = file.metadata.num_rows
                for batch in file.iter_batches(rows):
                    read += batch.num_rows
                    yield Portion(pl.DataFrame(pa.Table.from_batches([batch])), read, size)
            if read == 0:
                yield Portion(self.schema.to_frame(), 0, 0)
        except _NOT_PARQUET as error:
            raise BadList(f"{self.path} cannot be read as parquet after row {read}: {_reason(error)}.") from None


class Sheet(Protocol):
    """A list that is being written."""

    def add(self, rows: pl.DataFrame) -> None:
        """Writes rows behind those before; always the same columns."""
        ...


@contextlib.contextmanager
def new_list(path: Path, schema: pl.Schema, separator: str = ",", with_bom: bool = False) -> Iterator[Sheet]:
    """A list to be written, CSV or parquet by the ending of its name.

    Written to a file beside it, which takes its name when all is well and is removed otherwise. Nested columns are JSON
    in CSV. Raises BadList when the ending, the folder or a column's type does not do.
    """
    check_new(path, schema)
    passing = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        if path.suffix.lower() == PARQUET:
            empty = _arrow(schema.to_frame())
            with pq.ParquetWriter(passing, empty.schema, compression="zstd") as writer:
                yield _ParquetSheet(writer, empty.schema)
        else:
            with passing.open("wb") as file:
                yield _CsvSheet(file, separator, with_bom)
        passing.replace(path)
    except OSError as error:
        raise BadList(f"{path} cannot be written: {_reason(error)}. What was there before is as it was.") from None
    finally:
        passing.unlink(missing_ok=True)


def check_new(path: Path, schema: pl.Schema) -> None:
    """Raises BadList when a list of this name and these columns cannot be written."""
    if path.suffix.lower() not in ENDINGS:
        raise BadList(f"The name of the list to be written has to end in .csv or .parquet; {path} does not.")
    if not path.parent.is_dir():
        raise BadList(f"There is no folder {path.parent} for {path.name}. Make it first.")
    if path.is_dir():
        raise BadList(f"{path} is a folder.")
    if path.suffix.lower() == CSV:
        unfit = [name for name, dtype in schema.items() if any(kind in repr(dtype) for kind in _NO_TEXT)]
        if unfit:
            raise BadList(f"{path} cannot be CSV: {', '.join(unfit)} cannot be written as text. Choose .parquet.")


class _ParquetSheet:
    def __init__(self, writer: pq.ParquetWriter, schema: pa.Schema) -> None:
        self._writer, self._schema = writer, schema

    def add(self, rows: pl.DataFrame) -> None:
        self._writer.write_table(_arrow(rows).cast(self._schema))


class _CsvSheet:
    def __init__(self, file: IO[bytes], separator: str, with_bom: bool) -> None:
        self._file, self._separator, self._bom = file, separator, with_bom
        self._first = True

    def add(self, rows: pl.DataFrame) -> None:
        flat = rows.with_columns(_json(name) for name, dtype in rows.schema.items() if dtype.is_nested())
        # "" would be written with quotation marks.
        flat = flat.with_columns(pl.when(cs.string() != "").then(cs.string()))
        flat.write_csv(
            self._file, separator=self._separator, include_header=self._first, include_bom=self._first and self._bom
        )
        self._first = False


def _json(name: str) -> pl.Expr:
    """A nested column as JSON text; null and the empty list are null. Polars writes the JSON of structs only."""
    text = pl.struct(pl.col(name).alias("j")).struct.json_encode().str.strip_prefix('{"j":').str.strip_suffix("}")
    return pl.when(~text.is_in(["null", "[]"])).then(text).alias(name)


def _arrow(frame: pl.DataFrame) -> pa.Table:
    return frame.to_arrow(compat_level=pl.CompatLevel.oldest())


def _reason(error: Exception) -> str:
    text = (error.strerror if isinstance(error, OSError) else None) or str(error).partition("\n")[0]
    return text.rstrip(".")
