"""Anomalies from the first run of supervision that sees them to the first that does not."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert

from integration_assets.cache.supervision_tables import alarm
from integration_assets.domain.supervision.anomalies import Anomaly
from integration_assets.domain.supervision.interactions import Severity

EVERYWHERE = ""
"""The folder of an anomaly that is none of a folder."""


@dataclass(frozen=True)
class Alarm:
    """One row of `alarm`; open while `ended_at` is None."""

    alarm_id: int
    folder: str
    kind: str
    subject: str
    """What it is about within the folder (a job, an entity); empty: the folder itself."""
    severity: Severity
    text: str
    began_at: datetime
    seen_at: datetime
    ended_at: datetime | None

    @property
    def key(self) -> str:
        """The subject key of an acknowledgement of this alarm: a later one of the same kind has another."""
        return str(self.alarm_id)


class Alarms:
    """The table alarm."""

    def __init__(self, engine: sa.Engine) -> None:
        self._engine = engine

    def open(self, folder: str | None = None) -> list[Alarm]:
        """What is wrong now (in a folder), the oldest first."""
        query = sa.select(alarm).where(alarm.c.ended_at.is_(None)).order_by(alarm.c.began_at, alarm.c.alarm_id)
        with self._engine.connect() as connection:
            rows = connection.execute(query if folder is None else query.where(alarm.c.folder == folder))
            return [Alarm(**dict(row)) for row in rows.mappings()]

    def history(self, folder: str | None = None, limit: int = 100) -> list[Alarm]:
        """The latest alarms (of a folder), open or ended, the newest first."""
        query = sa.select(alarm).order_by(alarm.c.began_at.desc(), alarm.c.alarm_id.desc()).limit(limit)
        with self._engine.connect() as connection:
            rows = connection.execute(query if folder is None else query.where(alarm.c.folder == folder))
            return [Alarm(**dict(row)) for row in rows.mappings()]


def note(connection: sa.Connection, folder: str, found: Sequence[Anomaly], now: datetime) -> list[Alarm]:
    """Makes `found` the open alarms of a folder: opens new ones, keeps those that last, ends the others.

    Returns the open ones, the oldest first. Call it inside `interactions.refreshing` of the folder.
    """
    given = [(anomaly.kind, anomaly.subject) for anomaly in found]
    ended = sa.update(alarm).where(
        alarm.c.folder == folder,
        alarm.c.ended_at.is_(None),
        sa.tuple_(alarm.c.kind, alarm.c.subject).not_in(given),
    )
    connection.execute(ended.values(ended_at=now))
    for anomaly in found:
        see(connection, folder, anomaly, now)
    query = sa.select(alarm).where(alarm.c.folder == folder, alarm.c.ended_at.is_(None))
    rows = connection.execute(query.order_by(alarm.c.began_at, alarm.c.alarm_id)).mappings()
    return [Alarm(**dict(row)) for row in rows]


def see(connection: sa.Connection, folder: str, anomaly: Anomaly, now: datetime) -> Alarm:
    """Opens the alarm of an anomaly, or renews the one that is open; returns it."""
    shown = {"severity": anomaly.severity, "text": anomaly.text, "seen_at": now}
    statement = insert(alarm).values(folder=folder, kind=anomaly.kind, subject=anomaly.subject, began_at=now, **shown)
    renewed = statement.on_conflict_do_update(
        index_elements=["folder", "kind", "subject"], index_where=alarm.c.ended_at.is_(None), set_=shown
    )
    row = connection.execute(renewed.returning(*alarm.c)).mappings().one()
    return Alarm(**dict(row))


def end(connection: sa.Connection, folder: str, kind: str, subject: str, now: datetime) -> bool:
    """Ends an open alarm; False where there is none."""
    statement = sa.update(alarm).where(
        alarm.c.folder == folder, alarm.c.kind == kind, alarm.c.subject == subject, alarm.c.ended_at.is_(None)
    )
    return bool(connection.execute(statement.values(ended_at=now)).rowcount)
