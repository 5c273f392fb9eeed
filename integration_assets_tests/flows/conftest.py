"""Fixtures of a village: an empty cache, the billing system in the same database, registers that know nobody yet."""

from collections.abc import Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa

from integration_assets.cache.all_tables import metadata
from integration_assets.cache.engine import cache_engine, embedded_server_url, migrate
from integration_assets.cache.store import Cache
from integration_assets.domain.identity import ObjectIds
from integration_assets.flows.lookups import Lookups, Mandate
from integration_assets.sandbox import kmd_ee_tables
from integration_assets_tests.flows.village import TODAY, Registers, Source

MANDATE = Mandate("Prøveby Kommune", "an act of these tests")


@pytest.fixture(scope="module")
def village_url(server_dir: Path) -> str:
    """The URL of a database with the cache's schema and the billing system's tables."""
    url = embedded_server_url(server_dir, "village")
    engine = cache_engine(url, server_dir)
    migrate(engine)
    engine.dispose()
    kmd_ee_tables.create_tables(url)
    return url


def _emptied(engine: sa.Engine, tables: sa.MetaData) -> None:
    """A database of its own for each test would be cleaner and takes ten times as long."""
    with engine.begin() as connection:
        for table in tables.sorted_tables:
            connection.execute(table.delete())


@pytest.fixture
def store(village_url: str, server_dir: Path) -> Iterator[Cache]:
    engine = cache_engine(village_url, server_dir)
    _emptied(engine, metadata)
    store = Cache(engine, "a secret of the tests")
    yield store
    store.close()


@pytest.fixture
def source(village_url: str) -> Iterator[Source]:
    source = Source(village_url)
    _emptied(source.engine, kmd_ee_tables.METADATA)
    yield source
    source.engine.dispose()


@pytest.fixture
def ids() -> ObjectIds:
    return ObjectIds("a key for these tests only")


@pytest.fixture
def registers() -> Registers:
    return Registers()


@pytest.fixture
def lookups(store: Cache, ids: ObjectIds, registers: Registers) -> Lookups:
    """Look-ups of a run that may ask everything."""
    return Lookups(store.answers, ids, registers, MANDATE, as_of=TODAY, run_id="run")
