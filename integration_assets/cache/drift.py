"""Objects that an outside system holds otherwise than they were delivered: found, repaired through the outbox, closed.

One row per object: a drift that comes back opens its row again, and the repairs since the object was last found to be
true by a later look stay counted, so that a war with another writer is noticed.
"""

import json
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Any, Final

import polars as pl
import sqlalchemy as sa

from integration_assets.cache import payloads
from integration_assets.cache.cipher import Cipher
from integration_assets.cache.copying import copy_in, copy_out
from integration_assets.cache.retrying import retrying

OPEN: Final = pl.Schema(
    {
        "system": pl.String,
        "entity": pl.String,
        "object_id": pl.String,
        "business_key": pl.String,
        "kind": pl.String,
        "differences": pl.List(pl.List(pl.String)),
        "registered_at": pl.Datetime("us", "UTC"),
        "first_on": pl.Date,
        "last_on": pl.Date,
        "repairs": pl.Int64,
        "repair_on": pl.Date,
        "is_due": pl.Boolean,
    }
)
"""Drift that is open. `differences`: [field, delivered, found], masked; `is_due`: a delivery of the object waits."""


@dataclass(frozen=True)
class Delivered:
    """What was delivered of an object, what is desired, and the fingerprint of what was delivered."""

    object_id: str
    business_key: str
    delivered: dict[str, Any]
    desired: dict[str, Any]
    fingerprint: int

    def __repr__(self) -> str:
        # Payloads may hold personal numbers, and a repr ends up in logs.
        return f"Delivered(object_id={self.object_id!r}, business_key={self.business_key!r})"


@dataclass(frozen=True)
class Look:
    """What a look at an object showed: its kind of drift (None: as delivered), with masked [field, delivered, found]
    and the moment from which the system says so. `fingerprint` is that of the delivery that it was compared with."""

    object_id: str
    business_key: str
    fingerprint: int
    kind: str | None = None
    differences: Sequence[Sequence[str | None]] = field(default=(), repr=False)
    registered_at: str | None = None


@dataclass(frozen=True)
class Noted:
    """What became of looks: objects that drift, objects whose drift was closed, ids of those that were left out."""

    drifting: int
    closed: int
    left_out: tuple[str, ...] = ()


