"""Batches under way: sent while the one before is recorded, and given back, all of them, when a delivery breaks off."""

import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime

import polars as pl
import pytest
import sqlalchemy as sa

from integration_assets.cache.claims import Delivery, Outcome
from integration_assets.cache.store import Cache
from integration_assets.flows import delivery
from integration_assets.flows.delivery import deliver

BATCH = 3


@pytest.fixture
def store(cache: sa.Engine, monkeypatch: pytest.MonkeyPatch) -> Cache:
    """Seven objects that are due, claimed by threes."""
    monkeypatch.setattr(delivery, "CLAIM_ROWS", BATCH)
    store = Cache(cache, "a secret of these tests")
    names = [f"n{number}" for number in range(7)]
    frame = pl.DataFrame({"object_id": names, "business_key": names, "supply_area": "5000", "value": 1})
    store.deliveries.desire("lora", "agreements", frame)
    return store


def done(rows: Sequence[Delivery]) -> list[Outcome]:
    return [Outcome(row.object_id, True) for row in rows]


def names(rows: Sequence[Delivery]) -> list[str]:
    return [row.object_id for row in rows]


def test_the_next_batch_is_sent_while_the_slowest_of_the_last_is_waited_for(store: Cache) -> None:
    next_came = threading.Event()
    sent: list[list[str]] = []

    def send(rows: Sequence[Delivery]) -> list[Outcome]:
        sent.append(names(rows))
        if rows[0].object_id == "n0":
            assert next_came.wait(20), "the second batch did not come before the first was done"
        next_came.set()
        return done(rows)

    with ThreadPoolExecutor(2) as workers:
        report = deliver(store.deliveries, "lora", "agreements", send, workers=workers)
    assert report.created == 7
    assert sent == [["n0", "n1", "n2"], ["n3", "n4", "n5"], ["n6"]]
    assert store.deliveries.counts("lora", "agreements") == {"delivered": 7}


def test_without_workers_batches_are_sent_one_after_the_other(store: Cache) -> None:
    waiting: list[dict[str, int]] = []

    def send(rows: Sequence[Delivery]) -> list[Outcome]:
        waiting.append(store.deliveries.counts("lora", "agreements"))
        return done(rows)

    assert deliver(store.deliveries, "lora", "agreements", send).created == 7
    assert waiting == [{"waiting": 7}, {"delivered": 3, "waiting": 4}, {"delivered": 6, "waiting": 1}]


def test_what_breaks_off_gives_back_all_batches_and_sends_nothing_more(store: Cache) -> None:
    both_under_way = threading.Barrier(2)
    begun: list[str] = []
    go_on = threading.Event()

    def send_one(row: Delivery) -> Outcome:
        begun.append(row.object_id)
        assert go_on.wait(20)
        return Outcome(row.object_id, True)

    def send(rows: Sequence[Delivery]) -> list[Outcome]:
        both_under_way.wait(20)
        if rows[0].object_id == "n0":
            go_on.set()
            raise RuntimeError("not let in")
        return list(workers.map(send_one, rows))

    workers = ThreadPoolExecutor(1)
    with pytest.raises(RuntimeError, match="not let in"):
        deliver(store.deliveries, "lora", "agreements", send, workers=workers)
    assert len(begun) <= BATCH
    assert store.deliveries.counts("lora", "agreements") == {"waiting": 7}
    assert claimed(store) == [f"n{number}" for number in range(7)], "nothing is locked any more"


def test_a_failed_object_is_not_claimed_again_by_the_batch_behind(store: Cache) -> None:
    sent: list[str] = []

    def send(rows: Sequence[Delivery]) -> list[Outcome]:
        sent.extend(names(rows))
        return [Outcome(row.object_id, row.object_id != "n1", error_code="503") for row in rows]

    with ThreadPoolExecutor(2) as workers:
        report = deliver(store.deliveries, "lora", "agreements", send, workers=workers)
    assert (report.created, report.failed) == (6, 1)
    assert sorted(sent) == [f"n{number}" for number in range(7)]


def claimed(store: Cache) -> list[str]:
    with store.deliveries.claim("lora", "agreements", 10, datetime.now(UTC)) as claim:
        return names(claim.rows)
