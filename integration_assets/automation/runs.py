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
    busy: set[str] = set()
    for run in instance.get_runs(dg.RunsFilter(statuses=UNFINISHED)):
        if partition := run.tags.get(PARTITION):
            busy.add(partition)
        elif RANGE_START in run.tags and RANGE_END in run.tags:
            busy.update(keys_between(run.tags[RANGE_START], run.tags[RANGE_END], known))
    return busy


def _outcome(record: dg.RunRecord) -> Outcome:
    status = record.dagster_run.status
    if status in UNFINISHED:
        return Outcome(False, None)
    # A run that never got to start has no end of its own.
    ended = datetime.fromtimestamp(record.end_time, UTC) if record.end_time else record.update_timestamp
    if ended.tzinfo is None:
        ended = ended.replace(tzinfo=UTC)
    return Outcome(status == dg.DagsterRunStatus.SUCCESS, ended)
