"""Recalls before and beside sending: proposed, and decided on by people."""

import unicodedata
from collections.abc import Mapping, Sequence
from datetime import date, datetime
from enum import StrEnum
from typing import Any, NamedTuple

import sqlalchemy as sa

from integration_assets.cache import recall_rows
from integration_assets.cache.claim_tables import AWAITED, OPEN, UNSETTLED
from integration_assets.cache.recall_lists import RecallLists
from integration_assets.cache.recall_outbox import CHANNEL
from integration_assets.cache.recall_rows import Change, Recall
from integration_assets.cache.retrying import retrying
from integration_assets.domain.claims import states
from integration_assets.domain.claims.numbering import action_id_of
from integration_assets.domain.claims.reasons import REASONS, Art
from integration_assets.domain.claims.rules import Asked, Claim, Refused, refused
from integration_assets.domain.claims.states import NotPossible, Situation, State
from integration_assets.domain.people.numbers import masked_numbers

_FAMILIES = """
SELECT claim_id, main_claim_id, art, type_code, creditor_id, creditor_ref, amount, received_on, state_refund,
  recalled_for FROM claim
WHERE main_claim_id IN (SELECT main_claim_id FROM claim WHERE claim_id = ANY(:ids)) ORDER BY claim_id FOR UPDATE
"""
_PENDING = f"SELECT claim_id, main_claim_id, action_id FROM recall_action WHERE main_claim_id = ANY(:mains) AND {OPEN}"
_EARLIER = "SELECT claim_id, reason, count(*) FROM recall_action WHERE claim_id = ANY(:ids) GROUP BY claim_id, reason"
_ORIGINS = "SELECT claim_id, origin, action_id FROM recall_action WHERE claim_id = ANY(:ids) AND origin = ANY(:origins)"
_PROPOSE = """
INSERT INTO recall_action
  (action_id, claim_id, main_claim_id, reason, reason_text, effective_from, origin, why, proposed_by, proposed_at,
   changed_at)
VALUES (:action_id, :claim_id, :main_claim_id, :reason, :reason_text, :effective_from, :origin, :why, :by, :now, :now)
"""
_DECIDED = """
INSERT INTO recall_decision (action_id, decision, decided_by, decided_at, note)
SELECT unnest(CAST(:ids AS bigint[])), :decision, :by, :now, :note
"""
_APPROVERS = """
SELECT action_id, decided_by FROM recall_decision WHERE action_id = ANY(:ids) AND decision = 'approve'
"""
_TOGETHER = """
SELECT action_id FROM recall_action WHERE {condition} AND delivery_id IN
  (SELECT delivery_id FROM recall_action WHERE action_id = ANY(:ids) AND delivery_id IS NOT NULL)
"""
_SEND_AGAIN = """
UPDATE recall_delivery SET tries = 0, next_attempt_at = :now,
  outcome = CASE outcome WHEN 'DELIVERED' THEN 'REFUSED' ELSE outcome END
WHERE delivery_id = ANY(:deliveries)
"""
"""What counted as delivered and is sent all the same gets another transaction, as what was refused does."""


class Decision(StrEnum):
    """What people decide about a recall."""

    APPROVE = "approve"
    REJECT = "reject"
    HOLD = "hold"
    RELEASE = "release"
    ASK_AGAIN = "ask_again"


class Wish(NamedTuple):
    """A recall that is to be proposed: the request, why, and what asks for it (None: a person)."""

    asked: Asked
    why: str
    origin: str | None = None
    reason_text: str | None = None


class Proposed(NamedTuple):
    """What became of a wish: a new action, the action that its origin led to before, or a refusal."""

    wish: Wish
    action_id: int | None = None
    is_new: bool = False
    refusal: Refused | None = None


class Decided(NamedTuple):
    """What became of one decision: the state it led to, or why it was not possible."""

    action_id: int
    state: State | None
    sentence: str = ""


