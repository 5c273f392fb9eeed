"""The status end point as a process: which address it may listen at, and how callers prove who they are."""

import contextlib
import ipaddress
import ssl
from datetime import UTC, datetime
from typing import Any

import uvicorn

from integration_assets.cache.recall_statuses import RecallStatuses
from integration_assets.cli.opened import UNCONFIGURED, refuse
from integration_assets.endpoints.claim_statuses import PATH, application
from integration_assets.endpoints.known_callers import known_callers
from integration_assets.settings import Settings


def serve(settings: Settings, statuses: RecallStatuses, host: str, port: int, *, tls: bool) -> None:
    """Listens until SIGTERM or SIGINT; prints the address once. Without TLS at loopback addresses only."""
    server = server_of(settings, statuses, host, port, tls=tls)
    print(f"listening at http{'s' if tls else ''}://{host}:{port}{PATH}", flush=True)
    with contextlib.suppress(KeyboardInterrupt):  # raised again once it has shut down
        server.run()


def server_of(settings: Settings, statuses: RecallStatuses, host: str, port: int, *, tls: bool) -> uvicorn.Server:
    """The server, not started yet; ends the command with a sentence where strangers could post.

    With TLS callers need a certificate of dmi_ca whose subject dmi_status_callers names; at loopback addresses any of
    dmi_ca will do where nobody is named.
    """
    secured: dict[str, Any] = {}
    if tls:
        secured = {
            "ssl_certfile": settings.dmi_status_certificate or settings.need("dmi_certificate"),
            "ssl_ca_certs": settings.need("dmi_ca"),
            "ssl_cert_reqs": ssl.CERT_REQUIRED,
        }
        if settings.dmi_status_callers:
            secured["http"] = known_callers(settings.dmi_status_callers)
        elif not _is_loopback(host):
            refuse(
                f"{host} is no loopback address: INTEGRATION_DMI_STATUS_CALLERS must name who may post statuses there. "
                "Everybody else with a certificate of dmi_ca could report recalls as done.",
                UNCONFIGURED,
            )
    elif not _is_loopback(host):
        refuse(f"{host} is no loopback address: only --tls keeps strangers out there.", UNCONFIGURED)
    app = application(statuses, lambda: datetime.now(UTC))
    return uvicorn.Server(uvicorn.Config(app, host=host, port=port, log_config=None, access_log=False, **secured))


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
