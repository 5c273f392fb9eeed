"""What all pages need: the cache, the settings, the clocks, who logs in how. Made once, when the server starts."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from functools import cached_property
from typing import Final

from integration_assets.cache.cipher import Cipher
from integration_assets.cache.store import Cache
from integration_assets.cache.web_sessions import WebSessions
from integration_assets.clients.identity_provider import IdentityProvider
from integration_assets.settings import Settings
from integration_assets.web.access import page_address
from integration_assets.web.csrf import CsrfTokens
from integration_assets.web.trend_days import TrendDays
from integration_assets.web.washing import WashingRegister

_LOGIN_KEY: Final = "web-login"


def _now() -> datetime:
    return datetime.now(UTC)


@dataclass(frozen=True)
class Site:
    """The parts that pages are made of. `today` is the business day on which a retry is due."""

    settings: Settings
    cache: Cache
    today: Callable[[], date]
    now: Callable[[], datetime] = field(default=_now)

    @cached_property
    def address(self) -> str:
        """The address of the pages, without a slash at its end."""
        return page_address(self.settings)

    @property
    def is_https(self) -> bool:
        """Whether browsers reach the pages by https, so that cookies may be kept to it."""
        return self.address.startswith("https://")

    @cached_property
    def sessions(self) -> WebSessions:
        """Who is logged in."""
        return WebSessions(self.cache.engine, timedelta(minutes=self.settings.web_idle_minutes))

    @cached_property
    def csrf(self) -> CsrfTokens:
        """The tokens of forms. Raises MissingSetting without a cipher key."""
        return CsrfTokens(self.settings.need("cipher_key"))

    @cached_property
    def login_cipher(self) -> Cipher:
        """Seals what a browser keeps for us while somebody logs in elsewhere."""
        return Cipher.from_secrets({_LOGIN_KEY: self.settings.need("cipher_key")}, _LOGIN_KEY)

    @cached_property
    def provider(self) -> IdentityProvider:
        """The identity provider of the settings. Raises MissingSetting where they name none."""
        secret = self.settings.web_oidc_client_secret
        return IdentityProvider(
            self.settings.need("web_oidc_issuer"),
            self.settings.need("web_oidc_client_id"),
            None if secret is None else secret.get_secret_value(),
        )

    @cached_property
    def trends(self) -> TrendDays:
        """What the journal says of the last days."""
        return TrendDays(self.cache.engine)

    @cached_property
    def washing(self) -> WashingRegister:
        """The address register, for decisions."""
        return WashingRegister(self.settings.data_dir)
