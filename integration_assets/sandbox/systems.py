"""What a system of the sandbox is, and the options that all of them are built from.

A system is a module of this package with

* `build(store: Store, options: SandboxOptions) -> Starlette` - its application; it keeps its state in `store`;
* optionally `MUTUAL_TLS = True` - it is served over https, to those with a client certificate of the sandbox's own
  authority (unless `SandboxOptions.tls` is off);
* optionally `settings(url: str, options: SandboxOptions) -> dict[str, str]` - the product settings that lead to it,
  `url` being its root without a trailing slash. They win over the plain defaults in `server`;
* optionally `app.state.fault_body: Callable[[int], dict]` on the application - the body of an injected error status;
* optionally `app.state.control_routes: list[Route]` - served by the control system below `/<name of the system>`;
* optionally `app.state.background: Callable[[], Coroutine]` - runs as long as the sandbox does;
* optionally `app.state.reset: Callable[[], None]` - puts away what a reset of the sandbox finds outside the store.

Handlers may set `request.state.kind` ("read", "write", "lookup", "token", "other") and `request.state.objects`
(a list of ids) for the request log.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from starlette.types import ASGIApp

from integration_assets.sandbox.faults import FaultPlan

# Module names, in the order in which they start. A module that does not exist is left out.
SYSTEM_MODULES = (
    "lora", "dataverse", "address_files", "dawa", "adressevask", "person_register", "company_register",
    "person_subscriptions", "debt_authority",
)  # fmt: skip


class SandboxSystem(Protocol):
    """One running system: its name in URLs of the control system, and its application."""

    @property
    def name(self) -> str: ...

    @property
    def app(self) -> ASGIApp: ...


@dataclass(frozen=True)
class SandboxOptions:
    """How to run the sandbox.

    `customers` and `seed` are the town that `POST /town` builds when its body names none. `ports` fixes ports by
    system name ("control" too); others are those of the last start when still free, else chosen by the operating
    system. `settings` are the product settings that the sandbox makes up and keeps (ids, secrets, keys); `serve`
    fills them in before the systems are built. `dawa_closed` answers everything at DAWA with 410 Gone;
    `adressevask_codes` are washing texts that Adressevask answers with this code, whatever the register says. Without
    `tls` the systems that ask for client certificates are served over plain http. The files of events are served by
    SFTP when the system "person_subscriptions" runs; `ports` may fix its port as "person_events", and that of the mail
    server, which always runs, as "mail".

    Of the registry (lora): `lora_extension_fields` gives its classes the fields that AffaldVarme Aarhus installed;
    `lora_parameters` are parameters of newer releases that it knows ("konsolider", "list"); `lora_request_line` is the
    longest request line read, in bytes, 0 for any.
    """

    data_dir: Path
    customers: int = 1000
    seed: int = 1
    ports: Mapping[str, int] = field(default_factory=dict)
    faults: Mapping[str, FaultPlan] = field(default_factory=dict)
    systems: tuple[str, ...] = SYSTEM_MODULES
    settings: Mapping[str, str] = field(default_factory=dict)
    kmd_ee_url: str = ""
    dawa_closed: bool = False
    adressevask_codes: Mapping[str, int] = field(default_factory=dict)
    tls: bool = True
    lora_extension_fields: bool = False
    lora_parameters: tuple[str, ...] = ()
    lora_request_line: int = 4094
