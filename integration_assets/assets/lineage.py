"""Column schema and column lineage of a table, as Dagster metadata made from the registry of frames."""

import dagster as dg
import polars as pl

from integration_assets.assets.outside import BY_SYSTEM
from integration_assets.domain.schema import EntityTable


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


def plain_schema(schema: pl.Schema) -> dg.TableSchema:
    """The columns of rows that no table keeps, with their types."""
    return dg.TableSchema(columns=[dg.TableColumn(name=name, type=str(dtype)) for name, dtype in schema.items()])


def column_lineage(table: EntityTable) -> dg.TableColumnLineage:
    """Which columns of which assets each column is computed from."""
    return dg.TableColumnLineage(
        deps_by_column={
            column.name: [_dependency(source) for source in column.sources]
            for column in table.columns
            if column.sources
        }
    )


def _dependency(source: str) -> dg.TableColumnDep:
    asset, _, column = source.partition(".")
    key = BY_SYSTEM.get(asset) or dg.AssetKey(asset.split("/"))
    return dg.TableColumnDep(asset_key=key, column_name=column)
