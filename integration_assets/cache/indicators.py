"""What the journal, the deliveries and the rejections tell supervision. Every query is answered by an index.

Measured against what is not well, not against what is there: delivered objects and closed rejections are in none of
the indexes that are read.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime

import polars as pl
import sqlalchemy as sa

from integration_assets.cache.claim_tables import OPEN
from integration_assets.domain.supervision.datasets import NOT_OK
from integration_assets.domain.supervision.folders import RUN_COMPLETED, RUN_FAILED
from integration_assets.domain.supervision.runs import CompletedRun

LOOKED_BACK_RUNS = 15
"""Completed runs that are read to know what is usual."""

RECALLS = "claims/recalls"
"""The name of recalls of claims among the datasets."""

_THERE = "(CAST(:areas AS text[]) IS NULL OR areas && CAST(:areas AS text[]))"

_NEWEST = f"SELECT max(ended_at) FROM journal WHERE step = :step AND {_THERE}"

_SINCE = f"SELECT count(*) FROM journal WHERE step = :step AND ended_at >= :since AND {_THERE}"

_FAILED = f"""
SELECT count(*) AS number, max(ended_at) AS last FROM journal
WHERE step = '{RUN_FAILED}' AND ended_at > coalesce(CAST(:since AS timestamptz), '-infinity') AND {_THERE}
"""

_COMPLETED = f"""
SELECT ended_at, areas, counts FROM journal WHERE step = '{RUN_COMPLETED}' AND {_THERE}
ORDER BY ended_at DESC LIMIT {LOOKED_BACK_RUNS}
"""

_WITH_REJECTIONS = f"""
SELECT count(DISTINCT run_id) FROM journal
WHERE ended_at >= :since AND step <> '{RUN_COMPLETED}' AND coalesce((counts ->> 'rejected')::bigint, 0) > 0 AND {_THERE}
"""

# What was acknowledged for good is discarded, as long as nothing else is desired of the object since.
_DELIVERIES = """
SELECT name, state, count(*) AS number, count(*) FILTER (WHERE NOT is_discarded) AS not_ok,
  count(*) FILTER (WHERE NOT is_discarded AND desired_at >= :since) AS today
FROM (
  SELECT d.system || '/' || d.entity AS name, d.state, d.desired_at,
    coalesce(a.until IS NULL AND a.at >= d.desired_at, false) AS is_discarded
  FROM delivery AS d LEFT JOIN acknowledgement AS a ON a.subject_kind = 'delivery' AND a.withdrawn_at IS NULL
    AND a.subject_key = d.system || '/' || d.entity || '/' || d.object_id
  WHERE d.delivered_fingerprint IS DISTINCT FROM d.desired_fingerprint
    AND (CAST(:areas AS text[]) IS NULL OR d.areas && CAST(:areas AS text[]))) AS due
GROUP BY 1, 2 ORDER BY 1, 2
"""

_REJECTIONS = """
SELECT name, 'rejected' AS state, count(*) AS number, count(*) FILTER (WHERE NOT is_discarded) AS not_ok,
  count(*) FILTER (WHERE NOT is_discarded AND first_on >= :today) AS today
FROM (
  SELECT r.asset AS name, r.first_on, a.acknowledgement_id IS NOT NULL AND a.until IS NULL AS is_discarded
  FROM rejection AS r LEFT JOIN acknowledgement AS a ON a.subject_kind = 'rejection' AND a.withdrawn_at IS NULL
    AND a.subject_key = CAST(r.rejection_id AS text)
  WHERE r.closed_on IS NULL
    AND (CAST(:areas AS text[]) IS NULL OR r.supply_area = ANY(CAST(:areas AS text[])))) AS open
GROUP BY 1 ORDER BY 1
"""

# Register answers that the registry has not been told of; of no area, since a party may have several.
_UNTOLD = """
SELECT 'notifications/answers' AS name, 'waiting' AS state, count(*) AS number, count(*) AS not_ok,
  count(*) FILTER (WHERE as_of >= :today) AS today
FROM register_answer WHERE to_deliver AND CAST(:areas AS text[]) IS NULL HAVING count(*) > 0
"""

# Recalls of claims that are not done, and those that were rejected today; of no area either.
_RECALLS = f"""
SELECT '{RECALLS}' AS name, state, count(*) AS number, count(*) AS not_ok,
  count(*) FILTER (WHERE proposed_at >= :since) AS today
