"""EntityDefinitions of the CRM sandbox: tables, columns, choices, keys and lookups as JSON.

Belongs here: metadata derived from the schema, with $select and $expand; $filter only by LogicalName (eq, or).
"""

import re
from collections.abc import Mapping
from typing import Any

from integration_assets.sandbox.dataverse import errors
from integration_assets.sandbox.dataverse.model import RIGHTS, Attribute, Kind, Lookup, Schema, Table, metadata_id
from integration_assets.sandbox.dataverse.paths import Segment
from integration_assets.sandbox.dataverse.wire import Answer, Exchange, json_answer

_BY_NAME = re.compile(r"LogicalName\s*=\s*'([^']*)'$")
_NAME_FILTER = re.compile(r"\s*LogicalName\s+eq\s+'([^']*)'\s*(?:\bor\b|$)")
_EXPAND = re.compile(r"\s*([A-Za-z]+)\s*(?:\(\$select=([A-Za-z0-9,\s]*)\))?\s*(?:,|$)")
_ATTRIBUTE_TYPES: Mapping[Kind, str] = {
    "string": "String",
    "memo": "Memo",
    "decimal": "Decimal",
    "double": "Double",
    "money": "Money",
    "integer": "Integer",
    "bigint": "BigInt",
    "picklist": "Picklist",
    "state": "State",
    "status": "Status",
    "boolean": "Boolean",
    "date": "DateTime",
    "datetime": "DateTime",
    "guid": "Uniqueidentifier",
}
_NUMBER_TYPES = {"Integer", "Decimal", "Double", "Money"}
_CAST = re.compile(r"Microsoft\.Dynamics\.CRM\.([A-Za-z]+)AttributeMetadata$")


def metadata_answer(schema: Schema, exchange: Exchange, segments: list[Segment]) -> Answer:
    """Answer a GET below EntityDefinitions. DataverseError 404 for unknown tables and collections."""
    if exchange.method != "GET":
        raise errors.out_of_play("changes of metadata")
    select, expand = exchange.options.get("$select"), exchange.options.get("$expand", "")
    context = f"{exchange.api_root}$metadata#EntityDefinitions"
    if segments[0].key is None:
        tables = _filtered_tables(schema, exchange.options.get("$filter"))
        value = [_shown(_definition(schema, table), select, expand) for table in tables]
        return json_answer(200, {"@odata.context": context, "value": value})
    table = _table(schema, segments[0].key)
    if len(segments) == 1:
        return json_answer(200, {"@odata.context": context, **_shown(_definition(schema, table), select, expand)})
    found = _collection(schema, table, segments[1:])
    cast = segments[1].name != "Attributes" or len(segments) > 2
    value = [_shown(entry, select, expand, derived=cast) for entry in found]
    return json_answer(200, {"@odata.context": context, "value": value})


def _collection(schema: Schema, table: Table, rest: list[Segment]) -> list[dict[str, Any]]:
    found = _definition(schema, table).get(rest[0].name)
    if not isinstance(found, list):
        raise errors.no_segment(rest[0].name)
    if len(rest) == 1:
        return found
    cast = _CAST.match(rest[1].name)
    if rest[0].name != "Attributes" or cast is None or len(rest) > 2:
        raise errors.no_segment(rest[1].name)
    return [entry for entry in found if entry["AttributeType"] == cast[1]]


def _table(schema: Schema, key: str) -> Table:
    match = _BY_NAME.match(key)
    by_id = {metadata_id(logical): logical for logical in schema.by_logical_name}
    name = match[1] if match else by_id.get(key, key)
    table = schema.by_logical_name.get(name)
    if table is None:
        raise errors.DataverseError(404, "0x80060888", f"Could not find an entity with name {name}.")
    return table


def _filtered_tables(schema: Schema, text: str | None) -> list[Table]:
    if text is None:
        return list(schema.tables.values())
    names: set[str] = set()
    position = 0
    while position < len(text):
        match = _NAME_FILTER.match(text, position)
        if match is None:
            raise errors.out_of_play("this filter of EntityDefinitions (LogicalName eq '..' or ... is)")
        names.add(match[1])
        position = match.end()
    return [table for table in schema.tables.values() if table.logical in names]