class Recalls(RecallLists):
    """Proposals and decisions. `two_approvers`: a recall that nothing brings back needs two different people."""

    def __init__(self, engine: sa.Engine, *, two_approvers: bool = False) -> None:
        super().__init__(engine)
        self._two_approvers = two_approvers

    def propose(self, wishes: Sequence[Wish], creditor_id: int, as_of: date, by: str, now: datetime) -> list[Proposed]:
        """Proposes the recalls that the rules allow; the others come back refused. One transaction."""
        if not wishes:
            return []
        return retrying(lambda: self._propose(wishes, creditor_id, as_of, by, now))

    def decide(
        self, decision: Decision, action_ids: Sequence[int], by: str, now: datetime, note: str | None = None
    ) -> list[Decided]:
        """Records who decided what and moves the recalls on; each by itself, what is not possible says why.

        A release, and asking again, take along what was sent in the same delivery and stands in the same state.
        """
        return retrying(lambda: self._decide(decision, action_ids, by, now, note))

    def open_channel(self, by: str, now: datetime) -> list[Decided]:
        """Lets deliveries go on after the channel was stopped; releases what waited for it."""
        with self._engine.begin() as connection:
            statement = "UPDATE claim_channel SET stopped_at = NULL, why = NULL WHERE system = :system"
            connection.execute(sa.text(statement), {"system": CHANNEL})
            query = f"SELECT action_id FROM recall_action WHERE {UNSETTLED} AND state = 'CHANNEL_STOPPED'"
            stopped = connection.scalars(sa.text(query)).all()
        return self.decide(Decision.RELEASE, list(stopped), by, now, "channel opened") if stopped else []

    def _propose(self, wishes: Sequence[Wish], creditor_id: int, as_of: date, by: str, now: datetime) -> list[Proposed]:
        ids = sorted({wish.asked.claim_id for wish in wishes})
        with self._engine.begin() as connection:
            claims = {
                row[0]: Claim(row[0], row[1], Art(row[2]), *row[3:])
                for row in connection.execute(sa.text(_FAMILIES), {"ids": ids})
            }
            book = _Book.read(connection, ids, sorted({claim.main_claim_id for claim in claims.values()}), wishes)
            done: list[Proposed] = []
            rows: list[dict[str, Any]] = []
            for wish in wishes:
                known = book.origins.get((wish.asked.claim_id, wish.origin or ""))
                if known is not None:
                    done.append(Proposed(wish, known))
                    continue
                claim = claims.get(wish.asked.claim_id)
                refusal = refused(wish.asked, claim, book.pending_of(claim), creditor_id, as_of)
                if refusal is not None or claim is None:
                    done.append(Proposed(wish, refusal=refusal))
                    continue
                action_id = book.enter(claim, wish)
                rows.append(_row(action_id, claim, wish, by, now))
                done.append(Proposed(wish, action_id, True))
            if rows:
                connection.execute(sa.text(_PROPOSE), rows)
        return done

    def _decide(
        self, decision: Decision, action_ids: Sequence[int], by: str, now: datetime, note: str | None
    ) -> list[Decided]:
        with self._engine.begin() as connection:
            ids = set(action_ids)
            together = {Decision.RELEASE: UNSETTLED, Decision.ASK_AGAIN: AWAITED}.get(decision)
            if together is not None:
                query = sa.text(_TOGETHER.format(condition=together))
                ids.update(connection.scalars(query, {"ids": list(action_ids)}))
            recalls = recall_rows.locked(connection, ids)
            wanted = {recalls[number].situation for number in action_ids if number in recalls}
            approvers = _approvers(connection, action_ids) if decision is Decision.APPROVE else {}
            done: list[Decided] = [
                Decided(number, None, "There is no such action.") for number in action_ids if number not in recalls
            ]
            changes: list[Change] = []
            counted: list[int] = []
            for number, recall in recalls.items():
                if number not in action_ids and recall.situation not in wanted:
                    continue
                try:
                    situation, sentence = self._moved(decision, recall, approvers.get(number, set()), by)
                except NotPossible as error:
                    done.append(Decided(number, None, str(error)))
                    continue
                changes.append(Change(number, situation))
                counted.append(number)
                done.append(Decided(number, situation.state, sentence))
            recall_rows.write(connection, changes, now)
            if counted:
                remark = note and masked_numbers(note)
                told = {"ids": counted, "decision": decision.value, "by": by, "now": now, "note": remark}
                connection.execute(sa.text(_DECIDED), told)
            again = {recalls[one.action_id].delivery_id for one in changes if one.situation.state is State.RETRY_WAIT}
            if again:
                connection.execute(sa.text(_SEND_AGAIN), {"deliveries": sorted(filter(None, again)), "now": now})
        return done

    def _moved(self, decision: Decision, recall: Recall, approvers: set[str], by: str) -> tuple[Situation, str]:
        match decision:
            case Decision.REJECT:
                return states.withdrawn(recall.situation), ""
            case Decision.HOLD:
                return states.held(recall.situation), ""
            case Decision.RELEASE:
                return states.released(recall.situation), ""
            case Decision.ASK_AGAIN:
                return states.asked_again(recall.situation), ""
            case Decision.APPROVE:
                after = states.approved(recall.situation)
                if _person(by) in approvers:
                    raise NotPossible(f"{by} has approved it already; another person must approve it too.")
                if self._two_approvers and REASONS[recall.reason].is_irreversible and not approvers:
                    return recall.situation, "One approval is recorded; another person must approve it too."
                return after, ""


