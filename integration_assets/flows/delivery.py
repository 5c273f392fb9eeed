"""Sends what is desired and not yet delivered, and records the outcome of each object.

A delivery can be repeated at any time: object ids are ours, a registry write replaces the whole object, a CRM write is
an upsert. Rows are claimed inside an open transaction, so that two runs never send the same object at once and a killed
run gives its rows back.
"""

import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, datetime

from integration_assets.cache.deliveries import Deliveries, Delivery, Outcome
from integration_assets.clients.http import CallError, NotAllowedError, PermanentError, TransientError
from integration_assets.clients.lora import LoraClient
from integration_assets.domain.registry.dialect import PLAIN, Dialect
from integration_assets.domain.registry.objects import Tenant, in_two_steps, lora_class, to_object

CLAIM_ROWS = 400
BUSY_PAUSE_SECONDS = 0.05
BUSY_LIMIT_SECONDS = 60.0

Send = Callable[[Sequence[Delivery]], list[Outcome]]


@dataclass
class DeliveryReport:
    """What one delivery did: objects created, updated, ended (updates that close an open object) and failed."""

    created: int = 0
    updated: int = 0
    ended: int = 0
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
        elif _ends(row):
            self.ended += 1
        else:
            self.updated += 1

    def add(self, other: "DeliveryReport") -> None:
        """Adds what another delivery did."""
        self.created += other.created
        self.updated += other.updated
        self.ended += other.ended
        self.failed += other.failed
        for text, number in other.errors.items():
            self.errors[text] = self.errors.get(text, 0) + number

    def counts(self) -> dict[str, int]:
        """The numbers by name, as journal and metadata take them."""
        return {"created": self.created, "updated": self.updated, "ended": self.ended, "failed": self.failed}


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
    claim_rows: Callable[[], int] = lambda: CLAIM_ROWS,
) -> DeliveryReport:
    """Claims and sends all due objects of the entity in these areas, batch after batch, and records their outcomes.

    Objects that another run is sending at this moment are waited for (at most a minute), because rows sent later may
    refer to them. `send` answers one outcome per delivery; what it raises rolls the batch back.
    `claim_rows` says before each batch how many objects it should have.
    """
    report = DeliveryReport()
    busy_since: float | None = None
    while True:
        with deliveries.claim(system, entity, claim_rows(), datetime.now(UTC), areas=areas) as claim:
            rows = claim.rows
            if rows:
                outcomes = send(rows)
                claim.record(outcomes)
                for row, outcome in zip(rows, outcomes, strict=True):
                    report.count(row, outcome)
        if rows:
            busy_since = None
            continue
        if not deliveries.is_busy(system, entity, datetime.now(UTC), areas=areas):
            return report
        busy_since = busy_since or time.monotonic()
        if time.monotonic() - busy_since > BUSY_LIMIT_SECONDS:
            return report
        time.sleep(BUSY_PAUSE_SECONDS)


def registry_sender(
    client: LoraClient,
    entity: str,
    tenant: Tenant,
    pool: ThreadPoolExecutor,
    *,
    dialect: Callable[[], Dialect] = lambda: PLAIN,
    revives: bool = False,
) -> Send:
    """Sends registry rows, each object as a whole, several objects at once.

    `dialect` is asked when there is something to send, and not before: where nothing changed, nothing is asked. Where
    it raises because the registry cannot hold our objects, the delivery ends before anything is written. It also ends
    where the registry does not let us in. A registry that is away only fails the objects of the batch.

    With `revives`, the registry is asked about objects that were never delivered whether it has them already, deleted
    or passive: those are put twice, since a first PUT merges with what they held. That is a list call for every 90
    objects of a first load, and only needed where others wrote under our ids before, or where the cache was lost.
    """

    def send_one(row: Delivery, written: Dialect, revive: bool) -> Outcome:
        try:
            of_class = lora_class(entity, row.desired)
            whole, over_time = in_two_steps(of_class, to_object(entity, row.desired, tenant, written))
            client.put(of_class, row.object_id, whole, revive=revive)
            if over_time is not None:
                client.patch(of_class, row.object_id, over_time)
        except NotAllowedError:
            raise
        except CallError as error:
            return failure(row, error)
        except ValueError as error:
            return Outcome(row.object_id, ok=False, error_code="not_sendable", error_text=str(error), permanent=True)
        return Outcome(row.object_id, ok=True, external_ref=row.object_id)

    def send(rows: Sequence[Delivery]) -> list[Outcome]:
        try:
            written = dialect()
            ended = _ended(client, entity, rows) if revives else frozenset[str]()
        except TransientError as error:
            return [failure(row, error) for row in rows]
        return list(pool.map(lambda row: send_one(row, written, row.object_id in ended), rows))

    return send


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
