"""Running the sandbox: one process, one event loop, one HTTP server per system on the loopback interface.

Belongs here: which systems run, their ports, who is served over https, the file `sandbox.json` that leads to them, a
clean end on SIGTERM and SIGINT. The systems themselves are modules of their own, imported by name so that each may be
missing.
"""

import asyncio
import contextlib
import dataclasses
import importlib
import importlib.util
import json
import os
import secrets
import signal
import socket
import ssl
import uuid
from collections.abc import Callable, Coroutine, Generator, Mapping
from pathlib import Path
from types import ModuleType
from typing import Any

import uvicorn
from starlette.types import ASGIApp

from integration_assets.cache.engine import embedded_server_url
from integration_assets.sandbox.certificates import KEYS_FOLDER, Keys, keys_of
from integration_assets.sandbox.control import Control
from integration_assets.sandbox.event_outbox import EventOutbox
from integration_assets.sandbox.faults import Boundary, FaultPlan, Faults, note_failure
from integration_assets.sandbox.mail import MailBox, MailServerOptions, mail_settings, start_mail_server
from integration_assets.sandbox.requests import RequestLog
from integration_assets.sandbox.store import Store
from integration_assets.sandbox.systems import SandboxOptions
from integration_assets.sandbox.truth_facts import TARIFFS

STATE_FILE = "sandbox.json"
HOST = "127.0.0.1"
OUTBOX_FOLDER = "sftp"
EVENTS_SYSTEM = "person_subscriptions"
EVENTS_PORT = "person_events"
MAIL_PORT = "mail"
_PAUSE_AFTER_FAILURE_S = 1.0


class _Server(uvicorn.Server):
    """A server that leaves the signals to the process: there are several of them in it."""

    @contextlib.contextmanager
    def capture_signals(self) -> Generator[None, None, None]:
        yield

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """End at once: over TLS, saying goodbye to a client that does not listen would take until the time-out."""
        if self.config.is_ssl:
            for connection in list(self.server_state.connections):
                cycle = getattr(connection, "cycle", None)
                if cycle is None or cycle.response_complete:
                    connection.transport.abort()
        await super().shutdown(sockets)


def serve(options: SandboxOptions) -> None:
    """Run all systems until SIGTERM or SIGINT. Prints one line when every port answers."""
    asyncio.run(_serve(options))


async def _serve(options: SandboxOptions) -> None:
    options.data_dir.mkdir(parents=True, exist_ok=True)
    earlier = read_state(options.data_dir)
    options = dataclasses.replace(
        options,
        settings=_made_up_settings(earlier.get("settings", {})),
        kmd_ee_url=embedded_server_url(options.data_dir, "kmd_ee"),
    )
    store = Store(embedded_server_url(options.data_dir, "sandbox"))
    modules = {name: module for name in options.systems if (module := _system_module(name)) is not None}
    log = RequestLog()
    faults = {name: Faults(options.faults.get(name, FaultPlan())) for name in modules}
    applications: dict[str, ASGIApp] = {}
    built = {name: module.build(store, options) for name, module in modules.items()}
    for name, application in built.items():
        fault_body = getattr(application.state, "fault_body", None)
        applications[name] = Boundary(application, name, faults[name], log, fault_body)
    outbox = EventOutbox(store, options.data_dir / OUTBOX_FOLDER)
    control = Control(store, options, log, faults, outbox)
    control.add_systems({name: application.state for name, application in built.items()})
    applications["control"] = Boundary(control.application(), "control", Faults(FaultPlan()), None)

    sockets = _listen(applications, options.ports, _ports(earlier))
    secured = {name for name, module in modules.items() if options.tls and getattr(module, "MUTUAL_TLS", False)}
    keys = keys_of(options.data_dir / KEYS_FOLDER) if secured or EVENTS_SYSTEM in modules else None
    urls = {
        name: f"{'https' if name in secured else 'http'}://{HOST}:{listener.getsockname()[1]}"
        for name, listener in sockets.items()
    }
    control.registry_url = urls.get("lora")
    given = {"sp_certificate": str(keys.client), "sp_ca": str(keys.authority)} if secured and keys is not None else {}
    if keys is not None and EVENTS_SYSTEM in modules:
        given |= await _serve_events(options, keys, outbox, earlier.get("settings", {}))
    given |= await _serve_mail(options, control.mailbox, earlier.get("settings", {}))
    _write_state(options, modules, urls, given)
    servers = {
        name: _Server(_config(application, keys if name in secured else None))
        for name, application in applications.items()
    }
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, _stop, list(servers.values()))
    tasks = [asyncio.create_task(server.serve(sockets=[sockets[name]])) for name, server in servers.items()]
    while not all(server.started for server in servers.values()) and not any(task.done() for task in tasks):
        await asyncio.sleep(0.01)
    print(f"sandbox ready: {urls['control']}", flush=True)
    own_work = [getattr(application.state, "background", None) for application in built.values()]
    background = [asyncio.create_task(_without_end(work)) for work in own_work if work is not None]
    try:
        await asyncio.gather(*tasks)
    finally:
        for task in background:
            task.cancel()
        await asyncio.gather(*background, return_exceptions=True)
        store.close()


