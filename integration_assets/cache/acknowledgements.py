"""Who took note of what is wrong, and why: rejections, deliveries and alarms that were acknowledged or snoozed."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

import sqlalchemy as sa

from integration_assets.cache.locks import lock_key
from integration_assets.cache.supervision_tables import acknowledgement

SubjectKind = Literal["rejection", "delivery", "alarm"]
"""What is acknowledged. Its key: the rejection_id; system/entity/object_id; the alarm_id."""


@dataclass(frozen=True)
class Acknowledgement:
    """One row of `acknowledgement`. With `until` it is a snooze: it ends by itself."""

    acknowledgement_id: int
    subject_kind: SubjectKind
    subject_key: str
    by: str
    reason: str
    at: datetime
    until: datetime | None
    withdrawn_at: datetime | None
    withdrawn_by: str | None

    def holds(self, now: datetime) -> bool:
        """Whether it counts at this moment."""
        return self.withdrawn_at is None and (self.until is None or now < self.until)


class Acknowledgements:
    """The table acknowledgement."""

    def __init__(self, engine: sa.Engine) -> None:
        self._engine = engine

    def give(
        self, kind: SubjectKind, key: str, *, by: str, reason: str, now: datetime, until: datetime | None = None
    ) -> None:
        """Acknowledges a subject for good, or snoozes it until an instant; replaces what stood before."""
        with self._engine.begin() as connection:
            # Two at once: the later one replaces the other.
            lock = {"key": lock_key(f"acknowledgement {kind} {key}")}
            connection.execute(sa.text("SELECT pg_advisory_xact_lock(:key)"), lock)
            _withdraw(connection, kind, key, by, now)
            connection.execute(
                sa.insert(acknowledgement).values(
                    subject_kind=kind, subject_key=key, by=by, reason=reason, at=now, until=until
                )
            )

    def withdraw(self, kind: SubjectKind, key: str, *, by: str, now: datetime) -> bool:
        """Takes the standing acknowledgement of a subject back; False where there is none."""
        with self._engine.begin() as connection:
            return _withdraw(connection, kind, key, by, now)

    def holding(
        self, kind: SubjectKind, now: datetime, keys: Collection[str] | None = None
    ) -> dict[str, Acknowledgement]:
        """The acknowledgements that count at this moment (of these subjects), by subject key."""
        with self._engine.connect() as connection:
            return holding(connection, kind, now, keys)

    def history(self, kind: SubjectKind, key: str) -> list[Acknowledgement]:
        """All that a subject was ever given, the newest first."""
        query = sa.select(acknowledgement).where(
            acknowledgement.c.subject_kind == kind, acknowledgement.c.subject_key == key
        )
        with self._engine.connect() as connection:
            rows = connection.execute(query.order_by(acknowledgement.c.acknowledgement_id.desc())).mappings()
            return [Acknowledgement(**dict(row)) for row in rows]


def holding(
    connection: sa.Connection, kind: SubjectKind, now: datetime, keys: Collection[str] | None = None
) -> dict[str, Acknowledgement]:
    """As `Acknowledgements.holding`, inside a transaction."""
    query = sa.select(acknowledgement).where(
        acknowledgement.c.subject_kind == kind,
        acknowledgement.c.withdrawn_at.is_(None),
        acknowledgement.c.until.is_(None) | (acknowledgement.c.until > now),
    )
    if keys is not None:
        query = query.where(acknowledgement.c.subject_key == sa.any_(sa.literal(list(keys), sa.ARRAY(sa.Text))))
    rows = connection.execute(query).mappings()
    return {row["subject_key"]: Acknowledgement(**dict(row)) for row in rows}


def _withdraw(connection: sa.Connection, kind: SubjectKind, key: str, by: str, now: datetime) -> bool:
    statement = sa.update(acknowledgement).where(
        acknowledgement.c.subject_kind == kind,
        acknowledgement.c.subject_key == key,
        acknowledgement.c.withdrawn_at.is_(None),
    )
    return bool(connection.execute(statement.values(withdrawn_at=now, withdrawn_by=by)).rowcount)
