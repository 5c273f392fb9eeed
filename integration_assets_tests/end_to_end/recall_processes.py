"""The product's work on recalls, and the debt authority, in processes of their own: each may be killed."""

import contextlib
import dataclasses
import socket
from collections.abc import Mapping
from datetime import UTC, date, datetime
from multiprocessing.synchronize import Event
from pathlib import Path
from typing import Any

import uvicorn

from integration_assets.cache.engine import cache_engine
from integration_assets.cache.store import Cache
from integration_assets.endpoints.claim_statuses import application
from integration_assets.flows.claim_statuses import take_in_folder
from integration_assets.flows.recalls import send_due
from integration_assets.resources.cache import cipher_of
from integration_assets.resources.debt_authority import DebtAuthorityResource
from integration_assets.sandbox.background import start_in_background
from integration_assets.sandbox.systems import SandboxOptions
from integration_assets.settings import Settings
from integration_assets_tests.end_to_end import processes
from integration_assets_tests.end_to_end.processes import FORKS

# One fork server forks for all tests: it must have imported what each of them needs.
FORKS.set_forkserver_preload([processes.__name__, __name__])

SYSTEM = "debt_authority"
DAY = date(2026, 3, 2)


class Outside:
    """A sandbox with nothing but the debt authority, which can be killed and comes back with all that it knew."""

    def __init__(self, data_dir: Path) -> None:
        self._options = SandboxOptions(data_dir=data_dir, systems=(SYSTEM,))
        self._running = start_in_background(self._options)
        self.settings = self._running.settings

    def get(self, path: str) -> Any:
        """JSON answer of the control system."""
        return self._running.get(path)

    def post(self, path: str, body: Any = None) -> Any:
        """Sends JSON to the control system; its JSON answer."""
        return self._running.post(path, body)

    def kill(self) -> None:
        """Ends it by SIGKILL."""
        self._running.process.kill()
        self._running.process.wait()

    def revive(self) -> None:
        """Starts it again, where it was before."""
        self._running = start_in_background(self._options)
        assert self._running.settings == self.settings

    def stop(self) -> None:
        """Ends it for good."""
        self._running.stop()


def send(given: Mapping[str, Any], now: datetime, begun: Event | None = None) -> None:
    """A worker that empties the outbox; its clock stands still."""
    settings, cache = _opened(given)
    means = DebtAuthorityResource(settings=settings).means(cache)
    if begun is not None:
        begun.set()
    with contextlib.closing(means.authority), contextlib.closing(cache):
        send_due(dataclasses.replace(means, clock=lambda: now), DAY)


def take_in(given: Mapping[str, Any], now: datetime, begun: Event | None = None) -> None:
    """A worker that takes the folder of statuses in."""
    settings, cache = _opened(given)
    statuses = DebtAuthorityResource(settings=settings).statuses(cache)
    if begun is not None:
        begun.set()
    with contextlib.closing(cache):
        take_in_folder(statuses, Path(settings.need("dmi_status_folder")), now)


def listen(given: Mapping[str, Any], port: int, begun: Event) -> None:
    """The end point that the authority posts statuses to, over plain http, until it is killed."""
    settings, cache = _opened(given)
    statuses = DebtAuthorityResource(settings=settings).statuses(cache)
    listener = socket.create_server(("127.0.0.1", port))
    server = uvicorn.Server(uvicorn.Config(application(statuses, lambda: datetime.now(UTC)), log_config=None))
    begun.set()
    server.run(sockets=[listener])


def free_port() -> int:
    """A port that nobody listens at."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return listener.getsockname()[1]


def _opened(given: Mapping[str, Any]) -> tuple[Settings, Cache]:
    """The cache, without looking for migrations: they take longer than the work."""
    settings = Settings(**given)
    engine = cache_engine(settings.need("cache_url"), settings.data_dir)
    return settings, Cache(engine, cipher_of(settings))
