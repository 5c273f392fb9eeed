"""Storage limitation: what is over goes, what is needed stays, and nothing is delivered twice because of it."""

from datetime import UTC, date, datetime, timedelta

import polars as pl
import pytest
import sqlalchemy as sa
from pydantic import ValidationError

from integration_assets.cache import alarms, retention
from integration_assets.cache.interactions import refreshing
from integration_assets.cache.mail_outbox import NewMail
from integration_assets.cache.merge import merge_partition
from integration_assets.cache.rejections import FOUND, RETRY_DAYS
from integration_assets.cache.store import Cache
from integration_assets.domain.identity import ObjectIds
from integration_assets.domain.supervision.anomalies import Anomaly
from integration_assets.domain.tables import KMD_CUSTOMERS, KMD_INSTALLATIONS, RESOLVED_CUSTOMERS
from integration_assets.flows.retention import apply_retention
from integration_assets.settings import Settings
from integration_assets_tests.flows.on_file import AREA, LOOKUP, OnFile, billing_text, frame, place_text

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
    for number in ("200001", "200002", "200003"):
        file.washed(place_text(number), billing_text(number))
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
        "ended_agreements": 0,
        "register_answers": 5,  # theirs, and the one about nobody
        "vanished_rows": 6,  # of three tables, two customers each
        "closed_rejections": 0,
        "claim_messages": 0,
        "closed_drift": 0,
        "supervision_rows": 0,
        "journal_rows": 0,
        "audit_rows": 0,
        "address_texts": 4,  # of two customers
    }
    still_needed = {"register_answers": 1, "address_texts": 0}
    assert foretold == {**done, **still_needed}, "by their payloads and rows, which stood there then"
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


def test_a_customer_who_is_not_resolved_yet_keeps_everything(file: OnFile) -> None:
    """Anna is back, but her new row is withheld: it is in the source and not among the resolved."""
    file.add("200009", ANNA)
    file.merge(KMD_CUSTOMERS, list(file.rows.values()), NOW)
    assert apply_retention(file.store, file.ids, SETTINGS, TODAY)["ended_parties"] == 1  # Bo
    assert file.is_read_back(file.party(ANNA))
    kept = file.store.read(RESOLVED_CUSTOMERS, include_vanished=True)["customer_number"].to_list()
    assert kept == ["200001", "200003"], "her first customer number tells what she goes by"


def test_a_person_with_a_new_number_is_the_same_customer(file: OnFile) -> None:
    """Anna is back under a number that replaced hers; her object is that of the first."""
    new = "0101705678"
    with file.store.engine.begin() as connection:
        connection.execute(
            sa.text("INSERT INTO person_alias (subject, known_as, party_id) VALUES (:s, :k, :p)"),
            {
                "s": file.ids.subject(f"person|{new}"),
                "k": file.ids.subject(f"person|{ANNA}"),
                "p": file.party(ANNA),
            },
        )
    file.add("200009", new)
    file.merge(KMD_CUSTOMERS, list(file.rows.values()), NOW)
    assert apply_retention(file.store, file.ids, SETTINGS, TODAY)["ended_parties"] == 1  # Bo
    assert file.is_read_back(file.party(ANNA))


def test_a_role_without_an_end_ended_when_its_row_vanished(store: Cache, ids: ObjectIds) -> None:
    """Anna's settlement group was excluded in 2020: her row left without a move-out."""
    file = OnFile(store, ids)
    file.add("200001", ANNA)
    file.write(datetime(2015, 5, 1, tzinfo=UTC))
    file.end("200001")
    file.write(datetime(2020, 6, 1, tzinfo=UTC))
    with store.engine.begin() as connection:  # the role has stood there since 2015
        connection.execute(sa.text("UPDATE delivery SET desired_at = '2015-05-01'"))
    for as_of in (date(2022, 1, 2), date(2025, 12, 31)):
        assert apply_retention(store, ids, SETTINGS, as_of)["ended_parties"] == 0, "also when its rows are over"
    assert store.read(KMD_CUSTOMERS, include_vanished=True).is_empty()
    assert apply_retention(store, ids, SETTINGS, date(2026, 1, 1))["ended_parties"] == 1
    assert not file.is_read_back(file.party(ANNA))
    assert store.read(RESOLVED_CUSTOMERS, include_vanished=True).is_empty()


def test_a_role_without_any_row_ended_on_the_day_of_its_last_change(store: Cache, ids: ObjectIds) -> None:
    file = OnFile(store, ids)
    file.add("200001", ANNA)
    file.write(NOW)
    with store.engine.begin() as connection:
        connection.execute(sa.text("UPDATE delivery SET desired_at = '2019-05-01'"))
        for table in ("kmd_ee_customers", "resolved_customers"):
            connection.execute(sa.text(f"DELETE FROM {table}"))
    assert apply_retention(store, ids, SETTINGS, date(2024, 12, 31))["ended_parties"] == 0
    assert apply_retention(store, ids, SETTINGS, date(2025, 1, 1))["ended_parties"] == 1


def test_the_crm_rows_of_a_blanked_party_go_with_it(file: OnFile) -> None:
    query = "SELECT contactid FROM cache_contacts"
    assert {file.party(ANNA), file.party(BO)} < set(texts(file.store, query))
    apply_retention(file.store, file.ids, SETTINGS, TODAY)
    assert set(texts(file.store, query)) == {file.party(CARLA), file.party(DAN)}


