"""What the debt authority says of recalls, taken in: archived, applied, and told to a person where it does not fit.

A message and all that follows from it are committed together. Taken in twice it changes nothing; statuses may come in
any order, while a delivery is under way, or for recalls that nobody here knows.
"""

import hashlib
import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from datetime import date, datetime
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

import sqlalchemy as sa

from integration_assets.cache import recall_rows
from integration_assets.cache.cipher import Cipher
from integration_assets.cache.claim_tables import UNSETTLED
from integration_assets.cache.recall_rows import Change, Issue, Recall
from integration_assets.cache.retrying import retrying
from integration_assets.domain.claims import states
from integration_assets.domain.claims.effects import differences
from integration_assets.domain.claims.messages import (
    RECALL,
    ActionStatus,
    ActionStatusCode,
    ClaimInfo,
    Receipt,
    StatusUpdate,
)
from integration_assets.domain.claims.reasons import Art
from integration_assets.domain.claims.rules import Claim
from integration_assets.domain.claims.states import CLOSED, NotPossible, Situation

_DANISH_TIME = ZoneInfo("Europe/Copenhagen")

_ARCHIVE = """
INSERT INTO claim_message (message_id, source, received_at, content)
SELECT * FROM unnest(CAST(:ids AS text[]), CAST(:sources AS text[]), CAST(:times AS timestamptz[]),
  CAST(:contents AS bytea[])) ON CONFLICT DO NOTHING
"""
_DELIVERIES = "SELECT DISTINCT delivery_id FROM recall_action WHERE action_id = ANY(:ids) AND delivery_id IS NOT NULL"
_SIBLINGS = f"""
SELECT action_id FROM recall_action WHERE delivery_id = ANY(:deliveries) AND {UNSETTLED} AND outcome = 'UNKNOWN'
"""
_FAMILIES = """
SELECT claim_id, main_claim_id, art, type_code, creditor_id, creditor_ref, amount, received_on, state_refund,
  recalled_for FROM claim WHERE main_claim_id = ANY(:mains)
"""
_RECEIPTS = """
INSERT INTO recall_receipt (action_id, claim_id, main_claim_id, art, type_code, creditor_ref, currency, amount,
  effective_from, interest, debtors, processed_on, message_id)
SELECT * FROM json_to_recordset(CAST(:rows AS json)) AS n(action_id bigint, claim_id bigint, main_claim_id bigint,
  art text, type_code text, creditor_ref text, currency text, amount numeric, effective_from date, interest jsonb,
  debtors int, processed_on date, message_id text)
ON CONFLICT DO NOTHING
"""
_RECALLED = """
UPDATE claim AS c SET recalled_for = n.reason, recalled_from = coalesce(n.effective_from, n.processed_on),
  recalled_amount = n.amount, recalled_on = n.processed_on, recalled_by = n.action_id
FROM json_to_recordset(CAST(:rows AS json)) AS n(action_id bigint, claim_id bigint, reason text, amount numeric,
  effective_from date, processed_on date)
WHERE c.claim_id = n.claim_id
"""


class Message(NamedTuple):
    """A message as it arrived: where from, its bytes, and what it says, or why it cannot be read."""

    source: str
    content: bytes
    update: StatusUpdate | None = None
    unreadable: str | None = None

    @property
    def message_id(self) -> str:
        """SHA-256 of the bytes (hex)."""
        return hashlib.sha256(self.content).hexdigest()


class _Told(NamedTuple):
    """A status with the delivery it was told under, and its message."""

    info: ClaimInfo
    status: ActionStatus
    message_id: str


