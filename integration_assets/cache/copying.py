"""Frames to and from PostgreSQL by COPY in CSV: the fastest way that keeps every value exactly.

Missing values travel unquoted and texts quoted, so null, empty text and the text ``\\N`` stay apart.
"""

import io
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, cast

import polars as pl
import psycopg
import sqlalchemy as sa
from psycopg import sql

ROWS_AT_ONCE = 50_000
_READ_BYTES = 32 * 1024 * 1024


def copy_in(connection: sa.Connection, table: str, frame: pl.DataFrame) -> None:
    """Append the frame's rows to the columns of the same names. Binary columns become bytea.

    Raises ValueError when a text holds the character NUL, which PostgreSQL cannot store; the text is not quoted.
    """
    copy_parts(connection, table, frame.columns, frame.iter_slices(ROWS_AT_ONCE))


def copy_parts(connection: sa.Connection, table: str, columns: Sequence[str], parts: Iterator[pl.DataFrame]) -> None:
    """As `copy_in`, for frames made one after the other: the next one is made while PostgreSQL takes in the last."""
    listed = sql.SQL(", ").join(sql.Identifier(name) for name in columns)
    statement = sql.SQL("COPY {} ({}) FROM STDIN (FORMAT csv, NULL '\\N')").format(sql.Identifier(table), listed)

    def following() -> io.BytesIO | None:
        part = next(parts, None)
        return None if part is None else _encoded(table, part.select(columns))

    with (
        ThreadPoolExecutor(1) as ahead,
        driver(connection).cursor() as cursor,
        cursor.copy(statement) as copy,
    ):
        upcoming = ahead.submit(following)
        while (encoded := upcoming.result()) is not None:
            upcoming = ahead.submit(following)
            copy.write(encoded.getbuffer())


def copy_out(
    connection: sa.Connection, query: str, schema: Mapping[str, Any], parameters: Sequence[Any] | Mapping[str, Any] = ()
) -> pl.DataFrame:
    """The rows of `query` as a frame of `schema`; the query's columns are in the same order and of these SQL forms.

    String, Int64, Float64: as they are. Binary: bytea. Date, Datetime and Boolean: by `as_number`.
    """
    raw = {name: pl.String if dtype == pl.Binary else _wire_type(dtype) for name, dtype in schema.items()}
    statement = sql.SQL("COPY ({}) TO STDOUT (FORMAT csv)").format(sql.SQL(cast("Any", query)))
    frames: list[pl.DataFrame] = []
    rows: list[bytes] = []
    size = 0
    with driver(connection).cursor() as cursor, cursor.copy(statement, parameters) as copy:
        for row in copy:  # PostgreSQL sends one row per message
            rows.append(bytes(row))
            size += len(row)
            if size > _READ_BYTES:
                frames.append(_parsed(rows, raw, schema))
                rows, size = [], 0
    frames.append(_parsed(rows, raw, schema))
    return pl.concat(frames)


def fetch(connection: sa.Connection, query: str, schema: Mapping[str, Any], parameters: Sequence[Any]) -> pl.DataFrame:
    """The rows of `query` as a frame of `schema`: quicker than `copy_out` where large binary values are most of it."""
    with driver(connection).cursor(binary=True) as cursor:
        rows = cursor.execute(sql.SQL(cast("Any", query)), parameters).fetchall()
    return pl.DataFrame(rows, schema=dict(schema), orient="row")


def as_number(column: str, dtype: Any) -> str:
    """The SQL expression under which `copy_out` expects a column: dates and instants as numbers since 1970."""
    quoted = '"' + column.replace('"', '""') + '"'
    if dtype == pl.Date:
        return f"{quoted} - DATE '1970-01-01'"
    if dtype == pl.Datetime:
        return f"(extract(epoch FROM {quoted}) * 1000000)::bigint"
    if dtype == pl.Boolean:
        return f"{quoted}::int"
    return quoted


def _parsed(rows: list[bytes], raw: Mapping[str, Any], schema: Mapping[str, Any]) -> pl.DataFrame:
    if not rows:
        return pl.DataFrame(schema=schema)
    frame = pl.read_csv(b"".join(rows), has_header=False, schema=raw)
    return frame.select(_typed(name, dtype) for name, dtype in schema.items())


def _typed(name: str, dtype: Any) -> pl.Expr:
    column = pl.col(name)
    if dtype == pl.Binary:
        return column.str.strip_prefix("\\x").str.decode("hex")
    if dtype == pl.Datetime:
        return column.cast(pl.Datetime("us", "UTC"))
    return column.cast(dtype)


def _wire_type(dtype: Any) -> Any:
    if dtype == pl.Date:
        return pl.Int32
    if dtype == pl.Datetime:
        return pl.Int64
    return pl.Int8 if dtype == pl.Boolean else dtype


def _encoded(table: str, part: pl.DataFrame) -> io.BytesIO:
    texts = [name for name, dtype in part.schema.items() if dtype == pl.String]
    with_nul = part.select(pl.col(texts).str.contains("\x00", literal=True).any()).to_dicts() if texts else []
    if guilty := [name for row in with_nul for name, found in row.items() if found]:
        raise ValueError(f"Columns {guilty} for {table} hold the character NUL, which PostgreSQL cannot store.")
    buffer = io.BytesIO()
    # Dates as texts: the CSV writer's own formatting is several times slower.
    part.with_columns(
        *(
            (pl.lit("\\x") + column.bin.encode("hex")).alias(column.meta.output_name())
            for column in _of(part, pl.Binary)
        ),
        *(column.cast(pl.String) for column in _of(part, pl.Date)),
    ).write_csv(buffer, include_header=False, null_value="\\N", quote_style="non_numeric")
    return buffer


def _of(part: pl.DataFrame, dtype: type[pl.DataType]) -> list[pl.Expr]:
    return [pl.col(name) for name, found in part.schema.items() if found == dtype]


def driver(connection: sa.Connection) -> "psycopg.Connection[Any]":
    """The psycopg connection beneath, in the same transaction."""
    return cast("psycopg.Connection[Any]", connection.connection.driver_connection)
