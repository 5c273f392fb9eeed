"""The national address register (DAR), kept whole beside us since DAWA closed: the index for washing, and its rows."""

import time

import dagster as dg
import polars as pl

from integration_assets.assets.context import journaled, report_progress
from integration_assets.assets.declare import plain_asset, table_asset
from integration_assets.assets.outside import ADDRESS_REGISTER as OUTSIDE_REGISTER
from integration_assets.cache.washing_store import write_washing_index
from integration_assets.domain.addresses.municipalities import rows_of
from integration_assets.domain.addresses.washing import RULE_VERSION, WashingIndex
from integration_assets.domain.tables import ADDRESS_REGISTER
from integration_assets.flows.address_register import load_register
from integration_assets.partitions import MUNICIPALITIES
from integration_assets.resources.address_register import AddressRegisterResource
from integration_assets.resources.cache import CacheResource
from integration_assets.resources.washing import WashingResource

WASHING_INDEX = dg.AssetKey(["addresses", "washing_index"])


@plain_asset(
    WASHING_INDEX,
    kinds={"json", "parquet", "numpy"},
    deps=[OUTSIDE_REGISTER.key],
    description="Our copy of Danmarks Adresseregister, and the index in which address texts are looked up: all of "
    "Denmark, units (adresser), access addresses (husnumre), roads and their former names.",
)
def addresses_washing_index(
    context: dg.AssetExecutionContext,
    address_files: AddressRegisterResource,
    washing: WashingResource,
    cache: CacheResource,
) -> None:
    """Brings our copy of the register to the newest generation, by deltas where they lead to it, and indexes it."""
    settings = washing.settings
    with journaled(context, cache.get()) as counts:
        loaded = load_register(
            address_files.get(),
            washing.store(),
            settings.data_dir / "downloads",
            settings.address_register_kind,
            report_progress(context),
        )
        started = time.monotonic()
        index = WashingIndex.build(washing.store().frames())
        write_washing_index(index, washing.index_folder)
        counts["generation"] = index.generation
        counts["units"] = len(index.units.unit)
        counts["access_addresses"] = len(index.access.house)
        counts["vanished"] = loaded.manifest.vanished
    context.add_output_metadata(
        {
            "way": loaded.way,
            "deltas": loaded.steps,
            "why_total": loaded.why_total or "",
            "rule_version": RULE_VERSION,
            "index_seconds": round(time.monotonic() - started, 2),
        }
    )


@table_asset(ADDRESS_REGISTER, kinds={"parquet"}, deps=[WASHING_INDEX], partitions=MUNICIPALITIES)
def addresses_register(
    context: dg.AssetExecutionContext, washing: WashingResource, cache: CacheResource
) -> pl.DataFrame:
    """The addresses of today of these municipalities, as the CRM receives them."""
    with journaled(context, cache.get()) as counts:
        rows = rows_of(washing.store().frames(), context.partition_keys)
        counts["rows"] = rows.height
        counts["units"] = rows.filter(pl.col("kind") == "unit").height
    return rows
