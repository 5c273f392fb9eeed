"""What the journal says of the last days, day by day: runs, objects delivered by outcome, records rejected."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Final

import sqlalchemy as sa

OUTCOMES: Final = ("created", "updated", "ended", "repaired", "failed")

_DAY: Final = sa.text(
    """
    SELECT count(DISTINCT run_id) AS runs,
      coalesce(extract(epoch FROM sum(ended_at - started_at)), 0) AS seconds,
      coalesce(sum((counts->>'created')::bigint) FILTER (WHERE delivers), 0) AS created,
      coalesce(sum((counts->>'updated')::bigint) FILTER (WHERE delivers), 0) AS updated,
      coalesce(sum((counts->>'ended')::bigint) FILTER (WHERE delivers), 0) AS ended,
      coalesce(sum((counts->>'repaired')::bigint) FILTER (WHERE delivers), 0) AS repaired,
      coalesce(sum((counts->>'failed')::bigint) FILTER (WHERE delivers), 0) AS failed,
      coalesce(sum((counts->>'rejected')::bigint), 0) AS rejected
    FROM (SELECT run_id, started_at, ended_at, counts, step LIKE 'lora/%' OR step LIKE 'crm/%' AS delivers
          FROM journal WHERE ended_at >= :begin AND ended_at < :end) AS steps
    """
)


@dataclass(frozen=True)
class Day:
    """One day: runs that ended steps, seconds that the steps took, objects delivered to registry and CRM by outcome,
    and records that steps rejected (a record counts in each run that meets it)."""

    day: date
    runs: int
    seconds: float
    delivered: Mapping[str, int]
    rejected: int


def day_of(engine: sa.Engine, day: date, begin: datetime, end: datetime) -> Day:
    """What the journal says of the steps that ended from `begin` until before `end`."""
    with engine.connect() as connection:
        row = connection.execute(_DAY, {"begin": begin, "end": end}).mappings().one()
    delivered = {name: int(row[name]) for name in OUTCOMES}
    return Day(day, int(row["runs"]), float(row["seconds"]), delivered, int(row["rejected"]))


def days_until(last: date, number: int) -> list[date]:
    """The days that end with `last`, the earliest first."""
    return [last - timedelta(days=back) for back in reversed(range(number))]
