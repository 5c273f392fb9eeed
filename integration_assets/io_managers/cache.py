"""Keeps the frames of entity assets in the cache: merges what changed, reads what downstream needs."""

from datetime import UTC, datetime

import dagster as dg
import polars as pl

from integration_assets.cache.merge import merge_partition, read_partition
from integration_assets.domain.schema import EntityTable
from integration_assets.domain.tables import ENTITY_TABLES
from integration_assets.resources.cache import CacheResource

UNKNOWN_PARTITION = "unknown"


def table_of(key: dg.AssetKey) -> EntityTable:
    """The table of an asset. Raises KeyError, naming the asset, where the registry of frames has none."""
    try:
        return ENTITY_TABLES[(key.path[0], key.path[-1])]
    except KeyError:
        raise KeyError(f"Asset {key.to_user_string()} has no table in the registry of frames (domain.tables).") from None


class CacheIOManager(dg.ConfigurableIOManager):
    """Merges a frame into its table in one transaction; rows that are equal are not rewritten.

    A partitioned asset writes and reads the partitions of its run, in sorted order; an unpartitioned one the whole
    table, whose partition column then comes from the frame.
    """

    cache: dg.ResourceDependency[CacheResource]

    def handle_output(self, context: dg.OutputContext, obj: pl.DataFrame) -> None:
        """Merges `obj` and reports rows and changes as metadata."""
        table = table_of(context.asset_key)
        cache = self.cache.get()
        if context.has_asset_partitions:
            areas = sorted(context.asset_partition_keys)
        else:
            stored = read_partition(cache.engine, table, None, cipher=cache.cipher).get_column(table.partition)
            areas = sorted({*stored.unique(), *obj.get_column(table.partition).unique()})
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

    def load_input(self, context: dg.InputContext) -> pl.DataFrame:
        """The rows of the partitions that the run needs, of all where the upstream asset has none."""
        table = table_of(context.asset_key)
        areas = sorted(context.asset_partition_keys) if context.has_asset_partitions else None
        cache = self.cache.get()
        return read_partition(cache.engine, table, areas, cipher=cache.cipher)
