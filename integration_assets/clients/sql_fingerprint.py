"""Fingerprints of many rows, computed inside the database: Microsoft SQL Server and PostgreSQL.

Belongs here: three SQL expressions that SQLAlchemy does not have. Promises: equal rows in any order give equal
fingerprints, and null differs from every value. Does not promise: that the two databases give the same fingerprint, or
that a change is certain to show: SQL Server's aggregate has twice 32 bits, PostgreSQL's is a sum of 64-bit hashes.
"""

from typing import Any

import sqlalchemy as sa
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.functions import FunctionElement


class row_hash(FunctionElement[Any]):
    """A hash of the values of one row: 64-bit integer in PostgreSQL, SHA-256 in SQL Server."""

    inherit_cache = True
    name = "row_hash"


class hash_aggregate(FunctionElement[str]):
    """The row hashes of a group folded into one text, whatever their order."""

    inherit_cache = True
    name = "hash_aggregate"
    type = sa.String()


class row_count(FunctionElement[int]):
    """The number of rows of a group, without an upper bound."""

    inherit_cache = True
    name = "row_count"
    type = sa.BigInteger()


@compiles(row_hash, "postgresql")
def _row_hash_postgresql(element: row_hash, compiler: Any, **kw: Any) -> str:
    values = ", ".join(compiler.process(value, **kw) for value in element.clauses)
    # The text of a record quotes its values and leaves null empty, so no two rows share it.
    return f"hashtextextended(CAST(ROW({values}) AS TEXT), 0)"


@compiles(row_hash, "mssql")
def _row_hash_mssql(element: row_hash, compiler: Any, **kw: Any) -> str:
    parts = ["CAST(N'' AS nvarchar(max))"]  # one long argument keeps CONCAT from cutting at 4,000 characters
    for value in element.clauses:
        sql = compiler.process(value, **kw)
        # Style 2 writes floats in full, style 126 dates in ISO 8601; character 31 cannot be typed into a field.
        style = ", 2" if isinstance(value.type, sa.Float) else ", 126" if isinstance(value.type, sa.DateTime) else ""
        text = f"CONVERT(nvarchar(max), {sql}{style})"
        parts.append(f"CASE WHEN {sql} IS NULL THEN N'-' ELSE CONCAT(N'+', {text}, NCHAR(31)) END")
    return f"HASHBYTES('SHA2_256', CONCAT({', '.join(parts)}))"


@compiles(hash_aggregate, "postgresql")
def _hash_aggregate_postgresql(element: hash_aggregate, compiler: Any, **kw: Any) -> str:
    return f"CAST(sum({compiler.process(element.clauses, **kw)}) AS TEXT)"


@compiles(hash_aggregate, "mssql")
def _hash_aggregate_mssql(element: hash_aggregate, compiler: Any, **kw: Any) -> str:
    value = compiler.process(element.clauses, **kw)
    slices = ", N'/', ".join(f"CHECKSUM_AGG(CAST(SUBSTRING({value}, {start}, 4) AS int))" for start in (1, 5))
    return f"CONCAT({slices})"


@compiles(row_count, "postgresql")
def _row_count_postgresql(element: row_count, compiler: Any, **kw: Any) -> str:  # noqa: ARG001
    return "count(*)"


@compiles(row_count, "mssql")
def _row_count_mssql(element: row_count, compiler: Any, **kw: Any) -> str:  # noqa: ARG001
    return "COUNT_BIG(*)"
