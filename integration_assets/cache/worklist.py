"""The worklist: what waits for a person, from open rejections and from deliveries that failed, oldest or newest first.

The two lie in tables of their own, each read along an index of its age. A page takes the first of both; where it ended
in each is where the next one begins (keyset paging), so that the thousandth page costs what the first one does, and
nothing is counted beyond a thousand.
"""

import heapq
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any, Final, Literal, cast

import sqlalchemy as sa

from integration_assets.cache.worklist_position import Position
from integration_assets.cache.worklist_rows import (
    DELIVERIES,
    IS_ACKNOWLEDGED_DELIVERY,
    IS_ACKNOWLEDGED_REJECTION,
    IS_OBJECT,
    REJECTIONS,
    TROUBLE,
    Item,
    Kind,
    object_parts,
    of_delivery,
    of_rejection,
)

Acknowledged = Literal["no", "yes", "any"]

MOST_COUNTED: Final = 1000
"""Counts stop here: "1,000 or more" is all that a person needs to know."""


@dataclass(frozen=True)
class Filter:
    """Which items are wanted; None: any. `number` is a customer or an installation number, `until` the last day on
    which an item may have begun to wait. Acknowledged items stay out unless they are asked for."""

    kind: Kind | None = None
    reason: str | None = None
    asset: str | None = None
    area: str | None = None
    number: str | None = None
    until: date | None = None
    acknowledged: Acknowledged = "no"
    newest_first: bool = False


@dataclass(frozen=True)
class Page:
    """Items, and between which places they lie; `before` and `after` tell whether there are more."""

    items: Sequence[Item]
    start: Position
    end: Position
    before: bool
    after: bool


@dataclass(frozen=True)
class ReasonCount:
    """How many items wait for one reason, acknowledged ones included; at most MOST_COUNTED are counted."""

    kind: Kind
    reason: str
    count: int


