"""Supervision: the mark that a run went through, and the state of the interactions of each folder (dossier)."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta

import dagster as dg
import polars as pl

from integration_assets.assets.context import areas_of
from integration_assets.assets.crm import TARGETS_FIRST
from integration_assets.assets.declare import plain_asset
from integration_assets.cache.alarms import Alarm
from integration_assets.cache.indicators import run_totals
from integration_assets.cache.supervision_tables import interactions_erpcrm
from integration_assets.domain.supervision.folders import RUN_COMPLETED, Folder
from integration_assets.domain.supervision.mails import clock
from integration_assets.flows.supervision import MISSED_PERIODS, refresh
from integration_assets.partitions import SUPPLY_AREAS
from integration_assets.resources.business_day import BusinessDay
from integration_assets.resources.cache import CacheResource
from integration_assets.resources.mail import MailResource

COMPLETED_RUN = dg.AssetKey(["supervision", RUN_COMPLETED])
INTERACTION_STATE = dg.AssetKey(["supervision", "interaction_state"])

RUN_TOTALS = pl.Schema({"records": pl.Int64, "rejected_records": pl.Int64, "undelivered": pl.Int64})
"""Of a run: records of the source, records rejected by any step, objects that could not be delivered."""

_TYPES: Mapping[type, pl.DataType] = {
    str: pl.String(),
    int: pl.Int64(),
    float: pl.Float64(),
    bool: pl.Boolean(),
    datetime: pl.Datetime("us", "UTC"),
    dict: pl.String(),
}
STATE_COLUMNS = pl.Schema(
    {column.name: _TYPES.get(column.type.python_type, pl.String()) for column in interactions_erpcrm.columns}
)


class Supervising(dg.Config):
    """Whether alarms are mailed: the schedules do, a refresh by hand does not."""

    mail: bool = False


def supervision_assets(folders: Sequence[Folder]) -> list[dg.AssetsDefinition]:
    """The assets of supervision, with freshness policies by the thresholds of the folders."""
    return [_completed_run(folders), _interaction_state(folders)]


def _completed_run(folders: Sequence[Folder]) -> dg.AssetsDefinition:
    @plain_asset(
        COMPLETED_RUN,
        kinds={"postgresql"},
        description="The mark in the journal that a run went through to the CRM; what it adds up to. Supervision takes "
        "the newest for the date of the last synchronisation (date de dernière synchronisation).",
        deps=[*(dg.AssetKey(["crm", entity]) for entity in TARGETS_FIRST), dg.AssetKey(["lora", "superseded"])],
        schema=RUN_TOTALS,
        partitions=SUPPLY_AREAS,
        freshness=_within(silence_allowed(folders)),
    )
    def run_completed(context: dg.AssetExecutionContext, cache: CacheResource) -> None:
        """Adds up the steps of this run and writes its mark."""
        store, now = cache.get(), datetime.now(UTC)
        totals = run_totals(store.engine, context.run.run_id)
        store.journal.record(context.run.run_id, RUN_COMPLETED, areas_of(context), totals, now, now)
        context.add_output_metadata({name: dg.MetadataValue.int(value) for name, value in totals.items()})

    return run_completed


def _interaction_state(folders: Sequence[Folder]) -> dg.AssetsDefinition:
    by_name = {folder.name: folder for folder in folders}

    @plain_asset(
        INTERACTION_STATE,
        kinds={"postgresql"},
        description="The state of the interactions of each folder (dossier): Normal or Alerte > xx, the indicators of "
        "the day, open alarms. Pages show this row and compute nothing.",
        deps=[dg.AssetDep(COMPLETED_RUN, partition_mapping=dg.AllPartitionMapping())],
        schema=STATE_COLUMNS,
        partitions=dg.StaticPartitionsDefinition(sorted(by_name)),
        freshness=_within(supervision_allowed(folders)),
    )
    def interaction_state(
        context: dg.AssetExecutionContext,
        config: Supervising,
        cache: CacheResource,
        mail: MailResource,
        business_day: BusinessDay,
    ) -> None:
        """Refreshes the folders of this run; mails what is due, where the run is one of the schedule's."""
        store = cache.get()
        for name in sorted(context.partition_keys):
            folder = by_name[name]
            for warning in folder.warnings():
                context.log.warning(warning)
            done = refresh(mail.means(store), folder, datetime.now(UTC), mail=config.mail, today=business_day.today())
            context.add_asset_metadata(
                {
                    "state": done.row.state,
                    "severity": done.row.severity,
                    "alarms": dg.MetadataValue.md(as_markdown(done.alarms)),
                    "mails": len(done.mails),
                    **{column: getattr(done.row, column) for column in _PLOTTED},
                },
                partition_key=name,
            )
        if config.mail:
            posted = mail.send(store)
            for trouble in posted.troubles:
                context.log.warning("A mail was not sent; it stays in the outbox: %s", trouble)

    return interaction_state


_PLOTTED = (
    "syncs_today",
    "installations_today_not_ok",
    "installations_not_ok",
    "notifications_not_ok",
    "runs_with_rejections",
    "documents_not_ok",
    "open_alarms",
)


def silence_allowed(folders: Sequence[Folder]) -> timedelta | None:
    """How long there may be no completed run: the shortest alert delay of the folders that watch it."""
    delays = [folder.alert_delay_min for folder in folders if folder.alert_delay_min and folder.marker == RUN_COMPLETED]
    return timedelta(minutes=min(delays)) if delays else None


def supervision_allowed(folders: Sequence[Folder]) -> timedelta:
    """How long supervision may be silent: the rest between two windows and the periods after which a state is stale."""
    return min(
        folder.window.longest_rest() + timedelta(minutes=MISSED_PERIODS * folder.period_min) for folder in folders
    )


def as_markdown(alarms: Sequence[Alarm]) -> str:
    """Open alarms as a Markdown table."""
    lines = [f"| {alarm.severity} | {alarm.kind} | {clock(alarm.began_at)} | {alarm.text} |" for alarm in alarms]
    return "\n".join(["| severity | alarm | since | |", "|---|---|---|---|", *lines]) if lines else "No alarm is open."


def _within(longest: timedelta | None) -> dg.FreshnessPolicy | None:
    return None if longest is None else dg.FreshnessPolicy.time_window(fail_window=longest)
