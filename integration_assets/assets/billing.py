"""Billing: what happened to agreements, and the facts of installations (anlægsfakta) that follow from it."""

import base64
from collections.abc import Mapping
from html import escape

import dagster as dg
import polars as pl

from integration_assets.assets.context import areas_of, journaled, record_rejections
from integration_assets.assets.declare import kept_asset, plain_asset, upstream
from integration_assets.assets.lineage import column_lineage, column_schema
from integration_assets.assets.outside import TARIFF_FILES
from integration_assets.domain.facts.picture import picture
from integration_assets.domain.facts.tables import AGREEMENT_EVENTS, INSTALLATION_FACTS
from integration_assets.domain.facts.tariffs import TABLES
from integration_assets.domain.tables import KMD_INSTALLATIONS, RESOLVED_CUSTOMERS
from integration_assets.flows.agreement_events import Derived, derive_events
from integration_assets.flows.fact_extensions import installed_extensions
from integration_assets.flows.identity import object_ids
from integration_assets.flows.installation_facts import Carried, carry_out_events
from integration_assets.flows.tariffs import tariffs_in_force
from integration_assets.resources.business_day import BusinessDay
from integration_assets.resources.cache import CacheResource

TARIFFS = dg.AssetKey(["billing", "tariffs"])

AGREEMENT_COLUMNS = ("customer_number", "supply_area", "party_id", "moved_in", "moved_out", "consumption_place_id")
"""What events need of resolved/customers: no personal numbers, no contact data."""


@plain_asset(
    TARIFFS,
    kinds={"csv", "postgresql"},
    description="Tariffs (tariffer): operands, master data templates, prices, and which installation has which "
    "product. From the files that the settings name (tariff_files), else as they were loaded last.",
    deps=[TARIFF_FILES.key],
    schema=pl.Schema({f"{table}.{column}": pl.String for table, columns in TABLES.items() for column in columns}),
)
def billing_tariffs(context: dg.AssetExecutionContext, cache: CacheResource) -> None:
    """Loads the tariff book where its files changed; a book that cannot be used is refused as a whole."""
    store = cache.get()
    with journaled(context, store, areas=[]) as counts:
        loaded = tariffs_in_force(store.tariff_books, cache.settings.tariff_files, "billing/tariffs")
        counts |= {
            "new": int(loaded.is_new),
            "operands": len(loaded.book.operands),
            "products": len(loaded.book.templates),
        }
    context.add_output_metadata({"version": loaded.version})


@kept_asset(
    dg.AssetKey(list(AGREEMENT_EVENTS.asset)),
    kinds={"polars", "postgresql"},
    description=AGREEMENT_EVENTS.description,
    schema=column_schema(AGREEMENT_EVENTS),
    ins={
        "resolved": upstream(RESOLVED_CUSTOMERS, columns=AGREEMENT_COLUMNS),
        "meters": upstream(KMD_INSTALLATIONS),
    },
    deps=[TARIFFS],
)
def billing_agreement_events(
    context: dg.AssetExecutionContext,
    resolved: pl.DataFrame,
    meters: pl.DataFrame,
    cache: CacheResource,
    business_day: BusinessDay,
) -> None:
    """Compares the agreements with what was followed last; what differs becomes events."""
    store, areas, as_of = cache.get(), areas_of(context), business_day.of_run(context)
    with journaled(context, store) as counts:
        book = tariffs_in_force(store.tariff_books, cache.settings.tariff_files, "billing/agreement_events").book
        derived = derive_events(store, object_ids(cache.settings), resolved, meters, book, areas, as_of)
        counts |= {"agreements": derived.agreements, "changed": derived.changed, "events": derived.events.height}
        counts |= {f"events_{kind}": number for kind, number in sorted(derived.by_kind.items())}
        record_rejections(context, store, derived.rejections, as_of, counts, areas=areas)
    context.add_output_metadata({"dagster/column_lineage": column_lineage(AGREEMENT_EVENTS)})
    if derived.events.height:
        context.add_output_metadata({"happened": dg.MetadataValue.md(_happened(derived))})


@kept_asset(
    dg.AssetKey(list(INSTALLATION_FACTS.asset)),
    kinds={"python", "postgresql"},
    description=INSTALLATION_FACTS.description,
    schema=column_schema(INSTALLATION_FACTS),
    deps=[dg.AssetKey(list(AGREEMENT_EVENTS.asset)), TARIFFS],
)
def billing_installation_facts(
    context: dg.AssetExecutionContext, cache: CacheResource, business_day: BusinessDay
) -> None:
    """Carries out the events of agreements on the facts of their installations."""
    store, areas, as_of = cache.get(), areas_of(context), business_day.of_run(context)
    with journaled(context, store) as counts:
        book = tariffs_in_force(store.tariff_books, cache.settings.tariff_files, "billing/installation_facts").book
        rules = book.engine_rules()._replace(extensions=installed_extensions())
        carried = carry_out_events(store, rules, areas, as_of)
        counts |= {"carried_out": carried.carried_out, "refused": carried.refused}
        counts |= {f"carried_out_{kind}": number for kind, number in sorted(carried.by_kind.items())}
        record_rejections(context, store, carried.rejections, as_of, counts, areas=areas)
    context.add_output_metadata({"dagster/column_lineage": column_lineage(INSTALLATION_FACTS)})
    if carried.carried_out or carried.refused:
        context.add_output_metadata({"processes": dg.MetadataValue.md(_processes(carried))})
    if carried.example is not None:
        drawn = base64.b64encode(picture(store.facts.slices(carried.example) or []).encode()).decode()
        told = f"![Facts of installation {escape(carried.example)}](data:image/svg+xml;base64,{drawn})"
        context.add_output_metadata({"example": dg.MetadataValue.md(told)})


SHOWN = 10
"""Rows of a table in metadata."""


def _happened(derived: Derived) -> str:
    """The events by kind, and the first of them."""
    columns = ("installation", "customer_number", "kind", "day", "moved_in", "moved_out", "product")
    lines = [_counted(derived.by_kind), "", f"| {' | '.join(columns)} |", "|---" * len(columns) + "|"]
    lines += [
        f"| {' | '.join('–' if row[name] is None else str(row[name]) for name in columns)} |"
        for row in derived.events.head(SHOWN).iter_rows(named=True)
    ]
    return "\n".join(lines)


def _processes(carried: Carried) -> str:
    """The processes by kind, and why the first refused ones were."""
    refused = carried.rejections.head(SHOWN)["text"]
    return "\n".join([_counted(carried.by_kind), "", *(f"* {sentence}" for sentence in refused)])


def _counted(by_kind: Mapping[str, int]) -> str:
    kinds = sorted(by_kind.items())
    return "\n".join(["| process | number |", "|---|---|", *(f"| {kind} | {number} |" for kind, number in kinds)])
