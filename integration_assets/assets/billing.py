"""Billing: what happened to agreements, and the facts of installations (anlægsfakta) that follow from it."""

import base64
from collections.abc import Mapping
from html import escape

import dagster as dg
import polars as pl

from integration_assets.assets.context import areas_of, journaled, record_rejections
from integration_assets.assets.declare import kept_asset, plain_asset, upstream
from integration_assets.assets.outside import TARIFF_FILES
from integration_assets.cache.agreement_events import EVENTS
from integration_assets.domain.facts.picture import picture
from integration_assets.domain.facts.tariffs import TABLES
from integration_assets.domain.tables import KMD_INSTALLATIONS, RESOLVED_CUSTOMERS
from integration_assets.flows.agreement_events import Derived, derive_events
from integration_assets.flows.fact_extensions import installed_extensions
from integration_assets.flows.identity import object_ids
from integration_assets.flows.installation_facts import Carried, carry_out_events
from integration_assets.flows.tariffs import tariffs_in_force
from integration_assets.resources.business_day import BusinessDay
from integration_assets.resources.cache import CacheResource
from integration_assets.resources.kmd_ee import KmdEeResource

TARIFFS = dg.AssetKey(["billing", "tariffs"])
AGREEMENT_EVENTS = dg.AssetKey(["billing", "agreement_events"])
INSTALLATION_FACTS = dg.AssetKey(["billing", "installation_facts"])

AGREEMENT_COLUMNS = ("customer_number", "supply_area", "party_id", "moved_in", "moved_out", "consumption_place_id")
"""What events need of resolved/customers: no personal numbers, no contact data."""

EVENT_COLUMNS = {
    "event_id": "Number of the event: the order in which events happened",
    "process_id": "Id of the process that follows it: the same whenever the same change is seen",
    "installation": "Installation ← kmd_ee/installations.installation_number",
    "agreement_id": "Uuid of the agreement (aftale) ← resolved/customers.customer_number",
    "customer_number": "Customer number (Kundenr) ← resolved/customers.customer_number",
    "contract": "Number of the contract on the installation; -2, -3 … where the agreement began anew",
    "supply_area": "Supply area (forsyningsområde) ← resolved/customers.supply_area",
    "revision": "How often the agreement had changed by then: events of one change have the same",
    "kind": "new_contract, move_out, change_move_out_date, cancel_contract_end, change_move_in_date, "
    "cancel_contract_start (annulled), product_change, product_change_cancel or contract_change",
    "day": "First day that the event changes",
    "moved_in_before": "Move-in of the agreement before; null: it is new",
    "moved_out_before": "Move-out (first day after) before; null: open",
    "moved_in": "Move-in (tilflytning) after ← resolved/customers.moved_in",
    "moved_out": "Move-out (fraflytning) after; null: open ← resolved/customers.moved_out",
    "product_before": "Product on that day before",
    "product": "Product on that day after ← billing/tariffs.products, kmd_ee/installations.meter_type",
    "call": "The process asked for, as JSON",
    "seen_on": "Business day on which the change was seen",
    "outcome": "waiting, carried_out, refused or superseded",
    "why": "Why it was refused",
    "settled_on": "Business day on which it was carried out or superseded",
}
FACT_COLUMNS = {
    "installation": "Installation ← billing/agreement_events.installation",
    "operand": "Operand ← billing/tariffs.operands",
    "season": "Season; blank: the whole year",
    "valid_from": "First day (AB) ← billing/agreement_events.call",
    "valid_to": "Last day (BIS); 9999-12-31: none ← billing/agreement_events.call",
    "value": "Value as JSON ← billing/tariffs.templates, billing/tariffs.prices",
    "inactive": "Remembered after a move-out, not in force (INAKTIV)",
    "binding": "CONSTANT, PARAMETER, VIRTUAL or MANUAL: where the value comes from",
    "contract": "Contract that it was written for ← billing/agreement_events.contract",
    "product": "Product whose template wrote it ← billing/agreement_events.product",
    "process": "Process that wrote it ← billing/agreement_events.process_id",
    "previous_valid_to": "Last day before it was shortened (ALTBIS)",
    "cut_by_move_out": "Shortened by a move-out (MAUSZUG)",
    "billed_until": "Last day that has been billed",
}


