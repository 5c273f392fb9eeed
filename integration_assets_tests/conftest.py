"""Fixtures for everybody: an embedded PostgreSQL of the test session, and fresh cache databases on it."""

import itertools
import os
import signal
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa
from hypothesis import settings

from integration_assets.cache.engine import cache_engine, embedded_server_url, migrate
from integration_assets.cache.server import embedded_server

# How long an example takes says more about the machine than about the code.
settings.register_profile("house", deadline=None)
settings.load_profile("house")

_TEMPLATE = "migrated_template"
_numbers = itertools.count(1)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The end-to-end files first: each takes minutes on one worker, and all others fill the time beside them."""
    items.sort(key=lambda item: "end_to_end" not in item.path.parts)


@pytest.fixture(scope="session")
def server_dir() -> Iterator[Path]:
    """A data directory with a running embedded server, gone after the session."""
    folder = Path(tempfile.mkdtemp(prefix="integration-tests-"))
    server = embedded_server(folder)
    yield folder
    # No orderly shutdown: it would write all the test databases to disk just before they are removed.
    os.kill(int((folder / "postgres" / "postmaster.pid").read_text().split("\n", 1)[0]), signal.SIGQUIT)
    server.close()
    # Hundreds of databases take most of a minute to remove; nobody needs to wait for that.
    subprocess.Popen(["rm", "-rf", str(folder)], start_new_session=True, stderr=subprocess.DEVNULL)


@pytest.fixture(scope="session")
def _template_url(server_dir: Path) -> str:
    url = embedded_server_url(server_dir, _TEMPLATE)
    engine = cache_engine(url, server_dir)
    migrate(engine)
    engine.dispose()
    return url


@pytest.fixture
def cache_url(_template_url: str) -> str:
    """The URL of a database of its own, with the cache's schema and no rows."""
    name = f"cache_{next(_numbers)}"
    template = sa.make_url(_template_url)
    admin = sa.create_engine(template.set(database="postgres"), isolation_level="AUTOCOMMIT", poolclass=sa.NullPool)
    with admin.connect() as connection:
        connection.execute(sa.text(f"CREATE DATABASE {name} TEMPLATE {_TEMPLATE}"))
    return template.set(database=name).render_as_string(hide_password=False)


@pytest.fixture
def cache(cache_url: str, server_dir: Path) -> Iterator[sa.Engine]:
    """An engine on `cache_url`."""
    engine = cache_engine(cache_url, server_dir)
    yield engine
    engine.dispose()
