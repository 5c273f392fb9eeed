"""What the town is made of, and how it is kept between calls: plain records without any rule.

Dates are ISO texts ("2026-03-01"), an open end is None. Numbers of people and companies are texts: ten digits a person,
eight a company. The records hold both what was typed into the billing system and what is true behind it.
"""

import functools
import gc
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any, Final, ParamSpec, TypeVar

from integration_assets.sandbox.store import Store

Json = dict[str, Any]

COLLECTION: Final = "town:state"
BASE_DAY: Final = "2026-03-01"
ROLE_CUSTOMER: Final = "915240004"
ROLE_CO_CUSTOMER: Final = "915240006"
EXCLUDED_GROUP: Final = 999
_CHUNK: Final = 500

_Given = ParamSpec("_Given")
_Result = TypeVar("_Result")


def uninterrupted(function: Callable[_Given, _Result]) -> Callable[_Given, _Result]:
    """The function with the garbage collector held off while it runs.

    A town is millions of small objects that all stay: searching them again and again for garbage doubles the time.
    """

    @functools.wraps(function)
    def run(*args: _Given.args, **kwargs: _Given.kwargs) -> _Result:
        collecting = gc.isenabled()
        gc.disable()
        try:
            return function(*args, **kwargs)
        finally:
            if collecting:
                gc.enable()

    return run


@dataclass
class Place:
    """A consumption place (Forbrugssted) as typed; `unit` is where it really is, `address_id` what plain rules find."""

    id: int
    unit: str
    street: str
    street_code: int
    number: int
    letter: str | None
    floor: str | None
    door: str
    postcode: str
    city: str
    address_id: str | None


@dataclass
class Alternative:
    """An alternative place (AlternativSted) as typed; `access_id` is the access address that plain rules find."""

    id: int
    street: str
    street_code: int
    number: int
    letter: str | None
    floor: str | None
    door: str
    postcode: str
    city: str
    access_id: str | None


@dataclass
class Installation:
    """An installation; `meters` are [MaalerID, number, type, make, from, to] in time order."""

    id: int
    number: int
    place: int
    alternative: int
    meters: list[list[Any]]

    def __post_init__(self) -> None:
        self.meters = [list(meter) for meter in self.meters]


@dataclass
class Customer:
    """A row of Kunde, and the truth behind it.

    `id_number`, `co_id_number`: as they stand in the source, digits. `party`, `co`: who is meant, once the rules can
    know; `reason`, `co_reason`: why they cannot. `billing_unit`: what the billing line means by itself. `exported`: the
    row has been in the source window in good order at least once. `roles`: [code, party, from, removed on or None].
    `good`: the fields of the last good state while the row is refused.
    """

    number: int
    kind: str
    place: int
    id_number: str
    name: str
    master_id: int
    phone: int
    billing_street: str
    billing_district: str
    moved_in: str
    mobile: str | None = None
    email: str | None = None
    moved_out: str | None = None
    co_id_number: str = "0"
    group: int = 1
    party: str | None = None
    reason: str | None = None
    co: str | None = None
    co_reason: str | None = None
    billing_unit: str | None = None
    exported: bool = False
    roles: list[list[Any]] = field(default_factory=list)
    good: Json | None = None

    def __post_init__(self) -> None:
        self.roles = [list(role) for role in self.roles]


Record = Place | Alternative | Installation | Customer
_KINDS: Final[dict[str, type[Record]]] = {
    "places": Place,
    "alternatives": Alternative,
    "installations": Installation,
    "customers": Customer,
}


class Town:
    """The records of a town by number, and `meta`: seed, size, day, next free numbers, spare units.

    `kept` holds what the registry keeps of parties that no row names any more; `first_emails` the first e-mail address
    of each party, which the CRM keeps as its primary one; `register_changes` what events changed in the register's
    record of a party that the registry knew, as `register_changes.changes_of` gives it, in the order of the events.
    """

    def __init__(self, meta: Json) -> None:
        self.meta = meta
        self.places: dict[int, Place] = {}
        self.alternatives: dict[int, Alternative] = {}
        self.installations: dict[int, Installation] = {}
        self.customers: dict[int, Customer] = {}
        self.kept: dict[str, Json] = {}
        self.first_emails: dict[str, str] = {}
        self.register_changes: dict[str, list[Json]] = {}

    def next_id(self, name: str) -> int:
        """The next free number of a series in `meta`."""
        self.meta[name] += 1
        number: int = self.meta[name]
        return number

    def records(self, kind: str) -> dict[int, Any]:
        """The records of one kind ("places", "alternatives", "installations", "customers")."""
        records: dict[int, Any] = getattr(self, kind)
        return records

    def save(self, store: Store, touched: Iterable[tuple[str, int]] | None = None) -> None:
        """Write the town: all of it, or meta and the chunks of the touched (kind, number)."""
        chunks = None if touched is None else {(kind, number // _CHUNK) for kind, number in touched}
        bodies: dict[str, list[Json]] = {}
        for kind in _KINDS:
            for number, record in self.records(kind).items():
                if chunks is None or (kind, number // _CHUNK) in chunks:
                    bodies.setdefault(f"{kind}/{number // _CHUNK}", []).append(dict(vars(record)))
        store.put_many(COLLECTION, bodies)
        store.put(COLLECTION, "kept", dict(self.kept))
        store.put(COLLECTION, "first_emails", dict(self.first_emails))
        changes = {number: list(entries) for number, entries in self.register_changes.items()}
        store.put(COLLECTION, "register_changes", changes)
        store.put(COLLECTION, "meta", {**self.meta, "spare": list(self.meta["spare"])})


def load(store: Store) -> Town:
    """The town as last saved. Raises LookupError when none has been built."""
    content = store.load(COLLECTION)
    if "meta" not in content:
        raise LookupError("No town has been built in this sandbox.")
    town = Town({**content["meta"], "spare": list(content["meta"]["spare"])})
    town.kept = dict(content["kept"])
    town.first_emails = dict(content["first_emails"])
    town.register_changes = {number: list(entries) for number, entries in content.get("register_changes", {}).items()}
    for chunk in sorted(content):
        kind, _, _number = chunk.partition("/")
        if kind not in _KINDS:
            continue
        records = town.records(kind)
        for body in content[chunk]:
            record = _KINDS[kind](**body)
            records[body["number" if kind in ("customers", "installations") else "id"]] = record
    return town
