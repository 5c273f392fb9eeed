"""How this project declares its assets: what all of them share is said once."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import dagster as dg

from integration_assets.assets.lineage import column_schema
from integration_assets.assets.outside import OWNERS
from integration_assets.domain.schema import EntityTable
from integration_assets.partitions import SUPPLY_AREAS

IO_MANAGER = "cache_tables"

Decorator = Callable[[Callable[..., Any]], dg.AssetsDefinition]


def table_asset(
    table: EntityTable,
    *,
    kinds: set[str],
    ins: Mapping[str, dg.AssetIn] | None = None,
    deps: Sequence[dg.AssetKey | dg.AssetSpec] = (),
    partitioned: bool = True,
) -> Decorator:
    """Declares an asset that fills `table`: its function returns the frame, the IO manager merges it."""
    return dg.asset(
        key=dg.AssetKey(list(table.asset)),
        group_name=table.asset[0],
        description=table.description,
        kinds=kinds | {"postgresql"},
        owners=OWNERS,
        ins=ins,
        deps=list(deps),
        partitions_def=SUPPLY_AREAS if partitioned else None,
        backfill_policy=dg.BackfillPolicy.single_run() if partitioned else None,
        io_manager_key=IO_MANAGER,
        metadata={"dagster/column_schema": column_schema(table), "dagster/table_name": f"cache.{table.name}"},
    )


def delivery_asset(
    system: str,
    entity: str,
    *,
    description: str,
    kinds: set[str],
    ins: Mapping[str, dg.AssetIn] | None = None,
    deps: Sequence[dg.AssetKey] = (),
) -> Decorator:
    """Declares an asset that delivers an entity to an outside system; the delivery table keeps what was sent."""
    return dg.asset(
        key=dg.AssetKey([system, entity]),
        group_name=system,
        description=description,
        kinds=kinds,
        owners=OWNERS,
        ins=ins,
        deps=list(deps),
        partitions_def=SUPPLY_AREAS,
        backfill_policy=dg.BackfillPolicy.single_run(),
    )


def upstream(table: EntityTable) -> dg.AssetIn:
    """The frame of a table as an input: of the same supply areas, or all of it where the table has no areas."""
    return dg.AssetIn(key=dg.AssetKey(list(table.asset)))
