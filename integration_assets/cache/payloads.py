"""Payloads of deliveries as bytes: JSON in UTF-8, sealed where the entity holds personal numbers.

A sealed value never starts like a JSON object, so values written before an entity was declared sealed stay readable.
"""

import json
from collections.abc import Mapping
from datetime import date, datetime
from typing import Any

import polars as pl

from integration_assets.cache.cipher import Cipher

KEYS = ("object_id", "business_key", "supply_area")
"""The columns of a desired frame that are not payload."""

_JSON_OPENS = b"{"


def encoded(desired: pl.DataFrame) -> pl.DataFrame:
    """`KEYS` and `payload`: the JSON object of all other columns, nulls included."""
    payload = [name for name in desired.columns if name not in KEYS]
    return desired.select(pl.col(KEYS).cast(pl.String), pl.struct(payload).struct.json_encode().alias("payload"))


def to_bytes(row: Mapping[str, Any], cipher: Cipher | None) -> bytes:
    """One row as JSON (dates as ISO text), sealed when a cipher is given."""
    text = json.dumps(row, ensure_ascii=False, separators=(",", ":"), default=_plain).encode()
    return cipher.seal(text) if cipher else text


def to_text(value: bytes, cipher: Cipher) -> str:
    """The JSON text of a stored payload. Raises CipherError."""
    return (value if value.startswith(_JSON_OPENS) else cipher.open(value)).decode()


def to_texts(values: pl.Series, cipher: Cipher) -> pl.Series:
    """The JSON texts of stored payloads (Binary -> String), null for null."""
    if values.bin.starts_with(_JSON_OPENS).all():  # nothing is sealed
        return values.cast(pl.String)
    texts = [None if value is None else to_text(value, cipher) for value in values]
    return pl.Series(values.name, texts, dtype=pl.String)


def same(first: str, second: str) -> bool:
    """Whether two JSON texts say the same, however they are written (order of names, blanks, forms of a number).

    A name whose value is null says as much as no name: a column that has no values yet changes nothing.
    """
    if first == second:
        return True
    one, other = (json.loads(text, object_pairs_hook=_without_nulls) for text in (first, second))
    # The texts, since Python takes 1, 1.0 and true for the same.
    return one == other and json.dumps(one, sort_keys=True) == json.dumps(other, sort_keys=True)


def _without_nulls(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    return {name: value for name, value in pairs if value is not None}


def _plain(value: object) -> str:
    if isinstance(value, date | datetime):
        return value.isoformat()
    raise TypeError(f"A payload cannot hold a {type(value).__name__}.")
