"""Whether the rows of one entity table lead to rows of another: compared in the database, no row is fetched."""

from collections.abc import Sequence
from dataclasses import dataclass

import sqlalchemy as sa

from integration_assets.domain.schema import EntityTable

_EXAMPLES = 5


@dataclass(frozen=True)
class Dangling:
    """Living rows whose reference leads nowhere: how many, and the business keys of the first few."""

    rows: int
    examples: Sequence[str]


def dangling(engine: sa.Engine, table: EntityTable, reference: str, target: EntityTable) -> Dangling:
    """The living rows of `table` whose column `reference` names no living row of `target` by its key."""
    nowhere = (
        f'SELECT business_key FROM "{table.name}" AS pointing WHERE vanished_at IS NULL AND "{reference}" IS NOT NULL '
        f'AND NOT EXISTS (SELECT FROM "{target.name}" AS target WHERE target.vanished_at IS NULL '
        f'AND target."{target.key}" = pointing."{reference}")'
    )
    query = f"SELECT count(*), (array_agg(business_key ORDER BY business_key))[1:{_EXAMPLES}] FROM ({nowhere}) AS found"
    with engine.connect() as connection:
        count, examples = connection.execute(sa.text(query)).one()
    return Dangling(count, examples or ())
