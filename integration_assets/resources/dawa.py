"""A host that speaks DAWA's protocol."""

import dagster as dg
from pydantic import PrivateAttr

from integration_assets.clients.dawa import Dawa
from integration_assets.resources.base import FromSettings, retry_policy


class DawaResource(FromSettings):
    """Opens the host, for settings that let it resolve addresses (address_provider)."""

    _client: Dawa | None = PrivateAttr(default=None)

    def get(self) -> Dawa:
        """The client. Raises MissingSetting without an address."""
        if self._client is None:
            key = self.settings.dawa_api_key
            self._client = Dawa(
                self.settings.need("dawa_url"),
                api_key=key.get_secret_value() if key else None,
                policy=retry_policy(self.settings),
            )
        return self._client

    def teardown_after_execution(self, context: dg.InitResourceContext) -> None:  # noqa: ARG002 - Dagster's signature
        """Closes the connections."""
        if self._client is not None:
            self._client.close()
            self._client = None