def _shown(entry: dict[str, Any], select: str | None, expand: str, *, derived: bool = True) -> dict[str, Any]:
    """The entry with its selected properties and expanded collections; collections are hidden otherwise.

    Without `derived`, what only some types of column have cannot be selected: that needs a cast.
    """
    expanded: dict[str, str | None] = {}
    position = 0
    while position < len(expand):
        match = _EXPAND.match(expand, position)
        if match is None:
            raise errors.query("Syntax error in $expand.")
        expanded[match[1]] = match[2]
        position = match.end()
    chosen = {name.strip() for name in select.split(",")} if select else None
    _check_names(entry, chosen or set(), derived)
    _check_names(entry, set(expanded), derived=True)
    shown: dict[str, Any] = {}
    for name, value in entry.items():
        if name in expanded:
            inner, cast = expanded[name], name != "Attributes"
            shown[name] = [_shown(e, inner, "", derived=cast) for e in value] if name in _COLLECTIONS else value
        elif name not in _COLLECTIONS | _EXPANDABLE and (
            chosen is None or name in chosen or name.startswith("@") or name == "MetadataId"
        ):
            shown[name] = value
    return shown


def _check_names(entry: dict[str, Any], names: set[str], derived: bool) -> None:
    for name in sorted(names):
        if name in _DERIVED and not (derived and name in entry):
            kind = "Microsoft.Dynamics.CRM.AttributeMetadata"
            raise errors.query(f"Could not find a property named '{name}' on type '{kind}'.")
        if name not in entry and name not in _DERIVED:
            raise errors.out_of_play(f"the metadata property {name}")


_DERIVED = {
    "MaxLength", "OptionSet", "GlobalOptionSet", "Format", "DateTimeBehavior", "MinValue", "MaxValue", "Precision",
    "Targets",
}  # fmt: skip
"""What only some types of column have."""

_COLLECTIONS = {"Attributes", "Keys", "ManyToOneRelationships", "OneToManyRelationships", "ManyToManyRelationships"}
_EXPANDABLE = {"OptionSet", "GlobalOptionSet"}


def _definition(schema: Schema, table: Table) -> dict[str, Any]:
    attributes = [_attribute(table, attribute) for attribute in table.attributes.values()]
    lookups = {lookup.attribute: lookup for lookup in table.lookups}
    return {
        "MetadataId": metadata_id(table.logical),
        "LogicalName": table.logical,
        "SchemaName": table.schema_name,
        "EntitySetName": table.set_name,
        "LogicalCollectionName": table.set_name,
        "PrimaryIdAttribute": table.primary_id,
        "PrimaryNameAttribute": table.primary_name,
        "PrimaryImageAttribute": None,
        "ChangeTrackingEnabled": table.change_tracking,
        "IsOptimisticConcurrencyEnabled": True,
        "TableType": "Standard",
        "IsCustomEntity": table.logical.startswith("ava_"),
        "ObjectTypeCode": table.type_code,
        "Privileges": [
            {
                "CanBeBasic": True,
                "CanBeDeep": True,
                "CanBeGlobal": True,
                "CanBeLocal": True,
                "Name": table.privilege(right),
                "PrivilegeId": metadata_id(table.privilege(right)),
                "PrivilegeType": right,
            }
            for right in RIGHTS
        ],
        "Attributes": attributes + [_lookup_attribute(table, lookup) for lookup in lookups.values()],
        "Keys": [
            {
                "MetadataId": metadata_id(f"{table.logical}/{key.name}"),
                "SchemaName": key.name,
                "LogicalName": key.name,
                "KeyAttributes": list(key.columns),
                "EntityKeyIndexStatus": key.status,
            }
            for key in table.keys
        ],
        "ManyToOneRelationships": [_relationship(schema, table, lookup) for lookup in table.lookups],
        "OneToManyRelationships": [
            _relationship(schema, other, lookup)
            for other in schema.tables.values()
            for lookup in other.lookups
            if lookup.target == table.logical
        ],
        "ManyToManyRelationships": [
            {
                "MetadataId": metadata_id(f"relationship/{relationship.name}"),
                "SchemaName": relationship.name,
                "IntersectEntityName": relationship.name.lower(),
                "Entity1LogicalName": schema.tables[relationship.first].logical,
                "Entity2LogicalName": schema.tables[relationship.second].logical,
                "Entity1NavigationPropertyName": relationship.name,
                "Entity2NavigationPropertyName": relationship.name,
            }
            for relationship in schema.relationships.values()
            if relationship.partner(table.set_name)
        ],
    }


