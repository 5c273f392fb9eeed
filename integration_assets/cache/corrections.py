"""Who corrected what of the past of registry objects, and when. The correction itself stands in what is desired."""

from datetime import date, datetime

import polars as pl
import sqlalchemy as sa

from integration_assets.cache.tables import history_correction

CORRECTIONS = pl.Schema(
    {
        "entity": pl.String,
        "customer_number": pl.String,
        "installation_number": pl.String,
        "field": pl.String,
        "since": pl.Date,
        "corrected_by": pl.String,
        "note": pl.String,
        "corrected_at": pl.Datetime("us", "UTC"),
    }
)


class Corrections:
    """The table of corrections."""

    def __init__(self, engine: sa.Engine) -> None:
        self._engine = engine

    def note(
        self,
        entity: str,
        object_id: str,
        field: str,
        since: date | None,
        *,
        customer_number: str | None = None,
        installation_number: str | None = None,
        by: str,
        note: str | None,
        now: datetime,
    ) -> None:
        """Keeps that somebody corrected from which day on (None: always) a field of an object has its value."""
        values = {"entity": entity, "object_id": object_id, "field": field, "since": since, "note": note}
        keys = {"customer_number": customer_number, "installation_number": installation_number}
        with self._engine.begin() as connection:
            connection.execute(
                sa.insert(history_correction).values(**values, **keys, corrected_by=by, corrected_at=now)
            )

    def all(self) -> pl.DataFrame:
        """Frame of CORRECTIONS, the latest first."""
        order = (history_correction.c.corrected_at.desc(), history_correction.c.correction_id.desc())
        columns = [history_correction.c[name] for name in CORRECTIONS]
        with self._engine.connect() as connection:
            rows = [dict(row) for row in connection.execute(sa.select(*columns).order_by(*order)).mappings()]
        return pl.DataFrame(rows, schema=CORRECTIONS)
