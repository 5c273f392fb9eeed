"""Agreements that change day by day, and facts that follow them: at the end they are what a plain loop says."""

import random
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import date

import polars as pl
import pytest
import sqlalchemy as sa

from integration_assets.cache import fact_retention
from integration_assets.cache.facts import Asked
from integration_assets.cache.store import Cache
from integration_assets.domain.facts.calls import MoveOut
from integration_assets.domain.facts.reading import BadExchange
from integration_assets.domain.facts.tariffs import book_of
from integration_assets.domain.identity import ObjectIds
from integration_assets.flows.agreement_events import derive_events
from integration_assets.flows.installation_facts import carry_out_events
from integration_assets.flows.retention import apply_retention
from integration_assets.settings import Settings
from integration_assets_tests.flows.billing_town import (
    AREA,
    BIG,
    BOOK,
    DAY,
    FIRST,
    BillingTown,
    agreement,
    differences,
    village,
)

EVENTS = {
    "out", "in", "succeeded", "too_early", "other_end", "no_end", "earlier", "later", "annul", "not_annulled", "meter",
    "meter_was_wrong", "vanish",
}  # fmt: skip
KINDS = {
    "new_contract", "move_out", "change_move_out_date", "cancel_contract_end", "change_move_in_date",
    "cancel_contract_start", "product_change", "product_change_cancel", "contract_change",
}  # fmt: skip


def lived(town: BillingTown, store: Cache, ids: ObjectIds, days: int) -> int:
    """Plays the days, a night's run after each; how many calls were refused for a night."""
    refused = town.night(store, ids, FIRST)
    for day in range(1, days + 1):
        town.play(FIRST + day * DAY)
        refused += town.night(store, ids, FIRST + day * DAY)
    town.end_overlaps()
    return refused + town.night(store, ids, FIRST + (days + 1) * DAY)


@pytest.mark.parametrize("seed", range(2))
def test_the_facts_of_a_town_are_the_truth(store: Cache, ids: ObjectIds, seed: int) -> None:
    town = BillingTown(12, random.Random(f"billing town {seed}"))
    lived(town, store, ids, 50)
    assert differences(town, store, FIRST + 120 * DAY) == []
    assert store.agreement_events.open([AREA]) == []


@pytest.mark.slow
def test_after_400_days_the_facts_of_a_town_are_the_truth(store: Cache, ids: ObjectIds) -> None:
    town = BillingTown(60, random.Random("a long life"))
    refused = lived(town, store, ids, 400)
    assert town.happened == EVENTS
    assert set(store.agreement_events.read()["kind"]) == KINDS
    assert refused, "a successor who was typed too early waited for the move-out"
    assert store.agreement_events.open([AREA]) == []
    assert differences(town, store, FIRST + 460 * DAY) == []


def test_a_fact_that_is_not_the_truth_is_found(store: Cache, ids: ObjectIds) -> None:
    """The comparison can fail."""
    town = BillingTown(2, random.Random("a small one"))
    town.night(store, ids, FIRST)
    assert differences(town, store, FIRST) == []
    name = next(iter(town.meters))
    town.meters[name].append(["qp 2,5" if town.meters[name][0][0] == "qp 0,6" else "qp 0,6", FIRST, None])
    town.meters[name][0][2] = FIRST
    for one in town.agreements:
        one.meters = town.meters
    assert len(differences(town, store, FIRST)) == 1


def events_of(store: Cache) -> list[tuple[object, ...]]:
    names = ("customer_number", "kind", "day", "moved_in_before", "moved_out_before", "moved_in", "moved_out")
    return store.agreement_events.read().select(*names).rows()