class Worklist:
    """Reads the worklist, and has single items tried again."""

    def __init__(self, engine: sa.Engine) -> None:
        self._engine = engine

    def page(
        self,
        wanted: Filter,
        now: datetime,
        size: int,
        *,
        after: Position | None = None,
        before: Position | None = None,
    ) -> Page:
        """Up to `size` items after a place, or before one; without either the first. `now` ends acknowledgements."""
        backwards = before is not None
        edge = before or after or Position()
        with self._engine.connect() as connection:
            rejections = _rejections(connection, wanted, now, edge, size + 1, backwards=backwards)
            deliveries = _deliveries(connection, wanted, now, edge, size + 1, backwards=backwards)
        # Merged and not sorted: within one moment each keeps the order that its index has.
        descending = wanted.newest_first != backwards
        found = list(heapq.merge(rejections, deliveries, key=lambda item: (item.since, item.kind), reverse=descending))
        taken, rest = found[:size], found[size:]
        if backwards:
            return Page(taken[::-1], _first_of(rest), edge, before=bool(rest), after=True)
        return Page(taken, edge, _last_of(taken, edge), before=edge != Position(), after=bool(rest))

    def all(self, wanted: Filter, now: datetime, batch: int = 1000) -> Iterator[Item]:
        """All items, read page by page: what changes meanwhile may come or go, nothing comes twice."""
        place = Position()
        while True:
            page = self.page(wanted, now, batch, after=place)
            yield from page.items
            if not page.after:
                return
            place = page.end

    def reasons(self) -> list[ReasonCount]:
        """The reasons for which items wait, with counts up to MOST_COUNTED, the most frequent first."""
        counts: list[ReasonCount] = []
        with self._engine.connect() as connection:
            for kind, table, column, condition in (
                ("rejection", "rejection", "reason", "closed_on IS NULL"),
                ("delivery", "delivery", "error_code", "state IN ('failed', 'refused')"),
            ):
                rows = connection.execute(sa.text(_counts(table, column, condition)), {"most": MOST_COUNTED})
                counts += [ReasonCount(cast("Kind", kind), row.value, row.number) for row in rows]
        return sorted(counts, key=lambda each: (-each.count, each.kind, each.reason))

    def item(self, kind: Kind, key: str) -> Item | None:
        """One item, also one that waits no longer; None where there is none."""
        query, parameters = (
            (f"{REJECTIONS} WHERE r.rejection_id = :id", {"id": _id(key)})
            if kind == "rejection"
            else (f"{DELIVERIES} WHERE {IS_OBJECT}", object_parts(key))
        )
        read = of_rejection if kind == "rejection" else of_delivery
        with self._engine.connect() as connection:
            row = connection.execute(sa.text(query), parameters).mappings().first()
        return None if row is None else read(row)

    def of_numbers(self, numbers: Sequence[str], limit: int = 100) -> list[Item]:
        """Rejections of these customer or installation numbers, open ones and those that were closed, the latest
        first."""
        query = (
            f"{REJECTIONS} WHERE r.customer_number = ANY(:numbers) OR r.record_key = ANY(:numbers) "
            "ORDER BY r.closed_on DESC NULLS FIRST, r.first_on DESC, r.rejection_id DESC LIMIT :limit"
        )
        with self._engine.connect() as connection:
            rows = connection.execute(sa.text(query), {"numbers": list(numbers), "limit": limit}).mappings()
            return [of_rejection(row) for row in rows]

    def retry(self, kind: Kind, key: str, as_of: date) -> bool:
        """Makes an item due at once, for the next run; False where it no longer waits or is being sent right now."""
        if kind == "rejection":
            statement = "UPDATE rejection SET next_attempt_on = :as_of WHERE rejection_id = :id AND closed_on IS NULL"
            parameters: Mapping[str, Any] = {"as_of": as_of, "id": _id(key)}
        else:
            # A run that is sending the object keeps its row locked until it has recorded the outcome.
            statement = (
                "UPDATE delivery SET next_attempt_at = NULL WHERE (system, entity, object_id) IN (SELECT d.system, "
                f"d.entity, d.object_id FROM delivery AS d WHERE {IS_OBJECT} AND {TROUBLE} FOR UPDATE SKIP LOCKED)"
            )
            parameters = object_parts(key)
        with self._engine.begin() as connection:
            return connection.execute(sa.text(statement), parameters).rowcount > 0


def _rejections(
    connection: sa.Connection, wanted: Filter, now: datetime, edge: Position, limit: int, *, backwards: bool
) -> list[Item]:
    if wanted.kind == "delivery" or (backwards and edge.rejection is None):
        return []
    conditions, parameters = ["r.closed_on IS NULL"], {"limit": limit, "now": now}
    for condition, name, value in (
        ("r.reason = :reason", "reason", wanted.reason),
        ("r.asset = :asset", "asset", wanted.asset),
        ("r.supply_area = :area", "area", wanted.area),
        ("r.first_on <= :until", "until", wanted.until),
        (
            "(r.customer_number = :number OR r.record_key = :number OR r.record_key LIKE :meters)",
            "number",
            wanted.number,
        ),
    ):
        if value is not None:
            conditions.append(condition)
            parameters |= {name: value}
    if wanted.number is not None:
        parameters |= {"meters": f"{_literal(wanted.number)}|%"}
    conditions += _told(wanted, IS_ACKNOWLEDGED_REJECTION)
    comparison, direction = _way(wanted, backwards=backwards)
    if edge.rejection is not None:
        conditions.append(f"(r.first_on, r.rejection_id) {comparison} (:edge_on, :edge_id)")
        parameters |= {"edge_on": edge.rejection[0], "edge_id": edge.rejection[1]}
    order = f"r.first_on {direction}, r.rejection_id {direction}"
    query = f"{REJECTIONS} WHERE {' AND '.join(conditions)} ORDER BY {order} LIMIT :limit"
    return [of_rejection(row) for row in connection.execute(sa.text(query), parameters).mappings()]


