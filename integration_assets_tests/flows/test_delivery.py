"""Registry rows sent to the sandbox's registry, plain and with AVA's own fields: what stands there afterwards."""

import uuid
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import httpx
import pytest

from integration_assets.cache.claims import Delivery, Outcome
from integration_assets.cache.engine import embedded_server_url
from integration_assets.clients.http import NotAllowedError
from integration_assets.clients.lora import LoraClient
from integration_assets.domain.registry.content import same_content
from integration_assets.domain.registry.dialect import EXTENDED, NEEDED, PLAIN, Dialect, UnfitRegistry, dialect_of
from integration_assets.domain.registry.objects import LORA_CLASSES, from_object, lora_class, to_object
from integration_assets.flows.delivery import registry_sender
from integration_assets.sandbox import lora
from integration_assets.sandbox.store import Store
from integration_assets.sandbox.systems import SandboxOptions
from integration_assets_tests.clients.wire import FAST, Reply, Script, Seen, serving
from integration_assets_tests.domain.registry_rows import COMPANY, EXAMPLES, INSTALLATION, MOVED, PERSON, PLACED, TENANT
from integration_assets_tests.sandbox.loopback import running

Row = dict[str, Any]


@dataclass(frozen=True)
class Registry:
    """A running registry, and a client of it."""

    url: str
    client: LoraClient

    def send(
        self, entity: str, rows: Sequence[Delivery], *, dialect: Dialect | None = None, revives: bool = False
    ) -> list[Outcome]:
        def learned() -> Dialect:
            return dialect or dialect_of(self.client.served(NEEDED))

        with ThreadPoolExecutor(4) as pool:
            return registry_sender(self.client, entity, TENANT, pool, dialect=learned, revives=revives)(rows)

    def read(self, entity: str, object_id: str) -> Row:
        found = [self.client.read_many(name, [object_id]) for name in LORA_CLASSES[entity]]
        return next(objects[object_id] for objects in found if objects)


def new(row: Row, object_id: str | None = None) -> Delivery:
    return Delivery(object_id or str(uuid.uuid4()), "1001", row, None, 0)


@pytest.fixture(scope="module")
def store(server_dir: Path) -> Store:
    return Store(embedded_server_url(server_dir, "delivery_sandbox"))


@pytest.fixture(scope="module")
def options(tmp_path_factory: pytest.TempPathFactory) -> SandboxOptions:
    return SandboxOptions(data_dir=tmp_path_factory.mktemp("sandbox"))


@pytest.fixture(scope="module", params=[False, True], ids=["plain", "extended"])
def registry(request: pytest.FixtureRequest, store: Store, options: SandboxOptions) -> Iterator[Registry]:
    with running(lora.build(store, replace(options, lora_extension_fields=request.param))) as url:
        yield Registry(url, LoraClient(url, policy=FAST))


def test_every_kind_of_row_stands_there_as_it_was_sent(registry: Registry) -> None:
    dialect = dialect_of(registry.client.served(NEEDED))
    for entity, row in EXAMPLES:
        sent = new(row)
        assert registry.send(entity, [sent]) == [Outcome(sent.object_id, ok=True, external_ref=sent.object_id)]
        found = registry.read(entity, sent.object_id)
        assert from_object(entity, found) == row
        assert same_content(to_object(entity, row, TENANT, dialect), found)


def test_a_history_that_grows_and_is_corrected_stands_there_as_it_was_sent_last(registry: Registry) -> None:
    """The place of an installation is a relation of one item in a registry with AVA's fields: PUT and PATCH."""
    object_id = str(uuid.uuid4())
    for row in (INSTALLATION, PLACED, PLACED, PLACED | {"history": []}, PLACED):
        assert registry.send("installations", [new(row, object_id)])[0].ok
        assert from_object("installations", registry.read("installations", object_id)) == row


def test_the_dialect_is_that_of_the_registry(registry: Registry, request: pytest.FixtureRequest) -> None:
    extended = "extended" in request.node.callspec.id
    sent = new(PERSON)
    registry.send("customers", [sent])
    (attributes,) = registry.read("customers", sent.object_id)["registreringer"][0]["attributter"]["brugeregenskaber"]
    assert attributes.get("ava_koen") == ("K" if extended else None)
    assert ("ava_koen" in attributes["integrationsdata"]) is not extended


def test_a_registry_may_be_changed_over(store: Store, options: SandboxOptions) -> None:
    with running(lora.build(store, options)) as url:
        sent = [(entity, new(row)) for entity, row in EXAMPLES]
        for entity, row in sent:
            Registry(url, LoraClient(url, policy=FAST)).send(entity, [row])
    with running(lora.build(store, replace(options, lora_extension_fields=True))) as url:
        registry = Registry(url, LoraClient(url, policy=FAST))
        for entity, row in sent:
            assert from_object(entity, registry.read(entity, row.object_id)) == row.desired
            assert registry.send(entity, [row])[0].ok
            found = registry.read(entity, row.object_id)
            assert from_object(entity, found) == row.desired
            assert same_content(to_object(entity, row.desired, TENANT, EXTENDED), found)