def _relationship(schema: Schema, table: Table, lookup: Lookup) -> dict[str, Any]:
    name = f"{lookup.target}_{table.logical}_{lookup.navigation}"
    return {
        "MetadataId": metadata_id(f"{table.logical}/relationship/{lookup.navigation}"),
        "SchemaName": name,
        "ReferencingEntity": table.logical,
        "ReferencingAttribute": lookup.attribute,
        "ReferencedEntity": lookup.target,
        "ReferencedAttribute": schema.by_logical_name[lookup.target].primary_id,
        "ReferencingEntityNavigationPropertyName": lookup.navigation,
        "ReferencedEntityNavigationPropertyName": name,
    }


def _attribute(table: Table, attribute: Attribute) -> dict[str, Any]:
    type_name = _ATTRIBUTE_TYPES[attribute.kind]
    found = _column(table, attribute.name, type_name, attribute.writable) | {"IsSecured": attribute.secured}
    if attribute.kind == "state" and table.logical != "account":  # as most tables have it: rows are made active
        found["IsValidForCreate"] = False
    if attribute.max_length is not None:
        found["MaxLength"] = attribute.max_length
    if attribute.options:
        found["OptionSet"] = {"Options": [_option(value, label) for value, label in attribute.options.items()]}
        found["GlobalOptionSet"] = None
    if type_name == "DateTime":
        date_only = attribute.kind == "date"
        found["Format"] = "DateOnly" if date_only else attribute.date_format
        found["DateTimeBehavior"] = {"Value": "DateOnly" if date_only else "UserLocal"}
    if type_name in _NUMBER_TYPES:
        found["MinValue"] = attribute.minimum if attribute.minimum is not None else -(2**31)
        found["MaxValue"] = attribute.maximum if attribute.maximum is not None else 2**31 - 1
    if attribute.precision is not None:
        found["Precision"] = attribute.precision
    return found


def _lookup_attribute(table: Table, lookup: Lookup) -> dict[str, Any]:
    found = _column(table, lookup.attribute, "Lookup", writable=True)
    targets = [other.target for other in table.lookups if other.attribute == lookup.attribute]
    return found | {"IsSecured": False, "Targets": targets}


def _column(table: Table, name: str, type_name: str, writable: bool) -> dict[str, Any]:
    required = "SystemRequired" if name == table.primary_id else "None"
    return {
        "@odata.type": f"#Microsoft.Dynamics.CRM.{type_name}AttributeMetadata",
        "MetadataId": metadata_id(f"{table.logical}/{name}"),
        "LogicalName": name,
        "SchemaName": name,
        "EntityLogicalName": table.logical,
        "AttributeType": type_name,
        "AttributeTypeName": {"Value": f"{type_name}Type"},
        "RequiredLevel": {"Value": required, "CanBeChanged": required == "None"},
        "IsPrimaryId": name == table.primary_id,
        "IsPrimaryName": name == table.primary_name,
        "IsValidForRead": True,
        "IsValidForCreate": writable,
        "IsValidForUpdate": writable and name != table.primary_id,
    }


def _option(value: int, label: str) -> dict[str, Any]:
    localized = {"Label": label, "LanguageCode": 1030, "IsManaged": False}
    return {"Value": value, "Label": {"LocalizedLabels": [localized], "UserLocalizedLabel": localized}}
