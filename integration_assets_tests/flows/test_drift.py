"""Other writers in the sandbox's registry: what is found, repaired and left, and what the CRM is fed by."""

import contextlib
import uuid
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import polars as pl
import pytest
import sqlalchemy as sa

from integration_assets.cache.store import Cache
from integration_assets.clients.http import TransientError
from integration_assets.domain.registry.adoption import ADOPTED
from integration_assets.domain.registry.dialect import PLAIN
from integration_assets.domain.registry.drift import CHANGED, MISSING, NEWER, PASSIVE
from integration_assets.domain.registry.objects import LORA_CLASSES, to_object
from integration_assets.flows.drift import Looked, order_repairs
from integration_assets.flows.registry import SYSTEM
from integration_assets.sandbox.faults import FaultPlan
from integration_assets_tests.domain.registry_rows import (
    AGREEMENT,
    EXAMPLES,
    INSTALLATION,
    PERSON,
    RELATION,
    ROLE,
    TENANT,
)
from integration_assets_tests.flows.other_writers import (
    AREA,
    DAY,
    PEOPLE,
    SPOILED,
    Row,
    World,
    others_change,
    others_spoil,
    serving_registry,
    settle,
)


@pytest.fixture(scope="module")
def registry(server_dir: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[Cache], World]]:
    with serving_registry(server_dir, tmp_path_factory.mktemp("sandbox"), "drift_sandbox") as new_world:
        yield new_world


@pytest.fixture
def world(registry: Callable[[Cache], World], cache: sa.Engine) -> World:
    return registry(Cache(cache, "a secret of these tests"))


@pytest.fixture
def town(world: World) -> World:
    """Four persons and a company, delivered and read back."""
    return settle(world)


def test_exactly_what_others_did_is_found_and_repaired(town: World) -> None:
    others_spoil(town)
    looked = town.look("customers", 1)
    assert (looked.read, dict(looked.kinds), looked.repairs) == (5, dict.fromkeys(SPOILED.values(), 1), 4)
    assert town.open() == SPOILED
    (anna,) = town.means.cache.drifts.open(SYSTEM).filter(pl.col("business_key") == "anna").to_dicts()
    assert anna["differences"] == [["phone", "••••••56", "••••••99"]]
    assert abs(datetime.now(UTC) - anna["registered_at"]) < timedelta(minutes=10)
    assert town.crm_is_fed("customers", "anna")["phone"] == "86123456", "others' content does not reach the CRM"
    report = town.deliver("customers")
    assert (report.repaired, report.created, report.updated, report.failed) == (4, 0, 0, 0)
    assert {name: town.holds("customers", name) for name in PEOPLE} == PEOPLE
    assert (town.read_changed("customers").closed, town.open()) == (4, {})
    assert town.look("customers", 2).kinds == {}


def test_a_deleted_object_comes_back_without_what_it_held_before(town: World) -> None:
    others_change(town, "bo", email="other@example.dk", address_id=str(uuid.uuid4()))
    httpx.delete(town.path("customers", "bo", PERSON)).raise_for_status()
    town.look("customers", 1)
    town.deliver("customers")
    assert town.holds("customers", "bo") == PEOPLE["bo"]