def test_what_happens_to_an_agreement_is_kept_as_events(store: Cache, ids: ObjectIds) -> None:
    start, later, end = date(2025, 3, 1), date(2025, 3, 15), date(2025, 9, 1)
    one = agreement("200001", start)
    town = village(one)
    town.night(store, ids, date(2025, 3, 2))
    one.moved_out = end
    town.night(store, ids, date(2025, 3, 3))
    town.night(store, ids, date(2025, 3, 4))  # nothing new
    one.moved_out = date(2025, 8, 1)
    town.night(store, ids, date(2025, 3, 5))
    one.moved_in = date(2025, 3, 15)
    town.night(store, ids, date(2025, 3, 6))
    one.moved_out = None
    town.night(store, ids, date(2025, 3, 7))
    one.vanished = True
    town.night(store, ids, date(2025, 3, 8))  # no event
    one.vanished, one.annulled = False, True
    town.night(store, ids, date(2025, 3, 9))
    one.annulled = False
    town.night(store, ids, date(2025, 3, 10))
    price, next_price, earlier_end = date(2025, 7, 1), date(2026, 1, 1), date(2025, 8, 1)
    assert events_of(store) == [
        ("200001", "new_contract", start, None, None, start, None),
        ("200001", "product_change", price, None, None, start, None),
        ("200001", "product_change", next_price, None, None, start, None),
        ("200001", "product_change_cancel", next_price, start, None, start, end),
        ("200001", "move_out", end, start, None, start, end),
        ("200001", "change_move_out_date", earlier_end, start, end, start, earlier_end),
        ("200001", "change_move_in_date", start, start, earlier_end, later, earlier_end),
        ("200001", "cancel_contract_end", earlier_end, later, earlier_end, later, None),
        ("200001", "product_change", next_price, later, earlier_end, later, None),
        ("200001", "cancel_contract_start", later, later, None, later, later),
        ("200001", "new_contract", later, None, None, later, None),
        ("200001", "product_change", price, None, None, later, None),
        ("200001", "product_change", next_price, None, None, later, None),
    ]  # fmt: skip
    told = store.agreement_events.read()
    assert set(told["outcome"]) == {"carried_out"}
    assert told["contract"].unique().sort().to_list() == ["200001", "200001-2"]
    assert told["seen_on"].to_list()[4] == date(2025, 3, 3)
    assert told["agreement_id"].unique().to_list() == [str(ids.of("agreement", "200001"))]


def test_a_refused_change_waits_and_is_superseded_by_the_next(store: Cache, ids: ObjectIds) -> None:
    first, second = agreement("200001", date(2025, 1, 1)), agreement("200002", date(2025, 6, 1))
    town = village(first, second)
    refused = town.night(store, ids, date(2025, 6, 2))
    assert refused == 3, "the move-in and the prices that follow it: all of them or none"
    told = store.agreement_events.read().filter(pl.col("customer_number") == "200002")
    assert set(told["outcome"]) == {"refused"}
    assert "contract 200001 holds there" in told["why"][0]
    assert {row["contract"] for row in store.facts.slices("01") or []} == {"200001"}
    second.moved_in = date(2025, 5, 1)
    assert town.night(store, ids, date(2025, 6, 3)) == 3
    first.moved_out = date(2025, 5, 1)
    assert town.night(store, ids, date(2025, 6, 4)) == 0
    told = store.agreement_events.read().filter(pl.col("customer_number") == "200002")
    assert told["outcome"].to_list() == ["superseded"] * 3 + ["carried_out"] * 3
    assert differences(town, store, date(2026, 12, 31)) == []


def test_an_installation_without_product_is_told(store: Cache, ids: ObjectIds) -> None:
    town = village(agreement("200001", date(2025, 1, 1)))
    book = book_of({**BOOK, "products": [{"product": "STOR", "meter_type": BIG}]})
    derived = derive_events(store, ids, town.resolved(), town.meter_rows(), book, [AREA], FIRST)
    assert (derived.changed, derived.rejections["record_key"].to_list()) == (0, ["01/200001"])
    assert "no row of the tariff table products fits" in derived.rejections["text"][0]


def test_another_book_generates_anew_what_it_changes(store: Cache, ids: ObjectIds) -> None:
    """A price put right from the beginning, and a constant of the template."""
    town = village(agreement("200001", date(2025, 9, 1)))
    town.night(store, ids, FIRST)
    rows = [{**row, "value": "0.62"} if row["value"] == "0.55" else row for row in BOOK["prices"]]
    templates = [{**row, "ref": "T101"} if row["ref"] == "T100" else row for row in BOOK["templates"]]
    book = book_of({**BOOK, "prices": rows, "templates": templates})
    derive_events(store, ids, town.resolved(), town.meter_rows(), book, [AREA], FIRST + DAY)
    carry_out_events(store, book.engine_rules(), [AREA], FIRST + DAY)
    told = {(row["operand"], row["ab"], row["bis"]): row["value"] for row in store.facts.slices("01") or []}
    assert told == {
        ("ENERGIPRIS", "2025-09-01", "2025-12-31"): 0.62,
        ("ENERGIPRIS", "2026-01-01", "9999-12-31"): 0.6,
        ("TARIFTYPE", "2025-09-01", "2025-12-31"): "T101",
        ("TARIFTYPE", "2026-01-01", "9999-12-31"): "T101",
        ("ACONTO", "2025-09-01", "9999-12-31"): 1200,
    }


