"""Reads objects of the registry (LoRa) again, compares them with what was delivered, and has repaired what drifted.

What was just delivered is looked at at once; everything else by turns, so that in so many days each object is looked
at, or all of it on demand. Drift is kept in the cache. What is to be repaired goes through the outbox again: its next
run delivers what the registry should hold, and until then the CRM is fed by what was found before. Of what is left as
it is found, the CRM gets what the registry holds; an object that is gone there stays in the CRM as it was.
"""

import math
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import date
from itertools import chain, islice
from threading import Semaphore
from typing import Any, Final

from integration_assets.cache.drift import Delivered, Look
from integration_assets.cache.store import Cache
from integration_assets.clients.lora import IDS_PER_LIST, LoraClient
from integration_assets.domain.registry.drift import CHANGED, KINDS, NEWER, REVIVED, Drift, drift_of
from integration_assets.domain.registry.objects import LORA_CLASSES, Tenant, from_object, lora_class
from integration_assets.domain.rolling import turn
from integration_assets.flows.adopted import AdoptedReader
from integration_assets.flows.registry import SYSTEM
from integration_assets.settings import Settings

REPAIRED_KINDS: Final = tuple(kind for kind in KINDS if kind != NEWER)
"""NEWER needs no repair: the delivery that it is about is due already."""

LISTS_BY_TURN: Final = 2
"""Reading by turns leaves the registry to others: so many lists at once at most."""

_SHORTEST_LIST: Final = 20


@dataclass(frozen=True)
class Means:
    """What reading needs: cache, registry, in whose name we write, the business day, how many lists at once; which
    entities are repaired, and how often one object in a row."""

    cache: Cache
    client: LoraClient
    tenant: Tenant
    as_of: date
    lists_at_once: int
    repaired: frozenset[str]
    repair_limit: int

    @classmethod
    def of(cls, settings: Settings, cache: Cache, client: LoraClient, tenant: Tenant, as_of: date) -> "Means":
        """By the rules of the settings."""
        left = {str(entity) for entity, rule in settings.lora_drift.items() if rule == "leave"}
        repaired = frozenset(LORA_CLASSES) - left
        return cls(cache, client, tenant, as_of, settings.lora_lists, repaired, settings.lora_repair_limit)


@dataclass
class Looked:
    """What looking at objects came to: how many were read, how many of each kind of drift, closed, and ordered."""

    read: int = 0
    kinds: Counter[str] = field(default_factory=Counter)
    closed: int = 0
    repairs: int = 0

    def counts(self) -> dict[str, int]:
        """The numbers by name, as journal and metadata take them."""
        kinds = {f"drift_{kind}": self.kinds[kind] for kind in KINDS}
        return {"read_back": self.read, **kinds, "drift_closed": self.closed, "repairs_ordered": self.repairs}


def look_at(means: Means, entity: str, object_ids: Sequence[str], *, by_turn: bool = False) -> Looked:
    """Reads these objects, keeps what the registry shows of them, and notes where they drift.

    Every object counts as read, also those that the registry does not show. Raises CallError where it does not answer;
    what was read before that is kept.
    """
    looked = Looked()
    repairs = means.cache.drifts.repairs(SYSTEM, entity)
    left = frozenset(key for key, count in repairs.items() if count >= means.repair_limit)
    at_once = min(means.lists_at_once, LISTS_BY_TURN) if by_turn else means.lists_at_once
    size = _list_size(len(object_ids), at_once)
    starts = range(0, len(object_ids), size)
    asking = Semaphore(at_once)
    # Twice as many: one half asks while the other reads the cache and compares.
    with ThreadPoolExecutor(2 * at_once) as pool:
        lists = pool.map(lambda start: _compared(means, entity, object_ids[start : start + size], asking), starts)
        for _ in range(0, len(starts), at_once):
            compared = list(chain.from_iterable(islice(lists, at_once)))
            _record(means, entity, compared, looked, left, by_turn=by_turn)
    return looked


