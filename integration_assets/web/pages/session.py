"""Logging in by an identity provider, and logging out."""

from datetime import timedelta
from typing import Final
from urllib.parse import urlsplit

from starlette.responses import RedirectResponse, Response

from integration_assets.clients.identity_provider import Challenge, LoginRefused
from integration_assets.web.access import roles_of, user_of
from integration_assets.web.visits import Visit, login_cookie, opened, sealed, session_cookie

_LOGIN_SECONDS: Final = 600


def login(visit: Visit) -> Response:
    """Sends the browser to the identity provider; a sealed cookie keeps what it must come back with."""
    site = visit.site
    if site.settings.web_login != "oidc":
        return visit.go("/")
    challenge = Challenge.fresh()
    try:
        address = site.provider.login_address(challenge, _back(visit))
    except LoginRefused as error:
        return visit.render("login_refused.html", status=502, reason=str(error))
    content = {
        "state": challenge.state,
        "nonce": challenge.nonce,
        "verifier": challenge.verifier,
        "to": _own_path(visit.query.get("to", "/")),
        "until": (visit.now + timedelta(seconds=_LOGIN_SECONDS)).isoformat(),
    }
    visit.keep(login_cookie(site), sealed(site, content), _LOGIN_SECONDS)
    return RedirectResponse(address, 303)


def callback(visit: Visit) -> Response:
    """Takes in the code that the browser comes back with, and begins a session where it is worth one."""
    site = visit.site
    if site.settings.web_login != "oidc":
        return visit.go("/")
    begun = opened(site, visit.request.cookies.get(login_cookie(site), ""))
    visit.keep(login_cookie(site), "", 0)
    try:
        if begun is None or begun["until"] < visit.now.isoformat():
            raise LoginRefused("The attempt to log in was not begun in this browser, or too long ago.")
        if visit.query.get("state", "") != begun["state"]:
            raise LoginRefused("The answer belongs to another attempt to log in.")
        if "code" not in visit.query:
            raise LoginRefused("The identity provider did not let you in.")
        challenge = Challenge(begun["state"], begun["nonce"], begun["verifier"])
        claims = site.provider.claims(visit.query["code"], challenge, _back(visit))
    except LoginRefused as error:
        return visit.render("login_refused.html", status=403, reason=str(error))
    name = str(claims.get("name") or claims.get("preferred_username") or claims["sub"])
    user = user_of(name, roles_of(claims.get(site.settings.web_roles_claim), site.settings.web_roles))
    if user is None:
        return visit.message(403, "no_role")
    # A new token at every login: one that somebody had planted in the browser before is worth nothing.
    lasts = timedelta(hours=site.settings.web_session_hours)
    token = site.sessions.begin(user.name, user.roles, visit.now, lasts)
    visit.keep(session_cookie(site), token, int(lasts.total_seconds()))
    return RedirectResponse(begun["to"], 303)


def logout(visit: Visit) -> Response:
    """Ends the session, here and in the browser."""
    token = visit.request.cookies.get(session_cookie(visit.site), "")
    if token:
        visit.site.sessions.end(token)
        visit.keep(session_cookie(visit.site), "", 0)
    return visit.go("/logged-out")


def logged_out(visit: Visit) -> Response:
    """Says so, and leads to the identity provider, which still knows the browser."""
    site = visit.site
    elsewhere = None
    if site.settings.web_login == "oidc":
        elsewhere = site.provider.logout_address(f"{site.address}/logged-out")
    return visit.render("logged_out.html", elsewhere=elsewhere)


def _back(visit: Visit) -> str:
    return f"{visit.site.address}/login/callback"


def _own_path(target: str) -> str:
    """A path of these pages; anything that would lead elsewhere becomes the first page."""
    parts = urlsplit(target)
    strange = parts.scheme or parts.netloc or not target.startswith("/") or target.startswith(("//", "/\\"))
    return "/" if strange or not target.isprintable() else target
