"""The mail server of the sandbox, spoken to by hand and by Python's own client."""

import smtplib
import socket

import pytest

from integration_assets.sandbox.mail import MailServerOptions, running_mail_server

TEXT = "Message-ID: <1@x>\r\nSubject: Hej\r\n\r\n.dot\r\n"


def test_a_dialogue_line_by_line() -> None:
    """RFC 5321, appendix D.1, with a line that begins with a dot."""
    with running_mail_server() as (box, port), socket.create_connection(("127.0.0.1", port), 5) as client:
        lines = client.makefile("rb")
        assert lines.readline().startswith(b"220 ")
        for sent, answer in (
            (b"DATA", b"503"),
            (b"HELO here", b"250"),
            (b"MAIL FROM:<a@x>", b"250"),
            (b"RCPT TO:<b@x>", b"250"),
            (b"DATA", b"354"),
            (b"Subject: Hej\r\n\r\n..dot\r\n.", b"250"),
            (b"VRFY b", b"502"),
            (b"QUIT", b"221"),
        ):
            client.sendall(sent + b"\r\n")
            assert lines.readline().startswith(answer), sent
        assert lines.readline() == b""
    (mail,) = box.mails
    assert (mail.sender, mail.recipients) == ("a@x", ("b@x",))
    assert mail.message.get_content() == ".dot\r\n"


def test_one_message_id_is_one_mail() -> None:
    with running_mail_server() as (box, port), smtplib.SMTP("127.0.0.1", port) as client:
        for _ in range(3):
            client.sendmail("a@x", ["b@x"], TEXT)
        client.sendmail("a@x", ["b@x"], TEXT.replace("<1@x>", "<2@x>"))
    assert [mail.message_id for mail in box.mails] == ["<1@x>", "<2@x>"]
    assert box.deliveries == {"<1@x>": 3, "<2@x>": 1}


@pytest.mark.parametrize("method", ["PLAIN", "LOGIN"])
def test_logins(method: str) -> None:
    with running_mail_server(MailServerOptions(users={"ane": "apple"})) as (box, port):
        with smtplib.SMTP("127.0.0.1", port) as client, pytest.raises(smtplib.SMTPSenderRefused):
            client.sendmail("a@x", ["b@x"], TEXT)
        for password, code in (("pear", 535), ("apple", 235)):
            with smtplib.SMTP("127.0.0.1", port) as client:
                client.ehlo()
                client.user, client.password = "ane", password
                how = client.auth_plain if method == "PLAIN" else client.auth_login
                if code == 535:
                    with pytest.raises(smtplib.SMTPAuthenticationError):
                        client.auth(method, how)
                else:
                    assert client.auth(method, how)[0] == code
                    client.sendmail("a@x", ["b@x"], TEXT)
    assert [mail.user for mail in box.mails] == ["ane"]
