"""Sending recalls: the outbox is emptied towards the debt authority, and each answer is followed."""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Final

from integration_assets.cache.recall_outbox import RecallOutbox, Result, Sending, Terms
from integration_assets.clients.debt_authority import DebtAuthority
from integration_assets.clients.debt_authority_xml import recall_envelope
from integration_assets.clients.http import CallError, NotAllowedError, TransientError, mask
from integration_assets.domain.claims.error_numbers import Policy, described, policy_of_all
from integration_assets.domain.claims.messages import Fault, RecallRequest
from integration_assets.domain.claims.numbering import ActionContent

AWAY_AFTER: Final = 3
"""Deliveries of unknown outcome in a row after which the authority counts as away."""

_WHAT_NEXT: Final = {
    Policy.STOP_CHANNEL: "Nothing more is sent until: integration-assets claims release --channel.",
    Policy.MANUAL_RECONCILE: "Compare with the receipts; it is not sent again.",
    Policy.CLIENT_BUG: "It is a fault of this program; the recall waits for a person.",
    Policy.LOG_AND_MANUAL: "The recall waits for a person.",
    Policy.HOLD_FOR_DMI: "The authority is mending it; release the recall when they say so.",
    Policy.BUSINESS_REJECT: "The recall was refused; the case is the caseworker's.",
    Policy.ALREADY_DELIVERED: "It was delivered before; its status is waited for.",
    Policy.RETRY_SAME_ID: "It may have arrived; the same is sent again.",
    Policy.ONE_RECALL_THEN_MANUAL: "It is called again once.",
    Policy.RETRY_BACKOFF: "It is called again after a pause.",
    Policy.OK: "",
}


@dataclass(frozen=True)
class Means:
    """What sending needs: the outbox, who takes deliveries, for whom they are made, and the clock."""

    outbox: RecallOutbox
    authority: DebtAuthority
    creditor_system: str
    creditor_id: int
    most_actions: int
    clock: Callable[[], datetime]

    @property
    def terms(self) -> Terms:
        """How deliveries are made."""
        return Terms(self.creditor_system, self.most_actions, self._compose)

    def _compose(self, transaction_id: str, delivery_id: int, actions: Sequence[ActionContent]) -> str:
        request = RecallRequest(
            transaction_id, self.clock(), delivery_id, self.creditor_system, self.creditor_id, tuple(actions)
        )
        return recall_envelope(request)


def send_due(means: Means, as_of: date) -> dict[str, int]:
    """Packs all approved recalls and sends all deliveries that are due; counts of deliveries by what became of them.

    Counts: packed, renewed (other transaction id), sent, and each policy in small letters. Ends when nothing is due,
    when the channel is stopped, or when the authority has been away for AWAY_AFTER deliveries in a row: the others
    then wait for the next time, instead of a time-out each.
    """
    counts = Counter({"packed": 0, "renewed": 0, "sent": 0})
    away = 0
    while away < AWAY_AFTER:
        counts["renewed"] += means.outbox.renew(means.terms, as_of, means.clock())
        counts["packed"] += means.outbox.pack(means.terms, as_of, means.clock()) is not None
        policy = send_next(means)
        if policy is None:
            return dict(counts)
        counts["sent"] += 1
        counts[policy.lower()] += 1
        away = away + 1 if policy is Policy.RETRY_SAME_ID else 0
    return dict(counts)


def send_next(means: Means) -> Policy | None:
    """Sends the delivery that is due next; the policy of its answer, None where nothing is due."""
    with means.outbox.next_sending(means.clock()) as sending:
        if sending is None:
            return None
        result = _answered(means.authority, sending)
        return sending.record(result, means.creditor_system, means.clock())


def _answered(authority: DebtAuthority, sending: Sending) -> Result:
    try:
        answer = authority.deliver(sending.content)
    except CallError as error:
        policy = _policy_of(error)
        return Result(policy, note=f"{mask(str(error))} {_WHAT_NEXT[policy]}")
    numbers = tuple(fault.number for fault in answer.faults)
    policy = policy_of_all(numbers)
    if policy is Policy.OK:
        return Result(policy, answer)
    said = "; ".join(_said(fault) for fault in answer.faults)
    return Result(policy, answer, numbers, f"The debt authority answered {said}. {_WHAT_NEXT[policy]}")


def _said(fault: Fault) -> str:
    words = f": {fault.text}" if fault.text else ""
    return f"{fault.number} ({described(fault.number).meaning}{words})"


def _policy_of(error: CallError) -> Policy:
    if isinstance(error, NotAllowedError):
        return Policy.STOP_CHANNEL
    return Policy.RETRY_SAME_ID if isinstance(error, TransientError) else Policy.LOG_AND_MANUAL
