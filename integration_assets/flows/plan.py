"""What a run would do, computed by the steps of a run itself and without its effects.

The billing system and the cache are read; no register, registry or CRM is asked, and nothing is written. What the
registers answered before counts; a customer for whom one would have to be asked first is counted and left out.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta

import polars as pl
import sqlalchemy as sa

from integration_assets.cache.deliveries import Deliveries, DesireCounts
from integration_assets.cache.store import Cache
from integration_assets.cache.tables import entity_tables
from integration_assets.clients.kmd_ee import KmdEe
from integration_assets.domain import differences
from integration_assets.domain.addresses import resolve
from integration_assets.domain.addresses.washing import WashingIndex
from integration_assets.domain.addresses.washing.washed import ACCESS, UNIT
from integration_assets.domain.crm import mapping
from integration_assets.domain.crm.tables import STANDARD, CrmMapping
from integration_assets.domain.crm.wire import desired_rows
from integration_assets.domain.identity import ObjectIds
from integration_assets.domain.registry import desired
from integration_assets.domain.registry.superseding import SUPERSEDED
from integration_assets.domain.source import supply_area
from integration_assets.domain.tables import ADDRESS_REGISTER, KMD_CUSTOMERS, REGISTRY_ROWS, RESOLVED_CUSTOMERS
from integration_assets.flows import crm, registry
from integration_assets.flows.address_providers import LocalRegister
from integration_assets.flows.completion import NOT_ASKED
from integration_assets.flows.lookups import Lookups, Mandate
from integration_assets.flows.parties import billing_addresses
from integration_assets.flows.read_back import REGISTRY_ENTITY, crm_addresses, crm_rows, registry_rows
from integration_assets.flows.resolution import (
    CustomerSources,
    require_plausible_rejections,
    resolve_customers,
    waiting_customers,
)
from integration_assets.flows.source import SourceLimits, read_customers, read_installations
from integration_assets.flows.washing import Washer

_KEYS = ("object_id", "business_key", "supply_area")

COUNTS = pl.Schema(
    {
        "system": pl.String,
        "entity": pl.String,
        "create": pl.Int64,
        "update": pl.Int64,
        "end": pl.Int64,
        "unchanged": pl.Int64,
        "clear": pl.Int64,
    }
)
SAMPLES = pl.Schema({"system": pl.String, **differences.SAMPLES})


@dataclass(frozen=True)
class Means:
    """What a plan is made with: where it reads, whose ids it computes, and the limits and rules of the runs."""

    kmd_ee: KmdEe
    cache: Cache
    index: WashingIndex
    ids: ObjectIds
    mandate: Mandate
    limits: SourceLimits
    max_rejected_share: float
    utility: str
    share_protected: bool = False
    mapping: CrmMapping = STANDARD


@dataclass(frozen=True)
class ResolvedAreas:
    """What a run would read from the billing system and make of it: frames of `domain.tables`.

    `customers` and `meters` are of kmd_ee/*, the others of resolved/*; `rejections` (REJECTIONS) are those of all of
    them, `withheld` those of resolved/customers alone.
    """

    customers: pl.DataFrame
    meters: pl.DataFrame
    parties: pl.DataFrame
    consumption: pl.DataFrame
    billing: pl.DataFrame
    places: pl.DataFrame
    rejections: pl.DataFrame
    withheld: pl.DataFrame


@dataclass(frozen=True)
class Planned:
    """One entity of an outside system: what should stand there, and in what that differs from what was delivered.

    `desired` and `difference` as in `Deliveries`; the difference also has objects of earlier runs that were never
    delivered. `unchanged` counts objects. `compared` is what the run's guard will count: what is desired otherwise than
    it was, whether it has been delivered or not; None where no guard stands.
    """

    system: str
    entity: str
    desired: pl.DataFrame
    difference: pl.DataFrame
    unchanged: int
    compared: DesireCounts | None


@dataclass(frozen=True)
class Plan:
    """What a run of these areas on this day would do. `waiting` customers need a register look-up first."""

    as_of: date
    areas: tuple[str, ...]
    resolved: ResolvedAreas
    entities: tuple[Planned, ...]
    waiting: int
    address_rows: int

    def counts(self) -> pl.DataFrame:
        """Objects per entity, in the order of a run: frame of COUNTS.

        Those that lose a value (clear) are among the updates and ends.
        """
        rows = [
            {
                "system": planned.system,
                "entity": planned.entity,
                **dict(differences.summary(planned.entity, planned.difference).select("change", "count").iter_rows()),
                "unchanged": planned.unchanged,
                "clear": differences.clearing(planned.difference).height,
            }
            for planned in self.entities
        ]
        return pl.DataFrame(rows, schema=COUNTS)

    def samples(self, limit: int) -> pl.DataFrame:
        """The changed fields, masked, of the first `limit` new and changed objects per entity: frame of SAMPLES."""
        shown = [
            differences.samples(planned.entity, part, limit).select(pl.lit(planned.system).alias("system"), pl.all())
            for planned in self.entities
            for part in (
                planned.difference.filter(pl.col("change") == "create"),
                differences.shown_updates(planned.difference, limit),
            )
        ]
        return pl.concat([pl.DataFrame(schema=SAMPLES), *shown])

    def rejected(self) -> dict[str, int]:
        """Rows that would be rejected, by reason; those that wait for a look-up are not among them."""
        reasons = self.resolved.rejections.filter(~pl.col("reason").str.ends_with(NOT_ASKED)).get_column("reason")
        return dict(reasons.value_counts().sort("reason").iter_rows())


def known_areas(means: Means, as_of: date) -> list[str]:
    """The supply areas, sorted, that the billing system has rows in or that the cache has rows of."""
    window_start = as_of - timedelta(days=means.limits.window_days)
    present = means.kmd_ee.area_fingerprints(as_of, window_start).select(
        supply_area("postcode", means.limits.area_digits).alias("supply_area")
    )
    cached = entity_tables[KMD_CUSTOMERS.name]
    with means.cache.engine.connect() as connection:
        living = sa.select(cached.c.supply_area).where(cached.c.vanished_at.is_(None)).distinct()
        return sorted({*present.get_column("supply_area"), *connection.execute(living).scalars()})


def make_plan(means: Means, areas: Sequence[str], as_of: date) -> Plan:
    """What a run of these areas would do on the business day `as_of`.

    Raises GateClosed where the run would refuse to go on, CallError when the billing system does not answer.
    """
    areas = sorted(set(areas))
    addresses = means.cache.read(ADDRESS_REGISTER)
    resolved = _resolved(means, areas, as_of, addresses)
    deliveries = means.cache.deliveries
    entities: list[Planned] = []
    standing: dict[str, pl.DataFrame] = {}
    for entity, rows in _registry(means, areas, as_of, resolved).items():
        planned, backlog = _planned(deliveries, registry.SYSTEM, entity, rows, areas)
        entities.append(planned)
        standing[entity] = _as_if_delivered(deliveries, planned, backlog, areas)
    ended = _superseded(means, areas, resolved, standing)
    if ended.height:
        # What earlier runs wanted to end and is not among these is withdrawn, so there is no backlog.
        difference = deliveries.difference(registry.SYSTEM, SUPERSEDED, ended)
        unchanged = ended.height - difference.height
        compared = deliveries.compare(registry.SYSTEM, SUPERSEDED, ended)
        entities.append(Planned(registry.SYSTEM, SUPERSEDED, ended, difference, unchanged, compared))
    for entity, rows in _crm(means, as_of, standing, addresses).items():
        entities.append(_planned(deliveries, crm.SYSTEM, entity, rows, areas)[0])
    waiting = waiting_customers(resolved.withheld)
    return Plan(as_of, tuple(areas), resolved, tuple(entities), waiting, addresses.height)


def _resolved(means: Means, areas: Sequence[str], as_of: date, addresses: pl.DataFrame) -> ResolvedAreas:
    """Reads the billing system and resolves addresses and parties, as the assets of kmd_ee/* and resolved/* do."""
    cache, ids = means.cache, means.ids
    washer = Washer(means.index, cache.washings, LocalRegister(means.index), now=None)
    customers = read_customers(means.kmd_ee, cache, areas, as_of, means.limits)
    meters = read_installations(means.kmd_ee, areas, as_of, means.limits)
    consumption = resolve.consumption(customers.rows, washer.components(customers.rows, UNIT))
    parties = resolve_customers(
        CustomerSources(
            customers=customers.rows,
            consumption=consumption.rows,
            washer=washer,
            addresses=lambda wanted: addresses.filter(pl.col("address_id").is_in(wanted.implode())),
            previous=cache.read(RESOLVED_CUSTOMERS, list(areas), include_vanished=True),
            rejected=cache.rejections.open("/".join(RESOLVED_CUSTOMERS.asset), areas),
        ),
        Lookups(cache.answers, ids, None, means.mandate, as_of=as_of, run_id="plan"),
        ids,
        as_of,
    )
    require_plausible_rejections(
        parties, areas, largest_share=means.max_rejected_share, tolerated=means.limits.tolerated_rows
    )
    billing = billing_addresses(
        customers.rows,
        parties.rows,
        cache.answers,
        ids,
        washer,
        as_of,
        share_protected=means.share_protected,
    )
    alternatives = resolve.alternative_places(meters.rows)
    places = resolve.alternative(alternatives, washer.components(alternatives, ACCESS))
    parts = (customers, meters, consumption, parties, billing, places)
    return ResolvedAreas(
        customers=customers.rows,
        meters=meters.rows,
        parties=parties.rows,
        consumption=consumption.rows,
        billing=billing.rows,
        places=places.rows,
        rejections=pl.concat(part.rejections for part in parts),
        withheld=parties.rejections,
    )


def _registry(means: Means, areas: Sequence[str], as_of: date, resolved: ResolvedAreas) -> dict[str, pl.DataFrame]:
    """What the registry should hold, by entity, as the assets of lora/* desire it."""
    cache, ids, utility = means.cache, means.ids, means.utility
    parties, meters = resolved.parties, resolved.meters
    rows = {
        "customers": registry.desired_customers(parties, cache, ids, means.index, areas),
        "customer_relations": desired.customer_relations(parties, resolved.consumption, ids, utility=utility),
        "customer_roles": registry.desired_roles(parties, cache, ids, as_of, rejections=resolved.withheld),
        "installations": desired.installations(meters, resolved.places, ids, utility=utility),
        "agreements": desired.agreements(parties, meters, resolved.billing, ids, utility=utility),
    }
    return {entity: registry.with_history(entity, frame, cache, as_of) for entity, frame in rows.items()}


def _superseded(
    means: Means, areas: Sequence[str], resolved: ResolvedAreas, standing: Mapping[str, pl.DataFrame]
) -> pl.DataFrame:
    """What would end in an adopted registry once everything else of the run was delivered."""
    soon = {each for frame in standing.values() for each in frame.get_column("object_id")}
    return registry.desired_superseded(means.cache, areas, rejections=resolved.withheld, soon=soon)


def _crm(
    means: Means, as_of: date, standing: Mapping[str, pl.DataFrame], addresses: pl.DataFrame
) -> dict[str, pl.DataFrame]:
    """What the CRM should hold, by entity, once the registry holds `standing`; links last."""
    known = addresses.get_column("address_id")
    rows = {
        entity: crm_rows(
            entity, standing.__getitem__, known, as_of, share_protected=means.share_protected, by=means.mapping
        ).rows
        for entity in REGISTRY_ENTITY
    }
    rows = {"addresses": crm_addresses(rows, addresses, by=means.mapping).rows, **rows}
    links = mapping.agreement_links(standing["customer_roles"], standing["agreements"], means.ids, as_of)
    return {
        **{entity: desired_rows(entity, frame, means.mapping) for entity, frame in rows.items()},
        crm.LINKS: links,
    }


def _planned(
    deliveries: Deliveries, system: str, entity: str, rows: pl.DataFrame, areas: Sequence[str]
) -> tuple[Planned, pl.DataFrame]:
    """The difference that `rows` make, and the rows of earlier runs beside them that were not delivered or not read."""
    backlog = _backlog(deliveries, system, entity, rows, areas)
    difference = deliveries.difference(system, entity, rows)
    unchanged = rows.get_column("object_id").n_unique() - difference.height
    if backlog.height:
        late = deliveries.difference(system, entity, backlog)
        difference = pl.concat([difference, late]).sort("business_key", "object_id")
    compared = None if entity == crm.LINKS else deliveries.compare(system, entity, rows)
    return Planned(system, entity, rows, difference, unchanged, compared), backlog


def _backlog(
    deliveries: Deliveries, system: str, entity: str, rows: pl.DataFrame, areas: Sequence[str]
) -> pl.DataFrame:
    """What earlier runs desired in these areas and did not bring to an end, without the objects of `rows`."""
    unfinished = set(deliveries.counts(system, entity, areas)) - {"delivered"}
    if not unfinished and not (system == registry.SYSTEM and deliveries.unread(system, entity, areas)):
        return rows.clear()
    schema = pl.Schema({name: dtype for name, dtype in rows.schema.items() if name not in _KEYS})
    before = deliveries.desired(system, entity, areas, schema)
    return before.join(rows, on="object_id", how="anti").select(rows.columns)


def _as_if_delivered(
    deliveries: Deliveries, planned: Planned, backlog: pl.DataFrame, areas: Sequence[str]
) -> pl.DataFrame:
    """The registry rows of the areas as they would be read back after the run.

    They are those read back last, except for objects that the run would write or has not read yet.
    """
    found = registry_rows(deliveries, planned.entity, areas)
    wanted = pl.concat([planned.desired, backlog])
    written = {*planned.difference["object_id"], *deliveries.unread(registry.SYSTEM, planned.entity, areas)}
    fresh = wanted.filter(
        pl.col("object_id").is_in(list(written)) | ~pl.col("object_id").is_in(found["object_id"].implode())
    )
    belongs = pl.concat([frame.select("object_id", "supply_area") for frame in (found, fresh)]).unique()
    renewed = (
        fresh.unique("object_id", keep="any")
        .drop("supply_area")
        .join(belongs.filter(pl.col("supply_area").is_in(list(areas))), on="object_id", how="inner")
    )
    columns = [*_KEYS, *REGISTRY_ROWS[planned.entity]]
    return pl.concat([found.join(fresh, on="object_id", how="anti").select(columns), renewed.select(columns)]).sort(
        "object_id", "supply_area"
    )
