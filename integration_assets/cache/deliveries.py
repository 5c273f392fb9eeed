"""What should stand in the outside systems, and what was delivered: outbox, retry queue, cross reference, dry-run diff.

One row per object, not per supply area: an object of several areas is sent once. Writers lock rows in the order of
object ids; whoever still meets a deadlock tries again.
"""

import contextlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

import polars as pl
import sqlalchemy as sa

from integration_assets.cache import payloads
from integration_assets.cache.cipher import Cipher
from integration_assets.cache.claims import Claim, Delivery, Outcome, open_claim
from integration_assets.cache.copying import copy_in, copy_out, fetch
from integration_assets.cache.fingerprint import row_fingerprints
from integration_assets.cache.retrying import retrying

__all__ = ["Claim", "Deliveries", "Delivery", "DesireCounts", "Outcome"]

_DUE = (
    "delivered_fingerprint IS DISTINCT FROM desired_fingerprint "
    "AND (next_attempt_at IS NULL OR next_attempt_at <= :now)"
)
_IN_AREAS = "(CAST(:areas AS text[]) IS NULL OR areas && CAST(:areas AS text[]))"

_ESCAPED = pl.col("supply_area").str.replace_all(r'([\\"])', r"\$1")
_ARRAY_OF_ONE = pl.lit('{"') + _ESCAPED + pl.lit('"}')
"""A supply area as PostgreSQL's literal of an array."""

_GIVEN = "CREATE TEMP TABLE given (row int, object_id text, areas text[], fingerprint bigint) ON COMMIT DROP"
_WANTED = (
    "CREATE TEMP TABLE wanted (object_id text, business_key text, areas text[], payload bytea, fingerprint bigint, "
    "rebased_from bigint) ON COMMIT DROP"
)

_UPSERT = """
INSERT INTO delivery AS d
  (system, entity, object_id, business_key, areas, desired, desired_fingerprint, desired_at, state)
SELECT :system, :entity, object_id, business_key, areas, payload, fingerprint, now(), 'waiting'
FROM wanted ORDER BY object_id
ON CONFLICT (system, entity, object_id) DO UPDATE SET
  business_key = excluded.business_key,
  areas = ARRAY(SELECT DISTINCT a FROM unnest(d.areas || excluded.areas) AS a ORDER BY a),
  desired = CASE WHEN d.desired_fingerprint = excluded.desired_fingerprint THEN d.desired ELSE excluded.desired END,
  desired_at = CASE WHEN d.desired_fingerprint = excluded.desired_fingerprint THEN d.desired_at ELSE now() END,
  attempts = CASE WHEN d.desired_fingerprint = excluded.desired_fingerprint THEN d.attempts ELSE 0 END,
  next_attempt_at = CASE WHEN d.desired_fingerprint = excluded.desired_fingerprint THEN d.next_attempt_at END,
  error_code = CASE WHEN d.desired_fingerprint = excluded.desired_fingerprint THEN d.error_code END,
  error_text = CASE WHEN d.desired_fingerprint = excluded.desired_fingerprint THEN d.error_text END,
  state = CASE
    WHEN d.desired_fingerprint = excluded.desired_fingerprint THEN d.state
    WHEN d.delivered_fingerprint = excluded.desired_fingerprint THEN 'delivered'
    ELSE 'waiting' END,
  desired_fingerprint = excluded.desired_fingerprint
"""