class RecallStatuses:
    """The intake of statuses for a creditor system (SE number)."""

    def __init__(self, engine: sa.Engine, cipher: Cipher, creditor_system: str) -> None:
        self._engine = engine
        self._cipher = cipher
        self._creditor_system = creditor_system

    def take_in(self, messages: Sequence[Message], now: datetime) -> dict[str, int]:
        """Takes messages in, in one transaction; counts of statuses by what became of them.

        Counts: messages, unreadable, statuses, applied, unchanged, orphans, incomplete, contradictions, differences.
        """
        return retrying(lambda: self._take_in(messages, now))

    def _take_in(self, messages: Sequence[Message], now: datetime) -> dict[str, int]:
        with self._engine.begin() as connection:
            ids = [message.message_id for message in messages]
            self._archive(connection, ids, messages, now)
            told = [
                _Told(info, status, message_id)
                for message_id, message in zip(ids, messages, strict=True)
                if message.update is not None
                for info, status in message.update.statuses()
            ]
            intake = _Intake(self._creditor_system)
            intake.apply(told, _locked(connection, told))
            families = _families(connection, intake.carried_out)
            intake.compare(families)
            recall_rows.write(connection, intake.changes(), now)
            _write_receipts(connection, intake.carried_out)
            unreadable = [message for message in messages if message.update is None]
            issues = [_unreadable(message) for message in unreadable] + intake.issues
            recall_rows.note_issues(connection, issues, now)
        return {"messages": len(messages), "unreadable": len(unreadable), "statuses": len(told), **intake.counts}

    def _archive(
        self, connection: sa.Connection, ids: Sequence[str], messages: Sequence[Message], now: datetime
    ) -> None:
        parameters = {
            "ids": list(ids),
            "sources": [message.source for message in messages],
            "times": [now] * len(messages),
            "contents": [self._cipher.seal(message.content) for message in messages],
        }
        connection.execute(sa.text(_ARCHIVE), parameters)


class _CarriedOut(NamedTuple):
    recall: Recall
    status: ActionStatus
    message_id: str
    processed_on: date


class _Intake:
    """Statuses folded into recalls, in the order in which they came; nothing is written here."""

    def __init__(self, creditor_system: str) -> None:
        self._creditor_system = creditor_system
        self._changes: dict[int, Change] = {}
        self.carried_out: list[_CarriedOut] = []
        self.issues: list[Issue] = []
        self.counts: Counter[str] = Counter(
            dict.fromkeys(("applied", "unchanged", "orphans", "incomplete", "contradictions", "differences"), 0)
        )

    def changes(self) -> list[Change]:
        """What is to be written."""
        return list(self._changes.values())

    def apply(self, told: Iterable[_Told], recalls: Mapping[int, Recall]) -> None:
        """Folds the statuses in; recalls of the same transactions have arrived with them."""
        current = {action_id: recall.situation for action_id, recall in recalls.items()}
        arrived: set[int] = set()
        for one in told:
            recall = recalls.get(one.status.action_id)
            stranger = self._stranger(one, recall)
            if recall is None or stranger is not None:
                self._orphan(one, stranger or "Nobody here knows the action.")
                continue
            before = current[recall.action_id]
            try:
                after = self._after(one, before)
            except NotPossible as error:
                self._orphan(one, str(error))
                continue
            current[recall.action_id] = after
            if recall.delivery_id is not None:
                arrived.add(recall.delivery_id)
            if after is not before:
                self._applied(one, recall, after)
        for action_id, recall in recalls.items():
            situation = states.arrived(current[action_id])
            if recall.delivery_id in arrived and situation is not current[action_id]:
                self._changes[action_id] = Change(action_id, situation, True)

    def compare(self, claims: Mapping[int, Claim]) -> None:
        """Tells how receipts differ from what the reasons of their recalls mean."""
        by_main: dict[int, dict[int, Claim]] = {}
        for claim in claims.values():
            by_main.setdefault(claim.main_claim_id, {})[claim.claim_id] = claim
        for one in self.carried_out:
            family = by_main.get(one.recall.main_claim_id, {})
            for sentence in differences(one.recall.reason, one.status, family, one.processed_on):
                self.counts["differences"] += 1
                self._issue("difference", one.status, sentence, one.message_id)

    def _stranger(self, one: _Told, recall: Recall | None) -> str | None:
        status = one.status
        if one.info.creditor_system != self._creditor_system:
            return f"It is told to creditor system {one.info.creditor_system}, which is not ours."
        if status.action_code != RECALL:
            return f"It is about {status.action_code}, not about a recall."
        if recall is not None and recall.claim_id != status.claim_id:
            return f"It names claim {status.claim_id}, but the action recalls claim {recall.claim_id}."
        return None

    def _orphan(self, one: _Told, why: str) -> None:
        self.counts["orphans"] += 1
        text = f"Status {one.status.code} of action {one.status.action_id} was kept and not applied. {why}"
        self._issue("orphan", one.status, text, one.message_id)

    def _after(self, one: _Told, before: Situation) -> Situation:
        """The situation after a status; what does not fit changes nothing and is told."""
        status = one.status
        after = states.reported(before, status.code, status.changed_at)
        if (lack := status.lacks) is not None and after is not before:
            self.counts["incomplete"] += 1
            self._issue("incomplete", status, lack, one.message_id)
            return before
        if after is before or after == before:
            self.counts["unchanged"] += 1
            if status.code.is_final and before.state in CLOSED and before.state.value != status.code.value:
                self.counts["contradictions"] += 1
                text = f"Action {status.action_id} is {before.state}; a later message says {status.code}. It stays."
                self._issue("contradiction", status, text, one.message_id)
            return before
        return after

    def _applied(self, one: _Told, recall: Recall, after: Situation) -> None:
        self.counts["applied"] += 1
        status = one.status
        if status.code is ActionStatusCode.UDFOERT:
            day = status.changed_at.astimezone(_DANISH_TIME).date()
            self.carried_out.append(_CarriedOut(recall, status, one.message_id, day))
        number, note = None, None
        if status.code is ActionStatusCode.AFVIST:
            number = status.rejections[0].number
            note = "; ".join(_rejected(rejection.number, rejection.text) for rejection in status.rejections)
            text = f"The recall of claim {status.claim_id} was rejected: {note}"
            self._issue("rejected", status, text, one.message_id)
        self._changes[recall.action_id] = Change(recall.action_id, after, True, number, note)

    def _issue(self, kind: str, status: ActionStatus, text: str, message_id: str) -> None:
        self.issues.append(Issue(kind, f"action {status.action_id}", text, status.claim_id, message_id))


