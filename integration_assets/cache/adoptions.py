"""The cross reference of an adopted registry: under which uuid an object of ours stands there.

Inside, everything goes by computed ids. Only who writes to the registry or reads from it asks here; what was never
adopted stands under its computed id and has no row.
"""

from collections.abc import Iterable, Sequence
from datetime import date

import polars as pl
import sqlalchemy as sa

from integration_assets.cache.copying import copy_in, fetch
from integration_assets.domain.registry.adoption import ADOPTED

STORED = pl.Schema({**ADOPTED, "adopted_on": pl.Date})

_COLUMNS = ", ".join(STORED)
_GIVEN = "CREATE TEMP TABLE adopted (LIKE adopted_object) ON COMMIT DROP"
_UPSERT = f"""
INSERT INTO adopted_object AS o ({_COLUMNS}) SELECT {_COLUMNS} FROM adopted ORDER BY registry_id
ON CONFLICT (registry_id) DO UPDATE SET
  object_id = excluded.object_id, business_key = excluded.business_key, supply_area = excluded.supply_area,
  superseded = excluded.superseded,
  adopted_on = CASE WHEN o.superseded = excluded.superseded THEN o.adopted_on ELSE excluded.adopted_on END
"""

_STANDING = "SELECT object_id, registry_id FROM adopted_object WHERE NOT superseded"
_STOOD = f"CREATE TEMP TABLE stood ON COMMIT DROP AS {_STANDING}"
# Objects that stand elsewhere now, and those that refer to them, are written again as if they were not there yet.
_WRITTEN_AGAIN = f"""
WITH moved AS MATERIALIZED (
  SELECT object_id FROM stood FULL JOIN ({_STANDING}) AS stands USING (object_id)
  WHERE coalesce(stood.registry_id, object_id) <> coalesce(stands.registry_id, object_id)
    AND object_id IN (SELECT d.object_id FROM delivery AS d WHERE d.system = 'lora')),
chosen AS (
  SELECT d.system, d.entity, d.object_id FROM delivery AS d
  WHERE d.system = 'lora' AND d.delivered_fingerprint IS NOT NULL AND d.delivered IS NOT NULL
    AND (d.object_id IN (SELECT object_id FROM moved)
      OR d.entity IN ('customer_roles', 'agreements')
        AND EXISTS (SELECT FROM moved AS m WHERE position(convert_to(m.object_id, 'UTF8') IN d.desired) > 0))
  ORDER BY d.entity, d.object_id FOR UPDATE OF d)
UPDATE delivery AS d SET
  state = CASE WHEN d.delivered_fingerprint = d.desired_fingerprint THEN 'waiting' ELSE d.state END,
  delivered_fingerprint = NULL, found_of = NULL, revive = false
FROM chosen AS c WHERE d.system = c.system AND d.entity = c.entity AND d.object_id = c.object_id
"""


class Adoptions:
    """The table adopted_object."""

    def __init__(self, engine: sa.Engine) -> None:
        self._engine = engine

    def record(self, adopted: pl.DataFrame, on: date) -> None:
        """Fills the cross reference with rows of ADOPTED; who was there before keeps the day.

        Objects that are not named keep their rows, except where another now stands for the same object. What was
        delivered under another uuid than the one it has now is due again, and so is what refers to it.
        """
        with self._engine.begin() as connection:
            connection.execute(sa.text(_STOOD))
            connection.execute(sa.text(_GIVEN))
            copy_in(connection, "adopted", adopted.with_columns(adopted_on=pl.lit(on)).select(list(STORED)))
            # The unique index knows no order of writing: whoever gives way has to go first.
            connection.execute(
                sa.text(
                    "DELETE FROM adopted_object AS o USING adopted AS a "
                    "WHERE o.object_id = a.object_id AND o.registry_id <> a.registry_id AND NOT o.superseded "
                    "AND NOT a.superseded AND NOT EXISTS (SELECT FROM adopted WHERE registry_id = o.registry_id)"
                )
            )
            connection.execute(
                sa.text(
                    "UPDATE adopted_object AS o SET superseded = true, adopted_on = a.adopted_on FROM adopted AS a "
                    "WHERE o.registry_id = a.registry_id AND a.superseded AND NOT o.superseded"
                )
            )
            connection.execute(sa.text(_UPSERT))
            connection.execute(sa.text(_WRITTEN_AGAIN))

    def rows(self) -> pl.DataFrame:
        """The whole cross reference: frame of STORED."""
        return self._fetch("true", [])

    def are_any(self) -> bool:
        """Whether anything was ever adopted."""
        with self._engine.connect() as connection:
            return bool(connection.execute(sa.text("SELECT EXISTS (SELECT FROM adopted_object)")).scalar_one())

    def registry_ids(self, object_ids: Iterable[str]) -> dict[str, str]:
        """The uuids in the registry of those of these objects that were adopted, by computed id."""
        found = self._fetch("NOT superseded AND object_id = ANY(%s)", [list(object_ids)])
        return dict(found.select("object_id", "registry_id").iter_rows())

    def object_ids(self, registry_ids: Iterable[str]) -> dict[str, str]:
        """The computed ids of the adopted objects among these uuids; superseded ones lead to who stands for them."""
        found = self._fetch("object_id IS NOT NULL AND registry_id = ANY(%s)", [list(registry_ids)])
        return dict(found.select("registry_id", "object_id").iter_rows())

    def of_areas(self, areas: Sequence[str]) -> pl.DataFrame:
        """The rows of STORED in these supply areas."""
        return self._fetch("supply_area = ANY(%s)", [list(areas)])

    def unasked_customer_numbers(self, areas: Sequence[str]) -> list[str]:
        """Customer numbers of adopted customer relations in these areas of which no run has read a row yet."""
        never_desired = (
            "NOT superseded AND entity = 'customer_relations' AND supply_area = ANY(%s) AND NOT EXISTS (SELECT FROM "
            "delivery AS d WHERE d.system = 'lora' AND d.entity = 'customer_relations' "
            "AND d.object_id = adopted_object.object_id)"
        )
        return self._fetch(never_desired, [list(areas)]).get_column("business_key").to_list()

    def _fetch(self, condition: str, parameters: Sequence[object]) -> pl.DataFrame:
        query = f"SELECT {_COLUMNS} FROM adopted_object WHERE {condition} ORDER BY registry_id"
        with self._engine.connect() as connection:
            return fetch(connection, query, STORED, parameters)
