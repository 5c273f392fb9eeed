"""Deliveries that an outside system refused for good, or that wait for a person: what an operator must look at."""

from collections.abc import Sequence

import polars as pl
import sqlalchemy as sa

from integration_assets.cache.claims import REFUSED

COLUMNS = pl.Schema(
    {"business_key": pl.String, "supply_area": pl.String, "error_code": pl.String, "error_text": pl.String}
)

_QUERY = """
SELECT business_key, a AS supply_area, error_code, error_text FROM delivery, unnest(areas) AS a
WHERE system = :system AND entity = :entity AND state = :state AND a = ANY(:areas) ORDER BY 1, 2, 3
"""


def refused(engine: sa.Engine, system: str, entity: str, areas: Sequence[str]) -> pl.DataFrame:
    """The refused objects of an entity, a row (`COLUMNS`) for each of the areas they belong to, ordered by key."""
    parameters = {"system": system, "entity": entity, "state": REFUSED, "areas": list(areas)}
    with engine.connect() as connection:
        rows = connection.execute(sa.text(_QUERY), parameters).all()
    return pl.DataFrame([tuple(row) for row in rows], schema=COLUMNS, orient="row")
