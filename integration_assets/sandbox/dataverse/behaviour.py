"""Switches of the CRM sandbox: its limits, its cost, its servers, its application users, its administrator's mistakes.

Belongs here: what can be switched, where it is kept, and reading it. Switches live in the store, hold from the next
request on, and end with a reset of the sandbox.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from typing import Any

from integration_assets.sandbox.dataverse.schema_changes import changed
from integration_assets.sandbox.dataverse.tables import ORGANISATION
from integration_assets.sandbox.store import Store

COLLECTION = "crm:behaviour"
_KEY = "now"


@dataclass(frozen=True)
class ApplicationUser:
    """An application user: its secret (None: that of the settings), and what its security role lacks.

    `without` are names of privileges; `depth` is that of all others (Basic, Local, Deep, Global). Without `member` the
    application has no user in the organisation.
    """

    secret: str | None = None
    without: tuple[str, ...] = ()
    depth: str = "Global"
    member: bool = True

    @classmethod
    def from_json(cls, given: Mapping[str, Any]) -> "ApplicationUser":
        """The user of a JSON object. TypeError for unknown names."""
        return cls(**{**given, "without": tuple(given.get("without", ()))})


@dataclass(frozen=True)
class Behaviour:
    """How the CRM behaves. The defaults are Dataverse's documented ones, except that work costs no time.

    Tokens: `token_lifetime_s` of those issued from now on. Batches: `nested_change_set_errors`.

    Service protection, per application user and web server: `max_requests` and `max_execution_s` in `window_s` seconds,
    `max_concurrent` at a time. `servers` web servers take requests in turn, unless the ARRAffinity cookie names one.

    Cost, waited for and counted: `request_ms` for each request, `row_ms` for each row of a bulk message,
    `single_row_ms` for each row written in another way, in a batch too. More requests at a time on a server than
    `parallelism` (told as `x-ms-dop-hint`) share its processors and take longer.

    `users` are application users by client id, beside the one of the settings (which may be named too). `schema` is
    what the administrator changed in the tables (see `schema_changes`).
    """

    token_lifetime_s: float = 3599.0
    nested_change_set_errors: bool = True
    window_s: float = 300.0
    max_requests: int = 6000
    max_execution_s: float = 1200.0
    max_concurrent: int = 52
    servers: int = 1
    parallelism: int = 4
    request_ms: float = 0.0
    row_ms: float = 0.0
    single_row_ms: float = 0.0
    users: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    schema: Mapping[str, Any] = field(default_factory=dict)

    def user(self, client_id: str) -> ApplicationUser:
        """The application user of a client id."""
        return ApplicationUser.from_json(self.users.get(client_id, {}))


def behaviour(store: Store) -> Behaviour:
    """The behaviour in force."""
    kept = store.load(COLLECTION).get(_KEY)
    return Behaviour() if kept is None else Behaviour(**kept)


def switch(store: Store, changes: Mapping[str, Any]) -> dict[str, Any]:
    """Set some switches, null meaning the default; the others stay. Returns all of them.

    Raises ValueError for an unknown name or a value that a switch cannot have.
    """
    defaults = asdict(Behaviour())
    unknown = sorted(set(changes) - set(defaults))
    if unknown:
        raise ValueError(f"unknown switches of the CRM: {', '.join(unknown)}")
    new = {**asdict(behaviour(store)), **changes}
    new = {name: defaults[name] if value is None else value for name, value in new.items()}
    for entry in fields(Behaviour):
        if not _fits(defaults[entry.name], new[entry.name]):
            raise ValueError(f"the switch {entry.name} of the CRM cannot have this value")
    try:
        for user in new["users"].values():
            ApplicationUser.from_json(user)
        changed(ORGANISATION, new["schema"])
    except (TypeError, KeyError, AttributeError) as error:
        raise ValueError(f"users or schema of the CRM cannot be read: {error}") from None
    store.put(COLLECTION, _KEY, new)
    return new


def _fits(default: Any, value: Any) -> bool:
    if isinstance(default, bool):
        return isinstance(value, bool)
    if isinstance(default, int):
        return isinstance(value, int) and not isinstance(value, bool) and value > 0
    if isinstance(default, float):
        return isinstance(value, int | float) and not isinstance(value, bool) and value >= 0
    return isinstance(value, dict)