def _deliveries(
    connection: sa.Connection, wanted: Filter, now: datetime, edge: Position, limit: int, *, backwards: bool
) -> list[Item]:
    if wanted.kind == "rejection" or (backwards and edge.delivery is None):
        return []
    conditions, parameters = [TROUBLE], {"limit": limit, "now": now}
    system, _, entity = (wanted.asset or "").partition("/")
    for condition, name, value in (
        ("d.error_code = :reason", "reason", wanted.reason),
        ("d.system = :of_system", "of_system", system if wanted.asset is not None else None),
        ("d.entity = :of_entity", "of_entity", entity if wanted.asset is not None else None),
        ("d.areas @> ARRAY[CAST(:area AS text)]", "area", wanted.area),
        ("d.business_key = :number", "number", wanted.number),
        (
            "d.desired_at < :until",
            "until",
            None
            if wanted.until is None
            else datetime.combine(wanted.until, datetime.min.time(), UTC) + timedelta(days=1),
        ),
    ):
        if value is not None:
            conditions.append(condition)
            parameters |= {name: value}
    conditions += _told(wanted, IS_ACKNOWLEDGED_DELIVERY)
    comparison, direction = _way(wanted, backwards=backwards)
    columns = ("d.desired_at", "d.system", "d.entity", "d.object_id")
    if edge.delivery is not None:
        conditions.append(f"({', '.join(columns)}) {comparison} (:edge_at, :system, :entity, :object_id)")
        parameters |= {"edge_at": edge.delivery[0], **object_parts(edge.delivery[1])}
    order = ", ".join(f"{column} {direction}" for column in columns)
    query = f"{DELIVERIES} WHERE {' AND '.join(conditions)} ORDER BY {order} LIMIT :limit"
    return [of_delivery(row) for row in connection.execute(sa.text(query), parameters).mappings()]


def _told(wanted: Filter, is_acknowledged: str) -> list[str]:
    """The condition on acknowledgements, if there is one."""
    return {"no": [f"NOT {is_acknowledged}"], "yes": [is_acknowledged], "any": []}[wanted.acknowledged]


def _way(wanted: Filter, *, backwards: bool) -> tuple[str, str]:
    """How rows on the wanted side of a place compare with it, and in which direction they are read."""
    descending = wanted.newest_first != backwards
    strictly = "<" if descending else ">"
    # What lies before a page ends with the last item before its place, that one included.
    return (f"{strictly}=" if backwards else strictly), ("DESC" if descending else "ASC")


def _last_of(items: Sequence[Item], edge: Position) -> Position:
    """The place after these items of a page that began at `edge`."""
    rejection, delivery = edge.rejection, edge.delivery
    for item in items:
        if item.kind == "rejection":
            rejection = (item.since.date(), int(item.key))
        else:
            delivery = (item.since, item.key)
    return Position(rejection, delivery)


def _first_of(items: Sequence[Item]) -> Position:
    """The place after the first item of each kind: the next ones on the way back."""
    return _last_of(items[::-1], Position())


def _counts(table: str, column: str, condition: str) -> str:
    """Counts per value of an indexed column, by jumping along the index from value to value."""
    return f"""
    WITH RECURSIVE found AS (
      SELECT min({column}) AS value FROM {table} WHERE {condition}
      UNION ALL
      SELECT (SELECT min(t.{column}) FROM {table} AS t WHERE t.{column} > found.value AND {condition})
      FROM found WHERE found.value IS NOT NULL
    )
    SELECT value, (SELECT count(*) FROM (
      SELECT FROM {table} WHERE {column} = value AND {condition} LIMIT :most) AS first_ones) AS number
    FROM found WHERE value IS NOT NULL
    """


def _id(key: str) -> int:
    """The rejection's id, or one that none has."""
    return int(key) if key.isascii() and key.isdecimal() and len(key) <= 18 else -1


def _literal(text: str) -> str:
    """The text as a pattern of LIKE that means nothing but itself."""
    return text.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
