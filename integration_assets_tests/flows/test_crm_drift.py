"""People at work in the CRM: what of theirs is drift and what is not, what is repaired and left, what a look costs."""

from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import httpx
import polars as pl
import pytest
import sqlalchemy as sa

from integration_assets.cache.store import Cache
from integration_assets.domain.crm.fields import TABLE_FACTS
from integration_assets.domain.crm.tables import changed
from integration_assets.domain.registry.drift import CHANGED, DELETED
from integration_assets.flows.crm import LINKS, SYSTEM
from integration_assets.flows.crm_drift import taken_in
from integration_assets.sandbox.requests import RequestLog
from integration_assets.sandbox.store import Store
from integration_assets_tests.flows.crm_city import city, in_crm, row_id, wanted
from integration_assets_tests.flows.crm_office import Office, opened_office, serving_office

PEOPLE = 6
NOTHING_DONE = {"created": 0, "updated": 0, "ended": 0, "repaired": 0, "failed": 0}


@pytest.fixture(scope="module")
def served(server_dir: Path) -> Iterator[tuple[str, Store, RequestLog]]:
    with serving_office(server_dir, "crm_drift_sandbox") as (url, store, log, _):
        yield url, store, log


@pytest.fixture
def office(served: tuple[str, Store, RequestLog], cache: sa.Engine) -> Iterator[Office]:
    """A city that was delivered and looked at once."""
    with opened_office(*served, Cache(cache, "a secret of these tests")) as office:
        office.state(city(range(PEOPLE)))
        assert office.deliver().created == PEOPLE * 7
        assert (office.look(0).read, office.open()) == (PEOPLE * 6, {})
        yield office


def contact(number: int) -> str:
    return row_id("contacts", number)


def test_a_look_at_what_nobody_changed_is_one_request_a_table(office: Office) -> None:
    mark = office.mark()
    assert (office.look().read, office.deliver().counts()) == (0, NOTHING_DONE)
    asked = office.requests(mark)
    assert Counter(asked) == Counter(("GET", facts.set_name) for facts in TABLE_FACTS.values())


def test_our_own_writes_are_read_back_and_are_no_drift(office: Office) -> None:
    office.state({"contacts": city(range(PEOPLE), 1)["contacts"]})
    assert office.deliver().updated == PEOPLE
    assert (office.look().read, office.open()) == (PEOPLE, {})
    assert office.look().read == 0


def test_columns_of_ours_are_repaired_and_what_is_theirs_stays(office: Office) -> None:
    office.do("PATCH", f"contacts({contact(1)})", {"firstname": "Forkert", "ava_mobilkmdee": "11223344"})
    office.do("PATCH", f"contacts({contact(2)})", {"emailaddress1": "her@own.dk", "telephone1": "86123456"})
    office.do("PATCH", f"accounts({row_id('accounts', 3)})", {"ava_adresse": None})
    looked = office.look()
    assert (dict(looked.kinds), looked.repairs) == ({CHANGED: 2}, 2)
    assert office.open() == {("contacts", contact(1)): CHANGED, ("accounts", row_id("accounts", 3)): CHANGED}
    (shown,) = office.cache.drifts.open(SYSTEM, ["contacts"])["differences"].to_list()
    assert shown == [["firstname", "F. 1.", "F."], ["ava_mobilkmdee", None, "••••••44"]]
    mark = office.mark()
    assert office.deliver().counts() == NOTHING_DONE | {"repaired": 2}
    sent = [path for method, path in office.requests(mark) if method == "POST"]
    assert [path.rpartition(".")[2] for path in sent] == ["UpdateMultiple", "UpdateMultiple"]
    frames = city(range(PEOPLE))
    assert in_crm(office.client, "accounts") == wanted(frames["accounts"])
    hers = wanted(frames["contacts"])[contact(2)] | {"emailaddress1": "her@own.dk"}
    assert in_crm(office.client, "contacts") == wanted(frames["contacts"]) | {contact(2): hers}
    assert office.row("contacts", contact(2))["telephone1"] == "86123456"
    assert (office.look(2).closed, office.open()) == (2, {})


def test_a_repair_writes_what_differs_and_nothing_else(office: Office) -> None:
    before = office.row("contacts", contact(1))["@odata.etag"]
    office.do("PATCH", f"contacts({contact(1)})", {"firstname": "Forkert"})
    office.look()
    office.do("PATCH", f"contacts({contact(1)})", {"firstname": "Fornavn 1"})  # put right by hand
    version = office.row("contacts", contact(1))["@odata.etag"]
    assert version != before
    assert office.deliver().repaired == 1
    assert office.row("contacts", contact(1))["@odata.etag"] == version, "nothing was left to be written"


