"""Delivers the entities to Dynamics CRM 365, in the order in which rows point at each other."""

from collections.abc import Sequence
from datetime import date

import dagster as dg
import polars as pl

from integration_assets.assets.context import areas_of, counting_requests, journaled, record_rejections
from integration_assets.assets.declare import delivery_asset, upstream
from integration_assets.assets.outgoing import desire, state
from integration_assets.cache.locks import advisory_lock
from integration_assets.cache.refused import refused
from integration_assets.cache.store import Cache
from integration_assets.domain.crm import mapping
from integration_assets.domain.crm.fields import CRM_TABLES, TABLE_FACTS
from integration_assets.domain.crm.wire import desired_rows
from integration_assets.domain.tables import ADDRESS_REGISTER
from integration_assets.flows.crm import LINKS, SYSTEM, deliver_rows, link_sender, row_sender, worklist
from integration_assets.flows.crm_mapping import mapping_in_force
from integration_assets.flows.delivery import Send
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
    store, areas, by = cache.get(), areas_of(context), mapping_in_force(dynamics.settings)
    as_of = business_day.of_run(context)
    with journaled(context, store) as counts, counting_requests(SYSTEM, dynamics.get(), counts):
        with advisory_lock(store.engine, "desired:crm/contacts"):
            rows = crm_rows(
                "contacts",
                lambda entity: registry_rows(store.deliveries, entity, areas),
                register.get_column("address_id"),
                as_of,
                share_protected=dynamics.settings.share_protected_addresses,
                by=by,
            ).rows
            desire(context, store, dynamics.settings, SYSTEM, "contacts", desired_rows("contacts", rows, by), counts)
        send = row_sender(dynamics.get(), "contacts", by, adoptions=store.row_adoptions)
        _deliver(context, store, dynamics, "contacts", send, counts)
        _record_refused(context, store, ("contacts",), as_of, counts)


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
    def deliver_entity(
        context: dg.AssetExecutionContext,
        rows: pl.DataFrame,
        cache: CacheResource,
        dynamics: DynamicsResource,
        business_day: BusinessDay,
    ) -> None:
        store, by = cache.get(), mapping_in_force(dynamics.settings)
        with journaled(context, store) as counts, counting_requests(SYSTEM, dynamics.get(), counts):
            desire(context, store, dynamics.settings, SYSTEM, entity, desired_rows(entity, rows, by), counts)
            send = row_sender(dynamics.get(), entity, by, adoptions=store.row_adoptions)
            _deliver(context, store, dynamics, entity, send, counts)
            _record_refused(context, store, (entity,), business_day.of_run(context), counts)

    return deliver_entity


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
    store, areas, settings = cache.get(), areas_of(context), dynamics.settings
    as_of = business_day.of_run(context)
    with journaled(context, store) as counts, counting_requests(SYSTEM, dynamics.get(), counts):
        by = mapping_in_force(settings)
        desire(context, store, settings, SYSTEM, "agreements", desired_rows("agreements", rows, by), counts)
        send = row_sender(dynamics.get(), "agreements", by, adoptions=store.row_adoptions)
        _deliver(context, store, dynamics, "agreements", send, counts)
        links = mapping.agreement_links(
            registry_rows(store.deliveries, "customer_roles", areas),
            registry_rows(store.deliveries, "agreements", areas),
            object_ids(settings),
            as_of,
        )
        linked: dict[str, int] = {}
        state(store, SYSTEM, LINKS, links, linked)
        _deliver(context, store, dynamics, LINKS, link_sender(dynamics.get(), adoptions=store.row_adoptions), linked)
        counts |= {f"links_{name}": number for name, number in linked.items()}
        _record_refused(context, store, ("agreements", LINKS), as_of, counts)


crm_addresses = _crm_asset("addresses")
crm_accounts = _crm_asset("accounts")
crm_customer_roles = _crm_asset("customer_roles")
crm_installations = _crm_asset("installations")


def _gated(context: dg.AssetExecutionContext, dynamics: DynamicsResource, send: Send) -> Send:
    """Sends nothing to a CRM that cannot take it. A CRM is checked once in a run, when there is something to send."""
    return gated(send, lambda: dynamics.require_fit(context.log.warning))


def _deliver(
    context: dg.AssetExecutionContext,
    store: Cache,
    dynamics: DynamicsResource,
    entity: str,
    send: Send,
    counts: dict[str, int],
) -> None:
    """Delivers what differs and adds the counts."""
    report = deliver_rows(store.deliveries, dynamics.get(), entity, _gated(context, dynamics, send), areas_of(context))
    counts |= report.counts()
    for text, number in report.errors.items():
        context.log.warning("%s rows of %s were not delivered and are tried again: %s", number, entity, text)


def _record_refused(
    context: dg.AssetExecutionContext, store: Cache, entities: Sequence[str], as_of: date, counts: dict[str, int]
) -> None:
    """Puts the rows that the CRM refused, and those that wait for a case to be closed, on the worklist."""
    areas = areas_of(context)
    found = pl.concat(worklist(entity, refused(store.engine, SYSTEM, entity, areas)) for entity in entities)
    record_rejections(context, store, found, as_of, counts, areas=areas)
