"""What starts runs by itself: changes in the source, a new address register, deliveries and rejections due again.

Each sensor remembers what it asked for and how that ended (`cursors`); a request that failed is made again, with a
growing pause. The day of a new run is the business day of the tick.
"""

from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime, timedelta

import dagster as dg
import polars as pl
import sqlalchemy as sa

from integration_assets.automation.cursors import Cursor
from integration_assets.automation.jobs import address_register, main_flow
from integration_assets.automation.runs import REQUEST_TAG, areas_under_way, outcomes
from integration_assets.cache.tables import entity_tables
from integration_assets.domain.source import supply_area
from integration_assets.domain.tables import ADDRESS_REGISTER
from integration_assets.partitions import (
    ALL_MUNICIPALITIES,
    RANGE_END,
    RANGE_START,
    SUPPLY_AREAS,
    contiguous_ranges,
    keys_between,
    range_tags,
)
from integration_assets.resources.address_register import AddressRegisterResource
from integration_assets.resources.business_day import AS_OF_TAG, BusinessDay
from integration_assets.resources.cache import CacheResource
from integration_assets.resources.kmd_ee import KmdEeResource
from integration_assets.resources.washing import WashingResource

DUE = "due"
CORRECTING = ("notifications/persons", "notifications/companies")
"""Steps that correct the registry."""


def area_fingerprints(kmd_ee: KmdEeResource, as_of: date) -> dict[str, str]:
    """The state of each supply area in the source, as text; differs as soon as a row that a run would read differs."""
    settings = kmd_ee.settings
    window_start = as_of - timedelta(days=settings.source_window_days)
    frame = kmd_ee.get().area_fingerprints(as_of, window_start)
    areas = (
        frame.with_columns(supply_area("postcode", settings.supply_area_digits).alias("supply_area"))
        .sort("supply_area", "postcode", "rows", "fingerprint")
        .group_by("supply_area", maintain_order=True)
        .agg(pl.concat_str("rows", pl.lit("/"), "fingerprint").str.join(";").alias("fingerprint"))
    )
    return dict(areas.iter_rows())


def register_is_loaded(cache: CacheResource, washing: WashingResource) -> bool:
    """Whether there is an index to wash addresses with, and the cache holds any address.

    The index lies in files beside the cache, and other rules want another one: it may be missing where rows are not.
    """
    if not washing.is_ready:
        return False
    table = entity_tables[ADDRESS_REGISTER.name]
    with cache.get().engine.connect() as connection:
        return bool(connection.scalar(sa.select(sa.exists().where(table.c.vanished_at.is_(None)))))


def known_areas(instance: dg.DagsterInstance) -> list[str]:
    """The registered supply areas, in their order."""
    return list(instance.get_dynamic_partitions(str(SUPPLY_AREAS.name)))


def range_requests(wanted: Sequence[str], known: Sequence[str], as_of: date, run_key: str) -> list[dg.RunRequest]:
    """Run requests of the main flow that cover the wanted areas: one per contiguous range of the known areas."""
    return [
        dg.RunRequest(
            job_name=main_flow.name,
            run_key=f"{run_key}:{first}:{last}",
            tags={
                **range_tags(first, last),
                AS_OF_TAG: as_of.isoformat(),
                REQUEST_TAG: f"{run_key}:{first}:{last}",
            },
        )
        for first, last in contiguous_ranges(wanted, known)
    ]


@dg.sensor(job=main_flow, minimum_interval_seconds=60)
def source_changes(
    context: dg.SensorEvaluationContext,
    kmd_ee: KmdEeResource,
    cache: CacheResource,
    washing: WashingResource,
    business_day: BusinessDay,
) -> dg.SensorResult | dg.SkipReason:
    """Asks for runs of the supply areas whose rows in KMD EE changed; registers areas that are new."""
    if not register_is_loaded(cache, washing):
        return dg.SkipReason("The address register is not loaded yet: every address would be rejected.")
    as_of, known = business_day.today(), known_areas(context.instance)
    current = area_fingerprints(kmd_ee, as_of)
    new = sorted(current.keys() - set(known))
    return _asking(
        context,
        current,
        [*known, *new],
        as_of,
        run_key="source",
        nothing=f"No supply area of {len(current)} changed, or a run is under way or has just failed.",
        new=new,
    )


