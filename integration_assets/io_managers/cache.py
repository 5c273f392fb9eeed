"""Keeps the frames of entity assets in the cache: merges what changed, reads what downstream needs."""

from datetime import UTC, datetime
from typing import Any

import dagster as dg
import polars as pl

from integration_assets.cache.merge import merge_partition
from integration_assets.domain.schema import EntityTable
from integration_assets.domain.tables import ENTITY_TABLES
from integration_assets.io_managers.preview import preview
from integration_assets.partitions import SUPPLY_AREAS
from integration_assets.resources.cache import CacheResource

LINEAGE = "dagster/column_lineage"

COLUMNS = "columns"

PREVIEWED_PARTITIONS = 10
"""A run of more partitions leaves previews out: its events, one per asset and partition, stay for ever."""


def table_of(key: dg.AssetKey) -> EntityTable:
    """The table of an asset. Raises KeyError, naming the asset, where the registry of frames has none."""
    try:
        return ENTITY_TABLES[(key.path[0], key.path[-1])]
    except KeyError:
        raise KeyError(
            f"Asset {key.to_user_string()} has no table in the registry of frames (domain.tables)."
        ) from None


class CacheIOManager(dg.ConfigurableIOManager):
    """Merges a frame into its table in one transaction; rows that are equal are not rewritten.

    An asset writes and reads the partitions of its run, in sorted order. A table that is not kept by supply area is
    read whole by assets that are.
    """

    cache: dg.ResourceDependency[CacheResource]

    def handle_output(self, context: dg.OutputContext, obj: pl.DataFrame) -> None:
        """Merges `obj` and reports rows and changes as metadata."""
        table = table_of(context.asset_key)
        cache = self.cache.get()
        areas = sorted(context.asset_partition_keys)
        counts = merge_partition(cache.engine, table, areas, obj, cipher=cache.cipher, as_of_now=datetime.now(UTC))
        context.add_output_metadata(
            {
                "dagster/row_count": obj.height,
                "dagster/relation_identifier": f"cache.{table.name}",
                "new": counts.new,
                "changed": counts.changed,
                "unchanged": counts.unchanged,
                "vanished": counts.vanished,
            }
        )
        if LINEAGE in context.definition_metadata:
            # Dagster reads the lineage of columns from materializations only.
            context.add_output_metadata({LINEAGE: context.definition_metadata[LINEAGE]})
        _describe_partitions(context, table, areas, obj)

    def load_input(self, context: dg.InputContext) -> pl.DataFrame:
        """The rows of the supply areas that the run needs, of all of a table that is not kept by supply area.

        The metadata `COLUMNS` of an input by supply area names the columns that it wants.
        """
        table = table_of(context.asset_key)
        cache = self.cache.get()
        if table.partition != str(SUPPLY_AREAS.name):
            return cache.read_whole(table)
        columns = context.definition_metadata.get(COLUMNS)
        return cache.read(table, sorted(context.asset_partition_keys), columns=columns)


def _describe_partitions(context: dg.OutputContext, table: EntityTable, areas: list[str], frame: pl.DataFrame) -> None:
    """Tells each partition's own number of rows, beside the figures of the run, and shows its first rows."""
    parts = frame.partition_by(table.partition, as_dict=True)
    for area in areas:
        part = parts.get((area,), frame.clear())
        told: dict[str, Any] = {"dagster/partition_row_count": part.height}
        if len(areas) <= PREVIEWED_PARTITIONS:
            told["preview"] = preview(table, part)
        context.step_context.add_asset_metadata(told, asset_key=context.asset_key, partition_key=area)
