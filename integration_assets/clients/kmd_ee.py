"""KMD EE, the billing system: its Microsoft SQL Server database, read only.

Belongs here: the five questions that are put to the database. Cleaning and meaning are `domain.source`.

Promises: only the tables' named columns are read, with bound parameters and in portions; a row leaves no trace in an
error text; what changed since yesterday can be told per postal code by one statement. The same statements run on
PostgreSQL, where the sandbox keeps the tables. Does not promise one moment in time over several questions: a row
changed in between shows in the fingerprints of the next day.
"""

from collections.abc import Collection, Iterator, Sequence
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from typing import Any

import polars as pl
import sqlalchemy as sa
from sqlalchemy import exc

from integration_assets.clients.http import CallError, PermanentError, TransientError, mask
from integration_assets.clients.kmd_ee_tables import (
    ALTERNATIV_STED,
    ALTERNATIVE_COLUMNS,
    CUSTOMER_COLUMNS,
    FORBRUGSSTED,
    INSTALLATION_COLUMNS,
    KUNDE,
    TREF_INSTALLATION,
    TREF_MAALER,
    raw_schema,
)
from integration_assets.clients.sql_fingerprint import hash_aggregate, row_count, row_hash

EXCLUDED_GROUP = 999
"""Settlement group that the utility wants left out (29 November 2017); its meaning is not documented."""

FINGERPRINTS = pl.Schema({"postcode": pl.String, "rows": pl.Int64, "fingerprint": pl.String})
POSTCODES = pl.Schema({"postcode": pl.String})
CUSTOMERS = raw_schema(CUSTOMER_COLUMNS)
CUSTOMERS_BY_NUMBER = pl.Schema({**CUSTOMERS, "AfregningsgrpNr": pl.Int64()})
INSTALLATIONS = pl.Schema(
    {**raw_schema(INSTALLATION_COLUMNS), "Postnr": pl.String(), **raw_schema(ALTERNATIVE_COLUMNS)}
)

_EXACT_FLOATS = 2**53
_NUMBERS_PER_QUESTION = 1000  # SQL Server takes 2,100 parameters
Statement = sa.Select[*tuple[Any, ...]]
_Labels = tuple[sa.Label[Any], ...]


def fingerprint_statement(as_of: date, window_start: date) -> Statement:
    """Per postal code the number and the fingerprint of all rows of `customers` and `installations`.

    The day itself takes part: a row that becomes visible joins the group, and a move-out or the end of a meter that
    becomes effective changes its row's hash.
    """
    customers = sa.select(
        FORBRUGSSTED.c.Postnr.label("postcode"),
        row_hash(
            sa.literal_column("1", sa.Integer), *_elements(CUSTOMER_COLUMNS), _past(KUNDE.c.Fraflytningsdato, as_of)
        ).label("hash"),
    ).select_from(_CUSTOMER_JOIN)
    installations = sa.select(
        FORBRUGSSTED.c.Postnr.label("postcode"),
        row_hash(
            sa.literal_column("2", sa.Integer),
            *_elements(INSTALLATION_COLUMNS + ALTERNATIVE_COLUMNS),
            _past(TREF_MAALER.c.DatoTil, as_of),
        ).label("hash"),
    ).select_from(_INSTALLATION_JOIN)
    rows = sa.union_all(customers.where(*_visible(as_of, window_start)), installations.where(*_begun(as_of))).subquery(
        "source_rows"
    )
    return (
        sa.select(rows.c.postcode, row_count().label("row_total"), hash_aggregate(rows.c.hash).label("fingerprint"))
        .group_by(rows.c.postcode)
        .order_by(rows.c.postcode)
    )


def postcodes_statement() -> Statement:
    """The postal codes of all consumption places, as typed."""
    return sa.select(FORBRUGSSTED.c.Postnr.label("postcode")).distinct()


def customers_statement(postcodes: Collection[str | None], as_of: date, window_start: date) -> Statement:
    """Customers that have moved in and have not moved out before `window_start`, in places of the postal codes."""
    return (
        sa.select(*CUSTOMER_COLUMNS)
        .select_from(_CUSTOMER_JOIN)
        .where(_in_postcodes(postcodes), *_visible(as_of, window_start))
    )