@dg.sensor(job=main_flow, minimum_interval_seconds=60)
def due_again(
    context: dg.SensorEvaluationContext, cache: CacheResource, business_day: BusinessDay
) -> dg.SensorResult | dg.SkipReason:
    """Asks for runs of the supply areas where a delivery or a rejection is due to be tried again."""
    as_of, store, known = business_day.today(), cache.get(), known_areas(context.instance)
    deliveries = store.deliveries.due(datetime.now(UTC)).get_column("supply_area")
    # What the registers say of parties is looked at by their own job; no run of an area would change it.
    due = store.rejections.due(as_of)
    rejections = due.filter(~pl.col("asset").str.starts_with("notifications/")).get_column("supply_area")
    current = dict.fromkeys({*deliveries, *rejections} & set(known), DUE)
    nothing = "Nothing is due, or a run is under way or has just failed."
    return _asking(context, current, known, as_of, run_key=DUE, nothing=nothing, remember_done=False)


@dg.sensor(job=main_flow, minimum_interval_seconds=60)
def registry_corrected(
    context: dg.SensorEvaluationContext, cache: CacheResource, business_day: BusinessDay
) -> dg.SensorResult | dg.SkipReason:
    """Asks for runs of the supply areas where the registers changed parties, which bring the corrections to the CRM."""
    known = known_areas(context.instance)
    corrected = cache.get().journal.areas_of_steps(CORRECTING)
    current = {area: ended_at.isoformat() for area, ended_at in corrected.items() if area in set(known)}
    nothing = "The registers changed nobody, or a run is under way or has just failed."
    return _asking(context, current, known, business_day.today(), run_key="corrected", nothing=nothing)


def _asking(
    context: dg.SensorEvaluationContext,
    current: Mapping[str, str],
    known: Sequence[str],
    as_of: date,
    *,
    run_key: str,
    nothing: str,
    new: Sequence[str] = (),
    remember_done: bool = True,
) -> dg.SensorResult:
    """The requests that bring the areas from the state last dealt with to `current`, and a cursor that remembers them.

    Without `remember_done` an area in `current` is asked for whatever was done before, and only failures stay.
    """
    now = datetime.now(UTC)
    before = Cursor.parse(context.cursor)
    ended = outcomes(context.instance, before.requests())
    cursor = before.settled(ended)
    if not remember_done:
        cursor = Cursor(asked=cursor.only(current.keys()).asked)
    requests: list[dg.RunRequest] = []
    for number, group in enumerate(cursor.to_ask(current, ended, areas_under_way(context.instance, known), now)):
        for request in range_requests(group, known, as_of, run_key=f"{run_key}:{now.isoformat()}:{number}"):
            first, last = request.tags[RANGE_START], request.tags[RANGE_END]
            cursor = cursor.with_request(str(request.run_key), keys_between(first, last, known), current, now)
            requests.append(request)
    return dg.SensorResult(
        run_requests=requests,
        skip_reason=None if requests else nothing,
        dynamic_partitions_requests=[SUPPLY_AREAS.build_add_request(list(new))] if new else [],
        cursor=cursor.text(),
    )


@dg.sensor(job=address_register, minimum_interval_seconds=3600)
def new_address_register(
    context: dg.SensorEvaluationContext,
    address_files: AddressRegisterResource,
    cache: CacheResource,
    washing: WashingResource,
    business_day: BusinessDay,
) -> dg.SensorResult | dg.SkipReason:
    """Asks for a load of the address register when a new generation is published, or when index or rows are missing.

    A load that failed is asked for again at the next tick.
    """
    generation = str(address_files.get().generation(address_files.settings.address_register_kind))
    loaded = register_is_loaded(cache, washing)
    request = f"address_register:{generation}"
    outcome = outcomes(context.instance, [request]).get(request)
    if outcome is not None and outcome.ended_at is None:
        return dg.SkipReason(f"Generation {generation} is being loaded.")
    if loaded and (context.cursor == generation or (outcome is not None and outcome.succeeded)):
        return dg.SensorResult(skip_reason=f"Generation {generation} is loaded.", cursor=generation)
    return dg.SensorResult(
        run_requests=[
            dg.RunRequest(
                job_name=address_register.name,
                run_key=f"{request}:{datetime.now(UTC).isoformat()}",
                tags={**ALL_MUNICIPALITIES, AS_OF_TAG: business_day.today().isoformat(), REQUEST_TAG: request},
            )
        ],
    )
