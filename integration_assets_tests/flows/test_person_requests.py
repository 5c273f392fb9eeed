"""Access and erasure by customer number: all is shown, what may go goes, and every section says what stays and why."""

import uuid
from datetime import UTC, date, datetime, timedelta
from typing import Any

import polars as pl
import pytest
import sqlalchemy as sa

from integration_assets.cache.merge import merge_partition
from integration_assets.cache.rejections import FOUND
from integration_assets.cache.store import Cache
from integration_assets.domain.identity import ObjectIds
from integration_assets.domain.people.history import PARTY_ROWS
from integration_assets.domain.registry import desired
from integration_assets.domain.registry.adoption import ADOPTED
from integration_assets.domain.tables import KMD_CUSTOMERS, RESOLVED_CUSTOMERS
from integration_assets.flows.person_requests import Erased, RequestRefused, erase, held, shown
from integration_assets.flows.registry import rows_by_customer_number
from integration_assets_tests.flows.billing_town import agreement, village
from integration_assets_tests.flows.on_file import AREA, OnFile, billing_text, frame, place_text

ANNA, BO, DAN = "0101701234", "0202721111", "0404741111"
ENDED, TODAY = date(2020, 6, 1), date(2026, 11, 21)
NOW = datetime(2026, 11, 21, 4, 0, tzinfo=UTC)


@pytest.fixture
def file(store: Cache, ids: ObjectIds) -> OnFile:
    """Anna with Bo, who left in 2020, and Dan, who is a customer; a rejection, answers and address texts of each."""
    file = OnFile(store, ids)
    file.add("200001", ANNA, BO, moved_out=ENDED)
    file.add("200003", DAN)
    file.write(NOW - timedelta(days=500))
    for number in (ANNA, BO, DAN):
        file.answer(number, ENDED)
        file.completed(f"who was born as {number}", number, ENDED)
    rejected = [(number, "no_match", f"text of {number}", number, "5000") for number in ("200001", "200003")]
    store.rejections.replace(
        "resolved/customers", ["5000"], pl.DataFrame(rejected, schema=FOUND, orient="row"), date(2020, 1, 1)
    )
    for number in file.rows:
        file.washed(place_text(number), billing_text(number))
    return file


def ended(file: OnFile) -> OnFile:
    file.end("200001")
    file.write(NOW)
    return file


def erased(file: OnFile, as_of: date = TODAY, *, dry_run: bool = False) -> dict[str, Erased]:
    done = erase(file.store, file.ids, "200001", as_of, first_month=1, by="a tester", dry_run=dry_run)
    return {each.what.split()[0]: each for each in done}


def everything(store: Cache) -> dict[str, list[Any]]:
    """All rows of the cache but its audit, sealed values as they lie there."""
    with store.engine.connect() as connection:
        tables = connection.execute(
            sa.text("SELECT tablename FROM pg_tables WHERE schemaname = 'public' AND tablename <> 'audit' ORDER BY 1")
        ).scalars()
        return {
            name: sorted(connection.execute(sa.text(f'SELECT t::text FROM "{name}" AS t')).scalars())
            for name in tables.all()
        }


def washed(store: Cache) -> set[str]:
    with store.engine.connect() as connection:
        return set(connection.execute(sa.text("SELECT text FROM washing")).scalars())


def numbers_held(store: Cache) -> str:
    """All that the cache tells of anybody once it is opened, as one text."""
    rows = store.read(KMD_CUSTOMERS, include_vanished=True).write_json()
    rows += store.read(RESOLVED_CUSTOMERS, include_vanished=True).write_json()
    for column in ("desired", "delivered", "found"):
        with store.engine.connect() as connection:
            values = connection.execute(sa.text(f"SELECT {column} FROM delivery WHERE {column} IS NOT NULL")).scalars()
            rows += "".join(
                (bytes(value) if bytes(value).startswith(b"{") else store.cipher.open(bytes(value))).decode()
                for value in values
            )
    with store.engine.connect() as connection:
        for value in connection.execute(sa.text("SELECT answer FROM register_answer")).scalars():
            rows += store.cipher.open(bytes(value)).decode()
    return rows