def customers_by_number_statement(numbers: Sequence[str]) -> Statement:
    """Customers by number, whatever their dates and settlement group, also without a consumption place."""
    return (
        sa.select(*CUSTOMER_COLUMNS, KUNDE.c.AfregningsgrpNr)
        .select_from(KUNDE.outerjoin(FORBRUGSSTED, KUNDE.c.ForbrugsstedID == FORBRUGSSTED.c.ForbrugsstedID))
        .where(KUNDE.c.Kundenr.in_([float(number) for number in numbers]))
    )


def installations_statement(postcodes: Collection[str | None], as_of: date) -> Statement:
    """Installations and meters that have begun, ended ones included, in places of the postal codes."""
    return (
        sa.select(*INSTALLATION_COLUMNS, FORBRUGSSTED.c.Postnr, *ALTERNATIVE_COLUMNS)
        .select_from(_INSTALLATION_JOIN)
        .where(_in_postcodes(postcodes), *_begun(as_of))
    )


class KmdEe:
    """The database behind an engine: ``mssql+pyodbc`` in production, ``postgresql+psycopg`` in the sandbox."""

    def __init__(self, engine: sa.Engine, *, batch_rows: int = 20_000) -> None:
        self._engine = engine
        self._batch_rows = batch_rows

    @classmethod
    def from_url(cls, url: str) -> "KmdEe":
        """A client with an engine of its own, whose errors never show parameter values."""
        return cls(sa.create_engine(url, hide_parameters=True, pool_pre_ping=True))

    def area_fingerprints(self, as_of: date, window_start: date) -> pl.DataFrame:
        """Columns postcode (as stored, null included), rows, fingerprint; by one aggregate statement.

        Raises TransientError when the database is not reached, PermanentError when it refuses the statement.
        """
        return self._frame(fingerprint_statement(as_of, window_start), FINGERPRINTS)

    def postcodes(self) -> pl.Series:
        """The postal codes of the consumption places, as stored, each once. Raises as `area_fingerprints`."""
        return self._frame(postcodes_statement(), POSTCODES).to_series()

    def customers(self, postcodes: Collection[str | None], as_of: date, window_start: date) -> pl.DataFrame:
        """The raw rows (schema CUSTOMERS, 24 source columns) of customers in places of these postal codes.

        Raises as `area_fingerprints`.
        """
        return self._frame(customers_statement(postcodes, as_of, window_start), CUSTOMERS)

    def customers_by_number(self, numbers: Collection[str]) -> pl.DataFrame:
        """The raw rows of these customer numbers without any filter: to explain why a row vanished.

        Schema CUSTOMERS_BY_NUMBER: the 24 columns and AfregningsgrpNr. Raises as `area_fingerprints`.
        """
        wanted = sorted(set(numbers))
        frames = [CUSTOMERS_BY_NUMBER.to_frame()] + [
            self._frame(
                customers_by_number_statement(wanted[start : start + _NUMBERS_PER_QUESTION]), CUSTOMERS_BY_NUMBER
            )
            for start in range(0, len(wanted), _NUMBERS_PER_QUESTION)
        ]
        return pl.concat(frames)

    def installations(self, postcodes: Collection[str | None], as_of: date) -> pl.DataFrame:
        """The raw rows (schema INSTALLATIONS): 8 source columns, Postnr of the place, 8 columns prefixed Alt_.

        One row per meter that has begun; the history is included. Raises as `area_fingerprints`.
        """
        return self._frame(installations_statement(postcodes, as_of), INSTALLATIONS)

    def _frame(self, statement: Statement, schema: pl.Schema) -> pl.DataFrame:
        return pl.concat([schema.to_frame(), *self._portions(statement, schema)], rechunk=True)

    def _portions(self, statement: Statement, schema: pl.Schema) -> Iterator[pl.DataFrame]:
        try:
            with self._engine.connect() as connection:
                options = connection.execution_options(stream_results=True, yield_per=self._batch_rows)
                for rows in options.execute(statement).partitions():
                    columns = zip(schema.items(), zip(*rows, strict=True), strict=True)
                    yield pl.DataFrame([_series(name, values, dtype) for (name, dtype), values in columns])
        except exc.DBAPIError as failure:
            raise _as_call_error(failure) from None


def _elements(columns: _Labels) -> list[Any]:
    return [column.element for column in columns]


