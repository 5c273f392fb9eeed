"""Objects claimed for sending: rows locked in an open transaction, and how their outcomes are recorded."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import sqlalchemy as sa

from integration_assets.cache import payloads
from integration_assets.cache.cipher import Cipher

REFUSED = "refused"
"""State of an object whose last delivery failed for good: a person must look at it."""

_LONGEST_WAIT = timedelta(days=1)


@dataclass(frozen=True)
class Delivery:
    """An object to send: what it should be, what was delivered last (None: nothing yet), failed attempts so far.

    `revive`: others deleted it there or made it passive.
    """

    object_id: str
    business_key: str
    desired: dict[str, Any]
    delivered: dict[str, Any] | None
    attempts: int
    revive: bool = False

    def __repr__(self) -> str:
        # Payloads may hold personal numbers, and a repr ends up in logs.
        return f"Delivery(object_id={self.object_id!r}, business_key={self.business_key!r}, attempts={self.attempts})"


@dataclass(frozen=True)
class Outcome:
    """What became of one delivery. `permanent`: trying again soon is useless (one try a day)."""

    object_id: str
    ok: bool
    external_ref: str | None = None
    error_code: str | None = None
    error_text: str | None = None
    permanent: bool = False


class Claim:
    """The claimed `rows` (ordered by business key), and the place to record their outcomes."""

    def __init__(
        self, connection: sa.Connection, rows: list[Delivery], key: Mapping[str, Any], backoff_base_seconds: float
    ) -> None:
        self.rows = rows
        self._connection = connection
        self._key = key
        self._base = backoff_base_seconds
        self._attempts = {row.object_id: row.attempts for row in rows}

    def record(self, outcomes: Sequence[Outcome]) -> None:
        """Record outcomes of claimed rows; committed when the claim ends. May be called several times.

        Raises ValueError for an object that is not part of this claim.
        """
        if strangers := [outcome.object_id for outcome in outcomes if outcome.object_id not in self._attempts]:
            raise ValueError(f"{len(strangers)} outcomes are of objects that were not claimed: {strangers[:5]}.")
        sent = [{"id": outcome.object_id, "ref": outcome.external_ref} for outcome in outcomes if outcome.ok]
        failed = [self._failure(outcome) for outcome in outcomes if not outcome.ok]
        # One statement for all: whoever sends waits for this between two entities.
        if sent:
            self._connection.execute(sa.text(_SENT), {**self._key, **_columns(sent)})
        if failed:
            self._connection.execute(sa.text(_FAILED), {**self._key, **_columns(failed)})

    def _failure(self, outcome: Outcome) -> dict[str, Any]:
        attempts = self._attempts[outcome.object_id] + 1
        doubled = timedelta(seconds=self._base) * 2 ** min(attempts - 1, 30)
        return {
            "id": outcome.object_id,
            "attempts": attempts,
            "next": self._key["now"] + (_LONGEST_WAIT if outcome.permanent else min(doubled, _LONGEST_WAIT)),
            "state": REFUSED if outcome.permanent else "failed",
            "code": outcome.error_code,
            "text": outcome.error_text,
        }


_SENT = """
UPDATE delivery AS d SET delivered = desired, delivered_fingerprint = desired_fingerprint, delivered_at = :now,
  external_ref = coalesce(o.ref, external_ref), state = 'delivered', attempts = 0, next_attempt_at = NULL,
  error_code = NULL, error_text = NULL, revive = false
FROM unnest(CAST(:id AS text[]), CAST(:ref AS text[])) AS o (object_id, ref)
WHERE d.system = :system AND d.entity = :entity AND d.object_id = o.object_id
"""

_FAILED = """
UPDATE delivery AS d SET state = o.state, attempts = o.attempts, next_attempt_at = o.next, error_code = o.code,
  error_text = o.text
FROM unnest(CAST(:id AS text[]), CAST(:attempts AS int[]), CAST(:next AS timestamptz[]), CAST(:state AS text[]),
  CAST(:code AS text[]), CAST(:text AS text[])) AS o (object_id, attempts, next, state, code, text)
WHERE d.system = :system AND d.entity = :entity AND d.object_id = o.object_id
"""


def _columns(rows: Sequence[Mapping[str, Any]]) -> dict[str, list[Any]]:
    """The values of equal rows by name."""
    return {name: [row[name] for row in rows] for name in rows[0]}


def open_claim(
    connection: sa.Connection,
    cipher: Cipher,
    condition: str,
    parameters: Mapping[str, Any],
    backoff_base_seconds: float,
) -> Claim:
    """Lock and read up to `limit` free rows that meet the SQL condition, inside the connection's transaction."""
    query = (
        "SELECT object_id, business_key, desired, delivered, attempts, revive FROM delivery "
        f"WHERE system = :system AND entity = :entity AND {condition} "
        "ORDER BY business_key, object_id LIMIT :limit FOR UPDATE SKIP LOCKED"
    )
    rows = [
        Delivery(
            row.object_id,
            row.business_key,
            json.loads(payloads.to_text(row.desired, cipher)),
            None if row.delivered is None else json.loads(payloads.to_text(row.delivered, cipher)),
            row.attempts,
            row.revive,
        )
        for row in connection.execute(sa.text(query), parameters)
    ]
    key = {name: parameters[name] for name in ("system", "entity", "now")}
    return Claim(connection, rows, key, backoff_base_seconds)
