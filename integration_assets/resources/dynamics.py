"""Dynamics CRM 365 (Dataverse Web API)."""

import threading
from collections.abc import Callable

import dagster as dg
from pydantic import PrivateAttr

from integration_assets.clients.dynamics import DynamicsClient
from integration_assets.clients.dynamics_auth import FormTokens, MsalTokens, TokenProvider
from integration_assets.clients.http import PermanentError
from integration_assets.domain.crm.preflight import UnfitCrm, require_fit
from integration_assets.flows.preflight import check_crm
from integration_assets.resources.base import FromSettings, retry_policy
from integration_assets.settings import Settings

_checking = threading.Lock()
"""Rows are sent by several threads, which all wait for the one check."""


def token_provider(settings: Settings) -> TokenProvider:
    """Tokens from Entra (crm_tenant), or from another authority's token end point (crm_token_url)."""
    client_id, secret = settings.need("crm_client_id"), settings.need("crm_client_secret")
    scope = settings.crm_scope or f"{settings.need('crm_url').rstrip('/')}/.default"
    if settings.crm_token_url:
        return FormTokens(settings.crm_token_url, client_id, secret, scope)
    authority = f"https://login.microsoftonline.com/{settings.need('crm_tenant')}"
    return MsalTokens(authority, client_id, secret, scope)


class DynamicsResource(FromSettings):
    """Opens the CRM as the application user of the settings; `require_fit` says whether it can take our rows."""

    _client: DynamicsClient | None = PrivateAttr(default=None)
    _checked: bool = PrivateAttr(default=False)

    def get(self) -> DynamicsClient:
        """The client. Raises MissingSetting where address or credentials are missing."""
        if self._client is None:
            self._client = DynamicsClient(
                self.settings.need("crm_url"),
                token_provider(self.settings),
                batch_size=self.settings.crm_batch_rows,
                policy=retry_policy(self.settings),
            )
        return self._client

    def require_fit(self, warn: Callable[[str], None]) -> None:
        """Checks the organisation against what we write, once for a resource, unless crm_preflight is off.

        Warnings are told to `warn`. Raises UnfitCrm where rows would be refused or the check is, TransientError where
        the CRM does not answer.
        """
        with _checking:
            if self.settings.crm_preflight and not self._checked:
                self._check(warn)
                self._checked = True

    def _check(self, warn: Callable[[str], None]) -> None:
        try:
            found = check_crm(self.get(), self.settings.utility)
        except PermanentError as error:
            raise UnfitCrm(
                f"The CRM could not be checked, so nothing was sent. {error} "
                "With crm_preflight off, rows are sent without a check."
            ) from error
        for finding in found:
            if finding.severity == "warning":
                warn(f"The CRM may refuse or slow down some rows. {finding}")
        require_fit(found)

    def teardown_after_execution(self, context: dg.InitResourceContext) -> None:  # noqa: ARG002 - Dagster's signature
        """Closes the connections."""
        if self._client is not None:
            self._client.close()
            self._client = None
        self._checked = False