def test_what_others_keep_in_an_adopted_object_is_no_drift_and_outlives_every_repair(world: World) -> None:
    body = to_object("customers", PEOPLE["anna"] | {"phone": "11111111"}, TENANT, PLAIN)
    theirs = {"urn": "urn:arosia_tel:22222222", "virkning": body["relationer"]["adresser"][0]["virkning"]}
    body["relationer"]["adresser"].append(theirs)
    created = httpx.post(f"{world.url}/organisation/bruger", json=body).raise_for_status().json()["uuid"]
    world.ids["anna"] = str(uuid.uuid4())
    row = {"registry_id": created, "entity": "customers", "lora_class": "organisation/bruger", "business_key": "anna"}
    row |= {"object_id": world.ids["anna"], "supply_area": AREA, "superseded": False}
    world.means.cache.adoptions.record(pl.DataFrame([row], schema=ADOPTED), DAY)

    def urns() -> set[str | None]:
        found = world.means.client.read_many("organisation/bruger", [created])[created]["registreringer"][0]
        assert found["livscykluskode"] != "Passiveret"
        return {item.get("urn") for item in found["relationer"]["adresser"]}

    world.deliver("customers", anna=PEOPLE["anna"])
    assert world.read_changed("customers").read == 1
    assert (world.look("customers", 1).kinds, world.open()) == ({}, {})
    assert {theirs["urn"], "urn:tel:86123456"} <= urns()
    path = f"{world.url}/organisation/bruger/{created}"
    spoiled = [
        {**each, "urn": "urn:tel:99999999"} if each.get("urn") == "urn:tel:86123456" else each
        for each in world.means.client.read_many("organisation/bruger", [created])[created]["registreringer"][0][
            "relationer"
        ]["adresser"]
    ]
    for day, (change, kind) in enumerate(
        (({"relationer": {"adresser": spoiled}}, CHANGED), ({"livscyklus": "Passiv"}, PASSIVE)), start=2
    ):
        httpx.patch(path, json=change).raise_for_status()
        looked = world.look("customers", day)
        assert (dict(looked.kinds), looked.repairs) == ({kind: 1}, 1)
        assert world.deliver("customers").repaired == 1
        assert {theirs["urn"], "urn:tel:86123456"} <= urns()
        assert "urn:tel:99999999" not in urns()
        assert (world.read_changed("customers").closed, world.open()) == (1, {})


def test_entities_that_are_left_stay_as_they_are_found_and_feed_the_crm(town: World) -> None:
    town.means = replace(town.means, repaired=frozenset({"customer_roles"}))
    others_spoil(town)
    mark = town.mark()
    assert town.look("customers", 1).repairs == 0
    assert town.deliver("customers").counts() == dict.fromkeys(("created", "updated", "ended", "repaired", "failed"), 0)
    assert set(town.methods(mark)) == {"GET"}
    assert town.open() == SPOILED
    assert town.crm_is_fed("customers", "anna")["phone"] == "99999999"
    assert town.crm_is_fed("customers", "bo")["phone"] == "86123456", "what is gone there stays as it was"
    others_change(town, "anna")
    assert (town.look("customers", 2).closed, set(town.open())) == (1, {"bo", "carla", "bakery"})
    assert order_repairs(town.means, "customers", insist=True) == 3
    assert town.deliver("customers").repaired == 3


def test_an_object_that_did_not_arrive_is_noted_once_and_asked_for_no_more(town: World) -> None:
    town.means = replace(town.means, repaired=frozenset())
    town.deliver("customers", dan=PEOPLE["dan"] | {"phone": "11111111"})
    town.store.delete("lora:organisation/bruger", town.ids["dan"])
    mark = town.mark()
    assert dict(town.read_changed("customers").kinds) == {MISSING: 1}
    assert town.read_changed("customers").read == 0
    assert town.methods(mark) == ["GET"]
    assert town.open() == {"dan": MISSING}
    town.deliver("customers", dan=PEOPLE["dan"])
    assert (town.read_changed("customers").closed, town.open()) == (1, {})


def test_a_war_is_told_and_not_fought_for_ever(town: World) -> None:
    for day in range(1, 4):
        others_change(town, "anna", phone="99999999")
        assert town.look("customers", day).repairs == 1
        assert town.deliver("customers").repaired == 1
        assert town.read_changed("customers").closed == 1
    others_change(town, "anna", phone="99999999")
    looked = town.look("customers", 4)
    assert (dict(looked.kinds), looked.repairs, town.deliver("customers").repaired) == ({CHANGED: 1}, 0, 0)
    town.look("customers", 5)
    assert town.crm_is_fed("customers", "anna")["phone"] == "99999999", "what stays there is what the CRM gets"
    others_change(town, "anna")
    assert town.look("customers", 6).closed == 1
    others_change(town, "anna", phone="99999999")
    assert town.look("customers", 7).repairs == 1, "the count began again"


