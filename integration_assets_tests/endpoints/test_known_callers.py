"""Over mutual TLS the authority that certified a caller is not enough: the certificate must name who may post."""

import socket
import ssl
import threading
import time
from pathlib import Path

import httpx
import pytest
import sqlalchemy as sa
import typer
import uvicorn

from integration_assets.cli.claims_listener import server_of
from integration_assets.sandbox.certificates import Keys, keys_of
from integration_assets.settings import Settings
from integration_assets_tests.flows.collection import Utility


@pytest.fixture(scope="module")
def keys(tmp_path_factory: pytest.TempPathFactory) -> Keys:
    return keys_of(tmp_path_factory.mktemp("keys"))


def health(server: uvicorn.Server, keys: Keys, port: int) -> int | None:
    """What a caller with the product's certificate is answered; None where she is hung up on."""
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    while not server.started:
        time.sleep(0.01)
    trust = ssl.create_default_context(cafile=keys.authority)
    trust.load_cert_chain(keys.client)
    try:
        return httpx.get(f"https://127.0.0.1:{port}/health", verify=trust, timeout=10).status_code
    except httpx.TransportError:
        return None
    finally:
        server.should_exit = True
        thread.join(timeout=10)


@pytest.mark.parametrize(
    ("callers", "answer"),
    [([], 200), (["Sandbox product"], 200), (["NTRDK-19552101", "Sandbox produc", "sandbox product"], None)],
)
def test_callers_are_known_by_the_subject_of_their_certificate(
    cache: sa.Engine, keys: Keys, callers: list[str], answer: int | None
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    settings = Settings(dmi_status_certificate=keys.server, dmi_ca=keys.authority, dmi_status_callers=callers)
    server = server_of(settings, Utility(cache, "http://127.0.0.1:9").statuses, "127.0.0.1", port, tls=True)
    assert health(server, keys, port) == answer


def test_a_stranger_does_not_even_come_so_far(cache: sa.Engine, keys: Keys) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    settings = Settings(dmi_status_certificate=keys.server, dmi_ca=keys.authority)
    server = server_of(settings, Utility(cache, "http://127.0.0.1:9").statuses, "127.0.0.1", port, tls=True)

    class Stranger(Keys):
        @property
        def client(self) -> Path:
            return self.stranger

    assert health(server, Stranger(keys.folder), port) is None


@pytest.mark.parametrize("host", ["0.0.0.0", "192.0.2.7", "::"])
def test_out_of_loopback_nobody_is_let_in_unnamed(
    cache: sa.Engine, keys: Keys, host: str, capsys: pytest.CaptureFixture[str]
) -> None:
    settings = Settings(dmi_status_certificate=keys.server, dmi_ca=keys.authority)
    statuses = Utility(cache, "http://127.0.0.1:9").statuses
    with pytest.raises(typer.Exit) as ended:
        server_of(settings, statuses, host, 8443, tls=True)
    assert ended.value.exit_code == 3
    assert "DMI_STATUS_CALLERS" in capsys.readouterr().err
    named = settings.model_copy(update={"dmi_status_callers": ["NTRDK-19552101"]})
    assert server_of(named, statuses, host, 8443, tls=True).config.host == host
