"""Fingerprints of rows: 64 bits that differ when the rows differ, the same on every platform and library version.

The algorithm, so that anybody can repeat it:

1. A value becomes bytes: text its UTF-8; everything else eight bytes, little endian: a whole number as it is (two's
   complement), a date its days since 1970-01-01, an instant its microseconds since then (UTC), true 1 and false 0, a
   floating-point number its IEEE 754 form (so -0.0 and 0.0 differ; every not-a-number is 0x7FF8000000000000).
2. The bytes are hashed by XXH3 (64 bits, seed 0). A missing value has the hash `NULL_HASH`: it differs from empty text.
3. Each column has an odd weight: the first eight bytes (little endian, lowest bit set) of SHA-256 of ``type:name``.
4. The fingerprint is the sum of weight times hash over the columns, modulo 2**64.

Columns are hashed apart, so no text can forge a border between them; the weights bind a value to its column. A change
of one column is seen unless XXH3 itself collides; several at once collide with a probability of 2**-64.
"""

import hashlib
import json
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Final

import numpy as np
import polars as pl
import polars_hash as plh

ALGORITHM: Final = "xxh3-64-columns/1"
"""Name of the algorithm, kept beside stored fingerprints: those of another algorithm are rebuilt, not compared."""

NULL_HASH: Final = 0x6E756C6C_6E756C6C
_AT_ONCE: Final = 4
"""Columns hashed at a time: enough for all cores, without holding 20 columns of hashes in memory."""


def algorithm(columns: pl.Schema) -> str:
    """The name to keep beside fingerprints of these columns: algorithm and a digest of the columns' names and types.

    When a table gains a column, stored fingerprints are of another algorithm and get rebuilt from the rows.
    """
    signature = json.dumps(sorted(f"{_kind(dtype)}:{name}" for name, dtype in columns.items()))
    return f"{ALGORITHM} {hashlib.sha256(signature.encode()).hexdigest()[:16]}"


def row_fingerprints(frame: pl.DataFrame, columns: Sequence[str]) -> pl.Series:
    """The fingerprint (UInt64) of each row over `columns`, in any order. Raises TypeError on types not listed above."""
    total = pl.Series("fingerprint", [0], dtype=pl.UInt64).new_from_index(0, frame.height)
    for names in _batches(columns):
        with ThreadPoolExecutor(len(names)) as pool:
            part = pl.DataFrame(list(pool.map(lambda name: _as_bytes(frame.get_column(name)), names)))
        hashed = part.lazy().select(_weighted_hash(name, frame.schema[name]) for name in names).collect()
        total = total + hashed.select(pl.sum_horizontal(names)).to_series()
    return total.alias("fingerprint")


def column_weight(name: str, dtype: pl.DataType | type[pl.DataType]) -> int:
    """The odd 64-bit weight of a column (step 3)."""
    return int.from_bytes(hashlib.sha256(f"{_kind(dtype)}:{name}".encode()).digest()[:8], "little") | 1


def _batches(columns: Sequence[str]) -> Iterator[Sequence[str]]:
    for start in range(0, len(columns), _AT_ONCE):
        yield columns[start : start + _AT_ONCE]


def _as_bytes(column: pl.Series) -> pl.Series:
    """The column as text (String) or as its eight bytes (Binary)."""
    if column.dtype == pl.String:
        return column
    if column.dtype == pl.Float64:
        numbers = column.fill_nan(float("nan"))
    elif isinstance(column.dtype, pl.Datetime):
        numbers = column.dt.epoch("us")
    elif column.dtype == pl.Date:
        numbers = column.cast(pl.Int32).cast(pl.Int64)
    else:
        _kind(column.dtype)
        numbers = column.cast(pl.Int64)
    return _eight_bytes_each(numbers)


def _eight_bytes_each(numbers: pl.Series) -> pl.Series:
    """The values of a 64-bit column as Binary of eight bytes, null for null.

    By way of lists of bytes: Arrow's conversion of fixed-size binaries takes three times as long.
    """
    values = np.ascontiguousarray(numbers.fill_null(0).to_numpy())
    octets = pl.Series(numbers.name, values.view(np.uint8).reshape(-1, 8), dtype=pl.Array(pl.UInt8, 8))
    raw = octets.cast(pl.List(pl.UInt8)).cast(pl.Binary)
    return raw.zip_with(numbers.is_not_null(), raw.clear().extend_constant(None, 1)) if numbers.null_count() else raw


def _weighted_hash(name: str, dtype: pl.DataType) -> pl.Expr:
    hashed = plh.col(name).nchash.xxh3_64().fill_null(pl.lit(NULL_HASH, dtype=pl.UInt64))
    return (hashed * pl.lit(column_weight(name, dtype), dtype=pl.UInt64)).alias(name)


def _kind(dtype: pl.DataType | type[pl.DataType]) -> str:
    """The type's name in the weight. Raises TypeError for types that the cache's tables do not have."""
    for kind, known in {
        "text": pl.String,
        "int": pl.Int64,
        "float": pl.Float64,
        "date": pl.Date,
        "bool": pl.Boolean,
        "instant": pl.Datetime,
    }.items():
        if dtype == known:
            return kind
    raise TypeError(f"Columns of type {dtype} have no fingerprint.")
