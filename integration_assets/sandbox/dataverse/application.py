"""The CRM of the sandbox: Dynamics 365 with its Dataverse Web API and its token end point.

Belongs here: HTTP routes, the check of the token, the headers of every answer, and what the request log is told. The
parts behind them are the other modules of this package.

Routes: `POST /oauth2/token` (client credentials; also under the path that Entra ID has, `/oauth2/v2.0/token`), the API
below `/api/data/v9.2/`, and `POST /_behaviour` for tests, which sets switches (see `behaviour`), null meaning the
default, and answers with all of them; {"revoke_tokens": true} among them makes all issued tokens invalid.
"""

import asyncio
import datetime as dt
import hashlib
import itertools
import uuid
from typing import Any
from urllib.parse import parse_qsl, unquote

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from integration_assets.sandbox.dataverse.batch import run_batch
from integration_assets.sandbox.dataverse.behaviour import Behaviour, behaviour, switch
from integration_assets.sandbox.dataverse.callers import Caller
from integration_assets.sandbox.dataverse.errors import DataverseError, not_a_member
from integration_assets.sandbox.dataverse.limits import Limits
from integration_assets.sandbox.dataverse.paths import API_PATH
from integration_assets.sandbox.dataverse.rows import Rows
from integration_assets.sandbox.dataverse.schema_changes import changed
from integration_assets.sandbox.dataverse.service import answer
from integration_assets.sandbox.dataverse.tables import ORGANISATION
from integration_assets.sandbox.dataverse.tokens import Tokens
from integration_assets.sandbox.dataverse.wire import Answer, Exchange, error_answer
from integration_assets.sandbox.store import Store
from integration_assets.sandbox.systems import SandboxOptions

_AFFINITY = "ARRAffinity"
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
        self._store = store
        self._client_id = known.get("crm_client_id", "")
        self._tokens = Tokens(self._client_id, known.get("crm_client_secret", ""))
        self._limits = Limits()
        self._turn = itertools.count()
        self._rules = Behaviour()

    async def token(self, request: Request) -> Response:
        request.state.kind = "token"
        form = dict(parse_qsl((await request.body()).decode(), keep_blank_values=True))
        status, body = self._tokens.issue(form, behaviour(self._store))
        return JSONResponse(body, status)

    async def behaviour(self, request: Request) -> Response:
        request.state.kind = "other"
        wanted = await request.json()
        if wanted.pop("revoke_tokens", False):
            self._tokens.revoke()
        try:
            found = switch(self._store, wanted)
        except ValueError as error:
            return JSONResponse({"error": str(error)}, 400)
        self._limits = Limits()
        return JSONResponse(found)

    async def api(self, request: Request) -> Response:
        request.state.kind = "read" if request.method == "GET" else "write"
        client_id = self._tokens.client(request.headers.get("authorization", ""))
        if client_id is None:
            root = str(request.base_url).rstrip("/")
            challenge = f"Bearer authorization_uri={root}/oauth2/authorize, resource_id={root}/"
            return Response(status_code=401, headers={"WWW-Authenticate": challenge})
        body = await request.body()
        rules = self._rules_in_force()
        server = self._server(request, rules)
        others = {other: rules.user(other) for other in (self._client_id, *rules.users) if other != client_id}
        caller = Caller(client_id, rules.user(client_id), others)
        try:
            with self._limits.place(client_id, server, rules) as place:
                found = self._answer(request, body, caller, rules)
                place.cost_s = _cost_s(found, place.running, rules)
                if place.cost_s:
                    await asyncio.sleep(place.cost_s)
        except DataverseError as error:
            found = error_answer(error)
        requests, work_s = self._limits.remaining(client_id, server, rules)
        headers = {
            "x-ms-service-request-id": str(uuid.uuid4()),
            "REQ_ID": str(uuid.uuid4()),
            "x-ms-dop-hint": str(rules.parallelism),
            "x-ms-ratelimit-burst-remaining-xrm-requests": str(requests),
            "x-ms-ratelimit-time-remaining-xrm-requests": f"{work_s:,.2f}",
            "Set-Cookie": f"{_AFFINITY}={_server_name(server)}; path=/; HttpOnly",
        }
        return Response(found.body, found.status, headers | found.headers)

    def _answer(self, request: Request, body: bytes, caller: Caller, rules: Behaviour) -> Answer:
        """Do the work of one request, as one transaction."""
        if not caller.user.member:
            return error_answer(not_a_member())
        exchange = Exchange(
            request.method,
            _api_path(request),
            request.url.query,
            {name.lower(): value for name, value in request.headers.items()},
            body,
            f"{str(request.base_url).rstrip('/')}{API_PATH}",
            caller,
        )
        with self._rows.transaction():
            if exchange.path == "$batch" and exchange.method == "POST":
                found = self._batch(request, exchange, rules)
            else:
                found = answer(self._rows, exchange)
        request.state.objects = self._rows.commit()
        return found

    def _batch(self, request: Request, exchange: Exchange, rules: Behaviour) -> Answer:
        try:
            outcome = run_batch(self._rows, exchange, nested_errors=rules.nested_change_set_errors)
        except DataverseError as error:
            return error_answer(error)
        request.state.kind = "write" if outcome.writes else "read"
        return outcome.answer

    def _rules_in_force(self) -> Behaviour:
        """The switches as they are now. Where they were changed, or reset, a new window of the limits begins."""
        rules = behaviour(self._store)
        if rules != self._rules:
            self._limits = Limits()
            if rules.schema != self._rules.schema:
                self._rows.use(changed(ORGANISATION, rules.schema))
            self._rules = rules
        return rules

    def _server(self, request: Request, rules: Behaviour) -> int:
        """The web server that takes the request: the one that the cookie names, else the next in turn."""
        wanted = request.cookies.get(_AFFINITY)
        names = {_server_name(number): number for number in range(rules.servers)}
        return names[wanted] if wanted in names else next(self._turn) % rules.servers


def _cost_s(found: Answer, running: int, rules: Behaviour) -> float:
    """Seconds that a request costs its server: so much longer as more requests share its processors."""
    plain_ms = rules.request_ms + found.bulk_rows * rules.row_ms + found.single_rows * rules.single_row_ms
    return plain_ms / 1000 * max(1.0, running / rules.parallelism)


def _server_name(number: int) -> str:
    return hashlib.sha256(f"web server {number}".encode()).hexdigest()


def _api_path(request: Request) -> str:
    """The decoded path below the API root. The raw path counts: an encoded slash is not a separator."""
    raw = request.scope.get("raw_path") or request.scope["path"].encode()
    return unquote(raw.decode("latin-1").partition("?")[0].removeprefix(API_PATH))


def _now() -> str:
    return dt.datetime.now(dt.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