def test_a_deleted_row_comes_back_with_its_links_and_those_that_point_at_it(office: Office) -> None:
    agreement, party = row_id("agreements", 4), contact(4)
    office.do("DELETE", f"contacts({party})")
    assert office.linked(agreement) == set()
    looked = office.look()
    assert dict(looked.kinds) == {DELETED: 1, CHANGED: 1}, "the role lost its lookup"
    assert office.open() == {("contacts", party): DELETED, ("customer_roles", row_id("customer_roles", 4)): CHANGED}
    assert office.deliver().repaired == 3
    frames = city(range(PEOPLE))
    for entity in TABLE_FACTS:
        assert in_crm(office.client, entity) == wanted(frames[entity]), entity
    assert office.linked(agreement) == {party}
    assert (office.look(2).closed, office.open()) == (2, {})


def test_what_is_left_is_told_and_stays(office: Office) -> None:
    office.repaired = frozenset(TABLE_FACTS) - {"contacts"}
    office.do("PATCH", f"contacts({contact(1)})", {"firstname": "Hendes"})
    office.do("DELETE", f"contacts({contact(2)})")
    looked = office.look()
    assert (looked.repairs, set(office.open().values())) == (1, {CHANGED, DELETED}), "the role is repaired"
    office.deliver()
    assert office.row("contacts", contact(1))["firstname"] == "Hendes"
    assert contact(2) not in in_crm(office.client, "contacts")


def test_a_war_is_not_fought_for_ever(office: Office) -> None:
    for day in range(1, 4):
        office.do("PATCH", f"contacts({contact(1)})", {"firstname": f"Robot {day}"})
        assert office.look(day).repairs == 1
        assert office.deliver().repaired == 1
    office.do("PATCH", f"contacts({contact(1)})", {"firstname": "Robot 4"})
    looked = office.look(4)
    assert (dict(looked.kinds), looked.repairs, office.deliver().repaired) == ({CHANGED: 1}, 0, 0)


def test_what_waits_to_be_sent_or_arrived_unrecorded_is_no_drift(office: Office) -> None:
    newer = city(range(PEOPLE), 1)["contacts"]
    office.state({"contacts": newer})
    # As a process does that dies before it records; another column is changed by a person.
    office.do("PATCH", f"contacts({contact(1)})", {"ava_kmdeemasterid": "1-1"})
    office.do("PATCH", f"contacts({contact(2)})", {"lastname": "Hansen"})
    assert office.look().kinds == {CHANGED: 1}
    assert set(office.open()) == {("contacts", contact(2))}
    assert office.deliver().failed == 0
    assert in_crm(office.client, "contacts") == wanted(newer)
    assert (office.look(2).closed, office.open()) == (1, {})


def test_what_is_being_sent_at_the_moment_is_looked_at_again(office: Office) -> None:
    newer = city([1], 1)["contacts"]
    office.state({"contacts": newer})
    office.do("PATCH", f"contacts({contact(1)})", {"lastname": "Hansen"})
    with office.cache.deliveries.claim(SYSTEM, "contacts", 10, datetime.now(UTC)) as claim:
        assert len(claim.rows) == 1
        office.look()
        assert office.open() == {}
    assert taken_in(office.cache, "contacts").again == (contact(1),)
    office.look()
    assert set(office.open()) == {("contacts", contact(1))}
    assert taken_in(office.cache, "contacts").again == ()


@pytest.mark.parametrize("way", ["too old", "lost", "other columns"])
def test_where_the_crm_does_not_know_any_more_it_is_read_as_a_whole(office: Office, way: str) -> None:
    office.do("PATCH", f"contacts({contact(1)})", {"firstname": "Forkert"})
    office.do("DELETE", f"ava_installations({row_id('installations', 2)})")
    if way == "too old":
        for entity in TABLE_FACTS:
            taken = taken_in(office.cache, entity)
            old = taken.link.rpartition("%21")[0] + "%2101%2F01%2F2020%2000%3A00%3A00"
            office.cache.following.take_in(f"crm/{entity}/changes", taken.text().replace(taken.link, old), changed=())
    elif way == "lost":
        with office.cache.engine.begin() as connection:
            connection.execute(sa.text("DELETE FROM event_cursor"))
    else:
        office.by = changed(
            {"contacts": {"lastname": {"owner": "crm"}}, "installations": {"ava_name": {"owner": "crm"}}}
        )
    looked = office.look()
    assert looked.kinds == {CHANGED: 1, DELETED: 1}
    assert office.deliver().repaired == 2
    assert office.look(2).closed == 2


