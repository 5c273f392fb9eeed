"""What is said of the tables of events and facts is what PostgreSQL has."""

import sqlalchemy as sa

from integration_assets.domain.facts.tables import AGREEMENT_EVENTS, INSTALLATION_FACTS


def test_the_described_columns_are_those_of_table_and_view(cache: sa.Engine) -> None:
    inspected = sa.inspect(cache)
    for name, described in (("agreement_event", AGREEMENT_EVENTS), ("fact_slice", INSTALLATION_FACTS)):
        assert [column["name"] for column in inspected.get_columns(name)] == described.schema.names()