def _rejected(number: int, text: str | None) -> str:
    return f"{number:03}" + (f" {text}" if text else "")


def _unreadable(message: Message) -> Issue:
    text = f"A message from {message.source.partition(':')[0]} was kept and not applied. {message.unreadable}"
    return Issue("unreadable", f"message {message.message_id[:12]}", text, None, message.message_id)


def _locked(connection: sa.Connection, told: Sequence[_Told]) -> dict[int, Recall]:
    """The recalls that statuses name, with those of the same transactions whose arrival is not known, all locked."""
    ids = {one.status.action_id for one in told}
    if not ids:
        return {}
    deliveries = connection.scalars(sa.text(_DELIVERIES), {"ids": list(ids)}).all()
    if deliveries:
        ids.update(connection.scalars(sa.text(_SIBLINGS), {"deliveries": list(deliveries)}))
    return recall_rows.locked(connection, ids)


def _families(connection: sa.Connection, carried_out: Sequence[_CarriedOut]) -> dict[int, Claim]:
    mains = sorted({one.recall.main_claim_id for one in carried_out})
    if not mains:
        return {}
    rows = connection.execute(sa.text(_FAMILIES), {"mains": mains})
    claims = [Claim(row[0], row[1], Art(row[2]), *row[3:]) for row in rows]
    return {claim.claim_id: claim for claim in claims}


def _write_receipts(connection: sa.Connection, carried_out: Sequence[_CarriedOut]) -> None:
    rows = [_receipt_row(one, receipt) for one in carried_out for receipt in one.status.receipts]
    if rows:
        parameters = {"rows": json.dumps(rows, ensure_ascii=False, default=str)}
        connection.execute(sa.text(_RECEIPTS), parameters)
        connection.execute(sa.text(_RECALLED), parameters)


def _receipt_row(one: _CarriedOut, receipt: Receipt) -> dict[str, Any]:
    interest = [
        {"claim_id": each.claim_id, "type_code": each.type_code, "amount": str(each.amount.value)}
        for each in receipt.interest_claims
    ]
    return {
        "action_id": one.recall.action_id,
        "claim_id": receipt.claim_id,
        "main_claim_id": receipt.main_claim_id,
        "art": receipt.art,
        "type_code": receipt.type_code,
        "creditor_ref": receipt.creditor_ref,
        "currency": receipt.amount.currency,
        "amount": receipt.amount.value,
        "effective_from": receipt.effective_from,
        "interest": interest,
        "debtors": len(receipt.liabilities),
        "processed_on": one.processed_on,
        "message_id": one.message_id,
        "reason": one.recall.reason,
    }
