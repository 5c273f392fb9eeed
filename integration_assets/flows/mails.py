"""Sends the mails of the outbox, each once, through a server that may be away, and a process that may die.

A mail is marked before it is handed over and marked again when the server has taken it. Where the process dies between
the two, or the connection breaks while the server decides, nobody can know whether it has the mail. An alarm that is
missing is worse than one that comes twice, so it is sent again, byte for byte, under the same Message-ID, by which mail
programs and servers show it once; the outbox counts the doubt.
"""

import smtplib
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from integration_assets.cache.mail_outbox import Mail, MailOutbox
from integration_assets.clients.smtp import (
    InDoubt,
    MailError,
    MailServer,
    ServerAway,
    Taken,
    connected,
    goodbye,
    message_id,
    send,
)
from integration_assets.domain.supervision.mails import Letter

PAUSES = tuple(timedelta(minutes=minutes) for minutes in (1, 2, 4, 8, 15))
"""Wait after the first, second, … failed attempt; the last one repeats for as long as the server is away."""

MOST_SECONDS = 40.0
"""After so long no further mail is begun: a tick of Dagster has a minute."""


@dataclass
class Posted:
    """What one call did: mails sent, given up, taken back after a process died; why it stopped early."""

    sent: int = 0
    given_up: int = 0
    doubted: int = 0
    troubles: list[str] = field(default_factory=list)
    busy: bool = False
    """Another process is sending."""


def send_mails(
    outbox: MailOutbox,
    server: MailServer,
    sender: str,
    now: Callable[[], datetime],
    *,
    most_seconds: float = MOST_SECONDS,
) -> Posted:
    """Sends what is due, the oldest first, over one connection; a server that is away is tried again later.

    One process sends at a time. A mail that the server refuses for good is given up and stays in the outbox with its
    reason. Nothing is raised for a server's sake: what went wrong is in the result and in the outbox.
    """
    posted = Posted()
    with outbox.sending() as ours:
        if not ours:
            posted.busy = True
            return posted
        posted.doubted = outbox.take_back()
        session: smtplib.SMTP | None = None
        began = time.monotonic()
        try:
            while time.monotonic() - began < most_seconds and (mail := outbox.claim(now())) is not None:
                try:
                    session = session or connected(server)
                    taken = send(session, _letter(mail, sender))
                except ServerAway as error:
                    session = None
                    _put_off(outbox, mail, error, now())
                    posted.troubles.append(str(error))
                    break
                except MailError as error:
                    _note_refusal(outbox, mail, error, now(), posted)
                else:
                    _note_taken(outbox, mail, taken, now())
                    posted.sent += 1
        finally:
            if session is not None:
                goodbye(session)
    return posted


def send_trial(server: MailServer, sender: str, recipients: Sequence[str], now: datetime) -> list[str]:
    """Sends a mail that says that it is a test; what is wrong, in sentences, or nothing."""
    letter = Letter(
        message_id=message_id(sender),
        sender=sender,
        recipients=recipients,
        subject="Test of the alarms of integration-assets",
        body="Alarms about the interactions of KMD EE, LoRa and Dynamics CRM arrive here.\n",
        created_at=now,
    )
    try:
        session = connected(server)
        try:
            taken = send(session, letter)
        finally:
            goodbye(session)
    except MailError as error:
        return [str(error)]
    not_taken = {**taken.refused, **taken.deferred}
    return [f"{recipient} is refused: {reason}" for recipient, reason in not_taken.items()]


def _note_refusal(outbox: MailOutbox, mail: Mail, error: MailError, now: datetime, posted: Posted) -> None:
    posted.troubles.append(str(error))
    if error.for_good:
        outbox.give_up(mail.mail_id, str(error))
        posted.given_up += 1
    else:
        _put_off(outbox, mail, error, now)


def _put_off(outbox: MailOutbox, mail: Mail, error: MailError, now: datetime) -> None:
    outbox.note_failed(mail.mail_id, str(error), _next_attempt(mail, now), doubted=isinstance(error, InDoubt))


def _next_attempt(mail: Mail, now: datetime) -> datetime:
    return now + PAUSES[min(mail.attempts, len(PAUSES)) - 1]


def _letter(mail: Mail, sender: str) -> Letter:
    return Letter(mail.message_id, sender, mail.recipients, mail.subject, mail.body, mail.created_at)


def _note_taken(outbox: MailOutbox, mail: Mail, taken: Taken, now: datetime) -> None:
    """The mail is sent; where the server put recipients off, it stays for them alone."""
    not_taken = {**taken.refused, **taken.deferred}
    told = "; ".join(f"{recipient}: {reason}" for recipient, reason in not_taken.items())
    error_text = f"Not taken for {told}" if told else None
    if taken.deferred:
        outbox.keep_for(mail.mail_id, list(taken.deferred), str(error_text), now, _next_attempt(mail, now))
    else:
        outbox.note_sent(mail.mail_id, now, error_text=error_text)
