"""What the person and company registers answered, encrypted; and the audit of every question that was asked.

A *subject* is the keyed hash of a personal or company number, made by the caller: no number ever reaches a key here.
"""

import json
from collections.abc import Collection, Mapping
from datetime import date
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert

from integration_assets.cache import payloads
from integration_assets.cache.cipher import Cipher
from integration_assets.cache.tables import audit, register_answer

_LONGEST_NUMBER = 10


class RegisterAnswers:
    """The tables register_answer and audit."""

    def __init__(self, engine: sa.Engine, cipher: Cipher) -> None:
        self._engine = engine
        self._cipher = cipher

    def get(self, service: str, subjects: Collection[str]) -> dict[str, dict[str, Any]]:
        """The last answers of the service by subject; subjects that were never answered are absent."""
        stored = register_answer
        wanted = sa.any_(sa.literal(list(subjects), sa.ARRAY(sa.Text)))
        query = sa.select(stored.c.subject, stored.c.answer).where(
            stored.c.service == service, stored.c.subject == wanted
        )
        with self._engine.connect() as connection:
            rows = connection.execute(query).all()
        return {subject: json.loads(payloads.to_text(answer, self._cipher)) for subject, answer in rows}

    def put(self, service: str, subject: str, answer: Mapping[str, Any], as_of: date) -> None:
        """Keep an answer, replacing the former one. Raises ValueError when `subject` looks like a number itself."""
        values = {"answer": payloads.to_bytes(answer, self._cipher), "as_of": as_of}
        statement = insert(register_answer).values(service=service, subject=_hashed(subject), **values)
        with self._engine.begin() as connection:
            connection.execute(statement.on_conflict_do_update(index_elements=["service", "subject"], set_=values))

    def audit(self, service: str, subject: str, purpose: str, legal_basis: str, outcome: str, run_id: str) -> None:
        """Record one look-up, at the database's clock. Raises ValueError when `subject` looks like a number itself."""
        row = {
            "service": service,
            "subject": _hashed(subject),
            "purpose": purpose,
            "legal_basis": legal_basis,
            "outcome": outcome,
            "run_id": run_id,
        }
        with self._engine.begin() as connection:
            connection.execute(sa.insert(audit), row)


def _hashed(subject: str) -> str:
    """The subject, refused when it is short enough to be a personal or company number."""
    if len(subject) <= _LONGEST_NUMBER + 1:
        raise ValueError("A subject must be the keyed hash of a number, not something as short as the number.")
    return subject
