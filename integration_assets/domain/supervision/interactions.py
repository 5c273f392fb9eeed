"""The state of the interactions of one folder (dossier), as it is kept and shown.

Whoever shows it computes nothing: what the supervision process saw stands in the row. Only one thing cannot stand
there, that the process itself is dead; `shown_state` tells it by the row's age.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

STALE = "STALE"
"""The supervision process has not refreshed the row for more than two of its periods: nothing in it can be trusted."""

PAUSED = "PAUSED"
"""An operator has paused the folder: it is watched, and no mail is sent."""

Severity = Literal["ok", "warning", "error"]
"""The worst of what is open: errors are about data that does not arrive, warnings about what is unusual."""

Outcome = Literal["succeeded", "partial", "failed"]
"""How a run ended: partial where it went through, and left records rejected or undelivered."""


@dataclass(frozen=True)
class Interactions:
    """One row of `interactions_erpcrm`; instants have a time zone.

    `last_sync_at` to `documents_not_ok` and `crm_project` are the ten indicators; today is the day in Copenhagen.
    """

    folder: str
    crm_project: str
    created_at: datetime
    refreshed_at: datetime
    stale_at: datetime
    """When the row must have been refreshed at the latest: two periods of supervised time after `refreshed_at`."""
    period_minutes: int
    """Minutes between two runs of the supervision process."""
    frequency_min: int
    """Minutes between two synchronisations, as planned."""
    alert_delay_min: int
    """Minutes without a synchronisation that are tolerated; 0: any time."""
    last_sync_at: datetime | None
    state: str
    """`Normal`, or `Alerte > xx` with the delay in minutes."""
    syncs_today: int
    installations_today_not_ok: int
    """Datasets of class installation created today that are not OK (interventions du jour non OK)."""
    installations_not_ok: int
    """The same of all days (interventions non OK)."""
    notifications_not_ok: int
    """Datasets of class notification created today that are not OK (temps des collaborateurs non OK)."""
    runs_with_rejections: int
    """Runs of today that rejected a record (intégrations en erreur)."""
    documents_not_ok: int
    """Datasets of the classes claim and aftale created today that are not OK (imports pièces non OK)."""
    last_mail_at: datetime | None
    severity: Severity
    open_alarms: int
    """Alarms that nobody has acknowledged."""
    last_outcome: Outcome | None
    consecutive_failures: int
    """Runs that failed since the last one that went through."""
    rejection_share: float | None
    """Rejected records among those of the last run, 0..1."""
    volume: int | None
    """Records that the last complete run had."""
    usual_volume: int | None
    """The median of the complete runs before it."""
    entities: Mapping[str, Mapping[str, int]]
    """Objects not delivered by state (waiting, failed, refused), by system/entity; those without any are absent."""
    paused: bool = False
    paused_by: str | None = None
    paused_reason: str | None = None
    paused_until: datetime | None = None

    @property
    def partial(self) -> bool:
        """Whether the last run went through and left records behind."""
        return self.last_outcome == "partial"

    def is_stale(self, now: datetime) -> bool:
        """Whether the supervision process has missed two of its runs."""
        return now > self.stale_at

    def is_paused(self, now: datetime) -> bool:
        """Whether the folder is paused at this moment."""
        return self.paused and (self.paused_until is None or now < self.paused_until)

    def shown_state(self, now: datetime) -> str:
        """What a page shows: `STALE` before all, then `PAUSED`, then the state itself."""
        if self.is_stale(now):
            return STALE
        return PAUSED if self.is_paused(now) else self.state
