"""How this project declares its assets: what all of them share is said once."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import dagster as dg
import polars as pl

from integration_assets.assets.lineage import column_lineage, column_schema, plain_schema
from integration_assets.assets.outside import OWNERS
from integration_assets.domain.crm.fields import CRM_TABLES
from integration_assets.domain.schema import EntityTable
from integration_assets.domain.tables import REGISTRY_ROWS
from integration_assets.partitions import SUPPLY_AREAS

IO_MANAGER = "cache_tables"

Decorator = Callable[[Callable[..., Any]], dg.AssetsDefinition]


def table_asset(
    table: EntityTable,
    *,
    kinds: set[str],
    ins: Mapping[str, dg.AssetIn] | None = None,
    deps: Sequence[dg.AssetKey | dg.AssetSpec] = (),
    partitions: dg.PartitionsDefinition[str] = SUPPLY_AREAS,
) -> Decorator:
    """Declares an asset that fills `table`: its function returns the frame, the IO manager merges it."""
    decorated = dg.asset(
        key=dg.AssetKey(list(table.asset)),
        group_name=table.asset[0],
        description=table.description,
        kinds=kinds | {"postgresql"},
        owners=OWNERS,
        ins=ins,
        deps=list(deps),
        partitions_def=partitions,
        backfill_policy=dg.BackfillPolicy.single_run(),
        io_manager_key=IO_MANAGER,
        metadata={
            "dagster/column_schema": column_schema(table),
            "dagster/column_lineage": column_lineage(table),
            "dagster/table_name": f"cache.{table.name}",
        },
    )
    return _referenced(decorated)


def plain_asset(
    key: dg.AssetKey,
    *,
    kinds: set[str],
    description: str,
    deps: Sequence[dg.AssetKey | dg.AssetSpec | dg.AssetDep],
    schema: pl.Schema | dg.TableSchema | None = None,
    ins: Mapping[str, dg.AssetIn] | None = None,
    partitions: dg.PartitionsDefinition[str] | None = None,
    freshness: dg.FreshnessPolicy | None = None,
) -> Decorator:
    """Declares an asset that keeps its data itself, in rows of `schema` where it has any; by default unpartitioned."""
    shown = plain_schema(schema) if isinstance(schema, pl.Schema) else schema
    return _referenced(
        dg.asset(
            key=key,
            group_name=key.path[0],
            description=description,
            kinds=kinds,
            owners=OWNERS,
            ins=ins,
            deps=list(deps),
            partitions_def=partitions,
            backfill_policy=None if partitions is None else dg.BackfillPolicy.single_run(),
            freshness_policy=freshness,
            metadata={} if shown is None else {"dagster/column_schema": shown},
        )
    )


def delivery_asset(
    system: str,
    entity: str,
    *,
    description: str,
    kinds: set[str],
    ins: Mapping[str, dg.AssetIn] | None = None,
    deps: Sequence[dg.AssetKey] = (),
    schema: pl.Schema | None = None,
) -> Decorator:
    """Declares an asset that delivers an entity to an outside system; the delivery table keeps what was sent.

    `schema` is that of its rows where it is none of the entities of CRM or registry.
    """
    table = CRM_TABLES[entity] if system == "crm" else None
    return kept_asset(
        dg.AssetKey([system, entity]),
        description=description,
        kinds=kinds,
        ins=ins,
        deps=deps,
        schema=column_schema(table) if table else plain_schema(schema or REGISTRY_ROWS[entity]),
    )


def kept_asset(
    key: dg.AssetKey,
    *,
    description: str,
    kinds: set[str],
    schema: dg.TableSchema,
    ins: Mapping[str, dg.AssetIn] | None = None,
    deps: Sequence[dg.AssetKey] = (),
) -> Decorator:
    """Declares an asset by supply areas that keeps its rows itself, in tables of its own."""
    return plain_asset(
        key, kinds=kinds, description=description, deps=deps, schema=schema, ins=ins, partitions=SUPPLY_AREAS
    )


def _referenced(decorated: Decorator) -> Decorator:
    """The same declaration with a reference to the code of the asset, which the UI opens in an editor."""

    def declare(function: Callable[..., Any]) -> dg.AssetsDefinition:
        (asset,) = dg.with_source_code_references([decorated(function)])
        assert isinstance(asset, dg.AssetsDefinition)
        return asset

    return declare


def upstream(table: EntityTable, columns: Sequence[str] | None = None) -> dg.AssetIn:
    """The frame of a table as an input: of the same supply areas, or all of it where the table is not kept by them.

    `columns` are those that the asset needs, where it does not need all.
    """
    by_area = table.partition == str(SUPPLY_AREAS.name)
    return dg.AssetIn(
        key=dg.AssetKey(list(table.asset)),
        metadata={"columns": list(columns)} if columns else None,
        partition_mapping=None if by_area else dg.AllPartitionMapping(),
    )
