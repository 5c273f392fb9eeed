"""Changes of the sandbox's address register between days, and ways in which its files can be wrong.

The next generation holds what was changed. What is wrong with the files is a plan in the store: it holds from the next
request on until `behave`.
"""

import uuid
from typing import Any

from integration_assets.sandbox.store import Store

MISBEHAVIOUR = "register:misbehaviour"
_UNITS, _HOUSES = "register:unit", "register:access"
_CURRENT, _CLOSED = 3, 4

Json = dict[str, Any]


def rename_road(store: Store, road_id: str, street_name: str, addressing_street_name: str | None = None) -> int:
    """Gives a road another name and returns how many houses lie on it."""
    houses = {
        key: {**house, "street_name": street_name, "addressing_street_name": addressing_street_name or street_name}
        for key, house in store.load(_HOUSES).items()
        if house["road_id"] == road_id
    }
    store.put_many(_HOUSES, houses)
    return len(houses)


def close_unit(store: Store, unit_id: str) -> None:
    """Closes (nedlægger) a unit address."""
    store.put(_UNITS, unit_id, {**store.load(_UNITS)[unit_id], "status": _CLOSED})


def close_house(store: Store, access_id: str) -> None:
    """Closes an access address and its units."""
    store.put(_HOUSES, access_id, {**store.load(_HOUSES)[access_id], "status": _CLOSED})
    for unit in [unit for unit in store.load(_UNITS).values() if unit["access_id"] == access_id]:
        close_unit(store, unit["id"])


def add_unit(store: Store, access_id: str, floor: str | None, door: str | None) -> str:
    """Makes a new unit address in a house and returns its id."""
    unit_id = str(uuid.uuid4())
    body = {"id": unit_id, "access_id": access_id, "status": _CURRENT, "floor": floor, "door": door}
    store.put(_UNITS, unit_id, body)
    return unit_id


def add_house(store: Store, beside: str, house_number: str) -> str:
    """Makes a new access address on the road of another, with one unit, and returns its id."""
    access_id = str(uuid.uuid4())
    body = {**store.load(_HOUSES)[beside], "id": access_id, "status": _CURRENT, "house_number": house_number}
    store.put(_HOUSES, access_id, body)
    add_unit(store, access_id, None, None)
    return access_id


def misbehave(
    store: Store,
    *,
    wrong_md5: tuple[str, ...] = (),
    older: tuple[str, ...] = (),
    truncated: tuple[str, ...] = (),
    halved: tuple[str, ...] = (),
) -> None:
    """Makes the total files of the named entities wrong.

    `wrong_md5`: the list names another sum. `older`: the list has the generation before. `truncated`: the zip breaks
    off, with a sum that fits. `halved`: every second row is missing, in a generation of its own.
    """
    plan = {"wrong_md5": wrong_md5, "older": older, "truncated": truncated, "halved": halved}
    store.put(MISBEHAVIOUR, "plan", {name: list(entities) for name, entities in plan.items()})


def behave(store: Store) -> None:
    """Makes the files right again."""
    store.clear(MISBEHAVIOUR)
