"""A mail server of the sandbox: plain SMTP on the loopback interface that keeps what it is given.

It speaks what RFC 5321 asks of a server, with STARTTLS (RFC 3207), AUTH PLAIN and LOGIN (RFC 4954), and switches for
what goes wrong with mail servers. The same Message-ID is one mail, however often it comes: `mails` shows it once and
`deliveries` counts how often it was taken. There is no product code in it, and none of Python's own SMTP client.
"""

import asyncio
import base64
import binascii
import contextlib
import ssl
import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, fields
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default
from pathlib import Path
from typing import Any, Literal, cast, get_args

HOST = "127.0.0.1"

Security = Literal["starttls", "tls", "none"]

LeavesAfter = Literal["never", "text", "taking"]
"""When the server goes away without a word: with the text and no mail kept, or having kept the mail."""


@dataclass
class Switches:
    """What goes wrong."""

    down: bool = False
    """Every connection is closed at once."""
    busy: bool = False
    """Every sender is told to come back later (450)."""
    answer_after_s: float = 0.0
    """Pause before the answer to the end of a text."""
    leaves_after: LeavesAfter = "never"
    refused_recipients: frozenset[str] = frozenset()
    """Nobody of that name here (550)."""
    deferred_recipients: frozenset[str] = frozenset()
    """Come back later with mails for these (450)."""
    refuses_all: bool = False
    """No text is taken (554)."""


def switches_of(body: Mapping[str, Any]) -> Switches:
    """Switches from JSON; those not named are off. Raises ValueError, in a sentence, for one that there is not."""
    known = {each.name: each.type for each in fields(Switches)}
    if strange := sorted(set(body) - set(known)):
        raise ValueError(f"the mail server has no switch {', '.join(strange)}; it has {', '.join(known)}")
    if body.get("leaves_after", "never") not in get_args(LeavesAfter):
        raise ValueError(f"leaves_after is one of {', '.join(get_args(LeavesAfter))}")
    given = dict(body)
    for name in {"refused_recipients", "deferred_recipients"} & set(given):
        given[name] = frozenset(map(str, given[name]))
    return Switches(**given)


@dataclass(frozen=True)
class KeptMail:
    """One mail: its envelope, and the message."""

    sender: str
    recipients: tuple[str, ...]
    message: EmailMessage
    secured: bool
    user: str | None

    @property
    def message_id(self) -> str:
        """Its Message-ID; empty where it has none."""
        return str(self.message["Message-ID"] or "")


@dataclass
class MailBox:
    """What the server has been given, and its switches; used from any thread."""

    switches: Switches = field(default_factory=Switches)
    deliveries: dict[str, int] = field(default_factory=dict)
    """How often each Message-ID was taken."""
    texts: list[bytes] = field(default_factory=list)
    """Every text as it came, repeated ones too."""
    envelopes: list[tuple[str, ...]] = field(default_factory=list)
    """The recipients of every text."""
    _kept: dict[str, KeptMail] = field(default_factory=dict)

    @property
    def mails(self) -> list[KeptMail]:
        """The mails in the order in which they came, each once."""
        return list(self._kept.values())

    def as_json(self) -> list[dict[str, Any]]:
        """The mails for people and programs."""
        return [
            {
                "sender": mail.sender,
                "recipients": list(mail.recipients),
                "subject": str(mail.message["Subject"] or ""),
                "date": str(mail.message["Date"] or ""),
                "message_id": mail.message_id,
                "deliveries": self.deliveries[mail.message_id],
                "text": mail.message.get_content(),
            }
            for mail in self.mails
        ]

    def clear(self) -> None:
        """Forgets all mails, and nothing goes wrong any more."""
        self.switches = Switches()
        self.deliveries.clear()
        self.texts.clear()
        self.envelopes.clear()
        self._kept.clear()

    def keep(self, mail: KeptMail, text: bytes) -> None:
        """Takes a mail; one whose Message-ID is known is counted and not kept again."""
        self.texts.append(text)
        self.envelopes.append(mail.recipients)
        self.deliveries[mail.message_id] = self.deliveries.get(mail.message_id, 0) + 1
        self._kept.setdefault(mail.message_id, mail)


@dataclass(frozen=True)
class MailServerOptions:
    """How the server is secured: `certificate` (PEM with key) for TLS; `users` (passwords by name) who must log in."""

    security: Security = "none"
    certificate: Path | None = None
    users: dict[str, str] = field(default_factory=dict)
    port: int = 0


class _Gone(Exception):
    """The session is over."""