def test_everything_on_main_and_co_customer_is_held_and_nothing_of_others(file: OnFile) -> None:
    found = held(file.store, file.ids, "200001")
    rows = {section.table: len(section.rows) for section in found.sections}
    assert rows == {
        "kmd_ee_customers": 1,
        "resolved_customers": 1,
        "resolved_consumption_addresses": 1,
        "cache_contacts": 2,
        "delivery": 2 + 2 + 2 + 1,  # customers, contacts, roles, the relation
        "register_answer": 4,
        "audit": 2,
        "rejection": 1,
        "washing": 2,
    }
    text = str([shown(list(section.rows), unmasked=True) for section in found.sections])
    assert ANNA in text
    assert BO in text
    assert "act of these tests" in text, "what the register was asked for, and on what basis"
    assert DAN not in text
    assert "200003" not in text
    assert ANNA not in repr(found), "a repr ends up in logs"


def test_personal_numbers_are_masked_unless_asked_for() -> None:
    row = {
        "number": ANNA,
        "written": "010170-1234",
        "born": date(1970, 1, 1),
        "phone": "65123456",
        "rest": [BO, 7, None],
    }
    assert shown(row, unmasked=False) == {
        "number": "010170-xxxx",
        "written": "010170-xxxx",
        "born": "1970-01-01",
        "phone": "65123456",
        "rest": ["020272-xxxx", 7, None],
    }
    assert shown(row, unmasked=True)["number"] == ANNA


def test_nobody_is_an_answer(file: OnFile) -> None:
    with pytest.raises(RequestRefused, match="holds nothing on the customer number 999"):
        held(file.store, file.ids, "999")
    with pytest.raises(RequestRefused, match="holds nothing on the customer number 999"):
        erase(file.store, file.ids, "999", TODAY, first_month=1, by="", dry_run=False)


def test_a_customer_in_force_is_refused_with_the_reason(file: OnFile) -> None:
    before = everything(file.store)
    with pytest.raises(RequestRefused, match=r"in force.*would bring back.*in KMD EE first.*Nothing was erased"):
        erased(file)
    assert everything(file.store) == before


def test_a_dry_run_tells_the_same_and_changes_nothing(file: OnFile) -> None:
    ended(file)
    before = everything(file.store)
    foretold = erased(file, dry_run=True)
    assert everything(file.store) == before
    assert foretold == erased(file)


def test_after_the_books_are_closed_no_name_or_number_is_left(file: OnFile) -> None:
    ended(file)
    done = erased(file)
    assert {what: (each.erased, each.kept) for what, each in done.items()} == {
        "answers": (4, 0),
        "rejections": (1, 0),
        "corrections": (0, 0),
        "address": (2, 0),
        "delivered": (2, 0),
        "rows": (3, 0),
        "customer": (0, 3),
        "events": (0, 0),
        "subscriptions": (0, 0),
        "audit": (0, 2),
    }
    rest = numbers_held(file.store)
    for secret in (ANNA, BO, "Name 200001", "Last 010170", "Last 020272"):
        assert secret not in rest
    assert DAN in rest
    shown_rows = held(file.store, file.ids, "200001").sections
    assert {section.table for section in shown_rows} == {"delivery", "audit"}
    assert all(each.why.endswith(".") for each in done.values())


def test_the_next_run_neither_brings_it_back_nor_delivers_anything(file: OnFile) -> None:
    ended(file)
    erased(file)
    del file.ended["200001"]  # nobody names it any more
    file.write(NOW)
    assert file.sent() == 0
    assert not file.is_read_back(file.party(ANNA))
    with file.store.engine.connect() as connection:
        query = sa.text("SELECT contactid FROM cache_contacts WHERE vanished_at IS NULL")
        assert connection.execute(query).scalars().all() == [file.party(DAN)]
    erased_again = erased(file)
    assert sum(each.erased for each in erased_again.values()) == 0


