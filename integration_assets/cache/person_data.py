"""What the cache holds on the persons of one customer number, and how it is taken out.

Rows are found by the meaning of their columns, not by a list of tables: a new table that names customer numbers,
parties or hashed numbers is shown from its first day. Whether something may go is decided by the caller.
"""

import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any, Final

import sqlalchemy as sa

from integration_assets.cache import payloads
from integration_assets.cache.all_tables import metadata
from integration_assets.cache.cipher import Cipher
from integration_assets.cache.fact_retention import facts_of
from integration_assets.cache.locks import lock_key
from integration_assets.domain.schema import EntityTable
from integration_assets.domain.tables import KMD_CUSTOMERS, RESOLVED_CUSTOMERS

_CUSTOMER: Final = frozenset({"customer_number", "ava_kundenummer"})
_PARTY: Final = frozenset({"party_id", "co_party_id", "contactid", "ava_aktoer"})
_BY_BUSINESS_KEY: Final = frozenset({"cache_accounts", "cache_customer_roles", "cache_agreements"})
_BY_OBJECT: Final = ("delivery", "drift", "adopted_object", "adopted_row")
_PLACES: Final = ("installations", "addresses")
_NOT_SHOWN: Final = frozenset({"fingerprint", "desired_fingerprint", "delivered_fingerprint", "found_of"})

_DELETED: Final = (
    f"SELECT FROM rejection AS r WHERE r.asset = '{'/'.join(KMD_CUSTOMERS.asset)}' AND r.record_key = :number "
    "AND r.reason = 'vanished_from_source' AND r.closed_on IS NULL"
)
"""Open rejections that say that KMD EE deleted the row of a customer number; the row is kept as it was known."""

_WASHED_TO: Final = "(kind, normalized) IN (SELECT kind, normalized FROM washing WHERE text = ANY(:texts))"


@dataclass(frozen=True)
class Identity:
    """By what rows are found: a customer number, the parties that it names or named, their numbers, the hashes of those
    (`subjects`), and the address texts that the washing was asked about for the customer's rows."""

    customer_number: str
    parties: frozenset[str]
    numbers: frozenset[str]
    subjects: frozenset[str] = frozenset()
    texts: frozenset[str] = frozenset()

    def __repr__(self) -> str:
        """Without the personal numbers, since a repr ends up in logs."""
        return f"Identity(customer_number={self.customer_number!r}, {len(self.parties)} parties)"


@dataclass(frozen=True)
class Section:
    """The rows of one table as plain values; sealed ones are opened, payloads are objects."""

    table: str
    rows: Sequence[Mapping[str, Any]]

    def __repr__(self) -> str:
        """Without the rows, since a repr ends up in logs."""
        return f"Section({self.table!r}, {len(self.rows)} rows)"


def identify(connection: sa.Connection, cipher: Cipher, customer_number: str) -> Identity:
    """Who stands behind a customer number, today and before, as far as rows and deliveries tell. Raises CipherError."""
    parties: set[str] = set()
    numbers: set[str] = set()
    for row in _selected(connection, cipher, RESOLVED_CUSTOMERS.name, {"customer_number": [customer_number]}):
        parties |= {row[name] for name in ("party_id", "co_party_id") if row[name]}
        numbers |= {row[name] for name in ("number", "co_number") if row[name]}
    for row in _selected(connection, cipher, KMD_CUSTOMERS.name, {"customer_number": [customer_number]}):
        numbers |= {row[name] for name in ("id_number", "co_id_number") if row[name]}
    roles = {"system": ["lora"], "entity": ["customer_roles"], "business_key": [customer_number]}
    for row in _selected(connection, cipher, "delivery", roles, together=True):
        parties |= {party for party in [row["desired"].get("party_id")] if party}
    named = {"system": ["lora"], "entity": ["customers"], "object_id": sorted(parties)}
    for row in _selected(connection, cipher, "delivery", named, together=True):
        numbers |= {number for number in [row["desired"].get("number")] if number}
    complete = frozenset(number for number in numbers if len(number) >= 8 and not number.endswith("0000"))
    return Identity(customer_number, frozenset(parties), complete)


