"""The outbox of recalls: what is to be sent is committed, to the byte, before it is sent.

Approved recalls are packed into deliveries; a delivery is sent while its row is locked, and what became of it is
recorded under the same lock. A process that is killed in between leaves a transaction of unknown outcome: whoever comes
next sends the same bytes under the same id. Any number of workers may run.
"""

import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

import sqlalchemy as sa

from integration_assets.cache import recall_rows
from integration_assets.cache.claim_tables import UNSETTLED
from integration_assets.cache.recall_rows import Change, Issue, Recall
from integration_assets.domain.claims import states
from integration_assets.domain.claims.error_numbers import Policy, pause_s
from integration_assets.domain.claims.messages import ActionStatusCode, Answer
from integration_assets.domain.claims.numbering import ActionContent, delivery_id_of, payload_hash
from integration_assets.domain.claims.states import Outcome, Situation, State

CHANNEL = "dmi"
"""The authority, as claim_channel knows it."""

Compose = Callable[[str, int, Sequence[ActionContent]], str]
"""Makes the message of a transaction id, a delivery id and actions."""

_APPROVED = """
SELECT action_id FROM recall_action WHERE state = 'APPROVED' ORDER BY action_id LIMIT :limit FOR UPDATE SKIP LOCKED
"""
_DUE = """
SELECT delivery_id, transaction_id, tries FROM recall_delivery
WHERE next_attempt_at <= :now AND outcome = :outcome ORDER BY next_attempt_at LIMIT 1 FOR UPDATE SKIP LOCKED
"""
_MEMBERS = f"SELECT action_id FROM recall_action WHERE delivery_id = :delivery AND {UNSETTLED}"
_PACKED = """
UPDATE recall_action SET state = 'SENT', outcome = 'UNKNOWN', delivery_id = :delivery, changed_at = :now,
  sent_at = coalesce(sent_at, :now), effective_from = coalesce(effective_from, :as_of)
WHERE action_id = ANY(:ids)
"""
_NEW_DELIVERY = """
INSERT INTO recall_delivery (delivery_id, transaction_id, outcome, next_attempt_at, made_at)
VALUES (:delivery, :transaction, 'UNKNOWN', :now, :now)
ON CONFLICT (delivery_id) DO UPDATE SET transaction_id = :transaction, outcome = 'UNKNOWN'
"""
_NEW_TRANSACTION = """
INSERT INTO recall_transaction (transaction_id, delivery_id, action_ids, payload_hash, content, made_at)
VALUES (:transaction, :delivery, :ids, :hash, :content, :now)
"""
_STOPPED = "SELECT coalesce(why, '') FROM claim_channel WHERE system = :system AND stopped_at IS NOT NULL"
_ON_THE_WAY = (
    f"SELECT true FROM recall_action WHERE delivery_id = :delivery AND {UNSETTLED} "
    "AND state IN ('SENT', 'RETRY_WAIT') LIMIT 1"
)
_RECORD = """
WITH told AS (UPDATE recall_transaction SET outcome = :outcome, answered_at = :now, error_numbers = :numbers
  WHERE transaction_id = :transaction)
UPDATE recall_delivery SET outcome = :outcome, tries = :tries, next_attempt_at = :next WHERE delivery_id = :delivery
"""


@dataclass(frozen=True)
class Terms:
    """How deliveries are made: for whom, how many actions in one, by which function."""

    creditor_system: str
    most_actions: int
    compose: Compose


@dataclass(frozen=True)
class Result:
    """What became of a transaction: the policy of its answer, or of none; `numbers` its errors, `note` for a person."""

    policy: Policy
    answer: Answer | None = None
    numbers: tuple[int, ...] = ()
    note: str | None = None


