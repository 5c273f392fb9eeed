"""What the cache holds on the persons of one customer number, and how it is taken out.

Rows are found by the meaning of their columns, not by a list of tables: a new table that names customer numbers,
parties or hashed numbers is shown from its first day. Whether something may go is decided by the caller.
"""

import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import sqlalchemy as sa

from integration_assets.cache import payloads
from integration_assets.cache.cipher import Cipher
from integration_assets.cache.locks import lock_key
from integration_assets.cache.tables import metadata
from integration_assets.domain.schema import EntityTable
from integration_assets.domain.tables import KMD_CUSTOMERS, RESOLVED_CUSTOMERS

_CUSTOMER: Final = frozenset({"customer_number", "ava_kundenummer"})
_PARTY: Final = frozenset({"party_id", "co_party_id", "contactid", "ava_aktoer"})
_BY_BUSINESS_KEY: Final = frozenset({"cache_accounts", "cache_customer_roles", "cache_agreements"})
_PLACES: Final = ("installations", "addresses")
_NOT_SHOWN: Final = frozenset({"fingerprint", "desired_fingerprint", "delivered_fingerprint", "found_of"})


@dataclass(frozen=True)
class Identity:
    """By what rows are found: a customer number, the parties that it names or named, their numbers, the hashes of those
    (`subjects`), and the address texts of the customer's rows."""

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
    texts: set[str] = set()
    for table in _line_tables():
        for row in _selected(connection, cipher, table, {"customer_number": [customer_number]}):
            texts |= {row["address_line"]} - {None}
    complete = frozenset(number for number in numbers if len(number) >= 8 and not number.endswith("0000"))
    return Identity(customer_number, frozenset(parties), complete, texts=frozenset(texts))


def sections(
    connection: sa.Connection, cipher: Cipher, identity: Identity, answers: Collection[tuple[str, str]] = ()
) -> list[Section]:
    """All rows that belong to the identity, by table; tables without any are left out. Raises CipherError.

    `answers` are further register answers (service, subject), which mention one of the numbers.
    """
    found: list[Section] = []
    for table in metadata.sorted_tables:
        conditions = _conditions(table, identity)
        rows = _selected(connection, cipher, table.name, conditions) if conditions else []
        if table.name == "delivery":
            rows = _deliveries(connection, cipher, identity)
        if table.name == "register_answer":
            subjects = sorted({subject for _, subject in answers} | identity.subjects)
            rows = _selected(connection, cipher, table.name, {"subject": subjects})
        if rows:
            found.append(Section(table.name, rows))
    return found


def living_rows(connection: sa.Connection, customer_number: str) -> bool:
    """Whether the source has the customer number, or an earlier step still names it, in any supply area."""
    return any(
        connection.execute(
            sa.text(
                f'SELECT EXISTS (SELECT FROM "{table.name}" WHERE customer_number = :number AND vanished_at IS NULL)'
            ),
            {"number": customer_number},
        ).scalar_one()
        for table in (KMD_CUSTOMERS, RESOLVED_CUSTOMERS)
    )


def living_elsewhere(connection: sa.Connection, identity: Identity) -> dict[str, list[str]]:
    """The other customer numbers in force that name a party, by party; parties without any are absent."""
    query = (
        f"SELECT party, array_agg(DISTINCT customer_number ORDER BY customer_number) "
        f'FROM "{RESOLVED_CUSTOMERS.name}", unnest(ARRAY[party_id, co_party_id]) AS party '
        "WHERE vanished_at IS NULL AND customer_number <> :number AND party = ANY(:parties) GROUP BY party"
    )
    parameters = {"number": identity.customer_number, "parties": sorted(identity.parties)}
    return {party: list(numbers) for party, numbers in connection.execute(sa.text(query), parameters)}


def erase_rows(engine: sa.Engine, table: EntityTable, column: str, values: Collection[str]) -> int:
    """Takes rows out of an entity table, living or vanished, whose `column` has one of these values.

    Where a living one was among them, the partition's packed fingerprints go too: the next merge makes them from the
    rows that are there. Merges of the same partition wait, and this waits for them.
    """
    where = f'"{column}" = ANY(:values)'
    parameters = {"values": sorted(values)}
    erased = 0
    with engine.connect() as connection:
        query = sa.text(f'SELECT DISTINCT "{table.partition}" FROM "{table.name}" WHERE {where} ORDER BY 1')
        areas = connection.execute(query, parameters).scalars().all()
    for area in areas:
        with engine.begin() as connection:
            lock = lock_key(f"merge {table.name} {area}")
            connection.execute(sa.text("SELECT pg_advisory_xact_lock(:key)"), {"key": lock})
            gone = connection.execute(
                sa.text(
                    f'DELETE FROM "{table.name}" WHERE {where} AND "{table.partition}" = :area RETURNING vanished_at'
                ),
                {**parameters, "area": area},
            ).scalars()
            instants = gone.all()
            erased += len(instants)
            if any(instant is None for instant in instants):
                connection.execute(
                    sa.text("DELETE FROM partition_fingerprint WHERE table_name = :table AND area = :area"),
                    {"table": table.name, "area": area},
                )
    return erased


def texts_of_others(connection: sa.Connection, identity: Identity) -> frozenset[str]:
    """Those of the identity's address texts that rows of other customer numbers use too."""
    used: set[str] = set()
    for table in _line_tables():
        query = (
            f'SELECT DISTINCT address_line FROM "{table}" '
            "WHERE customer_number <> :number AND address_line = ANY(:texts)"
        )
        parameters = {"number": identity.customer_number, "texts": sorted(identity.texts)}
        used.update(connection.execute(sa.text(query), parameters).scalars())
    return frozenset(used)


def _line_tables() -> list[str]:
    return [
        table.name for table in metadata.sorted_tables if {"customer_number", "address_line"} <= set(table.c.keys())
    ]


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


def _deliveries(connection: sa.Connection, cipher: Cipher, identity: Identity) -> list[dict[str, Any]]:
    """What was, or is to be, delivered of the parties, and of the customer relation with its roles and agreements."""
    query = (
        "SELECT * FROM delivery WHERE object_id = ANY(:parties) "
        "OR (business_key = :number AND NOT entity = ANY(:without)) ORDER BY system, entity, object_id"
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