def test_the_books_keep_names_and_numbers_and_say_until_when(file: OnFile) -> None:
    ended(file)
    done = erased(file, date(2025, 12, 31))
    assert (done["delivered"].erased, done["delivered"].kept) == (0, 2)
    assert "bogføringsloven" in done["delivered"].why
    assert "until 2026-01-01" in done["delivered"].why
    assert file.is_read_back(file.party(ANNA))
    assert (done["answers"].erased, done["rows"].erased) == (4, 3)
    assert erased(file, date(2026, 1, 1))["delivered"].erased == 2


def test_who_is_a_customer_elsewhere_stays_known(file: OnFile) -> None:
    file.add("200009", BO)
    ended(file)
    done = erased(file)
    assert (done["answers"].erased, done["answers"].kept) == (2, 2)
    assert (done["delivered"].erased, done["delivered"].kept) == (1, 1)
    assert "200009" in done["answers"].why
    assert "200009" in done["delivered"].why
    rest = numbers_held(file.store)
    assert ANNA not in rest
    assert BO in rest


def test_an_address_that_others_have_too_stays(file: OnFile) -> None:
    file.rows["200003"]["house_number"] = "200001"
    file.write(NOW - timedelta(days=400))
    ended(file)
    done = erased(file)["address"]
    assert (done.erased, done.kept) == (1, 1)
    assert billing_text("200001") not in washed(file.store)
    assert place_text("200001") in washed(file.store)


def test_what_an_operator_decided_of_her_texts_alone_is_shown_and_goes(file: OnFile) -> None:
    decide = file.store.washings.decide
    for number in ("200001", "200003"):
        decide("unit", billing_text(number).lower(), None, by="an operator", note=None, now=NOW)
    file.washed(place_text("200001").upper())  # another text that is read the same, of no customer of ours
    decide("unit", place_text("200001").lower(), None, by="an operator", note=None, now=NOW)
    ended(file)
    tables = {section.table: section.rows for section in held(file.store, file.ids, "200001").sections}
    assert {row["normalized"] for row in tables["address_decision"]} == {
        billing_text("200001").lower(),
        place_text("200001").lower(),
    }
    assert erased(file)["address"].erased == 2 + 1
    assert set(file.store.washings.all_decisions()["normalized"]) == {
        billing_text("200003").lower(),
        place_text("200001").lower(),
    }


def test_who_is_in_the_source_but_not_resolved_is_a_customer_elsewhere(file: OnFile) -> None:
    """Anna has moved to 200009, whose row is withheld until the register answers."""
    ended(file)
    file.add("200009", ANNA)
    file.merge(KMD_CUSTOMERS, list(file.rows.values()), NOW)
    done = erased(file)
    assert (done["answers"].erased, done["answers"].kept) == (2, 2)
    assert (done["delivered"].erased, done["delivered"].kept) == (1, 1)
    assert "200009" in done["answers"].why
    assert file.is_read_back(file.party(ANNA))
    assert not file.is_read_back(file.party(BO))


def test_a_number_completed_before_names_who_is_withheld_now(file: OnFile) -> None:
    """The source has only the date of birth of 200009; it was completed to Anna's number once."""
    file.add("200009", ANNA)
    file.rows["200009"]["id_number"] = ANNA[:6] + "0000"
    file.write(NOW - timedelta(days=100))
    ended(file)
    only = [row for number, row in file.rows.items() if number != "200009"]
    file.merge(RESOLVED_CUSTOMERS, only, NOW)
    assert "200009" in erased(file)["delivered"].why
    assert file.is_read_back(file.party(ANNA))


def gone_from_source(file: OnFile, on: date = date(2026, 9, 1)) -> None:
    """KMD EE deleted the row; the run keeps it as it was known and says so."""
    found = [("200001", "vanished_from_source", "text", "200001", AREA)]
    rows = pl.DataFrame(found, schema=FOUND, orient="row")
    file.store.rejections.replace("kmd_ee/customers", [AREA], rows, on)


