"""What a Dataverse organisation is made of: tables, columns, lookups, alternate keys, relationships, and all of them.

Belongs here: the metadata as values. No rows, no wire formats, and none of the tables that the sandbox has.
"""

import uuid
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from types import MappingProxyType
from typing import Literal

Kind = Literal[
    "string", "memo", "integer", "bigint", "decimal", "double", "money", "picklist", "state", "status", "boolean",
    "date", "datetime", "guid",
]  # fmt: skip
KeyStatus = Literal["Active", "Pending", "InProgress", "Failed"]

EDM_TYPES: Mapping[Kind, str] = MappingProxyType(
    {
        "string": "Edm.String",
        "memo": "Edm.String",
        "integer": "Edm.Int32",
        "bigint": "Edm.Int64",
        "decimal": "Edm.Decimal",
        "double": "Edm.Double",
        "money": "Edm.Decimal",
        "picklist": "Edm.Int32",
        "state": "Edm.Int32",
        "status": "Edm.Int32",
        "boolean": "Edm.Boolean",
        "date": "Edm.Date",
        "datetime": "Edm.DateTimeOffset",
        "guid": "Edm.Guid",
    }
)

BULK_MESSAGES = ("CreateMultiple", "UpdateMultiple", "UpsertMultiple")
RIGHTS = ("Create", "Read", "Write", "Delete", "Assign", "Share", "Append", "AppendTo")
"""What a role may allow on a table, in the words of its privileges."""

_NAMESPACE = uuid.UUID("9b0d1d5e-3c55-4c0a-8a57-5d7a6a2b9c11")
_STATE_LABELS = {0: "Active", 1: "Inactive", 2: "Canceled"}
# Number 1 and 2 are Dataverse's own; custom tables are numbered from 10000.
_OWN_TYPE_CODES = {"account": 1, "contact": 2, "incident": 112}


def metadata_id(name: str) -> str:
    """The id of a part of the metadata, the same in every sandbox."""
    return str(uuid.uuid5(_NAMESPACE, name))


@dataclass(frozen=True)
class Attribute:
    """One column. `options` are the values and labels of a choice, `writable` is false for what the server computes.

    `kind` "date" is a column of DateOnly behaviour, "datetime" one of UserLocal behaviour; `date_format` says what
    people see of the latter. `secured` columns need a column security profile. `minimum`, `maximum` and `precision`
    (decimals) bound numbers.
    """

    name: str
    kind: Kind
    max_length: int | None = None
    options: Mapping[int, str] = field(default_factory=dict)
    writable: bool = True
    required: bool = False
    secured: bool = False
    minimum: float | None = None
    maximum: float | None = None
    precision: int | None = None
    date_format: str = "DateAndTime"

    @property
    def edm_type(self) -> str:
        """The OData type of its values."""
        return EDM_TYPES[self.kind]


@dataclass(frozen=True)
class Lookup:
    """A reference to a row of `target` (logical name).

    Written through `navigation` (case-sensitive), read as `_<attribute>_value`. A lookup that may point to several
    tables is several of these with one attribute.
    """

    navigation: str
    attribute: str
    target: str

    @property
    def value_name(self) -> str:
        """The property under which the id of the target is read."""
        return f"_{self.attribute}_value"


@dataclass(frozen=True)
class AlternateKey:
    """Columns whose values together name at most one row. Rows where all are null are not held to it.

    Only an Active key binds and may be used; the others look defined while their index is built, or could not be.
    """

    name: str
    columns: tuple[str, ...]
    status: KeyStatus = "Active"


