"""The end point over real HTTP: answered after the commit, harmless when repeated, honest when nothing was stored."""

import socket
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import UTC, datetime

import httpx
import pytest
import sqlalchemy as sa
import uvicorn

from integration_assets.cache.recall_statuses import RecallStatuses
from integration_assets.endpoints.claim_statuses import LARGEST_BYTES, PATH, application
from integration_assets_tests.clients.recall_messages import enveloped, info, receipt, status, update
from integration_assets_tests.flows.collection import TODAY, Utility, claim_rows

HTTP = httpx.Client(timeout=30)
"""One for all: a client costs more than many requests."""


@contextmanager
def listening(statuses: RecallStatuses) -> Iterator[str]:
    """Runs the end point on a loopback port."""
    listener = socket.create_server(("127.0.0.1", 0))
    app = application(statuses, lambda: datetime(2025, 11, 4, 1, 10, tzinfo=UTC))
    server = uvicorn.Server(uvicorn.Config(app, lifespan="on", log_config=None, access_log=False))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True)
    thread.start()
    while not server.started:
        time.sleep(0.01)
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}{PATH}"
    finally:
        server.should_exit = True
        thread.join(timeout=10)


@pytest.fixture
def utility(cache: sa.Engine) -> Utility:
    return Utility(cache, "http://127.0.0.1:9")


def post(url: str, message: str) -> httpx.Response:
    headers = {"content-type": "text/xml; charset=utf-8", "soapaction": '"MFAktionStatusOpdater"'}
    return HTTP.post(url, content=enveloped(message).encode(), headers=headers)


def done(action: int, claim: int) -> str:
    return update(info(status(action, claim, "UDFOERT", receipts=receipt(claim, claim, "10.00", "2025-06-02"))))


def sent(utility: Utility, count: int) -> list[int]:
    claims = [(number, number, "INDR", "FOFAKFY", "10.00") for number in range(1, count + 1)]
    utility.hand_over(claim_rows(*claims))
    ids = utility.approved(*((claim[0], "FEJL") for claim in claims))
    utility.outbox.pack(utility.means.terms, TODAY, utility.now)
    return ids


def test_answered_after_the_commit_and_harmless_when_repeated(utility: Utility) -> None:
    (action,) = sent(utility, 1)
    with listening(utility.statuses) as url:
        answers = [post(url, done(action, 1)) for _ in range(3)]
        assert utility.states() == {action: "UDFOERT"}
    assert [answer.status_code for answer in answers] == [200, 200, 200]
    assert answers[0].headers["content-type"].startswith("text/xml")
    assert "<k:TransaktionsID>dmi-0001</k:TransaktionsID>" in answers[0].text
    assert len(utility.rows("SELECT * FROM recall_receipt")) == 1


def test_many_at_once(utility: Utility) -> None:
    ids = sent(utility, 60)
    with listening(utility.statuses) as url, ThreadPoolExecutor(12) as pool:
        answers = list(
            pool.map(lambda pair: post(url, done(*pair)), [(action, claim) for claim, action in enumerate(ids, 1)] * 2)
        )
    assert {answer.status_code for answer in answers} == {200}
    assert set(utility.states().values()) == {"UDFOERT"}
    assert len(utility.rows("SELECT * FROM claim WHERE recalled_for = 'FEJL'")) == 60
    assert utility.issues() == []


def test_what_cannot_be_read_is_kept_and_blames_the_caller(utility: Utility) -> None:
    with listening(utility.statuses) as url:
        answer = post(url, "<andet/>")
        assert HTTP.post(url, content=b"no xml").status_code == 500
        assert HTTP.get(url).status_code == 405
    assert answer.status_code == 500
    assert "<faultcode>soap:Client</faultcode>" in answer.text
    assert utility.issues() == ["unreadable", "unreadable"]


def test_a_message_that_no_number_can_hold_does_not_stop_the_intake(utility: Utility) -> None:
    (action,) = sent(utility, 1)
    with listening(utility.statuses) as url:
        strange = post(url, done(action, 1).replace("10.00", "1E+999999999"))
        assert (strange.status_code, "soap:Client" in strange.text) == (500, True)
        assert post(url, done(action, 1)).status_code == 200
        assert utility.states() == {action: "UDFOERT"}


def test_a_message_of_endless_length_is_refused(utility: Utility) -> None:
    with listening(utility.statuses) as url:
        assert HTTP.post(url, content=b"x" * (LARGEST_BYTES + 1)).status_code == 413


def test_what_was_not_stored_is_not_acknowledged_and_is_taken_when_it_comes_again(utility: Utility) -> None:
    (action,) = sent(utility, 1)
    with listening(utility.statuses) as url:
        with utility.engine.begin() as connection:
            connection.execute(sa.text("ALTER TABLE claim_message RENAME TO claim_message_away"))
        refused = post(url, done(action, 1))
        assert (refused.status_code, utility.states()) == (500, {action: "SENT"})
        assert "<faultcode>soap:Server</faultcode>" in refused.text
        with utility.engine.begin() as connection:
            connection.execute(sa.text("ALTER TABLE claim_message_away RENAME TO claim_message"))
        assert post(url, done(action, 1)).status_code == 200
        assert utility.states() == {action: "UDFOERT"}
