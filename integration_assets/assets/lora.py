"""Delivers the entities to the registry (LoRa): only what differs from what was delivered before."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

import dagster as dg
import polars as pl

from integration_assets.assets.addresses import WASHING_INDEX
from integration_assets.assets.context import areas_of, journaled
from integration_assets.assets.declare import delivery_asset, upstream
from integration_assets.assets.outgoing import desire
from integration_assets.cache.locks import advisory_lock
from integration_assets.cache.store import Cache
from integration_assets.domain.registry import desired
from integration_assets.domain.tables import (
    KMD_INSTALLATIONS,
    RESOLVED_BILLING_ADDRESSES,
    RESOLVED_CONSUMPTION_ADDRESSES,
    RESOLVED_CUSTOMERS,
    RESOLVED_INSTALLATION_ADDRESSES,
)
from integration_assets.flows.delivery import deliver, registry_sender
from integration_assets.flows.identity import object_ids
from integration_assets.flows.registry import SYSTEM, desired_customers, desired_roles
from integration_assets.resources.business_day import BusinessDay
from integration_assets.resources.cache import CacheResource
from integration_assets.resources.lora import LoraResource
from integration_assets.resources.washing import WashingResource

KINDS = {"rest", "json"}

RELATION_COLUMNS = ("customer_number", "supply_area", "moved_in", "moved_out")
ROLE_COLUMNS = (*RELATION_COLUMNS, "party_id", "party_kind", "co_party_id")
AGREEMENT_COLUMNS = (*RELATION_COLUMNS, "consumption_place_id")
"""What these entities need of resolved/customers: no personal numbers, no contact data."""


@delivery_asset(
    SYSTEM,
    "customers",
    description="Persons (organisation/bruger) and companies (organisation/organisation) in the registry.",
    kinds=KINDS,
    ins={"resolved": upstream(RESOLVED_CUSTOMERS)},
    deps=[WASHING_INDEX],
)
def lora_customers(
    context: dg.AssetExecutionContext,
    resolved: pl.DataFrame,
    cache: CacheResource,
    washing: WashingResource,
    lora: LoraResource,
) -> None:
    """Delivers the parties that these areas name."""
    store = cache.get()
    # Two areas may name the same person: the later of two runs sees the rows of both, and its view is the one kept.
    with journaled(context, store) as counts:
        with advisory_lock(store.engine, "desired:lora/customers"):
            rows = desired_customers(resolved, store, object_ids(lora.settings), washing.index(), areas_of(context))
            desire(context, store, lora.settings, SYSTEM, "customers", rows, counts)
        deliver_rows(context, store, lora, "customers", counts)


@delivery_asset(
    SYSTEM,
    "customer_relations",
    description="Customer relations (kundeforhold, organisation/interessefaellesskab) in the registry.",
    kinds=KINDS,
    ins={
        "resolved": upstream(RESOLVED_CUSTOMERS, columns=RELATION_COLUMNS),
        "places": upstream(RESOLVED_CONSUMPTION_ADDRESSES),
    },
)
def lora_customer_relations(
    context: dg.AssetExecutionContext,
    resolved: pl.DataFrame,
    places: pl.DataFrame,
    cache: CacheResource,
    lora: LoraResource,
) -> None:
    """Delivers one customer relation per customer number, valid from move-in to move-out."""
    with journaled(context, cache.get()) as counts:
        rows = desired.customer_relations(resolved, places, object_ids(lora.settings), utility=lora.settings.utility)
        desire(context, cache.get(), lora.settings, SYSTEM, "customer_relations", rows, counts)
        deliver_rows(context, cache.get(), lora, "customer_relations", counts)


@delivery_asset(
    SYSTEM,
    "customer_roles",
    description="Customer roles (kunderoller, organisation/organisationfunktion) in the registry.",
    kinds=KINDS,
    ins={"resolved": upstream(RESOLVED_CUSTOMERS, columns=ROLE_COLUMNS)},
    deps=[dg.AssetKey(["lora", "customers"]), dg.AssetKey(["lora", "customer_relations"])],
)
def lora_customer_roles(
    context: dg.AssetExecutionContext,
    resolved: pl.DataFrame,
    cache: CacheResource,
    lora: LoraResource,
    business_day: BusinessDay,
) -> None:
    """Delivers who is customer and co-customer; who left a row is ended on the business day."""
    store = cache.get()
    rejections = store.rejections.open("/".join(RESOLVED_CUSTOMERS.asset), areas_of(context))
    with journaled(context, store) as counts:
        rows = desired_roles(
            resolved, store, object_ids(lora.settings), business_day.of_run(context), rejections=rejections
        )
        desire(context, store, lora.settings, SYSTEM, "customer_roles", rows, counts)
        deliver_rows(context, store, lora, "customer_roles", counts)


@delivery_asset(
    SYSTEM,
    "installations",
    description="Installations with their meters (klassifikation/klasse) in the registry.",
    kinds=KINDS,
    ins={"meters": upstream(KMD_INSTALLATIONS), "places": upstream(RESOLVED_INSTALLATION_ADDRESSES)},
)
def lora_installations(
    context: dg.AssetExecutionContext,
    meters: pl.DataFrame,
    places: pl.DataFrame,
    cache: CacheResource,
    lora: LoraResource,
) -> None:
    """Delivers one object per installation number, with a period per meter."""
    with journaled(context, cache.get()) as counts:
        rows = desired.installations(meters, places, object_ids(lora.settings), utility=lora.settings.utility)
        desire(context, cache.get(), lora.settings, SYSTEM, "installations", rows, counts)
        deliver_rows(context, cache.get(), lora, "installations", counts)


@delivery_asset(
    SYSTEM,
    "agreements",
    description="Agreements (aftaler, indsats/indsats) in the registry.",
    kinds=KINDS,
    ins={
        "resolved": upstream(RESOLVED_CUSTOMERS, columns=AGREEMENT_COLUMNS),
        "meters": upstream(KMD_INSTALLATIONS),
        "billing": upstream(RESOLVED_BILLING_ADDRESSES),
    },
    deps=[dg.AssetKey(["lora", "customer_relations"]), dg.AssetKey(["lora", "installations"])],
)
def lora_agreements(
    context: dg.AssetExecutionContext,
    resolved: pl.DataFrame,
    meters: pl.DataFrame,
    billing: pl.DataFrame,
    cache: CacheResource,
    lora: LoraResource,
) -> None:
    """Delivers one agreement per customer number, with every installation of its place."""
    with journaled(context, cache.get()) as counts:
        rows = desired.agreements(resolved, meters, billing, object_ids(lora.settings), utility=lora.settings.utility)
        desire(context, cache.get(), lora.settings, SYSTEM, "agreements", rows, counts)
        deliver_rows(context, cache.get(), lora, "agreements", counts)


def deliver_rows(
    context: dg.AssetExecutionContext,
    store: Cache,
    lora: LoraResource,
    entity: str,
    counts: dict[str, int],
    areas: Sequence[str] | None = None,
) -> None:
    """Sends what is due of an entity in these areas (default: those of the run); adds the outcomes to the counts."""
    with ThreadPoolExecutor(lora.settings.lora_workers) as pool:
        send = registry_sender(
            lora.get(), entity, lora.tenant, pool, dialect=lora.dialect, revives=lora.settings.lora_revives
        )
        report = deliver(store.deliveries, SYSTEM, entity, send, areas=areas_of(context) if areas is None else areas)
    counts |= report.counts()
    for text, number in report.errors.items():
        context.log.warning("%s objects of %s were not delivered and are tried again: %s", number, entity, text)