def test_a_table_that_is_not_tracked_is_read_as_a_whole_every_time(office: Office) -> None:
    schema = {"contact": {"change_tracking": False}}
    httpx.post(f"{office.url}/_behaviour", json={"schema": schema}).raise_for_status()
    try:
        with office.cache.engine.begin() as connection:
            connection.execute(sa.text("DELETE FROM event_cursor"))
        assert office.look().read == PEOPLE * 6
        office.do("PATCH", f"contacts({contact(1)})", {"firstname": "Forkert"})
        office.do("DELETE", f"contacts({contact(2)})")
        looked = office.look()
        assert (looked.kinds, looked.read) == ({CHANGED: 2, DELETED: 1}, PEOPLE), "contacts but one, and the role"
        assert taken_in(office.cache, "contacts").link == ""
    finally:
        httpx.post(f"{office.url}/_behaviour", json={"schema": None}).raise_for_status()


def test_an_ended_row_that_people_wake_up_is_ended_again_unless_states_are_theirs(office: Office) -> None:
    role = row_id("customer_roles", 1)
    frames = city(range(PEOPLE))
    ended = frames["customer_roles"].with_columns(
        statecode=pl.when(pl.col("object_id") == role).then(1).otherwise("statecode"),
        statuscode=pl.when(pl.col("object_id") == role).then(2).otherwise("statuscode"),
    )
    office.state({"customer_roles": ended})
    assert office.deliver().ended == 1
    office.look()
    office.do("PATCH", f"ava_kunderolles({role})", {"statecode": 0, "statuscode": 1})
    assert office.look().repairs == 1
    assert office.deliver().repaired == 1
    assert office.row("ava_kunderolles", role)["statecode"] == 1


def test_a_renamed_column_and_one_that_becomes_ours_are_sent_to_every_row(office: Office) -> None:
    office.do("PATCH", f"contacts({contact(1)})", {"ava_mobilkmdee": "11223344"})
    frames = city(range(PEOPLE))
    office.by = changed({"contacts": {"ava_mobilkmdee": {"owner": "crm"}}})
    office.state({"contacts": frames["contacts"]})
    assert office.deliver().updated == PEOPLE, "recorded, nothing is sent"
    assert office.row("contacts", contact(1))["ava_mobilkmdee"] == "11223344"
    assert office.look().kinds == {}
    office.by = changed({"contacts": {"ava_kmdeemasterid": {"column": "telephone1"}}})
    compared = office.cache.deliveries.compare(SYSTEM, "contacts", office.desired("contacts", frames["contacts"]))
    assert (compared.new, compared.changed) == (0, PEOPLE), "the guard and the plan know"
    office.state({"contacts": frames["contacts"]})
    assert office.look().kinds == {}, "what the new mapping is to write is no drift"
    assert office.deliver().updated == PEOPLE
    rows = {row["contactid"]: row for row in office.rows("contacts")}
    assert [rows[contact(number)]["telephone1"] for number in range(PEOPLE)] == [f"{n}-0" for n in range(PEOPLE)]
    assert rows[contact(1)].get("ava_mobilkmdee") is None, "ours again, and we have none"
    mark = office.mark()
    office.state({"contacts": frames["contacts"]})
    assert (office.deliver().counts(), office.requests(mark)) == (NOTHING_DONE, [])
    assert (office.look(2).kinds, office.open()) == ({}, {})
    # And back to the standard, which is no name in the payload at all.
    office.by = changed({})
    office.state({"contacts": frames["contacts"]})
    assert office.deliver().updated == PEOPLE


def test_links_are_not_looked_at(office: Office) -> None:
    """Dataverse tells no changes of a many-to-many relationship with its rows."""
    agreement = row_id("agreements", 1)
    office.do("DELETE", f"ava_aftales({agreement})/ava_aktoerens_aftaler({contact(1)})/$ref")
    assert office.look().kinds == {}
    assert office.cache.deliveries.counts(SYSTEM, LINKS) == {"delivered": PEOPLE}
