"""Writing rows: create, update, upsert one by one and many at once, with their conditions.

Belongs here: the difference between the ways of writing. Bodies are read by `payload`, kept by `Rows`.
"""

import re
from collections.abc import Mapping
from typing import Any

from integration_assets.sandbox.dataverse import errors
from integration_assets.sandbox.dataverse.model import Table
from integration_assets.sandbox.dataverse.paths import (
    RowKey,
    echoed_url,
    entity_url,
    reference,
    row_key,
)
from integration_assets.sandbox.dataverse.payload import read_value, read_values
from integration_assets.sandbox.dataverse.query import shape
from integration_assets.sandbox.dataverse.rows import Rows
from integration_assets.sandbox.dataverse.wire import Answer, Exchange, empty_answer, etag, json_answer

BULK_PREFIX = "Microsoft.Dynamics.CRM."
_ETAG = re.compile(r'(?:W/)?"?(\d+)"?$')


def create(rows: Rows, exchange: Exchange, table: Table) -> Answer:
    """POST on an entity set: 204 with the URL of the new row, or 201 with the row."""
    exchange.caller.need("Create", table)
    row_id = rows.create(table, read_values(rows, exchange, table, exchange.json))
    return _written(rows, exchange, table, row_id, entity_url(exchange.api_root, table, row_id), 201)


def patch(rows: Rows, exchange: Exchange, table: Table, key_text: str) -> Answer:
    """PATCH on a row: update with If-Match, create with If-None-Match: *, else whichever is needed."""
    key = row_key(table, key_text)
    row_id = key.find(rows, table)
    if exchange.condition("if-match") is not None:
        if row_id is None:
            raise key.missing(table)
        check_version(rows, exchange, table, row_id)
    if row_id is not None and exchange.condition("if-none-match") == "*":
        raise errors.duplicate()
    values = read_values(rows, exchange, table, exchange.json)
    created = row_id is None
    row_id = _upsert(rows, exchange, table, key, row_id, values)
    return _written(
        rows, exchange, table, row_id, echoed_url(exchange.api_root, table, key_text), 201 if created else 200
    )


def delete(rows: Rows, exchange: Exchange, table: Table, key_text: str) -> Answer:
    """DELETE on a row."""
    exchange.caller.need("Delete", table)
    row_id = row_key(table, key_text).need(rows, table)
    check_version(rows, exchange, table, row_id)
    rows.delete(table, row_id)
    return empty_answer()


def set_column(rows: Rows, exchange: Exchange, table: Table, row_id: str, column: str) -> Answer:
    """PUT {"value": ..} or DELETE on one column of a row."""
    value = exchange.json.get("value") if exchange.method == "PUT" else None
    attribute = table.attributes[column]
    if not attribute.writable:
        raise errors.invalid_argument(f"The column '{column}' cannot be written.")
    exchange.caller.need("Write", table)
    rows.update(table, row_id, {column: read_value(table, attribute, value)})
    return Answer(204, {"OData-Version": "4.0"}, entity=(table.set_name, row_id))


def check_version(rows: Rows, exchange: Exchange, table: Table, row_id: str) -> None:
    """DataverseError 412 when If-Match names another version than the row has."""
    condition = exchange.condition("if-match")
    if condition in (None, "*"):
        return
    match = _ETAG.match(condition)
    if match is None or f'W/"{match[1]}"' != etag(rows.need(table, row_id)):
        raise errors.stale()


def bulk(rows: Rows, exchange: Exchange, table: Table, message: str) -> Answer:
    """CreateMultiple, UpdateMultiple, UpsertMultiple on a table: all targets or none, one error."""
    if message == "DeleteMultiple":
        raise errors.invalid_argument("DeleteMultiple has not yet been implemented.")
    if message not in table.messages:
        raise errors.no_segment(BULK_PREFIX + message)
    targets = exchange.json.get("Targets")
    if not isinstance(targets, list) or not targets:
        raise errors.invalid_argument("Required field 'Targets' is missing")
    for target in targets:
        if not isinstance(target, dict) or "@odata.type" not in target:
            text = "The annotation 'odata.type' is required for each item of the collection 'Targets'."
            raise errors.payload(table.set_name, text)
        if rows.schema.table_of_type(str(target["@odata.type"])) is not table:
            raise errors.invalid_argument("All targets must be of the entity type that the message is bound to.")
    if message == "CreateMultiple":
        exchange.caller.need("Create", table)
        ids = [rows.create(table, read_values(rows, exchange, table, target)) for target in targets]
        context = f"{exchange.api_root}$metadata#Microsoft.Dynamics.CRM.CreateMultipleResponse"
        found = json_answer(200, {"@odata.context": context, "Ids": ids})
    else:
        write = _update_target if message == "UpdateMultiple" else _upsert_target
        for target in targets:
            write(rows, exchange, table, target)
        found = empty_answer()
    found.bulk_rows = len(targets)
    return found


def _update_target(rows: Rows, exchange: Exchange, table: Table, target: Mapping[str, Any]) -> None:
    key = _target_key(rows, exchange, table, target)
    if key is None:
        raise errors.invalid_argument("Entity Id must be specified for Update")
    exchange.caller.need("Write", table)
    row_id = key.need(rows, table)
    rows.update(table, row_id, read_values(rows, exchange, table, target))


def _upsert_target(rows: Rows, exchange: Exchange, table: Table, target: Mapping[str, Any]) -> None:
    key = _target_key(rows, exchange, table, target)
    values = read_values(rows, exchange, table, target)
    if key is None:
        exchange.caller.need("Create", table)
        rows.create(table, values)
        return
    row_id = key.find(rows, table)
    if row_id is None and key.alternate is not None and any(column in values for column in key.alternate.columns):
        raise errors.unexpected()
    _upsert(rows, exchange, table, key, row_id, values)


def _target_key(rows: Rows, exchange: Exchange, table: Table, target: Mapping[str, Any]) -> RowKey | None:
    """How a target names its row: by `@odata.id`, else by its primary id column, else not at all."""
    if "@odata.id" in target:
        named, key = reference(rows.schema, str(target["@odata.id"]), exchange.created)
        if named is not table:
            raise errors.invalid_argument("All targets must be of the entity type that the message is bound to.")
        return key
    primary = target.get(table.primary_id)
    return None if primary is None else row_key(table, str(primary))


def _upsert(
    rows: Rows, exchange: Exchange, table: Table, key: RowKey, row_id: str | None, values: dict[str, Any]
) -> str:
    """Update the row, or create it where the body's key columns win over those of the address."""
    exchange.caller.need("Create" if row_id is None else "Write", table)
    if row_id is None:
        address = {table.primary_id: key.primary} if key.primary else dict(key.values or {})
        return rows.create(table, address | values)
    ignored = key.alternate.columns if key.alternate else ()
    rows.update(table, row_id, {name: value for name, value in values.items() if name not in ignored})
    return row_id


def _written(rows: Rows, exchange: Exchange, table: Table, row_id: str, url: str, status: int) -> Answer:
    if exchange.wants_representation:
        row = rows.need(table, row_id)
        wanted = shape(rows, exchange, table)
        body = {"@odata.context": wanted.context(exchange.api_root, table, single=True)}
        body |= wanted.render(rows, table, row)
        answer = json_answer(status, body, {"ETag": etag(row), "Preference-Applied": "return=representation"})
    else:
        answer = empty_answer(headers={"OData-EntityId": url})
    answer.entity = (table.set_name, row_id)
    return answer
