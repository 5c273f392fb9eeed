"""The cache proper: what the registry holds, read back and mapped to CRM rows."""

import dagster as dg
import polars as pl

from integration_assets.assets.context import areas_of, journaled
from integration_assets.assets.declare import table_asset, upstream
from integration_assets.domain.addresses.coordinates import latitude, longitude
from integration_assets.domain.crm import mapping
from integration_assets.domain.crm.fields import CRM_TABLES
from integration_assets.domain.tables import ADDRESS_REGISTER
from integration_assets.flows.read_back import read_changed, registry_rows
from integration_assets.resources.business_day import BusinessDay
from integration_assets.resources.cache import CacheResource
from integration_assets.resources.lora import LoraResource

KINDS = {"rest", "polars"}


def _lora(entity: str) -> dg.AssetKey:
    return dg.AssetKey(["lora", entity])


def _read(context: dg.AssetExecutionContext, cache: CacheResource, lora: LoraResource, entity: str) -> pl.DataFrame:
    """Reads back what changed and gives all registry rows of the areas."""
    areas, store = areas_of(context), cache.get()
    with journaled(context, store) as counts:
        counts["read_back"] = read_changed(store.deliveries, lora.get(), entity, areas)
        rows = registry_rows(store.deliveries, entity, areas)
        counts["rows"] = rows.height
    return rows


def _registered(context: dg.AssetExecutionContext, cache: CacheResource, entity: str) -> pl.DataFrame:
    return registry_rows(cache.get().deliveries, entity, areas_of(context))


def _only_known(entity: str, rows: pl.DataFrame, register: pl.DataFrame) -> pl.DataFrame:
    return mapping.without_unknown_addresses(entity, rows, register.get_column("address_id"))


@table_asset(
    CRM_TABLES["contacts"],
    kinds=KINDS,
    ins={"register": upstream(ADDRESS_REGISTER)},
    deps=[_lora("customers")],
)
def cache_contacts(
    context: dg.AssetExecutionContext, register: pl.DataFrame, cache: CacheResource, lora: LoraResource
) -> pl.DataFrame:
    """Maps persons and companies to contacts."""
    return _only_known("contacts", mapping.contacts(_read(context, cache, lora, "customers")), register)


@table_asset(
    CRM_TABLES["accounts"],
    kinds=KINDS,
    ins={"register": upstream(ADDRESS_REGISTER)},
    deps=[_lora("customer_relations")],
)
def cache_accounts(
    context: dg.AssetExecutionContext,
    register: pl.DataFrame,
    cache: CacheResource,
    lora: LoraResource,
    business_day: BusinessDay,
) -> pl.DataFrame:
    """Maps customer relations to accounts."""
    relations = _read(context, cache, lora, "customer_relations")
    return _only_known("accounts", mapping.accounts(relations, business_day.of_run(context)), register)


@table_asset(CRM_TABLES["customer_roles"], kinds=KINDS, deps=[_lora("customer_roles")])
def cache_customer_roles(
    context: dg.AssetExecutionContext, cache: CacheResource, lora: LoraResource, business_day: BusinessDay
) -> pl.DataFrame:
    """Maps customer roles."""
    return mapping.customer_roles(_read(context, cache, lora, "customer_roles"), business_day.of_run(context))


@table_asset(
    CRM_TABLES["agreements"],
    kinds=KINDS,
    ins={"register": upstream(ADDRESS_REGISTER)},
    deps=[_lora("agreements")],
)
def cache_agreements(
    context: dg.AssetExecutionContext,
    register: pl.DataFrame,
    cache: CacheResource,
    lora: LoraResource,
    business_day: BusinessDay,
) -> pl.DataFrame:
    """Maps agreements."""
    agreements = _read(context, cache, lora, "agreements")
    return _only_known("agreements", mapping.agreements(agreements, business_day.of_run(context)), register)


@table_asset(
    CRM_TABLES["installations"],
    kinds=KINDS,
    ins={"register": upstream(ADDRESS_REGISTER)},
    deps=[
        _lora("installations"),
        dg.AssetKey(["cache", "agreements"]),
        dg.AssetKey(["cache", "accounts"]),
    ],
)
def cache_installations(
    context: dg.AssetExecutionContext,
    register: pl.DataFrame,
    cache: CacheResource,
    lora: LoraResource,
    business_day: BusinessDay,
) -> pl.DataFrame:
    """Maps installations, each under the agreement that is valid on the business day."""
    rows = mapping.installations(
        _read(context, cache, lora, "installations"),
        _registered(context, cache, "agreements"),
        _registered(context, cache, "customer_relations"),
        business_day.of_run(context),
    )
    return _only_known("installations", rows, register)


@table_asset(
    CRM_TABLES["addresses"],
    kinds={"polars"},
    ins={
        "register": upstream(ADDRESS_REGISTER),
        **{name: upstream(CRM_TABLES[name]) for name in ("contacts", "accounts", "agreements", "installations")},
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
) -> pl.DataFrame:
    """The addresses that the CRM rows of these areas point at, and only these."""
    with journaled(context, cache.get()) as counts:
        references = mapping.address_references(
            {"contacts": contacts, "accounts": accounts, "agreements": agreements, "installations": installations}
        )
        placed = register.join(references, on="address_id", how="semi").with_columns(
            latitude("easting", "northing").alias("latitude"), longitude("easting", "northing").alias("longitude")
        )
        rows = mapping.addresses(references, placed)
        counts["rows"] = rows.height
    return rows
