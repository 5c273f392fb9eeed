"""A registry of the sandbox on loopback with objects of ours, and other writers in it."""

import contextlib
import uuid
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import httpx
import polars as pl

from integration_assets.cache.claims import Delivery
from integration_assets.cache.engine import embedded_server_url
from integration_assets.cache.store import Cache
from integration_assets.clients.lora import LoraClient
from integration_assets.domain.registry.drift import CHANGED, DELETED, MISSING, PASSIVE
from integration_assets.domain.registry.objects import LORA_CLASSES, from_object, lora_class
from integration_assets.domain.tables import REGISTRY_ROWS
from integration_assets.flows.delivery import DeliveryReport, deliver, registry_sender
from integration_assets.flows.drift import Looked, Means, look_by_turn
from integration_assets.flows.read_back import read_changed
from integration_assets.flows.registry import SYSTEM
from integration_assets.sandbox import lora
from integration_assets.sandbox.faults import Boundary, FaultPlan, Faults
from integration_assets.sandbox.requests import RequestLog
from integration_assets.sandbox.store import Store
from integration_assets.sandbox.systems import SandboxOptions
from integration_assets_tests.clients.wire import FAST
from integration_assets_tests.domain.registry_rows import COMPANY, PERSON, TENANT
from integration_assets_tests.sandbox.loopback import running

AREA = "5000"
DAY = date(2026, 3, 1)
Row = dict[str, Any]

PEOPLE = {name: PERSON | {"user_key": name} for name in ("anna", "bo", "carla", "dan")} | {"bakery": COMPANY}

SPOILED = {"anna": CHANGED, "bo": DELETED, "carla": PASSIVE, "bakery": MISSING}
"""What `others_spoil` does, by kind of drift."""


@dataclass
class World:
    """A registry with objects of ours, and the cache that delivered them. `ids` by names that the tests give."""

    url: str
    store: Store
    log: RequestLog
    faults: Faults
    means: Means
    ids: dict[str, str] = field(default_factory=dict)

    def deliver(self, entity: str, **rows: Row) -> DeliveryReport:
        """Desires rows by name and delivers all that is due of the entity."""
        self.desire(entity, **rows)
        with ThreadPoolExecutor(4) as pool:
            send = registry_sender(self.means.client, entity, TENANT, pool, adoptions=self.means.cache.adoptions)
            return deliver(self.means.cache.deliveries, SYSTEM, entity, send, workers=pool)

    def desire(self, entity: str, **rows: Row) -> None:
        """States what should stand there."""
        if rows:
            named = [
                {"object_id": self.ids.setdefault(name, str(uuid.uuid4())), "business_key": name, "supply_area": AREA}
                for name in rows
            ]
            frame = pl.DataFrame(
                [{**key, **row} for key, row in zip(named, rows.values(), strict=True)], infer_schema_length=None
            )
            self.means.cache.deliveries.desire(SYSTEM, entity, frame)

    def read_changed(self, entity: str) -> Looked:
        return read_changed(self.means, entity, [AREA])

    def look(self, entity: str, day: int, *, days: int | None = None) -> Looked:
        """A look by turn on a day."""
        return look_by_turn(replace(self.means, as_of=DAY + timedelta(days=day)), entity, days)

    def open(self) -> dict[str, str]:
        """The kinds of open drift by name."""
        return dict(self.means.cache.drifts.open(SYSTEM).select("business_key", "kind").iter_rows())

    def path(self, entity: str, name: str, row: Mapping[str, Any]) -> str:
        return f"{self.url}/{lora_class(entity, row)}/{self.ids[name]}"

    def holds(self, entity: str, name: str) -> Row | None:
        """The row that the registry shows; None where it shows no living object."""
        for of_class in LORA_CLASSES[entity]:
            found = self.means.client.read_many(of_class, [self.ids[name]]).get(self.ids[name])
            if found is not None and found["registreringer"][0]["livscykluskode"] != "Passiveret":
                return from_object(entity, found)
        return None

    def crm_is_fed(self, entity: str, name: str) -> Row:
        """What was found last, which the CRM's rows are made of."""
        found = self.means.cache.deliveries.found(SYSTEM, entity, [AREA], REGISTRY_ROWS[entity])
        (row,) = found.filter(pl.col("business_key") == name).to_dicts()
        return row

    def methods(self, since: int = 0) -> list[str]:
        return [entry["method"] for entry in self.log.since(since)]

    def mark(self) -> int:
        return max((entry["n"] for entry in self.log.since()), default=0)


@contextlib.contextmanager
def serving_registry(server_dir: Path, folder: Path, database: str) -> Iterator[Callable[[Cache], World]]:
    """Serves a registry; gives the worlds of caches that deliver to it."""
    store = Store(embedded_server_url(server_dir, database))
    log, faults = RequestLog(), Faults(FaultPlan())
    app = lora.build(store, SandboxOptions(data_dir=folder))
    with running(Boundary(app, "lora", faults, log)) as url:
        client = LoraClient(url, policy=FAST)
        everything = frozenset(LORA_CLASSES)
        yield lambda cache: World(url, store, log, faults, Means(cache, client, TENANT, DAY, 4, everything, 3))


def settle(world: World) -> World:
    """Delivers four persons and a company and reads them back."""
    assert world.deliver("customers", **PEOPLE).created == 5
    looked = world.read_changed("customers")
    assert (looked.read, looked.kinds) == (5, {})
    return world


def others_change(world: World, name: str, entity: str = "customers", **fields: Any) -> None:
    """Another writer puts an object with other fields."""
    row = PEOPLE[name] | fields
    with ThreadPoolExecutor(1) as pool:
        send = registry_sender(world.means.client, entity, TENANT, pool)
        assert send([Delivery(world.ids[name], name, row, None, 0)])[0].ok


def others_spoil(world: World) -> None:
    """Anna is changed, Bo deleted, Carla made passive, the bakery gone altogether; Dan is left alone."""
    others_change(world, "anna", phone="99999999")
    httpx.delete(world.path("customers", "bo", PERSON)).raise_for_status()
    httpx.patch(world.path("customers", "carla", PERSON), json={"livscyklus": "Passiv"}).raise_for_status()
    world.store.delete("lora:organisation/organisation", world.ids["bakery"])
