"""No mail is lost and none is doubled, whatever happens to the mail server or to the process that sends."""

import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa

from integration_assets.cache.mail_outbox import MailOutbox, NewMail
from integration_assets.clients.smtp import MailServer
from integration_assets.flows.mails import send_mails
from integration_assets.sandbox.mail import MailBox, running_mail_server

SENDER = "integration@varme.example"
START = datetime(2025, 11, 4, 13, 0, tzinfo=UTC)
PROCESS = """
import sys
from datetime import UTC, datetime
from pathlib import Path
from integration_assets.cache.engine import cache_engine
from integration_assets.cache.mail_outbox import MailOutbox
from integration_assets.clients.smtp import MailServer
from integration_assets.flows.mails import send_mails
url, folder, port, now = sys.argv[1:]
outbox = MailOutbox(cache_engine(url, Path(folder)))
server = MailServer("127.0.0.1", int(port), "none", 20.0)
send_mails(outbox, server, "integration@varme.example", lambda: datetime.fromisoformat(now))
"""


@pytest.fixture
def outbox(cache: sa.Engine) -> MailOutbox:
    """The outbox of a fresh cache."""
    return MailOutbox(cache)


@pytest.fixture
def mail_server() -> Iterator[tuple[MailBox, MailServer]]:
    """A server without any security."""
    with running_mail_server() as (box, port):
        yield box, MailServer("127.0.0.1", port, "none", 5.0)


def queue(outbox: MailOutbox, number: int, now: datetime = START) -> bool:
    mail = NewMail(
        message_id=f"<{number}@varme.example>",
        cause=f"alarm {number}",
        folder="varme",
        recipients=["drift@varme.example"],
        subject=f"Alarm {number}",
        body="Noget er galt.\n",
        alarm_id=number,
    )
    return outbox.queue(mail, now)


def test_mails_go_out_in_their_order_and_once(outbox: MailOutbox, mail_server: tuple[MailBox, MailServer]) -> None:
    box, server = mail_server
    assert [queue(outbox, number) for number in (1, 2, 3, 2)] == [True, True, True, False], "a cause is mailed once"
    posted = send_mails(outbox, server, SENDER, lambda: START)
    assert (posted.sent, posted.troubles) == (3, [])
    assert send_mails(outbox, server, SENDER, lambda: START).sent == 0
    assert [mail.message["Subject"] for mail in box.mails] == ["Alarm 1", "Alarm 2", "Alarm 3"]
    assert set(box.deliveries.values()) == {1}
    assert {(mail.state, mail.attempts, mail.doubted) for mail in outbox.latest()} == {("sent", 1, 0)}


def test_a_server_that_is_away_for_two_hours(outbox: MailOutbox, mail_server: tuple[MailBox, MailServer]) -> None:
    """The first is tried after 1, 2, 4, 8 and then every 15 minutes."""
    box, server = mail_server
    box.switches.down = True
    queue(outbox, 1)
    tried: list[int] = []
    for minute in range(125):
        if minute == 120:
            box.switches.down = False
        if minute == 60:
            queue(outbox, 2, START + timedelta(minutes=60))
        now = START + timedelta(minutes=minute)
        send_mails(outbox, server, SENDER, lambda now=now: now)
        if outbox.latest()[-1].attempts > len(tried):
            tried.append(minute)
    assert tried == [0, 1, 3, 7, 15, 30, 45, 60, 75, 90, 105, 120]
    assert sorted(mail.message["Subject"] for mail in box.mails) == ["Alarm 1", "Alarm 2"]
    assert set(box.deliveries.values()) == {1}
    assert {mail.doubted for mail in outbox.latest()} == {0}, "it was certain that the server had nothing"


@pytest.mark.parametrize("leaves", ["text", "taking"])
def test_a_connection_that_breaks_while_the_server_decides(
    outbox: MailOutbox, mail_server: tuple[MailBox, MailServer], leaves: str
) -> None:
    box, server = mail_server
    queue(outbox, 1)
    box.switches.leaves_after = leaves  # pyright: ignore[reportAttributeAccessIssue]
    posted = send_mails(outbox, server, SENDER, lambda: START)
    assert posted.sent == 0
    assert "before it said whether it took the mail" in posted.troubles[0]
    box.switches.leaves_after = "never"
    later = START + timedelta(minutes=1)
    assert send_mails(outbox, server, SENDER, lambda: later).sent == 1
    assert len(box.mails) == 1
    assert box.deliveries == {"<1@varme.example>": 1 if leaves == "text" else 2}
    (mail,) = outbox.latest()
    assert (mail.state, mail.doubted, mail.sent_at) == ("sent", 1, later)