class _Book:
    """What is open and what there was, kept up while wishes of one transaction are gone through."""

    def __init__(
        self,
        pending: list[tuple[int, int, int]],
        earlier: dict[tuple[int, str], int],
        origins: dict[tuple[int, str], int],
    ) -> None:
        self._pending = pending
        self._earlier = earlier
        self.origins = origins

    @classmethod
    def read(
        cls, connection: sa.Connection, ids: Sequence[int], mains: Sequence[int], wishes: Sequence[Wish]
    ) -> "_Book":
        """Of claims, their main claims, and what the wishes come from."""
        origins = sorted({wish.origin for wish in wishes if wish.origin})
        pending = connection.execute(sa.text(_PENDING), {"mains": list(mains)})
        earlier = connection.execute(sa.text(_EARLIER), {"ids": list(ids)})
        known = connection.execute(sa.text(_ORIGINS), {"ids": list(ids), "origins": origins})
        return cls(
            [(claim, main, action) for claim, main, action in pending],
            {(claim, reason): number for claim, reason, number in earlier},
            {(claim, origin): action for claim, origin, action in known},
        )

    def pending_of(self, claim: Claim | None) -> Mapping[int, int]:
        """Open actions by claim: of a main claim and its sub-claims, of a sub-claim and its main claim."""
        if claim is None:
            return {}
        return {
            number: action
            for number, main, action in self._pending
            if main == claim.main_claim_id and (claim.is_main or number in (claim.claim_id, claim.main_claim_id))
        }

    def enter(self, claim: Claim, wish: Wish) -> int:
        """The id of the new action, which is open from now on."""
        ordinal = self._earlier.get((claim.claim_id, wish.asked.reason), 0)
        self._earlier[claim.claim_id, wish.asked.reason] = ordinal + 1
        action_id = action_id_of(claim.claim_id, wish.asked.reason, ordinal)
        self._pending.append((claim.claim_id, claim.main_claim_id, action_id))
        if wish.origin:
            self.origins[claim.claim_id, wish.origin] = action_id
        return action_id


def _row(action_id: int, claim: Claim, wish: Wish, by: str, now: datetime) -> dict[str, Any]:
    return {
        "action_id": action_id,
        "claim_id": claim.claim_id,
        "main_claim_id": claim.main_claim_id,
        "reason": wish.asked.reason,
        "reason_text": wish.reason_text,
        "effective_from": wish.asked.effective_from,
        "origin": wish.origin,
        "why": wish.why,
        "by": by,
        "now": now,
    }


def _approvers(connection: sa.Connection, action_ids: Sequence[int]) -> dict[int, set[str]]:
    found: dict[int, set[str]] = {}
    for action_id, by in connection.execute(sa.text(_APPROVERS), {"ids": list(action_ids)}):
        found.setdefault(action_id, set()).add(_person(by))
    return found


def _person(name: str) -> str:
    """A name as people are told apart by it: its letters and digits, so that no other spelling is another person."""
    folded = unicodedata.normalize("NFKC", name).casefold()
    return "".join(character for character in folded if character.isalnum()) or folded