def sections(
    connection: sa.Connection, cipher: Cipher, identity: Identity, answers: Collection[tuple[str, str]] = ()
) -> list[Section]:
    """All rows that belong to the identity, by table; tables without any are left out. Raises CipherError.

    `answers` are further register answers (service, subject), which mention one of the numbers.
    """
    found: list[Section] = []
    facts = facts_of(connection, identity.customer_number)
    for table in metadata.sorted_tables:
        conditions = _conditions(table, identity)
        rows = _selected(connection, cipher, table.name, conditions) if conditions else []
        if table.name in _BY_OBJECT:
            rows = _of_objects(connection, cipher, table.name, identity)
        if table.name == "register_answer":
            subjects = sorted({subject for _, subject in answers} | identity.subjects)
            rows = _selected(connection, cipher, table.name, {"subject": subjects})
        if table.name == "address_decision":
            query = sa.text(f"SELECT * FROM address_decision WHERE {_WASHED_TO} ORDER BY kind, normalized")
            rows = [dict(row) for row in connection.execute(query, {"texts": sorted(identity.texts)}).mappings()]
        rows = facts.get(table.name, rows)
        if rows:
            found.append(Section(table.name, rows))
    return found


def in_force(connection: sa.Connection, customer_number: str) -> bool:
    """Whether the source has the customer number, or an earlier step still names it, in any supply area.

    A row that was found deleted in the source (an open rejection says so) is not in force, though it is kept as known.
    """
    return any(
        connection.execute(
            sa.text(
                f'SELECT EXISTS (SELECT FROM "{table.name}" AS t WHERE customer_number = :number '
                f"AND vanished_at IS NULL AND NOT EXISTS ({_DELETED} AND r.supply_area = t.supply_area))"
            ),
            {"number": customer_number},
        ).scalar_one()
        for table in (KMD_CUSTOMERS, RESOLVED_CUSTOMERS)
    )


def deleted_on(connection: sa.Connection, customer_number: str) -> date | None:
    """The day since when the source has no row of a customer number that is kept as it was known; None: none is."""
    query = sa.text(_DELETED.replace("SELECT FROM", "SELECT min(r.first_on) FROM", 1))
    return connection.execute(query, {"number": customer_number}).scalar_one()


def erase_rows(engine: sa.Engine, table: EntityTable, column: str, values: Collection[str]) -> int:
    """Takes rows out of an entity table, living or vanished, whose `column` has one of these values; how many.

    Where a living one was among them, the partition's packed fingerprints go too: the next merge makes them from the
    rows that are there. Merges of the same partition wait, and this waits for them.
    """
    where = f'"{column}" = ANY(:values)'
    return _changed(engine, table, f'DELETE FROM "{table.name}"', where, {"values": sorted(values)})


def reduce_rows(engine: sa.Engine, customer_number: str, parties: Collection[str]) -> int:
    """Empties the rows of resolved/customers of a customer number; how many there are. They count as vanished then.

    What stays is the customer number and until when there was a row, and of these `parties` that they are named: their
    object is known by the lowest customer number that ever named them.
    """
    kept = {"customer_number", "supply_area"}
    named: dict[str, str] = {}
    for party, told in (
        ("party_id", ("party_id", "party_kind", "number")),
        ("co_party_id", ("co_party_id", "co_number")),
    ):
        named |= {name: f"CASE WHEN {party} = ANY(:parties) THEN {name} END" for name in told}
    cleared = (f'"{name}" = {named.get(name, "NULL")}' for name in RESOLVED_CUSTOMERS.schema if name not in kept)
    change = f'UPDATE "{RESOLVED_CUSTOMERS.name}" SET {", ".join(cleared)}, vanished_at = coalesce(vanished_at, now())'
    parameters = {"number": customer_number, "parties": sorted(parties)}
    return _changed(engine, RESOLVED_CUSTOMERS, change, "customer_number = :number", parameters)


