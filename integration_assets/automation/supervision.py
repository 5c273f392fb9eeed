"""What supervises by the clock, and what is told when a run fails; the outbox of mails is emptied here too.

A schedule for each folder, in its window and by its period. Runs that Dagster starts again by itself are not told of:
only the last one of them that fails is.
"""

from collections.abc import Sequence
from datetime import UTC, datetime

import dagster as dg

from integration_assets.assets.supervision import INTERACTION_STATE
from integration_assets.automation.jobs import main_flow
from integration_assets.automation.runs import areas_of_run, end_of
from integration_assets.automation.sensors import known_areas
from integration_assets.domain.supervision.folders import Folder
from integration_assets.flows.supervision import (
    FailedRun,
    note_failed_run,
    note_stale_states,
    note_succeeded_run,
)
from integration_assets.resources.business_day import COPENHAGEN
from integration_assets.resources.cache import CacheResource
from integration_assets.resources.mail import MailResource

WILL_RETRY = "dagster/will_retry"
"""Dagster's tag of a failed run that it starts again."""

supervise = dg.define_asset_job(
    "supervise",
    selection=dg.AssetSelection.assets(INTERACTION_STATE),
    description="Refreshes the state of a folder's interactions; the schedules also mail what is wrong.",
)


def supervision_schedules(folders: Sequence[Folder]) -> list[dg.ScheduleDefinition]:
    """A schedule for each folder: every period, as long as its window is open."""
    return [_schedule(folder) for folder in folders]


def _schedule(folder: Folder) -> dg.ScheduleDefinition:
    @dg.schedule(
        name=f"supervise_{folder.name}",
        cron_schedule=folder.window.crons(folder.period_min),
        job=supervise,
        execution_timezone=str(COPENHAGEN),
        description=f"Supervision of the folder {folder.name}, every {folder.period_min} minutes of its window.",
    )
    def by_the_clock(context: dg.ScheduleEvaluationContext) -> dg.RunRequest:
        return dg.RunRequest(
            run_key=f"supervise:{folder.name}:{context.scheduled_execution_time.isoformat()}",
            partition_key=folder.name,
            run_config={"ops": {INTERACTION_STATE.to_python_identifier(): {"config": {"mail": True}}}},
        )

    return by_the_clock


@dg.sensor(minimum_interval_seconds=60)
def mail_outbox(cache: CacheResource, mail: MailResource) -> dg.SkipReason:
    """Sends mails that are due, again where the server was away. Starts no run."""
    posted = mail.send(cache.get())
    told = [f"{posted.sent} sent, {posted.given_up} given up"]
    told += [f"{posted.doubted} sent again, since a process died while it was sending them"] if posted.doubted else []
    return dg.SkipReason("; ".join([*told, *posted.troubles]) + ".")


def supervision_is_alive(folders: Sequence[Folder]) -> dg.SensorDefinition:
    """The sensor that supervises the supervisor: it alarms about states that nobody refreshes any more."""

    @dg.sensor(name="supervision_is_alive", minimum_interval_seconds=300)
    def look(cache: CacheResource, mail: MailResource) -> dg.SkipReason:
        """Starts no run."""
        store = cache.get()
        stale = note_stale_states(mail.means(store), folders, datetime.now(UTC))
        return dg.SkipReason(
            f"Stands still: {', '.join(stale)}." if stale else "All states are as new as they should be."
        )

    return look


@dg.run_failure_sensor(minimum_interval_seconds=60)
def failed_runs(context: dg.RunFailureSensorContext, cache: CacheResource, mail: MailResource) -> dg.SkipReason | None:
    """Notes runs that failed and are not started again; one mail for each job, until it succeeds."""
    run = context.dagster_run
    if run.tags.get(WILL_RETRY) == "true":
        return dg.SkipReason(f"Run {run.run_id} is started again.")
    if _succeeded_since(context.instance, run):
        return dg.SkipReason(f"Another run of {run.job_name} has succeeded since.")
    store, now = cache.get(), datetime.now(UTC)
    record = context.instance.get_run_record_by_id(run.run_id)
    failed = FailedRun(
        run_id=run.run_id,
        job=run.job_name,
        failed_at=now if record is None else end_of(record),
        areas=areas_of_run(run, known_areas(context.instance)),
        steps=sorted({str(event.step_key) for event in context.get_step_failure_events()}),
        brings_across=run.job_name == main_flow.name,
    )
    note_failed_run(mail.means(store), failed, now)
    return None


def _succeeded_since(instance: dg.DagsterInstance, run: dg.DagsterRun) -> bool:
    """Whether a later run of the same job went through: sensors look at successes and failures at their own times."""
    wanted = dg.RunsFilter(job_name=run.job_name, statuses=[dg.DagsterRunStatus.SUCCESS])
    newest = instance.get_run_records(wanted, limit=1)
    record = instance.get_run_record_by_id(run.run_id)
    return bool(newest) and record is not None and end_of(newest[0]) > end_of(record)


@dg.run_status_sensor(run_status=dg.DagsterRunStatus.SUCCESS, minimum_interval_seconds=60)
def succeeded_runs(context: dg.RunStatusSensorContext, cache: CacheResource) -> None:
    """Ends the alarms of jobs that failed before."""
    note_succeeded_run(cache.get(), context.dagster_run.job_name, datetime.now(UTC))
