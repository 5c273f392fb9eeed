"""What the billing system says: its rows, typed and cleaned, by supply area."""

import dagster as dg
import polars as pl

from integration_assets.assets.context import areas_of, journaled, record_rejections
from integration_assets.assets.declare import table_asset
from integration_assets.assets.outside import KMD_EE
from integration_assets.domain.tables import KMD_CUSTOMERS, KMD_INSTALLATIONS
from integration_assets.flows.source import SourceLimits, read_customers, read_installations
from integration_assets.resources.business_day import BusinessDay
from integration_assets.resources.cache import CacheResource
from integration_assets.resources.kmd_ee import KmdEeResource
from integration_assets.settings import Settings


def limits_of(settings: Settings) -> SourceLimits:
    """The limits of reading, as configured."""
    return SourceLimits(
        window_days=settings.source_window_days,
        area_digits=settings.supply_area_digits,
        max_vanished_share=settings.max_vanished_share,
        tolerated_rows=settings.tolerated_rows,
    )


@table_asset(KMD_CUSTOMERS, kinds={"sqlserver"}, deps=[KMD_EE.key])
def kmd_ee_customers(
    context: dg.AssetExecutionContext, kmd_ee: KmdEeResource, cache: CacheResource, business_day: BusinessDay
) -> pl.DataFrame:
    """Reads the customer rows and explains those that left the window."""
    areas, as_of = areas_of(context), business_day.of_run(context)
    with journaled(context, cache.get()) as counts:
        read = read_customers(kmd_ee.get(), cache.get(), areas, as_of, limits_of(kmd_ee.settings))
        counts["rows"] = read.rows.height
        record_rejections(context, cache.get(), read.rejections, as_of, counts, areas=areas)
    return read.rows


@table_asset(KMD_INSTALLATIONS, kinds={"sqlserver"}, deps=[KMD_EE.key])
def kmd_ee_installations(
    context: dg.AssetExecutionContext, kmd_ee: KmdEeResource, cache: CacheResource, business_day: BusinessDay
) -> pl.DataFrame:
    """Reads the installations with all their meters."""
    areas, as_of = areas_of(context), business_day.of_run(context)
    with journaled(context, cache.get()) as counts:
        read = read_installations(kmd_ee.get(), areas, as_of, limits_of(kmd_ee.settings))
        counts["rows"] = read.rows.height
        record_rejections(context, cache.get(), read.rejections, as_of, counts, areas=areas)
    return read.rows