def look_by_turn(means: Means, entity: str, days: int | None, *, repair: bool = True) -> Looked:
    """Looks at the objects whose turn it is today when each has one in so many days (None: at all of them).

    Then, with `repair`, has repaired what drifts, whenever that was found, of an entity that is repaired.
    """
    known = means.cache.drifts.last_looks(SYSTEM, entity)
    ids = known["object_id"].sort() if days is None else turn(known, "object_id", means.as_of, days)
    looked = look_at(means, entity, ids.to_list(), by_turn=True)
    looked.repairs = order_repairs(means, entity) if repair and entity in means.repaired else 0
    return looked


def order_repairs(means: Means, entity: str, *, insist: bool = False) -> int:
    """Has the open drift of an entity repaired by its next delivery; how many objects were made due.

    With `insist` also objects that were repaired so often that they would be left.
    """
    return means.cache.drifts.order_repairs(
        *(SYSTEM, entity, means.as_of),
        kinds=REPAIRED_KINDS,
        revived=REVIVED,
        limit=None if insist else means.repair_limit,
    )


def _list_size(objects: int, at_once: int) -> int:
    """How many objects a list has, so that the lists under way at once are alike and end together."""
    rounds = max(1, math.ceil(objects / (IDS_PER_LIST * at_once)))
    return max(_SHORTEST_LIST, math.ceil(objects / (rounds * at_once)))


_Compared = tuple[Delivered, Drift | None, dict[str, Any] | None]
"""What was delivered, how the registry differs from it, and the row that it holds (None: none that can be read)."""


def _compared(means: Means, entity: str, object_ids: Sequence[str], asking: Semaphore) -> list[_Compared]:
    """One list of objects, read while `asking` allows it, against what was delivered before."""
    delivered = means.cache.drifts.delivered(SYSTEM, entity, object_ids)
    by_class: dict[str, list[str]] = {}
    for each in delivered:
        by_class.setdefault(lora_class(entity, each.delivered), []).append(each.object_id)
    reader = AdoptedReader(means.client, means.cache.adoptions)
    found: dict[str, dict[str, Any]] = {}
    for of_class, ids in by_class.items():
        with asking:
            found |= reader.read_many(of_class, ids, ended=True)
    return [
        (
            each,
            drift_of(entity, each.delivered, each.desired, found.get(each.object_id), means.tenant),
            _row(entity, found.get(each.object_id)),
        )
        for each in delivered
    ]


def _row(entity: str, found: dict[str, Any] | None) -> dict[str, Any] | None:
    try:
        return None if found is None else from_object(entity, found)
    except (ValueError, KeyError):  # somebody else's content: told as drift
        return None


def _record(
    means: Means, entity: str, compared: Sequence[_Compared], looked: Looked, left: frozenset[str], *, by_turn: bool
) -> None:
    """Keeps rows and drift of some lists, and adds to what was counted."""
    cache, repaired = means.cache, entity in means.repaired
    found: dict[str, dict[str, Any] | None] = {}
    for each, drift, row in compared:
        # The CRM gets what others wrote only where that is meant to stay.
        is_shown = drift is None or drift.kind == NEWER or (drift.kind == CHANGED and _stays(each, repaired, left))
        found[each.object_id] = row if is_shown else None
    cache.deliveries.record_found(
        SYSTEM, entity, found, of={each.object_id: each.fingerprint for each, _, _ in compared}, read_on=means.as_of
    )
    noted = cache.drifts.note(SYSTEM, entity, list(_looks(compared)), means.as_of, by_turn=by_turn)
    looked.read += len(compared)
    looked.kinds.update(drift.kind for _, drift, _ in compared if drift is not None)
    looked.closed += noted.closed


def _stays(each: Delivered, repaired: bool, left: frozenset[str]) -> bool:
    return not repaired or each.object_id in left


def _looks(compared: Sequence[_Compared]) -> Iterator[Look]:
    for each, drift, _ in compared:
        if drift is None:
            yield Look(each.object_id, each.business_key, each.fingerprint)
            continue
        differences = [(change.field, change.before, change.after) for change in drift.differences]
        yield Look(each.object_id, each.business_key, each.fingerprint, drift.kind, differences, drift.registered_at)
