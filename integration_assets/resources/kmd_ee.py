"""The billing system KMD EE (MS SQL Server over ODBC)."""

import dagster as dg
import sqlalchemy as sa
from pydantic import PrivateAttr

from integration_assets.clients.kmd_ee import KmdEe
from integration_assets.resources.base import FromSettings


class KmdEeResource(FromSettings):
    """Opens the billing system for reading; nothing is ever written there."""

    _engine: sa.Engine | None = PrivateAttr(default=None)

    def get(self) -> KmdEe:
        """The reading client. Raises MissingSetting without an address."""
        if self._engine is None:
            # Parameter values are customer numbers, and errors are logged.
            self._engine = sa.create_engine(self.settings.need("kmd_ee_url"), hide_parameters=True)
        return KmdEe(self._engine)

    def teardown_after_execution(self, context: dg.InitResourceContext) -> None:  # noqa: ARG002 - Dagster's signature
        """Returns the connections."""
        if self._engine is not None:
            self._engine.dispose()
            self._engine = None