def test_a_row_that_the_source_deleted_is_let_go_and_its_relation_ends(file: OnFile) -> None:
    file.rows["200001"]["moved_out"] = None
    file.write(NOW - timedelta(days=100))
    gone_from_source(file)
    done = erased(file)
    assert (done["rows"].erased, done["rejections"].erased) == (3, 2)
    assert "end on 2026-09-01" in done["customer"].why
    assert "until 2032-01-01" in done["delivered"].why, "the books of 2026"
    assert not [row for row in everything(file.store)["kmd_ee_customers"] if "200001" in row]
    for entity in ("customer_roles", "customer_relations"):
        rows = file.store.deliveries.desired("lora", entity, None, pl.Schema({"valid_to": pl.Date}))
        ends = rows.filter(pl.col("business_key") == "200001")["valid_to"]
        assert set(ends) == {date(2026, 9, 1)}
    assert file.sent() == 3, "two roles and the relation"
    del file.rows["200001"]  # the source has no row, and nothing knows of one
    file.merge(KMD_CUSTOMERS, list(file.rows.values()), NOW)
    assert file.store.read(KMD_CUSTOMERS)["customer_number"].to_list() == ["200003"]


def test_a_dry_run_for_a_deleted_row_tells_the_same_and_changes_nothing(file: OnFile) -> None:
    gone_from_source(file)
    before = everything(file.store)
    foretold = erased(file, dry_run=True)
    assert everything(file.store) == before
    assert foretold == erased(file)


def test_a_row_that_only_one_area_lost_is_in_force(file: OnFile) -> None:
    gone_from_source(file)
    rows = [row | {"supply_area": "5250"} for row in file.rows.values()]
    merge_partition(
        file.store.engine,
        KMD_CUSTOMERS,
        ["5250"],
        frame(rows, KMD_CUSTOMERS.schema),
        cipher=file.store.cipher,
        as_of_now=NOW,
    )
    with pytest.raises(RequestRefused, match="vanished_from_source"):
        erased(file)


def test_a_role_without_an_end_ended_when_its_row_vanished(file: OnFile) -> None:
    """Her settlement group was excluded in 2020: the row left without a move-out."""
    file.rows["200001"]["moved_out"] = None
    file.write(NOW - timedelta(days=499))
    file.end("200001")
    file.write(datetime(2020, 6, 1, tzinfo=UTC))
    for as_of in (date(2021, 1, 2), date(2025, 12, 31)):
        assert "until 2026-01-01" in erased(file, as_of)["delivered"].why, "the same day whenever it is asked"
    assert file.is_read_back(file.party(ANNA))
    assert erased(file, date(2026, 1, 1))["delivered"].erased == 2
    assert erased(file, date(2026, 1, 1))["rows"] == Erased(
        "rows of the billing system and what was resolved from them",
        0,
        0,
        "KMD EE no longer shows them, so no run brings them back. KMD EE keeps its own books.",
    )


def test_an_object_keeps_its_name_when_its_lowest_number_is_erased(file: OnFile) -> None:
    file.add("200009", BO)
    file.write(NOW - timedelta(days=400))
    ended(file)

    def known_as() -> tuple[object, ...]:
        rows = rows_by_customer_number(file.store)
        party = {"party_id": file.party(BO), "party_kind": "person", "number": BO, "history": []}
        known = pl.DataFrame([party], schema=PARTY_ROWS)
        return desired.customers(rows, known).select("user_key", "number", "phone").row(0)

    before = known_as()
    assert before == ("200001", BO, "65123456")
    done = erased(file)["rows"]
    assert (done.erased, done.kept) == (2, 1)
    assert "object" in done.why
    assert known_as() == before
    kept = file.store.read(RESOLVED_CUSTOMERS, include_vanished=True).row(0, named=True)
    assert {name: value for name, value in kept.items() if value is not None} == {
        "customer_number": "200001",
        "supply_area": AREA,
        "co_party_id": file.party(BO),
        "co_number": BO,
    }
    assert (erased(file)["rows"].erased, erased(file)["rows"].kept) == (0, 1)


def test_an_erasure_is_audited_under_a_hash(file: OnFile) -> None:
    ended(file)
    erased(file)
    with file.store.engine.connect() as connection:
        query = "SELECT subject, purpose, legal_basis, outcome, run_id FROM audit WHERE service = 'erasure_request'"
        row = connection.execute(sa.text(query)).one()
    assert row == (
        file.ids.subject("customer|200001"),
        "erasure request",
        "GDPR article 17",
        "12 rows erased",
        "command of a tester",
    )


