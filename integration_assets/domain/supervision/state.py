"""The state of a synchronisation, and when a mail about what is wrong is due ("supervision", seed document 003)."""

from dataclasses import dataclass
from datetime import datetime, timedelta

NORMAL = "Normal"


def alert(delay_min: int) -> str:
    """The state in which more than so many minutes passed without a synchronisation."""
    return f"Alerte > {delay_min}"


def sync_state(last_sync_at: datetime | None, created_at: datetime, now: datetime, delay_min: int) -> str:
    """`Normal`, or `Alerte > xx` when more than the delay has passed since the last synchronisation.

    Exact durations are compared, and equal is normal. A delay of 0 never alerts. A folder that was never synchronised
    is measured from the creation of its row.
    """
    elapsed = now - (last_sync_at or created_at)
    return alert(delay_min) if delay_min and elapsed > timedelta(minutes=delay_min) else NORMAL


@dataclass(frozen=True)
class LastMail:
    """The newest mail about an anomaly: when it was decided on, and when it went out (None: it still waits)."""

    created_at: datetime
    sent_at: datetime | None


def mail_is_due(last: LastMail | None, now: datetime, *, interval_min: int, period_min: int) -> bool:
    """Whether a run that sees an anomaly should mail about it; `last` is the newest mail about this same anomaly.

    The first run that sees it does. After that the interval must have passed; with an interval of 0 each run mails.
    While a mail waits for its server, no other is added to it. A mail counts from the run that decided on it; one that
    had to wait longer than a period of the supervision counts from when it went out.
    """
    if last is None:
        return True
    if last.sent_at is None:
        return False
    waited = last.sent_at - last.created_at >= timedelta(minutes=period_min)
    return now - (last.sent_at if waited else last.created_at) >= timedelta(minutes=interval_min)
