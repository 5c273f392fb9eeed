"""The debt authority (DMI) as a system of the sandbox: its service, its switches, its background work.

Routes: `POST /dmi/DMIFordringAsynkronTilbagekald`; through the control system, below `/debt_authority`:
`POST /switches` (see `behaviour`), `POST /claims` (claims handed over: a list), `POST /work` (decide and send
everything that waits; `{"send": false}` only decides), `GET /books` (what the authority has on its books).
"""

from collections.abc import Mapping
from json import JSONDecodeError
from typing import Any, Final

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from integration_assets.sandbox.certificates import KEYS_FOLDER, Keys
from integration_assets.sandbox.claims_ledger import ledger_file
from integration_assets.sandbox.debt_authority.behaviour import switch
from integration_assets.sandbox.debt_authority.desk import CREDITOR, CREDITOR_SYSTEM, Desk
from integration_assets.sandbox.debt_authority.post import Post
from integration_assets.sandbox.debt_authority.wire_in import SERVICE
from integration_assets.sandbox.soap import SoapFault, envelope, fault_envelope, xml_answer
from integration_assets.sandbox.store import Store
from integration_assets.sandbox.systems import SandboxOptions

MUTUAL_TLS: Final = True
PATH: Final = f"/dmi/{SERVICE}"
STATUS_FOLDER: Final = "dmi_statuses"


def build(store: Store, options: SandboxOptions) -> Starlette:
    """The application. `state.control_routes` are for the control system, `state.background` is its own work."""
    desk = Desk(store)
    keys = Keys(options.data_dir / KEYS_FOLDER)
    post = Post(store, desk, options.data_dir / STATUS_FOLDER, keys)
    authority = _Authority(store, desk, post)
    application = Starlette(routes=[Route(PATH, authority.take, methods=["POST"])])
    application.state.control_routes = [
        Route("/switches", authority.switches, methods=["POST"]),
        Route("/claims", authority.claims, methods=["POST"]),
        Route("/work", authority.work, methods=["POST"]),
        Route("/books", authority.books, methods=["GET"]),
    ]
    application.state.background = post.run
    application.state.reset = post.clear
    return application


def settings(url: str, options: SandboxOptions) -> dict[str, str]:
    """The product settings that lead here."""
    keys = Keys(options.data_dir / KEYS_FOLDER)
    certificates = {
        "dmi_certificate": str(keys.client),
        "dmi_status_certificate": str(keys.server),
        "dmi_ca": str(keys.authority),
    }
    return {
        "claims_enabled": "true",
        "claims_ledger": str(ledger_file(options.data_dir)),
        "dmi_url": url + PATH,
        "dmi_creditor_system": CREDITOR_SYSTEM,
        "dmi_creditor_id": str(CREDITOR),
        "dmi_status_folder": str(options.data_dir / STATUS_FOLDER),
        **(certificates if options.tls else {}),
    }


class _Authority:
    def __init__(self, store: Store, desk: Desk, post: Post) -> None:
        self._store = store
        self._desk = desk
        self._post = post

    async def take(self, request: Request) -> Response:
        """A delivery of recalls."""
        request.state.kind = "write"
        request.state.objects = []
        if not request.headers.get("content-type", "").startswith("text/xml"):
            return PlainTextResponse("SOAP 1.1 is sent as text/xml", status_code=415)
        body = await request.body()
        try:
            if (request.headers.get("soapaction") or "").strip('"') != SERVICE:
                raise SoapFault("the SOAPAction header is not the one of the operation", blame="Client")
            actions, answer = await run_in_threadpool(self._desk.take, body)
        except SoapFault as fault:
            return xml_answer(fault_envelope(fault), status=500)
        request.state.objects = [str(action) for action in actions]
        if isinstance(answer, bytes):
            return Response(answer, status_code=200, media_type="text/html")
        return xml_answer(envelope(answer), status=200)

    async def switches(self, request: Request) -> Response:
        """Set switches; answers with all of them."""
        body = await _json(request)
        if not isinstance(body, Mapping):
            return _refusal("expected an object of switches")
        try:
            return JSONResponse(await run_in_threadpool(switch, self._store, body))
        except ValueError as error:
            return _refusal(str(error))

    async def claims(self, request: Request) -> Response:
        """Take over claims."""
        body = await _json(request)
        if not isinstance(body, list):
            return _refusal("expected a list of claims")
        try:
            return JSONResponse({"claims": await run_in_threadpool(self._desk.hand_over, body)})
        except (KeyError, TypeError, ValueError, ArithmeticError):
            return _refusal("these are no claims as the ledger keeps them")

    async def work(self, request: Request) -> Response:
        """Decide everything that waits, and send every message."""
        body = await _json(request)
        steps = arrived = 0
        while done := await run_in_threadpool(self._desk.work, everything=True):
            steps += done
        if not isinstance(body, Mapping) or body.get("send", True):
            arrived = await self._post.send(everything=True)
        return JSONResponse({"steps": steps, "sent": arrived})

    async def books(self, _request: Request) -> Response:
        """Claims, recalls, actions, arrivals."""
        return JSONResponse(await run_in_threadpool(self._desk.books))


async def _json(request: Request) -> Any:
    """The JSON of a body; an empty body is {}, None what is no JSON."""
    raw = await request.body()
    try:
        return await request.json() if raw else {}
    except (JSONDecodeError, UnicodeDecodeError):
        return None


def _refusal(text: str) -> Response:
    return JSONResponse({"error": text}, status_code=400)
