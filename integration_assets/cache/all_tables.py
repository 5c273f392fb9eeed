"""The metadata of the whole cache: import it from here where every table counts (encryption at rest, migrations)."""

from integration_assets.cache import billing_tables, claim_tables, supervision_tables
from integration_assets.cache.tables import metadata

__all__ = ["billing_tables", "claim_tables", "metadata", "supervision_tables"]