# The same payload in another encoding (or by another fingerprint algorithm, or with further columns that are null):
# kept as it is written now, with new fingerprints, and nothing to send.
_REBASE = """
UPDATE delivery AS d SET
  desired = w.payload,
  delivered = CASE WHEN d.delivered_fingerprint = d.desired_fingerprint THEN w.payload ELSE d.delivered END,
  desired_fingerprint = w.fingerprint,
  delivered_fingerprint = CASE WHEN d.delivered_fingerprint = d.desired_fingerprint THEN w.fingerprint
                               ELSE d.delivered_fingerprint END,
  found_of = CASE WHEN d.found_of = d.desired_fingerprint THEN w.fingerprint ELSE d.found_of END
FROM (SELECT w.object_id, w.payload, w.fingerprint FROM wanted AS w
      JOIN delivery AS d ON d.system = :system AND d.entity = :entity AND d.object_id = w.object_id
        AND d.desired_fingerprint = w.rebased_from
      ORDER BY w.object_id FOR UPDATE OF d) AS w
WHERE d.system = :system AND d.entity = :entity AND d.object_id = w.object_id
"""


_ANSWERS = "CREATE TEMP TABLE answers (object_id text, payload bytea, shown bigint) ON COMMIT DROP"

_FOUND = """
UPDATE delivery AS d SET
  found = coalesce(a.payload, d.found),
  found_at = now(),
  found_of = coalesce(a.shown, d.delivered_fingerprint),
  read_on = coalesce(CAST(:read_on AS date), d.read_on)
FROM (SELECT a.object_id, a.payload, a.shown FROM answers AS a
      JOIN delivery AS d ON d.system = :system AND d.entity = :entity AND d.object_id = a.object_id
      ORDER BY a.object_id FOR UPDATE OF d) AS a
WHERE d.system = :system AND d.entity = :entity AND d.object_id = a.object_id
  -- Another process may have read a newer delivery in the meantime: that stays.
  AND NOT (d.found_of IS NOT DISTINCT FROM d.delivered_fingerprint
    AND coalesce(a.shown <> d.delivered_fingerprint, false))
"""


@dataclass(frozen=True)
class DesireCounts:
    """Objects of one call of `Deliveries.desire`: first seen, with another payload, as before."""

    new: int
    changed: int
    unchanged: int


