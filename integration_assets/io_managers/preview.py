"""Masked previews: enough of a frame to see its shape on an asset's page, and nothing that tells who anybody is."""

import dagster as dg
import polars as pl

from integration_assets.domain.schema import EntityTable

PREVIEW_ROWS = 5

OPEN_COLUMNS = frozenset(
    {"customer_number", "supply_area", "municipality_code", "method", "kind", "postcode", "installation_number"}
    | {"business_key", "party_kind", "meter_period", "address_id", "access_id", "street_code"}
)
"""Text columns that a preview shows as they are: keys and codes that an operator works with, nothing personal."""

_LOOKS_LIKE_CPR = r"\d{6}[- ]?\d{4}"


def preview(table: EntityTable, frame: pl.DataFrame) -> dg.MarkdownMetadataValue:
    """The first rows as a Markdown table.

    Texts are cut to their first letter but for open columns, where only what looks like a personal number is; sealed
    columns are left out.
    """
    shown = [column for column in table.columns if not column.sealed]
    masked = frame.head(PREVIEW_ROWS).select(_masked(column.name, frame.schema[column.name]) for column in shown)
    names = [column.name for column in shown]
    lines = ["| " + " | ".join(names) + " |", "|" + "---|" * len(names)]
    lines += ["| " + " | ".join(_cell(value) for value in row) + " |" for row in masked.iter_rows()]
    return dg.MetadataValue.md("\n".join(lines))


def _masked(name: str, dtype: pl.DataType) -> pl.Expr:
    text = pl.col(name).cast(pl.String)
    if dtype != pl.String:
        return text
    secret = text.str.contains(_LOOKS_LIKE_CPR) if name in OPEN_COLUMNS else text.str.len_chars() > 1
    return pl.when(secret).then(text.str.slice(0, 1) + "…").otherwise(text).alias(name)


def _cell(value: str | None) -> str:
    return (value or "").replace("|", "\\|")
