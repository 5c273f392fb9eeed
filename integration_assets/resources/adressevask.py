"""Adressevask, the second opinion on addresses."""

import dagster as dg
from pydantic import PrivateAttr

from integration_assets.clients.adressevask import Adressevask
from integration_assets.resources.base import FromSettings, retry_policy


class AdressevaskResource(FromSettings):
    """Opens the service, for settings that want a second opinion (address_second_opinion)."""

    _client: Adressevask | None = PrivateAttr(default=None)

    def get(self) -> Adressevask:
        """The client. Raises MissingSetting without address or token."""
        if self._client is None:
            self._client = Adressevask(
                self.settings.need("adressevask_url"),
                self.settings.need("adressevask_token"),
                parallel=self.settings.adressevask_parallel,
                policy=retry_policy(self.settings),
            )
        return self._client

    def teardown_after_execution(self, context: dg.InitResourceContext) -> None:  # noqa: ARG002 - Dagster's signature
        """Closes the connections."""
        if self._client is not None:
            self._client.close()
            self._client = None
