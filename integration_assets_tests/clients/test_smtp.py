"""Mails against a real SMTP server on the loopback interface: secured or not, with a login or not, and in trouble."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from email import message_from_bytes
from email.policy import default

import pytest
from hypothesis import given
from hypothesis import strategies as st

from integration_assets.clients.smtp import (
    InDoubt,
    MailError,
    MailServer,
    Security,
    ServerAway,
    Taken,
    as_message,
    connected,
    goodbye,
    send,
)
from integration_assets.domain.supervision.mails import Letter, one_line
from integration_assets.sandbox.certificates import Keys, keys_of
from integration_assets.sandbox.mail import MailBox, MailServerOptions, running_mail_server

LETTER = Letter(
    message_id="<1@varme.example>",
    sender="integration@varme.example",
    recipients=("drift@varme.example", "vagt@varme.example"),
    subject="[varme] Alerte > 30: seneste synkronisering kl. 09.29",
    body="Ét bogstav: æøå.\n.En linje med punktum\n\n" + "lang " * 300 + "\n",
    created_at=datetime(2025, 11, 3, 9, 0, tzinfo=UTC),
)
ALL_TAKEN = Taken({}, {})
USERS = {"integration": "hemmelig og lang"}
DANISH = {"integration": "Æblegrød på lørdag"}


@pytest.fixture(scope="module")
def keys(tmp_path_factory: pytest.TempPathFactory) -> Keys:
    """Certificates of the sandbox's own authority."""
    return keys_of(tmp_path_factory.mktemp("keys"))


@contextmanager
def served(
    keys: Keys, security: Security = "none", *, users: dict[str, str] | None = None
) -> Iterator[tuple[MailBox, MailServer]]:
    """A server, and how it is reached by somebody who knows everything."""
    with running_mail_server(MailServerOptions(security, keys.server, users or {})) as (box, port):
        name, password = next(iter((users or {}).items()), (None, None))
        yield box, MailServer("localhost", port, security, 5.0, name, password, keys.authority)


def deliver(server: MailServer, letter: Letter = LETTER) -> Taken:
    session = connected(server)
    try:
        return send(session, letter)
    finally:
        goodbye(session)


@pytest.mark.parametrize("users", [{}, USERS, DANISH], ids=["no login", "login", "Danish login"])
@pytest.mark.parametrize("security", ["none", "starttls", "tls"])
def test_a_mail_arrives_as_it_was_written(keys: Keys, security: Security, users: dict[str, str]) -> None:
    with served(keys, security, users=users) as (box, server):
        assert deliver(server) == ALL_TAKEN
    (mail,) = box.mails
    assert (mail.sender, mail.recipients) == (LETTER.sender, LETTER.recipients)
    assert mail.secured == (security != "none")
    assert mail.user == next(iter(users), None)
    assert mail.message["Subject"] == LETTER.subject
    assert mail.message["Message-ID"] == LETTER.message_id
    assert mail.message["To"] == "drift@varme.example, vagt@varme.example"
    assert mail.message["Date"].datetime == LETTER.created_at
    assert mail.message["Auto-Submitted"] == "auto-generated"
    assert mail.message.get_content().replace("\r\n", "\n") == LETTER.body
    assert all(len(line) <= 998 for line in box.texts[0].split(b"\r\n")), "lines are as short as RFC 5321 wants"
    assert box.texts[0].isascii()


def test_the_same_letter_is_the_same_bytes(keys: Keys) -> None:
    with served(keys) as (box, server):
        deliver(server)
        deliver(server)
    assert box.texts[0] == box.texts[1]
    assert len(box.mails) == 1


@pytest.mark.parametrize("security", ["starttls", "tls"])
def test_a_certificate_that_nobody_vouches_for_ends_it(keys: Keys, security: Security) -> None:
    with served(keys, security, users=USERS) as (box, server):
        with pytest.raises(ServerAway, match="certificate that is not trusted"):
            deliver(replace(server, ca=None))
        with pytest.raises(ServerAway, match="certificate that is not trusted"):
            deliver(replace(server, host="127.1"))
    assert box.mails == []


def test_there_is_no_falling_back_to_plain_text(keys: Keys) -> None:
    with served(keys, "none", users=USERS) as (box, server):
        with pytest.raises(ServerAway, match="does not offer what smtp_security"):
            deliver(replace(server, security="starttls"))
        with pytest.raises(ServerAway, match="cannot be reached"):
            deliver(replace(server, security="tls"))
    assert box.mails == []