class Drifts:
    """The drift table, and what it needs to know of the deliveries."""

    def __init__(self, engine: sa.Engine, cipher: Cipher) -> None:
        self._engine = engine
        self._cipher = cipher

    def last_looks(self, system: str, entity: str) -> pl.DataFrame:
        """The objects that `delivered` gives and when each was read last: object_id, as_of (null: never)."""
        query = (
            "SELECT object_id, read_on - DATE '1970-01-01' FROM delivery "
            "WHERE system = %s AND entity = %s AND delivered IS NOT NULL AND delivered_fingerprint IS NOT NULL"
        )
        with self._engine.connect() as connection:
            return copy_out(connection, query, {"object_id": pl.String, "as_of": pl.Date}, [system, entity])

    def delivered(self, system: str, entity: str, object_ids: Sequence[str]) -> list[Delivered]:
        """What was delivered of these objects, ordered by id.

        Without those that were never delivered, are to be delivered again, or were blanked by retention.
        """
        query = sa.text(
            "SELECT object_id, business_key, delivered, desired, delivered_fingerprint FROM delivery "
            "WHERE system = :system AND entity = :entity AND object_id = ANY(:ids) AND delivered IS NOT NULL "
            "AND delivered_fingerprint IS NOT NULL ORDER BY object_id"
        )
        with self._engine.connect() as connection:
            rows = connection.execute(query, {"system": system, "entity": entity, "ids": list(object_ids)}).all()
        return [
            Delivered(
                row.object_id,
                row.business_key,
                json.loads(payloads.to_text(row.delivered, self._cipher)),
                json.loads(payloads.to_text(row.desired, self._cipher)),
                row.delivered_fingerprint,
            )
            for row in rows
        ]

    def note(self, system: str, entity: str, looks: Sequence[Look], as_of: date, *, by_turn: bool) -> Noted:
        """Opens, renews and closes drift as the looks showed.

        Objects that are being sent at this moment, or were since the look, are left out: they are to be read again. A
        look `by_turn` that finds an object true on a day after its last repair ends the count of its repairs; the look
        that follows every delivery does not.
        """
        if not looks:
            return Noted(0, 0)
        frame = pl.DataFrame(
            {
                "object_id": [look.object_id for look in looks],
                "business_key": [look.business_key for look in looks],
                "fingerprint": [look.fingerprint for look in looks],
                "kind": [look.kind for look in looks],
                "differences": [json.dumps(list(map(list, look.differences)), ensure_ascii=False) for look in looks],
                "registered_at": [look.registered_at for look in looks],
            },
            schema=_LOOKS,
        ).sort("object_id")
        return retrying(lambda: self._note(system, entity, frame, as_of, by_turn=by_turn))

    def remembered(self, system: str, entity: str) -> frozenset[str]:
        """Ids of the objects whose drift is open, or whose repairs are counted still: a look at them changes
        something."""
        query = sa.text(
            "SELECT object_id FROM drift WHERE system = :system AND entity = :entity "
            "AND (closed_on IS NULL OR repairs > 0)"
        )
        with self._engine.connect() as connection:
            return frozenset(connection.execute(query, {"system": system, "entity": entity}).scalars())

    def repairs(self, system: str, entity: str) -> dict[str, int]:
        """How often open drift was ordered to be repaired without lasting success, by object id."""
        query = sa.text(
            "SELECT object_id, repairs FROM drift WHERE system = :system AND entity = :entity AND closed_on IS NULL"
        )
        with self._engine.connect() as connection:
            rows = connection.execute(query, {"system": system, "entity": entity})
            return {row.object_id: row.repairs for row in rows}

    def order_repairs(
        self,
        system: str,
        entity: str,
        as_of: date,
        *,
        kinds: Collection[str],
        revived: Collection[str],
        limit: int | None,
    ) -> int:
        """Makes the objects with open drift of these kinds due again in the outbox; returns how many.

        Those of the kinds `revived` are marked as such. Objects that were ordered `limit` times and drifted again are
        left (None: whatever they did), and so are objects that wait for their repair, are being sent, or were blanked.
        """
        parameters = {
            "system": system,
            "entity": entity,
            "as_of": as_of,
            "limit": limit,
            "kinds": list(kinds),
            "revived": list(revived),
        }

        def order() -> int:
            with self._engine.begin() as connection:
                return connection.execute(sa.text(_ORDER), parameters).rowcount

        return retrying(order)

    def send_again(self, system: str, entity: str, mentioning: Collection[str]) -> int:
        """Makes delivered objects of an entity due again whose payload names one of these ids; how many.

        For what goes with a row that somebody deleted, and cannot be looked at by itself.
        """
        parameters = {"system": system, "entity": entity, "ids": list(mentioning)}
        with self._engine.begin() as connection:
            return connection.execute(sa.text(_SEND_AGAIN), parameters).rowcount

    def open(self, system: str | None = None, entities: Collection[str] | None = None) -> pl.DataFrame:
        """Open drift (of a system, of entities): frame of OPEN, ordered by system, entity and business key."""
        query = sa.text(
            "SELECT f.system, f.entity, f.object_id, f.business_key, f.kind, f.differences, f.registered_at, "
            "f.first_on, f.last_on, f.repairs, f.repair_on, "
            "coalesce(d.delivered_fingerprint IS DISTINCT FROM d.desired_fingerprint, false) AS is_due "
            "FROM drift AS f LEFT JOIN delivery AS d USING (system, entity, object_id) "
            "WHERE f.closed_on IS NULL AND f.system = coalesce(:system, f.system) "
            "AND (CAST(:entities AS text[]) IS NULL OR f.entity = ANY(CAST(:entities AS text[]))) "
            "ORDER BY f.system, f.entity, f.business_key, f.object_id"
        )
        wanted = None if entities is None else list(entities)
        with self._engine.connect() as connection:
            rows = connection.execute(query, {"system": system, "entities": wanted}).all()
        return pl.DataFrame([tuple(row) for row in rows], schema=OPEN, orient="row")

    def _note(self, system: str, entity: str, frame: pl.DataFrame, as_of: date, *, by_turn: bool) -> Noted:
        key = {"system": system, "entity": entity, "as_of": as_of, "by_turn": by_turn}
        with self._engine.begin() as connection:
            connection.execute(sa.text(_LOOKS_TABLE))
            copy_in(connection, "looks", frame)
            connection.execute(sa.text(_SETTLED), key)
            drifting = connection.execute(sa.text(_OPENED), key).rowcount
            closed = connection.execute(sa.text(_CLOSED), key).rowcount
            if by_turn:
                connection.execute(sa.text(_AT_PEACE), key)
            left_out = connection.execute(sa.text(_LEFT_OUT)).scalars().all()
        return Noted(drifting, closed, tuple(left_out))


