"""Reads what others changed in the CRM since the last look, and has repaired what drifted from what was delivered.

The CRM tells by itself what changed (change tracking): one request a table where nothing did. Our own writes are told
too, and are as delivered. Where the CRM knows no more what changed since, or a table is not tracked, it is read as a
whole. Drift is kept in the cache; what is to be repaired goes through the outbox again.
"""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from itertools import islice
from typing import Any, Final, TypeVar

from integration_assets.cache.drift import Delivered, Look
from integration_assets.cache.store import Cache
from integration_assets.clients.dynamics import Changes, DynamicsClient
from integration_assets.clients.http import PermanentError
from integration_assets.domain.crm.drift import KINDS, drift_of
from integration_assets.domain.crm.fields import TABLE_FACTS
from integration_assets.domain.crm.found import read_columns
from integration_assets.domain.crm.tables import CrmMapping
from integration_assets.domain.registry.drift import DELETED, Drift
from integration_assets.flows.adopted_rows import AdoptedRows, row_ids
from integration_assets.flows.crm import LINKS, SYSTEM, table_name
from integration_assets.flows.drift import Looked
from integration_assets.settings import Settings

LINKED: Final = ("contacts", "agreements")
"""Entities whose rows take their links (N:N) with them when somebody deletes them."""

_ROWS_AT_ONCE: Final = 5000
_MODIFIED: Final = "modifiedon"

Row = Mapping[str, Any]
T = TypeVar("T")


@dataclass(frozen=True)
class Means:
    """What looking at the CRM needs: cache, client, the mapping in force, the business day; which entities are
    repaired, and how often one row in a row."""

    cache: Cache
    client: DynamicsClient
    by: CrmMapping
    as_of: date
    repaired: frozenset[str]
    repair_limit: int

    @classmethod
    def of(cls, settings: Settings, cache: Cache, client: DynamicsClient, by: CrmMapping, as_of: date) -> "Means":
        """By the rules of the settings."""
        left = {str(entity) for entity, rule in settings.crm_drift.items() if rule == "leave"}
        return cls(cache, client, by, as_of, frozenset(TABLE_FACTS) - left, settings.crm_repair_limit)


@dataclass(frozen=True)
class Taken:
    """Up to where the changes of a table were taken in: the delta link for the next, what was selected, ids of ours to
    be looked at again whatever the link says, and the business day."""

    link: str
    select: tuple[str, ...]
    again: tuple[str, ...] = ()
    on: date | None = None

    @classmethod
    def parse(cls, text: str | None) -> "Taken":
        """As `text` wrote it; the beginning where nothing was taken in."""
        known: dict[str, Any] = json.loads(text) if text else {}
        return cls(
            known.get("link", ""),
            tuple(known.get("select", ())),
            tuple(known.get("again", ())),
            date.fromisoformat(known["on"]) if known.get("on") else None,
        )

    def text(self) -> str:
        """As the cache keeps it."""
        on = self.on.isoformat() if self.on else None
        return json.dumps({"link": self.link, "select": self.select, "again": self.again, "on": on})


def taken_in(cache: Cache, entity: str) -> Taken:
    """Up to where the changes of an entity's table were taken in."""
    return Taken.parse(cache.following.cursor(_source(entity)))


def look_for_changes(means: Means, entity: str, *, everything: bool = False, repair: bool = True) -> Looked:
    """Looks at the rows of an entity that changed in the CRM since the last look (`everything`: at all rows), and notes
    where they drift. With `repair`, has repaired what drifts, whenever that was found, of an entity that is repaired.

    Only rows of ours count as read. Raises CallError where the CRM does not answer; the next look then begins where
    this one did.
    """
    looked = Looked()
    select = tuple(dict.fromkeys([*read_columns(entity, means.by), _MODIFIED]))
    before = taken_in(means.cache, entity)
    is_known = not everything and before.link and before.select == select
    suspects, link = _suspects(means, entity, select, before.link if is_known else None, looked)
    left_out = _note(means, entity, select, {*suspects, *before.again}, looked)
    after = Taken(link, select if link else (), tuple(left_out), means.as_of)
    means.cache.following.take_in(_source(entity), after.text(), changed=())
    looked.repairs = order_repairs(means, entity) if repair and entity in means.repaired else 0
    return looked


def order_repairs(means: Means, entity: str, *, insist: bool = False) -> int:
    """Has the open drift of an entity repaired by its next delivery; how many rows were made due.

    With `insist` also rows that were repaired so often that they would be left. A row that was deleted comes back with
    its links.
    """
    drifts = means.cache.drifts
    if entity in LINKED:
        gone = [
            str(row["object_id"])
            for row in drifts.open(SYSTEM, [entity]).iter_rows(named=True)
            if row["kind"] == DELETED and not row["is_due"] and (insist or row["repairs"] < means.repair_limit)
        ]
        if gone:
            drifts.send_again(SYSTEM, LINKS, gone)
    return drifts.order_repairs(
        *(SYSTEM, entity, means.as_of), kinds=KINDS, revived=KINDS, limit=None if insist else means.repair_limit
    )


def _source(entity: str) -> str:
    return f"{SYSTEM}/{entity}/changes"


