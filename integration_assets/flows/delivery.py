"""Sends what is desired and not yet delivered, and records the outcome of each object.

A delivery can be repeated at any time: object ids are ours, a registry write replaces the whole object, a CRM write is
an upsert. Rows are claimed inside an open transaction, so that two runs never send the same object at once and a killed
run gives its rows back.
"""

import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from datetime import UTC, datetime

from integration_assets.cache.adoptions import Adoptions
from integration_assets.cache.deliveries import Claim, Deliveries, Delivery, Outcome
from integration_assets.clients.http import (
    NOT_SENT,
    UNREACHABLE,
    CallError,
    NotAllowedError,
    PermanentError,
    TransientError,
)
from integration_assets.clients.lora import LoraClient
from integration_assets.domain.registry.dialect import PLAIN, Dialect
from integration_assets.domain.registry.objects import Tenant, lora_class, to_object
from integration_assets.flows.adopted import AdoptedBatch, Body
from integration_assets.flows.pipeline import Pipeline, Send

CLAIM_ROWS = 400
BUSY_PAUSE_SECONDS = 0.05
BUSY_LIMIT_SECONDS = 60.0
_AWAY = frozenset({UNREACHABLE, "503"})
"""Error codes of a system that is away. A time-out is none of them: a smaller batch may get through."""


@dataclass
class DeliveryReport:
    """What one delivery did: objects created, updated, ended (updates that close an open object), repaired (delivered
    again as they were) and failed."""

    created: int = 0
    updated: int = 0
    ended: int = 0
    repaired: int = 0
    failed: int = 0
    errors: dict[str, int] = field(default_factory=dict)

    def count(self, row: Delivery, outcome: Outcome) -> None:
        """Adds the outcome of one object."""
        if not outcome.ok:
            self.failed += 1
            text = f"{outcome.error_code}: {outcome.error_text}"
            self.errors[text] = self.errors.get(text, 0) + 1
        elif row.delivered is None:
            self.created += 1
        elif row.delivered == row.desired:
            self.repaired += 1
        elif _ends(row):
            self.ended += 1
        else:
            self.updated += 1

    def add(self, other: "DeliveryReport") -> None:
        """Adds what another delivery did."""
        self.created += other.created
        self.updated += other.updated
        self.ended += other.ended
        self.repaired += other.repaired
        self.failed += other.failed
        for text, number in other.errors.items():
            self.errors[text] = self.errors.get(text, 0) + number

    def counts(self) -> dict[str, int]:
        """The numbers by name, as journal and metadata take them."""
        return {name: getattr(self, name) for name in ("created", "updated", "ended", "repaired", "failed")}


def _ends(row: Delivery) -> bool:
    before, after = row.delivered or {}, row.desired
    return (before.get("valid_to") is None and after.get("valid_to") is not None) or (
        before.get("statecode") == 0 and after.get("statecode") == 1
    )


def deliver(
    deliveries: Deliveries,
    system: str,
    entity: str,
    send: Send,
    *,
    areas: Sequence[str] | None = None,
    workers: ThreadPoolExecutor | None = None,
    claim_rows: Callable[[], int] = lambda: CLAIM_ROWS,
) -> DeliveryReport:
    """Claims and sends all due objects of the entity in these areas, batch after batch, and records their outcomes.

    Objects that another run is sending at this moment are waited for (at most a minute), because rows sent later may
    refer to them. An object that failed is not tried again in the same call, and where the system is away for a whole
    batch, the rest waits for the next run. `send` answers one outcome per delivery; what it raises rolls back the
    batches under way.
    `claim_rows` says before each batch how many objects it should have.

    `workers` is the pool that `send` hands its requests to. Where it is known, the next batch is claimed and handed
    over while the last one is still being sent, so that no worker waits for the slowest object of a batch.
    """
    report = DeliveryReport()
    busy_since: float | None = None
    away = False
    now = datetime.now(UTC)

    def due() -> AbstractContextManager[Claim]:
        return deliveries.claim(system, entity, claim_rows(), now, areas=areas)

    with Pipeline(due, send, workers) as pipeline:
        while True:
            if not away and pipeline.take_in():
                busy_since = None
                continue
            if recorded := pipeline.record_oldest():
                for row, outcome in recorded:
                    report.count(row, outcome)
                away = away or _is_away([outcome for _, outcome in recorded])
                continue
            if away or not deliveries.is_busy(system, entity, now, areas=areas):
                return report
            busy_since = busy_since or time.monotonic()
            if time.monotonic() - busy_since > BUSY_LIMIT_SECONDS:
                return report
            time.sleep(BUSY_PAUSE_SECONDS)