def test_objects_that_were_ended_there_come_back_as_they_should_be(registry: Registry) -> None:
    rows = [new(PERSON), new(COMPANY), new(PERSON)]
    registry.send("customers", rows)
    paths = [f"{registry.url}/{lora_class('customers', row.desired)}/{row.object_id}" for row in rows]
    httpx.delete(paths[0]).raise_for_status()
    httpx.patch(paths[1], json={"livscyklus": "Passiv"}).raise_for_status()
    bare = PERSON | {"phone": None, "mobile": None, "email": None, "address_id": None, "ended_on": "2024-01-01"}
    again = [new(bare, rows[0].object_id), new(MOVED, rows[1].object_id), new(bare, rows[2].object_id)]
    assert all(outcome.ok for outcome in registry.send("customers", again, revives=True))
    for row in again:
        found = registry.read("customers", row.object_id)
        assert from_object("customers", found) == row.desired
        assert "adresser" not in found["registreringer"][0]["relationer"] or row.desired is MOVED


def wire(script: Script, sending: Callable[[Registry], list[Outcome]]) -> tuple[list[Outcome], list[tuple[str, str]]]:
    with serving(script) as server:
        outcomes = sending(Registry(server.url, LoraClient(server.url, policy=FAST)))
        return outcomes, [(seen.method, seen.path.rpartition("/")[0]) for seen in server.seen]


def done(_seen: Seen) -> Reply:
    return Reply(200, {"results": []})


def test_a_first_load_costs_one_write_for_each_object_and_no_question() -> None:
    rows = [new(PERSON) for _ in range(5)]
    _, requests = wire(done, lambda registry: registry.send("customers", rows, dialect=PLAIN))
    assert requests == [("PUT", "/organisation/bruger")] * 5


def test_only_objects_that_are_new_to_us_are_asked_about() -> None:
    known = replace(new(PERSON), delivered=PERSON)
    rows = [known, *(new(PERSON) for _ in range(90)), new(COMPANY)]
    _, requests = wire(done, lambda registry: registry.send("customers", rows, dialect=PLAIN, revives=True))
    assert requests[:2] == [("GET", "/organisation")] * 2
    assert [method for method, _ in requests[2:]] == ["PUT"] * 92


def test_a_registry_that_cannot_hold_our_objects_gets_none() -> None:
    def answer(seen: Seen) -> Reply:
        return Reply(200, {"site-map": ["/organisation/bruger"]} if seen.path == "/site-map" else FIELDS)

    with serving(answer) as server, pytest.raises(UnfitRegistry, match="indsats/indsats"):
        Registry(server.url, LoraClient(server.url, policy=FAST)).send("customers", [new(PERSON)])
    assert {seen.method for seen in server.seen} == {"GET"}


FIELDS: Row = {"attributter": {"egenskaber": []}, "relationer_nul_til_en": [], "relationer_nul_til_mange": []}


@pytest.mark.parametrize("revives", [False, True])
def test_a_registry_that_is_away_is_tried_again_soon(revives: bool) -> None:
    rows = [new(PERSON), new(COMPANY)]
    outcomes, _ = wire(
        lambda _seen: Reply(503),
        lambda registry: registry.send("customers", rows, dialect=PLAIN if revives else None, revives=revives),
    )
    assert [(outcome.ok, outcome.permanent, outcome.error_code) for outcome in outcomes] == [(False, False, "503")] * 2


def test_one_refused_object_leaves_the_others_alone() -> None:
    rows = [new(PERSON), new(PERSON), new(PERSON | {"last_name": "x" * 3000})]

    def answer(seen: Seen) -> Reply:
        return Reply(400, {"message": "too short"}) if rows[0].object_id in seen.path else Reply(200, {})

    outcomes, requests = wire(answer, lambda registry: registry.send("customers", rows, dialect=EXTENDED))
    assert [(outcome.ok, outcome.permanent, outcome.error_code) for outcome in outcomes] == [
        (False, True, "400"),
        (True, False, None),
        (False, True, "not_sendable"),
    ]
    assert len(requests) == 2


def test_a_registry_that_does_not_let_us_in_ends_the_delivery() -> None:
    with pytest.raises(NotAllowedError, match="lora_token"):
        wire(
            lambda _seen: Reply(401, {"message": "No Authorization header present"}),
            lambda registry: registry.send("customers", [new(PERSON) for _ in range(40)], dialect=PLAIN),
        )


def test_a_clash_of_writers_is_tried_again_soon() -> None:
    clash = Reply(400, {"message": "ERROR:  Invalid life cycle transition\nCONTEXT:  PL/pgSQL", "context": [None]})
    (outcome,), _ = wire(lambda _seen: clash, lambda registry: registry.send("customers", [new(PERSON)], dialect=PLAIN))
    assert (outcome.ok, outcome.permanent, outcome.error_code) == (False, False, "concurrent_writer")
