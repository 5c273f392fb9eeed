"""Retries, errors and secrecy of the HTTP client, against a scripted server."""

import socket
import time
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path

import pytest

from integration_assets.clients.http import HttpClient, PermanentError, RetryPolicy, TransientError, mask, retry_after_s
from integration_assets_tests.clients.wire import FAST, Reply, Seen, serving

NUMBER = "0101701234"


def test_an_answer_is_returned_and_query_and_headers_are_sent() -> None:
    with serving([Reply(200, {"a": 1})]) as server:
        client = HttpClient(server.url, headers={"X-Own": "1"}, policy=FAST)
        response = client.request("GET", "/x", params=[("uuid", "1"), ("uuid", "2")])
    assert response.json() == {"a": 1}
    assert server.seen[0].query == [("uuid", "1"), ("uuid", "2")]
    assert server.seen[0].headers["x-own"] == "1"


@pytest.mark.parametrize("status", [408, 429, 502, 503, 504])
def test_a_passing_failure_is_repeated(status: int) -> None:
    with serving([Reply(status), Reply(status), Reply(200, {})]) as server:
        HttpClient(server.url, policy=FAST).request("PUT", "/x")
    assert len(server.seen) == 3


def test_retries_end_with_a_transient_error() -> None:
    busy = Reply(503, {"error": {"code": "busy", "message": "later"}}, {"REQ_ID": "r-1"})
    with serving([busy]) as server, pytest.raises(TransientError) as caught:
        HttpClient(server.url, policy=FAST).request("GET", "/x")
    assert len(server.seen) == FAST.attempts
    assert (caught.value.status, caught.value.code, caught.value.request_id) == (503, "busy", "r-1")


def test_a_500_is_repeated_at_most_twice() -> None:
    with serving([Reply(500)]) as server, pytest.raises(TransientError):
        HttpClient(server.url, policy=FAST).request("PUT", "/x")
    assert len(server.seen) == 3


def test_a_client_fault_is_permanent_and_sent_once() -> None:
    with serving([Reply(400, {"message": "no"})]) as server, pytest.raises(PermanentError, match="no"):
        HttpClient(server.url, policy=FAST).request("GET", "/x")
    assert len(server.seen) == 1


@pytest.mark.parametrize("reply", [Reply(drop=True), Reply(503), Reply(delay_s=0.5)])
def test_what_may_have_been_carried_out_is_not_repeated_unless_harmless(reply: Reply) -> None:
    with serving([reply]) as server:
        client = HttpClient(server.url, read_timeout_s=0.2, policy=FAST)
        with pytest.raises(TransientError):
            client.request("POST", "/x")
        assert len(server.seen) == 1
        with pytest.raises(TransientError):
            client.request("POST", "/x", idempotent=True)
        assert len(server.seen) == 1 + FAST.attempts


def test_a_post_that_was_turned_away_by_429_is_repeated() -> None:
    with serving([Reply(429), Reply(200)]) as server:
        HttpClient(server.url, policy=FAST).request("POST", "/x")
    assert len(server.seen) == 2


def test_a_connection_that_never_came_about_is_tried_again_even_for_a_post() -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        port = unused.getsockname()[1]
    started = time.monotonic()
    policy = RetryPolicy(attempts=3, first_pause_s=0.1)
    with pytest.raises(TransientError, match="ConnectError"):
        HttpClient(f"http://127.0.0.1:{port}", policy=policy).request("POST", "/x")
    assert time.monotonic() - started >= 0.05 + 0.1  # two pauses, each at least half its length


@pytest.mark.parametrize("form", ["seconds", "date"])
def test_retry_after_is_obeyed_in_both_forms(form: str) -> None:
    def wish() -> str:
        # An HTTP date has whole seconds: two seconds ahead is at least one second's wait.
        return "1" if form == "seconds" else format_datetime(datetime.now(UTC) + timedelta(seconds=2), usegmt=True)

    replies = iter([Reply(429, headers={"Retry-After": wish()}), Reply(200)])
    with serving(lambda _: next(replies)) as server:
        started = time.monotonic()
        HttpClient(server.url, policy=FAST).request("GET", "/x")
    assert time.monotonic() - started >= 0.95


def test_a_pause_that_is_too_long_is_handed_to_the_caller() -> None:
    with serving([Reply(429, headers={"Retry-After": "3600"})]) as server, pytest.raises(TransientError) as caught:
        HttpClient(server.url, policy=FAST).request("GET", "/x")
    assert len(server.seen) == 1
    assert caught.value.retry_after_s == 3600


def test_an_unreadable_retry_after_counts_as_none() -> None:
    assert retry_after_s("soon") is None
    assert retry_after_s("-5") == 0
    assert retry_after_s(None) is None


def test_cookies_are_not_sent_back() -> None:
    with serving([Reply(200, headers={"Set-Cookie": "ARRAffinity=abc; Path=/"})]) as server:
        client = HttpClient(server.url, policy=FAST)
        client.request("GET", "/a")
        client.request("GET", "/b")
    assert "cookie" not in server.seen[1].headers


@pytest.mark.parametrize("text", [NUMBER, "010170-1234", "010170 1234", "101701234", f"urn:dk:cpr:person:{NUMBER}"])
def test_a_personal_number_is_masked(text: str) -> None:
    masked = mask(f"value {text} refused")
    assert "1234" not in masked
    assert masked.startswith("value ")


def test_an_error_text_has_neither_query_nor_body_nor_number(caplog: pytest.LogCaptureFixture) -> None:
    def echo(seen: Seen) -> Reply:
        return Reply(400, {"message": f"refused {seen.body.decode()} and {seen.query}"})

    caplog.set_level("DEBUG")
    with serving(echo) as server:
        client = HttpClient(server.url, policy=FAST)
        with pytest.raises(PermanentError) as caught:
            client.request("PUT", "/x", params={"apiKey": "hidden-key", "q": NUMBER}, content=NUMBER.encode())
    shown = f"{caught.value!r} {caught.value} {caught.value.text} {caplog.text}"
    assert NUMBER not in shown
    assert "?" not in str(caught.value).split("answered")[0]
    assert "hidden-key" not in caplog.text


def test_a_download_goes_to_a_file_and_starts_again_when_broken_off(tmp_path: Path) -> None:
    content = b"x" * 3_000_000
    broken = Reply(200, content[:100], {"Content-Length": "3000000"})
    with serving([Reply(503), broken, Reply(200, content)]) as server:
        client = HttpClient(server.url, read_timeout_s=0.5, policy=FAST)
        target = tmp_path / "file"
        # MD5 of three million times "x", by md5sum.
        assert client.download("/f", target, params={"k": "v"}) == "8e32e22642bddc89698e25a4e9bf528b"
    assert target.read_bytes() == content


def test_a_refused_download_is_permanent(tmp_path: Path) -> None:
    with serving([Reply(401, {"error": "no key"})]) as server, pytest.raises(PermanentError) as caught:
        HttpClient(server.url, policy=FAST).download("/f", tmp_path / "file", params={"apiKey": "hidden-key"})
    assert caught.value.status == 401
    assert "hidden-key" not in str(caught.value)
