"""What changes in the registers of people and companies: from which day on, and what that makes of a party's history.

Belongs here: comparing two records of one party, and putting changes in time order. Days are ISO texts. The record
shapes are those of the store collections "register:person" and "register:company".
"""

from collections.abc import Callable, Iterable
from typing import Any, Final

Json = dict[str, Any]
Line = list[list[Any]]
"""[first day or None, value] in time order, each value until the next."""

_FIRST_DAYS: Final = {
    "first_name": "name_from",
    "middle_name": "name_from",
    "last_name": "name_from",
    "civil_status": "civil_status_from",
    "protected": "protected_from",
    "name": "name_from",
    "business_code": "business_code_from",
    "company_form": "company_form_from",
}
"""Fields that a register dates, each with the field that holds its first day."""


def changes_of(before: Json, after: Json) -> list[Json]:
    """What a register's new record of a party changes: [{field, from, old, new}].

    Fields are the dated ones and "address_id", whose values are whole addresses here. A protection that has an end is
    two changes, the second one on the first day without it.
    """
    changes = [
        _change(field, after[first_day], before[field], after[field])
        for field, first_day in _FIRST_DAYS.items()
        if field in before and before[field] != after[field]
    ]
    until = after.get("protected_until")
    if until is not None and until != before.get("protected_until"):
        changes.append(_change("protected", until, True, False))
    if before["address"] != after["address"]:
        changes.append(_change("address_id", _address_from(after), before["address"], after["address"]))
    return changes


def renumbering(old: str, new: str, since: str) -> Json:
    """The change of a personal number, in the shape of `changes_of`."""
    return _change("number", since, old, new)


def history(changes: Iterable[Json], address_id: Callable[[Json | None], str | None]) -> dict[str, Line]:
    """The line of each field that changed, by field; `address_id` finds the id of an address (None: none).

    A line begins with [None, the value before the first change]. A change cuts off what earlier ones said of its first
    day and of later days.
    """
    lines: dict[str, Line] = {}
    for change in changes:
        field, since = change["field"], change["from"]
        old, new = change["old"], change["new"]
        if field == "address_id":
            old, new = address_id(old), address_id(new)
        line = [piece for piece in lines.get(field, [[None, old]]) if piece[0] is None or piece[0] < since]
        if line[-1][1] != new:
            line.append([since, new])
        lines[field] = line
    return {field: line for field, line in lines.items() if len(line) > 1}


def _change(field: str, since: str, old: Any, new: Any) -> Json:
    return {"field": field, "from": since, "old": old, "new": new}


def _address_from(record: Json) -> str:
    """The first day of a record's address, or of having none."""
    address = record["address"]
    since: str = record["status_from"] if address is None else address.get("moved_in") or record["address_from"]
    return since
