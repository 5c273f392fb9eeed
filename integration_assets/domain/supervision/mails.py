"""What a mail about an anomaly says."""

import string
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from integration_assets.domain.supervision.interactions import Interactions
from integration_assets.domain.supervision.windows import COPENHAGEN

FIELDS = frozenset(
    {
        "etatsynchro",
        "folder",
        "crm_project",
        "text",
        "severity",
        "since",
        "last_sync",
        "refreshed",
        "delay_min",
        "syncs_today",
        "installations_today_not_ok",
        "installations_not_ok",
        "notifications_not_ok",
        "runs_with_rejections",
        "documents_not_ok",
        "consecutive_failures",
    }
)
"""What templates may use: `etatsynchro` is the state of the synchronisation, the rest the columns of the state row."""

SUBJECT = "[${folder}] ${etatsynchro}: ${text}"
BODY = """\
${text}

State of the synchronisation: ${etatsynchro}
Folder: ${folder} (CRM project ${crm_project})
Wrong since: ${since}
Last synchronisation: ${last_sync}
State as of: ${refreshed}

Synchronisations today: ${syncs_today}
Installations of today not OK: ${installations_today_not_ok} (of all days: ${installations_not_ok})
Notifications of today not OK: ${notifications_not_ok}
Runs of today with rejections: ${runs_with_rejections}
Claims and agreements of today not OK: ${documents_not_ok}
Runs failed in a row: ${consecutive_failures}
"""

_LONGEST_SUBJECT = 200


@dataclass(frozen=True)
class Letter:
    """A mail as it is sent: everything that its bytes depend on. `created_at` is the instant of its Date."""

    message_id: str
    sender: str
    recipients: Sequence[str]
    subject: str
    body: str
    created_at: datetime


def fields_of(row: Interactions, *, text: str, severity: str, since: datetime) -> dict[str, str]:
    """The values of `FIELDS` for one anomaly of a folder; instants by the clock of Copenhagen."""
    numbers = FIELDS & {name for name in vars(row) if isinstance(getattr(row, name), int)}
    return {
        **{name: str(getattr(row, name)) for name in numbers},
        "etatsynchro": row.state,
        "folder": row.folder,
        "crm_project": row.crm_project,
        "text": text,
        "severity": severity,
        "since": clock(since),
        "last_sync": "never" if row.last_sync_at is None else clock(row.last_sync_at),
        "refreshed": clock(row.refreshed_at),
        "delay_min": str(row.alert_delay_min),
    }


def written(template: str, fields: dict[str, str]) -> str:
    """A template with its fields filled in."""
    return string.Template(template).substitute(fields)


def one_line(text: str) -> str:
    """A text as a subject: without line ends and other control characters, and not too long."""
    plain = " ".join("".join(character if character.isprintable() else " " for character in text).split())
    return plain if len(plain) <= _LONGEST_SUBJECT else plain[: _LONGEST_SUBJECT - 1] + "…"


def clock(instant: datetime) -> str:
    """An instant as people in Copenhagen read it, to the minute."""
    return instant.astimezone(COPENHAGEN).strftime("%Y-%m-%d %H:%M")
