"""Storage limitation by the clock: the cache's own, and that of Dagster's history of runs.

What goes out of the cache is decided in `flows.retention`, which runs may go in `domain.retention`; here is only how
Dagster's runs are read and deleted, and when.
"""

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, date, datetime, time, timedelta
from typing import Final

import dagster as dg

from integration_assets.automation.runs import UNFINISHED
from integration_assets.domain.retention import PastRun, deletable_runs
from integration_assets.flows.identity import object_ids
from integration_assets.flows.retention import STEP, apply_retention
from integration_assets.partitions import PARTITION, RANGE_END, RANGE_START, SUPPLY_AREAS, keys_between
from integration_assets.resources.business_day import COPENHAGEN, BusinessDay
from integration_assets.resources.cache import CacheResource

_PAGE: Final = 500


@dg.op(description="Takes out of cache and run history what is over; the counts are journaled.")
def take_out_what_is_over(context: dg.OpExecutionContext, cache: CacheResource, business_day: BusinessDay) -> None:
    """Both parts; a failure of the second leaves the first done."""
    store, settings, started, as_of = cache.get(), cache.settings, datetime.now(UTC), business_day.today()
    counts = apply_retention(store, object_ids(settings), settings, as_of)
    before = history_kept_since(as_of, settings.run_history_kept_days)
    counts["runs_of_history"] = len(delete_old_runs(context.instance, before))
    store.journal.record(context.run.run_id, STEP, [], counts, started, datetime.now(UTC))
    context.log.info("Taken out: %s", ", ".join(f"{name} {number}" for name, number in counts.items()))


@dg.job(name=STEP, description="Storage limitation: takes out what nobody needs any more and no law wants kept.")
def retention() -> None:
    """One step."""
    take_out_what_is_over()


retention_daily = dg.ScheduleDefinition(
    name="retention_daily", job=retention, cron_schedule="0 6 * * *", execution_timezone=str(COPENHAGEN)
)
"""Every morning, when the nightly run is through."""


def history_kept_since(as_of: date, days: int) -> datetime:
    """The instant before which runs are over, when history is kept for so many days."""
    return datetime.combine(as_of, time(), COPENHAGEN) - timedelta(days=days)


def old_runs(instance: dg.DagsterInstance, before: datetime) -> Sequence[str]:
    """Ids of the runs that ended before an instant and may be deleted: never the newest of a job, or of an
    asset, and partition."""
    return deletable_runs(past_runs(instance), before)


def delete_old_runs(instance: dg.DagsterInstance, before: datetime) -> Sequence[str]:
    """Deletes those runs with their events and captured output; returns their ids."""
    ids = old_runs(instance, before)
    for run_id in ids:
        instance.compute_log_manager.delete_logs(prefix=[run_id])
        instance.delete_run(run_id)
    return ids


def past_runs(instance: dg.DagsterInstance) -> Iterator[PastRun]:
    """All runs of the history as the selection wants them."""
    areas = list(instance.get_dynamic_partitions(str(SUPPLY_AREAS.name)))
    cursor: str | None = None
    while records := instance.get_run_records(limit=_PAGE, cursor=cursor):
        yield from (_past(record, areas) for record in records)
        cursor = records[-1].dagster_run.run_id


def _past(record: dg.RunRecord, areas: Sequence[str]) -> PastRun:
    run = record.dagster_run
    ended: datetime | None = None
    if run.status not in UNFINISHED:
        # A run that never got to start has no end of its own.
        stamp = datetime.fromtimestamp(record.end_time, UTC) if record.end_time else record.update_timestamp
        ended = stamp if stamp.tzinfo else stamp.replace(tzinfo=UTC)
    succeeded = run.status == dg.DagsterRunStatus.SUCCESS
    # The assets that were chosen of a job; one that was started as a whole stands for itself.
    chosen = tuple(sorted(key.to_user_string() for key in run.asset_selection or ()))
    return PastRun(run.run_id, chosen or (run.job_name,), _partitions(run.tags, areas), ended, succeeded)


def _partitions(tags: Mapping[str, str], areas: Sequence[str]) -> tuple[str, ...]:
    """The partitions that a run's tags name; a range whose ends are no supply areas counts as one."""
    if PARTITION in tags:
        return (tags[PARTITION],)
    if RANGE_START in tags and RANGE_END in tags:
        first, last = tags[RANGE_START], tags[RANGE_END]
        return tuple(keys_between(first, last, areas)) or (f"{first}...{last}",)
    return ()
