"""Names of people as typed by hand and as the person register writes them, brought to one form for comparison.

This version compares exactly but for letter case and blanks; abbreviations, accents and å = aa are left alone.
"""

import unicodedata

import polars as pl


def folded(name: str | None) -> str:
    """The name for comparison: composed letters, lower case, single blanks; "" for none."""
    if name is None:
        return ""
    return " ".join(unicodedata.normalize("NFC", name).lower().split())


def same_name(first: str | None, second: str | None) -> bool:
    """Whether both are the same name; a missing name is nobody's, not even another missing one's."""
    return folded(first) != "" and folded(first) == folded(second)


def folded_column(column: str) -> pl.Expr:
    """The names of a column for comparison (as `folded`); null for none."""
    text = pl.col(column).str.normalize("NFC").str.to_lowercase().str.replace_all(r"\s+", " ").str.strip_chars()
    return pl.when(text != "").then(text)
