"""Switches of the sandbox's registers: ways of answering that are allowed, rare, and easily forgotten by a client.

Belongs here: what the switches are, where they are kept, reading and setting them. What each does to an answer, the
register itself knows; failures of the connection are fault plans and not of these. The switches live in the store, hold
from the next request on, and end with a reset of the sandbox.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any

from integration_assets.sandbox.store import Store

COLLECTION = "register:switches"
_KEY = "now"

_CHOICES = {
    "flavour": ("local", "direct"),
    "paging": ("offered", "refused", "hidden"),
    "surplus": ("few", "none", "all"),
    "receipt_place": ("kvit", "field"),
}

Json = dict[str, Any]


@dataclass(frozen=True)
class Switches:
    """How the registers answer. The defaults are those of a friendly day.

    Address search: `capped_rows` is the register's own maximum of rows, whatever MAXA asks for. `flavour` "local" is
    the replica, "direct" the CPR office's own answers (street headings, empty fields, no birth dates). `paging`
    "offered": a capped table says where to go on (`aia`); "refused": it says so, and a search that goes on is turned
    away; "hidden": it says nothing. `receipt_code`: every search is answered with this Kvit code and `receipt_text`,
    which stands in the Kvit ("kvit") or in a field Kvittxt of a row ("field").

    Both person services: `nameless` are numbers of people of whom no name is told. `surplus`: of whom the services tell
    what nobody asked for (relatives, guardianship, notes): a "few", "none" or "all".

    Companies: `cvr_absent` answers an unknown number with an empty response instead of a fault.
    """

    capped_rows: int | None = None
    flavour: str = "local"
    paging: str = "offered"
    receipt_code: str | None = None
    receipt_text: str = ""
    receipt_place: str = "kvit"
    nameless: tuple[str, ...] = ()
    surplus: str = "few"
    cvr_absent: bool = False


def switches(store: Store) -> Switches:
    """The switches in force."""
    kept = store.load(COLLECTION).get(_KEY)
    return Switches() if kept is None else _made(kept)


def switch(store: Store, changes: Mapping[str, Any]) -> Json:
    """Set some switches, null meaning the default; the others stay. Returns all of them.

    Raises ValueError for an unknown name or a value that a switch cannot have; its text holds no value.
    """
    defaults = asdict(Switches())
    unknown = sorted(set(changes) - set(defaults))
    if unknown:
        raise ValueError(f"unknown register switches: {', '.join(unknown)}")
    kept = {**asdict(switches(store)), **changes}
    new = {name: defaults[name] if value is None else value for name, value in kept.items()}
    for name in sorted(changes):
        if not _fits(name, new[name]):
            raise ValueError(f"the register switch {name} cannot have this value")
    body = {**new, "nameless": list(new["nameless"])}
    store.put(COLLECTION, _KEY, body)
    return body


def _made(kept: Json) -> Switches:
    return Switches(**{**kept, "nameless": tuple(kept["nameless"])})


def _fits(name: str, value: Any) -> bool:
    if name in _CHOICES:
        return value in _CHOICES[name]
    if name == "nameless":
        return isinstance(value, list | tuple) and all(isinstance(number, str) for number in value)
    if name == "capped_rows":
        return value is None or (isinstance(value, int) and not isinstance(value, bool) and value > 0)
    if name == "cvr_absent":
        return isinstance(value, bool)
    (kind,) = (entry for entry in fields(Switches) if entry.name == name)
    return (value is None and kind.default is None) or isinstance(value, str)
