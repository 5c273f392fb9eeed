"""The cache database, opened once per run."""

import dagster as dg
from pydantic import PrivateAttr

from integration_assets.cache.cipher import HOW_TO_GIVE_KEYS, Cipher, CipherError
from integration_assets.cache.engine import cache_engine, migrate
from integration_assets.cache.key_checks import check_keys
from integration_assets.cache.store import Cache
from integration_assets.resources.base import FromSettings
from integration_assets.settings import Settings


def open_cache(settings: Settings) -> Cache:
    """Connects to the cache that the settings name (embedded by default) and brings its schema up to date.

    Raises MissingSetting without a cipher key, CipherError where the keys of the settings are not those of the cache;
    nothing has been read or written then.
    """
    cipher = cipher_of(settings)
    url = settings.cache_url.get_secret_value() if settings.cache_url else None
    engine = cache_engine(url, settings.data_dir)
    try:
        migrate(engine)
        check_keys(engine, cipher)
    except BaseException:
        engine.dispose()
        raise
    return Cache(engine, cipher, retry_base_seconds=settings.retry_base_seconds)


def cipher_of(settings: Settings) -> Cipher:
    """The keys that the settings give. Raises MissingSetting without a current one, CipherError for unusable ones."""
    current = settings.cipher_key_id
    secrets = {key_id: secret.get_secret_value() for key_id, secret in settings.cipher_former_keys.items()}
    secret = settings.need("cipher_key")
    if secrets.get(current, secret) != secret:
        raise CipherError(f"The settings give two different secrets for the key {current!r}. {HOW_TO_GIVE_KEYS}")
    return Cipher.from_secrets({**secrets, current: secret}, current)


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
