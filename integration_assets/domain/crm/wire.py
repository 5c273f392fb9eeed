"""What of a CRM row is sent: the changed columns, lookups as references, nothing that belongs to others.

Every column that is sent counts as updated in Dataverse, fires its logic and shows in the audit, even if equal; so only
differences go out.
"""

from collections.abc import Collection, Mapping
from datetime import date
from typing import Any

from integration_assets.domain.crm.field import Field
from integration_assets.domain.crm.tables import STANDARD, CrmMapping


def wire(
    entity: str,
    desired: Mapping[str, Any],
    delivered: Mapping[str, Any] | None,
    *,
    crm_lacks: Collection[str] = (),
    whole: bool = False,
    by: CrmMapping = STANDARD,
) -> dict[str, Any]:
    """The primary id and the changed columns of a row, by the names they have in this CRM.

    `desired` and `delivered` are payloads (`delivered` None: never sent); `desired` holds the primary id. Lookups come
    as (target set, id), or as None to clear one that was delivered. A new row has no blanks. Columns of owner
    first_writer (the CRM's own value counts) come only when named (by field) in `crm_lacks`, where the CRM has no
    value, and then whether they changed or not; those of owner crm never. Where nothing is to be sent, only the
    primary id is in the result. `whole` gives every column that is ours, blanks too: for a row of which is not known
    what the CRM has in it.

    Raises KeyError when `desired` lacks the primary id.
    """
    primary_id = by.tables[entity].primary_id
    known: Mapping[str, Any] = delivered or {}
    row: dict[str, Any] = {primary_id: desired[primary_id]}
    for field in by.fields[entity]:
        value = desired.get(field.name)
        if field.owner == "crm":
            continue
        if field.owner == "first_writer":
            if field.name in crm_lacks and value is not None:
                row[field.column] = _sent(field, value)
        elif whole or _plain(value) != _plain(known.get(field.name)):
            row[field.column] = _sent(field, value)
    return row


def first_writer_fields(entity: str, by: CrmMapping = STANDARD) -> tuple[Field, ...]:
    """The fields of an entity that are sent only where the CRM has none."""
    return tuple(field for field in by.fields[entity] if field.owner == "first_writer")


def _sent(field: Field, value: Any) -> Any:
    if field.target is not None:
        return None if value is None else (field.target, value)
    return _plain(value)


def _plain(value: Any) -> Any:
    """Dates as texts, as JSON has them."""
    return value.isoformat() if isinstance(value, date) else value
