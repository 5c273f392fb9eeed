"""The OIO registry (LoRa)."""

import dagster as dg
from pydantic import PrivateAttr

from integration_assets.clients.lora import LoraClient
from integration_assets.domain.registry.objects import Tenant
from integration_assets.resources.base import FromSettings, retry_policy


class LoraResource(FromSettings):
    """Opens the registry; `tenant` says in whose name objects are written."""

    _client: LoraClient | None = PrivateAttr(default=None)

    def get(self) -> LoraClient:
        """The client. Raises MissingSetting without an address."""
        if self._client is None:
            token = self.settings.lora_token
            self._client = LoraClient(
                self.settings.need("lora_url"),
                token=token.get_secret_value() if token else None,
                policy=retry_policy(self.settings),
            )
        return self._client

    @property
    def tenant(self) -> Tenant:
        """Owner and actor of what we write. Raises MissingSetting where one is not set."""
        return Tenant(organisation=self.settings.need("lora_organisation"), actor=self.settings.need("lora_actor"))

    def teardown_after_execution(self, context: dg.InitResourceContext) -> None:  # noqa: ARG002 - Dagster's signature
        """Closes the connections."""
        if self._client is not None:
            self._client.close()
            self._client = None
