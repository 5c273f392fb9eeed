"""Ids of the address register: uuids as two unsigned halves, a third of the room of their text."""

from typing import Final

import numpy as np
import polars as pl

_DIGITS: Final = 32
# Where the groups of digits of a uuid begin and end, and where each begins in the text with its dashes.
_GROUPS: Final = ((0, 8, 0), (8, 12, 9), (12, 16, 14), (16, 20, 19), (20, 32, 24))
_TEXT: Final = 36
_UUID: Final = r"^[0-9a-fA-F]{8}-?(?:[0-9a-fA-F]{4}-?){3}[0-9a-fA-F]{12}$"


def halves(text: pl.Expr) -> tuple[pl.Expr, pl.Expr]:
    """The first and the last 16 hexadecimal digits of uuid texts as UInt64; null where the text is no uuid."""
    text = text.str.strip_chars()
    digits = pl.when(text.str.contains(_UUID)).then(text.str.replace_all("-", "", literal=True))
    return (
        digits.str.slice(0, 16).str.to_integer(base=16, dtype=pl.UInt64, strict=False),
        digits.str.slice(16, 16).str.to_integer(base=16, dtype=pl.UInt64, strict=False),
    )


def uuid_texts(high: pl.Series, low: pl.Series) -> pl.Series:
    """The uuids of halves without nulls as lower-case text of 36 characters."""
    pairs = np.empty((len(high), 2), dtype=">u8")
    pairs[:, 0] = high.to_numpy()
    pairs[:, 1] = low.to_numpy()
    digits = np.frombuffer(pairs.tobytes().hex().encode(), dtype=np.uint8).reshape(-1, _DIGITS)
    texts = np.full((len(high), _TEXT), ord("-"), dtype=np.uint8)
    for start, end, target in _GROUPS:
        texts[:, target : target + end - start] = digits[:, start:end]
    return pl.Series(texts.reshape(-1).view(f"S{_TEXT}"), dtype=pl.Binary).cast(pl.String)