def test_a_wrong_password_is_told_and_not_shown(keys: Keys) -> None:
    with served(keys, "starttls", users=USERS) as (_, server):
        wrong = replace(server, password="something else")
        with pytest.raises(ServerAway, match="does not accept the login of integration: code 535") as told:
            deliver(wrong)
        assert "something else" not in str(told.value)
        with pytest.raises(ServerAway, match="does not accept the login of integration: code 535"):
            deliver(replace(server, password="pære"))
        assert "something else" not in repr(wrong)
        with pytest.raises(MailError, match=r"refused the sender .*: 530 Authentication required"):
            deliver(replace(server, user=None, password=None))


def test_nobody_listens() -> None:
    with running_mail_server() as (_, port):
        pass
    with pytest.raises(ServerAway, match=f"127.0.0.1:{port} cannot be reached"):
        deliver(MailServer("127.0.0.1", port, "none", 2.0))


def test_a_refused_recipient_does_not_keep_it_from_the_others(keys: Keys) -> None:
    with served(keys) as (box, server):
        box.switches.refused_recipients = frozenset({"vagt@varme.example"})
        assert deliver(server) == Taken({"vagt@varme.example": "550 No such user here"}, {})
        box.switches.refused_recipients = frozenset(LETTER.recipients)
        with pytest.raises(MailError, match="refused all recipients: 550") as told:
            deliver(server)
        assert told.value.for_good
        box.switches.refused_recipients = frozenset({"vagt@varme.example"})
        box.switches.deferred_recipients = frozenset({"drift@varme.example"})
        with pytest.raises(MailError, match="refused all recipients: 450") as told:
            deliver(server)
        assert not told.value.for_good, "one of them may still get it"
    assert [mail.recipients for mail in box.mails] == [("drift@varme.example",)]


def test_refusals_for_now_and_for_good(keys: Keys) -> None:
    with served(keys) as (box, server):
        box.switches.busy = True
        with pytest.raises(MailError, match="450 Come back later") as told:
            deliver(server)
        assert not told.value.for_good
        box.switches.busy, box.switches.refuses_all = False, True
        session = connected(server)
        with pytest.raises(MailError, match="554 Transaction failed") as told:
            send(session, LETTER)
        assert told.value.for_good
        box.switches.refuses_all = False
        assert send(session, LETTER) == ALL_TAKEN, "the session goes on"
        goodbye(session)


def test_what_became_of_a_mail_is_known_until_its_end_was_sent(keys: Keys) -> None:
    with served(keys) as (box, server):
        box.switches.down = True
        with pytest.raises(ServerAway, match="cannot be reached") as away:
            deliver(server)
        assert not isinstance(away.value, InDoubt)
        box.switches.down = False
        for leaves, kept in (("text", 0), ("taking", 1)):
            box.switches.leaves_after = leaves
            with pytest.raises(InDoubt, match="before it said whether it took the mail"):
                deliver(server)
            assert len(box.mails) == kept, "which of the two it was, nobody can tell"


@given(st.text(), st.text())
def test_no_text_makes_a_header(subject: str, body: str) -> None:
    letter = replace(LETTER, subject=one_line(subject + "\r\nBcc: anybody@example.org\n\nx"), body=body)
    try:
        raw = as_message(letter).as_bytes()
    except UnicodeEncodeError:  # half of a character is no text
        return
    message = message_from_bytes(raw, policy=default)
    assert set(message.keys()) <= {
        *("From", "To", "Subject", "Date", "Message-ID", "Auto-Submitted"),
        *("Content-Type", "Content-Transfer-Encoding", "MIME-Version"),
    }
    assert message["To"] == "drift@varme.example, vagt@varme.example"


def test_a_line_end_in_a_header_is_refused() -> None:
    for forged in (
        replace(LETTER, subject="x\r\nBcc: anybody@example.org"),
        replace(LETTER, message_id="<1@x>\r\nBcc: anybody@example.org"),
    ):
        with pytest.raises(ValueError, match=r"(?i)line|CR|LF|newline"):
            as_message(forged)


def test_a_letter_that_cannot_be_written_ends_there(keys: Keys) -> None:
    with served(keys) as (box, server):
        with pytest.raises(MailError, match="cannot be written") as told:
            deliver(server, replace(LETTER, subject="x\r\nBcc: anybody@example.org"))
        assert told.value.for_good
    assert box.mails == []
