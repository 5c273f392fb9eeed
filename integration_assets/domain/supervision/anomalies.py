"""What is wrong with the interactions of a folder, by the rules of its thresholds."""

from dataclasses import dataclass
from typing import Literal

from integration_assets.domain.supervision.interactions import Severity

AnomalyKind = Literal["silence", "failures", "rejections", "volume", "run_failure"]
"""No synchronisation for too long; runs that fail one after the other; too large a share of rejected records; far more
or fewer records than usual; a job of Dagster that failed."""


@dataclass(frozen=True)
class Anomaly:
    """One thing that is wrong. The same kind and subject in the next run is the same anomaly, whatever its text."""

    kind: AnomalyKind
    severity: Severity
    text: str
    """One sentence for the operator."""
    subject: str = ""
    """What it is about within the folder; empty: the folder itself."""
