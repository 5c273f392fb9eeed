"""Dynamics CRM 365 (Dataverse Web API)."""

import importlib
import threading
import time
from collections.abc import Callable
from datetime import date
from pathlib import Path

import dagster as dg
from pydantic import PrivateAttr

from integration_assets.cache.store import Cache
from integration_assets.clients.dynamics import DynamicsClient
from integration_assets.clients.dynamics_auth import (
    FormTokens,
    MsalTokens,
    TokenProvider,
    certificate_credential,
)
from integration_assets.clients.http import PermanentError, TransientError
from integration_assets.domain.crm.preflight import UnfitCrm, require_fit
from integration_assets.flows.crm_drift import Means
from integration_assets.flows.crm_mapping import mapping_in_force
from integration_assets.flows.preflight import check_crm
from integration_assets.resources.base import FromSettings, retry_policy
from integration_assets.settings import MissingSetting, Settings

_checking = threading.Lock()
"""Rows are sent by several threads, which all wait for the one check."""
_AWAY_SECONDS = 60.0
"""So long a CRM that did not answer is not asked again whether it is fit."""


def token_providers(settings: Settings) -> list[TokenProvider]:
    """One provider of tokens for each application user, the first by secret or certificate.

    They come from Entra or AD FS (crm_authority, crm_tenant), from another authority's token end point
    (crm_token_url), or from a function that somebody else wrote (crm_token_provider). Raises MissingSetting where
    credentials are missing, ValueError where the certificate or the function cannot be used.
    """
    if settings.crm_token_provider:
        return _provided(settings.crm_token_provider)(settings)
    client_id = settings.need("crm_client_id")
    credentials = {client_id: _credential(settings)}
    credentials |= {name: secret.get_secret_value() for name, secret in settings.crm_further_users.items()}
    return [_tokens(settings, name, credential) for name, credential in credentials.items()]


class DynamicsResource(FromSettings):
    """Opens the CRM as the application users of the settings; `require_fit` says whether it can take our rows."""

    _client: DynamicsClient | None = PrivateAttr(default=None)
    _checked: bool = PrivateAttr(default=False)
    _away: TransientError | None = PrivateAttr(default=None)
    _away_since: float = PrivateAttr(default=0.0)

    def get(self) -> DynamicsClient:
        """The client. Raises MissingSetting where address or credentials are missing."""
        if self._client is None:
            self._client = open_dynamics(self.settings)
        return self._client

    def means(self, cache: Cache, as_of: date) -> Means:
        """What looking at this CRM on a business day needs, by the rules of the settings. Raises as `get`."""
        return Means.of(self.settings, cache, self.get(), mapping_in_force(self.settings), as_of)

    def require_fit(self, warn: Callable[[str], None]) -> None:
        """Checks the organisation against what we write, once for a resource, unless crm_preflight is off.

        Warnings are told to `warn`. Raises UnfitCrm where rows would be refused or the check is, TransientError where
        the CRM does not answer, which for a minute is taken to last.
        """
        with _checking:
            if not self.settings.crm_preflight or self._checked:
                return
            if self._away is not None and time.monotonic() - self._away_since < _AWAY_SECONDS:
                raise self._away
            try:
                self._check(warn)
            except TransientError as error:
                self._away, self._away_since = error, time.monotonic()
                raise
            self._checked = True

    def _check(self, warn: Callable[[str], None]) -> None:
        try:
            found = check_crm(self.get(), self.settings.utility, mapping_in_force(self.settings))
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
        self._away = None


def open_dynamics(settings: Settings) -> DynamicsClient:
    """The client that the settings describe; nothing is asked yet. Raises as `token_providers`."""
    return DynamicsClient(
        settings.need("crm_url"),
        *token_providers(settings),
        api_version=settings.crm_api_version,
        batch_size=settings.crm_batch_rows,
        policy=retry_policy(settings),
    )


def _tokens(settings: Settings, client_id: str, credential: str | dict[str, str]) -> TokenProvider:
    scope = settings.crm_scope or f"{settings.need('crm_url').rstrip('/')}/.default"
    if settings.crm_token_url:
        if not isinstance(credential, str):
            raise ValueError("A token end point (crm_token_url) is given a secret, not a certificate.")
        return FormTokens(settings.crm_token_url, client_id, credential, scope)
    authority = settings.crm_authority.rstrip("/")
    return MsalTokens(
        authority if _is_adfs(settings) else f"{authority}/{settings.need('crm_tenant')}", client_id, credential, scope
    )


def _credential(settings: Settings) -> str | dict[str, str]:
    if settings.crm_certificate is None:
        return settings.need("crm_client_secret")
    password = settings.crm_certificate_password
    return certificate_credential(
        Path(settings.crm_certificate),
        None if password is None else password.get_secret_value(),
        adfs=_is_adfs(settings),
    )


def _is_adfs(settings: Settings) -> bool:
    return settings.crm_authority.rstrip("/").endswith("/adfs")


def _provided(name: str) -> Callable[[Settings], list[TokenProvider]]:
    """The function `module:function` of the setting crm_token_provider."""
    module, _, function = name.partition(":")
    try:
        return getattr(importlib.import_module(module), function)
    except (ImportError, AttributeError, ValueError):
        raise MissingSetting(
            f"Setting crm_token_provider names {name!r}, which is no function that can be imported as module:function."
        ) from None
