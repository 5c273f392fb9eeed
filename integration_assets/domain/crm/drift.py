"""What the CRM shows of a row against what was delivered to it: only what is ours, told field by field and masked."""

import json
from collections.abc import Mapping
from typing import Any, Final

from integration_assets.domain.crm.found import differing, is_same, shown
from integration_assets.domain.crm.tables import STANDARD, CrmMapping
from integration_assets.domain.crm.wire import plain, remapped
from integration_assets.domain.differences import field_changes
from integration_assets.domain.registry.drift import CHANGED, DELETED, Drift

KINDS: Final = (CHANGED, DELETED)
"""Somebody changed a row in columns of ours, or deleted it."""


def drift_of(
    entity: str,
    delivered: Mapping[str, Any],
    desired: Mapping[str, Any],
    found: Mapping[str, Any] | None,
    by: CrmMapping = STANDARD,
) -> Drift | None:
    """How a row of the CRM differs from the payload that was delivered; None where it does not. `found` None: it is
    gone.

    What is to be delivered next is no drift: our own write may have arrived without being recorded. Nor is a column
    that the mapping in force writes otherwise than the delivery did. Lookups of the payloads name the CRM's ids.
    """
    if found is None:
        return Drift(DELETED)
    moved = remapped(entity, delivered, by)
    fields = [
        field
        for field in differing(entity, delivered, found, by)
        if field.name not in moved and not is_same(field, desired.get(field.name), shown(field, found))
    ]
    if not fields:
        return None
    before = json.dumps({field.name: plain(delivered.get(field.name)) for field in fields})
    after = json.dumps({field.name: shown(field, found) for field in fields})
    return Drift(CHANGED, tuple(field_changes(entity, before, after)), found.get("modifiedon"))
