"""Running one sandbox system alone, on a loopback port, for tests that speak real HTTP."""

import contextlib
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import uvicorn
from starlette.types import ASGIApp


@contextlib.contextmanager
def running(app: ASGIApp, *, certificate: Path | None = None) -> Iterator[str]:
    """Serve an application in a thread; yields its root URL. With a certificate (and its key, PEM) over https."""
    listener = socket.create_server(("127.0.0.1", 0))
    secured = {} if certificate is None else {"ssl_certfile": certificate, "ssl_keyfile": certificate}
    server = uvicorn.Server(uvicorn.Config(app, lifespan="off", log_config=None, access_log=False, **secured))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True)
    thread.start()
    deadline = time.monotonic() + 10
    while not server.started:
        assert time.monotonic() < deadline, "the server did not start"
        time.sleep(0.01)
    scheme = "http" if certificate is None else "https"
    try:
        yield f"{scheme}://127.0.0.1:{listener.getsockname()[1]}"
    finally:
        # Over TLS, saying goodbye to a client that does not listen would take until a time-out.
        server.force_exit = certificate is not None
        server.should_exit = True
        thread.join(timeout=10)
