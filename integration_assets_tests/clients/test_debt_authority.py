"""Delivering recalls: one call, one try, and what each way of failing says about what may have happened."""

import socket
from pathlib import Path

import pytest

from integration_assets.clients.debt_authority import DebtAuthority
from integration_assets.clients.http import CallError, NotAllowedError, PermanentError, TransientError
from integration_assets_tests.clients import recall_messages as written
from integration_assets_tests.clients.certificates import Authority, demanding
from integration_assets_tests.clients.wire import Reply, serving

XML = {"Content-Type": "text/xml; charset=utf-8"}


def plain(url: str) -> DebtAuthority:
    return DebtAuthority(url, certificate=None, ca=None, timeout_s=0.5)


def test_what_goes_over_the_wire() -> None:
    with serving([Reply(200, written.answer().encode(), XML)]) as server:
        answer = plain(server.url).deliver("<tekst>æ</tekst>")
    (seen,) = server.seen
    assert (seen.method, seen.path) == ("POST", "/dmi/DMIFordringAsynkronTilbagekald")
    assert seen.headers["soapaction"] == '"DMIFordringAsynkronTilbagekald"'
    assert seen.headers["content-type"] == "text/xml; charset=utf-8"
    assert seen.body == "<tekst>æ</tekst>".encode()
    assert answer.transaction_id == "tb-1"


def test_an_address_with_its_own_path_is_kept() -> None:
    with serving([Reply(200, written.answer().encode(), XML)]) as server:
        plain(f"{server.url}/gateway/dmi").deliver("<x/>")
    assert server.seen[0].path == "/gateway/dmi"


@pytest.mark.parametrize("status", [200, 500])
def test_error_numbers_are_answers(status: int) -> None:
    with serving([Reply(status, written.answer(errors=(930,)).encode(), XML)]) as server:
        assert [one.number for one in plain(server.url).deliver("<x/>").faults] == [930]


@pytest.mark.parametrize(
    ("reply", "kind"),
    [
        (Reply(503, b"busy"), TransientError),
        (Reply(429, b"slow"), TransientError),
        (Reply(200, b"<html>gateway</html>"), TransientError),
        (Reply(500, b"stack trace"), TransientError),
        (Reply(200, drop=True), TransientError),
        (Reply(200, delay_s=1.0), TransientError),
        (Reply(401, b"who"), NotAllowedError),
        (Reply(403, b"no"), NotAllowedError),
        (Reply(404, b"where"), NotAllowedError),
        (Reply(400, b"what"), PermanentError),
        (Reply(413, b"large"), PermanentError),
        (
            Reply(500, written.enveloped("<s:Fault><faultcode>s:Client</faultcode></s:Fault>").encode(), XML),
            PermanentError,
        ),
        (
            Reply(500, written.enveloped("<s:Fault><faultcode>s:Server</faultcode></s:Fault>").encode(), XML),
            TransientError,
        ),
    ],
)
def test_failures_and_never_a_second_try(reply: Reply, kind: type[CallError]) -> None:
    with serving([reply]) as server, pytest.raises(kind, match="debt authority") as failed:
        plain(server.url).deliver("<x/>")
    assert type(failed.value) is kind
    assert len(server.seen) == 1


def test_nobody_there() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        url = f"http://127.0.0.1:{taken.getsockname()[1]}"
    with pytest.raises(TransientError):
        plain(url).deliver("<x/>")


def test_recalls_go_over_mutual_tls_only() -> None:
    for url in ("http://dmi.example.dk/dmi", "http://10.0.0.1/dmi", "ftp://127.0.0.1/dmi"):
        with pytest.raises(ValueError, match="https"):
            plain(url)
    with pytest.raises(ValueError, match="dmi_certificate"):
        plain("https://dmi.example.dk/dmi")


def test_our_certificate_lets_us_in_and_a_strangers_does_not(tmp_path: Path) -> None:
    ours, theirs = tmp_path / "ours", tmp_path / "theirs"
    ours.mkdir()
    theirs.mkdir()
    trusted, other = Authority(ours), Authority(theirs, "another")
    with demanding(trusted.issue("server"), trusted.ca, written.answer().encode()) as url:
        known = DebtAuthority(url, certificate=trusted.issue("utility"), ca=trusted.ca)
        assert known.deliver("<x/>").faults == ()
        stranger = DebtAuthority(url, certificate=other.issue("stranger"), ca=trusted.ca)
        with pytest.raises(NotAllowedError, match="certificate"):
            stranger.deliver("<x/>")
