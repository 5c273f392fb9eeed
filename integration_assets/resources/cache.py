"""The cache database, opened once per run."""

import dagster as dg
from pydantic import PrivateAttr

from integration_assets.cache.engine import cache_engine, migrate
from integration_assets.cache.store import Cache
from integration_assets.resources.base import FromSettings
from integration_assets.settings import Settings


def open_cache(settings: Settings) -> Cache:
    """Connects to the cache that the settings name (embedded by default) and brings its schema up to date.

    Raises MissingSetting without a cipher key.
    """
    secret = settings.need("cipher_key")
    url = settings.cache_url.get_secret_value() if settings.cache_url else None
    engine = cache_engine(url, settings.data_dir)
    migrate(engine)
    return Cache(engine, secret, retry_base_seconds=settings.retry_base_seconds)


class CacheResource(FromSettings):
    """Opens the cache for a run (embedded PostgreSQL, or the server that the settings name)."""

    _cache: Cache | None = PrivateAttr(default=None)

    def get(self) -> Cache:
        """The open cache."""
        if self._cache is None:
            self._cache = open_cache(self.settings)
        return self._cache

    def teardown_after_execution(self, context: dg.InitResourceContext) -> None:  # noqa: ARG002 - Dagster's signature
        """Disconnects."""
        if self._cache is not None:
            self._cache.close()
            self._cache = None
