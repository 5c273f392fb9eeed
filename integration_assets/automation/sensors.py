"""What starts runs by itself: changes in the source, a new address register, deliveries and rejections that are due again."""

from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from hashlib import blake2b

import dagster as dg
import polars as pl

from integration_assets.automation.cursors import SourceCursor
from integration_assets.automation.jobs import address_register, main_flow
from integration_assets.domain.source import supply_area
from integration_assets.partitions import SUPPLY_AREAS, contiguous_ranges, range_tags
from integration_assets.resources.address_register import AddressRegisterResource
from integration_assets.resources.business_day import AS_OF_TAG, BusinessDay
from integration_assets.resources.cache import CacheResource
from integration_assets.resources.kmd_ee import KmdEeResource

UNFINISHED = [dg.DagsterRunStatus.QUEUED, dg.DagsterRunStatus.STARTING, dg.DagsterRunStatus.STARTED]


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


def range_requests(wanted: Sequence[str], known: Sequence[str], as_of: date, run_key: str) -> list[dg.RunRequest]:
    """Run requests of the main flow that cover the wanted areas: one per contiguous range of the known areas."""
    return [
        dg.RunRequest(
            job_name=main_flow.name,
            run_key=f"{run_key}:{first}:{last}",
            tags={**range_tags(first, last), AS_OF_TAG: as_of.isoformat()},
        )
        for first, last in contiguous_ranges(wanted, known)
    ]


def _with_new(known: Sequence[str], current: Mapping[str, str]) -> tuple[list[str], list[str]]:
    new = sorted(current.keys() - set(known))
    return new, [*known, *new]


@dg.sensor(job=main_flow, minimum_interval_seconds=60)
def source_changes(
    context: dg.SensorEvaluationContext, kmd_ee: KmdEeResource, business_day: BusinessDay
) -> dg.SensorResult | dg.SkipReason:
    """Asks for runs of the supply areas whose rows in KMD EE changed; registers areas that are new."""
    as_of = business_day.today()
    current = area_fingerprints(kmd_ee, as_of)
    cursor = SourceCursor.parse(context.cursor)
    changed = cursor.changed(current)
    if not changed:
        return dg.SkipReason(f"No supply area of {len(current)} changed.")
    new, known = _with_new(context.instance.get_dynamic_partitions(str(SUPPLY_AREAS.name)), current)
    advanced = SourceCursor(current)
    return dg.SensorResult(
        run_requests=range_requests(changed, known, as_of, run_key=f"source:{as_of}:{hash_of(advanced.text())}"),
        dynamic_partitions_requests=[SUPPLY_AREAS.build_add_request(new)] if new else [],
        cursor=advanced.text(),
    )


@dg.sensor(job=main_flow, minimum_interval_seconds=60)
def due_again(
    context: dg.SensorEvaluationContext, cache: CacheResource, business_day: BusinessDay
) -> dg.SensorResult | dg.SkipReason:
    """Asks for runs of the supply areas where a delivery or a rejection is due to be tried again."""
    as_of, now = business_day.today(), datetime.now(UTC)
    busy = context.instance.get_runs_count(dg.RunsFilter(job_name=main_flow.name, statuses=UNFINISHED))
    if busy:
        return dg.SkipReason("A run of the main flow is under way; what is due is looked at after it.")
    store = cache.get()
    due = {*store.deliveries.due(now).get_column("supply_area"), *store.rejections.due(as_of).get_column("supply_area")}
    known = context.instance.get_dynamic_partitions(str(SUPPLY_AREAS.name))
    wanted = sorted(due & set(known))
    if not wanted:
        return dg.SkipReason("Nothing is due.")
    return dg.SensorResult(run_requests=range_requests(wanted, known, as_of, run_key=f"due:{now.isoformat()}"))


@dg.sensor(job=address_register, minimum_interval_seconds=3600)
def new_address_register(
    context: dg.SensorEvaluationContext, address_files: AddressRegisterResource, business_day: BusinessDay
) -> dg.SensorResult | dg.SkipReason:
    """Asks for a load of the address register when a new generation is published."""
    generation = address_files.get().generation()
    if context.cursor == str(generation):
        return dg.SkipReason(f"Generation {generation} is loaded or asked for.")
    return dg.SensorResult(
        run_requests=[
            dg.RunRequest(
                job_name=address_register.name,
                run_key=f"address_register:{generation}",
                tags={AS_OF_TAG: business_day.today().isoformat()},
            )
        ],
        cursor=str(generation),
    )


def hash_of(text: str) -> str:
    """A short stable digest for run keys."""
    return blake2b(text.encode(), digest_size=8).hexdigest()
