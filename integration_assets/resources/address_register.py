"""The address register's file downloads (DAR)."""

import dagster as dg
from pydantic import PrivateAttr

from integration_assets.clients.address_register import AddressRegister
from integration_assets.resources.base import FromSettings


class AddressRegisterResource(FromSettings):
    """Opens the file downloads."""

    _client: AddressRegister | None = PrivateAttr(default=None)

    def get(self) -> AddressRegister:
        """The client. Raises MissingSetting without address or key."""
        if self._client is None:
            self._client = AddressRegister(
                self.settings.need("address_register_url"), self.settings.need("address_register_key")
            )
        return self._client

    def teardown_after_execution(self, context: dg.InitResourceContext) -> None:  # noqa: ARG002 - Dagster's signature
        """Closes the connections."""
        if self._client is not None:
            self._client.close()
            self._client = None