class Deliveries:
    """The delivery table. Payloads of `sealed_entities` (entity names, in any system) are encrypted at rest."""

    def __init__(
        self,
        engine: sa.Engine,
        cipher: Cipher,
        *,
        sealed_entities: frozenset[str] = frozenset(),
        backoff_base_seconds: float = 60.0,
    ) -> None:
        self._engine = engine
        self._cipher = cipher
        self._sealed = sealed_entities
        self._backoff_base_seconds = backoff_base_seconds

    def desire(
        self,
        system: str,
        entity: str,
        desired: pl.DataFrame,
        *,
        check: Callable[[DesireCounts], None] | None = None,
    ) -> DesireCounts:
        """State what should stand in the system; writes only objects that differ, and touches no others.

        `desired`: object_id, business_key, supply_area (String), then payload columns of any type. The supply area is
        added to the object's areas; an object of several areas has an equal row for each and counts once. An object
        whose payload changed is sent again at once, however often it failed. `check` sees the counts before anything
        is written; when it raises, nothing is.
        Raises ValueError, naming business keys, when an object comes with different payloads or twice in an area.
        """
        rows = _fingerprinted(desired)
        return retrying(lambda: self._desire(system, entity, rows, check))

    def compare(self, system: str, entity: str, desired: pl.DataFrame) -> DesireCounts:
        """What `desire` would count, without stating anything."""
        rows = _fingerprinted(desired)
        with self._engine.begin() as connection:
            different = _given(connection, system, entity, rows)
            return _counted(rows, different, self._rebased(rows, different))

    def difference(self, system: str, entity: str, desired: pl.DataFrame) -> pl.DataFrame:
        """What a delivery of `desired` (as in `desire`) would send, without writing anything.

        Columns object_id, business_key, change (create: never delivered; update), before (JSON of what was delivered,
        or null), after (JSON; the same as before where a repair is due). Ordered by business key.
        """
        rows = _fingerprinted(desired)
        chosen = "FROM delivery WHERE system = %s AND entity = %s AND object_id = ANY(%s) AND delivered IS NOT NULL"
        with self._engine.connect() as connection:
            parameters = [system, entity, rows["object_id"].to_list()]
            known = {"object_id": pl.String, "delivered_fingerprint": pl.Int64}
            stored = copy_out(connection, f"SELECT object_id, delivered_fingerprint {chosen}", known, parameters)
            other = rows.join(stored, on="object_id", how="left").filter(
                pl.col("delivered_fingerprint").is_null() | (pl.col("delivered_fingerprint") != pl.col("fingerprint"))
            )
            parameters = [system, entity, other["object_id"].to_list()]
            payload = {"object_id": pl.String, "delivered": pl.Binary}
            joined = other.join(
                fetch(connection, f"SELECT object_id, delivered {chosen}", payload, parameters),
                on="object_id",
                how="left",
            )
        before = payloads.to_texts(joined["delivered"], self._cipher)
        compared = joined.with_columns(before=before).filter(
            # What is to be delivered again as it is has no fingerprint of a delivery.
            _differs(before, joined["payload"]) | joined["delivered_fingerprint"].is_null()
        )
        return compared.select(
            "object_id",
            "business_key",
            pl.when(pl.col("before").is_null()).then(pl.lit("create")).otherwise(pl.lit("update")).alias("change"),
            "before",
            pl.col("payload").alias("after"),
        ).sort("business_key", "object_id")

    @contextlib.contextmanager
    def claim(
        self, system: str, entity: str, limit: int, now: datetime, *, areas: Sequence[str] | None = None
    ) -> Iterator[Claim]:
        """Up to `limit` due objects (of these areas) to send now, ordered by business key; nobody else gets them.

        They stay locked until the with-block ends: its end commits what was recorded, an exception rolls it back, and
        so does the death of the process.
        """
        with self._engine.begin() as connection:
            condition = f"{_DUE} AND {_IN_AREAS}"
            parameters = {"system": system, "entity": entity, "now": now, "areas": _listed(areas), "limit": limit}
            yield open_claim(connection, self._cipher, condition, parameters, self._backoff_base_seconds)

    def is_busy(self, system: str, entity: str, now: datetime, *, areas: Sequence[str] | None = None) -> bool:
        """Whether objects (of these areas) are due; when a claim just got none, another process is sending them."""
        condition = f"system = :system AND entity = :entity AND {_DUE} AND {_IN_AREAS}"
        query = f"SELECT EXISTS (SELECT FROM delivery WHERE {condition})"
        parameters = {"system": system, "entity": entity, "now": now, "areas": _listed(areas)}
        with self._engine.connect() as connection:
            return bool(connection.execute(sa.text(query), parameters).scalar_one())

    def due(self, now: datetime) -> pl.DataFrame:
        """Objects that wait to be sent: system, entity, supply_area (the smallest of the object's), count."""
        query = (
            "SELECT system, entity, (SELECT min(a) FROM unnest(areas) AS a) AS supply_area, count(*) AS count "
            f"FROM delivery WHERE {_DUE} GROUP BY 1, 2, 3 ORDER BY 1, 2, 3"
        )
        schema = {"system": pl.String, "entity": pl.String, "supply_area": pl.String, "count": pl.Int64}
        with self._engine.connect() as connection:
            rows = connection.execute(sa.text(query), {"now": now}).all()
        return pl.DataFrame([tuple(row) for row in rows], schema=schema, orient="row")

    def unread(self, system: str, entity: str, areas: Sequence[str] | None) -> dict[str, int]:
        """Objects whose last delivery has not been read back yet: its fingerprint by object id, ordered by id."""
        query = (
            "SELECT object_id, delivered_fingerprint FROM delivery WHERE system = :system AND entity = :entity AND "
            f"delivered_fingerprint IS NOT NULL AND found_of IS DISTINCT FROM delivered_fingerprint AND {_IN_AREAS} "
            "ORDER BY object_id"
        )
        with self._engine.connect() as connection:
            parameters = {"system": system, "entity": entity, "areas": _listed(areas)}
            rows = connection.execute(sa.text(query), parameters)
            return {row.object_id: row.delivered_fingerprint for row in rows}

    def record_found(
        self,
        system: str,
        entity: str,
        found: Mapping[str, Mapping[str, Any] | None],
        *,
        of: Mapping[str, int] | None = None,
        read_on: date | None = None,
    ) -> None:
        """Keep what the system answered, as flat rows by object id, and mark the delivery they show as read.

        None keeps what was found before: the object was looked at, and what it shows does not count. `of` are the
        fingerprints of the deliveries before the system was asked (default: those delivered now). A delivery that fell
        between asking and recording leaves its object unread. `read_on` is the business day of reading.
        """
        if not found:
            return
        cipher = self._cipher if entity in self._sealed else None
        rows = {
            object_id: None if (row := found[object_id]) is None else payloads.to_bytes(row, cipher)
            for object_id in sorted(found)
        }
        frame = pl.DataFrame(
            {"object_id": list(rows), "payload": list(rows.values()), "shown": [(of or {}).get(key) for key in rows]},
            schema={"object_id": pl.String, "payload": pl.Binary, "shown": pl.Int64},
        )
        retrying(lambda: self._record_found(system, entity, frame, read_on))

    def found(self, system: str, entity: str, areas: Sequence[str] | None, schema: pl.Schema) -> pl.DataFrame:
        """The rows read back (of these areas): object_id, business_key, supply_area, then `schema`.

        Ordered by object id; an object of several of the areas stands once under each.
        """
        return self._payloads(system, entity, "found", areas, schema)

    def desired(self, system: str, entity: str, areas: Sequence[str] | None, schema: pl.Schema) -> pl.DataFrame:
        """The rows desired last (of these areas): object_id, business_key, supply_area, then `schema`.

        Ordered by object id; an object of several of the areas stands once under each.
        """
        return self._payloads(system, entity, "desired", areas, schema)

    def before(self, system: str, entity: str, desired: pl.DataFrame, schema: pl.Schema) -> pl.DataFrame:
        """The rows desired last of those objects of `desired` that differ from it: object_id, then `schema`.

        One per object, ordered by object id; only these are fetched and decoded. What was erased has no row.
        """
        rows = _fingerprinted(desired).select("object_id", "fingerprint")
        with self._engine.begin() as connection:
            connection.execute(sa.text("CREATE TEMP TABLE given (object_id text, fingerprint bigint) ON COMMIT DROP"))
            copy_in(connection, "given", rows)
            connection.execute(sa.text("ANALYZE given"))
            query = (
                "SELECT d.object_id, d.desired FROM given AS g JOIN delivery AS d ON d.system = %s AND d.entity = %s "
                "AND d.object_id = g.object_id AND d.desired_fingerprint <> g.fingerprint AND d.desired <> '{}'::bytea"
            )
            stored = copy_out(connection, query, {"object_id": pl.String, "desired": pl.Binary}, [system, entity])
        texts = stored.select("object_id", payloads.to_texts(stored["desired"], self._cipher).alias("row"))
        return texts.with_columns(pl.col("row").str.json_decode(pl.Struct(schema))).unnest("row").sort("object_id")

    def object_ids(
        self, system: str, entity: str, areas: Sequence[str] | None, *, delivered: bool = False
    ) -> list[str]:
        """Ids, sorted, of all objects ever desired (in these areas), or of those that were `delivered` and stand."""
        chosen = f"{_IN_AREAS} AND delivered_fingerprint IS NOT NULL" if delivered else _IN_AREAS
        query = f"SELECT object_id FROM delivery WHERE system = :system AND entity = :entity AND {chosen} ORDER BY 1"
        with self._engine.connect() as connection:
            parameters = {"system": system, "entity": entity, "areas": _listed(areas)}
            return list(connection.execute(sa.text(query), parameters).scalars())

    def withdraw(self, system: str, entity: str, areas: Sequence[str], kept: Sequence[str]) -> int:
        """Forgets what is desired in these areas and was not delivered yet, but for the objects `kept`; how many."""
        query = (
            "DELETE FROM delivery WHERE system = :system AND entity = :entity AND areas && CAST(:areas AS text[]) "
            "AND delivered_fingerprint IS DISTINCT FROM desired_fingerprint AND object_id <> ALL(:kept)"
        )
        parameters = {"system": system, "entity": entity, "areas": list(areas), "kept": list(kept)}
        with self._engine.begin() as connection:
            return connection.execute(sa.text(query), parameters).rowcount

    def counts(self, system: str, entity: str, areas: Sequence[str] | None = None) -> dict[str, int]:
        """How many objects (of these areas) are waiting, delivered, failed or refused."""
        query = (
            "SELECT state, count(*) AS count_of FROM delivery WHERE system = :system AND entity = :entity AND "
            f"{_IN_AREAS} GROUP BY state ORDER BY state"
        )
        with self._engine.connect() as connection:
            parameters = {"system": system, "entity": entity, "areas": _listed(areas)}
            return {row.state: row.count_of for row in connection.execute(sa.text(query), parameters)}

    def _payloads(
        self, system: str, entity: str, column: str, areas: Sequence[str] | None, schema: pl.Schema
    ) -> pl.DataFrame:
        query = (
            f"SELECT object_id, business_key, array_to_string(areas, chr(31)), {column} FROM delivery "
            f"WHERE system = %s AND entity = %s AND {column} IS NOT NULL "
            "AND (%s::text[] IS NULL OR areas && %s::text[])"
        )
        listed = _listed(areas)
        stored_as = {"object_id": pl.String, "business_key": pl.String, "supply_area": pl.String, column: pl.Binary}
        with self._engine.connect() as connection:
            stored = fetch(connection, query, stored_as, [system, entity, listed, listed])
        texts = stored.drop(column).with_columns(payloads.to_texts(stored[column], self._cipher).alias("row"))
        row = pl.col("row").str.json_decode(pl.Struct(schema))
        # By the streaming engine, which decodes on all cores.
        rows = texts.lazy().with_columns(pl.col("supply_area").str.split("\x1f"), row).collect(engine="streaming")
        placed = rows.explode("supply_area")
        if listed is not None:
            placed = placed.filter(pl.col("supply_area").is_in(listed))
        return placed.unnest("row").sort("object_id", "supply_area")

    def _desire(
        self, system: str, entity: str, rows: pl.DataFrame, check: Callable[[DesireCounts], None] | None
    ) -> DesireCounts:
        key = {"system": system, "entity": entity}
        with self._engine.begin() as connection:
            different = _given(connection, system, entity, rows)
            if different.is_empty():
                return DesireCounts(0, 0, rows.height)
            rebased = self._rebased(rows, different)
            counts = _counted(rows, different, rebased)
            if check is not None:
                check(counts)
            wanted = rows[different["row"]]
            payload = wanted["payload"]
            connection.execute(sa.text(_WANTED))
            copy_in(
                connection,
                "wanted",
                wanted.select(
                    "object_id",
                    "business_key",
                    "areas",
                    self._cipher.seal_series(payload) if entity in self._sealed else payload.cast(pl.Binary),
                    "fingerprint",
                    pl.when(rebased).then(different["desired_fingerprint"]).alias("rebased_from"),
                ),
            )
            # Rebased first: the upsert then meets equal fingerprints there and adds supply areas only.
            if rebased.any():
                connection.execute(sa.text(_REBASE), key)
            connection.execute(sa.text(_UPSERT), key)
        return counts

    def _rebased(self, rows: pl.DataFrame, different: pl.DataFrame) -> pl.Series:
        """Whether each of the different objects says what is stored of it, only in another form."""
        stored = payloads.to_texts(different["desired"], self._cipher)
        return (different["kind"] == "changed") & ~_differs(stored, rows[different["row"]]["payload"])

    def _record_found(self, system: str, entity: str, frame: pl.DataFrame, read_on: date | None) -> None:
        with self._engine.begin() as connection:
            connection.execute(sa.text(_ANSWERS))
            copy_in(connection, "answers", frame)
            connection.execute(sa.text(_FOUND), {"system": system, "entity": entity, "read_on": read_on})


