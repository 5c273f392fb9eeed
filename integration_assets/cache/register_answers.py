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
from integration_assets.cache.locks import lock_key
from integration_assets.cache.tables import audit, person_alias, register_answer
from integration_assets.domain.people.register_rows import succeeded_by

_LONGEST_NUMBER = 10
_ALIASES = lock_key("person_alias")
_ALL_ALIASES = sa.select(person_alias)


@dataclass(frozen=True)
class Lookup:
    """One question to a register of persons, for the audit: what for, on what basis, how it ended, in which run."""

    purpose: str
    legal_basis: str
    outcome: str
    run_id: str


@dataclass(frozen=True)
class Alias:
    """Whose number a replaced or replacing number is: the subject that her answers are kept under, and her object."""

    known_as: str
    party_id: str


class RegisterAnswers:
    """The tables register_answer, audit and person_alias."""

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

    def succeed(
        self,
        service: str,
        subject: str,
        answer: Mapping[str, Any],
        as_of: date,
        *,
        mark: int | None = None,
        lookup: Lookup | None = None,
    ) -> bool:
        """Keep what a register says of a party today, as `put`, with what it said before; whether that differs.

        An answer that says the same as the last one changes nothing but the day of the question; one that differs waits
        to be delivered. `mark` is the mark that the question was asked for (`Following.checks`); later ones stay.
        """
        key = (register_answer.c.service == service) & (register_answer.c.subject == _hashed(subject))
        with self._engine.begin() as connection:
            before = connection.scalar(sa.select(register_answer.c.answer).where(key).with_for_update())
            stored = None if before is None else json.loads(payloads.to_text(before, self._cipher))
            fresh = succeeded_by(stored, answer, as_of)
            values: dict[str, Any] = {"as_of": as_of}
            if mark is not None:
                values["answered"] = sa.func.greatest(register_answer.c.answered, mark)
            if fresh is not None:
                values |= {"answer": payloads.to_bytes(fresh, self._cipher), "again_until": None}
                values |= {"to_deliver": stored is not None}
            if before is None:
                values["answered"] = 0
                statement = insert(register_answer).values(service=service, subject=subject, **values)
                connection.execute(statement.on_conflict_do_update(index_elements=["service", "subject"], set_=values))
            else:
                connection.execute(sa.update(register_answer).where(key).values(**values))
            if lookup is not None:
                connection.execute(sa.insert(audit), _audited(service, subject, lookup))
        return fresh is not None

    def aliases(self) -> dict[str, Alias]:
        """All aliases by subject: one for each person whose number was replaced since we know her."""
        with self._engine.connect() as connection:
            return {row.subject: Alias(row.known_as, row.party_id) for row in connection.execute(_ALL_ALIASES)}

    def join_numbers(self, old: Alias, new: Alias, *, new_is_known: bool) -> None:
        """Remember that two numbers, each given as it is by itself, are one person's.

        Who was known under the old one stays the same object, unless the register has answered for the new one before
        (`new_is_known`): then all are the object of the new number. What was joined to either before follows.
        """
        with self._engine.begin() as connection:
            connection.execute(sa.text("SELECT pg_advisory_xact_lock(:key)"), {"key": _ALIASES})
            aliases = {row.subject: Alias(row.known_as, row.party_id) for row in connection.execute(_ALL_ALIASES)}
            one, other = (aliases.get(each.known_as, each) for each in (old, new))
            if one == other:
                return
            stays, goes = (other, one) if new_is_known or new.known_as in aliases else (one, other)
            moved = {goes.known_as, *(subject for subject, alias in aliases.items() if alias == goes)} - {
                stays.known_as
            }
            for subject in sorted(moved):
                values = {"known_as": stays.known_as, "party_id": stays.party_id}
                statement = insert(person_alias).values(subject=subject, **values)
                connection.execute(statement.on_conflict_do_update(index_elements=["subject"], set_=values))

    def audit(self, service: str, subject: str, lookup: Lookup) -> None:
        """Record one look-up, at the database's clock. Raises ValueError when `subject` looks like a number itself."""
        with self._engine.begin() as connection:
            connection.execute(sa.insert(audit), _audited(service, subject, lookup))


def aliased(subjects: pl.Series, aliases: Mapping[str, Alias]) -> pl.Series:
    """The subjects under which answers are kept: those of replaced numbers are their person's."""
    if not aliases:
        return subjects
    return subjects.replace({subject: alias.known_as for subject, alias in aliases.items()})


def _audited(service: str, subject: str, lookup: Lookup) -> dict[str, str]:
    return {"service": service, "subject": _hashed(subject), **asdict(lookup)}


def _hashed(subject: str) -> str:
    """The subject, refused when it is short enough to be a personal or company number."""
    if len(subject) <= _LONGEST_NUMBER + 1:
        raise ValueError("A subject must be the keyed hash of a number, not something as short as the number.")
    return subject