def test_runs_at_the_same_time_lose_and_repeat_nothing(store: Cache, ids: ObjectIds) -> None:
    """Four runs of one area, night after night."""
    town = BillingTown(8, random.Random("several runs"))
    for day in range(6):
        if day:
            town.play(FIRST + day * DAY)
        with ThreadPoolExecutor(4) as pool:
            list(pool.map(lambda _: town.night(store, ids, FIRST + day * DAY), range(4)))  # noqa: B023
    town.end_overlaps()
    town.night(store, ids, FIRST + 6 * DAY)
    assert differences(town, store, FIRST + 60 * DAY) == []
    told = store.agreement_events.read()
    assert told.filter(pl.col("outcome") == "carried_out").select("installation", "process_id").is_unique().all()


def test_events_are_not_superseded_while_they_are_carried_out(store: Cache, ids: ObjectIds) -> None:
    """A run that makes events waits for one that carries them out: here that one is held up by a locked row."""
    one = agreement("200001", date(2025, 1, 1))
    town = village(one)
    town.look(store, ids, date(2025, 1, 2))
    installation = store.agreement_events.open([AREA])[0].installation
    with ThreadPoolExecutor(2) as pool:
        with store.engine.begin() as connection:
            row = sa.text("INSERT INTO installation_fact (installation) VALUES (:name)")
            connection.execute(row, {"name": installation})
            rules = book_of(BOOK).engine_rules()
            carrying = pool.submit(carry_out_events, store, rules, [AREA], date(2025, 1, 2))
            time.sleep(0.5)
            one.moved_in = date(2025, 1, 15)
            looking = pool.submit(town.look, store, ids, date(2025, 1, 3))
            time.sleep(0.5)
        assert carrying.result(30).refused == 0
        looking.result(30)
    town.night(store, ids, date(2025, 1, 4))
    assert store.agreement_events.open([AREA]) == []
    assert "superseded" not in set(store.agreement_events.read()["outcome"])
    assert differences(town, store, date(2025, 3, 1)) == []


def test_one_installation_that_cannot_be_read_or_stored_stops_no_other(store: Cache, ids: ObjectIds) -> None:
    town = BillingTown(6, random.Random("a broken one"))
    town.night(store, ids, FIRST)
    broken, odd = sorted(town.meters)[:2]
    with store.engine.begin() as connection:
        query = "UPDATE installation_fact SET slices = '{\"by\": 3}' WHERE installation = :name"
        connection.execute(sa.text(query), {"name": broken})
    for one in town.agreements:
        one.moved_out = FIRST + 30 * DAY
    unfit = MoveOut(town.agreements[town.place_of[odd]].number, FIRST, {"energi": "a\0b"})
    spoilt = Asked("spoilt", unfit)
    done = store.facts.carry_out({odd: [spoilt]}, book_of(BOOK).engine_rules())
    assert "its facts cannot be stored" in done.refusals[0].sentence
    refused = town.night(store, ids, FIRST + DAY)
    told = store.agreement_events.read().filter(pl.col("outcome") == "refused")
    assert (refused, told["installation"].unique().to_list()) == (told.height, [broken])
    assert f"Installation {broken}: its stored facts cannot be read" in told["why"][0]
    with pytest.raises(BadExchange, match=f"installation {broken}"):
        store.facts.slices(broken)
    del town.meters[broken], town.place_of[broken]
    assert differences(town, store, FIRST + 60 * DAY) == []


def test_facts_of_agreements_that_ended_long_ago_go(store: Cache, ids: ObjectIds) -> None:
    """With the events and the processes that name the customer; those of the successor stay."""
    old, new = agreement("200001", date(2015, 1, 1), date(2019, 6, 1)), agreement("200002", date(2019, 6, 1))
    town = village(old, new)
    town.meters["01"][0][1] = date(2014, 1, 1)
    town.night(store, ids, date(2026, 1, 2))
    assert len(fact_retention.agreements_of(store.engine, "200001")) == 1
    kept = [row for row in store.facts.slices("01") or [] if row["contract"] == "200002"]
    dry = apply_retention(store, ids, Settings(), date(2026, 1, 2), dry_run=True)
    assert dry["ended_agreements"] == 1
    assert apply_retention(store, ids, Settings(), date(2026, 1, 2))["ended_agreements"] == 1
    assert store.facts.slices("01") == kept
    with store.engine.connect() as connection:
        everything = connection.execute(
            sa.text("SELECT (SELECT string_agg(j::text, '') FROM fact_journal AS j), "
                    "(SELECT string_agg(e::text, '') FROM agreement_event AS e), "
                    "(SELECT string_agg(f::text, '') FROM agreement_followed AS f), "
                    "(SELECT string_agg(i::text, '') FROM installation_fact AS i)")
        ).one()  # fmt: skip
    assert not any("200001" in text for text in everything)
    assert all("200002" in text for text in everything)
