"""The pages as one application: which address leads to which page, and who may see it."""

from collections.abc import Callable
from typing import Any, Final

from sqlalchemy.exc import SQLAlchemyError
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles
from starlette.types import ASGIApp

from integration_assets.settings import WebRole
from integration_assets.web.access import known_hosts, require_safe_setup
from integration_assets.web.forms import LARGEST_BODY
from integration_assets.web.headers import Guarded
from integration_assets.web.pages import claims, numbers, overview, session, trends, worklist
from integration_assets.web.rendering import FOLDER
from integration_assets.web.site import Site
from integration_assets.web.visits import View, answering, visit_of

_A_YEAR: Final = "public, max-age=31536000, immutable"

PAGES: Final[tuple[tuple[str, str, View, WebRole | None], ...]] = (
    ("GET", "/", overview.overview, "viewer"),
    ("POST", "/", overview.refresh_now, "operator"),
    ("POST", "/alarms/{alarm:int}", overview.acknowledge, "operator"),
    ("GET", "/widget", overview.widget, "viewer"),
    ("GET", "/worklist", worklist.worklist, "viewer"),
    ("POST", "/worklist", worklist.choose, "viewer"),
    ("GET", "/worklist.csv", worklist.export, "operator"),
    ("GET", "/worklist/{kind}/{key:path}", worklist.item, "viewer"),
    ("POST", "/worklist/{kind}/{key:path}", worklist.act, "operator"),
    ("GET", "/numbers", numbers.search, "viewer"),
    ("POST", "/numbers", numbers.find, "viewer"),
    ("GET", "/customers/{number}", numbers.customer, "viewer"),
    ("POST", "/customers/{number}", numbers.unmasked, "privacy"),
    ("GET", "/installations/{number}", numbers.installation, "viewer"),
    ("GET", "/claims", claims.claims, "viewer"),
    ("POST", "/claims", claims.decide, "operator"),
    ("GET", "/claims/{action:int}", claims.recall, "viewer"),
    ("GET", "/trends", trends.trends, "viewer"),
    ("GET", "/login", session.login, None),
    ("GET", "/login/callback", session.callback, None),
    ("POST", "/logout", session.logout, "viewer"),
    ("GET", "/logged-out", session.logged_out, None),
)
"""Method, address, page and the role it needs; None: nobody has logged in yet."""


class _Kept(StaticFiles):
    """Files whose address changes with their content."""

    def file_response(self, *args: Any, **kwargs: Any) -> Response:
        response = super().file_response(*args, **kwargs)
        response.headers["Cache-Control"] = _A_YEAR
        return response


def build(site: Site) -> ASGIApp:
    """The application. Raises UnsafeSetup where the settings would open it to strangers."""
    require_safe_setup(site.settings)
    routes = [Route(path, answering(site, view, needs), methods=[method]) for method, path, view, needs in PAGES]
    application = Starlette(
        routes=[
            Route("/health", _health),
            Mount("/static", _Kept(directory=FOLDER / "static")),
            *routes,
        ],
        exception_handlers={HTTPException: _told(site), 500: _told(site)},
        max_body_size=LARGEST_BODY,
    )
    return Guarded(application, hosts=known_hosts(site.settings), https=site.is_https)


async def _health(_request: Request) -> Response:
    """That the server answers, and nothing else: whoever asks has not logged in."""
    return PlainTextResponse("ok\n")


def _told(site: Site) -> Callable[[Request, Exception], Response]:
    """Errors as a page; what went wrong inside stays inside."""

    def tell(request: Request, error: Exception) -> Response:
        status = error.status_code if isinstance(error, HTTPException) else 500
        key = {404: "no_page", 405: "form", 413: "form"}.get(status, "trouble")
        try:
            return visit_of(site, request, {}).message(status, key)
        except SQLAlchemyError:
            return PlainTextResponse("The cache does not answer; nothing was changed.\n", 503)

    return tell
