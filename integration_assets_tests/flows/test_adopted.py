"""Objects of an adopted registry written and read by our own ids: the sandbox's registry, a real cache."""

import json
import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import httpx
import polars as pl
import pytest
import sqlalchemy as sa

from integration_assets.cache.adoptions import Adoptions
from integration_assets.cache.claims import Delivery, Outcome
from integration_assets.cache.engine import embedded_server_url
from integration_assets.cache.store import Cache
from integration_assets.clients.lora import LoraClient
from integration_assets.domain.registry.adoption import ADOPTED
from integration_assets.domain.registry.content import ENDED, same_content
from integration_assets.domain.registry.dialect import PLAIN
from integration_assets.domain.registry.objects import from_object, to_object
from integration_assets.domain.source import REJECTIONS
from integration_assets.flows.adopted import AdoptedReader
from integration_assets.flows.adoption import read_registry
from integration_assets.flows.delivery import registry_sender
from integration_assets.flows.registry import desired_superseded, withdraw_superseded
from integration_assets.flows.superseding import superseded_sender
from integration_assets.sandbox import lora
from integration_assets.sandbox.original_bodies import Bodies
from integration_assets.sandbox.store import Store
from integration_assets.sandbox.systems import SandboxOptions
from integration_assets_tests.clients.wire import FAST, Reply, Seen, serving
from integration_assets_tests.domain.registry_rows import PERSON, RELATION, ROLE, TENANT
from integration_assets_tests.sandbox.loopback import running

Json = dict[str, Any]
BODIES = Bodies(TENANT.organisation, TENANT.actor, extended=False)
SINCE = "2018-03-01 04:00:12.5+00"
BRUGER, RELATION_CLASS = "organisation/bruger", "organisation/interessefaellesskab"
ROLE_CLASS = "organisation/organisationfunktion"
OPEN: Json = RELATION | {"valid_to": None}


@dataclass(frozen=True)
class Registry:
    """A running registry with a cross reference."""

    url: str
    client: LoraClient
    adoptions: Adoptions

    def create(self, of_class: str, body: Json) -> str:
        answer = httpx.post(f"{self.url}/{of_class}", json=body).raise_for_status()
        return str(answer.json()["uuid"])

    def adopt(self, object_id: str, registry_id: str, entity: str = "customers", *, superseded: bool = False) -> None:
        row = {
            "registry_id": registry_id, "entity": entity, "lora_class": BRUGER, "object_id": object_id,
            "business_key": "1001", "supply_area": "8000", "superseded": superseded,
        }  # fmt: skip
        self.adoptions.record(pl.DataFrame([row], schema=ADOPTED), date(2026, 3, 1))

    def send(self, entity: str, *rows: Delivery, revives: bool = False) -> list[Outcome]:
        with ThreadPoolExecutor(2) as pool:
            send = registry_sender(
                self.client, entity, TENANT, pool, dialect=lambda: PLAIN, revives=revives, adoptions=self.adoptions
            )
            return send(rows)

    def history(self, of_class: str, registry_id: str) -> list[Json]:
        window = {"virkningfra": "-infinity", "virkningtil": "infinity"}
        window |= {"registreretfra": "-infinity", "registrerettil": "infinity"}
        answer = httpx.get(f"{self.url}/{of_class}/{registry_id}", params=window).raise_for_status().json()
        registrations: list[Json] = answer[registry_id][0]["registreringer"]
        return registrations


