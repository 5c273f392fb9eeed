"""The end point that the debt authority posts statuses to (MFAktionStatusOpdater).

A message is answered with 200 only after it was committed. Messages that come at the same time share a transaction, so
the throughput is that of the database and not that of single commits. What cannot be read is kept and answered with a
fault that blames the caller; what could not be stored is answered with one that blames us, and comes again.
"""

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator, Callable, Sequence
from datetime import datetime
from typing import Final, NamedTuple

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from integration_assets.cache.recall_statuses import Message, RecallStatuses
from integration_assets.clients.debt_authority_xml import STATUS_SERVICE, acknowledgement, soap_fault
from integration_assets.flows.claim_statuses import message_of

PATH: Final = f"/dmi/{STATUS_SERVICE}"
SOURCE: Final = "soap"
MOST_AT_ONCE: Final = 500
"""Messages of one transaction."""
LARGEST_BYTES: Final = 16 * 1024 * 1024

_log = logging.getLogger(__name__)


class _Waiting(NamedTuple):
    content: bytes
    stored: "asyncio.Future[Message | None]"


class _Intake:
    """Reads and takes in what waits, all of it at once, one transaction after the other."""

    def __init__(self, statuses: RecallStatuses, clock: Callable[[], datetime]) -> None:
        self._statuses = statuses
        self._clock = clock
        self._waiting: asyncio.Queue[_Waiting] = asyncio.Queue()

    async def stored(self, content: bytes) -> Message | None:
        """The message in these bytes, once it is committed; None where it could not be stored."""
        waiting = _Waiting(content, asyncio.get_running_loop().create_future())
        await self._waiting.put(waiting)
        return await waiting.stored

    async def run(self) -> None:
        """Works until it is cancelled."""
        while True:
            batch = [await self._waiting.get()]
            while not self._waiting.empty() and len(batch) < MOST_AT_ONCE:
                batch.append(self._waiting.get_nowait())
            stored = await run_in_threadpool(self._take_in, [one.content for one in batch])
            for one, message in zip(batch, stored, strict=True):
                if not one.stored.done():  # whoever asked may have gone
                    one.stored.set_result(message)

    def _take_in(self, contents: Sequence[bytes]) -> list[Message | None]:
        """The messages that were stored; where that fails for all together, each by itself: one must not keep the
        others out."""
        stored = self._stored(contents)
        if stored is not None:
            return [*stored]
        if len(contents) == 1:
            return [None]
        return [message for content in contents for message in self._stored([content]) or [None]]

    def _stored(self, contents: Sequence[bytes]) -> list[Message] | None:
        """The messages, once they are committed; None where reading or storing failed: whatever it was, the next
        messages are still taken in."""
        try:
            messages = [message_of(SOURCE, content) for content in contents]
            self._statuses.take_in(messages, self._clock())
        except Exception:
            _log.exception("%s messages of the debt authority were not stored; it will send them again.", len(contents))
            return None
        return messages


def application(statuses: RecallStatuses, clock: Callable[[], datetime]) -> Starlette:
    """The end point at PATH; GET /health answers 200 while it runs."""
    intake = _Intake(statuses, clock)

    async def take(request: Request) -> Response:
        content = await _body(request)
        if content is None:
            return _xml(soap_fault("Client", "The message is too large."), 413)
        message = await intake.stored(content)
        if message is None:
            return _xml(soap_fault("Server", "The message could not be stored. Please send it again."), 500)
        if message.update is None:
            return _xml(soap_fault("Client", message.unreadable or "The message cannot be read."), 500)
        return _xml(acknowledgement(message.update.transaction_id, clock()), 200)

    async def health(request: Request) -> Response:  # noqa: ARG001 - Starlette's signature
        return Response(status_code=200)

    @contextlib.asynccontextmanager
    async def working(_: Starlette) -> AsyncIterator[None]:
        task = asyncio.create_task(intake.run())
        try:
            yield
        finally:
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task

    routes = [Route(PATH, take, methods=["POST"]), Route("/health", health, methods=["GET"])]
    return Starlette(routes=routes, lifespan=working)


async def _body(request: Request) -> bytes | None:
    """The body; None where it is larger than any message is."""
    content = bytearray()
    async for piece in request.stream():
        content += piece
        if len(content) > LARGEST_BYTES:
            return None
    return bytes(content)


def _xml(text: str, status: int) -> Response:
    return Response(text, status_code=status, media_type="text/xml; charset=utf-8")