@dataclass(frozen=True)
class Table:
    """One table. `states` gives the status reasons that each state allows, its default first.

    `messages` are the bulk messages that it supports.
    """

    set_name: str
    logical: str
    schema_name: str
    primary_id: str
    primary_name: str
    own_attributes: tuple[Attribute, ...]
    lookups: tuple[Lookup, ...] = ()
    keys: tuple[AlternateKey, ...] = ()
    states: Mapping[int, tuple[int, ...]] = field(default_factory=lambda: {0: (1,), 1: (2,)})
    change_tracking: bool = True
    messages: tuple[str, ...] = BULK_MESSAGES

    @cached_property
    def attributes(self) -> Mapping[str, Attribute]:
        """All columns but the lookups, by name: primary id, own, state, status and those the server keeps."""
        system = (
            Attribute("statecode", "state", options={state: _STATE_LABELS[state] for state in self.states}),
            Attribute(
                "statuscode",
                "status",
                options={s: _STATE_LABELS[state] for state, all_ in self.states.items() for s in all_},
            ),
            Attribute("createdon", "datetime", writable=False),
            Attribute("modifiedon", "datetime", writable=False),
            Attribute("versionnumber", "bigint", writable=False),
        )
        primary = Attribute(self.primary_id, "guid", required=True)
        return {attribute.name: attribute for attribute in (primary, *self.own_attributes, *system)}

    @cached_property
    def navigations(self) -> Mapping[str, Lookup]:
        """Lookups by their navigation property."""
        return {lookup.navigation: lookup for lookup in self.lookups}

    @cached_property
    def properties(self) -> Mapping[str, Kind]:
        """Everything that a query may name, with its kind: columns and `_<lookup>_value`, in the order of answers."""
        kinds: dict[str, Kind] = {name: attribute.kind for name, attribute in self.attributes.items()}
        kinds.update({lookup.value_name: "guid" for lookup in self.lookups})
        return kinds

    @cached_property
    def active_keys(self) -> tuple[AlternateKey, ...]:
        """The alternate keys that bind."""
        return tuple(key for key in self.keys if key.status == "Active")

    def key(self, columns: frozenset[str]) -> AlternateKey | None:
        """The active alternate key over exactly these columns."""
        return next((key for key in self.active_keys if frozenset(key.columns) == columns), None)

    @property
    def type_name(self) -> str:
        """The qualified name of the entity type."""
        return f"Microsoft.Dynamics.CRM.{self.logical}"

    def privilege(self, right: str) -> str:
        """The name of the privilege that gives one of `RIGHTS` on its rows."""
        return f"prv{right}{self.schema_name}"

    @property
    def type_code(self) -> int:
        """The number of the table (object type code) in this organisation."""
        return _OWN_TYPE_CODES.get(self.logical) or 10_000 + sum(self.logical.encode()) % 1000


@dataclass(frozen=True)
class ManyToMany:
    """A many-to-many relationship; the navigation property is called `name` on both tables."""

    name: str
    first: str
    second: str

    def partner(self, set_name: str) -> str | None:
        """The entity set on the other side, or None when `set_name` takes no part."""
        return {self.first: self.second, self.second: self.first}.get(set_name)


class Schema:
    """All tables and relationships of an organisation."""

    def __init__(self, tables: Iterable[Table], relationships: Iterable[ManyToMany] = ()) -> None:
        self.tables: Mapping[str, Table] = {table.set_name: table for table in tables}
        """By entity set."""
        self.by_logical_name: Mapping[str, Table] = {table.logical: table for table in self.tables.values()}
        self.relationships: Mapping[str, ManyToMany] = {
            relationship.name: relationship
            for relationship in relationships
            if relationship.first in self.tables and relationship.second in self.tables
        }
        """By navigation property."""

    def many_to_many(self, set_name: str, navigation: str) -> ManyToMany | None:
        """The relationship that `navigation` names on rows of `set_name`, if any."""
        relationship = self.relationships.get(navigation)
        return relationship if relationship and relationship.partner(set_name) else None

    def table_of_type(self, type_name: str) -> Table | None:
        """The table of an `@odata.type` (with or without `#`), or None."""
        return self.by_logical_name.get(type_name.lstrip("#").removeprefix("Microsoft.Dynamics.CRM."))
