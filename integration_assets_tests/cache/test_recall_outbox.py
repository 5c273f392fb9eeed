"""Exactly once: processes that are killed between commit and send, workers side by side, claims with one recall."""

import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
import sqlalchemy as sa
from lxml import etree

from integration_assets.cache.recalls import Decision, Recalls, Wish
from integration_assets.domain.claims.rules import Asked
from integration_assets_tests.clients import recall_messages as written
from integration_assets_tests.clients.wire import Reply, Seen, serving
from integration_assets_tests.flows.collection import CREDITOR, TODAY, Utility, claim_rows

XML = {"Content-Type": "text/xml; charset=utf-8"}
NS = {"d": "http://skat.dk/begrebsmodel/2009/01/15/"}

_WORKER = """
import sys
from pathlib import Path
from integration_assets.cache.engine import cache_engine
from integration_assets_tests.flows.collection import Utility

utility = Utility(cache_engine(sys.argv[1], Path()), sys.argv[2], most_actions=int(sys.argv[3]), timeout_s=60.0)
print("ready", flush=True)
sys.stdin.readline()
print(utility.send(), flush=True)
"""


def actions_of(body: bytes) -> list[int]:
    found = etree.fromstring(body).xpath("//d:MFAktionID/text()", namespaces=NS)
    return [int(number) for number in found]


def transaction_of(body: bytes) -> str:
    return body.decode().split("TransaktionsID>")[1].split("<")[0]


class Books:
    """An authority that knows nothing but transaction ids and action ids; it may hold its answers back."""

    def __init__(self) -> None:
        self.bodies: list[bytes] = []
        self.taken: dict[str, list[int]] = {}
        self.arrived = threading.Event()
        self.go_on = threading.Event()
        self.go_on.set()
        self._lock = threading.Lock()

    def answer(self, seen: Seen) -> Reply:
        transaction = transaction_of(seen.body)
        with self._lock:
            self.bodies.append(seen.body)
            known = transaction in self.taken
            self.taken.setdefault(transaction, actions_of(seen.body))
        self.arrived.set()
        self.go_on.wait(30)
        return Reply(200, written.answer(errors=(990,) if known else (), transaction=transaction).encode(), XML)


@pytest.fixture
def books() -> Books:
    return Books()


@pytest.fixture
def url(books: Books) -> Iterator[str]:
    with serving(books.answer) as server:
        yield server.url
        books.go_on.set()


def start(cache_url: str, url: str, most: int = 500) -> "subprocess.Popen[str]":
    command = [sys.executable, "-c", _WORKER, cache_url, url, str(most)]
    worker = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert worker.stdout is not None
    assert worker.stdout.readline() == "ready\n"
    return worker


def begin(worker: "subprocess.Popen[str]") -> None:
    assert worker.stdin is not None
    worker.stdin.write("\n")
    worker.stdin.flush()


def kill(worker: "subprocess.Popen[str]") -> None:
    worker.send_signal(signal.SIGKILL)
    worker.communicate()


def many(utility: Utility, count: int) -> list[int]:
    utility.hand_over(claim_rows(*((number, number, "INDR", "FOFAKFY", "10.00") for number in range(1, count + 1))))
    return utility.approved(*((number, "FEJL") for number in range(1, count + 1)))


def test_a_process_killed_while_it_sends_is_followed_by_the_same_bytes(
    cache: sa.Engine, cache_url: str, books: Books, url: str
) -> None:
    utility = Utility(cache, url)
    ids = many(utility, 3)
    books.go_on.clear()
    worker = start(cache_url, url)
    begin(worker)
    assert books.arrived.wait(30)
    assert set(utility.states().values()) == {"SENT"}  # committed before it was sent
    kill(worker)
    books.go_on.set()
    counts: dict[str, int] = {}
    while "sent" not in counts or not counts["sent"]:  # until the database has noticed the death
        counts = utility.send()
    assert counts["already_delivered"] == 1
    assert books.bodies[0] == books.bodies[1]
    assert len(books.bodies) == 2
    assert sorted(number for taken in books.taken.values() for number in taken) == sorted(ids)
    assert set(utility.states().values()) == {"MODTAGET"}


def test_what_was_packed_and_never_sent_is_sent_by_whoever_comes_next(cache: sa.Engine, books: Books, url: str) -> None:
    killed = Utility(cache, url)
    (action,) = many(killed, 1)
    killed.outbox.pack(killed.means.terms, TODAY, killed.now)  # and here it died
    assert killed.states() == {action: "SENT"}
    next_one = Utility(cache, url)
    assert next_one.send() == {"packed": 0, "renewed": 0, "sent": 1, "ok": 1}
    stored = killed.rows("SELECT transaction_id, content FROM recall_transaction")
    assert stored == [(transaction_of(books.bodies[0]), books.bodies[0].decode())]


