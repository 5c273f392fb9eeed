"""Sends mails through an SMTP server (RFC 5321), secured by STARTTLS, by TLS from the start, or not at all.

Three things can become of a mail: the server took it, it certainly did not, or nobody knows, because the connection
broke between the end of the text and the server's answer. They are told apart, since only the last one may double it.
"""

import base64
import smtplib
import ssl
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP
from pathlib import Path
from typing import Literal

from integration_assets.domain.supervision.mails import Letter

Security = Literal["starttls", "tls", "none"]

WIRE = SMTP.clone(cte_type="7bit")
"""No server needs to know more than plain SMTP."""

PORTS: dict[Security, int] = {"starttls": 587, "tls": 465, "none": 25}

FINAL_ANSWER_FACTOR = 10
"""A server may look through a mail before it takes it: so many times the usual wait (RFC 5321, 4.5.3.2.6)."""

_LOGGED_IN, _OK, _FORWARDS, _GO_AHEAD, _CLOSING, _FOR_GOOD = 235, 250, 251, 354, 421, 500


@dataclass(frozen=True)
class MailServer:
    """Where mails go and how; the password shows in no representation."""

    host: str
    port: int
    security: Security
    timeout_s: float
    user: str | None = None
    password: str | None = None
    ca: Path | None = None

    def __repr__(self) -> str:
        return f"MailServer({self.host}:{self.port}, {self.security}, user={self.user!r})"


class MailError(Exception):
    """A mail was not sent; the message is a sentence without anything secret. `for_good`: no later try will do."""

    def __init__(self, text: str, *, for_good: bool = False) -> None:
        super().__init__(text)
        self.for_good = for_good


class ServerAway(MailError):
    """The server could not be reached, did not let us in, or left: no mail can be sent now."""


class InDoubt(ServerAway):
    """The server went away after it had the whole text: it may have the mail, or not."""


def connected(server: MailServer) -> smtplib.SMTP:
    """A session, secured and logged in; close it with `goodbye`. Raises ServerAway."""
    session: smtplib.SMTP | None = None
    try:
        context = ssl.create_default_context(cafile=server.ca)
        if server.security == "tls":
            session = smtplib.SMTP_SSL(server.host, server.port, timeout=server.timeout_s, context=context)
        else:
            session = smtplib.SMTP(server.host, server.port, timeout=server.timeout_s)
        session.ehlo_or_helo_if_needed()
        if server.security == "starttls":
            session.starttls(context=context)
            session.ehlo()
        if server.user is not None:
            _log_in(session, server.user, server.password or "")
    except (OSError, smtplib.SMTPException) as error:
        if session is not None:
            session.close()
        why = _why_not(error, server, reached=session is not None)
        raise ServerAway(f"The mail server {server.host}:{server.port} {why}.") from None
    return session


def _why_not(error: Exception, server: MailServer, *, reached: bool) -> str:
    match error:
        case ssl.SSLCertVerificationError():
            return f"showed a certificate that is not trusted: {error.verify_message}"
        case smtplib.SMTPAuthenticationError():
            return f"does not accept the login of {server.user}: code {error.smtp_code}"
        case smtplib.SMTPNotSupportedError():
            return f"does not offer what smtp_security and smtp_user ask for: {_told(error)}"
        case _:
            return f"{'did not let us in' if reached else 'cannot be reached'}: {_told(error)}"


def _log_in(session: smtplib.SMTP, user: str, password: str) -> None:
    """Logs in by what the server offers. Python's own way knows plain ASCII only; RFC 4616 has UTF-8."""
    if user.isascii() and password.isascii():
        session.login(user, password)
        return
    if "PLAIN" not in session.esmtp_features.get("auth", "").upper().split():
        raise smtplib.SMTPNotSupportedError("AUTH PLAIN, by which alone user and password with other letters travel.")
    token = base64.b64encode(f"\0{user}\0{password}".encode()).decode()
    code, answer = session.docmd("AUTH", f"PLAIN {token}")
    if code != _LOGGED_IN:
        raise smtplib.SMTPAuthenticationError(code, answer)


def goodbye(session: smtplib.SMTP) -> None:
    """Ends a session; what it sent is sent."""
    try:
        session.quit()
    except (OSError, smtplib.SMTPException):
        session.close()


@dataclass(frozen=True)
class Taken:
    """A mail that the server took for some of its recipients or all: those it refused, with its reasons."""

    refused: Mapping[str, str]
    """For good."""
    deferred: Mapping[str, str]
    """For now, as servers do that wait whether a stranger comes back (greylisting)."""


