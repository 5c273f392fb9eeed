"""The history of the cache's schema (alembic), run by the product itself at start: no alembic.ini, no command line."""

import threading
from pathlib import Path

import sqlalchemy as sa
from alembic import command
from alembic.config import Config

from integration_assets.cache.locks import advisory_lock

_ALEMBIC = threading.Lock()
"""Alembic keeps the upgrade that is under way in variables of its module: one at a time in a process."""


def upgrade(engine: sa.Engine) -> None:
    """Bring the schema to the newest revision. Processes that start at the same time wait for each other."""
    with advisory_lock(engine, "cache migrations"), engine.begin() as connection:
        config = Config()
        config.set_main_option("script_location", str(Path(__file__).parent).replace("%", "%%"))
        config.attributes["connection"] = connection
        with _ALEMBIC:
            command.upgrade(config, "head")
