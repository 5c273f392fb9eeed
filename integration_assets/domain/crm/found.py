"""A row as the CRM shows it, against what should stand there: the columns that are ours, and nothing else.

Whose value counts is the mapping's. A column of the CRM's own, and one that belongs to its first writer, may say what
it likes. The state of a row is ours where rows become inactive when they end.
"""

from collections.abc import Mapping
from typing import Any, Final

from integration_assets.domain.crm.field import Field
from integration_assets.domain.crm.tables import STANDARD, CrmMapping
from integration_assets.domain.crm.wire import plain, sent

_ISO_DAY: Final = len("2026-03-01")


def read_name(field: Field) -> str:
    """The name under which the Web API shows a column: a lookup is read by its logical name."""
    return field.column if field.target is None else f"_{field.column.lower()}_value"


def read_columns(entity: str, by: CrmMapping = STANDARD) -> list[str]:
    """What to select of an entity's rows so that they can be compared: all that we ever write into."""
    return [read_name(field) for field in by.fields[entity] if field.owner != "crm"]


def owned_fields(entity: str, by: CrmMapping = STANDARD) -> tuple[Field, ...]:
    """The fields in which our value counts. Of a state and its reason the state stands for both: a reason is people's
    to choose, as long as the row is as active as it should be."""
    return tuple(
        field
        for field in by.fields[entity]
        if field.owner == "ours" or (field.owner == "status" and field.rule == "state" and by.deactivates(entity))
    )


def differing(
    entity: str, wanted: Mapping[str, Any], found: Mapping[str, Any], by: CrmMapping = STANDARD
) -> tuple[Field, ...]:
    """The fields of ours in which a row of the CRM says something else than the payload `wanted`."""
    return tuple(
        field for field in owned_fields(entity, by) if not is_same(field, wanted.get(field.name), shown(field, found))
    )


def shown(field: Field, found: Mapping[str, Any]) -> Any:
    """The value of a field in a row of the CRM, in the form that payloads have; None where it has none."""
    value = found.get(read_name(field))
    if value is None or value == "":
        return None
    if field.kind == "date":
        # A column that keeps a time shows midnight.
        return str(value)[:_ISO_DAY]
    return str(value).lower() if field.target is not None else value


def is_same(field: Field, wanted: Any, value: Any) -> bool:
    """Whether a value that was read says what a payload says. The CRM itself fills a column of yes and no with no."""
    ours = plain(wanted)
    if field.kind == "boolean" and ours is None:
        return not value
    return (None if ours == "" else ours) == value


def mended(
    entity: str, wanted: Mapping[str, Any], found: Mapping[str, Any], by: CrmMapping = STANDARD
) -> dict[str, Any]:
    """The primary id and what has to be written into a row that the CRM shows, so that it is as it should be.

    In the form of `wire`: only what differs, and what first writers left empty.
    """
    primary_id = by.tables[entity].primary_id
    row: dict[str, Any] = {primary_id: wanted[primary_id]}
    different = differing(entity, wanted, found, by)
    state_differs = any(field.rule == "state" for field in different)
    for field in by.fields[entity]:
        value = wanted.get(field.name)
        fills = field.owner == "first_writer" and value is not None and shown(field, found) is None
        if field in different or fills or (state_differs and field.rule == "status" and field.owner == "status"):
            row[field.column] = sent(field, value)
    return row
