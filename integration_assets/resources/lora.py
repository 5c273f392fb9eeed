"""The OIO registry (LoRa)."""

from datetime import date
from threading import Lock

import dagster as dg
from pydantic import PrivateAttr

from integration_assets.cache.store import Cache
from integration_assets.clients.lora import LoraClient
from integration_assets.domain.registry.dialect import NEEDED, Dialect, dialect_of
from integration_assets.domain.registry.objects import Tenant
from integration_assets.flows.drift import Means
from integration_assets.resources.base import FromSettings, retry_policy


class LoraResource(FromSettings):
    """Opens the registry; `tenant` says in whose name objects are written, `dialect` in which form."""

    _client: LoraClient | None = PrivateAttr(default=None)
    _dialect: Dialect | None = PrivateAttr(default=None)
    _learning: Lock = PrivateAttr(default_factory=Lock)

    def get(self) -> LoraClient:
        """The client. Raises MissingSetting without an address, or without the token that a login needs."""
        if self._client is None:
            self._client = LoraClient(
                self.settings.need("lora_url"), token=self._authorization(), policy=retry_policy(self.settings)
            )
        return self._client

    def dialect(self) -> Dialect:
        """The dialect of the registry, learned from what it says of itself: seven small answers, once for a resource.

        Raises UnfitRegistry where it cannot hold our objects, and CallError where it does not answer.
        """
        with self._learning:  # several batches ask at once
            if self._dialect is None:
                self._dialect = dialect_of(self.get().served(NEEDED))
            return self._dialect

    @property
    def tenant(self) -> Tenant:
        """Owner and actor of what we write. Raises MissingSetting where one is not set."""
        return Tenant(organisation=self.settings.need("lora_organisation"), actor=self.settings.need("lora_actor"))

    def means(self, cache: Cache, as_of: date) -> Means:
        """What reading from this registry on a business day needs, by the rules of the settings."""
        return Means.of(self.settings, cache, self.get(), self.tenant, as_of)

    def teardown_after_execution(self, context: dg.InitResourceContext) -> None:  # noqa: ARG002 - Dagster's signature
        """Closes the connections."""
        if self._client is not None:
            self._client.close()
            self._client = None
        self._dialect = None

    def _authorization(self) -> str | None:
        """The Authorization header by `lora_auth`."""
        match self.settings.lora_auth:
            case "none":
                return None
            case "bearer":
                return f"Bearer {self.settings.need('lora_token')}"
            case "header":
                return self.settings.need("lora_token") if self.settings.lora_token else None