def _suspects(
    means: Means, entity: str, select: Sequence[str], link: str | None, looked: Looked
) -> tuple[set[str], str]:
    """Ids of the rows that may drift, or whose drift may be over, and the delta link for the next look."""
    if link is not None:
        try:
            return _of_pages(means, entity, means.client.change_pages(table_name(entity), select, link), looked)
        except PermanentError as error:
            if error.status not in (None, 400, 404, 410):
                raise
            # The link is too old, of tables as they were, or of another address: the CRM has to be read as a whole.
    known = set(means.cache.drifts.last_looks(SYSTEM, entity)["object_id"])
    seen: set[str] = set()
    looked.read = 0
    try:
        pages = means.client.change_pages(table_name(entity), select)
        suspects, following = _of_pages(means, entity, pages, looked, seen)
    except PermanentError as error:
        if error.status != 400:
            raise
        # The table is not tracked.
        looked.read, following = 0, ""
        seen.clear()
        suspects, _ = _of_pages(means, entity, _untracked(means.client, entity, select), looked, seen)
    return suspects | (known - seen), following


def _untracked(client: DynamicsClient, entity: str, select: Sequence[str]) -> Iterator[Changes]:
    """All rows of a table, as pages of changes without a link."""
    table = table_name(entity)
    for rows in _batches(client.query(table.set, [table.primary_id, *select])):
        yield Changes(rows, [], "")


def _batches(items: Iterable[T]) -> Iterator[list[T]]:
    rest = iter(items)
    while batch := list(islice(rest, _ROWS_AT_ONCE)):
        yield batch


def _of_pages(
    means: Means, entity: str, pages: Iterable[Changes], looked: Looked, seen: set[str] | None = None
) -> tuple[set[str], str]:
    """Suspects of pages of changes, the ids of all rows of ours added to `seen`, and the last page's link."""
    remembered = means.cache.drifts.remembered(SYSTEM, entity)
    primary_id = table_name(entity).primary_id
    suspects: set[str] = set()
    link = ""
    for page in pages:
        link = page.delta_link
        rows = {str(row[primary_id]): row for row in page.rows}
        ours = _our_ids(means, entity, [*rows, *page.deleted])
        found: dict[str, Row | None] = {ours[key]: rows.get(key) for key in ours}
        compared = _compared(means, entity, found)
        looked.read += len(compared)
        for each, drift in compared:
            if drift is not None or each.object_id in remembered:
                suspects.add(each.object_id)
        if seen is not None:
            seen.update(found)
    return suspects, link


def _our_ids(means: Means, entity: str, ids: Sequence[str]) -> dict[str, str]:
    """Our ids by the CRM's; what was not adopted has the same. An id of ours that stands under another is none."""
    adoptions = means.cache.row_adoptions
    if not adoptions.are_any():
        return {each: each for each in ids}
    adopted = adoptions.object_ids(entity, ids)
    elsewhere = adoptions.row_ids(each for each in ids if each not in adopted)
    return {each: adopted.get(each, each) for each in ids if each in adopted or elsewhere.get(each, each) == each}


def _note(means: Means, entity: str, select: Sequence[str], suspects: set[str], looked: Looked) -> list[str]:
    """Looks at suspects once more, after what was delivered of them: what the first look saw may have been older.

    Returns the ids of those that are being delivered at this moment.
    """
    left_out: list[str] = []
    for ids in _batches(sorted(suspects)):
        delivered = means.cache.drifts.delivered(SYSTEM, entity, ids)
        there = row_ids(means.cache.row_adoptions, [each.object_id for each in delivered])
        shown = means.client.select(
            table_name(entity), select, [there.get(each.object_id, each.object_id) for each in delivered]
        )
        found = {each.object_id: shown.get(there.get(each.object_id, each.object_id)) for each in delivered}
        compared = _compared(means, entity, found, delivered)
        looks = [
            Look(each.object_id, each.business_key, each.fingerprint)
            if drift is None
            else Look(
                *(each.object_id, each.business_key, each.fingerprint, drift.kind),
                [(change.field, change.before, change.after) for change in drift.differences],
                drift.registered_at,
            )
            for each, drift in compared
        ]
        noted = means.cache.drifts.note(SYSTEM, entity, looks, means.as_of, by_turn=True)
        looked.kinds.update(drift.kind for _, drift in compared if drift is not None)
        looked.closed += noted.closed
        left_out += noted.left_out
    return left_out


def _compared(
    means: Means, entity: str, found: Mapping[str, Row | None], known: Sequence[Delivered] | None = None
) -> list[tuple[Delivered, Drift | None]]:
    """What was delivered of the rows found (by our id; None: gone), and how each differs."""
    delivered = means.cache.drifts.delivered(SYSTEM, entity, list(found)) if known is None else known
    translation = AdoptedRows(means.cache.row_adoptions, entity, means.by)
    ids = translation.pointed_at(payload for each in delivered for payload in (each.delivered, each.desired))
    if ids:
        delivered = [
            replace(
                each,
                delivered=translation.renamed(each.delivered, ids),
                desired=translation.renamed(each.desired, ids),
            )
            for each in delivered
        ]
    return [
        (each, drift_of(entity, each.delivered, each.desired, found[each.object_id], means.by)) for each in delivered
    ]
