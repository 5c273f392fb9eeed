"""What is wrong with the interactions of a folder, by the rules of its thresholds."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from integration_assets.domain.supervision.folders import Folder
from integration_assets.domain.supervision.interactions import Interactions, Severity
from integration_assets.domain.supervision.mails import clock
from integration_assets.domain.supervision.state import NORMAL

AnomalyKind = Literal["silence", "failures", "rejections", "volume", "run_failure", "stale"]
"""No synchronisation for too long; runs that fail one after the other; too large a share of rejected records; far more
or fewer records than usual; a job of Dagster that failed; supervision that stands still."""


@dataclass(frozen=True)
class Anomaly:
    """One thing that is wrong. The same kind and subject in the next run is the same anomaly, whatever its text."""

    kind: AnomalyKind
    severity: Severity
    text: str
    """One sentence for the operator."""
    subject: str = ""
    """What it is about within the folder; empty: the folder itself."""


def anomalies(folder: Folder, row: Interactions, rejected: int) -> list[Anomaly]:
    """What is wrong by the state row; `rejected` are the records that its last run rejected."""
    return [*_silence(row), *_failures(folder, row), *_rejections(folder, row, rejected), *_volume(folder, row)]


def worst(severities: Iterable[Severity]) -> Severity:
    """The worst of some severities; ok where there are none."""
    given = set(severities)
    return "error" if "error" in given else "warning" if "warning" in given else "ok"


def _silence(row: Interactions) -> list[Anomaly]:
    if row.state == NORMAL:
        return []
    since = (
        f"There was no synchronisation since supervision began at {clock(row.created_at)}"
        if row.last_sync_at is None
        else f"The last synchronisation ended at {clock(row.last_sync_at)}"
    )
    return [Anomaly("silence", "error", f"{since}; more than the {row.alert_delay_min} minutes allowed have passed.")]


def _failures(folder: Folder, row: Interactions) -> list[Anomaly]:
    if not folder.max_consecutive_failures or row.consecutive_failures < folder.max_consecutive_failures:
        return []
    text = f"The last {row.consecutive_failures} runs failed, one after the other; Dagster shows what stopped them."
    return [Anomaly("failures", "error", text)]


def _rejections(folder: Folder, row: Interactions, rejected: int) -> list[Anomaly]:
    share = row.rejection_share
    if share is None or share <= folder.max_rejection_share or rejected <= folder.tolerated_records:
        return []
    text = (
        f"The last run rejected {rejected} records, {share:.1%} of them, and {folder.max_rejection_share:.1%} are "
        "tolerated; the worklist of rejections names each."
    )
    return [Anomaly("rejections", "warning", text)]


def _volume(folder: Folder, row: Interactions) -> list[Anomaly]:
    if row.volume is None or row.usual_volume is None or not folder.max_volume_deviation:
        return []
    difference = abs(row.volume - row.usual_volume)
    if difference <= max(folder.max_volume_deviation * row.usual_volume, folder.tolerated_records):
        return []
    text = f"The last run had {row.volume} records where {row.usual_volume} are usual; nothing was taken away for that."
    return [Anomaly("volume", "warning", text)]
