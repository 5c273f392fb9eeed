"""What the registry (LoRa) holds against what was delivered to it, object by object.

Compared is all that LoRa stores of an object, at every moment (`content`); told is what differs in the fields of its
row, masked. What waits to be delivered is no drift.
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from integration_assets.domain.differences import FieldChange, field_changes
from integration_assets.domain.registry.content import differing, same_content
from integration_assets.domain.registry.dialect import Dialect
from integration_assets.domain.registry.objects import Tenant, from_object, to_object
from integration_assets.domain.tables import REGISTRY_ROWS

Row = Mapping[str, Any]
Object = Mapping[str, Any]

MISSING: Final = "missing"
"""The registry does not show the object: a delivery that never arrived, or an object that is gone altogether."""
DELETED: Final = "deleted"
"""Somebody deleted it (Slettet)."""
PASSIVE: Final = "passive"
"""Somebody made it passive (Passiveret)."""
CHANGED: Final = "changed"
"""It says something else than was delivered."""
NEWER: Final = "newer"
"""It says what is to be delivered next: our own delivery arrived, and the process died before that was recorded."""

KINDS: Final = (CHANGED, MISSING, DELETED, PASSIVE, NEWER)
REVIVED: Final = frozenset({MISSING, DELETED, PASSIVE})
"""Kinds that are repaired by putting the object twice: a first PUT merges with what a deleted object held, and newer
releases of LoRa do not list deleted objects, so that they seem to be missing."""

_ENDED: Final = {"Slettet": DELETED, "Passiveret": PASSIVE}
_UNREADABLE: Final = "cannot be read"


@dataclass(frozen=True)
class Drift:
    """One object that is not as it was delivered: the kind, the fields that differ (before: delivered, after: found;
    masked), and the moment, as LoRa writes it, from which the registry says so."""

    kind: str
    differences: tuple[FieldChange, ...] = ()
    registered_at: str | None = None


def drift_of(entity: str, delivered: Row, desired: Row, found: Object | None, tenant: Tenant) -> Drift | None:
    """How an object differs from the row that was delivered; None where it does not.

    `found` is the object with all its periods of validity, None where the registry has none. An object that says the
    row in the other dialect is as it was delivered: the registry got its own fields later.
    """
    if found is None:
        return Drift(MISSING)
    registrations: list[Mapping[str, Any]] = found.get("registreringer") or [{}]
    begun: Mapping[str, str] = registrations[0].get("fratidspunkt") or {}
    registered_at = begun.get("tidsstempeldatotid")
    if kind := _ENDED.get(registrations[0].get("livscykluskode", "")):
        return Drift(kind, (), registered_at)
    if _says(entity, delivered, found, tenant):
        return None
    if desired != delivered and _says(entity, desired, found, tenant):
        return Drift(NEWER, (), registered_at)
    return Drift(CHANGED, tuple(_differences(entity, delivered, found, tenant)), registered_at)


def _says(entity: str, row: Row, found: Object, tenant: Tenant) -> bool:
    return any(same_content(body, found) for body in _bodies(entity, row, tenant))


def _bodies(entity: str, row: Row, tenant: Tenant) -> Iterator[dict[str, Any]]:
    """The row as it is written in each dialect; nothing where it cannot be written by today's rules."""
    # A row that was delivered before its entity got another column has no value there.
    whole = dict.fromkeys(REGISTRY_ROWS[entity]) | dict(row)
    for dialect in Dialect:
        try:
            yield to_object(entity, whole, tenant, dialect)
        except ValueError:
            return


def _differences(entity: str, delivered: Row, found: Object, tenant: Tenant) -> list[FieldChange]:
    """The fields that differ; where the row does not show it, what differs by LoRa's own names."""
    body = next(_bodies(entity, delivered, tenant), None)
    try:
        theirs = from_object(entity, found)
        # Read back in thought, so that both rows have the one form that reading gives.
        ours = dict(delivered) if body is None else from_object(entity, {"registreringer": [body]})
        changes = field_changes(entity, json.dumps(ours), json.dumps(theirs))
        if changes or body is None:
            return changes
        return [FieldChange(name, before or None, after or None) for name, before, after in differing(body, found)]
    except (ValueError, KeyError, AttributeError):
        return [FieldChange("object", None, _UNREADABLE)]
