"""What the runs of a folder tell: how the last one ended, how much it brought, how much is usual."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from statistics import median

from integration_assets.domain.supervision.interactions import Outcome

FEWEST_RUNS = 3
"""From so few runs on there is a usual number of records."""


@dataclass(frozen=True)
class CompletedRun:
    """A run that went through: its records read, those rejected among them, and objects that it could not deliver."""

    ended_at: datetime
    areas: tuple[str, ...]
    records: int
    rejected: int
    undelivered: int


def last_outcome(last: CompletedRun | None, last_failed_at: datetime | None) -> Outcome | None:
    """How the newest run ended; None where there was none."""
    if last_failed_at is not None and (last is None or last_failed_at > last.ended_at):
        return "failed"
    if last is None:
        return None
    return "partial" if last.rejected or last.undelivered else "succeeded"


def rejection_share(run: CompletedRun) -> float | None:
    """Rejected records among those of the run, 0..1; None where it had none."""
    return min(1.0, run.rejected / run.records) if run.records else None


def usual_volume(runs: Sequence[CompletedRun]) -> int | None:
    """The median of the records of the runs before the newest one that worked on the same areas as it did.

    `runs` start with the newest. None where there are too few of them.
    """
    if not runs:
        return None
    alike = [run.records for run in runs[1:] if run.areas == runs[0].areas]
    return round(median(alike)) if len(alike) >= FEWEST_RUNS else None