class Sending:
    """A delivery that is locked for sending: `content` goes over the wire; `record` says what became of it."""

    def __init__(
        self, connection: sa.Connection, delivery_id: int, transaction_id: str, content: str, stored_hash: str
    ) -> None:
        self.delivery_id = delivery_id
        self.transaction_id = transaction_id
        self.content = content
        self._stored_hash = stored_hash
        self._connection = connection

    def record(self, result: Result, creditor_system: str, now: datetime) -> Policy:
        """Stores the outcome, committed when the sending ends; returns the policy that was followed.

        "They have it already" counts as delivered only where the transaction is ours with the same content.
        """
        members = recall_rows.locked(self._connection, _members(self._connection, self.delivery_id))
        if result.policy is Policy.ALREADY_DELIVERED and not self._is_ours(result.answer, creditor_system):
            note = f"Transaction {self.transaction_id} is known to the authority with another content than ours."
            result = Result(Policy.LOG_AND_MANUAL, result.answer, result.numbers, note)
        told = {} if result.answer is None or result.answer.info is None else result.answer.info.statuses
        received = {status.action_id: status for status in told if status.code is ActionStatusCode.MODTAGET}
        changes: list[Change] = []
        for recall in members.values():
            if recall.situation.state not in (State.SENT, State.RETRY_WAIT):
                continue
            situation = states.answered(_under_way(recall.situation), result.policy)
            status = received.get(recall.action_id)
            if status is not None:
                situation = states.reported(situation, status.code, status.changed_at)
            number = next(iter(result.numbers), None)
            changes.append(Change(recall.action_id, situation, True, number, result.note))
        recall_rows.write(self._connection, changes, now)
        if result.policy is Policy.BUSINESS_REJECT:
            cases = [_case(members[change.action_id], result) for change in changes]
            recall_rows.note_issues(self._connection, cases, now)
        self._settle(changes, result, now)
        if result.policy is Policy.STOP_CHANNEL:
            stop_channel(self._connection, result.note or "", now)
        return result.policy

    def _settle(self, changes: Sequence[Change], result: Result, now: datetime) -> None:
        """The delivery goes on as its actions do: they have all had the same answer."""
        waiting = next((one.situation for one in changes if one.situation.state is State.RETRY_WAIT), None)
        known = changes[0].situation if changes else Situation(State.MODTAGET, outcome=Outcome.DELIVERED)
        situation = waiting or known
        next_attempt = now + timedelta(seconds=pause_s(situation.tries)) if waiting is not None else None
        parameters = {
            "outcome": situation.outcome,
            "numbers": list(result.numbers),
            "transaction": self.transaction_id,
            "delivery": self.delivery_id,
            "tries": situation.tries,
            "next": next_attempt,
            "now": now,
        }
        self._connection.execute(sa.text(_RECORD), parameters)

    def _is_ours(self, answer: Answer | None, creditor_system: str) -> bool:
        if answer is not None and answer.transaction_id not in (None, self.transaction_id):
            return False
        query = (
            "SELECT a.action_id, a.claim_id, a.reason, a.reason_text, a.effective_from FROM recall_action AS a, "
            "recall_transaction AS t WHERE t.transaction_id = :transaction AND a.action_id = ANY(t.action_ids)"
        )
        rows = self._connection.execute(sa.text(query), {"transaction": self.transaction_id})
        contents = [ActionContent(*row) for row in rows]
        return payload_hash(self.delivery_id, creditor_system, contents) == self._stored_hash