def _described(columns: dict[str, str], types: pl.Schema | None = None) -> dg.TableSchema:
    return dg.TableSchema(
        columns=[
            dg.TableColumn(name=name, description=text, type=str((types or {}).get(name, pl.String())))
            for name, text in columns.items()
        ]
    )


@plain_asset(
    TARIFFS,
    kinds={"csv", "postgresql"},
    description="Tariffs (tariffer): operands, master data templates, prices, and which installation has which "
    "product. From the files that the settings name (tariff_files), else as they were loaded last.",
    deps=[TARIFF_FILES.key],
    schema=pl.Schema({f"{table}.{column}": pl.String for table, columns in TABLES.items() for column in columns}),
)
def billing_tariffs(context: dg.AssetExecutionContext, cache: CacheResource, kmd_ee: KmdEeResource) -> None:
    """Loads the tariff book where its files changed; a book that cannot be used is refused as a whole."""
    store = cache.get()
    with journaled(context, store, areas=[]) as counts:
        loaded = tariffs_in_force(store.tariff_books, kmd_ee.settings.tariff_files, "billing/tariffs")
        counts |= {
            "new": int(loaded.is_new),
            "operands": len(loaded.book.operands),
            "products": len(loaded.book.templates),
        }
    context.add_output_metadata({"version": loaded.version})


@kept_asset(
    AGREEMENT_EVENTS,
    kinds={"polars", "postgresql"},
    description="What happened to agreements (aftaler) on each of their installations: moved in, moved out, dates "
    "changed or cleared, annulled, another product or price. Rows are only added.",
    schema=_described(EVENT_COLUMNS, EVENTS),
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
    kmd_ee: KmdEeResource,
    business_day: BusinessDay,
) -> None:
    """Compares the agreements with what was followed last; what differs becomes events."""
    store, areas, as_of = cache.get(), areas_of(context), business_day.of_run(context)
    with journaled(context, store) as counts:
        book = tariffs_in_force(store.tariff_books, kmd_ee.settings.tariff_files, "billing/agreement_events").book
        derived = derive_events(store, object_ids(kmd_ee.settings), resolved, meters, book, areas, as_of)
        counts |= {"agreements": derived.agreements, "changed": derived.changed, "events": derived.events.height}
        counts |= {f"events_{kind}": number for kind, number in sorted(derived.by_kind.items())}
        record_rejections(context, store, derived.rejections, as_of, counts, areas=areas)
    if derived.events.height:
        context.add_output_metadata({"happened": dg.MetadataValue.md(_happened(derived))})


@kept_asset(
    INSTALLATION_FACTS,
    kinds={"python", "postgresql"},
    description="Facts of installations (anlægsfakta): which value of each operand holds when, who wrote it and why. "
    "View fact_slice; each process is in fact_journal.",
    schema=_described(FACT_COLUMNS),
    deps=[AGREEMENT_EVENTS, TARIFFS],
)
def billing_installation_facts(
    context: dg.AssetExecutionContext, cache: CacheResource, kmd_ee: KmdEeResource, business_day: BusinessDay
) -> None:
    """Carries out the events of agreements on the facts of their installations."""
    store, areas, as_of = cache.get(), areas_of(context), business_day.of_run(context)
    with journaled(context, store) as counts:
        book = tariffs_in_force(store.tariff_books, kmd_ee.settings.tariff_files, "billing/installation_facts").book
        rules = book.engine_rules()._replace(extensions=installed_extensions())
        carried = carry_out_events(store, rules, areas, as_of)
        counts |= {"carried_out": carried.carried_out, "refused": carried.refused}
        counts |= {f"carried_out_{kind}": number for kind, number in sorted(carried.by_kind.items())}
        record_rejections(context, store, carried.rejections, as_of, counts, areas=areas)
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