def own_decisions(texts: Collection[str]) -> tuple[str, Mapping[str, Any]]:
    """The condition of the operators' decisions that only these address texts are read by, and its parameters."""
    condition = (
        f"{_WASHED_TO} AND NOT EXISTS (SELECT FROM washing AS w WHERE w.kind = address_decision.kind "
        "AND w.normalized = address_decision.normalized AND w.text <> ALL(:texts))"
    )
    return condition, {"texts": sorted(texts)}


def _changed(engine: sa.Engine, table: EntityTable, change: str, where: str, parameters: Mapping[str, Any]) -> int:
    """Changes the rows that the condition holds for, partition by partition; how many there were."""
    changed = 0
    with engine.connect() as connection:
        query = sa.text(f'SELECT DISTINCT "{table.partition}" FROM "{table.name}" WHERE {where} ORDER BY 1')
        areas = connection.execute(query, parameters).scalars().all()
    for area in areas:
        here = {**parameters, "area": area, "table": table.name}
        there = f'{where} AND "{table.partition}" = :area'
        with engine.begin() as connection:
            lock = lock_key(f"merge {table.name} {area}")
            connection.execute(sa.text("SELECT pg_advisory_xact_lock(:key)"), {"key": lock})
            query = sa.text(f'SELECT EXISTS (SELECT FROM "{table.name}" WHERE {there} AND vanished_at IS NULL)')
            living = connection.execute(query, here).scalar_one()
            changed += connection.execute(sa.text(f"{change} WHERE {there}"), here).rowcount
            if living:
                forget = "DELETE FROM partition_fingerprint WHERE table_name = :table AND area = :area"
                connection.execute(sa.text(forget), here)
    return changed


def _conditions(table: sa.Table, identity: Identity) -> dict[str, list[str]]:
    """The values that each telling column of a table is looked for by; empty: the table tells nothing of anybody."""
    columns = set(table.c.keys())
    found = {name: [identity.customer_number] for name in sorted(columns & _CUSTOMER)}
    found |= {name: sorted(identity.parties) for name in sorted(columns & _PARTY)}
    if "subject" in columns:
        found["subject"] = sorted(identity.subjects)
    if table.name in _BY_BUSINESS_KEY:
        found["business_key"] = [identity.customer_number]
    if table.name == "washing":
        found["text"] = sorted(identity.texts)
    return found


def _of_objects(connection: sa.Connection, cipher: Cipher, table: str, identity: Identity) -> list[dict[str, Any]]:
    """What a table of _BY_OBJECT has of the parties, and of the customer relation with its roles and agreements."""
    query = (
        f"SELECT * FROM {table} WHERE object_id = ANY(:parties) "
        "OR (business_key = :number AND NOT entity = ANY(:without)) ORDER BY entity, object_id"
    )
    parameters = {
        "parties": sorted(identity.parties),
        "number": identity.customer_number,
        "without": [*_PLACES, "customers", "contacts"],
    }
    return [_opened(dict(row), cipher) for row in connection.execute(sa.text(query), parameters).mappings()]


def _selected(
    connection: sa.Connection,
    cipher: Cipher,
    table: str,
    conditions: Mapping[str, Sequence[str]],
    *,
    together: bool = False,
) -> list[dict[str, Any]]:
    """The rows in which one of the columns (`together`: each) has one of its values, opened, in the key's order."""
    declared = metadata.tables[table]
    each = [declared.c[name].in_(values) for name, values in conditions.items()]
    query = declared.select().where(sa.and_(*each) if together else sa.or_(*each)).order_by(*declared.primary_key)
    return [_opened(dict(row), cipher) for row in connection.execute(query).mappings()]


def _opened(row: Mapping[str, Any], cipher: Cipher) -> dict[str, Any]:
    return {
        name: _plain(payloads.to_text(bytes(value), cipher)) if isinstance(value, bytes | memoryview) else value
        for name, value in row.items()
        if name not in _NOT_SHOWN
    }


def _plain(text: str) -> Any:
    """An opened payload as an object, any other opened value as its text."""
    return json.loads(text) if text.startswith("{") else text