class RecallOutbox:
    """Deliveries and their transactions."""

    def __init__(self, engine: sa.Engine) -> None:
        self._engine = engine

    def pack(self, terms: Terms, as_of: date, now: datetime) -> int | None:
        """Puts approved recalls into a delivery that is due at once; its id, None where there is nothing to pack.

        Nothing is packed while the channel is stopped.
        """
        with self._engine.begin() as connection:
            if _is_stopped(connection):
                return None
            ids = list(connection.scalars(sa.text(_APPROVED), {"limit": terms.most_actions}))
            if not ids:
                return None
            recalls = recall_rows.locked(connection, ids)
            delivery_id = delivery_id_of(ids)
            _commit_to(connection, terms, delivery_id, list(recalls.values()), as_of, now)
            return delivery_id

    def renew(self, terms: Terms, as_of: date, now: datetime) -> int:
        """Gives due deliveries whose transaction was refused another one; how many. They are then due as before."""
        renewed = 0
        while True:
            with self._engine.begin() as connection:
                due = None if _is_stopped(connection) else _next_due(connection, Outcome.REFUSED, now)
                if due is None:
                    return renewed
                members = recall_rows.locked(connection, _members(connection, due.delivery_id))
                waiting = [one for one in members.values() if one.situation.state is State.RETRY_WAIT]
                if waiting:
                    _commit_to(connection, terms, due.delivery_id, waiting, as_of, now)
                    renewed += 1
                else:
                    _not_due(connection, due.delivery_id)

    @contextmanager
    def next_sending(self, now: datetime) -> Iterator[Sending | None]:
        """Locks the delivery that is due next; None where there is none, or the channel is stopped.

        The lock ends with the block. What is recorded in it is committed then, also when the block raises after it.
        """
        with self._engine.connect() as connection:
            try:
                yield self._locked(connection, now)
            finally:
                connection.commit()

    def due_at(self) -> datetime | None:
        """When the next delivery is due; None where none waits."""
        with self._engine.connect() as connection:
            return connection.scalar(sa.text("SELECT min(next_attempt_at) FROM recall_delivery"))

    def stopped(self) -> str | None:
        """Why the channel is stopped; None while it is open."""
        with self._engine.connect() as connection:
            return connection.scalar(sa.text(_STOPPED), {"system": CHANNEL})

    @staticmethod
    def _locked(connection: sa.Connection, now: datetime) -> Sending | None:
        if _is_stopped(connection):
            return None
        while (due := _next_due(connection, Outcome.UNKNOWN, now)) is not None:
            if connection.scalar(sa.text(_ON_THE_WAY), {"delivery": due.delivery_id}):
                query = sa.text("SELECT content, payload_hash FROM recall_transaction WHERE transaction_id = :id")
                row = connection.execute(query, {"id": due.transaction_id}).one()
                return Sending(connection, due.delivery_id, due.transaction_id, row.content, row.payload_hash)
            _not_due(connection, due.delivery_id)  # statuses came for all of it: it has arrived
            connection.commit()
        return None


def _case(recall: Recall, result: Result) -> Issue:
    text = f"The recall of claim {recall.claim_id} was rejected: {result.note}"
    return Issue("rejected", f"action {recall.action_id}", text, recall.claim_id)


def stop_channel(connection: sa.Connection, why: str, now: datetime) -> None:
    """Nothing more is sent until a person opens the channel again."""
    statement = (
        "INSERT INTO claim_channel (system, stopped_at, why) VALUES (:system, :now, :why) "
        "ON CONFLICT (system) DO UPDATE SET stopped_at = :now, why = :why"
    )
    connection.execute(sa.text(statement), {"system": CHANNEL, "now": now, "why": why})


def _is_stopped(connection: sa.Connection) -> bool:
    return connection.scalar(sa.text(_STOPPED), {"system": CHANNEL}) is not None


def _next_due(connection: sa.Connection, outcome: Outcome, now: datetime) -> sa.Row[Any] | None:
    return connection.execute(sa.text(_DUE), {"now": now, "outcome": outcome.value}).one_or_none()


def _members(connection: sa.Connection, delivery_id: int) -> Sequence[int]:
    return connection.scalars(sa.text(_MEMBERS), {"delivery": delivery_id}).all()


def _not_due(connection: sa.Connection, delivery_id: int) -> None:
    statement = "UPDATE recall_delivery SET next_attempt_at = NULL WHERE delivery_id = :delivery"
    connection.execute(sa.text(statement), {"delivery": delivery_id})


def _under_way(at: Situation) -> Situation:
    """A recall whose transaction was sent again has been sent now."""
    return states.sent(at) if at.state is State.RETRY_WAIT else at


def _commit_to(
    connection: sa.Connection,
    terms: Terms,
    delivery_id: int,
    recalls: Sequence[Recall],
    as_of: date,
    now: datetime,
) -> None:
    """Writes the transaction that carries these recalls, and that they may have been sent."""
    for recall in recalls:
        states.sent(recall.situation)
    contents = [recall.content(as_of) for recall in recalls]
    transaction_id = str(uuid.uuid4())
    parameters = {
        "transaction": transaction_id,
        "delivery": delivery_id,
        "ids": [content.action_id for content in contents],
        "hash": payload_hash(delivery_id, terms.creditor_system, contents),
        "content": terms.compose(transaction_id, delivery_id, contents),
        "as_of": as_of,
        "now": now,
    }
    for statement in (_NEW_TRANSACTION, _NEW_DELIVERY, _PACKED):
        connection.execute(sa.text(statement), parameters)