def test_a_mail_that_is_refused_for_good_is_kept_and_holds_nobody_up(
    outbox: MailOutbox, mail_server: tuple[MailBox, MailServer]
) -> None:
    box, server = mail_server
    queue(outbox, 1)
    box.switches.refuses_all = True
    assert send_mails(outbox, server, SENDER, lambda: START).given_up == 1
    box.switches.refuses_all = False
    queue(outbox, 2)
    assert send_mails(outbox, server, SENDER, lambda: START).sent == 1
    assert [mail.message["Subject"] for mail in box.mails] == ["Alarm 2"]
    kept = outbox.latest(states=["given_up"])
    assert [(mail.subject, mail.error_text) for mail in kept] == [
        ("Alarm 1", "The mail server refused the mail: 554 Transaction failed")
    ]


def test_a_recipient_who_is_put_off_gets_it_later_and_the_others_once(
    outbox: MailOutbox, mail_server: tuple[MailBox, MailServer]
) -> None:
    box, server = mail_server
    outbox.queue(NewMail("<1@x>", "1", "", ["a@x.dk", "b@x.dk", "c@x.dk"], "s", "b"), START)
    box.switches.deferred_recipients = frozenset({"b@x.dk"})
    box.switches.refused_recipients = frozenset({"c@x.dk"})
    send_mails(outbox, server, SENDER, lambda: START)
    (mail,) = outbox.latest()
    assert (mail.state, mail.recipients, mail.error_text) == (
        "queued",
        ["b@x.dk"],
        "Not taken for c@x.dk: 550 No such user here; b@x.dk: 450 Mailbox busy",
    )
    box.switches.deferred_recipients = frozenset()
    send_mails(outbox, server, SENDER, lambda: START + timedelta(minutes=1))
    assert box.envelopes == [("a@x.dk",), ("b@x.dk",)]
    assert outbox.latest()[0].state == "sent"


@pytest.fixture
def database(cache: sa.Engine, cache_url: str, server_dir: Path) -> tuple[str, str]:
    """What another process needs to reach the same cache."""
    del cache
    return cache_url, str(server_dir)


def sending_process(database: tuple[str, str], server: MailServer) -> "subprocess.Popen[bytes]":
    return subprocess.Popen([sys.executable, "-c", PROCESS, *database, str(server.port), START.isoformat()])


def until(true: object, seconds: float = 60.0) -> None:
    deadline = time.monotonic() + seconds
    while not true():  # pyright: ignore[reportCallIssue]
        assert time.monotonic() < deadline, "it took too long"
        time.sleep(0.02)


def test_a_process_that_is_killed_after_the_server_took_the_mail(
    outbox: MailOutbox, mail_server: tuple[MailBox, MailServer], database: tuple[str, str]
) -> None:
    """The worst moment: nobody has written down yet that it was sent. It is sent again, as the same mail."""
    box, server = mail_server
    queue(outbox, 1)
    queue(outbox, 2)
    box.switches.answer_after_s = 30.0
    process = sending_process(database, server)
    until(lambda: box.mails)
    busy = send_mails(outbox, server, SENDER, lambda: START)
    assert (busy.busy, busy.sent) == (True, 0), "two processes never send at once"
    process.send_signal(signal.SIGKILL)
    process.wait()
    box.switches.answer_after_s = 0.0
    assert [mail.state for mail in outbox.latest()] == ["queued", "sending"]

    posted = _once_free(outbox, server)

    assert (posted.sent, posted.doubted) == (2, 1)
    assert [mail.message["Subject"] for mail in box.mails] == ["Alarm 1", "Alarm 2"]
    assert box.deliveries == {"<1@varme.example>": 2, "<2@varme.example>": 1}
    assert box.texts[0] == box.texts[1], "byte for byte the same"
    assert [(mail.state, mail.doubted) for mail in outbox.latest()] == [("sent", 0), ("sent", 1)]


def test_a_process_that_is_killed_before_the_server_heard_of_the_mail(
    outbox: MailOutbox, mail_server: tuple[MailBox, MailServer]
) -> None:
    """It had marked the mail as being sent, and nothing else."""
    box, server = mail_server
    queue(outbox, 1)
    assert outbox.claim(START) is not None
    assert send_mails(outbox, server, SENDER, lambda: START).sent == 1
    assert box.deliveries == {"<1@varme.example>": 1}


def _once_free(outbox: MailOutbox, server: MailServer):
    """Sends as soon as the database has noticed that the other process is gone."""
    deadline = time.monotonic() + 20
    while (posted := send_mails(outbox, server, SENDER, lambda: START)).busy:
        assert time.monotonic() < deadline, "the lock of a dead process is freed"
        time.sleep(0.02)
    return posted
