"""What operators let through although it is more than the limits allow: so many objects, once, in named areas."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

import polars as pl
import sqlalchemy as sa

VALID_FOR: Final = timedelta(days=7)
"""What was not made use of by then is not meant any more."""

GIVEN: Final = pl.Schema(
    {
        "system": pl.String,
        "entity": pl.String,
        "areas": pl.List(pl.String),
        "most": pl.Int64,
        "given_by": pl.String,
        "why": pl.String,
        "given_at": pl.Datetime("us", "UTC"),
        "areas_left": pl.List(pl.String),
        "most_left": pl.Int64,
        "run_ids": pl.List(pl.String),
    }
)


@dataclass(frozen=True)
class LetThrough:
    """Who let a run through, and why."""

    given_by: str
    why: str


class LetThroughs:
    """The table let_through."""

    def __init__(self, engine: sa.Engine) -> None:
        self._engine = engine

    def give(
        self, system: str, entity: str, areas: Sequence[str], most: int, *, by: str, why: str, now: datetime
    ) -> None:
        """Lets runs of these areas create and change `most` objects of an entity altogether, each area once."""
        parameters: dict[str, Any] = {"system": system, "entity": entity, "areas": list(areas), "most": most}
        with self._engine.begin() as connection:
            connection.execute(sa.text(_GIVE), {**parameters, "by": by, "why": why, "now": now})

    def use(
        self, system: str, entity: str, areas: Sequence[str], changes: int, run_id: str, now: datetime
    ) -> LetThrough | None:
        """Who let a run of these areas change so many objects, which is used up by that; None: nobody did.

        What the same run was let through before it is let through again.
        """
        parameters: dict[str, Any] = {"system": system, "entity": entity, "areas": list(areas), "changes": changes}
        with self._engine.begin() as connection:
            row = connection.execute(
                sa.text(_USE), {**parameters, "run_id": run_id, "since": now - VALID_FOR}
            ).one_or_none()
        return None if row is None else LetThrough(row.given_by, row.why)

    def all(self) -> pl.DataFrame:
        """Frame of GIVEN, the latest first."""
        query = f"SELECT {', '.join(GIVEN)} FROM let_through ORDER BY given_at DESC, let_through_id DESC"
        with self._engine.connect() as connection:
            rows = connection.execute(sa.text(query)).all()
        return pl.DataFrame([tuple(row) for row in rows], schema=GIVEN, orient="row")


_GIVE: Final = """
INSERT INTO let_through (system, entity, areas, most, given_by, why, given_at, areas_left, most_left)
VALUES (:system, :entity, :areas, :most, :by, :why, :now, :areas, :most)
"""

_USE: Final = """
UPDATE let_through AS t SET
  areas_left = ARRAY(SELECT a FROM unnest(t.areas_left) AS a WHERE a <> ALL(CAST(:areas AS text[]))),
  most_left = CASE WHEN CAST(:run_id AS text) = ANY(t.run_ids) THEN t.most_left ELSE t.most_left - :changes END,
  run_ids = CASE WHEN CAST(:run_id AS text) = ANY(t.run_ids) THEN t.run_ids ELSE t.run_ids || CAST(:run_id AS text) END
WHERE t.let_through_id = (
  SELECT let_through_id FROM let_through
  WHERE system = :system AND entity = :entity AND given_at > :since AND areas @> CAST(:areas AS text[])
    AND (CAST(:run_id AS text) = ANY(run_ids)
      OR areas_left @> CAST(:areas AS text[]) AND most_left >= :changes)
  ORDER BY given_at DESC, let_through_id DESC LIMIT 1 FOR UPDATE)
RETURNING t.given_by, t.why
"""