def _given(connection: sa.Connection, system: str, entity: str, rows: pl.DataFrame) -> pl.DataFrame:
    """Puts rows into the table `given`; what differs, as `_different`."""
    connection.execute(sa.text(_GIVEN))
    copy_in(connection, "given", rows.with_row_index("row").select("row", "object_id", "areas", "fingerprint"))
    return _different(connection, system, entity)


def _counted(rows: pl.DataFrame, different: pl.DataFrame, rebased: pl.Series) -> DesireCounts:
    new = int((different["kind"] == "new").sum())
    changed = int(((different["kind"] == "changed") & ~rebased).sum())
    return DesireCounts(new, changed, rows.height - new - changed)


def _different(connection: sa.Connection, system: str, entity: str) -> pl.DataFrame:
    """The objects of the table `given` that need a write: row (position), kind, desired_fingerprint and desired.

    Kind is new, changed, or area (only a supply area is not known yet); the stored payload comes with `changed` alone.
    """
    query = (
        "SELECT g.row, CASE WHEN d.object_id IS NULL THEN 'new' WHEN d.desired_fingerprint <> g.fingerprint "
        "THEN 'changed' ELSE 'area' END, d.desired_fingerprint, "
        "CASE WHEN d.desired_fingerprint <> g.fingerprint THEN d.desired END "
        "FROM given AS g LEFT JOIN delivery AS d ON d.system = %s AND d.entity = %s AND d.object_id = g.object_id "
        "WHERE d.object_id IS NULL OR d.desired_fingerprint <> g.fingerprint OR NOT g.areas <@ d.areas"
    )
    connection.execute(sa.text("ANALYZE given"))
    schema = {"row": pl.Int64, "kind": pl.String, "desired_fingerprint": pl.Int64, "desired": pl.Binary}
    return copy_out(connection, query, schema, [system, entity]).sort("row")


