"""Completed and resolved data: who the customers are, and the one Danish address behind each text."""

import dagster as dg
import polars as pl

from integration_assets.assets.address_chart import address_chart, category_counts
from integration_assets.assets.addresses import WASHING_INDEX
from integration_assets.assets.context import areas_of, journaled, name_of, record_rejections
from integration_assets.assets.declare import table_asset, upstream
from integration_assets.assets.outside import COMPANY_REGISTER, PERSON_REGISTER
from integration_assets.domain.addresses import resolve
from integration_assets.domain.addresses.washing.washed import ACCESS, UNIT
from integration_assets.domain.tables import (
    ADDRESS_REGISTER,
    KMD_CUSTOMERS,
    KMD_INSTALLATIONS,
    RESOLVED_BILLING_ADDRESSES,
    RESOLVED_CONSUMPTION_ADDRESSES,
    RESOLVED_CUSTOMERS,
    RESOLVED_INSTALLATION_ADDRESSES,
)
from integration_assets.flows.identity import object_ids
from integration_assets.flows.lookups import Lookups
from integration_assets.flows.parties import billing_addresses
from integration_assets.flows.resolution import (
    PASSING_REASONS,
    CustomerSources,
    require_plausible_rejections,
    resolve_customers,
)
from integration_assets.resources.business_day import BusinessDay
from integration_assets.resources.cache import CacheResource
from integration_assets.resources.registers import RegistersResource
from integration_assets.resources.washing import WashingResource

PLACE_COLUMNS = (
    *("customer_number", "supply_area", "street_name", "street_code", "house_number", "house_letter"),
    *("floor", "door", "postcode", "city"),
)
BILLING_COLUMNS = ("customer_number", "supply_area", "billing_street_line", "billing_district")
"""What the addresses need of kmd_ee/customers: no personal numbers, no contact data."""


@table_asset(
    RESOLVED_CONSUMPTION_ADDRESSES,
    kinds={"polars"},
    ins={"customers": upstream(KMD_CUSTOMERS, columns=PLACE_COLUMNS)},
    deps=[WASHING_INDEX],
)
def resolved_consumption_addresses(
    context: dg.AssetExecutionContext,
    customers: pl.DataFrame,
    cache: CacheResource,
    washing: WashingResource,
    business_day: BusinessDay,
) -> pl.DataFrame:
    """Resolves the typed address of each consumption place."""
    with journaled(context, cache.get()) as counts:
        washer = washing.washer(cache.get())
        resolved = resolve.consumption(customers, washer.components(customers, UNIT))
        record_rejections(
            context, cache.get(), resolved.rejections, business_day.of_run(context), counts, areas=areas_of(context)
        )
        counts |= {**category_counts(resolved.rows), "answers_changed": washer.changed}
    context.add_output_metadata({"categories": address_chart(resolved.rows, resolved.rejections)})
    return resolved.rows


@table_asset(
    RESOLVED_CUSTOMERS,
    kinds={"polars"},
    ins={
        "customers": upstream(KMD_CUSTOMERS),
        "consumption": upstream(RESOLVED_CONSUMPTION_ADDRESSES),
        "register": upstream(ADDRESS_REGISTER),
    },
    deps=[PERSON_REGISTER.key, COMPANY_REGISTER.key, WASHING_INDEX],
)
def resolved_customers(
    context: dg.AssetExecutionContext,
    customers: pl.DataFrame,
    consumption: pl.DataFrame,
    register: pl.DataFrame,
    cache: CacheResource,
    registers: RegistersResource,
    washing: WashingResource,
    business_day: BusinessDay,
) -> pl.DataFrame:
    """Completes numbers and identifies the parties; a row whose main customer stays unknown is withheld."""
    areas, as_of, store = areas_of(context), business_day.of_run(context), cache.get()
    ids = object_ids(registers.settings)
    with journaled(context, store) as counts:
        lookups = Lookups(
            store.answers, ids, registers.get(), registers.mandate, as_of=as_of, run_id=context.run.run_id
        )
        resolved = resolve_customers(
            CustomerSources(
                customers=customers,
                consumption=consumption,
                washer=washing.washer(store),
                addresses=lambda wanted: register.filter(pl.col("address_id").is_in(wanted.implode())),
                previous=store.read(RESOLVED_CUSTOMERS, areas, include_vanished=True),
                rejected=store.rejections.open(name_of(context), areas),
            ),
            lookups,
            ids,
            as_of,
        )
        require_plausible_rejections(
            resolved,
            areas,
            largest_share=registers.settings.max_rejected_share,
            tolerated=registers.settings.tolerated_rows,
        )
        counts["rows"] = resolved.rows.height
        record_rejections(context, store, resolved.rejections, as_of, counts, areas=areas, at_once=PASSING_REASONS)
    return resolved.rows


@table_asset(
    RESOLVED_BILLING_ADDRESSES,
    kinds={"polars"},
    ins={
        "customers": upstream(KMD_CUSTOMERS, columns=BILLING_COLUMNS),
        "parties": upstream(RESOLVED_CUSTOMERS, columns=("customer_number", "party_id", "party_kind", "number")),
    },
    deps=[WASHING_INDEX],
)
def resolved_billing_addresses(
    context: dg.AssetExecutionContext,
    customers: pl.DataFrame,
    parties: pl.DataFrame,
    cache: CacheResource,
    registers: RegistersResource,
    washing: WashingResource,
    business_day: BusinessDay,
) -> pl.DataFrame:
    """Resolves the billing line; where it names no address, the main customer's registered address stands in."""
    store = cache.get()
    with journaled(context, store) as counts:
        washer = washing.washer(store)
        settings, as_of = registers.settings, business_day.of_run(context)
        resolved = billing_addresses(
            customers,
            parties,
            store.answers,
            object_ids(settings),
            washer,
            as_of,
            share_protected=settings.share_protected_addresses,
        )
        record_rejections(context, store, resolved.rejections, as_of, counts, areas=areas_of(context))
        counts |= {**category_counts(resolved.rows), "answers_changed": washer.changed}
    context.add_output_metadata({"categories": address_chart(resolved.rows, resolved.rejections)})
    return resolved.rows


@table_asset(
    RESOLVED_INSTALLATION_ADDRESSES,
    kinds={"polars"},
    ins={"installations": upstream(KMD_INSTALLATIONS)},
    deps=[WASHING_INDEX],
)
def resolved_installation_addresses(
    context: dg.AssetExecutionContext,
    installations: pl.DataFrame,
    cache: CacheResource,
    washing: WashingResource,
    business_day: BusinessDay,
) -> pl.DataFrame:
    """Resolves the alternative place of each installation that has one."""
    with journaled(context, cache.get()) as counts:
        places = resolve.alternative_places(installations)
        washer = washing.washer(cache.get())
        resolved = resolve.alternative(places, washer.components(places, ACCESS))
        record_rejections(
            context, cache.get(), resolved.rejections, business_day.of_run(context), counts, areas=areas_of(context)
        )
        counts |= {**category_counts(resolved.rows), "answers_changed": washer.changed}
    context.add_output_metadata({"categories": address_chart(resolved.rows, resolved.rejections)})
    return resolved.rows
