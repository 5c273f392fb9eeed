"""Faults on demand: how often a system of the sandbox is slow, busy, broken or silent.

Belongs here: the plan, the dice, and the ASGI layer that applies it around a whole system and writes the request log.
"""

import asyncio
import contextlib
import json
import logging
import random
import time
import traceback
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from integration_assets.sandbox.requests import RequestLog

_log = logging.getLogger(__name__)
_READING = frozenset({"GET", "HEAD", "OPTIONS"})


@dataclass(frozen=True)
class FaultPlan:
    """Faults of one system. Rates are shares of all requests (0..1), at most one fault per request; default none.

    `latency_ms` delays every request, `read_ms` a read for each object that it names, `write_ms` a write; `workers`
    requests at most are worked on at a time, the others wait (0: any number). `retry_after_s` goes with 429 and 503.
    "drop" closes the connection unread, "timeout after commit" lets the system do its work and then closes the
    connection without an answer. `seed` makes the same requests fail again.
    """

    latency_ms: float = 0
    read_ms: float = 0
    write_ms: float = 0
    workers: int = 0
    rate_429: float = 0
    retry_after_s: float = 1
    rate_500: float = 0
    rate_503: float = 0
    rate_drop: float = 0
    rate_timeout_after_commit: float = 0
    seed: int = 0

    @classmethod
    def from_json(cls, plan: Mapping[str, Any] | None) -> "FaultPlan":
        """The plan of a JSON object; null or {} is the plan without faults. ValueError for unknown names or text."""
        known = {entry.name for entry in fields(cls)}
        values = dict(plan or {})
        unknown = sorted(set(values) - known)
        if unknown:
            raise ValueError(f"unknown fault switches: {', '.join(unknown)}")
        if not all(isinstance(value, int | float) for value in values.values()):
            raise ValueError("fault switches are numbers")
        if not isinstance(values.get("workers", 0), int) or values.get("workers", 0) < 0:
            raise ValueError("workers is a whole number, 0 for any number")
        return cls(**values)


class Faults:
    """The fault plan in force for one system, which may be changed while it runs."""

    def __init__(self, plan: FaultPlan) -> None:
        self.use(plan)

    def use(self, plan: FaultPlan) -> None:
        """Put a plan in force from the next request on; the dice start again from its seed."""
        self.plan = plan
        self._random = random.Random(plan.seed)
        self.place = asyncio.Semaphore(plan.workers) if plan.workers else contextlib.nullcontext()

    def draw(self) -> str | None:
        """The fault of the next request: "429", "500", "503", "drop", "timeout_after_commit" or none."""
        dice = self._random.random()
        plan = self.plan
        for name, rate in (
            ("429", plan.rate_429),
            ("500", plan.rate_500),
            ("503", plan.rate_503),
            ("drop", plan.rate_drop),
            ("timeout_after_commit", plan.rate_timeout_after_commit),
        ):
            if dice < rate:
                return name
            dice -= rate
        return None


class Boundary:
    """ASGI application around a system: applies its faults and logs each request."""

    def __init__(
        self,
        app: ASGIApp,
        name: str,
        faults: Faults,
        log: RequestLog | None,
        fault_body: Callable[[int], Mapping[str, Any]] | None = None,
    ) -> None:
        self.app = app
        self.name = name
        self._faults = faults
        self._log = log
        self._fault_body = fault_body or _plain_body

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        started = begun = time.perf_counter()
        state: dict[str, Any] = {}
        scope["state"] = state
        status = 0

        async def noting_send(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                await self._work(scope["method"], state)
            await send(message)

        try:
            async with self._faults.place:
                begun = time.perf_counter()
                await self._answer(scope, receive, noting_send)
        except Exception as error:
            note_failure(self.name, error)
            if not status:
                await self._error(500, noting_send)
        finally:
            if self._log is not None:
                method = scope["method"]
                kind = _kind(method, state)
                ended = time.perf_counter()
                self._log.add(
                    *(self.name, method, scope["path"], kind, state.get("objects", ()), status),
                    ms=(ended - started) * 1000,
                    worked_ms=(ended - begun) * 1000,
                )

    async def _answer(self, scope: Scope, receive: Receive, send: Send) -> None:
        plan = self._faults.plan
        if plan.latency_ms:
            await asyncio.sleep(plan.latency_ms / 1000)
        fault = self._faults.draw()
        if fault is None:
            await self.app(scope, receive, send)
        elif fault == "drop":
            await _close_unanswered(receive)
        elif fault == "timeout_after_commit":
            await self.app(scope, receive, _swallow)
            await _close_unanswered(receive)
        else:
            while (await receive()).get("more_body"):
                pass
            await self._error(int(fault), send)

    async def _work(self, method: str, state: Mapping[str, Any]) -> None:
        """Take the time that a real system needs for what was asked."""
        plan, kind = self._faults.plan, _kind(method, state)
        needed_ms = (
            plan.read_ms * len(state.get("objects", ())) if kind == "read" else plan.write_ms * (kind == "write")
        )
        if needed_ms:
            await asyncio.sleep(needed_ms / 1000)

    async def _error(self, status: int, send: Send) -> None:
        headers = [(b"content-type", b"application/json")]
        if status in (429, 503):
            headers.append((b"retry-after", f"{self._faults.plan.retry_after_s:g}".encode()))
        body = json.dumps(self._fault_body(status)).encode()
        headers.append((b"content-length", str(len(body)).encode()))
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": body})


def _kind(method: str, state: Mapping[str, Any]) -> str:
    """What a request was: as its handler said, else by its method."""
    return state.get("kind") or ("read" if method in _READING else "write")


def _plain_body(status: int) -> Mapping[str, Any]:
    return {"error": {"code": str(status), "message": "the sandbox cannot answer this request"}}


def note_failure(system: str, error: Exception) -> None:
    """Log where a system failed, never with what values: the text of the error may hold personal data."""
    frames = traceback.extract_tb(error.__traceback__)[-8:]
    places = " < ".join(f"{Path(frame.filename).name}:{frame.lineno}" for frame in reversed(frames))
    _log.error("%s failed: %s at %s", system, type(error).__name__, places)


async def _swallow(_message: Message) -> None:
    """Take the answer of a system whose client is not going to see it."""


async def _close_unanswered(receive: Receive) -> None:
    """Cut the connection. ASGI has no word for this: uvicorn's request cycle, whose method `receive` is, holds it."""
    getattr(receive, "__self__").transport.abort()  # noqa: B009 - the callable type of ASGI has no such attribute
    while (await receive())["type"] != "http.disconnect":
        pass
