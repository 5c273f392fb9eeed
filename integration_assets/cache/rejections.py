"""What could not be processed, and why: opened when met, kept while it lasts, closed when it is gone.

A rejection is one record (its key), one reason, in one supply area, of one asset. Its history stays in the table.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

import polars as pl
import sqlalchemy as sa

from integration_assets.cache.locks import lock_key
from integration_assets.cache.retrying import retrying

RETRY_DAYS = (1, 2, 4, 8, 16, 30)
"""Days until the next attempt after the first, second, ... one; the last interval repeats."""

FOUND = pl.Schema(
    {
        "record_key": pl.String,
        "reason": pl.String,
        "text": pl.String,
        "customer_number": pl.String,
        "supply_area": pl.String,
    }
)

_OPEN = pl.Schema({"asset": pl.String, **FOUND, "attempts": pl.Int64, "next_attempt_on": pl.Date, "first_on": pl.Date})

_GIVEN = (
    "unnest(CAST(:record_key AS text[]), CAST(:reason AS text[]), CAST(:text AS text[]), "
    "CAST(:customer_number AS text[]), CAST(:supply_area AS text[])) "
    "AS g (record_key, reason, text, customer_number, supply_area)"
)
_SAME = "r.record_key = g.record_key AND r.reason = g.reason AND r.supply_area = g.supply_area"

_CLOSE = f"""
UPDATE rejection AS r SET closed_on = :as_of WHERE asset = :asset AND closed_on IS NULL
AND supply_area = ANY(:areas) AND NOT EXISTS (SELECT FROM {_GIVEN} WHERE {_SAME})
"""

_KEEP = f"""
UPDATE rejection AS r SET text = g.text, customer_number = g.customer_number
FROM {_GIVEN} WHERE asset = :asset AND closed_on IS NULL AND {_SAME}
"""

_RETRIED = """
UPDATE rejection SET attempts = attempts + 1,
  next_attempt_on = :as_of + (CAST(:days AS int[]))[least(attempts + 1, :last)]
WHERE asset = :asset AND closed_on IS NULL AND supply_area = ANY(:areas) AND next_attempt_on <= :as_of
"""

_AT_ONCE = """
UPDATE rejection SET next_attempt_on = :as_of
WHERE asset = :asset AND closed_on IS NULL AND supply_area = ANY(:areas) AND reason = ANY(:at_once)
"""

_OPENED = f"""
INSERT INTO rejection
  (asset, record_key, reason, text, customer_number, supply_area, attempts, next_attempt_on, first_on)
SELECT :asset, g.record_key, g.reason, g.text, g.customer_number, g.supply_area, 1, :as_of + :first, :as_of
FROM {_GIVEN}
ON CONFLICT (asset, supply_area, record_key, reason) WHERE closed_on IS NULL DO NOTHING
"""


@dataclass(frozen=True)
class RejectionCounts:
    """Rejections of one call: newly opened, still open, closed; `by_reason` counts those that are open now."""

    opened: int
    kept: int
    closed: int
    by_reason: dict[str, int]


class Rejections:
    """The rejection table."""

    def __init__(self, engine: sa.Engine) -> None:
        self._engine = engine

    def replace(
        self,
        asset: str,
        areas: Sequence[str],
        found: pl.DataFrame,
        as_of: date,
        *,
        at_once: Collection[str] = (),
    ) -> RejectionCounts:
        """Make `found` (columns of `FOUND`) the open rejections of the asset in these areas.

        Open ones that are not found any more are closed on `as_of`. Those that were due and are found again were tried
        in vain: their attempts grow and the next one lies 1, 2, 4, 8, 16, then 30 days ahead. Those whose reason is in
        `at_once` are due again on the same day. Raises ValueError when a row lies outside `areas`.
        """
        rows = found.select(pl.col(name).cast(dtype) for name, dtype in FOUND.items()).unique(
            ["record_key", "reason", "supply_area"], keep="first", maintain_order=True
        )
        if outside := sorted(set(rows["supply_area"].fill_null("none")) - set(areas)):
            raise ValueError(f"Rejections of {asset} lie in areas that were not asked for: {outside[:5]}.")
        by_reason = dict(sorted(rows["reason"].value_counts().iter_rows()))
        opened, kept, closed = retrying(lambda: self._replace(asset, sorted(set(areas)), rows, as_of, at_once))
        return RejectionCounts(opened, kept, closed, by_reason)

    def open(self, asset: str | None = None, areas: Sequence[str] | None = None) -> pl.DataFrame:
        """The open rejections (of the asset, in these areas): asset, `FOUND`, attempts, next_attempt_on, first_on."""
        query = (
            f"SELECT {', '.join(_OPEN)} FROM rejection WHERE closed_on IS NULL "
            "AND (CAST(:asset AS text) IS NULL OR asset = :asset) "
            "AND (CAST(:areas AS text[]) IS NULL OR supply_area = ANY(:areas)) "
            "ORDER BY asset, supply_area, record_key, reason"
        )
        return self._frame(query, {"asset": asset, "areas": None if areas is None else list(areas)}, _OPEN)

    def due(self, as_of: date) -> pl.DataFrame:
        """How many open rejections wait for another attempt on that day: asset, supply_area, count."""
        query = (
            "SELECT asset, supply_area, count(*) FROM rejection WHERE closed_on IS NULL AND next_attempt_on <= :as_of "
            "GROUP BY 1, 2 ORDER BY 1, 2"
        )
        schema = pl.Schema({"asset": pl.String, "supply_area": pl.String, "count": pl.Int64})
        return self._frame(query, {"as_of": as_of}, schema)

    def _replace(
        self, asset: str, areas: list[str], rows: pl.DataFrame, as_of: date, at_once: Collection[str]
    ) -> tuple[int, int, int]:
        parameters = {"asset": asset, "areas": areas, "as_of": as_of, **rows.to_dict(as_series=False)}
        days = {"days": list(RETRY_DAYS), "last": len(RETRY_DAYS)}
        with self._engine.begin() as connection:
            connection.execute(sa.text("SELECT pg_advisory_xact_lock(:key)"), {"key": lock_key(f"rejection {asset}")})
            closed = connection.execute(sa.text(_CLOSE), parameters).rowcount
            kept = connection.execute(sa.text(_KEEP), parameters).rowcount
            connection.execute(sa.text(_RETRIED), parameters | days)
            opened = connection.execute(sa.text(_OPENED), parameters | {"first": RETRY_DAYS[0]}).rowcount
            if at_once:
                connection.execute(sa.text(_AT_ONCE), parameters | {"at_once": list(at_once)})
        return opened, kept, closed

    def _frame(self, query: str, parameters: Mapping[str, Any], schema: pl.Schema) -> pl.DataFrame:
        with self._engine.connect() as connection:
            rows = connection.execute(sa.text(query), parameters).all()
        return pl.DataFrame([tuple(row) for row in rows], schema=schema, orient="row")
