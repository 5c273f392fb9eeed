"""The national address register (DAR), kept whole beside us since DAWA closed."""

import dagster as dg
import polars as pl

from integration_assets.assets.context import journaled
from integration_assets.assets.declare import table_asset
from integration_assets.assets.outside import ADDRESS_REGISTER as OUTSIDE_REGISTER
from integration_assets.domain.tables import ADDRESS_REGISTER
from integration_assets.resources.address_register import AddressRegisterResource
from integration_assets.resources.cache import CacheResource


@table_asset(ADDRESS_REGISTER, kinds={"json"}, deps=[OUTSIDE_REGISTER.key], partitioned=False)
def addresses_register(
    context: dg.AssetExecutionContext, address_files: AddressRegisterResource, cache: CacheResource
) -> pl.DataFrame:
    """Downloads the current files of all entities and joins them to unit and access addresses."""
    with journaled(context, cache.get()) as counts:
        rows = address_files.get().download()
        counts["rows"] = rows.height
        counts["units"] = rows.filter(pl.col("kind") == "unit").height
    return rows