def test_who_got_a_new_number_is_found_and_erased_under_both(file: OnFile) -> None:
    """Her answers stay under the hash of her first number; the billing system knows the new one."""
    new = "0101705678"
    first, now = (file.ids.subject(f"person|{number}") for number in ("0505654321", new))
    file.store.answers.put("person", first, {"kind": "nobody"}, ENDED)
    file.store.answers.put("person", now, {"kind": "nobody"}, ENDED)
    with file.store.engine.begin() as connection:
        connection.execute(
            sa.text("INSERT INTO person_alias (subject, known_as, party_id) VALUES (:s, :k, :p)"),
            {"s": now, "k": first, "p": file.party(new)},
        )
    file.rows["200001"] |= {"id_number": new, "number": new, "party_id": file.party(new)}
    file.write(NOW - timedelta(days=400))
    ended(file)
    tables = {section.table: section.rows for section in held(file.store, file.ids, "200001").sections}
    assert {first, now} <= {row["subject"] for row in tables["register_answer"]}
    assert len(tables["person_alias"]) == 1
    done = erased(file)
    assert done["subscriptions"].kept == 1
    assert file.store.answers.get("person", [first, now]) == {}


def test_corrections_of_the_past_and_adopted_ids_are_shown_and_corrections_go(file: OnFile) -> None:
    for number in ("200001", "200003"):
        file.store.corrections.note(
            *("customer_relations", str(uuid.uuid4()), "name", None),
            customer_number=number,
            by="ann",
            note=f"told by {number}",
            now=NOW,
        )
    adopted = {"lora_class": "organisation/bruger", "supply_area": "5000", "superseded": False}
    rows = [
        adopted | {"registry_id": str(uuid.uuid4()), "entity": entity, "object_id": object_id, "business_key": key}
        for entity, object_id, key in (
            ("customers", file.party(ANNA), "200001"),
            ("customers", file.party(DAN), "200003"),
            ("installations", str(uuid.uuid4()), "200001"),
        )
    ]
    file.store.adoptions.record(pl.DataFrame(rows, schema=ADOPTED), TODAY)
    sections = {each.table: each.rows for each in held(file.store, file.ids, "200001").sections}
    assert [row["note"] for row in sections["history_correction"]] == ["told by 200001"]
    assert [row["object_id"] for row in sections["adopted_object"]] == [file.party(ANNA)]
    assert erased(ended(file))["corrections"].erased == 1
    assert file.store.corrections.all()["note"].to_list() == ["told by 200003"]


def test_events_and_facts_of_the_agreement_are_shown_and_go(file: OnFile) -> None:
    town = village(agreement("200001", date(2015, 1, 1), ENDED), agreement("200003", ENDED))
    town.night(file.store, file.ids, TODAY)
    ended(file)
    tables = {section.table: section.rows for section in held(file.store, file.ids, "200001").sections}
    assert {"agreement_event", "agreement_followed", "fact_journal", "installation_fact"} <= set(tables)
    assert {row["contract"] for row in tables["installation_fact"]} == {"200001"}
    assert {row["call"]["contract"] for row in tables["fact_journal"]} == {"200001"}
    done = erased(file)["events"]
    assert (done.erased, done.kept) == (1, 0)
    left = {section.table for section in held(file.store, file.ids, "200001").sections}
    assert not left & {"agreement_event", "agreement_followed", "fact_journal", "installation_fact"}
    assert {row["contract"] for row in file.store.facts.slices("01") or []} == {"200003"}


def test_what_was_billed_lately_stays_for_the_books(file: OnFile) -> None:
    lately = date(2026, 2, 1)
    village(agreement("200001", date(2015, 1, 1), lately)).night(file.store, file.ids, TODAY)
    ended(file)
    done = erased(file)["events"]
    assert (done.erased, done.kept) == (0, 1)
    assert "The books need what was billed by them until 2032-01-01" in done.why
    assert file.store.facts.slices("01")
