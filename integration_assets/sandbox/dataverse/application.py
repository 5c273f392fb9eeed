"""The CRM of the sandbox: Dynamics 365 with its Dataverse Web API and its token end point.

Belongs here: HTTP routes, the check of the token, the headers of every answer, and what the request log is told. The
parts behind them are the other modules of this package.

Routes: `POST /oauth2/token` (client credentials; also under the path that Entra ID has, `/oauth2/v2.0/token`), the API
below `/api/data/v9.2/`, and `POST /_behaviour` for tests: {"token_lifetime_s": seconds, "revoke_tokens": true,
"nested_change_set_errors": false}.
"""

import datetime as dt
import uuid
from typing import Any
from urllib.parse import parse_qsl, unquote

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from integration_assets.sandbox.dataverse.batch import run_batch
from integration_assets.sandbox.dataverse.errors import DataverseError
from integration_assets.sandbox.dataverse.paths import API_PATH
from integration_assets.sandbox.dataverse.rows import Rows
from integration_assets.sandbox.dataverse.service import answer
from integration_assets.sandbox.dataverse.tokens import Tokens
from integration_assets.sandbox.dataverse.wire import Answer, Exchange, error_answer
from integration_assets.sandbox.store import Store
from integration_assets.sandbox.systems import SandboxOptions

_PARALLELISM_HINT = "4"
_METHODS = ["GET", "POST", "PATCH", "PUT", "DELETE"]
_THROTTLED = {
    429: ("0x80072322", "Number of requests exceeded the limit of 6000 over time window of 300 seconds."),
    500: ("0x80044150", "Generic SQL error."),
    503: ("0x80044151", "SQL timeout expired."),
}


def settings(url: str, options: SandboxOptions) -> dict[str, str]:
    """The product settings that lead to this CRM at `url`, beside the client id and secret of `options`."""
    del options
    return {"crm_url": url, "crm_token_url": f"{url}/oauth2/token", "crm_scope": f"{url}/.default"}


def fault_body(status: int) -> dict[str, Any]:
    """The body of an error status that the fault plan injects."""
    code, message = _THROTTLED.get(status, ("0x80040216", "An unexpected error occurred."))
    return DataverseError(status, code, message).body()


def build(store: Store, options: SandboxOptions) -> Starlette:
    """The CRM as an application; its rows are kept in the store's collections `crm:<entity set>` and `crm:links`."""
    crm = _Crm(store, options)
    application = Starlette(
        routes=[
            Route("/oauth2/token", crm.token, methods=["POST"]),
            Route("/oauth2/v2.0/token", crm.token, methods=["POST"]),
            Route("/_behaviour", crm.behaviour, methods=["POST"]),
            Route(API_PATH + "{rest:path}", crm.api, methods=_METHODS),
        ]
    )
    application.state.fault_body = fault_body
    return application


class _Crm:
    def __init__(self, store: Store, options: SandboxOptions) -> None:
        self._rows = Rows(store, _now)
        known = options.settings
        self._tokens = Tokens(known.get("crm_client_id", ""), known.get("crm_client_secret", ""))
        self._nested_errors = True
        self._affinity = uuid.uuid4().hex

    async def token(self, request: Request) -> Response:
        request.state.kind = "token"
        form = dict(parse_qsl((await request.body()).decode(), keep_blank_values=True))
        status, body = self._tokens.issue(form)
        return JSONResponse(body, status)

    async def behaviour(self, request: Request) -> Response:
        request.state.kind = "other"
        wanted = await request.json()
        self._tokens.lifetime_s = float(wanted.get("token_lifetime_s", self._tokens.lifetime_s))
        self._nested_errors = bool(wanted.get("nested_change_set_errors", self._nested_errors))
        if wanted.get("revoke_tokens"):
            self._tokens.revoke()
        return Response(status_code=204)

    async def api(self, request: Request) -> Response:
        request.state.kind = "read" if request.method == "GET" else "write"
        if not self._tokens.accepts(request.headers.get("authorization", "")):
            root = str(request.base_url).rstrip("/")
            challenge = f"Bearer authorization_uri={root}/oauth2/authorize, resource_id={root}/"
            return Response(status_code=401, headers={"WWW-Authenticate": challenge})
        exchange = Exchange(
            request.method,
            _api_path(request),
            request.url.query,
            {name.lower(): value for name, value in request.headers.items()},
            await request.body(),
            f"{str(request.base_url).rstrip('/')}{API_PATH}",
        )
        with self._rows.transaction():
            if exchange.path == "$batch" and exchange.method == "POST":
                found = self._batch(request, exchange)
            else:
                found = answer(self._rows, exchange)
        request.state.objects = self._rows.commit()
        return self._response(found)

    def _batch(self, request: Request, exchange: Exchange) -> Answer:
        try:
            outcome = run_batch(self._rows, exchange, nested_errors=self._nested_errors)
        except DataverseError as error:
            return error_answer(error)
        request.state.kind = "write" if outcome.writes else "read"
        return outcome.answer

    def _response(self, found: Answer) -> Response:
        headers = {
            "x-ms-service-request-id": str(uuid.uuid4()),
            "REQ_ID": str(uuid.uuid4()),
            "x-ms-dop-hint": _PARALLELISM_HINT,
            "Set-Cookie": f"ARRAffinity={self._affinity}; path=/; HttpOnly",
        }
        return Response(found.body, found.status, headers | found.headers)


def _api_path(request: Request) -> str:
    """The decoded path below the API root. The raw path counts: an encoded slash is not a separator."""
    raw = request.scope.get("raw_path") or request.scope["path"].encode()
    return unquote(raw.decode("latin-1").partition("?")[0].removeprefix(API_PATH))


def _now() -> str:
    return dt.datetime.now(dt.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