class _Session:
    """One connection."""

    def __init__(
        self,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        box: MailBox,
        options: MailServerOptions,
        context: ssl.SSLContext | None,
    ) -> None:
        self._reader, self._writer = reader, writer
        self._box, self._options, self._context = box, options, context
        self._secured = options.security == "tls"
        self._user: str | None = None
        self._sender: str | None = None
        self._recipients: list[str] = []

    async def serve(self) -> None:
        """Answers until the client or a switch ends it."""
        with contextlib.suppress(_Gone, ConnectionError, asyncio.IncompleteReadError, ssl.SSLError):
            if self._box.switches.down:
                raise _Gone
            await self._say("220 sandbox ESMTP")
            while True:
                await self._answer((await self._line()).strip())
        self._writer.close()

    async def _answer(self, line: str) -> None:
        verb, _, rest = line.partition(" ")
        match verb.upper():
            case "EHLO":
                await self._say(*self._extensions())
            case "HELO":
                await self._say("250 sandbox")
            case "STARTTLS":
                await self._start_tls()
            case "AUTH":
                await self._authenticate(rest)
            case "MAIL":
                await self._mail(rest)
            case "RCPT":
                await self._recipient(rest)
            case "DATA":
                await self._data()
            case "RSET":
                self._reset()
                await self._say("250 OK")
            case "NOOP":
                await self._say("250 OK")
            case "QUIT":
                await self._say("221 Bye")
                raise _Gone
            case _:
                await self._say("502 Command not implemented")

    def _extensions(self) -> list[str]:
        offered = ["sandbox", "8BITMIME"]
        if self._options.security == "starttls" and not self._secured:
            offered.append("STARTTLS")
        elif self._options.users:
            offered.append("AUTH PLAIN LOGIN")
        return [f"250-{one}" for one in offered[:-1]] + [f"250 {offered[-1]}"]

    async def _start_tls(self) -> None:
        if self._context is None or self._secured:
            await self._say("502 Command not implemented")
            return
        await self._say("220 Ready")
        await self._writer.start_tls(self._context)
        self._secured = True
        self._reset()

    async def _authenticate(self, rest: str) -> None:
        method, _, first = rest.partition(" ")
        if method.upper() == "PLAIN":
            given = _decoded(first or await self._asked("")).split("\0")
            name, password = (given[1], given[2]) if len(given) == 3 else ("", "")
        elif method.upper() == "LOGIN":
            name = _decoded(first or await self._asked("Username:"))
            password = _decoded(await self._asked("Password:"))
        else:
            await self._say("504 Unrecognized authentication type")
            return
        if name and self._options.users.get(name) == password:
            self._user = name
            await self._say("235 Authentication successful")
        else:
            await self._say("535 Authentication credentials invalid")

    async def _asked(self, prompt: str) -> str:
        await self._say("334 " + base64.b64encode(prompt.encode()).decode())
        return (await self._line()).strip()

    async def _mail(self, rest: str) -> None:
        if self._options.security == "starttls" and not self._secured:
            await self._say("530 Must issue a STARTTLS command first")
        elif self._options.users and self._user is None:
            await self._say("530 Authentication required")
        elif self._box.switches.busy:
            await self._say("450 Come back later")
        else:
            self._reset()
            self._sender = _path(rest)
            await self._say("250 OK")

    async def _recipient(self, rest: str) -> None:
        recipient = _path(rest)
        if self._sender is None:
            await self._say("503 Bad sequence of commands")
        elif recipient in self._box.switches.refused_recipients:
            await self._say("550 No such user here")
        elif recipient in self._box.switches.deferred_recipients:
            await self._say("450 Mailbox busy")
        else:
            self._recipients.append(recipient)
            await self._say("250 OK")

    async def _data(self) -> None:
        if not self._recipients or self._sender is None:
            await self._say("503 Bad sequence of commands")
            return
        await self._say("354 End with <CRLF>.<CRLF>")
        lines: list[bytes] = []
        while (line := await self._reader.readuntil(b"\r\n")) != b".\r\n":
            lines.append(line[1:] if line.startswith(b".") else line)
        text = b"".join(lines)
        switches = self._box.switches
        if switches.leaves_after == "text":
            raise _Gone
        if switches.refuses_all:
            await self._say("554 Transaction failed")
            return
        message = cast("EmailMessage", message_from_bytes(text, policy=default))
        self._box.keep(KeptMail(self._sender, tuple(self._recipients), message, self._secured, self._user), text)
        if switches.leaves_after == "taking":
            raise _Gone
        await asyncio.sleep(switches.answer_after_s)
        self._reset()
        await self._say("250 OK: queued")

    def _reset(self) -> None:
        self._sender, self._recipients = None, []

    async def _line(self) -> str:
        return (await self._reader.readuntil(b"\n")).decode("utf-8", "replace")

    async def _say(self, *lines: str) -> None:
        self._writer.write("".join(f"{line}\r\n" for line in lines).encode())
        await self._writer.drain()


async def start_mail_server(box: MailBox, options: MailServerOptions) -> asyncio.Server:
    """Listens on the loopback interface; port 0 lets the operating system choose. Raises OSError for a port in use."""
    context = None
    if options.security != "none":
        assert options.certificate is not None, "a secured server needs a certificate"
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(options.certificate)

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await _Session(reader, writer, box, options, context).serve()

    immediately = context if options.security == "tls" else None
    return await asyncio.start_server(serve, HOST, options.port, ssl=immediately)


@contextlib.contextmanager
def running_mail_server(options: MailServerOptions | None = None) -> Iterator[tuple[MailBox, int]]:
    """A server on a thread of its own during the block: its box and its port."""
    box, loop = MailBox(), asyncio.new_event_loop()
    started: list[asyncio.Server] = []

    async def start() -> None:
        started.append(await start_mail_server(box, options or MailServerOptions()))

    loop.run_until_complete(start())
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    try:
        yield box, started[0].sockets[0].getsockname()[1]
    finally:
        loop.call_soon_threadsafe(started[0].close)
        loop.call_soon_threadsafe(loop.stop)
        thread.join(5)


def mail_settings(port: int) -> dict[str, str]:
    """The product settings that lead to the server: alarms go to one group of recipients."""
    return {
        "smtp_host": HOST,
        "smtp_port": str(port),
        "smtp_security": "none",
        "mail_sender": "integration@sandbox.example",
        "mail_recipients": '["dest_interact_erpcrm@sandbox.example"]',
    }


def _path(rest: str) -> str:
    """The address of MAIL FROM:<…> or RCPT TO:<…>."""
    return rest.partition("<")[2].partition(">")[0]


def _decoded(text: str) -> str:
    try:
        return base64.b64decode(text, validate=True).decode("utf-8", "replace")
    except binascii.Error:
        return ""