def test_what_waits_is_no_drift_and_what_arrived_unrecorded_is_told_as_ours(town: World) -> None:
    town.desire("customers", anna=PEOPLE["anna"] | {"phone": "11111111"}, bo=PEOPLE["bo"] | {"phone": "11111111"})
    others_change(town, "bo", phone="11111111")  # as a process does that dies before it records
    looked = town.look("customers", 1)
    assert (dict(looked.kinds), looked.repairs) == ({NEWER: 1}, 0)
    assert town.deliver("customers").updated == 2
    assert (town.read_changed("customers").closed, town.open()) == (1, {})


def test_turns_spread_the_objects_over_the_days(world: World) -> None:
    rows = {f"r{number:02}": RELATION | {"customer_number": f"{number}"} for number in range(10)}
    world.deliver("customer_relations", **rows)
    world.read_changed("customer_relations")
    assert world.look("customer_relations", 0, days=5).read == 0, "all were read today"
    assert [world.look("customer_relations", day, days=5).read for day in range(1, 6)] == [2] * 5
    assert world.look("customer_relations", 9, days=5).read == 8, "those of four days are overdue"


HOUSEHOLD: dict[str, Row] = {
    "customers": PERSON,
    "customer_relations": RELATION,
    "customer_roles": ROLE,
    "installations": INSTALLATION,
    "agreements": AGREEMENT,
}


def test_a_new_household_costs_five_writes_and_an_unchanged_day_nothing(world: World) -> None:
    mark = world.mark()
    before = world.means.client.requests()
    for entity, row in HOUSEHOLD.items():
        world.deliver(entity, **{entity: row})
    assert world.methods(mark) == ["PUT"] * 5, "person, relation, role, installation, agreement; no question before"
    assert sum(world.read_changed(entity).read for entity in HOUSEHOLD) == 5
    assert world.means.client.requests() - before == {"put": 5, "list": 5}
    mark = world.mark()
    for entity, row in HOUSEHOLD.items():
        world.deliver(entity, **{entity: row})
        world.read_changed(entity)
    assert world.methods(mark) == []


def test_every_kind_of_object_is_found_as_it_was_delivered(world: World) -> None:
    for number, (entity, row) in enumerate(EXAMPLES):
        world.deliver(entity, **{f"{entity}{number}": row})
    looks = [world.look(entity, 1) for entity in LORA_CLASSES]
    assert [look.read for look in looks] == [sum(entity == each for each, _ in EXAMPLES) for entity in LORA_CLASSES]
    assert world.open() == {}


def test_reconciliation_and_repair_through_faults(town: World) -> None:
    others_spoil(town)
    town.faults.use(FaultPlan(rate_503=0.1, rate_drop=0.1, rate_timeout_after_commit=0.1, retry_after_s=0.01, seed=3))
    try:
        for _ in range(6):
            with_luck(lambda: town.look("customers", 1))
            town.deliver("customers")
            with_luck(lambda: town.read_changed("customers"))
    finally:
        town.faults.use(FaultPlan())
    town.deliver("customers")
    town.look("customers", 2)
    town.deliver("customers")
    assert {name: town.holds("customers", name) for name in PEOPLE} == PEOPLE
    town.read_changed("customers")
    assert town.open() == {}


def with_luck(act: Callable[[], Looked]) -> None:
    with contextlib.suppress(TransientError):
        act()


def test_an_outage_keeps_what_was_read_before(town: World) -> None:
    town.faults.use(FaultPlan(rate_503=1, retry_after_s=0.01))
    try:
        with pytest.raises(TransientError):
            town.look("customers", 1)
    finally:
        town.faults.use(FaultPlan())
    assert town.open() == {}
    assert town.look("customers", 1).read == 5