def _is_away(outcomes: Sequence[Outcome]) -> bool:
    """Whether all objects of a batch failed in the same way, because the system could not be reached."""
    codes = {None if outcome.ok or outcome.permanent else outcome.error_code for outcome in outcomes} - {NOT_SENT}
    return len(codes) == 1 and codes <= _AWAY


def registry_sender(
    client: LoraClient,
    entity: str,
    tenant: Tenant,
    pool: ThreadPoolExecutor,
    *,
    dialect: Callable[[], Dialect] = lambda: PLAIN,
    revives: bool = False,
    adoptions: Adoptions | None = None,
) -> Send:
    """Sends registry rows, each object as a whole, several objects at once.

    `dialect` is asked when there is something to send, and not before: where nothing changed, nothing is asked. Where
    it raises because the registry cannot hold our objects, the delivery ends before anything is written. It also ends
    where the registry does not let us in. A registry that is away only fails the objects of the batch.

    An object that was found deleted or passive is put twice: a first PUT merges with what it held. With `revives`, the
    registry is asked about objects that were never delivered whether it has them already, deleted or passive. That is a
    list call for every 90 objects of a first load, and only needed where others wrote under our ids before, or where
    the cache was lost.

    `adoptions` is the cross reference of a registry that had objects of ours before us: they are written under their
    own uuids, and what others put into them stays (`flows.adopted`).
    """

    def written(row: Delivery, form: Dialect) -> Body | Outcome:
        try:
            content = to_object(entity, row.desired, tenant, form)
        except ValueError as error:
            return _not_sendable(row, error)
        return Body(row.object_id, lora_class(entity, row.desired), content)

    def send_one(row: Delivery, body: Body | Outcome, batch: AdoptedBatch, revive: bool) -> Outcome:
        if isinstance(body, Outcome):
            return body
        try:
            batch.put(body, revive=revive)
        except NotAllowedError:
            raise
        except CallError as error:
            return failure(row, error)
        except ValueError as error:
            return _not_sendable(row, error)
        return Outcome(row.object_id, ok=True, external_ref=batch.registry_id(row.object_id))

    def send(rows: Sequence[Delivery]) -> list[Outcome]:
        try:
            form = dialect()
            bodies = list(pool.map(lambda row: written(row, form), rows))
            batch = AdoptedBatch(client, adoptions, [body for body in bodies if isinstance(body, Body)])
            unread = [row for row in rows if not batch.is_adopted(row.object_id)]
            ended = _ended(client, entity, unread) if revives else frozenset[str]()
        except TransientError as error:
            return [failure(row, error) for row in rows]
        return list(
            pool.map(lambda row, body: send_one(row, body, batch, row.revive or row.object_id in ended), rows, bodies)
        )

    return send


def _not_sendable(row: Delivery, error: ValueError) -> Outcome:
    return Outcome(row.object_id, ok=False, error_code="not_sendable", error_text=str(error), permanent=True)


def _ended(client: LoraClient, entity: str, rows: Sequence[Delivery]) -> frozenset[str]:
    """Those of the rows that were never delivered whose objects are deleted or passive in the registry."""
    new: dict[str, list[str]] = {}
    for row in rows:
        if row.delivered is None:
            new.setdefault(lora_class(entity, row.desired), []).append(row.object_id)
    return frozenset[str]().union(*(client.ended(of_class, ids) for of_class, ids in new.items()))


def failure(row: Delivery, error: CallError) -> Outcome:
    """The outcome of a request that failed; only transient failures are tried again soon."""
    return Outcome(
        row.object_id,
        ok=False,
        error_code=str(error.code or error.status or "connection"),
        error_text=error.text,
        permanent=isinstance(error, PermanentError),
    )
