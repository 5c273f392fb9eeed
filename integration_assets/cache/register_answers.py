"""What the person and company registers answered, encrypted; and the audit of every question that was asked.

A *subject* is the keyed hash of a personal or company number, made by the caller: no number ever reaches a key here.
"""

import json
from collections.abc import Collection, Mapping
from dataclasses import asdict, dataclass
from datetime import date
from typing import Any

import polars as pl
import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert

from integration_assets.cache import payloads
from integration_assets.cache.cipher import Cipher
from integration_assets.cache.copying import fetch
from integration_assets.cache.tables import audit, register_answer

_LONGEST_NUMBER = 10


@dataclass(frozen=True)
class Lookup:
    """One question to a register of persons, for the audit: what for, on what basis, how it ended, in which run."""

    purpose: str
    legal_basis: str
    outcome: str
    run_id: str


class RegisterAnswers:
    """The tables register_answer and audit."""

    def __init__(self, engine: sa.Engine, cipher: Cipher) -> None:
        self._engine = engine
        self._cipher = cipher

    def get(self, service: str, subjects: Collection[str]) -> dict[str, dict[str, Any]]:
        """The last answers of the service by subject; subjects that were never answered are absent."""
        return {subject: json.loads(answer) for subject, answer in self.frame(service, subjects).iter_rows()}

    def frame(self, service: str, subjects: Collection[str]) -> pl.DataFrame:
        """As `get`, for many: columns subject and answer (JSON text), in no order."""
        query = (
            "SELECT subject, answer FROM register_answer WHERE service = %s AND subject = ANY(string_to_array(%s, ','))"
        )
        schema = {"subject": pl.String, "answer": pl.Binary}
        with self._engine.connect() as connection:
            # One text of hashes, since an array of them takes the driver ten times as long.
            stored = fetch(connection, query, schema, [service, ",".join(subjects)])
        return stored.with_columns(payloads.to_texts(stored["answer"], self._cipher))

    def put(
        self, service: str, subject: str, answer: Mapping[str, Any], as_of: date, *, lookup: Lookup | None = None
    ) -> None:
        """Keep an answer, replacing the former one, together with the record of the `lookup` that it came from.

        Raises ValueError when `subject` looks like a number itself.
        """
        values = {"answer": payloads.to_bytes(answer, self._cipher), "as_of": as_of}
        statement = insert(register_answer).values(service=service, subject=_hashed(subject), **values)
        with self._engine.begin() as connection:
            connection.execute(statement.on_conflict_do_update(index_elements=["service", "subject"], set_=values))
            if lookup is not None:
                connection.execute(sa.insert(audit), _audited(service, subject, lookup))

    def audit(self, service: str, subject: str, lookup: Lookup) -> None:
        """Record one look-up, at the database's clock. Raises ValueError when `subject` looks like a number itself."""
        with self._engine.begin() as connection:
            connection.execute(sa.insert(audit), _audited(service, subject, lookup))


def _audited(service: str, subject: str, lookup: Lookup) -> dict[str, str]:
    return {"service": service, "subject": _hashed(subject), **asdict(lookup)}


def _hashed(subject: str) -> str:
    """The subject, refused when it is short enough to be a personal or company number."""
    if len(subject) <= _LONGEST_NUMBER + 1:
        raise ValueError("A subject must be the keyed hash of a number, not something as short as the number.")
    return subject
