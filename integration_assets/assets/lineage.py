"""Column schema, column lineage and masked previews of a table, as Dagster metadata made from the registry of frames."""

import dagster as dg
import polars as pl

from integration_assets.assets.outside import BY_SYSTEM
from integration_assets.domain.schema import EntityTable

PREVIEW_ROWS = 5


def column_schema(table: EntityTable) -> dg.TableSchema:
    """The columns with type, meaning and, since the open-source UI does not draw it, their origin."""
    return dg.TableSchema(
        columns=[
            dg.TableColumn(
                name=column.name,
                type=str(column.dtype),
                description=column.description + (f" ← {', '.join(column.sources)}" if column.sources else ""),
                tags={"personal-number": ""} if column.sealed else {},
            )
            for column in table.columns
        ]
    )


def column_lineage(table: EntityTable) -> dg.TableColumnLineage:
    """Which columns of which assets each column is computed from."""
    return dg.TableColumnLineage(
        deps_by_column={
            column.name: [_dependency(source) for source in column.sources] for column in table.columns if column.sources
        }
    )


def _dependency(source: str) -> dg.TableColumnDep:
    asset, _, column = source.partition(".")
    key = BY_SYSTEM.get(asset) or dg.AssetKey(asset.split("/"))
    return dg.TableColumnDep(asset_key=key, column_name=column)


def preview(table: EntityTable, frame: pl.DataFrame) -> dg.MarkdownMetadataValue:
    """The first rows as a Markdown table; every text is cut to its first letter, personal numbers are left out."""
    shown = [column.name for column in table.columns if not column.sealed]
    masked = frame.head(PREVIEW_ROWS).select(
        pl.when(pl.col(name).cast(pl.String).str.len_chars() > 1)
        .then(pl.col(name).cast(pl.String).str.slice(0, 1) + "…")
        .otherwise(pl.col(name).cast(pl.String))
        .alias(name)
        if dtype == pl.String and name not in OPEN_COLUMNS
        else pl.col(name).cast(pl.String)
        for name, dtype in frame.select(shown).schema.items()
    )
    lines = ["| " + " | ".join(shown) + " |", "|" + "---|" * len(shown)]
    lines += ["| " + " | ".join(value or "" for value in row) + " |" for row in masked.iter_rows()]
    return dg.MetadataValue.md("\n".join(lines))


OPEN_COLUMNS = frozenset(
    {"customer_number", "supply_area", "municipality_code", "method", "kind", "postcode", "installation_number"}
    | {"business_key", "party_kind", "meter_period", "address_id", "access_id", "street_code"}
)
"""Text columns that a preview shows as they are: keys and codes that an operator works with, nothing personal."""
