"""Installation accounts (installationskonti): each customer and installation as of today."""

from datetime import UTC, datetime

import dagster as dg
import polars as pl

from integration_assets.assets.context import areas_of, journaled, record_rejections
from integration_assets.assets.declare import kept_asset
from integration_assets.cache.accounts import ROWS
from integration_assets.domain.accounts.decision import Order
from integration_assets.domain.crm.fields import INSTALLATION_ACCOUNTS
from integration_assets.flows.accounts import open_collections, read_market_locations, refresh_accounts
from integration_assets.flows.identity import object_ids
from integration_assets.resources.business_day import BusinessDay
from integration_assets.resources.cache import CacheResource

ACCOUNTS = dg.AssetKey(["billing", INSTALLATION_ACCOUNTS])

COLUMNS = {
    "account_id": "Uuid of the account: computed from customer and installation",
    "party_id": "The customer (kunde) ← resolved/customers.party_id",
    "installation": "Installation ← kmd_ee/installations.installation_number",
    "market_location": "MaLo-ID or GSRN (målepunkt) of the installation, where valid",
    "superseded_by": "The account that took this one's place",
    "supply_area": "Supply area (forsyningsområde) ← kmd_ee/customers.supply_area",
    "status": "PROSPECT, FUTURE, ACTIVE or ENDED, by the contract that counts",
    "customer_number": "Customer number of the contract that counts ← kmd_ee/customers.customer_number",
    "contract_start": "Its first day ← kmd_ee/customers.moved_in",
    "contract_end": "First day after it; null = open ← kmd_ee/customers.moved_out",
    "utility": "Utility type (forsyningsart)",
    "address_line": "Alternative place, else consumption place, as typed ← resolved/consumption_addresses.address_line",
    "address_id": "Its address in the register ← resolved/consumption_addresses.address_id",
    "meter_number": "Meter of the day ← kmd_ee/installations.meter_number",
    "meter_type": "Its type ← kmd_ee/installations.meter_type",
    "product": "Product of the day ← billing/installation_facts.product",
    "tariff_facts": "Facts of the day, JSON by operand ← billing/installation_facts.value",
    "billing_line": "Billing line as typed ← resolved/billing_addresses.address_line",
    "billing_address_id": "Its address in the register ← resolved/billing_addresses.address_id",
    "open_collection": "Whether a claim is under collection",
}

SHOWN = 10
"""Rows of a table in metadata."""


def _schema() -> dg.TableSchema:
    return dg.TableSchema(
        columns=[dg.TableColumn(name=name, type=str(dtype), description=COLUMNS[name]) for name, dtype in ROWS.items()]
    )


@kept_asset(
    ACCOUNTS,
    kinds={"polars", "postgresql"},
    description="Installation accounts (installationskonti): one for every customer and installation, with contract, "
    "meter, product, facts and address of the day. Contracts create or update them; those that time or a change has "
    "overtaken are marked and calculated anew. Contracts that lack something wait and are decided again when it comes.",
    schema=_schema(),
    deps=[
        *(dg.AssetKey(["kmd_ee", name]) for name in ("customers", "installations")),
        *(
            dg.AssetKey(["resolved", name])
            for name in ("customers", "consumption_addresses", "billing_addresses", "installation_addresses")
        ),
        dg.AssetKey(["billing", "installation_facts"]),
    ],
)
def billing_installation_accounts(
    context: dg.AssetExecutionContext, cache: CacheResource, business_day: BusinessDay
) -> None:
    """Links contracts, marks accounts by windows since they were calculated last, and updates the marked ones."""
    store, settings, areas, as_of = cache.get(), cache.settings, areas_of(context), business_day.of_run(context)
    with journaled(context, store) as counts:
        refreshed = refresh_accounts(
            store,
            object_ids(settings),
            areas,
            as_of,
            datetime.now(UTC),
            utility=settings.utility,
            order=Order(settings.account_order),
            market_locations=read_market_locations(settings.market_locations_file),
            collections=open_collections(store),
        )
        counts |= refreshed.counts
        standing = store.accounts.counts(areas)
        counts |= {f"accounts_{status}": number for status, number in standing.items()}
        record_rejections(context, store, refreshed.rejections, as_of, counts, areas=areas)
    context.add_output_metadata({"accounts": dg.MetadataValue.md(_standing(standing, refreshed.rejections))})


def _standing(standing: dict[str, int], found: pl.DataFrame) -> str:
    """How many accounts there are of each status, and the first things that a person must look at."""
    lines = ["| status | accounts |", "|---|---|", *(f"| {status} | {number} |" for status, number in standing.items())]
    if found.height:
        lines += ["", "| installation | reason | text |", "|---|---|---|"]
        shown = found.select("record_key", "reason", "text").head(SHOWN)
        lines += [f"| {key} | {reason} | {text} |" for key, reason, text in shown.iter_rows()]
    return "\n".join(lines)