def send(session: smtplib.SMTP, letter: Letter) -> Taken:
    """Sends a letter to those of its recipients whom the server accepts.

    Raises MailError where it took none or the letter cannot be written, ServerAway where it left before it had the
    text, InDoubt where it left after that.
    """
    try:
        wire = _on_the_wire(letter)
    except ValueError as error:
        raise MailError(f"The mail cannot be written: {_told(error)}.", for_good=True) from None
    try:
        return _sent(session, letter, wire)
    except MailError:
        raise
    except (OSError, smtplib.SMTPException) as error:
        session.close()
        raise ServerAway(f"The mail server went away: {_told(error)}.") from None


def _sent(session: smtplib.SMTP, letter: Letter, wire: bytes) -> Taken:
    code, answer = session.mail(letter.sender)
    if code != _OK:
        raise _refusal(session, code, answer, f"the sender {letter.sender}")
    answers = {recipient: session.rcpt(recipient) for recipient in letter.recipients}
    not_taken = {recipient: told for recipient, told in answers.items() if told[0] not in (_OK, _FORWARDS)}
    if len(not_taken) == len(answers):
        # The mildest refusal counts: as long as one is for now only, it is worth another try.
        raise _refusal(session, *min(not_taken.values()), "all recipients")
    code, answer = session.docmd("DATA")
    if code != _GO_AHEAD:
        raise _refusal(session, code, answer, "the mail")
    session.send(wire)
    code, answer = _final_answer(session)
    if code != _OK:
        raise _refusal(session, code, answer, "the mail")
    told = {recipient: f"{number} {_plain(text)}" for recipient, (number, text) in not_taken.items()}
    for_good = {recipient for recipient, (number, _) in not_taken.items() if number >= _FOR_GOOD}
    return Taken(
        refused={recipient: reason for recipient, reason in told.items() if recipient in for_good},
        deferred={recipient: reason for recipient, reason in told.items() if recipient not in for_good},
    )


def _final_answer(session: smtplib.SMTP) -> tuple[int, bytes]:
    """The answer to the end of the text; from here on nobody knows until it is there."""
    try:
        if session.sock is not None and session.timeout:
            session.sock.settimeout(FINAL_ANSWER_FACTOR * session.timeout)
        code, answer = session.getreply()
        if session.sock is not None:
            session.sock.settimeout(session.timeout)
    except (OSError, smtplib.SMTPException) as error:
        session.close()
        raise InDoubt(f"The mail server went away before it said whether it took the mail: {_told(error)}.") from None
    return code, answer


def _refusal(session: smtplib.SMTP, code: int, answer: bytes, what: str) -> MailError:
    """The error that a refusal stands for; the session is ready for another mail, or closed where it must end."""
    told = f"The mail server refused {what}: {code} {_plain(answer)}"
    if code == _CLOSING:
        session.close()
        return ServerAway(told)
    session.rset()
    return MailError(told, for_good=code >= _FOR_GOOD)


def _on_the_wire(letter: Letter) -> bytes:
    """The text with its headers as DATA takes it: the same letter is the same bytes."""
    text = as_message(letter).as_bytes(policy=WIRE)
    stuffed = b"\r\n".join(b"." + line if line.startswith(b".") else line for line in text.split(b"\r\n"))
    return stuffed.removesuffix(b"\r\n") + b"\r\n.\r\n"


def message_id(sender: str) -> str:
    """A new Message-ID under the sender's domain; a mail keeps it however often it is sent."""
    return f"<{uuid.uuid4()}@{sender.rpartition('@')[2]}>"


def as_message(letter: Letter) -> EmailMessage:
    """The letter as a message. Raises ValueError where a header would hold a line end."""
    message = EmailMessage(policy=WIRE)
    message["From"] = Address(addr_spec=letter.sender)
    message["To"] = [Address(addr_spec=recipient) for recipient in letter.recipients]
    message["Subject"] = letter.subject
    message["Date"] = letter.created_at
    message["Message-ID"] = letter.message_id
    # Nobody's absence note should answer an alarm (RFC 3834).
    message["Auto-Submitted"] = "auto-generated"
    message.set_content(letter.body)
    return message


def _told(error: Exception) -> str:
    return str(error).rstrip(".") or type(error).__name__


def _plain(answer: bytes) -> str:
    return " ".join(answer.decode("utf-8", "replace").split())
