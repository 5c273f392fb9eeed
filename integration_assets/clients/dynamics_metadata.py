"""What a Dynamics CRM 365 organisation says of itself: tables, columns, keys, relationships, messages, privileges.

Belongs here: which metadata is asked for and how its JSON is read. What it should be is `domain.crm`.

Promises: only what the given tables need is asked for, about four small answers a table; nothing is written. A table
that does not exist is left out. Does not promise: what an administrator changed in the last half minute, since
Dataverse answers metadata from a cache.
"""

from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Final, Protocol

from integration_assets.clients.http import PermanentError
from integration_assets.domain.crm.metadata import (
    FoundColumn,
    FoundCrm,
    FoundKey,
    FoundTable,
    FoundUser,
    NeededTable,
)

_TYPE: Final = "Microsoft.Dynamics.CRM."
_AT_ONCE: Final = 4
_TABLE: Final = "LogicalName,EntitySetName,PrimaryIdAttribute,ChangeTrackingEnabled,Privileges"
_PARTS: Final = (
    "Attributes($select=LogicalName,AttributeType,IsValidForCreate,IsValidForUpdate,IsSecured),"
    "Keys($select=SchemaName,KeyAttributes,EntityKeyIndexStatus),"
    "ManyToOneRelationships($select=ReferencedEntity,ReferencingEntityNavigationPropertyName),"
    "ManyToManyRelationships($select=Entity1LogicalName,Entity2LogicalName,Entity1NavigationPropertyName,"
    "Entity2NavigationPropertyName)"
)
_OPTION_SET: Final = {
    "$select": "LogicalName",
    "$expand": "OptionSet($select=Options),GlobalOptionSet($select=Options)",
}
_DETAILS: Final[Mapping[str, Mapping[str, str]]] = {
    "String": {"$select": "LogicalName,MaxLength"},
    "Memo": {"$select": "LogicalName,MaxLength"},
    "Picklist": _OPTION_SET,
    "State": _OPTION_SET,
    "Status": _OPTION_SET,
    "DateTime": {"$select": "LogicalName,Format,DateTimeBehavior"},
}
"""What has to be asked for by type of column: a cast of Attributes shows what only that type has."""


class Reader(Protocol):
    """What is needed of a CRM client."""

    @property
    def users(self) -> int: ...

    def read(self, path: str, params: Mapping[str, str] | None = None, *, as_user: int | None = None) -> Any: ...

    def who_am_i(self, *, as_user: int | None = None) -> dict[str, Any]: ...


def found_crm(client: Reader, needed: Sequence[NeededTable]) -> FoundCrm:
    """What the organisation says of these tables, and of the rights of each application user on them.

    Raises CallError where it does not answer or does not let one of the users in.
    """
    users = tuple(_user(client, number) for number in range(client.users))
    messages = _messages(client, [table.logical_name for table in needed])
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        found = list(pool.map(lambda table: _table(client, table, messages.get(table.logical_name, [])), needed))
    return FoundCrm(
        {table.logical_name: there for table, there in zip(needed, found, strict=True) if there is not None}, users
    )


def _user(client: Reader, number: int) -> FoundUser:
    """Who the application user of that number is, and the depth of its privileges; None where it may not ask."""
    user_id = str(client.who_am_i(as_user=number)["UserId"])
    try:
        answer = client.read(f"systemusers({user_id})/{_TYPE}RetrieveUserPrivileges()", as_user=number)
    except PermanentError as error:
        if error.status == 403:
            return FoundUser(user_id, None)
        raise
    return FoundUser(user_id, {str(row["PrivilegeId"]): str(row["Depth"]) for row in answer["RolePrivileges"]})


def _messages(client: Reader, tables: Iterable[str]) -> dict[str, list[str]]:
    """The bulk messages that each table supports."""
    wanted = " or ".join(f"primaryobjecttypecode eq '{table}'" for table in tables)
    bulk = " or ".join(f"sdkmessageid/name eq '{name}Multiple'" for name in ("Create", "Update", "Upsert"))
    answer = client.read(
        "sdkmessagefilters",
        {
            "$select": "primaryobjecttypecode",
            "$expand": "sdkmessageid($select=name)",
            "$filter": f"({bulk}) and ({wanted})",
        },
    )
    found: dict[str, list[str]] = {}
    for row in answer["value"]:
        found.setdefault(str(row["primaryobjecttypecode"]), []).append(str(row["sdkmessageid"]["name"]))
    return found


def _table(client: Reader, needed: NeededTable, messages: Sequence[str]) -> FoundTable | None:
    path = f"EntityDefinitions(LogicalName='{needed.logical_name}')"
    try:
        table = client.read(path, {"$select": _TABLE, "$expand": _PARTS})
    except PermanentError as error:
        if error.status == 404:
            return None
        raise
    names = {column.name for column in needed.columns}
    columns = {str(row["LogicalName"]): row for row in table["Attributes"]}
    details: dict[str, dict[str, Any]] = {}
    for kind in sorted({str(columns[name]["AttributeType"]) for name in names & columns.keys()} & _DETAILS.keys()):
        answer = client.read(f"{path}/Attributes/{_TYPE}{kind}AttributeMetadata", _DETAILS[kind])
        details |= {str(row["LogicalName"]): row for row in answer["value"]}
    return FoundTable(
        set_name=str(table["EntitySetName"]),
        primary_id=str(table["PrimaryIdAttribute"]),
        columns={name: _column(row, details.get(name, {})) for name, row in columns.items()},
        lookups=_lookups(table["ManyToOneRelationships"]),
        links=_links(needed.logical_name, table["ManyToManyRelationships"]),
        keys=tuple(
            FoundKey(str(key["SchemaName"]), frozenset(key["KeyAttributes"]), str(key["EntityKeyIndexStatus"]))
            for key in table["Keys"]
        ),
        privileges={str(row["PrivilegeType"]): str(row["PrivilegeId"]) for row in table["Privileges"]},
        messages=frozenset(messages),
        change_tracking=bool(table["ChangeTrackingEnabled"]),
    )


def _column(row: Mapping[str, Any], details: Mapping[str, Any]) -> FoundColumn:
    choices = details.get("OptionSet") or details.get("GlobalOptionSet")
    return FoundColumn(
        kind=str(row["AttributeType"]),
        creatable=bool(row["IsValidForCreate"]),
        updatable=bool(row["IsValidForUpdate"]),
        secured=bool(row["IsSecured"]),
        max_length=details.get("MaxLength"),
        options=None if choices is None else frozenset(option["Value"] for option in choices["Options"]),
        date_format=details.get("Format"),
        date_behaviour=(details.get("DateTimeBehavior") or {}).get("Value"),
    )


def _lookups(relationships: Iterable[Mapping[str, Any]]) -> dict[str, frozenset[str]]:
    found: dict[str, frozenset[str]] = {}
    for row in relationships:
        name = str(row["ReferencingEntityNavigationPropertyName"])
        found[name] = found.get(name, frozenset()) | {str(row["ReferencedEntity"])}
    return found


def _links(table: str, relationships: Iterable[Mapping[str, Any]]) -> dict[str, str]:
    """The other table by navigation property, seen from `table`, which may be either end."""
    found: dict[str, str] = {}
    for row in relationships:
        for own, other in (("1", "2"), ("2", "1")):
            if row[f"Entity{own}LogicalName"] == table:
                found[str(row[f"Entity{own}NavigationPropertyName"])] = str(row[f"Entity{other}LogicalName"])
    return found
