"""Functions, actions and tables of the CRM sandbox that are about the organisation itself, not about its customers.

Belongs here: WhoAmI, what a user's role allows, which messages a table supports, deleting in bulk.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from integration_assets.sandbox.dataverse import errors
from integration_assets.sandbox.dataverse.callers import BUSINESS_UNIT, ORGANISATION_ID
from integration_assets.sandbox.dataverse.model import (
    Attribute,
    Lookup,
    Schema,
    Table,
    metadata_id,
)
from integration_assets.sandbox.dataverse.paths import Segment, guid
from integration_assets.sandbox.dataverse.query import list_answer
from integration_assets.sandbox.dataverse.rows import Row, Rows
from integration_assets.sandbox.dataverse.wire import Answer, Exchange, json_answer

_PREFIX = "Microsoft.Dynamics.CRM."
_SINGLE_MESSAGES = ("Create", "Update", "Delete", "Retrieve", "RetrieveMultiple", "Associate", "Disassociate")
_MESSAGE = Table(
    "sdkmessages", "sdkmessage", "SdkMessage", "sdkmessageid", "name",
    (Attribute("name", "string", 256, writable=False),),
)  # fmt: skip
_FILTER = Table(
    "sdkmessagefilters", "sdkmessagefilter", "SdkMessageFilter", "sdkmessagefilterid", "name",
    (Attribute("primaryobjecttypecode", "string", 128, writable=False),),
    (Lookup("sdkmessageid", "sdkmessageid", "sdkmessage"),),
)  # fmt: skip
_TABLES = {table.set_name: table for table in (_MESSAGE, _FILTER)}


def answer_about(rows: Rows, exchange: Exchange, segments: list[Segment]) -> Answer | None:
    """The answer when the path means one of these resources, else None."""
    name = segments[0].name
    if name == "WhoAmI":
        body = {"BusinessUnitId": BUSINESS_UNIT, "UserId": exchange.caller.user_id, "OrganizationId": ORGANISATION_ID}
        return json_answer(200, {"@odata.context": _context(exchange, "WhoAmIResponse"), **body})
    if name == "systemusers":
        return _privileges(rows, exchange, segments)
    if name in _TABLES and len(segments) == 1 and exchange.method == "GET":
        return list_answer(_Messages(rows.schema), exchange, _TABLES[name])
    if name == "BulkDelete" and exchange.method == "POST":
        return _bulk_delete(rows, exchange)
    return None


def _privileges(rows: Rows, exchange: Exchange, segments: list[Segment]) -> Answer:
    """RetrieveUserPrivileges of an application user; people and other questions about users are not played."""
    asked = segments[1].name if len(segments) == 2 else ""
    user = exchange.caller.known(segments[0].key or "")
    if asked != f"{_PREFIX}RetrieveUserPrivileges" or user is None:
        raise errors.out_of_play("this question about users")
    body = {"RolePrivileges": list(user.privileges(rows.schema))}
    return json_answer(200, {"@odata.context": _context(exchange, "RetrieveUserPrivilegesResponse"), **body})


def _bulk_delete(rows: Rows, exchange: Exchange) -> Answer:
    """Deletes what the query expressions find, at once; a real organisation does it in a job that takes its time."""
    for query in exchange.json.get("QuerySet", []):
        table = rows.schema.by_logical_name.get(str(query.get("EntityName")))
        if table is None:
            raise errors.invalid_argument("The query of the bulk deletion names no known entity.")
        exchange.caller.need("Delete", table)
        for row_id in _found(rows, table, query):
            rows.delete(table, row_id)
    return json_answer(
        200, {"@odata.context": _context(exchange, "BulkDeleteResponse"), "JobId": metadata_id(f"job/{rows.version}")}
    )


def _found(rows: Rows, table: Table, query: Mapping[str, Any]) -> list[str]:
    conditions = (query.get("Criteria") or {}).get("Conditions", [])
    if len(conditions) != 1 or conditions[0].get("Operator") not in ("In", "Equal"):
        raise errors.out_of_play("this query expression (one condition In or Equal is)")
    column = str(conditions[0].get("AttributeName"))
    if column not in table.properties:
        raise errors.query_property(table, column)
    wanted = {guid(str(value.get("Value"))) or value.get("Value") for value in conditions[0].get("Values", [])}
    return [row_id for row_id, row in rows.all(table) if row.get(column) in wanted]


def _context(exchange: Exchange, type_name: str) -> str:
    return f"{exchange.api_root}$metadata#{_PREFIX}{type_name}"


class _Messages:
    """The messages and which tables they are for, as rows that are made from the schema."""

    def __init__(self, organisation: Schema) -> None:
        self.schema = Schema(_TABLES.values())
        self.version = 1
        self._rows: dict[str, dict[str, Row]] = {name: {} for name in _TABLES}
        for table in organisation.tables.values():
            for message in (*_SINGLE_MESSAGES, *table.messages):
                self._add(table.logical, message)

    def _add(self, logical: str, message: str) -> None:
        message_id = metadata_id(f"sdkmessage/{message}")
        row: Row = {"versionnumber": 1, "sdkmessageid": message_id, "name": message}
        self._rows["sdkmessages"][message_id] = row
        filter_id = metadata_id(f"sdkmessagefilter/{logical}/{message}")
        self._rows["sdkmessagefilters"][filter_id] = {
            "versionnumber": 1,
            "sdkmessagefilterid": filter_id,
            "primaryobjecttypecode": logical,
            "_sdkmessageid_value": message_id,
        }

    def get(self, table: Table, row_id: str) -> Row | None:
        return self._rows[table.set_name].get(row_id)

    def need(self, table: Table, row_id: str) -> Row:
        row = self.get(table, row_id)
        if row is None:
            raise errors.does_not_exist(table, row_id)
        return row

    def all(self, table: Table) -> Iterator[tuple[str, Row]]:
        yield from self._rows[table.set_name].items()

    def deleted(self, table: Table) -> Iterator[tuple[str, int]]:
        del table
        yield from ()
