"""Mails from the moment they are decided on until a server has taken them: queued, sending, sent, or given up.

A mail is queued in the transaction that decides on it. Who sends holds a lock that ends with its process; a mail that
is marked `sending` while nobody holds it was under way when a process died. Whether the server has it cannot be known:
it is sent once more, byte for byte the same under the same Message-ID, and `doubted` counts that.
"""

from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert

from integration_assets.cache.locks import lock_key
from integration_assets.cache.supervision_tables import mail_outbox
from integration_assets.domain.supervision.state import LastMail

MailState = Literal["queued", "sending", "sent", "given_up"]


@dataclass(frozen=True)
class Mail:
    """One row of `mail_outbox`."""

    mail_id: int
    message_id: str
    cause: str
    folder: str
    alarm_id: int | None
    recipients: Sequence[str]
    subject: str
    body: str
    created_at: datetime
    state: MailState
    attempts: int
    next_attempt_at: datetime
    claimed_at: datetime | None
    sent_at: datetime | None
    doubted: int
    error_text: str | None


class MailOutbox:
    """The table mail_outbox."""

    def __init__(self, engine: sa.Engine) -> None:
        self._engine = engine

    def latest(self, limit: int = 100, *, folder: str | None = None, states: Collection[MailState] = ()) -> list[Mail]:
        """The newest mails (of a folder, in these states), the newest first."""
        query = sa.select(mail_outbox).order_by(mail_outbox.c.mail_id.desc()).limit(limit)
        if folder is not None:
            query = query.where(mail_outbox.c.folder == folder)
        if states:
            query = query.where(mail_outbox.c.state.in_(list(states)))
        with self._engine.connect() as connection:
            return [Mail(**dict(row)) for row in connection.execute(query).mappings()]

    def queue(self, mail: "NewMail", now: datetime) -> bool:
        """Queues a mail in a transaction of its own; False where one of this cause was queued before."""
        with self._engine.begin() as connection:
            return queue(connection, mail, now)

    @contextmanager
    def sending(self) -> Iterator[bool]:
        """Whether this process is the one that sends during the block; False where another one does."""
        key = {"key": lock_key("mail outbox")}
        with self._engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            held = connection.execute(sa.text("SELECT pg_try_advisory_lock(:key)"), key).scalar_one()
            try:
                yield bool(held)
            finally:
                if held:
                    connection.execute(sa.text("SELECT pg_advisory_unlock(:key)"), key)

    def take_back(self) -> int:
        """Queues again what a process was sending when it died, and counts the doubt; call it while `sending`."""
        return self._execute(
            sa.update(mail_outbox)
            .where(mail_outbox.c.state == "sending")
            .values(state="queued", doubted=mail_outbox.c.doubted + 1)
        )

    def claim(self, now: datetime) -> Mail | None:
        """Marks the oldest mail that is due as being sent, for good before it is sent, and gives it."""
        due = (
            sa.select(mail_outbox.c.mail_id)
            .where(mail_outbox.c.state == "queued", mail_outbox.c.next_attempt_at <= now)
            .order_by(mail_outbox.c.mail_id)
            .limit(1)
        )
        claimed = (
            sa.update(mail_outbox)
            .where(mail_outbox.c.mail_id == due.scalar_subquery())
            .values(state="sending", claimed_at=now, attempts=mail_outbox.c.attempts + 1)
            .returning(*mail_outbox.c)
        )
        with self._engine.begin() as connection:
            row = connection.execute(claimed).mappings().one_or_none()
        return None if row is None else Mail(**dict(row))

    def note_sent(self, mail_id: int, now: datetime, *, error_text: str | None = None) -> None:
        """The server has the mail; `error_text` tells of recipients that it refused."""
        self._settle(mail_id, state="sent", sent_at=_first_sent(now), error_text=error_text)

    def note_failed(self, mail_id: int, error_text: str, next_attempt_at: datetime, *, doubted: bool = False) -> None:
        """The mail is tried again then; the server does not have it, or nobody knows (`doubted`)."""
        self._settle(
            mail_id,
            state="queued",
            error_text=error_text,
            next_attempt_at=next_attempt_at,
            doubted=mail_outbox.c.doubted + int(doubted),
        )

    def keep_for(
        self, mail_id: int, recipients: Sequence[str], error_text: str, now: datetime, next_attempt_at: datetime
    ) -> None:
        """The server has the mail for the others, to whom it went out now; it is tried again then for these."""
        self._settle(
            mail_id,
            state="queued",
            sent_at=_first_sent(now),
            recipients=list(recipients),
            error_text=error_text,
            next_attempt_at=next_attempt_at,
        )

    def give_up(self, mail_id: int, error_text: str) -> None:
        """The server refuses the mail for good."""
        self._settle(mail_id, state="given_up", error_text=error_text)

    def _settle(self, mail_id: int, **values: object) -> None:
        self._execute(
            sa.update(mail_outbox)
            .where(mail_outbox.c.mail_id == mail_id, mail_outbox.c.state == "sending")
            .values(**values)
        )

    def _execute(self, statement: sa.Update) -> int:
        with self._engine.begin() as connection:
            return connection.execute(statement).rowcount


@dataclass(frozen=True)
class NewMail:
    """A mail to queue. `cause` names what it is about, and which mail about it this is."""

    message_id: str
    cause: str
    folder: str
    recipients: Sequence[str]
    subject: str
    body: str
    alarm_id: int | None = None


def queue(connection: sa.Connection, mail: NewMail, now: datetime) -> bool:
    """Queues a mail inside a transaction; False where one of this cause was queued before."""
    statement = insert(mail_outbox).values(
        message_id=mail.message_id,
        cause=mail.cause,
        folder=mail.folder,
        alarm_id=mail.alarm_id,
        recipients=list(mail.recipients),
        subject=mail.subject,
        body=mail.body,
        created_at=now,
        state="queued",
        next_attempt_at=now,
    )
    queued = statement.on_conflict_do_nothing(index_elements=["cause"]).returning(mail_outbox.c.mail_id)
    return connection.execute(queued).scalar_one_or_none() is not None


def _first_sent(now: datetime) -> sa.ColumnElement[datetime]:
    """When the first recipient got a mail of which one gets it now."""
    return sa.func.coalesce(mail_outbox.c.sent_at, now)


def last_mails(connection: sa.Connection, alarm_ids: Collection[int]) -> dict[int, LastMail]:
    """The newest mail about each of these alarms, by alarm id; alarms without one are absent.

    One that was given up counts as out when it was refused: it waits for nothing, and the next one may get through.
    """
    out = sa.case(
        (mail_outbox.c.state == "given_up", sa.func.coalesce(mail_outbox.c.sent_at, mail_outbox.c.claimed_at)),
        else_=mail_outbox.c.sent_at,
    ).label("out_at")
    newest = (
        sa.select(sa.func.max(mail_outbox.c.mail_id))
        .where(mail_outbox.c.alarm_id.in_(list(alarm_ids)))
        .group_by(mail_outbox.c.alarm_id)
    )
    query = sa.select(mail_outbox.c.alarm_id, mail_outbox.c.created_at, out).where(mail_outbox.c.mail_id.in_(newest))
    return {row.alarm_id: LastMail(row.created_at, row.out_at) for row in connection.execute(query)}