_LOOKS: Final = pl.Schema(
    {
        "object_id": pl.String,
        "business_key": pl.String,
        "fingerprint": pl.Int64,
        "kind": pl.String,
        "differences": pl.String,
        "registered_at": pl.String,
    }
)
_LOOKS_TABLE: Final = (
    "CREATE TEMP TABLE looks (object_id text, business_key text, fingerprint bigint, kind text, differences jsonb, "
    "registered_at timestamptz) ON COMMIT DROP"
)

# Only what nobody is sending, and nobody sent since.
_SETTLED: Final = """
CREATE TEMP TABLE settled ON COMMIT DROP AS
WITH held AS (
  SELECT d.object_id FROM delivery AS d JOIN looks AS l ON l.object_id = d.object_id
  WHERE d.system = :system AND d.entity = :entity AND d.delivered_fingerprint = l.fingerprint
  ORDER BY d.object_id FOR UPDATE OF d SKIP LOCKED)
SELECT l.* FROM looks AS l JOIN held USING (object_id)
"""

_OPENED: Final = """
INSERT INTO drift AS f
  (system, entity, object_id, business_key, kind, differences, registered_at, first_on, last_on)
SELECT :system, :entity, object_id, business_key, kind, differences, registered_at, :as_of, :as_of
FROM settled WHERE kind IS NOT NULL ORDER BY object_id
ON CONFLICT (system, entity, object_id) DO UPDATE SET
  business_key = excluded.business_key,
  kind = excluded.kind,
  differences = excluded.differences,
  registered_at = excluded.registered_at,
  first_on = CASE WHEN f.closed_on IS NULL THEN f.first_on ELSE excluded.first_on END,
  last_on = excluded.last_on,
  closed_on = NULL
"""

_CLOSED: Final = """
UPDATE drift AS f SET closed_on = :as_of FROM settled AS s
WHERE f.system = :system AND f.entity = :entity AND f.object_id = s.object_id AND s.kind IS NULL
  AND f.closed_on IS NULL
"""

_AT_PEACE: Final = """
UPDATE drift AS f SET repairs = 0 FROM settled AS s
WHERE f.system = :system AND f.entity = :entity AND f.object_id = s.object_id AND s.kind IS NULL
  AND f.repairs > 0 AND f.repair_on < :as_of
"""

_LEFT_OUT: Final = "SELECT object_id FROM looks EXCEPT SELECT object_id FROM settled ORDER BY 1"

# Only entities whose payloads are not sealed can be searched so.
_SEND_AGAIN: Final = """
UPDATE delivery AS d SET
  state = CASE WHEN d.delivered_fingerprint = d.desired_fingerprint THEN 'waiting' ELSE d.state END,
  delivered_fingerprint = NULL
WHERE d.object_id IN (
  SELECT d.object_id FROM delivery AS d
  WHERE d.system = :system AND d.entity = :entity AND d.delivered_fingerprint IS NOT NULL AND d.delivered IS NOT NULL
    AND EXISTS (SELECT FROM unnest(CAST(:ids AS text[])) AS i WHERE position(convert_to(i, 'UTF8') IN d.desired) > 0)
  ORDER BY d.object_id FOR UPDATE OF d)
  AND d.system = :system AND d.entity = :entity
"""

# An object that waits for another delivery is repaired by it; only how it is to be put is noted then.
_ORDER: Final = """
WITH chosen AS (
  SELECT d.object_id, f.kind FROM drift AS f JOIN delivery AS d USING (system, entity, object_id)
  WHERE f.system = :system AND f.entity = :entity AND f.closed_on IS NULL AND f.kind = ANY(:kinds)
    AND f.repairs < coalesce(CAST(:limit AS int), f.repairs + 1)
    AND d.delivered IS NOT NULL AND d.delivered_fingerprint IS NOT NULL
  ORDER BY d.object_id FOR UPDATE OF d SKIP LOCKED),
ordered AS (
  UPDATE delivery AS d SET
    state = CASE WHEN d.delivered_fingerprint = d.desired_fingerprint THEN 'waiting' ELSE d.state END,
    delivered_fingerprint = NULL,
    found_of = NULL,
    revive = c.kind = ANY(:revived)
  FROM chosen AS c WHERE d.system = :system AND d.entity = :entity AND d.object_id = c.object_id
  RETURNING d.object_id)
UPDATE drift AS f SET repairs = f.repairs + 1, repair_on = :as_of FROM ordered AS o
WHERE f.system = :system AND f.entity = :entity AND f.object_id = o.object_id
"""
