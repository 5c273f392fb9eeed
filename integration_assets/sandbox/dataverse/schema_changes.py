"""What an administrator may have changed in the organisation's tables, well or badly.

Belongs here: applying changes, given as JSON, to a schema. For each table, by logical name: null drops it; an object
replaces its own values (`set_name`, `states`, `messages` ...) and those of its parts by name: `columns` (values of
`Attribute`), `lookups` (by navigation property; values of `Lookup`), `keys` (values of `AlternateKey`); null drops the
part. A part that is not there yet is added. "relationships" takes many-to-many relationships by name in the same way.
So `{"contact": {"columns": {"firstname": {"max_length": 50}}}}` shortens a column.
"""

import dataclasses
from collections.abc import Callable, Iterable, Mapping
from typing import Any, TypeVar

from integration_assets.sandbox.dataverse.model import AlternateKey, Attribute, Lookup, ManyToMany, Schema, Table

_Part = TypeVar("_Part", Attribute, Lookup, AlternateKey, ManyToMany)
_PARTS = ("columns", "lookups", "keys")


def changed(schema: Schema, changes: Mapping[str, Any]) -> Schema:
    """The schema with the changes made. KeyError for an unknown table, TypeError for unknown values."""
    unknown = set(changes) - set(schema.by_logical_name) - {"relationships"}
    if unknown:
        raise KeyError(f"no such table: {', '.join(sorted(unknown))}")
    tables = [
        _changed_table(table, changes.get(table.logical, {}))
        for table in schema.tables.values()
        if changes.get(table.logical, {}) is not None
    ]
    left = {table.logical for table in tables}
    tables = [
        dataclasses.replace(table, lookups=tuple(lookup for lookup in table.lookups if lookup.target in left))
        for table in tables
    ]
    names = {
        old.set_name: new.set_name for old in schema.tables.values() for new in tables if old.logical == new.logical
    }
    standing = [
        dataclasses.replace(each, first=names[each.first], second=names[each.second])
        for each in schema.relationships.values()
        if each.first in names and each.second in names
    ]
    relationships = _parts(standing, changes.get("relationships", {}), _named, ManyToMany)
    return Schema(tables, relationships)


def _changed_table(table: Table, change: Mapping[str, Any]) -> Table:
    own = {name: value for name, value in change.items() if name not in _PARTS}
    if "messages" in own:
        own["messages"] = tuple(own["messages"])
    if "states" in own:
        own["states"] = {int(state): tuple(reasons) for state, reasons in own["states"].items()}
    columns = {
        name: None if values is None else _readable_options(values)
        for name, values in change.get("columns", {}).items()
    }
    return dataclasses.replace(
        table,
        own_attributes=_parts(table.own_attributes, columns, _named, Attribute),
        lookups=_parts(table.lookups, change.get("lookups", {}), lambda lookup: lookup.navigation, Lookup),
        keys=_parts(table.keys, change.get("keys", {}), _named, AlternateKey),
        **own,
    )


def _readable_options(values: Mapping[str, Any]) -> dict[str, Any]:
    """JSON has no numbers as names."""
    if "options" not in values:
        return dict(values)
    return {**values, "options": {int(value): label for value, label in values["options"].items()}}


def _named(part: Any) -> str:
    return part.name


def _parts(
    parts: Iterable[_Part], changes: Mapping[str, Any], name_of: Callable[[_Part], str], kind: type[_Part]
) -> tuple[_Part, ...]:
    known = {name_of(part): part for part in parts}
    for name, values in changes.items():
        if values is None:
            del known[name]
        elif name in known:
            known[name] = dataclasses.replace(known[name], **values)
        else:
            known[name] = kind(**values)
    return tuple(known.values())