def _fingerprinted(desired: pl.DataFrame) -> pl.DataFrame:
    """One row per object, by object id: object_id, business_key, areas (array literal), payload (JSON), fingerprint."""
    if missing := sum(desired[name].null_count() for name in payloads.KEYS):
        raise ValueError(f"{missing} keys or supply areas of desired objects are missing.")
    rows = payloads.encoded(desired)
    rows = rows.with_columns(row_fingerprints(rows, ["payload"]).reinterpret(signed=True), areas=_ARRAY_OF_ONE)
    if not rows["object_id"].is_duplicated().any():
        return rows.drop("supply_area").sort("object_id")
    in_area_twice = pl.struct("object_id", "supply_area").is_duplicated()
    differing = pl.col("fingerprint").n_unique().over("object_id") > 1
    if twice := sorted(rows.filter(in_area_twice | differing)["business_key"].unique()):
        raise ValueError(f"{len(twice)} objects are desired more than once: {', '.join(map(str, twice[:5]))}.")
    all_areas = pl.lit("{") + pl.col("areas").str.strip_chars("{}").sort().str.join(",") + pl.lit("}")
    merged = rows.group_by("object_id").agg(
        pl.first("business_key", "payload", "fingerprint"), all_areas.alias("areas")
    )
    return merged.sort("object_id")


def _differs(stored: pl.Series, payload: pl.Series) -> pl.Series:
    """Boolean per row: no stored JSON, or one that says something else (the fingerprint may differ all the same)."""
    pairs = zip(stored, payload, strict=True)
    return pl.Series("differs", [old is None or not payloads.same(old, new) for old, new in pairs], dtype=pl.Boolean)


def _listed(areas: Sequence[str] | None) -> list[str] | None:
    return None if areas is None else list(areas)
