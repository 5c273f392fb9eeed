"""Fixtures of the pages: a cache with a scene, servers over it, a browser."""

import itertools
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
import uvicorn
from starlette.types import ASGIApp

from integration_assets.cache.engine import cache_engine, embedded_server_url, migrate
from integration_assets.settings import Settings
from integration_assets.web.serving import server
from integration_assets.web.site import Site
from integration_assets_tests.web.scene import NOW, SECRET, TODAY, Scene, filled

_numbers = itertools.count(1)
NewPages = Callable[..., str]


def fresh_scene(server_dir: Path, data_dir: Path) -> tuple[Scene, sa.Engine]:
    """A scene in a database of its own."""
    engine = cache_engine(embedded_server_url(server_dir, f"pages_{next(_numbers)}"), server_dir)
    migrate(engine)
    return filled(engine, data_dir), engine


@pytest.fixture(scope="module")
def scene(server_dir: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    """The scene that the tests of a module share, and change."""
    made, engine = fresh_scene(server_dir, tmp_path_factory.mktemp("pages"))
    yield made
    engine.dispose()


@pytest.fixture(scope="module")
def new_pages(scene: Scene) -> Iterator[NewPages]:
    """Serves the pages over the scene with the given settings; returns their address."""
    with ExitStack() as running:

        def serve_pages(**given: Any) -> str:
            port = free_port()
            settings = Settings(data_dir=scene.data_dir, cipher_key=SECRET, identity_key="an identity key of tests",
                                web_port=port, **given)  # fmt: skip
            site = Site(settings, scene.cache, lambda: TODAY, lambda: NOW)
            running.enter_context(serving(server(site)))
            return f"http://127.0.0.1:{port}"

        yield serve_pages


@pytest.fixture(scope="module")
def pages(new_pages: NewPages) -> str:
    """The pages as they are served on this machine, where nobody logs in."""
    return new_pages(dagit_url="http://127.0.0.1:3000")


class serving:
    """A server in a thread, for the length of a with-block."""

    def __init__(self, server: uvicorn.Server) -> None:
        self._server = server
        self._thread = threading.Thread(target=self._server.run, daemon=True)

    def __enter__(self) -> None:
        self._thread.start()
        deadline = time.monotonic() + 10
        while not self._server.started:
            assert time.monotonic() < deadline, "the server did not start"
            time.sleep(0.01)

    def __exit__(self, *_: object) -> None:
        self._server.should_exit = True
        self._thread.join(10)


def plain_server(application: ASGIApp, port: int) -> uvicorn.Server:
    """A server of anything else on a port of 127.0.0.1."""
    return uvicorn.Server(uvicorn.Config(application, host="127.0.0.1", port=port, log_level="warning", lifespan="off"))


def free_port() -> int:
    """A port of 127.0.0.1 that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