FROM (
  SELECT proposed_at, CASE
    WHEN state IN ('RETRY_WAIT', 'CHANNEL_STOPPED') THEN 'failed'
    WHEN state IN ('HOLD', 'MANUAL', 'AFVIST') THEN 'refused' ELSE 'waiting' END AS state
  FROM recall_action
  WHERE ({OPEN} OR (state = 'AFVIST' AND proposed_at >= :since)) AND CAST(:areas AS text[]) IS NULL) AS open
GROUP BY 2 ORDER BY 2
"""

_TOTALS = f"""
SELECT
  coalesce(sum((counts ->> 'rejected')::bigint), 0)::bigint AS rejected_records,
  coalesce(sum((counts ->> 'failed')::bigint) FILTER (WHERE step ~ '^(lora|crm)/'), 0)::bigint AS undelivered,
  coalesce(sum((counts ->> 'rows')::bigint + coalesce((counts ->> 'rejected')::bigint, 0))
    FILTER (WHERE step LIKE 'kmd_ee/%'), 0)::bigint AS records
FROM journal WHERE run_id = :run_id AND step <> '{RUN_COMPLETED}'
"""

_DATASETS = (
    ("delivery", _DELIVERIES),
    ("rejection", _REJECTIONS),
    ("delivery", _UNTOLD),
    ("delivery", _RECALLS),
)


@dataclass(frozen=True)
class Synchronisations:
    """What the journal tells of a folder's runs; `completed` start with the newest, failures are those after it."""

    last_at: datetime | None
    today: int
    with_rejections: int
    completed: Sequence[CompletedRun]
    failures: int
    last_failed_at: datetime | None


@dataclass(frozen=True)
class Datasets:
    """Datasets not OK (frame of NOT_OK), and by system/entity or asset how many there are in each state.

    States are waiting, failed and refused of objects, rejected of records; discarded ones are among them.
    """

    not_ok: pl.DataFrame
    states: dict[str, dict[str, int]]


def synchronisations(
    engine: sa.Engine, marker: str, areas: Sequence[str] | None, day_start: datetime
) -> Synchronisations:
    """The runs of these areas (None: all); `marker` is the step that counts as a synchronisation."""
    given = {"step": marker, "areas": None if areas is None else list(areas), "since": day_start}
    with engine.connect() as connection:
        completed = [
            _completed(row.ended_at, row.areas, row.counts) for row in connection.execute(sa.text(_COMPLETED), given)
        ]
        after = {**given, "since": completed[0].ended_at if completed else None}
        failed = connection.execute(sa.text(_FAILED), after).one()
        return Synchronisations(
            last_at=connection.execute(sa.text(_NEWEST), given).scalar_one(),
            today=connection.execute(sa.text(_SINCE), given).scalar_one(),
            with_rejections=connection.execute(sa.text(_WITH_REJECTIONS), given).scalar_one(),
            completed=completed,
            failures=failed.number,
            last_failed_at=failed.last,
        )


def datasets(engine: sa.Engine, areas: Sequence[str] | None, day_start: datetime, today: date) -> Datasets:
    """The datasets of these areas (None: all) that are not OK; `day_start` is the first instant of `today`."""
    given = {"areas": None if areas is None else list(areas), "since": day_start, "today": today}
    counted: list[tuple[str, str, int, int]] = []
    states: dict[str, dict[str, int]] = {}
    with engine.connect() as connection:
        for kind, query in _DATASETS:
            for row in connection.execute(sa.text(query), given):
                states.setdefault(row.name, {})[row.state] = row.number
                counted.append((kind, row.name, row.not_ok, row.today))
    return Datasets(pl.DataFrame(counted, schema=NOT_OK, orient="row"), states)


def run_totals(engine: sa.Engine, run_id: str) -> dict[str, int]:
    """What the steps of a run add up to: `records` of the source, `rejected_records` of all steps, `undelivered`."""
    query = sa.text(_TOTALS)
    with engine.connect() as connection:
        return dict(connection.execute(query, {"run_id": run_id}).mappings().one())


def _completed(ended_at: datetime, areas: Sequence[str], counts: Mapping[str, int]) -> CompletedRun:
    return CompletedRun(
        ended_at=ended_at,
        areas=tuple(areas),
        records=counts.get("records", 0),
        rejected=counts.get("rejected_records", 0),
        undelivered=counts.get("undelivered", 0),
    )
