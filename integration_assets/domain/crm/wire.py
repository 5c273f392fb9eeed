"""What of a CRM row is sent: the changed columns, lookups as references, nothing that belongs to others.

Every column that is sent counts as updated in Dataverse, fires its logic and shows in the audit, even if equal; so only
differences go out. What a payload was written as (`MAPPED`) is part of it where a utility maps columns otherwise than
the standard does: a column that is renamed, or becomes ours, is sent to all rows although no value changed.
"""

import json
from collections.abc import Collection, Mapping
from datetime import date
from typing import Any, Final

import polars as pl

from integration_assets.domain.crm.field import Field
from integration_assets.domain.crm.fields import FIELDS
from integration_assets.domain.crm.tables import STANDARD, CrmMapping

MAPPED: Final = "mapped_as"
"""Where a payload says into which columns, and as whose, fields are written that the standard mapping has otherwise."""

_FIRST_WRITER: Final = "?"
_NOT_WRITTEN: Final = ""


def desired_rows(entity: str, rows: pl.DataFrame, by: CrmMapping = STANDARD) -> pl.DataFrame:
    """Rows of an entity as the delivery table takes them: object_id for the primary id, `MAPPED` where needed."""
    frame = rows.rename({by.tables[entity].primary_id: "object_id"})
    unlike = {
        field.name: _written_as(field)
        for field, standard in zip(by.fields[entity], FIELDS[entity], strict=True)
        if _written_as(field) != _written_as(standard)
    }
    return frame.with_columns(pl.lit(json.dumps(unlike, sort_keys=True)).alias(MAPPED)) if unlike else frame


def remapped(entity: str, delivered: Mapping[str, Any], by: CrmMapping = STANDARD) -> frozenset[str]:
    """Names of the fields that the mapping in force writes into another column than a payload was delivered with, or
    as ours where they were not."""
    unlike: dict[str, str] = json.loads(delivered.get(MAPPED) or "{}")
    standard = {field.name: _written_as(field) for field in FIELDS[entity]}
    return frozenset(
        field.name
        for field in by.fields[entity]
        if _written_as(field) not in (_NOT_WRITTEN, unlike.get(field.name, standard[field.name]))
    )


def wire(
    entity: str,
    desired: Mapping[str, Any],
    delivered: Mapping[str, Any] | None,
    *,
    crm_lacks: Collection[str] = (),
    by: CrmMapping = STANDARD,
) -> dict[str, Any]:
    """The primary id and the changed columns of a row, by the names they have in this CRM.

    `desired` and `delivered` are payloads (`delivered` None: never sent); `desired` holds the primary id. Lookups come
    as (target set, id), or as None to clear one that was delivered. A new row has no blanks. Columns of owner
    first_writer (the CRM's own value counts) come only when named (by field) in `crm_lacks`, where the CRM has no
    value, and then whether they changed or not; those of owner crm never. Where nothing is to be sent, only the
    primary id is in the result.

    Raises KeyError when `desired` lacks the primary id.
    """
    primary_id = by.tables[entity].primary_id
    known: Mapping[str, Any] = delivered or {}
    moved = remapped(entity, delivered, by) if delivered else frozenset[str]()
    row: dict[str, Any] = {primary_id: desired[primary_id]}
    for field in by.fields[entity]:
        value = desired.get(field.name)
        if field.owner == "crm":
            continue
        if field.owner == "first_writer":
            if field.name in crm_lacks and value is not None:
                row[field.column] = sent(field, value)
        elif field.name in moved or plain(value) != plain(known.get(field.name)):
            row[field.column] = sent(field, value)
    return row


def first_writer_fields(entity: str, by: CrmMapping = STANDARD) -> tuple[Field, ...]:
    """The fields of an entity that are sent only where the CRM has none."""
    return tuple(field for field in by.fields[entity] if field.owner == "first_writer")


def sent(field: Field, value: Any) -> Any:
    """A value of a payload as the client takes it: a lookup as (target set, id)."""
    if field.target is not None:
        return None if value is None else (field.target, value)
    return plain(value)


def plain(value: Any) -> Any:
    """Dates as texts, as JSON has them."""
    return value.isoformat() if isinstance(value, date) else value


def _written_as(field: Field) -> str:
    """The column that a field is written into, and whether as its first writer; blank where it is not written."""
    match field.owner:
        case "crm":
            return _NOT_WRITTEN
        case "first_writer":
            return field.column + _FIRST_WRITER
        case _:
            return field.column
