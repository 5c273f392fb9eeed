"""What the sensors ask the Dagster instance: how the runs of a request ended, and which areas are being worked on."""

from collections.abc import Collection, Sequence
from datetime import UTC, datetime

import dagster as dg

from integration_assets.automation.cursors import Outcome
from integration_assets.partitions import PARTITION, RANGE_END, RANGE_START, keys_between

REQUEST_TAG = "integration/request"
"""Names the request of a sensor on each of its runs, also on those that Dagster starts again by itself."""

UNFINISHED = [
    dg.DagsterRunStatus.QUEUED,
    dg.DagsterRunStatus.NOT_STARTED,
    dg.DagsterRunStatus.STARTING,
    dg.DagsterRunStatus.STARTED,
    dg.DagsterRunStatus.CANCELING,
]


def outcomes(instance: dg.DagsterInstance, requests: Collection[str]) -> dict[str, Outcome]:
    """How the newest run of each request stands; a request without a run is absent."""
    found: dict[str, Outcome] = {}
    for request in requests:
        records = instance.get_run_records(dg.RunsFilter(tags={REQUEST_TAG: request}), limit=1)
        if records:
            found[request] = _outcome(records[0])
    return found


def areas_under_way(instance: dg.DagsterInstance, known: Sequence[str]) -> set[str]:
    """The supply areas that queued and running runs work on, whoever started them. `known`: all areas, in order."""
    unfinished = instance.get_runs(dg.RunsFilter(statuses=UNFINISHED))
    return {area for run in unfinished for area in areas_of_run(run, known)}


def areas_of_run(run: dg.DagsterRun, known: Sequence[str]) -> list[str]:
    """The supply areas that a run works on, by its tags. `known`: all areas, in order."""
    if partition := run.tags.get(PARTITION):
        return [partition]
    if RANGE_START in run.tags and RANGE_END in run.tags:
        return keys_between(run.tags[RANGE_START], run.tags[RANGE_END], known)
    return []


def end_of(record: dg.RunRecord) -> datetime:
    """When a finished run ended; one that never got to start has no end of its own, and its last change counts."""
    ended = datetime.fromtimestamp(record.end_time, UTC) if record.end_time else record.update_timestamp
    return ended if ended.tzinfo else ended.replace(tzinfo=UTC)


def _outcome(record: dg.RunRecord) -> Outcome:
    status = record.dagster_run.status
    if status in UNFINISHED:
        return Outcome(False, None)
    return Outcome(status == dg.DagsterRunStatus.SUCCESS, end_of(record))
