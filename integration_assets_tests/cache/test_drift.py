"""Drift kept in the cache: opened, renewed, closed, ordered to be repaired, and left after so many repairs."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, date, datetime, timedelta
from typing import Any

import polars as pl
import pytest
import sqlalchemy as sa

from integration_assets.cache.deliveries import Outcome
from integration_assets.cache.drift import Look, Noted
from integration_assets.cache.store import Cache

NOW = datetime(2026, 3, 1, 6, tzinfo=UTC)
DAY = date(2026, 3, 1)
KINDS, REVIVED = ("changed", "deleted", "missing"), ("deleted", "missing")


@pytest.fixture
def store(cache: sa.Engine) -> Cache:
    """Three delivered objects of the registry: a, b, c."""
    store = Cache(cache, "a secret of these tests")
    desire(store, "a", "b", "c")
    assert [row.object_id for row in deliver(store)] == ["a", "b", "c"]
    return store


def wanted(*names: str, value: int = 1) -> pl.DataFrame:
    frame = pl.DataFrame({"object_id": names, "business_key": [name.upper() for name in names], "supply_area": "5000"})
    return frame.with_columns(value=pl.lit(value))


def desire(store: Cache, *names: str, value: int = 1) -> None:
    store.deliveries.desire("lora", "agreements", wanted(*names, value=value))


def deliver(store: Cache, *, failing: Sequence[str] = (), now: datetime = NOW) -> list[Any]:
    with store.deliveries.claim("lora", "agreements", 10, now) as claim:
        claim.record([Outcome(row.object_id, row.object_id not in failing) for row in claim.rows])
        return claim.rows


def note(store: Cache, day: int, *, by_turn: bool = True, **kinds: str | None) -> Noted:
    """A look at objects by name."""
    known = {each.object_id: each for each in store.drifts.delivered("lora", "agreements", list(kinds))}
    looks = [
        Look(name, each.business_key, each.fingerprint, kinds[name], [("value", "1", None)] if kinds[name] else ())
        for name, each in known.items()
    ]
    return store.drifts.note("lora", "agreements", looks, DAY + timedelta(days=day), by_turn=by_turn)


def order(store: Cache, day: int, limit: int | None = 3) -> int:
    on = DAY + timedelta(days=day)
    return store.drifts.order_repairs("lora", "agreements", on, kinds=KINDS, revived=REVIVED, limit=limit)


def open_kinds(store: Cache) -> dict[str, str]:
    return dict(store.drifts.open("lora").select("object_id", "kind").iter_rows())


def test_drift_is_opened_renewed_and_closed(store: Cache) -> None:
    assert note(store, 0, a="changed", b=None, c="deleted") == Noted(2, 0)
    assert note(store, 2, a="changed", c=None) == Noted(1, 1)
    (row,) = store.drifts.open("lora").to_dicts()
    assert (row["object_id"], row["business_key"], row["kind"], row["is_due"]) == ("a", "A", "changed", False)
    assert (row["first_on"], row["last_on"]) == (DAY, DAY + timedelta(days=2))
    assert row["differences"] == [["value", "1", None]]
    note(store, 3, c="missing")
    (back,) = store.drifts.open("lora").filter(pl.col("object_id") == "c").to_dicts()
    assert (back["kind"], back["first_on"]) == ("missing", DAY + timedelta(days=3))
    assert store.drifts.open("crm").is_empty()
    assert store.drifts.open("lora", ["customers"]).is_empty()


def test_a_repair_goes_through_the_outbox_as_it_was_delivered(store: Cache) -> None:
    note(store, 0, a="changed", c="deleted")
    assert order(store, 0) == 2
    assert order(store, 0) == 0, "they wait for it already"
    planned = store.deliveries.difference("lora", "agreements", wanted("a", "b", "c"))
    assert planned.select("object_id", "change").rows() == [("a", "update"), ("c", "update")], "a plan says so"
    assert store.drifts.open("lora")["is_due"].all()
    rows = deliver(store)
    assert [(row.object_id, row.desired == row.delivered, row.revive) for row in rows] == [
        ("a", True, False),
        ("c", True, True),
    ]
    assert deliver(store) == []
    assert set(store.deliveries.unread("lora", "agreements", None)) >= {"a", "c"}, "the repair is looked at"
    assert note(store, 0, a=None, c=None, by_turn=False) == Noted(0, 2)


def test_a_repair_that_fails_is_tried_again_later_and_still_revives(store: Cache) -> None:
    note(store, 0, c="deleted")
    order(store, 0)
    deliver(store, failing=["c"])
    assert deliver(store) == []
    assert order(store, 1) == 0
    (row,) = deliver(store, now=NOW + timedelta(hours=1))
    assert (row.attempts, row.revive) == (1, True)


def test_an_object_that_waits_anyhow_is_only_put_in_another_way(store: Cache) -> None:
    desire(store, "c", value=2)
    deliver(store, failing=["c"])
    note(store, 0, c="deleted")
    assert order(store, 0) == 1
    assert deliver(store) == [], "its pause goes on"
    (row,) = deliver(store, now=NOW + timedelta(hours=1))
    assert (row.attempts, row.revive, row.desired["value"], row.delivered["value"]) == (1, True, 2, 1)


def repaired_and_drifting_again(store: Cache, day: int) -> int:
    """What is ordered on a day on which `a` drifts, is repaired and found to be as it should."""
    note(store, day, a="changed")
    ordered = order(store, day)
    deliver(store)
    note(store, day, a=None, by_turn=False)
    return ordered


def test_a_war_with_another_writer_ends_after_so_many_repairs(store: Cache) -> None:
    assert [repaired_and_drifting_again(store, day) for day in range(3)] == [1, 1, 1]
    note(store, 3, a="changed")
    assert order(store, 3) == 0
    assert store.drifts.repairs("lora", "agreements") == {"a": 3}
    assert order(store, 3, limit=None) == 1, "unless somebody insists"


def test_peace_between_two_looks_begins_the_count_again(store: Cache) -> None:
    assert [repaired_and_drifting_again(store, day) for day in range(2)] == [1, 1]
    note(store, 1, a=None)  # on the day of the repair: that is no peace yet
    note(store, 1, a="changed")
    assert store.drifts.repairs("lora", "agreements") == {"a": 2}
    note(store, 2, a=None)
    note(store, 3, a="changed")
    assert store.drifts.repairs("lora", "agreements") == {"a": 0}


def test_what_is_being_sent_or_was_since_is_left_to_the_next_look(store: Cache) -> None:
    known = {each.object_id: each for each in store.drifts.delivered("lora", "agreements", ["a", "b"])}
    looks = [Look(name, name.upper(), each.fingerprint, "changed") for name, each in known.items()]
    desire(store, "a", value=2)
    deliver(store)
    desire(store, "b", value=2)
    with store.deliveries.claim("lora", "agreements", 10, NOW), ThreadPoolExecutor(1) as other:
        noting = other.submit(store.drifts.note, "lora", "agreements", looks, DAY, by_turn=True)
        assert noting.result(timeout=20) == Noted(0, 0, ("a", "b"))


def test_what_was_blanked_is_neither_compared_nor_delivered_again(store: Cache, cache: sa.Engine) -> None:
    note(store, 0, a="changed")
    with cache.begin() as connection:
        connection.execute(sa.text("UPDATE delivery SET desired = '{}', delivered = NULL WHERE object_id = 'a'"))
    assert order(store, 0) == 0
    assert store.drifts.delivered("lora", "agreements", ["a"]) == []
    assert store.drifts.last_looks("lora", "agreements")["object_id"].sort().to_list() == ["b", "c"]