async def _without_end(work: Callable[[], Coroutine[Any, Any, None]]) -> None:
    """Do a system's own work, and begin again when it fails."""
    while True:
        try:
            await work()
        except Exception as error:
            # Where, never what: the text of an error may hold personal data.
            note_failure("background work", error)
        await asyncio.sleep(_PAUSE_AFTER_FAILURE_S)


def read_state(data_dir: Path) -> dict[str, Any]:
    """Content of sandbox.json: settings, control_url, pids, systems; {} before the first start."""
    try:
        return json.loads((data_dir / STATE_FILE).read_text())
    except FileNotFoundError:
        return {}


async def _serve_events(
    options: SandboxOptions, keys: Keys, outbox: EventOutbox, earlier: Mapping[str, str]
) -> dict[str, str]:
    """Serve the outbox by SFTP and return the settings that lead there.

    Port: the fixed one, else the earlier one if free, else any. OSError: the fixed one is taken. The server ends with
    the process.
    """
    # Read here and not above: it takes longer to read than all the rest, and few sandboxes have this system.
    from integration_assets.sandbox.event_sftp import event_settings, start_sftp

    outbox.prepare()
    root = options.data_dir / OUTBOX_FOLDER
    fixed = options.ports.get(EVENTS_PORT)
    try:
        server = await start_sftp(keys, root, int(earlier.get("person_events_port", 0)) if fixed is None else fixed)
    except OSError:
        if fixed is not None:
            raise
        server = await start_sftp(keys, root, 0)
    return event_settings(keys, server.get_port())


async def _serve_mail(options: SandboxOptions, mailbox: MailBox, earlier: Mapping[str, str]) -> dict[str, str]:
    """Take mails in and return the settings that lead there. Port: as of `_serve_events`."""
    fixed = options.ports.get(MAIL_PORT)
    port = int(earlier.get("smtp_port", 0)) if fixed is None else fixed
    try:
        server = await start_mail_server(mailbox, MailServerOptions(port=port))
    except OSError:
        if fixed is not None:
            raise
        server = await start_mail_server(mailbox, MailServerOptions())
    return mail_settings(server.sockets[0].getsockname()[1])


def _config(application: ASGIApp, keys: Keys | None) -> uvicorn.Config:
    """How one system is served; with keys over https, to clients with a certificate of the sandbox's authority."""
    secured: dict[str, Any] = {}
    if keys is not None:
        secured = {
            "ssl_certfile": keys.server,
            "ssl_keyfile": keys.server,
            "ssl_ca_certs": str(keys.authority),
            "ssl_cert_reqs": ssl.CERT_REQUIRED,
        }
    return uvicorn.Config(
        application,
        lifespan="off",
        log_config=None,
        access_log=False,
        proxy_headers=False,
        server_header=False,
        date_header=False,
        timeout_graceful_shutdown=3,
        **secured,
    )


