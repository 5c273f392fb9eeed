"""Looks for personal numbers in whatever a run leaves behind: files, databases, texts.

A number counts in every way it may be written: ten digits, six and four with a hyphen or a blank between, and without
its leading zero, as the billing system's floats have it. Compressed content is opened, sealed content is not.
"""

import io
import re
import sqlite3
import zlib
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Final

import polars as pl
import psycopg
import sqlalchemy as sa
from psycopg import sql

_TEN: Final = re.compile(rb"(?<![0-9])([0-9]{6})[- ]?([0-9]{4})(?![0-9])")
_NINE: Final = re.compile(rb"(?<![0-9])[0-9]{9}(?![0-9])")
_ARROW: Final = b"ARROW1"
_SQLITE: Final = b"SQLite format 3"
_BYTES: Final = ("bytea",)


class Numbers:
    """The personal numbers that must not be found."""

    def __init__(self, numbers: Iterable[str]) -> None:
        self._ten = {number.encode() for number in numbers}
        self._nine = {number[1:]: number for number in self._ten if number.startswith(b"0")}

    def __len__(self) -> int:
        return len(self._ten)

    def found_in(self, data: bytes | str) -> set[str]:
        """The numbers that occur in the data, or in what it is compressed from."""
        raw = data.encode() if isinstance(data, str) else data
        content = [raw, *_inflated(raw)]
        hits = {ten for each in content for parts in _TEN.findall(each) if (ten := parts[0] + parts[1]) in self._ten}
        hits |= {self._nine[nine] for each in content for nine in _NINE.findall(each) if nine in self._nine}
        return {hit.decode() for hit in hits}


def leaks(numbers: Numbers, content: Iterable[tuple[str, bytes | str]]) -> dict[str, int]:
    """How many numbers each place holds; places are told, numbers are not."""
    found = ((place, len(numbers.found_in(data))) for place, data in content)
    return {place: count for place, count in found if count}


def files(folder: Path, *, without: Iterable[str] = ("postgres",)) -> Iterator[tuple[str, bytes | str]]:
    """Path and content of every file below a folder, but for subfolders of these names; SQLite's also table by table.

    The name of a file is part of what is looked at.
    """
    for path in sorted(folder.rglob("*")):
        parts = path.relative_to(folder).parts
        if path.is_file() and not set(parts[:-1]) & set(without):
            data = path.read_bytes()
            yield str(path), data
            yield f"the name of {path}", path.name
            if data.startswith(_SQLITE):  # a text may lie on two pages of the file
                yield from _sqlite_tables(path)


def database(url: str) -> Iterator[tuple[str, bytes]]:
    """Table and content of every table of a PostgreSQL database: bytes as they are, everything else as text."""
    engine = sa.create_engine(url, poolclass=sa.NullPool)
    parts = sa.make_url(url).set(drivername="postgresql").render_as_string(hide_password=False)
    names = sa.inspect(engine).get_table_names()
    with psycopg.connect(parts) as connection:
        for name in names:
            columns = connection.execute(
                "SELECT column_name, data_type FROM information_schema.columns "
                "WHERE table_schema = 'public' AND table_name = %s ORDER BY ordinal_position",
                [name],
            ).fetchall()
            shown = sql.SQL(", ").join(
                sql.Identifier(column) if kind in _BYTES else sql.SQL("{}::text").format(sql.Identifier(column))
                for column, kind in columns
            )
            rows = connection.execute(sql.SQL("SELECT {} FROM {}").format(shown, sql.Identifier(name)))
            for number, row in enumerate(rows):
                yield f"{name}, row {number}", b"\n".join(_raw(value) for value in row)
    engine.dispose()


def _sqlite_tables(path: Path) -> Iterator[tuple[str, bytes]]:
    connection = sqlite3.connect(f"file:{path}?mode=ro", uri=True)
    names = [name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
    for name in names:
        for number, row in enumerate(connection.execute(f'SELECT * FROM "{name}"')):
            yield f"{path}: {name}, row {number}", b"\n".join(_raw(value) for value in row)
    connection.close()


def _raw(value: object) -> bytes:
    if value is None:
        return b""
    raw = bytes(value) if isinstance(value, bytes | memoryview) else str(value).encode()
    return b"\n".join([raw, *_inflated(raw)])


def _inflated(raw: bytes) -> list[bytes]:
    """What the bytes are when they are compressed, as Dagster's snapshots are, or an Arrow file."""
    if raw.startswith(_ARROW):
        return [pl.read_ipc(io.BytesIO(raw)).write_json().encode()]
    for window in (zlib.MAX_WBITS, zlib.MAX_WBITS | 16):
        try:
            return [zlib.decompress(raw, window)]
        except zlib.error:
            continue
    return []