def test_address_texts_go_when_no_row_asks_about_them_any_more(file: OnFile) -> None:
    """Those of other customers stay, of installations' alternative places, and what operators decided."""
    installation = {
        "meter_period": "9|1|2020-01-01",
        "supply_area": AREA,
        "installation_number": "9",
        "alternative_place_id": 7,
        "alt_street_name": "Havnen",
        "alt_house_number": "3",
        "alt_floor": "2",
        "alt_postcode": "5000",
        "alt_city": "Odense C",
    }
    merge_partition(
        file.store.engine,
        KMD_INSTALLATIONS,
        [AREA],
        frame([installation], KMD_INSTALLATIONS.schema),
        cipher=file.store.cipher,
        as_of_now=NOW,
    )
    file.washed("Havnen 3, 5000 Odense C", "Vestergade 200003, 2. tv, 5000 Odense C", "")
    file.store.washings.decide("unit", "havnen 4", None, by="an operator", note=None, now=NOW)
    apply_retention(file.store, file.ids, SETTINGS, TODAY)
    kept = {"", "Havnen 3, 5000 Odense C", place_text("200003"), billing_text("200003")}
    assert set(texts(file.store, "SELECT text FROM washing")) == kept
    assert file.store.washings.all_decisions()["normalized"].to_list() == ["havnen 4"]


def test_an_answer_that_was_refreshed_meanwhile_stays(file: OnFile) -> None:
    subject = file.ids.subject(f"person|{ANNA}")
    old = retention.answers_under([("person", subject)], TODAY - timedelta(days=30))
    assert retention.count(file.store.engine, old) == 1
    file.store.answers.succeed("person", subject, {"kind": "person", "number": ANNA, "status": "01"}, TODAY)
    assert retention.delete(file.store.engine, old) == 0


def test_whom_a_run_takes_in_meanwhile_is_needed_by_the_next_batch(
    file: OnFile, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Eva's answer is old; while the first batch goes she becomes a customer, and her answer is used as it is."""
    eva = "0505751111"
    file.answer(eva, LONG_AGO)
    file.completed("another nobody", None, LONG_AGO)
    monkeypatch.setattr(retention, "BATCH_ROWS", 1)
    deleted, taken_in = retention.delete, []

    def delete_and_take_in(engine: sa.Engine, expired: retention.Expired) -> int:
        gone = deleted(engine, expired)
        if expired.table == "register_answer" and not taken_in:
            taken_in.append(file.ids.subject(f"person|{eva}") in known())
            file.add("200009", eva)
            file.merge(KMD_CUSTOMERS, list(file.rows.values()), NOW)
        return gone

    def known() -> list[str]:
        return texts(file.store, "SELECT subject FROM register_answer WHERE service = 'person'")

    monkeypatch.setattr(retention, "delete", delete_and_take_in)
    apply_retention(file.store, file.ids, SETTINGS, TODAY)
    assert taken_in == [True], "it was not in the first batch"
    assert file.ids.subject(f"person|{eva}") in known()


def test_answers_are_kept_as_long_as_a_question_waits_to_be_asked_again() -> None:
    longest = max(RETRY_DAYS)
    assert Settings(answers_kept_days=longest).answers_kept_days == longest
    with pytest.raises(ValidationError, match="answers_kept_days"):
        Settings(answers_kept_days=longest - 1)


def test_the_last_row_of_each_step_and_area_stays_in_the_journal(file: OnFile) -> None:
    """Else the area would look as if the registers had never, or at another time, corrected anything there."""
    store = file.store

    def record(run_id: str, areas: list[str], days_ago: int, step: str = "notifications/persons") -> None:
        store.journal.record(run_id, step, areas, {}, YEARS_AGO, NOW - timedelta(days=days_ago))

    record("replaced", ["4000", "5000"], 500)
    record("last of 4000", ["4000", "5000"], 450)
    record("replaced by a young one", ["5000"], 420)
    record("young", ["5000"], 10)
    record("last of another step", ["5000"], 500, "notifications/companies")
    record("of no area, replaced", [], 500, "retention")
    record("of no area", [], 450, "retention")
    before = store.journal.areas_of_steps(["notifications/persons"])
    assert apply_retention(store, file.ids, SETTINGS, TODAY)["journal_rows"] == 3
    assert set(texts(store, "SELECT run_id FROM journal")) == {
        "last of 4000",
        "young",
        "last of another step",
        "of no area",
    }
    assert store.journal.areas_of_steps(["notifications/persons"]) == before


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


def test_supervision_forgets_what_is_over_and_keeps_what_is_not(file: OnFile) -> None:
    store = file.store
    silence = Anomaly("silence", "error", "Nothing came.")
    for number, days in enumerate((366, 364)):
        at = NOW - timedelta(days=days)
        with refreshing(store.engine, f"folder {number}") as connection:
            alarms.note(connection, f"folder {number}", [silence], at)
            alarms.note(connection, f"folder {number}", [], at)
        store.acknowledgements.give("alarm", str(number), by="ane", reason="known", now=at)
        store.acknowledgements.withdraw("alarm", str(number), by="ane", now=at)
        mail = NewMail(f"<{number}@x>", f"cause {number}", "", ["a@x"], "s", "b")
        store.mails.queue(mail, at)
        claimed = store.mails.claim(at)
        assert claimed is not None
        store.mails.note_sent(claimed.mail_id, at)
    store.mails.queue(NewMail("<waiting@x>", "waiting", "", ["a@x"], "s", "b"), YEARS_AGO)
    with refreshing(store.engine, "long") as connection:
        alarms.note(connection, "long", [silence], YEARS_AGO)
    store.acknowledgements.give("alarm", "long", by="ane", reason="known", now=YEARS_AGO)
    assert apply_retention(store, file.ids, SETTINGS, TODAY)["supervision_rows"] == 3
    assert [alarm.folder for alarm in store.alarms.history()] == ["folder 1", "long"]
    assert [mail.cause for mail in store.mails.latest()] == ["waiting", "cause 1"]
    assert list(store.acknowledgements.holding("alarm", NOW)) == ["long"]
