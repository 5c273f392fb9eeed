"""The books of the debt authority: what it remembers, in which collections of the store, and what day it has.

Belongs here: the names of the collections, counting, the present, and what tests may read.
"""

from datetime import date, datetime, timedelta
from typing import Any, Final
from zoneinfo import ZoneInfo

from integration_assets.sandbox.debt_authority.behaviour import Behaviour
from integration_assets.sandbox.debt_authority.ledger import CLAIMS, RECALLS
from integration_assets.sandbox.store import Store
from integration_assets.sandbox.town_model import COLLECTION as TOWN

ARRIVALS: Final = "dmi:arrivals"
"""Every delivery that was read: transaction, digest of its content, actions, error number (0: none), whether taken."""

TRANSACTIONS: Final = "dmi:transactions"
"""The transaction ids that are used up."""

ACTIONS: Final = "dmi:actions"
"""Every action that was taken, and how it stands."""

PENDING: Final = "dmi:pending"
"""The actions that are not decided, with the moment from which they are due."""

OUTBOX: Final = "dmi:outbox"
"""The messages that have not arrived."""

COUNTERS: Final = "dmi:counters"

RECEIVED, CASEWORK, EXECUTED, REJECTED = "MODTAGET", "SAGSBEHANDL", "UDFOERT", "AFVIST"
FINAL: Final = (EXECUTED, REJECTED)

_COPENHAGEN: Final = ZoneInfo("Europe/Copenhagen")
_PERSONAL: Final = ("owner", "name")

Json = dict[str, Any]


def present(store: Store, rules: Behaviour) -> datetime:
    """The present in Danish local time: as switched, else the day of the town by the clock, else the clock."""
    if rules.now:
        return datetime.fromisoformat(rules.now)
    clock = datetime.now(_COPENHAGEN).replace(tzinfo=None, microsecond=0)
    town = store.load(TOWN).get("meta")
    if town is None:
        return clock
    return datetime.combine(date.fromisoformat(town["base_day"]) + timedelta(days=town["day"]), clock.time())


def count(store: Store, name: str) -> int:
    """The next number of a series, from 1."""
    number: int = store.load(COUNTERS).get(name, 0) + 1
    store.put(COUNTERS, name, number)
    return number


def books(store: Store) -> Json:
    """What tests read: `claims`, `recalls`, `actions`, `arrivals`, counts of `pending` and `waiting` messages.

    Without personal numbers and names.
    """
    shown = ("asked", "leverance", "status", "changed_at", "rejections")
    return {
        "claims": {key: _without_names(claim) for key, claim in store.load(CLAIMS).items()},
        "recalls": list(store.load(RECALLS).values()),
        "actions": {key: {name: kept[name] for name in shown} for key, kept in store.load(ACTIONS).items()},
        "arrivals": [entry for _, entry in sorted(store.load(ARRIVALS).items())],
        "pending": len(store.load(PENDING)),
        "waiting": len(store.load(OUTBOX)),
    }


def _without_names(claim: Json) -> Json:
    debtors = [{name: value for name, value in each.items() if name not in _PERSONAL} for each in claim["debtors"]]
    return {**claim, "debtors": debtors}
