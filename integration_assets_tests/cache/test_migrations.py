"""The revisions and the declared tables are the same schema; any number of processes may migrate at once."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext

from integration_assets.cache.all_tables import metadata
from integration_assets.cache.engine import cache_engine, embedded_server_url, migrate


def test_migrated_schema_is_the_declared_schema(cache: sa.Engine) -> None:
    with cache.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_server_default": True})
        assert compare_metadata(context, metadata) == []


def test_processes_that_start_together_migrate_once(server_dir: Path) -> None:
    url = embedded_server_url(server_dir, "migrated_at_once")
    engines = [cache_engine(url, server_dir) for _ in range(4)]
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(migrate, engines))
    with engines[0].connect() as connection:
        assert connection.execute(sa.text("SELECT version_num FROM alembic_version")).scalars().all() == ["0014"]
    for engine in engines:
        engine.dispose()
