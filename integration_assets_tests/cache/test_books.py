"""Rejections, journal, answers of registers, locks."""

import threading
import time
from datetime import UTC, date, datetime, timedelta

import polars as pl
import pytest
import sqlalchemy as sa

from integration_assets.cache.cipher import Cipher
from integration_assets.cache.journal import Journal
from integration_assets.cache.locks import advisory_lock
from integration_assets.cache.register_answers import Lookup, RegisterAnswers
from integration_assets.cache.rejections import FOUND, RejectionCounts, Rejections

DAY = date(2024, 5, 1)
ASSET = "resolved/customers"


def found(*rows: tuple[str, str, str]) -> pl.DataFrame:
    """Rejections by (record key, reason, supply area)."""
    return pl.DataFrame(
        [(key, reason, f"text of {reason}", key.partition("/")[0], area) for key, reason, area in rows],
        schema=FOUND,
        orient="row",
    )


def test_rejections_open_stay_and_close(cache: sa.Engine) -> None:
    rejections = Rejections(cache)
    first = found(("1", "no_id_number", "5000"), ("2", "no_id_number", "5000"), ("2/co", "co_not_a_number", "5200"))
    counts = rejections.replace(ASSET, ["5000", "5200"], first, DAY)
    assert counts == RejectionCounts(3, 0, 0, {"co_not_a_number": 1, "no_id_number": 2})
    later = DAY + timedelta(days=3)
    counts = rejections.replace(ASSET, ["5000"], found(("2", "no_id_number", "5000"), ("2", "other", "5000")), later)
    assert counts == RejectionCounts(1, 1, 1, {"no_id_number": 1, "other": 1})
    opened = rejections.open()
    assert opened.select("record_key", "reason", "supply_area", "first_on", "next_attempt_on").rows() == [
        ("2", "no_id_number", "5000", DAY, later + timedelta(days=2)),
        ("2", "other", "5000", later, later + timedelta(days=1)),
        ("2/co", "co_not_a_number", "5200", DAY, DAY + timedelta(days=1)),
    ]
    assert opened["customer_number"].to_list() == ["2", "2", "2"]
    assert rejections.open(ASSET, ["5200"])["record_key"].to_list() == ["2/co"]
    assert rejections.open("kmd_ee/customers").is_empty()
    with cache.connect() as connection:
        closed = connection.execute(sa.text("SELECT record_key, closed_on FROM rejection WHERE closed_on IS NOT NULL"))
        assert closed.all() == [("1", later)]


def test_a_closed_rejection_may_come_again_as_a_new_one(cache: sa.Engine) -> None:
    rejections = Rejections(cache)
    row = found(("1", "no_id_number", "5000"))
    rejections.replace(ASSET, ["5000"], row, DAY)
    rejections.replace(ASSET, ["5000"], found(), DAY + timedelta(days=1))
    assert rejections.replace(ASSET, ["5000"], row, DAY + timedelta(days=2)).opened == 1
    assert rejections.open()["first_on"].to_list() == [DAY + timedelta(days=2)]


def test_attempts_lie_further_and_further_apart(cache: sa.Engine) -> None:
    rejections = Rejections(cache)
    rows = found(("1", "no_id_number", "5000"), ("2", "no_id_number", "5000"))
    rejections.replace(ASSET, ["5000"], rows, DAY)
    day, waits = DAY, [1]
    for _ in range(7):
        before_due = rejections.open()["next_attempt_on"][0] - timedelta(days=1)
        rejections.replace(ASSET, ["5000"], rows, before_due)
        day = rejections.open()["next_attempt_on"][0]
        assert day == before_due + timedelta(days=1)
        rejections.replace(ASSET, ["5000"], rows, day)
        waits.append((rejections.open()["next_attempt_on"][0] - day).days)
    assert waits == [1, 2, 4, 8, 16, 30, 30, 30]
    assert rejections.open()["attempts"].to_list() == [8, 8]
    assert rejections.due(day + timedelta(days=29)).is_empty()
    assert rejections.due(day + timedelta(days=30)).rows() == [(ASSET, "5000", 2)]


def test_some_reasons_are_tried_again_on_the_same_day(cache: sa.Engine) -> None:
    rejections = Rejections(cache)
    rows = found(("1", "no_id_number", "5000"), ("2", "register_is_down", "5000"))
    for day in (DAY, DAY, DAY + timedelta(days=9)):
        rejections.replace(ASSET, ["5000"], rows, day, at_once={"register_is_down"})
        assert rejections.open().filter(record_key="2")["next_attempt_on"].to_list() == [day]
        assert rejections.open().filter(record_key="1")["next_attempt_on"].item() > day
    rejections.replace(ASSET, ["5000"], found(), DAY + timedelta(days=10))
    assert rejections.open().is_empty()


