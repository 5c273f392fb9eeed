"""The cache proper: what the registry holds, read back and mapped to CRM rows."""

from collections.abc import Sequence
from datetime import date

import dagster as dg
import polars as pl

from integration_assets.assets.context import areas_of, counting_requests, journaled, record_rejections
from integration_assets.assets.declare import table_asset, upstream
from integration_assets.cache.store import Cache
from integration_assets.domain.crm import mapping
from integration_assets.domain.crm.fields import CRM_TABLES
from integration_assets.domain.crm.fitting import Fitted, rejections
from integration_assets.domain.crm.tables import CrmMapping
from integration_assets.domain.tables import ADDRESS_REGISTER
from integration_assets.flows.crm_mapping import mapping_in_force
from integration_assets.flows.read_back import REGISTRY_ENTITY, crm_addresses, crm_rows, read_changed, registry_rows
from integration_assets.flows.registry import SYSTEM
from integration_assets.resources.business_day import BusinessDay
from integration_assets.resources.cache import CacheResource
from integration_assets.resources.lora import LoraResource

KINDS = {"rest", "polars"}

MISFITS_SHOWN = 20
"""Values that did not fit the CRM, in an asset's metadata."""


def _asset_key(group: str, entity: str) -> dg.AssetKey:
    return dg.AssetKey([group, entity])


def _read_and_map(
    context: dg.AssetExecutionContext,
    cache: CacheResource,
    lora: LoraResource,
    entity: str,
    known_addresses: pl.Series,
    as_of: date,
) -> pl.DataFrame:
    """Reads back what changed and maps all registry rows of the areas."""
    areas, store = areas_of(context), cache.get()
    by = mapping_in_force(lora.settings)
    with journaled(context, store) as counts:
        with counting_requests(SYSTEM, lora.get(), counts):
            looked = read_changed(lora.means(store, as_of), REGISTRY_ENTITY[entity], areas)
        counts |= looked.counts()
        fitted = crm_rows(
            entity,
            lambda name: registry_rows(store.deliveries, name, areas),
            known_addresses,
            as_of,
            share_protected=lora.settings.share_protected_addresses,
            by=by,
        )
        counts["rows"] = fitted.rows.height
        _report_misfits(context, store, entity, fitted, by, as_of, counts)
    return fitted.rows


def _report_misfits(
    context: dg.AssetExecutionContext,
    store: Cache,
    entity: str,
    fitted: Fitted,
    by: CrmMapping,
    as_of: date,
    counts: dict[str, int],
) -> None:
    """Counts and shows the values that did not fit the CRM; rows that are kept back for them go on the worklist."""
    found = rejections(entity, fitted.misfits, by)
    record_rejections(context, store, found, as_of, counts, areas=areas_of(context))
    counts |= {f"values_{name}": number for name, number in fitted.misfits["done"].value_counts().sort("done").rows()}
    if fitted.misfits.height:
        shown = fitted.misfits.head(MISFITS_SHOWN)
        lines = ["| key | column | problem | characters | done |", "|---|---|---|---|---|"]
        lines += [
            f"| {row['business_key']} | {row['column']} | {row['problem']} | {row['length']} | {row['done']} |"
            for row in shown.iter_rows(named=True)
        ]
        context.add_output_metadata({"values that did not fit": dg.MetadataValue.md("\n".join(lines))})


def _addressed_asset(entity: str, *, after: Sequence[str] = ()) -> dg.AssetsDefinition:
    """The asset `cache/<entity>` of an entity that points at addresses; `after` name cache assets it must follow."""
    table = CRM_TABLES[entity]

    @table_asset(
        table,
        kinds=KINDS,
        ins={"register": upstream(ADDRESS_REGISTER)},
        deps=[_asset_key("lora", REGISTRY_ENTITY[entity]), *(_asset_key("cache", name) for name in after)],
    )
    def map_rows(
        context: dg.AssetExecutionContext,
        register: pl.DataFrame,
        cache: CacheResource,
        lora: LoraResource,
        business_day: BusinessDay,
    ) -> pl.DataFrame:
        known = register.get_column("address_id")
        return _read_and_map(context, cache, lora, entity, known, business_day.of_run(context))

    return map_rows


cache_contacts = _addressed_asset("contacts")
cache_accounts = _addressed_asset("accounts")
cache_agreements = _addressed_asset("agreements")
# An installation is mapped with its agreement and customer relation as they were read back.
cache_installations = _addressed_asset("installations", after=("agreements", "accounts"))


@table_asset(CRM_TABLES["customer_roles"], kinds=KINDS, deps=[_asset_key("lora", "customer_roles")])
def cache_customer_roles(
    context: dg.AssetExecutionContext, cache: CacheResource, lora: LoraResource, business_day: BusinessDay
) -> pl.DataFrame:
    """Maps customer roles; they point at no address."""
    nowhere = pl.Series(dtype=pl.String)
    return _read_and_map(context, cache, lora, "customer_roles", nowhere, business_day.of_run(context))


@table_asset(
    CRM_TABLES["addresses"],
    kinds={"polars"},
    ins={
        "register": upstream(ADDRESS_REGISTER),
        **{
            name: upstream(CRM_TABLES[name], columns=("supply_area", *mapping.address_columns(name)))
            for name in ("contacts", "accounts", "agreements", "installations")
        },
    },
)
def cache_addresses(
    context: dg.AssetExecutionContext,
    register: pl.DataFrame,
    contacts: pl.DataFrame,
    accounts: pl.DataFrame,
    agreements: pl.DataFrame,
    installations: pl.DataFrame,
    cache: CacheResource,
    business_day: BusinessDay,
) -> pl.DataFrame:
    """The addresses that the CRM rows of these areas point at, and only these."""
    store, by = cache.get(), mapping_in_force(cache.settings)
    with journaled(context, store) as counts:
        pointing = {
            "contacts": contacts,
            "accounts": accounts,
            "agreements": agreements,
            "installations": installations,
        }
        fitted = crm_addresses(pointing, register, by=by)
        counts["rows"] = fitted.rows.height
        _report_misfits(context, store, "addresses", fitted, by, business_day.of_run(context), counts)
    return fitted.rows
