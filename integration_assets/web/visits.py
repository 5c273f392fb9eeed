"""One request as pages see it: who asks, in which language, and the ways to answer."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from secrets import token_urlsafe
from typing import Any, Final, Literal
from urllib.parse import urlencode

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response

from integration_assets.settings import WebRole
from integration_assets.web import csrf
from integration_assets.web.access import LOCAL_OPERATOR, User, roles_of, user_of, user_of_proxy
from integration_assets.web.forms import BadForm, fields
from integration_assets.web.languages import CODES, Language, chosen, language
from integration_assets.web.rendering import environment
from integration_assets.web.site import Site

LANGUAGE_COOKIE: Final = "language"
_ONE_YEAR: Final = 365 * 86400
_FOR_LOGIN: Final = ("/login", "/logged-out")

View = Callable[["Visit"], Response]
SameSite = Literal["lax", "strict"]


@dataclass
class Visit:
    """One request. `form` has the fields of its body; `user` is None only on the pages for those who log in."""

    site: Site
    request: Request
    language: Language
    user: User | None
    now: datetime
    form: Mapping[str, str] = field(default_factory=dict[str, str])
    cookies: list[tuple[str, str, int | None, SameSite]] = field(default_factory=list[Any])
    browser: str = ""

    @property
    def query(self) -> Mapping[str, str]:
        """The fields of the address."""
        return dict(self.request.query_params)

    @property
    def who(self) -> User:
        """The user, on pages that have one."""
        if self.user is None:
            raise RuntimeError("This page is shown before anybody has logged in.")
        return self.user

    @property
    def csrf_token(self) -> str:
        """The token of this browser's forms."""
        return self.site.csrf.of(self.browser, self.user.name if self.user else "")

    def render(self, template: str, /, *, status: int = 200, **values: Any) -> Response:
        """A page in the visitor's language."""
        return HTMLResponse(environment().get_template(template).render(self._common() | values), status)

    def message(self, status: int, key: str) -> Response:
        """A page that only says something: the texts `message.KEY.title` and `message.KEY.text`."""
        return self.render("message.html", status=status, key=key)

    def go(self, path: str, **query: str | None) -> Response:
        """Sends the browser to a page of ours."""
        given = {name: value for name, value in query.items() if value is not None}
        return RedirectResponse(f"{path}?{urlencode(given)}" if given else path, 303)

    def keep(self, name: str, value: str, seconds: int | None = None, same_site: SameSite = "lax") -> None:
        """Has the browser keep a cookie: until it is closed, or for so long (0: no longer)."""
        self.cookies.append((name, value, seconds, same_site))

    def _common(self) -> dict[str, Any]:
        shown = {name: value for name, value in self.query.items() if name not in ("lang", "notice")}
        links = {code: f"?{urlencode({**shown, 'lang': code})}" for code in CODES}
        notice = self.query.get("notice", "")
        return {
            "visit": self,
            "user": self.user,
            "t": self.language.t,
            "lang": self.language,
            "languages": links,
            "path": self.request.url.path,
            "csrf": self.csrf_token,
            "csrf_field": csrf.FIELD,
            "dagit": (self.site.settings.dagit_url or "").rstrip("/"),
            "notice": notice if f"notice.{notice}" in self.language.texts else "",
            "has_claims": self.site.settings.claims_enabled,
            "logs_in": self.site.settings.web_login == "oidc",
        }


def session_cookie(site: Site) -> str:
    """The name of the session's cookie; the prefix has browsers keep it to https and this host."""
    return "__Host-session" if site.is_https else "session"


def browser_cookie(site: Site) -> str:
    """The name of the cookie that tells browsers apart where nobody logs in."""
    return "__Host-browser" if site.is_https else "browser"


def login_cookie(site: Site) -> str:
    """The name of the cookie that keeps what an attempt to log in is known by."""
    return "__Host-login" if site.is_https else "login"


def answering(site: Site, view: View, needs: WebRole | None) -> Callable[[Request], Any]:
    """The end point of a view: `needs` is the role it asks for, None for the pages of those who log in.

    A POST is an action: it is carried out only with the token that a page of ours put into the form.
    """

    async def endpoint(request: Request) -> Response:
        try:
            form = fields(await request.body()) if request.method == "POST" else {}
        except BadForm:
            form = {}
        return await run_in_threadpool(_answer, site, view, needs, request, form)

    return endpoint


def _answer(site: Site, view: View, needs: WebRole | None, request: Request, form: Mapping[str, str]) -> Response:
    visit = visit_of(site, request, form)
    response = _admitted(visit, needs) or view(visit)
    for name, value, seconds, same_site in visit.cookies:
        response.set_cookie(
            name, value, max_age=seconds, path="/", secure=site.is_https, httponly=True, samesite=same_site
        )
    return response


def _admitted(visit: Visit, needs: WebRole | None) -> Response | None:
    """What is answered in the page's place: log in first, not allowed, or a form of somebody else's."""
    if needs is not None and visit.user is None:
        if visit.site.settings.web_login == "oidc" and visit.request.method == "GET":
            here = visit.request.url
            return visit.go("/login", to=f"{here.path}?{here.query}" if here.query else here.path)
        return visit.message(401, "unknown")
    if visit.request.method == "POST" and not _is_own_form(visit):
        return visit.message(403, "form")
    if needs is not None and not visit.who.may(needs):
        return visit.message(403, "role")
    return None


def _is_own_form(visit: Visit) -> bool:
    """Whether the form comes from a page of ours, by what the browser says of it and by its token."""
    headers = visit.request.headers
    if headers.get("sec-fetch-site", "same-origin") not in ("same-origin", "none"):
        return False
    user_name = visit.user.name if visit.user else ""
    return visit.site.csrf.fits(visit.form.get(csrf.FIELD), visit.browser, user_name)


def visit_of(site: Site, request: Request, form: Mapping[str, str]) -> Visit:
    """The visit of a request: its user by session, proxy or place, its language, and its browser's cookie."""
    asked = request.query_params.get("lang")
    code = chosen(asked, request.cookies.get(LANGUAGE_COOKIE), request.headers.get("accept-language", ""))
    visit = Visit(site, request, language(code), None, site.now(), form)
    if asked in CODES:
        visit.keep(LANGUAGE_COOKIE, code, _ONE_YEAR)
    login = site.settings.web_login
    if login == "oidc":
        token = request.cookies.get(session_cookie(site), "")
        session = site.sessions.of(token, visit.now) if token else None
        if session is not None:
            visit.user = user_of(session.user_name, roles_of(list(session.roles), _SAME))
            visit.browser = token
            return visit
    else:
        visit.user = LOCAL_OPERATOR if login == "none" else user_of_proxy(request, site.settings)
    visit.browser = request.cookies.get(browser_cookie(site), "")
    if not visit.browser and request.method == "GET":
        visit.browser = token_urlsafe(32)
        visit.keep(browser_cookie(site), visit.browser, same_site="strict")
    return visit


_SAME: Final[Mapping[WebRole, tuple[str]]] = {"viewer": ("viewer",), "operator": ("operator",), "privacy": ("privacy",)}


def sealed(site: Site, content: Mapping[str, str]) -> str:
    """Something for the browser to keep that it can neither read nor change."""
    return site.login_cipher.seal(json.dumps(content).encode()).hex()


def opened(site: Site, value: str) -> dict[str, str] | None:
    """What `sealed` gave; None for anything else."""
    try:
        return json.loads(site.login_cipher.open(bytes.fromhex(value)))
    except ValueError:
        return None
