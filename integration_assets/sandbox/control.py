"""The control system of the sandbox: the hands of tests, command line and people on the small world.

Belongs here: routes that read the request log and the mails, set faults and switches, build a town, play its days,
deliver the events and reset everything. What a town is, the module `town` knows.
"""

import asyncio
import importlib
import os
from collections.abc import Awaitable, Callable, Mapping
from json import JSONDecodeError
from typing import Any

from starlette.applications import Starlette
from starlette.datastructures import State
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Mount, Route

from integration_assets.sandbox.claims_ledger import write_ledger
from integration_assets.sandbox.debt_authority.ledger import CLAIMS
from integration_assets.sandbox.event_outbox import DeliveryOrder, EventOutbox
from integration_assets.sandbox.faults import FaultPlan, Faults
from integration_assets.sandbox.mail import MailBox, switches_of
from integration_assets.sandbox.register_switches import switch
from integration_assets.sandbox.requests import RequestLog
from integration_assets.sandbox.store import Store
from integration_assets.sandbox.systems import SandboxOptions

TOWN_MODULE = "integration_assets.sandbox.town"
ORIGINAL_MODULE = "integration_assets.sandbox.original"


class Control:
    """Routes of the control system over the parts of one running sandbox."""

    def __init__(
        self,
        store: Store,
        options: SandboxOptions,
        log: RequestLog,
        faults: Mapping[str, Faults],
        outbox: EventOutbox,
    ) -> None:
        self._store = store
        self._outbox = outbox
        self._options = options
        self._log = log
        self._faults = faults
        self.mailbox = MailBox()
        self.registry_url: str | None = None
        """Where the registry answers, once it is served."""
        self._system_routes: list[Mount] = []
        self._resets: list[Callable[[], None]] = [outbox.clear]
        # Building a town and playing a day read and write the whole store: one at a time.
        self._town_lock = asyncio.Lock()

    def add_systems(self, states: Mapping[str, State]) -> None:
        """Take over what systems bring along for the control system (`systems`), by name. Before `application`."""
        for name, state in states.items():
            self._system_routes.append(Mount(f"/{name}", routes=getattr(state, "control_routes", [])))
            if (reset := getattr(state, "reset", None)) is not None:
                self._resets.append(reset)

    def application(self) -> Starlette:
        """The ASGI application."""
        routes: list[tuple[str, Callable[[Request], Awaitable[Response]], str]] = [
            ("/health", self.health, "GET"),
            ("/requests", self.requests, "GET"),
            ("/requests/summary", self.summary, "GET"),
            ("/requests/clear", self.clear, "POST"),
            ("/faults", self.set_faults, "POST"),
            ("/registers", self.set_switches, "POST"),
            ("/mails", self.mails, "GET"),
            ("/mail-server", self.set_mail_server, "POST"),
            ("/deliver-events", self.deliver_events, "POST"),
            ("/town", self.build_town, "POST"),
            ("/day", self.play_day, "POST"),
            ("/annulments", self.annul, "POST"),
            ("/late-move-outs", self.move_out_late, "POST"),
            ("/original", self.fill_registry, "POST"),
            ("/truth", self.truth, "GET"),
            ("/reset", self.reset, "POST"),
        ]
        own = [Route(path, endpoint, methods=[method]) for path, endpoint, method in routes]
        return Starlette(routes=[*own, *self._system_routes])

    async def health(self, _request: Request) -> Response:
        """Process id and the systems that run."""
        return JSONResponse({"status": "ok", "pid": os.getpid(), "systems": sorted(self._faults)})

    async def requests(self, request: Request) -> Response:
        """Logged requests numbered above `since` (default 0)."""
        try:
            since = int(request.query_params.get("since", "0"))
        except ValueError:
            return _refusal("since is a number")
        return JSONResponse({"requests": self._log.since(since)})

    async def summary(self, _request: Request) -> Response:
        """Counts by system."""
        return JSONResponse(self._log.summary())

    async def clear(self, _request: Request) -> Response:
        """Empty the request log."""
        self._log.clear()
        return JSONResponse({})

    async def set_faults(self, request: Request) -> Response:
        """Put fault plans in force: `{system: plan}`; null or {} as the plan ends the faults of that system."""
        body = await _object(request)
        if body is None or not all(isinstance(plan, dict | None) for plan in body.values()):
            return _refusal("expected an object of fault plans by system")
        unknown = sorted(set(body) - set(self._faults))
        if unknown:
            return _refusal(f"no such system: {', '.join(unknown)}")
        try:
            plans = {system: FaultPlan.from_json(plan) for system, plan in body.items()}
        except ValueError as error:
            return _refusal(str(error))
        for system, plan in plans.items():
            self._faults[system].use(plan)
        return JSONResponse({})

    async def set_switches(self, request: Request) -> Response:
        """Set switches of the registers (`register_switches`): `{switch: value}`; null sets the default again.

        Those not named stay as they are. Answers with all of them.
        """
        body = await _object(request)
        if body is None:
            return _refusal("expected an object of register switches")
        try:
            return JSONResponse(await asyncio.to_thread(switch, self._store, body))
        except ValueError as error:
            return _refusal(str(error))

    async def mails(self, _request: Request) -> Response:
        """The mails that the mail server was given, each once."""
        return JSONResponse({"mails": self.mailbox.as_json()})

    async def set_mail_server(self, request: Request) -> Response:
        """Set the switches of the mail server (`mail.Switches`): `{switch: value}`; those not named are off."""
        body = await _object(request)
        if body is None:
            return _refusal("expected an object of switches of the mail server")
        try:
            self.mailbox.switches = switches_of(body)
        except (TypeError, ValueError) as error:
            return _refusal(str(error))
        return JSONResponse({})

    async def deliver_events(self, request: Request) -> Response:
        """Write files of events into the outbox, as the delivery order (`event_outbox`) in the body says."""
        body = await _object(request)
        if body is None:
            return _refusal("expected an object: a delivery order")
        try:
            order = DeliveryOrder.from_json(body)
        except ValueError as error:
            return _refusal(str(error))
        async with self._town_lock:
            return JSONResponse(await asyncio.to_thread(self._outbox.deliver, order))

    async def build_town(self, request: Request) -> Response:
        """Build the town: `{customers, seed}`, each defaulting to the options of the sandbox."""
        body = await _object(request)
        customers = (body or {}).get("customers", self._options.customers)
        seed = (body or {}).get("seed", self._options.seed)
        if body is None or not isinstance(customers, int) or not isinstance(seed, int):
            return _refusal('expected {"customers": number, "seed": number}')
        # Subscriptions, deliveries and statuses were about the people of the town that goes.
        await asyncio.to_thread(self._put_away)
        answer = await self._town("build", self._store, self._options.kmd_ee_url, customers, seed)
        await asyncio.to_thread(write_ledger, self._store, self._options.data_dir, CLAIMS)
        return answer

    async def play_day(self, request: Request) -> Response:
        """Play a day of the town: `{"day": k}`."""
        body = await _object(request)
        if body is None or not isinstance(body.get("day"), int):
            return _refusal('expected {"day": number}')
        return await self._town("play_day", self._store, self._options.kmd_ee_url, body["day"])

    async def annul(self, request: Request) -> Response:
        """Annul agreements: `{"customers": [number, ...]}`, or `{"count": n}` of those with claims; which they were."""
        body = await _object(request)
        customers, count = (body or {}).get("customers", []), (body or {}).get("count", 0)
        if body is None or not isinstance(customers, list) or not isinstance(count, int):
            return _refusal('expected {"customers": [number, ...]} or {"count": number}')
        try:
            return await self._town("annul", self._store, self._options.kmd_ee_url, list(map(int, customers)), count)
        except LookupError as error:
            return _refusal(str(error))

    async def move_out_late(self, request: Request) -> Response:
        """Let customers with claims have moved out long ago: `{"day": ISO date, "count": n}`; which they were."""
        body = await _object(request) or {}
        day, count = body.get("day"), body.get("count", 1)
        if not isinstance(day, str) or not isinstance(count, int):
            return _refusal('expected {"day": ISO date, "count": number}')
        try:
            return await self._town("move_out_late", self._store, self._options.kmd_ee_url, day, count)
        except LookupError as error:
            return _refusal(str(error))

    async def fill_registry(self, request: Request) -> Response:
        """Fill the registry from the town as AVA's first integration did: `{"seed": number}`; what it left there."""
        body = await _object(request)
        if body is None or self.registry_url is None or not isinstance(body.get("seed", 1), int):
            return _refusal('expected {"seed": number}, and a sandbox with the registry (lora)')
        original = importlib.import_module(ORIGINAL_MODULE)
        async with self._town_lock:
            planted = await asyncio.to_thread(
                original.fill,
                self._store,
                self.registry_url,
                organisation=self._options.settings["lora_organisation"],
                actor=self._options.settings["lora_actor"],
                extended=self._options.lora_extension_fields,
                seed=body.get("seed", 1),
            )
        return JSONResponse(planted)

    async def truth(self, _request: Request) -> Response:
        """What the town knows to be true."""
        return await self._town("truth", self._store)

    async def reset(self, _request: Request) -> Response:
        """Empty every collection, the outbox, the request log and the faults."""
        async with self._town_lock:
            await asyncio.to_thread(self._put_away)
            await asyncio.to_thread(self._store.clear)
        self._log.clear()
        self.mailbox.clear()
        for faults in self._faults.values():
            faults.use(FaultPlan())
        return JSONResponse({})

    def _put_away(self) -> None:
        for reset in self._resets:
            reset()

    async def _town(self, function: str, *arguments: Any) -> Response:
        town = importlib.import_module(TOWN_MODULE)
        async with self._town_lock:
            return JSONResponse(await asyncio.to_thread(getattr(town, function), *arguments))


async def _object(request: Request) -> dict[str, Any] | None:
    """The JSON object of a request body; an empty body is {}; None when it is something else."""
    raw = await request.body()
    if not raw:
        return {}
    try:
        body = await request.json()
    except (JSONDecodeError, UnicodeDecodeError):
        return None
    return body if isinstance(body, dict) else None


def _refusal(text: str) -> Response:
    return JSONResponse({"error": text}, status_code=400)
