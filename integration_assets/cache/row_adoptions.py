"""The cross reference of an adopted CRM: under which primary id a row of ours stands there.

Inside, everything goes by our ids. Only who writes to the CRM or reads from it asks here; what was never adopted stands
under our id and has no row.
"""

from collections.abc import Iterable, Sequence
from datetime import date
from typing import Final

import polars as pl
import sqlalchemy as sa

from integration_assets.cache.copying import copy_in, fetch
from integration_assets.domain.crm.adoption import ADOPTED_ROWS

STORED: Final = pl.Schema({**ADOPTED_ROWS, "adopted_on": pl.Date})

_COLUMNS: Final = ", ".join(STORED)
_GIVEN: Final = "CREATE TEMP TABLE adopted (LIKE adopted_row) ON COMMIT DROP"
_UPSERT: Final = f"""
INSERT INTO adopted_row AS r ({_COLUMNS}) SELECT {_COLUMNS} FROM adopted ORDER BY entity, row_id
ON CONFLICT (entity, row_id) DO UPDATE SET
  object_id = excluded.object_id, business_key = coalesce(excluded.business_key, r.business_key),
  taken = excluded.taken,
  adopted_on = CASE WHEN r.taken = excluded.taken AND r.object_id = excluded.object_id THEN r.adopted_on
                    ELSE excluded.adopted_on END
"""

# Rows that the CRM refused because others stand there for the same: it need not take a day to try them again.
_AT_ONCE: Final = """
UPDATE delivery AS d SET next_attempt_at = NULL, attempts = 0
FROM (SELECT d.entity, d.object_id FROM delivery AS d JOIN adopted AS a USING (entity, object_id)
      WHERE d.system = 'crm' AND d.delivered IS NULL AND d.next_attempt_at IS NOT NULL AND a.taken
      ORDER BY d.object_id FOR UPDATE OF d) AS w
WHERE d.system = 'crm' AND d.entity = w.entity AND d.object_id = w.object_id
"""


class RowAdoptions:
    """The table adopted_row."""

    def __init__(self, engine: sa.Engine) -> None:
        self._engine = engine

    def record(self, adopted: pl.DataFrame, on: date) -> None:
        """Fills the cross reference with rows of ADOPTED_ROWS; who was there before keeps the day.

        A row that is not named stays, except where another is taken now for the same object. What waits to be sent and
        was not delivered yet is due at once where a row was taken for it.
        """
        with self._engine.begin() as connection:
            connection.execute(sa.text(_GIVEN))
            copy_in(connection, "adopted", adopted.with_columns(adopted_on=pl.lit(on)).select(list(STORED)))
            # The unique index knows no order of writing: whoever gives way has to go first.
            connection.execute(
                sa.text(
                    "UPDATE adopted_row AS r SET taken = false, adopted_on = a.adopted_on FROM adopted AS a "
                    "WHERE r.object_id = a.object_id AND r.taken AND a.taken AND r.row_id <> a.row_id"
                )
            )
            connection.execute(sa.text(_UPSERT))
            connection.execute(sa.text(_AT_ONCE))

    def rows(self) -> pl.DataFrame:
        """The whole cross reference: frame of STORED, ordered by entity and row id."""
        return self._fetch("true", [])

    def are_any(self) -> bool:
        """Whether anything was ever adopted."""
        with self._engine.connect() as connection:
            return bool(connection.execute(sa.text("SELECT EXISTS (SELECT FROM adopted_row)")).scalar_one())

    def row_ids(self, object_ids: Iterable[str]) -> dict[str, str]:
        """The primary ids in the CRM of those of these objects that were adopted, by our id."""
        found = self._fetch("taken AND object_id = ANY(%s)", [list(object_ids)])
        return dict(found.select("object_id", "row_id").iter_rows())

    def object_ids(self, entity: str, row_ids: Iterable[str]) -> dict[str, str]:
        """Our ids of the adopted rows among these of an entity; not of rows that were left for another."""
        found = self._fetch("taken AND entity = %s AND row_id = ANY(%s)", [entity, list(row_ids)])
        return dict(found.select("row_id", "object_id").iter_rows())

    def _fetch(self, condition: str, parameters: Sequence[object]) -> pl.DataFrame:
        query = f"SELECT {_COLUMNS} FROM adopted_row WHERE {condition} ORDER BY entity, row_id"
        with self._engine.connect() as connection:
            return fetch(connection, query, STORED, parameters)
