"""The rows and links of the CRM sandbox: primary ids, alternate keys, versions, transactions.

Belongs here: what a row is and what may not be broken (duplicate ids and keys, impossible states). Rows come and go as
dicts of stored values; reading JSON bodies and writing answers is done elsewhere.
"""

import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Protocol

from integration_assets.sandbox.dataverse import errors
from integration_assets.sandbox.dataverse.model import AlternateKey, ManyToMany, Schema, Table
from integration_assets.sandbox.dataverse.tables import ORGANISATION
from integration_assets.sandbox.store import Store

Row = dict[str, Any]

_LINKS = "crm:links"
_DELETED = "crm:deleted"
_MISSING = object()


def collection(table: Table) -> str:
    """The store's collection of a table's rows."""
    return f"crm:{table.set_name}"


class RowSource(Protocol):
    """What a query reads from: rows by table, and the metadata that says what they are."""

    @property
    def schema(self) -> Schema: ...
    @property
    def version(self) -> int: ...
    def get(self, table: Table, row_id: str) -> Row | None: ...
    def need(self, table: Table, row_id: str) -> Row: ...
    def all(self, table: Table) -> Iterator[tuple[str, Row]]: ...
    def deleted(self, table: Table) -> Iterator[tuple[str, int]]: ...


class Rows:
    """All rows and links of the organisation.

    Changes are held back in memory, visible to later reads, until `commit` writes them to the store at once.
    `transaction` undoes what its block did when the block fails, so a change set or a bulk message is all or nothing.
    Nulls are absent from a row. `now` gives createdon and modifiedon (ISO 8601, UTC). `schema` is the organisation's
    metadata, which an administrator may change at any time; rows keep values of columns that are gone.
    """

    def __init__(self, store: Store, now: Callable[[], str]) -> None:
        self._store = store
        self._now = now
        self.schema: Schema = ORGANISATION
        self._links = store.load(_LINKS)
        self._pending: dict[tuple[str, str], Row | None] = {}
        self._pending_links: dict[str, Row | None] = {}
        self._pending_deleted: dict[str, Row | None] = {}
        self._touched: dict[str, None] = {}
        self._undo: list[tuple[dict[Any, Any], Any, Any]] = []
        self._key_index: dict[tuple[str, tuple[Any, ...]], str] = {}
        self._link_index: dict[tuple[str, str, str], tuple[str, ...]] = {}
        self._version = max([1_000_000, *(body["version"] for body in store.load(_DELETED).values())])
        for table in self.schema.tables.values():
            for row_id, row in self._live(table).items():
                self._version = max(self._version, row["versionnumber"])
                self._index_keys(table, row_id, row)
        for link in list(self._links.values()):
            self._index_link(self.schema.relationships[link["relationship"]], link["first"], link["second"])
        self._undo.clear()

    def use(self, schema: Schema) -> None:
        """Put changed metadata in force; rows that are there count for new alternate keys too."""
        self.schema = schema
        for table in schema.tables.values():
            for row_id, row in self._live(table).items():
                self._index_keys(table, row_id, row)
        self._undo.clear()

    # Reading

    def get(self, table: Table, row_id: str) -> Row | None:
        """The row with this primary id, or None."""
        pending = self._pending.get((table.set_name, row_id), _MISSING)
        if pending is _MISSING:
            return self._live(table).get(row_id)
        return pending  # type: ignore[return-value]

    def need(self, table: Table, row_id: str) -> Row:
        """The row with this primary id; DataverseError 404 when there is none."""
        row = self.get(table, row_id)
        if row is None:
            raise errors.does_not_exist(table, row_id)
        return row

    def find(self, table: Table, key: AlternateKey, values: Mapping[str, Any]) -> str | None:
        """The primary id of the row with these alternate key values, or None."""
        wanted = _key_values(key, values)
        if wanted is None:
            return None
        row_id = self._key_index.get((f"{table.set_name}/{key.name}", wanted))
        if row_id is None:
            return None
        row = self.get(table, row_id)
        # The index is never cleaned: an entry counts only while the row still says so.
        return row_id if row is not None and _key_values(key, row) == wanted else None

    def all(self, table: Table) -> Iterator[tuple[str, Row]]:
        """Ids and rows of a table in the order in which they came."""
        live = self._live(table)
        if not self._pending:
            yield from live.items()
            return
        for row_id, row in live.items():
            current = self._pending.get((table.set_name, row_id), row)
            if current is not None:
                yield row_id, current
        for (set_name, row_id), row in self._pending.items():
            if set_name == table.set_name and row_id not in live and row is not None:
                yield row_id, row

    def linked(self, relationship: ManyToMany, set_name: str, row_id: str) -> list[str]:
        """Primary ids of the rows that a many-to-many relationship joins to this one."""
        partners = self._link_index.get((relationship.name, set_name, row_id), ())
        if set_name == relationship.first:
            return [other for other in partners if self._link(relationship, row_id, other)]
        return [other for other in partners if self._link(relationship, other, row_id)]

    @property
    def version(self) -> int:
        """The number of the latest change in the organisation."""
        return self._version

    def deleted(self, table: Table) -> Iterator[tuple[str, int]]:
        """Ids of the rows that were deleted, and the number of that change."""
        mark = f"{table.set_name}/"
        for name, body in (self._store.load(_DELETED) | self._pending_deleted).items():
            if body is not None and name.startswith(mark):
                yield name.removeprefix(mark), body["version"]

    # Writing

    def create(self, table: Table, values: Mapping[str, Any]) -> str:
        """Add a row (`values` may name its primary id) and return its id. 412 for a duplicate id or key."""
        row_id = values.get(table.primary_id) or str(uuid.uuid4())
        if self.get(table, row_id) is not None:
            raise errors.duplicate()
        now = self._now()
        row: Row = {"createdon": now, **_without_nulls(values), table.primary_id: row_id}
        row.update(_state_pair(table, {}, values))
        self._write(table, row_id, row, now)
        return row_id

    def update(self, table: Table, row_id: str, values: Mapping[str, Any]) -> None:
        """Change the given properties of a row; null clears one. 404 when there is no row, 412 for a duplicate key."""
        row = self.need(table, row_id)
        changes = {name: value for name, value in values.items() if name != table.primary_id}
        changed = _without_nulls(row | changes)
        changed.update(_state_pair(table, row, changes))
        self._write(table, row_id, changed, self._now())

    def delete(self, table: Table, row_id: str) -> None:
        """Remove a row with its links; lookups to it are cleared ("remove link" behaviour). 404 when there is none."""
        self.need(table, row_id)
        for other in self.schema.tables.values():
            names = {lookup.value_name for lookup in other.lookups if lookup.target == table.logical}
            if not names:
                continue
            pointing = [(i, row) for i, row in self.all(other) if any(row.get(name) == row_id for name in names)]
            for other_id, row in pointing:
                self.update(other, other_id, {name: None for name in names if row.get(name) == row_id})
        for relationship in self.schema.relationships.values():
            if relationship.partner(table.set_name):
                for partner_id in self.linked(relationship, table.set_name, row_id):
                    self.unlink(relationship, *_ends(relationship, table.set_name, row_id, partner_id))
        self._version += 1
        self._set(self._pending, (table.set_name, row_id), None)
        self._set(self._pending_deleted, f"{table.set_name}/{row_id}", {"version": self._version})
        self._touch(f"{table.set_name}({row_id})")

    def link(self, relationship: ManyToMany, first_id: str, second_id: str) -> None:
        """Join two rows. 404 when one is missing, 412 when they are joined already."""
        self.need(self.schema.tables[relationship.first], first_id)
        self.need(self.schema.tables[relationship.second], second_id)
        if self._link(relationship, first_id, second_id):
            raise errors.duplicate()
        body = {"relationship": relationship.name, "first": first_id, "second": second_id}
        self._set(self._pending_links, _link_id(relationship, first_id, second_id), body)
        self._index_link(relationship, first_id, second_id)
        self._touch(_link_object(relationship, first_id, second_id))

    def unlink(self, relationship: ManyToMany, first_id: str, second_id: str) -> None:
        """Part two rows. DataverseError 404 when they are not joined."""
        if not self._link(relationship, first_id, second_id):
            raise errors.does_not_exist(self.schema.tables[relationship.second], second_id)
        self._set(self._pending_links, _link_id(relationship, first_id, second_id), None)
        self._touch(_link_object(relationship, first_id, second_id))

    # Transactions

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Undo everything that the block changed when it raises. May be nested."""
        mark = len(self._undo)
        try:
            yield
        except BaseException:
            while len(self._undo) > mark:
                mapping, key, previous = self._undo.pop()
                if previous is _MISSING:
                    mapping.pop(key, None)
                else:
                    mapping[key] = previous
            raise

    def commit(self) -> list[str]:
        """Write all changes to the store and return what was written: "contacts(<id>)", "a(<id>)/relation(<id>)"."""
        puts: dict[str, dict[str, Row]] = {}
        for (set_name, row_id), row in self._pending.items():
            if row is None:
                self._store.delete(f"crm:{set_name}", row_id)
            else:
                puts.setdefault(f"crm:{set_name}", {})[row_id] = row
        for name, bodies in ((_LINKS, self._pending_links), (_DELETED, self._pending_deleted)):
            for body_id, body in bodies.items():
                if body is None:
                    self._store.delete(name, body_id)
                else:
                    puts.setdefault(name, {})[body_id] = body
        for name, bodies in puts.items():
            self._store.put_many(name, bodies)
        touched = list(self._touched)
        for mapping in (self._pending, self._pending_links, self._pending_deleted, self._touched):
            mapping.clear()
        self._undo.clear()
        return touched

    # Inner parts

    def _live(self, table: Table) -> Mapping[str, Row]:
        """The committed rows of a table."""
        return self._store.load(collection(table))

    def _set(self, mapping: dict[Any, Any], key: Any, value: Any) -> None:
        self._undo.append((mapping, key, mapping.get(key, _MISSING)))
        mapping[key] = value

    def _touch(self, name: str) -> None:
        if name not in self._touched:
            self._set(self._touched, name, None)

    def _write(self, table: Table, row_id: str, row: Row, now: str) -> None:
        for key in table.active_keys:
            holder = self.find(table, key, row)
            if holder is not None and holder != row_id:
                raise errors.duplicate_key(key.name, key.columns)
        self._version += 1
        row["modifiedon"] = now
        row["versionnumber"] = self._version
        if table.logical == "contact":
            row["fullname"] = " ".join(row[name] for name in ("firstname", "lastname") if name in row)
        self._set(self._pending, (table.set_name, row_id), row)
        gone = f"{table.set_name}/{row_id}"
        if gone in self._store.load(_DELETED) or gone in self._pending_deleted:
            self._set(self._pending_deleted, gone, None)
        self._index_keys(table, row_id, row)
        self._touch(f"{table.set_name}({row_id})")

    def _index_keys(self, table: Table, row_id: str, row: Row) -> None:
        for key in table.keys:
            values = _key_values(key, row)
            if values is not None:
                self._set(self._key_index, (f"{table.set_name}/{key.name}", values), row_id)

    def _link(self, relationship: ManyToMany, first_id: str, second_id: str) -> Row | None:
        link_id = _link_id(relationship, first_id, second_id)
        pending = self._pending_links.get(link_id, _MISSING)
        return self._links.get(link_id) if pending is _MISSING else pending  # type: ignore[return-value]

    def _index_link(self, relationship: ManyToMany, first_id: str, second_id: str) -> None:
        for set_name, row_id, other in (
            (relationship.first, first_id, second_id),
            (relationship.second, second_id, first_id),
        ):
            key = (relationship.name, set_name, row_id)
            known = self._link_index.get(key, ())
            if other not in known:
                self._set(self._link_index, key, (*known, other))


def _key_values(key: AlternateKey, values: Mapping[str, Any]) -> tuple[Any, ...] | None:
    found = tuple(values.get(column) for column in key.columns)
    if all(value is None for value in found):
        return None
    # The database compares text without regard to case.
    return tuple(value.casefold() if isinstance(value, str) else value for value in found)


def _without_nulls(values: Mapping[str, Any]) -> Row:
    return {name: value for name, value in values.items() if value is not None}


def _state_pair(table: Table, row: Mapping[str, Any], changes: Mapping[str, Any]) -> Row:
    """State and status after a change: a new state brings its default status, a status must belong to its state."""
    old_state = row.get("statecode", next(iter(table.states)))
    state = changes.get("statecode")
    state = old_state if state is None else state
    status = changes.get("statuscode")
    if status is None:
        keep = state == old_state and "statuscode" in row
        status = row["statuscode"] if keep else table.states[state][0]
    if status not in table.states[state]:
        raise errors.bad_state_pair(table, status, state)
    return {"statecode": state, "statuscode": status}


def _ends(relationship: ManyToMany, set_name: str, row_id: str, partner_id: str) -> tuple[str, str]:
    return (row_id, partner_id) if set_name == relationship.first else (partner_id, row_id)


def _link_id(relationship: ManyToMany, first_id: str, second_id: str) -> str:
    return f"{relationship.name}/{first_id}/{second_id}"


def _link_object(relationship: ManyToMany, first_id: str, second_id: str) -> str:
    return f"{relationship.first}({first_id})/{relationship.name}({second_id})"
