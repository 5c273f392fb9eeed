"""The parts of a CRM organisation that matter to us: as they are needed, and as its metadata describes them."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

ColumnKind = Literal["text", "integer", "option", "boolean", "date"]


@dataclass(frozen=True)
class NeededColumn:
    """A column that is written. `longest` is the longest text in characters, `options` the numbers of a choice."""

    name: str
    kind: ColumnKind
    longest: int | None = None
    options: frozenset[int] = frozenset()


@dataclass(frozen=True)
class NeededLookup:
    """A navigation property that is bound to rows of the table `target` (logical name)."""

    navigation: str
    target: str


@dataclass(frozen=True)
class NeededTable:
    """A table that rows are written to, or only read from.

    `links` are its many-to-many relationships, `keys` the columns of its alternate keys, `messages` the bulk messages,
    `rights` what the application user must be allowed to do (Create, Read, Write, Append, AppendTo).
    """

    logical_name: str
    set_name: str
    primary_id: str
    columns: tuple[NeededColumn, ...]
    lookups: tuple[NeededLookup, ...] = ()
    links: tuple[NeededLookup, ...] = ()
    keys: tuple[tuple[str, ...], ...] = ()
    messages: tuple[str, ...] = ()
    rights: tuple[str, ...] = ("Create", "Read", "Write")


@dataclass(frozen=True)
class FoundColumn:
    """A column as the metadata describes it. `kind` is its AttributeType; the rest where it has it."""

    kind: str
    creatable: bool = True
    updatable: bool = True
    secured: bool = False
    max_length: int | None = None
    options: frozenset[int] | None = None
    date_format: str | None = None
    date_behaviour: str | None = None


@dataclass(frozen=True)
class FoundKey:
    """An alternate key and the state of its index: Active, Pending, InProgress or Failed."""

    name: str
    columns: frozenset[str]
    status: str


@dataclass(frozen=True)
class FoundTable:
    """A table as the metadata describes it.

    `lookups` and `links` give the logical name of the target by navigation property; `privileges` the id of each
    privilege by right (Create, Read ...); `messages` are the bulk messages that it supports.
    """

    set_name: str
    primary_id: str
    columns: Mapping[str, FoundColumn]
    lookups: Mapping[str, frozenset[str]] = field(default_factory=dict[str, frozenset[str]])
    links: Mapping[str, str] = field(default_factory=dict[str, str])
    keys: tuple[FoundKey, ...] = ()
    privileges: Mapping[str, str] = field(default_factory=dict[str, str])
    messages: frozenset[str] = frozenset()
    change_tracking: bool = True


@dataclass(frozen=True)
class FoundUser:
    """An application user by its id in the CRM, and the depth of each privilege (by id) that it has.

    `granted` is None where the user may not ask what it may do.
    """

    user_id: str
    granted: Mapping[str, str] | None


@dataclass(frozen=True)
class FoundCrm:
    """Tables by logical name, and the application users that share the work."""

    tables: Mapping[str, FoundTable]
    users: tuple[FoundUser, ...]