_CUSTOMER_JOIN = KUNDE.join(FORBRUGSSTED, KUNDE.c.ForbrugsstedID == FORBRUGSSTED.c.ForbrugsstedID)
_INSTALLATION_JOIN = (
    TREF_INSTALLATION.join(TREF_MAALER, TREF_INSTALLATION.c.InstallationID == TREF_MAALER.c.InstallationID)
    .join(FORBRUGSSTED, TREF_INSTALLATION.c.ForbrugsstedID == FORBRUGSSTED.c.ForbrugsstedID)
    .outerjoin(ALTERNATIV_STED, TREF_INSTALLATION.c.AlternativStedID == ALTERNATIV_STED.c.AlternativStedID)
)


def _midnight(day: date) -> datetime:
    return datetime.combine(day, time())


def _next_midnight(day: date) -> datetime:
    """The source's dates carry a time of day: "on or before the day" means before the next midnight."""
    return _midnight(day + timedelta(days=1))


def _visible(as_of: date, window_start: date) -> tuple[sa.ColumnElement[bool], ...]:
    """Moved in, not moved out before the window, not excluded. Missing dates stay in, to be rejected by name."""
    moved_in, moved_out = KUNDE.c.Tilflytningsdato, KUNDE.c.Fraflytningsdato
    group = KUNDE.c.AfregningsgrpNr
    return (
        sa.or_(moved_in < _next_midnight(as_of), moved_in.is_(None)),
        sa.or_(moved_out >= _midnight(window_start), moved_out.is_(None)),
        sa.or_(group != EXCLUDED_GROUP, group.is_(None)),
    )


def _begun(as_of: date) -> tuple[sa.ColumnElement[bool], ...]:
    begin = TREF_MAALER.c.DatoFra
    return (sa.or_(begin < _next_midnight(as_of), begin.is_(None)),)


def _past(column: sa.ColumnElement[datetime], as_of: date) -> sa.ColumnElement[int]:
    """1 where the end date has come, else 0."""
    one, nought = sa.literal_column("1", sa.Integer), sa.literal_column("0", sa.Integer)
    return sa.case((column < _next_midnight(as_of), one), else_=nought)


def _in_postcodes(postcodes: Collection[str | None]) -> sa.ColumnElement[bool]:
    column = FORBRUGSSTED.c.Postnr
    named = column.in_(sorted(code for code in postcodes if code is not None))
    return sa.or_(named, column.is_(None)) if None in postcodes else named


def _series(name: str, values: Sequence[Any], dtype: pl.DataType) -> pl.Series:
    """A column of the frame. Numbers that the frame keeps as text lose a decimal point and noughts behind it.

    Raises PermanentError when the database keeps something else in the column than it is known to.
    """
    try:
        return pl.Series(name, values, dtype, strict=True)
    except (TypeError, ValueError, OverflowError, pl.exceptions.PolarsError):
        pass
    try:
        if isinstance(dtype, pl.String):
            whole = _whole_numbers(name, values)
            return pl.Series(name, [_text(value) for value in values], dtype) if whole is None else whole
        read = {pl.Float64: float, pl.Int64: int}[type(dtype)]
        return pl.Series(name, [None if value is None else read(value) for value in values], dtype)
    except (TypeError, ValueError, KeyError, OverflowError):
        message = f"KMD EE column {name} holds values that cannot be read as {dtype}."
        raise PermanentError(message, code="column_type") from None


def _whole_numbers(name: str, values: Sequence[Any]) -> pl.Series | None:
    """The text of floats as `_text` gives it, by columns; None where not all are whole, or not floats."""
    try:
        numbers = pl.Series(name, values, pl.Float64, strict=True)
    except (TypeError, ValueError, pl.exceptions.PolarsError):
        return None
    whole = (numbers % 1 == 0) & (numbers.abs() < _EXACT_FLOATS)
    return numbers.cast(pl.Int64).cast(pl.String) if whole.fill_null(True).all() else None


def _text(value: Any) -> str | None:
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, float | Decimal) and value % 1 == 0:
        return str(int(value))
    return str(value)


def _as_call_error(failure: exc.DBAPIError) -> CallError:
    """No connection, time-out or deadlock may pass; a missing table, column or right does not."""
    passes = failure.connection_invalidated or isinstance(
        failure, exc.OperationalError | exc.InterfaceError | exc.TimeoutError
    )
    kind = TransientError if passes else PermanentError
    text = mask(str(failure.orig).split("\n", 1)[0])
    return kind(f"KMD EE refused the question: {text}", code=type(failure).__name__, text=text)
