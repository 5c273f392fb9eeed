"""The registers over https with client certificates, and the outbox over SFTP, in a whole running sandbox."""

import asyncio
import json
import ssl
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import asyncssh
import httpx
import pytest

from integration_assets.sandbox.background import RunningSandbox, start_in_background
from integration_assets.sandbox.certificates import Keys, keys_of
from integration_assets.sandbox.systems import SandboxOptions

SYSTEMS = ("person_register", "company_register", "person_subscriptions")
SECURED = ("person_register_url", "person_search_url", "company_register_url", "person_subscription_url")


@pytest.fixture(scope="module")
def sandbox(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningSandbox]:
    running = start_in_background(SandboxOptions(data_dir=tmp_path_factory.mktemp("sandbox"), systems=SYSTEMS))
    yield running
    running.stop()


@pytest.fixture(scope="module")
def spare_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data directory for sandboxes that a test starts and ends itself."""
    return tmp_path_factory.mktemp("spare")


@pytest.fixture(scope="module")
def folder(sandbox: RunningSandbox) -> Path:
    return Path(sandbox.settings["data_dir"])


def log_of(data_dir: Path) -> list[str]:
    return (data_dir / "sandbox.log").read_text().splitlines()


def trusting(authority: str, certificate: str | Path | None) -> ssl.SSLContext:
    context = ssl.create_default_context(cafile=authority)
    # What later versions of Python demand of certificates by default.
    context.verify_flags |= ssl.VERIFY_X509_STRICT
    if certificate is not None:
        context.load_cert_chain(str(certificate))
    return context


def test_every_register_answers_the_products_certificate(sandbox: RunningSandbox) -> None:
    given = sandbox.settings
    with httpx.Client(verify=trusting(given["sp_ca"], given["sp_certificate"])) as client:
        for name in SECURED:
            assert given[name].startswith("https://127.0.0.1:")
            answer = client.post(given[name], content=b"<x/>", headers={"content-type": "text/xml"})
            assert (answer.status_code, "envelope" in answer.text) == (500, True)
            elsewhere = given[name].replace("127.0.0.1", "localhost")
            assert client.post(elsewhere, content=b"<x/>").status_code == 415


@pytest.mark.parametrize("certificate", [None, "stranger.pem"])
def test_others_are_refused_before_they_can_ask(sandbox: RunningSandbox, folder: Path, certificate: str | None) -> None:
    sandbox.post("/requests/clear")
    own = None if certificate is None else folder / "sandbox_tls" / certificate
    tls = trusting(sandbox.settings["sp_ca"], own)
    for name in SECURED:
        with httpx.Client(verify=tls) as client, pytest.raises(httpx.TransportError):
            client.post(sandbox.settings[name], content=b"<x/>")
    assert sandbox.get("/requests/summary") == {}


def test_a_client_that_does_not_know_the_authority_refuses_the_server(sandbox: RunningSandbox) -> None:
    with httpx.Client() as client, pytest.raises(httpx.ConnectError, match="CERTIFICATE_VERIFY_FAILED"):
        client.post(sandbox.settings["company_register_url"], content=b"<x/>")


def test_keys_are_private_and_stay_the_same(folder: Path) -> None:
    keys = folder / "sandbox_tls"
    assert stat.S_IMODE(keys.stat().st_mode) == 0o700
    assert {stat.S_IMODE(path.stat().st_mode) for path in keys.iterdir()} == {0o600}
    before = {path.name: path.read_bytes() for path in keys.iterdir()}
    assert keys_of(keys) == Keys(keys)
    assert {path.name: path.read_bytes() for path in keys.iterdir()} == before


def test_faults_work_under_tls_as_well(sandbox: RunningSandbox) -> None:
    given = sandbox.settings
    with httpx.Client(verify=trusting(given["sp_ca"], given["sp_certificate"])) as client:
        sandbox.post("/faults", {"company_register": {"rate_drop": 1}})
        with pytest.raises(httpx.TransportError):
            client.post(given["company_register_url"], content=b"<x/>")
        sandbox.post("/faults", {"company_register": {"rate_503": 1}})
        assert client.post(given["company_register_url"], content=b"<x/>").status_code == 503
        sandbox.post("/faults", {"company_register": None})


def test_the_switches_are_set_by_the_control_system(sandbox: RunningSandbox) -> None:
    assert sandbox.post("/registers", {"flavour": "direct"})["flavour"] == "direct"
    assert sandbox.post("/registers", {"capped_rows": 4})["flavour"] == "direct"
    for path, wrong in (("/registers", {"teapot": 1}), ("/deliver-events", {"day": "soon"}), ("/registers", [1])):
        assert httpx.post(sandbox.control_url + path, json=wrong).status_code == 400
    sandbox.post("/reset")
    assert sandbox.post("/registers")["flavour"] == "local"


def connect(given: dict[str, str], **changes: Any) -> Any:
    known = f"[{given['person_events_host']}]:{given['person_events_port']} {given['person_events_host_key']}"
    return asyncssh.connect(
        given["person_events_host"],
        int(given["person_events_port"]),
        **{
            "username": given["person_events_user"],
            "client_keys": [given["person_events_key"]],
            "known_hosts": asyncssh.import_known_hosts(known),
            "config": None,
            "agent_path": None,
            **changes,
        },
    )


def test_a_delivery_is_fetched_by_sftp(sandbox: RunningSandbox, folder: Path) -> None:
    sandbox.post("/reset")
    (delivery,) = sandbox.post("/deliver-events", {"day": "2026-03-02"})["deliveries"]

    async def fetch() -> tuple[list[str], bytes, str, bool]:
        async with connect(sandbox.settings) as connection, connection.start_sftp_client() as client:
            listed = await client.listdir(sandbox.settings["person_events_folder"])
            async with client.open(f"IN/{delivery['file']}", "rb") as file:
                content = await file.read()
            root = await client.realpath(".")
            outside = await client.exists("../../sandbox.json")
            await client.put(str(folder / "sandbox.log"), "OUT/note")
        return sorted(name for name in listed if name not in (".", "..")), content, root, outside

    names, content, root, outside = asyncio.run(fetch())
    assert names == [delivery["file"], delivery["file"] + ".metadata"]
    assert content == b"00000000000001109012026030220260301\n999999999999900000000\n"
    assert (root, outside) == ("/", False)
    assert (folder / "sftp" / "OUT" / "note").exists()


def test_a_stranger_cannot_log_in(sandbox: RunningSandbox) -> None:
    async def attempt(**changes: Any) -> None:
        async with connect(sandbox.settings, **changes):
            pass

    other = asyncssh.generate_private_key("ssh-ed25519")
    with pytest.raises(asyncssh.PermissionDenied):
        asyncio.run(attempt(client_keys=[other]))
    with pytest.raises(asyncssh.PermissionDenied):
        asyncio.run(attempt(client_keys=None, password="sandbox"))
    with pytest.raises(asyncssh.PermissionDenied):
        asyncio.run(attempt(username="root"))


def test_a_restart_keeps_the_outbox_and_the_way_to_it(spare_dir: Path) -> None:
    options = SandboxOptions(data_dir=spare_dir, systems=SYSTEMS)
    first = start_in_background(options)
    (made,) = first.post("/deliver-events", {"day": "2026-03-02"})["deliveries"]
    first.stop()
    second = start_in_background(options)
    try:
        assert second.settings == first.settings
        (later,) = second.post("/deliver-events", {"day": "2026-03-04"})["deliveries"]
        assert later["previous"] == made["day"]
    finally:
        second.stop()
    assert log_of(spare_dir) == [f"sandbox ready: {first.control_url}"] * 2


def test_a_client_that_stays_does_not_hold_up_the_end(spare_dir: Path) -> None:
    running = start_in_background(SandboxOptions(data_dir=spare_dir, systems=("company_register",)))
    given = running.settings
    with httpx.Client(verify=trusting(given["sp_ca"], given["sp_certificate"])) as client:
        assert client.post(given["company_register_url"], content=b"<x/>").status_code == 415
        running.process.terminate()
        # The server hangs up on idle clients after five seconds: the end must not have waited for that.
        assert running.process.wait(4.5) == 0
    assert log_of(spare_dir)[-1] == f"sandbox ready: {running.control_url}"


def test_tls_can_be_turned_off(spare_dir: Path) -> None:
    running = start_in_background(SandboxOptions(data_dir=spare_dir, systems=("company_register",), tls=False))
    try:
        assert running.settings["company_register_url"].startswith("http://127.0.0.1:")
        assert not {"sp_certificate", "sp_ca", "person_events_source"} & set(running.settings)
        answer = httpx.post(running.settings["company_register_url"], content=b"<x/>")
        assert answer.status_code == 415
    finally:
        running.stop()
    state = json.loads((spare_dir / "sandbox.json").read_text())
    assert state["systems"]["company_register"].startswith("http://")
