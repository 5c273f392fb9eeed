"""All that the cache holds on one customer or installation number, table by table, found along indexes."""

import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, Final

import sqlalchemy as sa

from integration_assets.cache import payloads
from integration_assets.cache.cipher import Cipher
from integration_assets.cache.tables import entity_tables
from integration_assets.domain.schema import EntityTable

_MOST: Final = 200
"""Rows of one kind that are read of a number: a block of flats has many meters, a person looks at few of them."""

_PARTIES: Final = {"lora": "customers", "crm": "contacts"}


@dataclass(frozen=True)
class Delivered:
    """One object as an outside system should have it, was given it and showed it last; None: never.

    `waits`: what should stand there has not been delivered yet.
    """

    system: str
    entity: str
    object_id: str
    business_key: str
    areas: Sequence[str]
    state: str
    waits: bool
    attempts: int
    next_attempt_at: datetime | None
    error_code: str | None
    error_text: str | None
    external_ref: str | None
    desired: Mapping[str, Any]
    desired_at: datetime
    delivered: Mapping[str, Any] | None
    delivered_at: datetime | None
    found: Mapping[str, Any] | None
    found_at: datetime | None

    def __repr__(self) -> str:
        # Payloads may hold personal numbers, and a repr ends up in logs.
        return f"Delivered({self.system}/{self.entity}, object_id={self.object_id!r})"


@dataclass(frozen=True)
class Drift:
    """An object that an outside system holds otherwise than delivered; `differences`: [field, delivered, found]."""

    system: str
    entity: str
    object_id: str
    kind: str
    differences: Sequence[Sequence[str | None]]
    first_on: date
    last_on: date
    repairs: int


class NumberRows:
    """Reads rows by the numbers that people know."""

    def __init__(self, engine: sa.Engine, cipher: Cipher) -> None:
        self._engine = engine
        self._cipher = cipher

    def of(self, table: EntityTable, conditions: Mapping[str, Collection[Any]]) -> list[dict[str, Any]]:
        """The rows of a table whose columns have one of these values each, opened; living ones first.

        Beside the columns: first_seen_at, changed_at, vanished_at. Raises CipherError.
        """
        declared = entity_tables[table.name]
        if not all(conditions.values()):
            return []
        query = (
            sa.select(declared)
            .where(*(declared.c[name].in_(list(values)) for name, values in conditions.items()))
            .order_by(declared.c.vanished_at.desc().nulls_first(), *declared.primary_key)
            .limit(_MOST)
        )
        with self._engine.connect() as connection:
            rows = connection.execute(query).mappings().all()
        return [
            {
                name: self._cipher.open(bytes(value)).decode() if name in table.sealed and value is not None else value
                for name, value in row.items()
                if name != "fingerprint"
            }
            for row in rows
        ]

    def deliveries(self, numbers: Collection[str], parties: Collection[str]) -> list[Delivered]:
        """The objects that are known by these numbers, and those of these parties. Raises CipherError."""
        ids = [(system, entity, party) for system, entity in _PARTIES.items() for party in sorted(parties)]
        query = sa.text(
            "SELECT system, entity, object_id, business_key, areas, state, attempts, next_attempt_at, error_code, "
            "error_text, external_ref, desired, desired_at, delivered, delivered_at, found, found_at, "
            "delivered_fingerprint IS DISTINCT FROM desired_fingerprint AS waits FROM delivery "
            # Two ways to the same table: joined by OR, none of its indexes would be used.
            "WHERE (system, entity, object_id) IN ("
            "SELECT k.system, k.entity, k.object_id FROM delivery AS k WHERE k.business_key = ANY(:numbers) UNION "
            "SELECT * FROM unnest(CAST(:systems AS text[]), CAST(:entities AS text[]), CAST(:ids AS text[]))) "
            "ORDER BY system DESC, entity, business_key, object_id LIMIT :most"
        )
        parameters = {
            "numbers": sorted(numbers),
            "systems": [system for system, _, _ in ids],
            "entities": [entity for _, entity, _ in ids],
            "ids": [party for _, _, party in ids],
            "most": _MOST,
        }
        with self._engine.connect() as connection:
            rows = connection.execute(query, parameters).mappings().all()
        opened = ("desired", "delivered", "found")
        return [Delivered(**{**row, **{name: self._opened(row[name]) for name in opened}}) for row in rows]

    def drift(self, object_ids: Collection[str]) -> list[Drift]:
        """What outside systems hold otherwise of these objects today."""
        query = sa.text(
            "SELECT system, entity, object_id, kind, differences, first_on, last_on, repairs FROM drift "
            "WHERE closed_on IS NULL AND system = ANY(:systems) AND object_id = ANY(:ids) "
            "ORDER BY system, entity, object_id"
        )
        with self._engine.connect() as connection:
            rows = connection.execute(query, {"systems": ["lora", "crm"], "ids": sorted(object_ids)}).mappings()
            return [Drift(**row) for row in rows]

    def _opened(self, value: bytes | memoryview | None) -> Mapping[str, Any] | None:
        return None if value is None else json.loads(payloads.to_text(bytes(value), self._cipher))
