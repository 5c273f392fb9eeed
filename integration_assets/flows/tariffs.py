"""Tariff books from files into the cache: read, validated as a whole, and put in force as a new version."""

from collections.abc import Sequence
from importlib import resources
from pathlib import Path
from typing import Final, NamedTuple

import polars as pl

from integration_assets.cache.tariff_books import TariffBooks
from integration_assets.domain.facts.operands import BadConfiguration
from integration_assets.domain.facts.tariffs import TABLES, Document, TariffBook, book_of

SUFFIXES: Final = (".csv", ".parquet")
BUILT_IN: Final = "built-in"
"""The name of the book that comes along: the usual operands of district heating, and one product without facts."""


class LoadedBook(NamedTuple):
    """What loading did: the version in force, whether it is new, and the book."""

    version: int
    is_new: bool
    book: TariffBook


def load_tariffs(books: TariffBooks, paths: Sequence[Path], loaded_by: str) -> LoadedBook:
    """Puts the tables of these files (or folders of them) in force; tables that they leave out stay as they are.

    A file is named after its table: operands, templates, prices or products, .csv or .parquet. Raises BadConfiguration,
    with nothing written, where a file or the book as a whole cannot be used.
    """
    document = _with_those_in_force(books, paths)
    book = book_of(document)
    version, is_new = books.load(document, ", ".join(str(path) for path in paths), loaded_by)
    return LoadedBook(version, is_new, book)


def checked_tariffs(books: TariffBooks, paths: Sequence[Path]) -> TariffBook:
    """The book that `load_tariffs` would put in force; nothing is written. Raises BadConfiguration likewise."""
    return book_of(_with_those_in_force(books, paths))


def tariffs_in_force(books: TariffBooks, path: Path | None, loaded_by: str) -> LoadedBook:
    """The book of the files that the settings name, loaded where they changed; else the one that was loaded last.

    Where none ever was, the built-in one. Raises BadConfiguration as `load_tariffs`.
    """
    if path is not None:
        return load_tariffs(books, [path], loaded_by)
    stored = books.in_force()
    if stored is not None:
        return LoadedBook(stored.version, is_new=False, book=book_of(stored.document))
    document = built_in()
    book = book_of(document)
    version, is_new = books.load(document, BUILT_IN, loaded_by)
    return LoadedBook(version, is_new, book)


def tables_of(paths: Sequence[Path]) -> Document:
    """The tables that files or folders hold, every cell as text. Raises BadConfiguration where they hold none."""
    tables: dict[str, list[dict[str, str]]] = {}
    for path in _files(paths):
        if path.stem not in TABLES or path.suffix not in SUFFIXES:
            raise BadConfiguration(
                f"{path} is no table of tariffs: a file is named {', '.join(TABLES)}, with .csv or .parquet."
            )
        if path.stem in tables:
            raise BadConfiguration(f"{path}: the table {path.stem} is there twice.")
        tables[path.stem] = _rows(path)
    return tables


def built_in() -> Document:
    """The tables of the book that comes along."""
    folder = resources.files("integration_assets.flows") / "tariff_tables"
    with resources.as_file(folder) as path:
        return tables_of([path])


def _with_those_in_force(books: TariffBooks, paths: Sequence[Path]) -> Document:
    stored = books.in_force()
    return {**(built_in() if stored is None else stored.document), **tables_of(paths)}


def _files(paths: Sequence[Path]) -> list[Path]:
    found: list[Path] = []
    for path in paths:
        if path.is_dir():
            inside = sorted(file for file in path.iterdir() if file.stem in TABLES and file.suffix in SUFFIXES)
            if not inside:
                raise BadConfiguration(f"{path} holds no table of tariffs ({', '.join(TABLES)}, .csv or .parquet).")
            found += inside
        elif path.is_file():
            found.append(path)
        else:
            raise BadConfiguration(f"{path}: there is no such file.")
    return found


def _rows(path: Path) -> list[dict[str, str]]:
    try:
        if path.suffix == ".csv":
            frame = pl.read_csv(path, infer_schema=False, separator=_separator(path), encoding="utf8")
        else:
            frame = pl.read_parquet(path)
        texts = frame.select(pl.all().cast(pl.String).fill_null("").str.strip_chars())
    except (OSError, UnicodeDecodeError, pl.exceptions.PolarsError) as error:
        raise BadConfiguration(f"{path} cannot be read: {error}") from None
    return texts.to_dicts()


def _separator(path: Path) -> str:
    """What stands between the columns: a Danish spreadsheet writes semicolons."""
    with path.open(encoding="utf-8-sig") as file:
        first = file.readline()
    return ";" if first.count(";") > first.count(",") else ","
