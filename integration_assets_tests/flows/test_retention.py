"""Storage limitation: what is over goes, what is needed stays, and nothing is delivered twice because of it."""

from datetime import UTC, date, datetime, timedelta

import polars as pl
import pytest
import sqlalchemy as sa

from integration_assets.cache.rejections import FOUND
from integration_assets.cache.store import Cache
from integration_assets.domain.identity import ObjectIds
from integration_assets.domain.tables import KMD_CUSTOMERS, RESOLVED_CUSTOMERS
from integration_assets.flows.retention import apply_retention
from integration_assets.settings import Settings
from integration_assets_tests.flows.on_file import LOOKUP, OnFile

ANNA, BO, CARLA, DAN = "0101701234", "0202721111", "0303735555", "0404741111"
LONG_AGO, TODAY = date(2018, 6, 1), date(2026, 11, 21)
NOW = datetime(2026, 11, 21, 4, 0, tzinfo=UTC)
YEARS_AGO = NOW - timedelta(days=6 * 365)
SETTINGS = Settings()


@pytest.fixture
def file(store: Cache, ids: ObjectIds) -> OnFile:
    """Anna and Bo left long ago, Carla this year, Dan is a customer; all were looked up long ago."""
    file = OnFile(store, ids)
    file.add("200001", ANNA, BO, moved_out=LONG_AGO)
    file.add("200002", CARLA, moved_out=date(2026, 2, 1))
    file.add("200003", DAN)
    file.write(YEARS_AGO - timedelta(days=1))
    file.end("200001")
    file.end("200002")
    file.write(YEARS_AGO)
    for number in (ANNA, BO, CARLA, DAN):
        file.answer(number, LONG_AGO)
        file.completed(f"who was born as {number}", number, LONG_AGO)
    file.completed("somebody nobody found", None, LONG_AGO)
    return file


def texts(store: Cache, query: str) -> list[str]:
    with store.engine.connect() as connection:
        return [str(value) for value in connection.execute(sa.text(query)).scalars()]


def test_what_is_over_goes_and_a_dry_run_says_so_before(file: OnFile) -> None:
    store = file.store
    foretold = apply_retention(store, file.ids, SETTINGS, TODAY, dry_run=True)
    assert len(texts(store, "SELECT subject FROM register_answer")) == 9
    done = apply_retention(store, file.ids, SETTINGS, TODAY)
    assert done == {
        "ended_parties": 2,  # Anna and Bo
        "register_answers": 5,  # theirs, and the one about nobody
        "vanished_rows": 6,  # of three tables, two customers each
        "closed_rejections": 0,
        "journal_rows": 0,
        "audit_rows": 0,
    }
    assert foretold == {**done, "register_answers": 1}, "their payloads still needed the answers then"
    known = {file.ids.subject(f"person|{number}") for number in (CARLA, DAN)}
    assert set(texts(store, "SELECT subject FROM register_answer WHERE service = 'person'")) == known
    kept = store.read(RESOLVED_CUSTOMERS, include_vanished=True)["customer_number"].to_list()
    assert kept == ["200003"]
    assert apply_retention(store, file.ids, SETTINGS, TODAY) == dict.fromkeys(done, 0)


def test_ended_parties_keep_ids_and_fingerprints_and_are_not_sent_again(file: OnFile) -> None:
    store = file.store
    query = (
        "SELECT object_id || system || desired_fingerprint || delivered_fingerprint || state FROM delivery "
        "WHERE entity IN ('customers', 'contacts') ORDER BY 1"
    )
    before = texts(store, query)
    apply_retention(store, file.ids, SETTINGS, TODAY)
    assert texts(store, query) == before
    rows = store.deliveries.desired("lora", "customers", None, pl.Schema({"number": pl.String}))
    assert sorted(rows["number"].drop_nulls()) == sorted([CARLA, DAN])
    for system, entity in (("lora", "customers"), ("crm", "contacts")):
        blank = (
            f"SELECT object_id FROM delivery WHERE system = '{system}' AND entity = '{entity}' AND delivered IS NULL"
        )
        assert set(texts(store, blank)) == {file.party(ANNA), file.party(BO)}
    assert store.deliveries.unread("lora", "customers", None) == {}, "what was read back is not asked for again"
    file.write(NOW)  # the same rows are desired again
    assert file.sent() == 0
    assert not file.is_read_back(file.party(ANNA))
    assert texts(store, query) == before


def test_the_books_keep_an_ended_customer_until_their_time_is_over(file: OnFile) -> None:
    apply_retention(file.store, file.ids, SETTINGS, date(2023, 12, 31))
    assert file.is_read_back(file.party(ANNA))
    apply_retention(file.store, file.ids, SETTINGS, date(2024, 1, 1))
    assert not file.is_read_back(file.party(ANNA))


def test_a_party_that_is_a_customer_elsewhere_keeps_everything(file: OnFile) -> None:
    file.add("200009", ANNA)
    file.write(NOW)
    assert apply_retention(file.store, file.ids, SETTINGS, TODAY)["ended_parties"] == 1  # Bo
    assert file.is_read_back(file.party(ANNA))
    kept = file.store.read(RESOLVED_CUSTOMERS, include_vanished=True)["customer_number"].to_list()
    assert kept == ["200001", "200003", "200009"], "her first customer number tells what she goes by"
    assert file.store.read(KMD_CUSTOMERS, include_vanished=True)["customer_number"].to_list() == ["200003", "200009"]


def test_what_waits_to_be_sent_is_not_touched(file: OnFile) -> None:
    with file.store.engine.begin() as connection:
        connection.execute(
            sa.text("UPDATE delivery SET delivered_fingerprint = 0 WHERE system = 'crm' AND object_id = :id"),
            {"id": file.party(ANNA)},
        )
    assert apply_retention(file.store, file.ids, SETTINGS, TODAY)["ended_parties"] == 1
    assert file.is_read_back(file.party(ANNA))


def test_journal_audit_and_closed_rejections_have_their_own_days(file: OnFile) -> None:
    store = file.store
    store.journal.record("old", "step", [], {}, YEARS_AGO, NOW - timedelta(days=401))
    store.journal.record("new", "step", [], {}, YEARS_AGO, NOW - timedelta(days=399))
    store.answers.audit("person", "a" * 64, LOOKUP)
    with store.engine.begin() as connection:
        connection.execute(sa.text("UPDATE audit SET at = :at WHERE subject = :s"), {"at": YEARS_AGO, "s": "a" * 64})
    gone = pl.DataFrame([("200001", "no_match", "text", "200001", "5000")], schema=FOUND, orient="row")
    store.rejections.replace("resolved/customers", ["5000"], gone, date(2020, 1, 1))
    store.rejections.replace("resolved/customers", ["5000"], gone.clear(), date(2020, 2, 1))
    store.rejections.replace("resolved/customers", ["5000"], gone, date(2020, 3, 1))
    done = apply_retention(store, file.ids, SETTINGS, TODAY)
    assert (done["journal_rows"], done["audit_rows"], done["closed_rejections"]) == (1, 1, 1)
    assert texts(store, "SELECT run_id FROM journal") == ["new"]
    assert len(store.rejections.open()) == 1
    assert len(texts(store, "SELECT subject FROM audit")) == 4
