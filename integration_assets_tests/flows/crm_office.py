"""A CRM of the sandbox on loopback in which people work too: what they do, by requests of their own."""

import contextlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import httpx
import polars as pl

from integration_assets.cache.engine import embedded_server_url
from integration_assets.cache.store import Cache
from integration_assets.clients.dynamics import DynamicsClient
from integration_assets.clients.dynamics_auth import FormTokens
from integration_assets.domain.crm.fields import TABLE_FACTS
from integration_assets.domain.crm.tables import STANDARD, CrmMapping
from integration_assets.domain.crm.wire import desired_rows
from integration_assets.flows.crm import LINKS, SYSTEM, deliver_rows, link_sender, row_sender
from integration_assets.flows.crm_drift import Means, look_for_changes
from integration_assets.flows.delivery import DeliveryReport
from integration_assets.flows.drift import Looked
from integration_assets.sandbox import dataverse
from integration_assets.sandbox.faults import Boundary, FaultPlan, Faults
from integration_assets.sandbox.requests import RequestLog
from integration_assets.sandbox.store import Store
from integration_assets.sandbox.systems import SandboxOptions
from integration_assets_tests.clients.wire import FAST
from integration_assets_tests.flows.crm_city import AREA, ORDER
from integration_assets_tests.sandbox.loopback import running

CLIENT_ID, SECRET = "66666666-6666-4666-8666-666666666666", "a secret"
DAY = date(2026, 3, 1)


@dataclass
class Office:
    """An organisation, what it was asked (`log`), and the product's side of it."""

    url: str
    store: Store
    log: RequestLog
    client: DynamicsClient
    cache: Cache
    by: CrmMapping = STANDARD
    repaired: frozenset[str] = frozenset(TABLE_FACTS)
    repair_limit: int = 3
    http: httpx.Client = field(init=False)

    def __post_init__(self) -> None:
        form = {"grant_type": "client_credentials", "client_id": CLIENT_ID, "client_secret": SECRET}
        answer = httpx.post(f"{self.url}/oauth2/token", data=form | {"scope": f"{self.url}/.default"})
        token = answer.raise_for_status().json()["access_token"]
        self.http = httpx.Client(
            base_url=f"{self.url}/api/data/v9.2/", headers={"Authorization": f"Bearer {token}"}, timeout=30
        )

    # People

    def do(self, method: str, path: str, body: Mapping[str, Any] | None = None) -> httpx.Response:
        return self.http.request(method, path, json=None if body is None else dict(body)).raise_for_status()

    def rows(self, set_name: str) -> list[dict[str, Any]]:
        return self.do("GET", set_name).json()["value"]

    def row(self, set_name: str, row_id: str) -> dict[str, Any]:
        return self.do("GET", f"{set_name}({row_id})").json()

    def linked(self, agreement: str) -> set[str]:
        found = self.do("GET", f"ava_aftales({agreement})/ava_aktoerens_aftaler?$select=contactid").json()["value"]
        return {row["contactid"] for row in found}

    # We

    def state(self, frames: Mapping[str, pl.DataFrame]) -> None:
        for entity, frame in frames.items():
            self.cache.deliveries.desire(SYSTEM, entity, self.desired(entity, frame))

    def desired(self, entity: str, frame: pl.DataFrame) -> pl.DataFrame:
        """Rows of a city as an asset desires them under the mapping in force."""
        if entity == LINKS:
            return frame
        return desired_rows(entity, frame.rename({"object_id": TABLE_FACTS[entity].primary_id}), self.by)

    def deliver(self) -> DeliveryReport:
        report, adoptions = DeliveryReport(), self.cache.row_adoptions
        for entity in ORDER:
            send = (
                link_sender(self.client, adoptions=adoptions)
                if entity == LINKS
                else row_sender(self.client, entity, self.by, adoptions=adoptions)
            )
            report.add(deliver_rows(self.cache.deliveries, self.client, entity, send, [AREA]))
        return report

    def look(self, day: int = 1, *, everything: bool = False, repair: bool = True) -> Looked:
        """A look at all tables on a day."""
        means = Means(self.cache, self.client, self.by, DAY + timedelta(days=day), self.repaired, self.repair_limit)
        total = Looked()
        for entity in TABLE_FACTS:
            looked = look_for_changes(means, entity, everything=everything, repair=repair)
            total.read += looked.read
            total.kinds.update(looked.kinds)
            total.closed += looked.closed
            total.repairs += looked.repairs
        return total

    def open(self) -> dict[tuple[str, str], str]:
        """The kinds of open drift by entity and id of ours."""
        found = self.cache.drifts.open(SYSTEM).select("entity", "object_id", "kind")
        return {(entity, key): kind for entity, key, kind in found.iter_rows()}

    def mark(self) -> int:
        return max((entry["n"] for entry in self.log.since()), default=0)

    def requests(self, since: int = 0) -> list[tuple[str, str]]:
        """Method and path, below the root of the API, of what was asked of the organisation."""
        return [
            (entry["method"], entry["path"].removeprefix("/api/data/v9.2/"))
            for entry in self.log.since(since)
            if entry["kind"] != "token"
        ]


@contextlib.contextmanager
def serving_office(server_dir: Path, database: str) -> Iterator[tuple[str, Store, RequestLog, Faults]]:
    """Serves an organisation; its address, store, log and faults."""
    store = Store(embedded_server_url(server_dir, database))
    options = SandboxOptions(
        data_dir=Path("unused"), settings={"crm_client_id": CLIENT_ID, "crm_client_secret": SECRET}
    )
    log, faults = RequestLog(), Faults(FaultPlan())
    with running(Boundary(dataverse.build(store, options), "dataverse", faults, log)) as url:
        yield url, store, log, faults
    store.close()


@contextlib.contextmanager
def opened_office(url: str, store: Store, log: RequestLog, cache: Cache) -> Iterator[Office]:
    """An empty organisation with our side of it."""
    store.clear()
    log.clear()
    client = DynamicsClient(
        url, FormTokens(f"{url}/oauth2/token", CLIENT_ID, SECRET, f"{url}/.default", policy=FAST), policy=FAST
    )
    office = Office(url, store, log, client, cache)
    try:
        yield office
    finally:
        office.http.close()
        client.close()