def test_workers_side_by_side_send_each_recall_once(cache: sa.Engine, cache_url: str, books: Books, url: str) -> None:
    ids = many(Utility(cache, url), 60)
    workers = [start(cache_url, url, 7) for _ in range(2)]
    for worker in workers:
        begin(worker)
    for worker in workers:
        worker.communicate(timeout=60)
        assert worker.returncode == 0
    assert sorted(number for body in books.bodies for number in actions_of(body)) == sorted(ids)
    assert len(books.bodies) == len(books.taken)


def test_a_delivery_that_somebody_sends_is_left_to_them(cache: sa.Engine, books: Books, url: str) -> None:
    first, second = Utility(cache, url), Utility(cache, url)
    many(first, 1)
    books.go_on.clear()
    with ThreadPoolExecutor(1) as pool:
        sending = pool.submit(first.send)
        assert books.arrived.wait(30)
        assert second.send()["sent"] == 0
        books.go_on.set()
        assert sending.result()["ok"] == 1


def test_an_answer_of_ours_with_other_content_is_a_conflict(cache: sa.Engine, books: Books, url: str) -> None:
    utility = Utility(cache, url)
    (action,) = many(utility, 1)
    utility.outbox.pack(utility.means.terms, TODAY, utility.now)
    with cache.begin() as connection:
        (transaction,) = connection.scalars(sa.text("SELECT transaction_id FROM recall_transaction"))
        connection.execute(sa.text("UPDATE recall_transaction SET payload_hash = 'of something else'"))
    books.taken[transaction] = []
    utility.send()
    assert utility.states() == {action: "MANUAL"}
    assert "another content" in str(utility.rows("SELECT note FROM recall_action"))


def test_a_claim_never_has_two_open_recalls_whoever_asks(cache: sa.Engine) -> None:
    Utility(cache, "http://127.0.0.1:9").hand_over()
    ready = threading.Barrier(8)

    def ask(number: int) -> int | None:
        recalls = Recalls(cache)
        claim, reason = ((100001, "FEJL"), (100002, "HENS"), (100001, "KLAG"), (100002, "FEJL"))[number % 4]
        ready.wait()
        now = Utility(cache, "http://127.0.0.1:9").now
        (done,) = recalls.propose([Wish(Asked(claim, reason), "race")], CREDITOR, TODAY, str(number), now)
        return None if done.refusal is None else done.refusal.number

    with ThreadPoolExecutor(8) as pool:
        refusals = list(pool.map(ask, range(8)))
    # A main claim and its sub-claim exclude each other, two equal recalls too.
    assert refusals.count(None) == 1
    assert set(refusals) == {None, 418}


def test_who_decided_what_is_kept_and_one_person_is_not_two(cache: sa.Engine) -> None:
    utility = Utility(cache, "http://127.0.0.1:9", two_approvers=True)
    utility.hand_over()
    wrong, deferred = (utility.propose(100001, "FEJL").action_id, utility.propose(100005, "HENS").action_id)
    assert wrong
    assert deferred
    decide = utility.recalls.decide
    first = decide(Decision.APPROVE, [wrong, deferred], "anna", utility.now)
    assert {one.action_id: one.state for one in first} == {wrong: "PROPOSED", deferred: "APPROVED"}
    for spelling in ("anna", "Anna", " ANNA ", "an\u200bna", "\uff41nna"):
        (again,) = decide(Decision.APPROVE, [wrong], spelling, utility.now)
        assert (spelling, again.state) == (spelling, None)
        assert "another person" in again.sentence
    (second,) = decide(Decision.APPROVE, [wrong], "bent", utility.now, "about 1705701234")
    assert second.state == "APPROVED"
    assert utility.rows("SELECT note FROM recall_decision WHERE note IS NOT NULL") == [("about 170570-xxxx",)]
    kept = utility.rows("SELECT decided_by FROM recall_decision ORDER BY decision_id")
    assert [row[0] for row in kept] == ["anna", "anna", "bent"]


def test_a_release_takes_its_whole_delivery_along(cache: sa.Engine) -> None:
    replies = [Reply(200, written.answer(errors=(921,)).encode(), XML), Reply(200, written.answer().encode(), XML)]
    with serving(replies) as server:
        utility = Utility(cache, server.url)
        ids = many(utility, 3)
        utility.send()
        assert set(utility.states().values()) == {"HOLD"}
        (gone,) = utility.recalls.decide(Decision.REJECT, [ids[0]], "anna", utility.now)
        assert gone.state == "WITHDRAWN"
        released = utility.recalls.decide(Decision.RELEASE, [ids[1]], "anna", utility.now)
        assert {one.action_id for one in released} == set(ids[1:])
        assert utility.send()["ok"] == 1
    first, second = (actions_of(seen.body) for seen in server.seen)
    assert sorted(first) == sorted(ids)
    assert sorted(second) == sorted(ids[1:])
    assert utility.states()[ids[0]] == "WITHDRAWN"
    assert transaction_of(server.seen[0].body) != transaction_of(server.seen[1].body)