@pytest.fixture(scope="module")
def lora_url(server_dir: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    store = Store(embedded_server_url(server_dir, "adopted_sandbox"))
    with running(lora.build(store, SandboxOptions(data_dir=tmp_path_factory.mktemp("sandbox")))) as url:
        yield url


@pytest.fixture
def registry(lora_url: str, cache: sa.Engine) -> Registry:
    return Registry(lora_url, LoraClient(lora_url, policy=FAST), Adoptions(cache))


def new(row: Json) -> Delivery:
    return Delivery(str(uuid.uuid4()), "1001", row, None, 0)


def person(addresses: list[Json] | None = None) -> Json:
    """A bruger as the first integration made it."""
    return BODIES.person(SINCE, "0101701234", {"brugervendtnoegle": "1001", "brugernavn": "A"}, {}, addresses or [])


def test_an_object_is_written_under_its_own_uuid_and_so_are_all_that_it_refers_to(registry: Registry) -> None:
    party, relation = new(PERSON), new(OPEN)
    role = new(ROLE | {"party_id": party.object_id, "relation_id": relation.object_id})
    found = {
        party.object_id: registry.create(BRUGER, person()),
        relation.object_id: registry.create(RELATION_CLASS, BODIES.relation(SINCE, 1001, "Vej 1", None)),
    }
    for object_id, registry_id in found.items():
        registry.adopt(object_id, registry_id)
    outcomes = [*registry.send("customers", party), *registry.send("customer_relations", relation)]
    assert [outcome.external_ref for outcome in outcomes] == list(found.values())
    # The role was never there before: it is new, under its computed id, and leads to adopted objects.
    assert registry.send("customer_roles", role)[0].external_ref == role.object_id
    (current, *_) = registry.history(ROLE_CLASS, role.object_id)
    assert [item["uuid"] for item in current["relationer"]["tilknyttedebrugere"]] == [found[party.object_id]]
    assert not registry.client.read_many(BRUGER, [party.object_id]), "nothing stands under the computed id"

    reader = AdoptedReader(registry.client, registry.adoptions)
    assert from_object("customers", reader.read_many(BRUGER, [party.object_id])[party.object_id]) == PERSON
    read = reader.read_many(ROLE_CLASS, [role.object_id])[role.object_id]
    assert from_object("customer_roles", read) == role.desired


def test_a_reference_to_a_superseded_object_is_read_as_one_to_who_stands_for_it(registry: Registry) -> None:
    party, copy, relation = str(uuid.uuid4()), str(uuid.uuid4()), str(uuid.uuid4())
    registry.adopt(party, str(uuid.uuid4()))
    registry.adopt(party, copy, superseded=True)
    role = registry.create(ROLE_CLASS, BODIES.role(SINCE, "915240004", copy, relation))
    read = AdoptedReader(registry.client, registry.adoptions).read_many(ROLE_CLASS, [role])[role]
    assert from_object("customer_roles", read)["party_id"] == party


def test_what_others_put_there_stays_and_what_is_ours_is_put_right(registry: Registry) -> None:
    urns = [{"urn": "urn:tel:11111111"}, {"urn": "urn:arosia_tel:22222222"}]
    registry_id = registry.create(BRUGER, person(urns))
    virkning = BODIES.virkning(SINCE)
    data = {"integrationsdata": '{"arosia_rute":"4","ava_masterid":"0"}', "virkning": virkning}
    system = {"urn": "urn:arosia:9", "virkning": virkning}
    added = {"attributter": {"brugeregenskaber": [data]}, "relationer": {"tilknyttedeitsystemer": [system]}}
    httpx.patch(f"{registry.url}/{BRUGER}/{registry_id}", json=added).raise_for_status()
    sent = new(PERSON)
    registry.adopt(sent.object_id, registry_id)
    assert registry.send("customers", sent)[0].ok

    reader = AdoptedReader(registry.client, registry.adoptions)
    found = reader.read_many(BRUGER, [sent.object_id])[sent.object_id]
    assert from_object("customers", found) == PERSON
    assert same_content(to_object("customers", PERSON, TENANT, PLAIN), found), "no difference from what was delivered"
    found = registry.client.read_many(BRUGER, [registry_id])[registry_id]
    relations = found["registreringer"][0]["relationer"]
    assert [item["urn"] for item in relations["tilknyttedeitsystemer"]] == ["urn:arosia:9"]
    urns_now = {item.get("urn") for item in relations["adresser"]}
    assert "urn:arosia_tel:22222222" in urns_now
    assert "urn:tel:11111111" not in urns_now
    last = max(
        found["registreringer"][0]["attributter"]["brugeregenskaber"],
        key=lambda piece: piece["virkning"]["from"][:1] != "-",
    )
    assert json.loads(last["integrationsdata"])["arosia_rute"] == "4"
    assert json.loads(last["integrationsdata"])["ava_masterid"] == "77"


def test_an_object_that_holds_everything_already_is_not_written(registry: Registry) -> None:
    registry_id = registry.create(BRUGER, person([{"urn": "urn:arosia_tel:22222222"}]))
    sent = new(PERSON)
    registry.adopt(sent.object_id, registry_id)
    registry.send("customers", sent)
    before = registry.history(BRUGER, registry_id)
    assert registry.send("customers", sent) == [Outcome(sent.object_id, ok=True, external_ref=registry_id)]
    assert registry.history(BRUGER, registry_id) == before


@pytest.mark.parametrize("state", ["deleted", "passive", "live"])
def test_an_adopted_object_that_somebody_ended_comes_back_with_what_others_keep_there(
    registry: Registry, state: str
) -> None:
    """Also when whoever ordered the delivery took it for ended, and it is not (any more)."""
    urns = [{"urn": "urn:mobile:11111111"}, {"urn": "urn:arosia_tel:22222222"}]
    registry_id = registry.create(BRUGER, person(urns))
    path = f"{registry.url}/{BRUGER}/{registry_id}"
    if state == "deleted":
        httpx.delete(path).raise_for_status()
    elif state == "passive":
        httpx.patch(path, json={"livscyklus": "Passiv"}).raise_for_status()
    row = PERSON | {"mobile": None}
    sent = Delivery(str(uuid.uuid4()), "1001", row, row, 0, revive=True)
    registry.adopt(sent.object_id, registry_id)
    assert registry.send("customers", sent)[0].ok
    reader = AdoptedReader(registry.client, registry.adoptions)
    assert from_object("customers", reader.read_many(BRUGER, [sent.object_id])[sent.object_id]) == sent.desired
    (current, *_) = registry.history(BRUGER, registry_id)
    assert current["livscykluskode"] not in ENDED
    urns_now = {item.get("urn") for item in current["relationer"]["adresser"]}
    assert "urn:arosia_tel:22222222" in urns_now
    assert "urn:mobile:11111111" not in urns_now


def test_an_adopted_object_is_read_once_and_not_asked_for_by_our_id(registry: Registry) -> None:
    sent = new(PERSON)
    registry.adopt(sent.object_id, registry.create(BRUGER, person()))
    before = registry.client.requests()
    registry.send("customers", sent, revives=True)
    assert registry.client.requests() - before == {"list": 1, "put": 1}


def test_a_registry_that_was_not_adopted_is_asked_nothing(cache: sa.Engine) -> None:
    def done(_seen: Seen) -> Reply:
        return Reply(200, {})

    with serving(done) as server:
        untouched = Registry(server.url, LoraClient(server.url, policy=FAST), Adoptions(cache))
        untouched.send("customers", *(new(PERSON) for _ in range(3)))
    assert [seen.method for seen in server.seen] == ["PUT"] * 3


def test_superseded_objects_become_inactive_and_keep_what_they_say(registry: Registry) -> None:
    urns = [{"urn": "urn:tel:11111111"}, {"urn": "urn:arosia_tel:22222222"}]
    copies = [registry.create(BRUGER, person(urns)) for _ in range(3)]
    httpx.delete(f"{registry.url}/{BRUGER}/{copies[2]}").raise_for_status()
    deleted = registry.client.read_many(BRUGER, copies[2:], ended=True)
    before = [registry.history(BRUGER, each) for each in copies[:2]]
    desired = {"entity": "customers", "lora_class": BRUGER, "ended_on": "2026-03-01"}
    rows = [Delivery(each, "1001", desired, None, 0) for each in copies]
    with ThreadPoolExecutor(2) as pool:
        send = superseded_sender(registry.client, TENANT, pool)
        assert all(outcome.ok for outcome in send(rows))
        after = [registry.history(BRUGER, each) for each in copies[:2]]
        assert all(outcome.ok for outcome in send(rows)), "what has ended is left alone"
    assert [registry.history(BRUGER, each) for each in copies[:2]] == after
    assert deleted[copies[2]]["registreringer"][0]["livscykluskode"] == "Slettet"
    assert registry.client.read_many(BRUGER, copies[2:], ended=True) == deleted
    for (current, *_), (original, *_) in zip(after, before, strict=True):
        states = {(item["gyldighed"], item["virkning"]["to"][:10]) for item in current["tilstande"]["brugergyldighed"]}
        assert states == {("Aktiv", "2026-02-28"), ("Inaktiv", "infinity")}, "midnight in Copenhagen, told in UTC"
        assert {item["urn"] for item in current["relationer"]["adresser"]} == {item["urn"] for item in urns}
        assert current["relationer"] == original["relationer"]
        assert current["attributter"] == original["attributter"]


def test_what_is_not_to_end_any_more_is_not_ended_by_a_later_try(cache: sa.Engine) -> None:
    """A role that nobody had waits to be ended; then KMD EE names it."""
    store = Cache(cache, "a secret of these tests")
    keys = {"entity": "customer_roles", "lora_class": ROLE_CLASS, "superseded": False, "supply_area": "8000"}
    relation = {"entity": "customer_relations"}
    adopted = [
        {**keys, "registry_id": name, "object_id": name.lower(), "business_key": "1001", **more}
        for name, more in (
            ("R", relation),
            ("R2", {**relation, "object_id": "r", "superseded": True}),
            ("A", {}),
            ("B", {}),
        )
    ]
    store.adoptions.record(pl.DataFrame(adopted, schema=ADOPTED), date(2026, 3, 1))

    def desire(entity: str, object_id: str) -> None:
        row = {"object_id": object_id, "business_key": "1001", "supply_area": "8000", "name": "x"}
        store.deliveries.desire("lora", entity, pl.DataFrame([row]))

    def due() -> list[str]:
        rows = desired_superseded(store, ["8000"], rejections=pl.DataFrame(schema=REJECTIONS))
        withdraw_superseded(store, ["8000"], rows)
        store.deliveries.desire("lora", "superseded", rows)
        with store.deliveries.claim("lora", "superseded", 10, datetime.now(UTC), areas=["8000"]) as claim:
            return sorted(row.object_id for row in claim.rows)

    desire("customer_relations", "r")
    assert due() == ["A", "B"]
    desire("customer_roles", "a")
    assert due() == ["B"], "R2 goes on until R was written"
    planned = desired_superseded(store, ["8000"], rejections=pl.DataFrame(schema=REJECTIONS), soon=["r", "a"])
    assert sorted(planned["object_id"]) == ["B", "R2"], "a plan takes for delivered what its run delivers"
    with store.deliveries.claim("lora", "customer_relations", 10, datetime.now(UTC)) as claim:
        claim.record([Outcome("r", ok=True)])
    assert due() == ["B", "R2"]


def test_the_registry_is_read_whole_and_strangers_are_left_out(registry: Registry) -> None:
    theirs = Bodies(str(uuid.uuid4()), TENANT.actor, extended=False, utility="Affald")
    waste = Bodies(TENANT.organisation, TENANT.actor, extended=False, utility="Affald")
    made: dict[str, list[str]] = {}
    for name, bodies in (("ours", BODIES), ("theirs", theirs), ("waste", waste)):
        relation = registry.create(RELATION_CLASS, bodies.relation(SINCE, 1001, "Vej 1", None))
        meter = [1, "600", "qp", "K", "2015-01-01", None]
        made[name] = [
            relation,
            registry.create(ROLE_CLASS, bodies.role(SINCE, "915240004", None, relation)),
            registry.create("klassifikation/klasse", bodies.installation(meter, 4711, None)),
            registry.create("indsats/indsats", bodies.agreement(SINCE, "2016-04-01", [], [], relation, None)),
        ]
    found = read_registry(registry.client, TENANT.organisation, "Varme")
    read = {
        each
        for entity in ("customer_relations", "customer_roles", "installations", "agreements")
        for each in found.of(entity)["registry_id"]
    }
    assert set(made["ours"]) <= read
    assert not read & {*made["theirs"], *made["waste"]}
