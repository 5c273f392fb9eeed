"""Who is at the browser and what she may do; and in which set-up the pages may be served at all."""

import hmac
import ipaddress
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlsplit

from starlette.requests import Request

from integration_assets.settings import Settings, WebRole

PROXY_SECRET_HEADER: Final = "X-Proxy-Secret"
SHORTEST_PROXY_SECRET: Final = 16
LOOPBACK_NAMES: Final = ("127.0.0.1", "localhost", "[::1]")
_LONGEST_NAME: Final = 200


class UnsafeSetup(Exception):
    """The pages are not served as the settings say; the message says why and what to set."""


@dataclass(frozen=True)
class User:
    """Somebody who may see the pages. Roles include what they imply: whoever acts or sees numbers may look."""

    name: str
    roles: frozenset[WebRole]

    def may(self, role: WebRole) -> bool:
        """Whether she has the role."""
        return role in self.roles


def user_of(name: str, roles: Collection[WebRole]) -> User | None:
    """The user of this name; None where she has no role at all, or no name to write into the books."""
    plain = "".join(character for character in name if character.isprintable()).strip()[:_LONGEST_NAME]
    if not roles or not plain:
        return None
    return User(plain, frozenset([*roles, "viewer"]))


LOCAL_OPERATOR: Final = User("local operator", frozenset({"viewer", "operator"}))
"""Whoever sits at this machine, where nobody logs in."""


def roles_of(values: object, names: Mapping[WebRole, Collection[str]]) -> frozenset[WebRole]:
    """The roles that a claim or a header gives: a text or a list of texts, by the names of the settings."""
    if isinstance(values, str):
        values = [values]
    given = {each for each in values if isinstance(each, str)} if isinstance(values, list) else set[str]()
    return frozenset(role for role, known in names.items() if given & set(known))


def user_of_proxy(request: Request, settings: Settings) -> User | None:
    """Whom a reverse proxy names; None where the request did not come through it, or names nobody with a role."""
    secret = settings.web_proxy_secret
    given = request.headers.get(PROXY_SECRET_HEADER, "")
    if secret is None or not hmac.compare_digest(given.encode(), secret.get_secret_value().encode()):
        return None
    names = request.headers.getlist(settings.web_proxy_user_header)
    listed = request.headers.getlist(settings.web_proxy_roles_header)
    # Two headers of one name: one of them came from the browser.
    if len(names) != 1 or len(listed) != 1:
        return None
    groups = [group.strip() for group in listed[0].split(",")]
    return user_of(_read(names[0]), roles_of(groups, settings.web_roles))


def _read(header: str) -> str:
    """A header's text, which most proxies write in UTF-8 and HTTP hands over as Latin-1."""
    try:
        return header.encode("latin-1").decode("utf-8")
    except UnicodeError:
        return header


def is_loopback(host: str) -> bool:
    """Whether only this machine reaches the address."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def page_address(settings: Settings) -> str:
    """The address by which browsers reach the pages, without a slash at its end."""
    host = f"[{settings.web_host}]" if ":" in settings.web_host else settings.web_host
    return (settings.web_url or f"http://{host}:{settings.web_port}").rstrip("/")


def require_safe_setup(settings: Settings) -> None:
    """Raises UnsafeSetup where the settings would show data to people whom nobody knows."""
    address = urlsplit(page_address(settings))
    if address.scheme not in ("http", "https") or not address.hostname or address.path:
        raise UnsafeSetup(
            "INTEGRATION_WEB_URL is to be an address without a path, like https://supervision.example.dk."
        )
    local = is_loopback(settings.web_host)
    if settings.web_login == "none":
        if not local:
            raise UnsafeSetup(
                f"The pages would be open to everybody who reaches {settings.web_host}. Set INTEGRATION_WEB_LOGIN to "
                "oidc or proxy, or serve them on 127.0.0.1."
            )
        if settings.web_url is not None and not is_loopback(address.hostname):
            raise UnsafeSetup(
                "INTEGRATION_WEB_URL names an address that others reach, and nobody has to log in. Set "
                "INTEGRATION_WEB_LOGIN to oidc or proxy."
            )
        return
    if address.scheme != "https" and not is_loopback(address.hostname):
        raise UnsafeSetup("Sessions need https: set INTEGRATION_WEB_URL to the https address of the pages.")
    if settings.web_login == "oidc":
        _require(settings, ("web_oidc_issuer", "web_oidc_client_id"))
        issuer = urlsplit(settings.web_oidc_issuer or "")
        if issuer.scheme != "https" and not is_loopback(issuer.hostname or ""):
            raise UnsafeSetup("INTEGRATION_WEB_OIDC_ISSUER is to be an https address.")
    else:
        _require(settings, ("web_proxy_secret", "web_url"))
        if len(settings.need("web_proxy_secret")) < SHORTEST_PROXY_SECRET:
            raise UnsafeSetup(f"INTEGRATION_WEB_PROXY_SECRET needs {SHORTEST_PROXY_SECRET} characters at least.")


def _require(settings: Settings, names: Collection[str]) -> None:
    for name in names:
        if getattr(settings, name) is None:
            raise UnsafeSetup(f"INTEGRATION_WEB_LOGIN={settings.web_login} needs INTEGRATION_{name.upper()}.")


def known_hosts(settings: Settings) -> frozenset[str]:
    """The names that a browser may use for the pages: any other is somebody's trick (DNS rebinding)."""
    named = urlsplit(page_address(settings)).hostname or ""
    own = {f"[{named}]" if ":" in named else named}
    return frozenset(own | set(LOOPBACK_NAMES) if is_loopback(settings.web_host) else own)