def _stop(servers: list[_Server]) -> None:
    for server in servers:
        server.should_exit = True


def _system_module(name: str) -> ModuleType | None:
    qualified = f"integration_assets.sandbox.{name}"
    return importlib.import_module(qualified) if importlib.util.find_spec(qualified) else None


def _ports(state: Mapping[str, Any]) -> dict[str, int]:
    urls = {**state.get("systems", {}), "control": state.get("control_url", "")}
    return {name: int(port) for name, url in urls.items() if (port := url.rpartition(":")[2]).isdigit()}


def _listen(
    names: Mapping[str, ASGIApp], fixed: Mapping[str, int], earlier: Mapping[str, int]
) -> dict[str, socket.socket]:
    """A bound socket per system: the fixed port, else the earlier one if free, else any. OSError: fixed one taken."""
    sockets: dict[str, socket.socket] = {}
    for name in names:
        if name in fixed:
            sockets[name] = _bound(fixed[name])
            continue
        try:
            sockets[name] = _bound(earlier.get(name, 0))
        except OSError:
            sockets[name] = _bound(0)
    return sockets


def _bound(port: int) -> socket.socket:
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((HOST, port))
    except OSError:
        listener.close()
        raise
    return listener


def _made_up_settings(earlier: Mapping[str, str]) -> dict[str, str]:
    """Settings that no server gives: ids and secrets, random at the first start and kept afterwards."""
    fresh = {
        # The organisation and the user that own everything in the registry; the same in every sandbox.
        "lora_organisation": "6f1c3a52-8d0e-4b7a-9a55-0c1d2e3f4a5b",
        "lora_actor": "b2d4f6a8-1357-4c9b-8e2d-7f6a5b4c3d2e",
        "crm_client_id": str(uuid.uuid4()),
        "crm_client_secret": secrets.token_urlsafe(24),
        "address_register_key": secrets.token_urlsafe(24),
        "address_register_national": "false",
        "adressevask_token": secrets.token_urlsafe(24),
        "sp_agreement": str(uuid.uuid4()),
        "sp_user_system": str(uuid.uuid4()),
        "sp_authority": str(uuid.uuid4()),
        "completion_authority": "Sandbox Kommune",
        # The sandbox tells of persons by events, of companies by nothing: they are looked up every day.
        "company_sweep_days": "1",
        "register_calls_per_second": "1000",
        "completion_legal_basis": "invented persons only: the sandbox needs no legal basis",
        "identity_key": secrets.token_urlsafe(32),
        "cipher_key": secrets.token_urlsafe(32),
    }
    return {name: earlier.get(name, value) for name, value in fresh.items()}


def _write_state(
    options: SandboxOptions, modules: Mapping[str, ModuleType], urls: Mapping[str, str], given: Mapping[str, str]
) -> None:
    settings = {**options.settings, **given, "data_dir": str(options.data_dir), "kmd_ee_url": options.kmd_ee_url}
    settings["tariff_files"] = str(TARIFFS)
    for name, module in modules.items():
        own = getattr(module, "settings", None)
        settings |= own(urls[name], options) if own else _plain_settings(name, urls[name])
    state = {
        "settings": settings,
        "control_url": urls["control"],
        "pids": {"sandbox": os.getpid()},
        "systems": {name: url for name, url in urls.items() if name != "control"},
    }
    target = options.data_dir / STATE_FILE
    fresh = target.with_suffix(".new")
    with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
        json.dump(state, file, indent=2)
    fresh.replace(target)


def _plain_settings(system: str, url: str) -> dict[str, str]:
    """The settings that lead to a system which does not say them itself."""
    return {
        "lora": {"lora_url": url},
        "dataverse": {
            "crm_url": url,
            "crm_token_url": f"{url}/oauth2/v2.0/token",
            "crm_scope": f"{url}/.default",
        },
        "address_files": {"address_register_url": url},
        "person_register": {"person_register_url": url, "person_search_url": url},
        "company_register": {"company_register_url": url},
    }[system]
