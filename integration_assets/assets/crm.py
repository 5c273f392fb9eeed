"""Delivers the entities to Dynamics CRM 365, in the order in which rows point at each other."""

import dagster as dg
import polars as pl

from integration_assets.assets.context import areas_of, journaled
from integration_assets.assets.declare import delivery_asset, upstream
from integration_assets.cache.locks import advisory_lock
from integration_assets.cache.store import Cache
from integration_assets.domain.crm import mapping
from integration_assets.domain.crm.fields import CRM_TABLES, TABLE_FACTS
from integration_assets.domain.tables import ADDRESS_REGISTER
from integration_assets.flows.crm import LINKS, SYSTEM, link_sender, row_sender
from integration_assets.flows.delivery import Send, deliver
from integration_assets.flows.identity import object_ids
from integration_assets.flows.preflight import gated
from integration_assets.flows.read_back import crm_rows, registry_rows
from integration_assets.resources.business_day import BusinessDay
from integration_assets.resources.cache import CacheResource
from integration_assets.resources.dynamics import DynamicsResource

# A lookup must find its target: targets first.
TARGETS_FIRST = {
    "addresses": (),
    "contacts": ("addresses",),
    "accounts": ("addresses",),
    "customer_roles": ("contacts", "accounts"),
    "agreements": ("accounts", "contacts", "customer_roles"),
    "installations": ("agreements",),
}


@delivery_asset(
    SYSTEM,
    "contacts",
    description=f"{CRM_TABLES['contacts'].description} Delivered to contacts.",
    kinds={"dynamics"},
    ins={"register": upstream(ADDRESS_REGISTER)},
    deps=[dg.AssetKey(["cache", "contacts"]), *(dg.AssetKey([SYSTEM, target]) for target in TARGETS_FIRST["contacts"])],
)
def crm_contacts(
    context: dg.AssetExecutionContext,
    register: pl.DataFrame,
    cache: CacheResource,
    dynamics: DynamicsResource,
    business_day: BusinessDay,
) -> None:
    """Delivers the contacts.

    A person may belong to several areas that run at once. So the rows are not those that this run cached a moment ago
    but what was read back last by whichever run, and whoever desires last desires the newest.
    """
    store, areas = cache.get(), areas_of(context)
    with journaled(context, store) as counts:
        with advisory_lock(store.engine, "desired:crm/contacts"):
            rows = crm_rows(
                "contacts",
                lambda entity: registry_rows(store.deliveries, entity, areas),
                register.get_column("address_id"),
                business_day.of_run(context),
                share_protected=dynamics.settings.share_protected_addresses,
            )
            _desire(store, "contacts", rows.rename({CRM_TABLES["contacts"].key: "object_id"}), counts)
        _deliver(context, store, "contacts", _gated(context, dynamics, row_sender(dynamics.get(), "contacts")), counts)


def _crm_asset(entity: str) -> dg.AssetsDefinition:
    """The asset that delivers the rows of `cache/<entity>`."""
    table = CRM_TABLES[entity]

    @delivery_asset(
        SYSTEM,
        entity,
        description=f"{table.description} Delivered to {TABLE_FACTS[entity].set_name}.",
        kinds={"dynamics"},
        ins={"rows": upstream(table)},
        deps=[dg.AssetKey([SYSTEM, target]) for target in TARGETS_FIRST[entity]],
    )
    def deliver_rows(
        context: dg.AssetExecutionContext, rows: pl.DataFrame, cache: CacheResource, dynamics: DynamicsResource
    ) -> None:
        store = cache.get()
        with journaled(context, store) as counts:
            _send(
                context,
                store,
                entity,
                rows.rename({table.key: "object_id"}),
                _gated(context, dynamics, row_sender(dynamics.get(), entity)),
                counts,
            )

    return deliver_rows


@delivery_asset(
    SYSTEM,
    "agreements",
    description=f"{CRM_TABLES['agreements'].description} Delivered to ava_aftales, with their contacts.",
    kinds={"dynamics"},
    ins={"rows": upstream(CRM_TABLES["agreements"])},
    deps=[dg.AssetKey([SYSTEM, target]) for target in TARGETS_FIRST["agreements"]],
)
def crm_agreements(
    context: dg.AssetExecutionContext,
    rows: pl.DataFrame,
    cache: CacheResource,
    dynamics: DynamicsResource,
    business_day: BusinessDay,
) -> None:
    """Delivers the agreements, then the links to the contacts that take part in them."""
    store, areas = cache.get(), areas_of(context)
    with journaled(context, store) as counts:
        agreements = rows.rename({CRM_TABLES["agreements"].key: "object_id"})
        send = _gated(context, dynamics, row_sender(dynamics.get(), "agreements"))
        _send(context, store, "agreements", agreements, send, counts)
        links = mapping.agreement_links(
            registry_rows(store.deliveries, "customer_roles", areas),
            registry_rows(store.deliveries, "agreements", areas),
            object_ids(dynamics.settings),
            business_day.of_run(context),
        )
        linked: dict[str, int] = {}
        _send(context, store, LINKS, links, _gated(context, dynamics, link_sender(dynamics.get())), linked)
        counts |= {f"links_{name}": number for name, number in linked.items()}


crm_addresses = _crm_asset("addresses")
crm_accounts = _crm_asset("accounts")
crm_customer_roles = _crm_asset("customer_roles")
crm_installations = _crm_asset("installations")


def _gated(context: dg.AssetExecutionContext, dynamics: DynamicsResource, send: Send) -> Send:
    """Sends nothing to a CRM that cannot take it. A CRM is checked once in a run, when there is something to send."""
    return gated(send, lambda: dynamics.require_fit(context.log.warning))


def _send(
    context: dg.AssetExecutionContext, store: Cache, entity: str, rows: pl.DataFrame, send: Send, counts: dict[str, int]
) -> None:
    """Desires the rows, delivers what differs and adds the counts."""
    _desire(store, entity, rows, counts)
    _deliver(context, store, entity, send, counts)


def _desire(store: Cache, entity: str, rows: pl.DataFrame, counts: dict[str, int]) -> None:
    compared = store.deliveries.desire(SYSTEM, entity, rows)
    counts["desired"] = compared.new + compared.changed + compared.unchanged
    counts["unchanged"] = compared.unchanged


def _deliver(context: dg.AssetExecutionContext, store: Cache, entity: str, send: Send, counts: dict[str, int]) -> None:
    report = deliver(store.deliveries, SYSTEM, entity, send, areas=areas_of(context))
    counts |= report.counts()
    for text, number in report.errors.items():
        context.log.warning("%s rows of %s were not delivered and are tried again: %s", number, entity, text)
