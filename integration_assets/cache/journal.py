"""The journal: one row per run and step with its counts, for supervision and for people who ask what happened."""

import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

import polars as pl
import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert

from integration_assets.cache.tables import journal

ENTRIES = pl.Schema(
    {
        "run_id": pl.String,
        "step": pl.String,
        "areas": pl.List(pl.String),
        "counts": pl.String,
        "started_at": pl.Datetime("us", "UTC"),
        "ended_at": pl.Datetime("us", "UTC"),
    }
)


class Journal:
    """The journal table."""

    def __init__(self, engine: sa.Engine) -> None:
        self._engine = engine

    def record(
        self,
        run_id: str,
        step: str,
        areas: Sequence[str],
        counts: Mapping[str, int],
        started_at: datetime,
        ended_at: datetime,
    ) -> None:
        """Record a step; a step that is run again within its run replaces its row."""
        values = {"areas": sorted(areas), "counts": dict(counts), "started_at": started_at, "ended_at": ended_at}
        statement = insert(journal).values(run_id=run_id, step=step, **values)
        with self._engine.begin() as connection:
            connection.execute(statement.on_conflict_do_update(index_elements=["run_id", "step"], set_=values))

    def areas_of_steps(self, steps: Sequence[str]) -> dict[str, datetime]:
        """The supply areas that these steps worked on, each with the end of the last of them."""
        query = sa.text(
            "SELECT unnest(areas) AS area, max(ended_at) AS ended_at FROM journal WHERE step = ANY(:steps) GROUP BY 1 "
            "ORDER BY 1"
        )
        with self._engine.connect() as connection:
            rows = connection.execute(query, {"steps": list(steps)})
            return {row.area: row.ended_at for row in rows}

    def last(self, step: str, areas: Sequence[str]) -> Mapping[str, Any] | None:
        """The last entry of a step in one of these supply areas: run_id, ended_at, counts; None where there is none."""
        query = (
            sa.select(journal.c.run_id, journal.c.ended_at, journal.c.counts)
            .where(journal.c.step == step, journal.c.areas.op("&&")(sa.cast(list(areas), sa.ARRAY(sa.Text))))
            .order_by(journal.c.ended_at.desc())
            .limit(1)
        )
        with self._engine.connect() as connection:
            row = connection.execute(query).mappings().first()
        return None if row is None else {str(name): value for name, value in row.items()}

    def entries(
        self,
        *,
        since: datetime | None = None,
        step: str | None = None,
        area: str | None = None,
        run_id: str | None = None,
        limit: int = 1000,
    ) -> pl.DataFrame:
        """The newest entries (columns of `ENTRIES`, `counts` as JSON), latest end first.

        `since` keeps entries that ended at or after the instant, `area` those that worked on the supply area.
        """
        query = sa.select(journal).order_by(journal.c.ended_at.desc(), journal.c.run_id, journal.c.step).limit(limit)
        if since is not None:
            query = query.where(journal.c.ended_at >= since)
        if step is not None:
            query = query.where(journal.c.step == step)
        if area is not None:
            query = query.where(sa.literal(area) == sa.any_(journal.c.areas))
        if run_id is not None:
            query = query.where(journal.c.run_id == run_id)
        with self._engine.connect() as connection:
            rows = [
                {**row, "counts": json.dumps(row["counts"], sort_keys=True)}
                for row in connection.execute(query).mappings()
            ]
        return pl.DataFrame(rows, schema=ENTRIES)