def test_rejections_outside_the_areas_are_refused(cache: sa.Engine) -> None:
    with pytest.raises(ValueError, match="5200"):
        Rejections(cache).replace(ASSET, ["5000"], found(("1", "x", "5200")), DAY)


def test_the_text_of_a_rejection_follows_what_is_found(cache: sa.Engine) -> None:
    rejections = Rejections(cache)
    row = found(("1", "no_id_number", "5000"))
    rejections.replace(ASSET, ["5000"], row, DAY)
    rejections.replace(ASSET, ["5000"], row.with_columns(text=pl.lit("clearer")), DAY)
    assert rejections.open()["text"].to_list() == ["clearer"]


def test_journal_keeps_one_row_per_run_and_step(cache: sa.Engine) -> None:
    journal = Journal(cache)
    start = datetime(2024, 5, 1, 6, 0, tzinfo=UTC)
    for minute, (run, step, areas) in enumerate(
        [("r1", "lora/customers", ["5200", "5000"]), ("r1", "crm/contacts", ["5000"]), ("r2", "crm/contacts", ["2690"])]
    ):
        end = start + timedelta(minutes=minute + 1)
        journal.record(run, step, areas, {"new": minute, "changed": 0}, start, end)
    journal.record("r1", "lora/customers", ["5000", "5200"], {"new": 9}, start, start + timedelta(hours=1))
    entries = journal.entries()
    assert entries.select("run_id", "step", "counts").rows() == [
        ("r1", "lora/customers", '{"new": 9}'),
        ("r2", "crm/contacts", '{"changed": 0, "new": 2}'),
        ("r1", "crm/contacts", '{"changed": 0, "new": 1}'),
    ]
    assert entries["areas"][0].to_list() == ["5000", "5200"]
    assert entries["ended_at"][0] == start + timedelta(hours=1)
    assert journal.entries(step="crm/contacts", area="2690")["run_id"].to_list() == ["r2"]
    assert journal.entries(since=start + timedelta(minutes=3))["run_id"].to_list() == ["r1", "r2"]
    assert journal.entries(run_id="r1", limit=1).height == 1
    assert Journal(cache).entries(area="9999").schema == entries.schema


def test_answers_are_sealed_and_replaced(cache: sa.Engine) -> None:
    answers = RegisterAnswers(cache, Cipher.from_secret("tests"))
    first, second = "a" * 64, "b" * 64
    answers.put("person", first, {"number": "0101701234", "birth_date": date(1970, 1, 1)}, DAY)
    answers.put("person", first, {"number": "0101701234", "name": "Åse"}, DAY)
    answers.put("company", second, {"name": "Værk"}, DAY)
    assert answers.get("person", {first, second}) == {first: {"number": "0101701234", "name": "Åse"}}
    assert answers.get("person", []) == {}
    with cache.connect() as connection:
        for stored in connection.execute(sa.text("SELECT answer FROM register_answer")).scalars():
            assert b"name" not in bytes(stored)


def test_every_question_is_audited_under_a_hash(cache: sa.Engine) -> None:
    answers = RegisterAnswers(cache, Cipher.from_secret("tests"))
    answers.audit("person", "a" * 64, Lookup("billing", "law §1", "no answer", "run"))
    answers.put("person", "a" * 64, {"name": "Åse"}, DAY, lookup=Lookup("billing", "law §1", "found", "run"))
    for number in ("0101701234", "010170-1234"):
        with pytest.raises(ValueError, match="keyed hash") as refused:
            answers.audit("person", number, Lookup("billing", "law §1", "found", "run"))
        assert number not in str(refused.value)
    with cache.connect() as connection:
        rows = connection.execute(
            sa.text("SELECT subject, purpose, legal_basis, outcome, run_id FROM audit ORDER BY audit_id")
        ).all()
    assert rows == [("a" * 64, "billing", "law §1", outcome, "run") for outcome in ("no answer", "found")]


def test_a_lock_is_held_by_one_at_a_time(cache: sa.Engine) -> None:
    inside: list[str] = []

    def enter() -> None:
        with advisory_lock(cache, "town"):
            inside.append("second")

    second = threading.Thread(target=enter)
    with advisory_lock(cache, "town"), advisory_lock(cache, "another name"):
        second.start()
        time.sleep(0.2)
        inside.append("first")
    second.join(10)
    assert inside == ["first", "second"]


def test_a_lock_is_free_after_an_error(cache: sa.Engine) -> None:
    for _ in range(2):
        with pytest.raises(RuntimeError, match="inside"), advisory_lock(cache, "town"):
            raise RuntimeError("inside")
