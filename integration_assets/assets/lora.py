"""Delivers the entities to the registry (LoRa): only what differs from what was delivered before."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

import dagster as dg
import polars as pl

from integration_assets.assets.addresses import WASHING_INDEX
from integration_assets.assets.context import areas_of, counting_requests, journaled
from integration_assets.assets.declare import delivery_asset, upstream
from integration_assets.assets.outgoing import desire
from integration_assets.cache.store import Cache
from integration_assets.domain.registry import desired
from integration_assets.domain.registry.superseding import SUPERSEDED, SUPERSEDED_ROWS
from integration_assets.domain.tables import (
    KMD_INSTALLATIONS,
    RESOLVED_BILLING_ADDRESSES,
    RESOLVED_CONSUMPTION_ADDRESSES,
    RESOLVED_CUSTOMERS,
    RESOLVED_INSTALLATION_ADDRESSES,
)
from integration_assets.flows.delivery import DeliveryReport, deliver, registry_sender
from integration_assets.flows.identity import object_ids
from integration_assets.flows.registry import (
    SYSTEM,
    desired_customers,
    desired_roles,
    desired_superseded,
    desiring,
    with_history,
    withdraw_superseded,
)
from integration_assets.flows.superseding import superseded_sender
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
    business_day: BusinessDay,
) -> None:
    """Delivers the parties that these areas name."""
    store = cache.get()
    # Two areas may name the same person: the later of two runs sees the rows of both, and its view is the one kept.
    with journaled(context, store) as counts:
        with desiring(store, "customers"):
            rows = desired_customers(resolved, store, object_ids(lora.settings), washing.index(), areas_of(context))
            _desire(context, store, lora, "customers", rows, business_day, counts)
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
    business_day: BusinessDay,
) -> None:
    """Delivers one customer relation per customer number, valid from move-in to move-out."""
    store = cache.get()
    with journaled(context, store) as counts:
        rows = desired.customer_relations(resolved, places, object_ids(lora.settings), utility=lora.settings.utility)
        with desiring(store, "customer_relations"):
            _desire(context, store, lora, "customer_relations", rows, business_day, counts)
        deliver_rows(context, store, lora, "customer_relations", counts)


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
        as_of = business_day.of_run(context)
        with desiring(store, "customer_roles"):
            rows = desired_roles(resolved, store, object_ids(lora.settings), as_of, rejections=rejections)
            _desire(context, store, lora, "customer_roles", rows, business_day, counts)
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
    business_day: BusinessDay,
) -> None:
    """Delivers one object per installation number, with a period per meter."""
    store = cache.get()
    with journaled(context, store) as counts:
        rows = desired.installations(meters, places, object_ids(lora.settings), utility=lora.settings.utility)
        with desiring(store, "installations"):
            _desire(context, store, lora, "installations", rows, business_day, counts)
        deliver_rows(context, store, lora, "installations", counts)


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
    business_day: BusinessDay,
) -> None:
    """Delivers one agreement per customer number, with every installation of its place."""
    store = cache.get()
    with journaled(context, store) as counts:
        rows = desired.agreements(resolved, meters, billing, object_ids(lora.settings), utility=lora.settings.utility)
        with desiring(store, "agreements"):
            _desire(context, store, lora, "agreements", rows, business_day, counts)
        deliver_rows(context, store, lora, "agreements", counts)


@delivery_asset(
    SYSTEM,
    SUPERSEDED,
    description="Objects that an adopted registry had twice, and roles that nobody has: made inactive, nothing is "
    "deleted. Empty where no registry was adopted.",
    kinds=KINDS,
    schema=SUPERSEDED_ROWS,
    deps=[dg.AssetKey([SYSTEM, name]) for name in ("customer_roles", "agreements")],
)
def lora_superseded(context: dg.AssetExecutionContext, cache: CacheResource, lora: LoraResource) -> None:
    """Ends what others stand for, after those who referred to it were written anew."""
    store, areas = cache.get(), areas_of(context)
    rejections = store.rejections.open("/".join(RESOLVED_CUSTOMERS.asset), areas)
    with journaled(context, store) as counts:
        rows = desired_superseded(store, areas, rejections=rejections)
        withdraw_superseded(store, areas, rows)
        desire(context, store, lora.settings, SYSTEM, SUPERSEDED, rows, counts)
        with (
            counting_requests(SYSTEM, lora.get(), counts),
            ThreadPoolExecutor(lora.settings.lora_workers) as pool,
        ):
            send = superseded_sender(lora.get(), lora.tenant, pool)
            report = deliver(store.deliveries, SYSTEM, SUPERSEDED, send, areas=areas, workers=pool)
        record_report(context, report, SUPERSEDED, counts)


def _desire(
    context: dg.AssetExecutionContext,
    store: Cache,
    lora: LoraResource,
    entity: str,
    rows: pl.DataFrame,
    business_day: BusinessDay,
    counts: dict[str, int],
) -> None:
    """States what the registry should hold, values that changed from the business day on; see `outgoing.desire`."""
    dated = with_history(entity, rows, store, business_day.of_run(context))
    desire(context, store, lora.settings, SYSTEM, entity, dated, counts)


def deliver_rows(
    context: dg.AssetExecutionContext,
    store: Cache,
    lora: LoraResource,
    entity: str,
    counts: dict[str, int],
    areas: Sequence[str] | None = None,
) -> None:
    """Sends what is due of an entity in these areas (default: those of the run); counts outcomes and requests."""
    with (
        counting_requests(SYSTEM, lora.get(), counts),
        ThreadPoolExecutor(lora.settings.lora_workers) as pool,
    ):
        send = registry_sender(
            lora.get(),
            entity,
            lora.tenant,
            pool,
            dialect=lora.dialect,
            revives=lora.settings.lora_revives,
            adoptions=store.adoptions,
        )
        wanted = areas_of(context) if areas is None else areas
        report = deliver(store.deliveries, SYSTEM, entity, send, areas=wanted, workers=pool)
    record_report(context, report, entity, counts)


def record_report(
    context: dg.AssetExecutionContext, report: DeliveryReport, entity: str, counts: dict[str, int]
) -> None:
    """Adds the outcomes of a delivery to the counts and warns of those that failed."""
    counts |= report.counts()
    for text, number in report.errors.items():
        context.log.warning("%s objects of %s were not delivered and are tried again: %s", number, entity, text)
