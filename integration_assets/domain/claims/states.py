"""The life of a recall, as one pure function: what an action is after something happened to it.

PROPOSED → APPROVED → SENT → MODTAGET → (SAGSBEHANDL) → UDFOERT or AFVIST; beside it RETRY_WAIT, HOLD, MANUAL,
CHANNEL_STOPPED, and WITHDRAWN for what people gave up. SENT means that it may have reached the authority: it is
committed before a byte is sent. What the authority says of an action always wins over what became of a call.
"""

from datetime import datetime
from enum import StrEnum
from typing import Final, NamedTuple

from integration_assets.domain.claims.error_numbers import BACKOFF_SECONDS, Policy
from integration_assets.domain.claims.messages import ActionStatusCode


class State(StrEnum):
    """Where a recall is."""

    PROPOSED = "PROPOSED"
    APPROVED = "APPROVED"
    SENT = "SENT"
    MODTAGET = "MODTAGET"
    SAGSBEHANDL = "SAGSBEHANDL"
    UDFOERT = "UDFOERT"
    AFVIST = "AFVIST"
    RETRY_WAIT = "RETRY_WAIT"
    HOLD = "HOLD"
    MANUAL = "MANUAL"
    CHANNEL_STOPPED = "CHANNEL_STOPPED"
    WITHDRAWN = "WITHDRAWN"


CLOSED: Final = frozenset({State.UDFOERT, State.AFVIST, State.WITHDRAWN})
"""States of a recall that no longer stands in the way of another one of the same claim."""

WITH_THE_AUTHORITY: Final = frozenset({State.SENT, State.MODTAGET, State.SAGSBEHANDL})
"""States in which the authority owes a final status."""


class Outcome(StrEnum):
    """What is known of the last transaction that carried an action."""

    NOT_SENT = "NOT_SENT"
    UNKNOWN = "UNKNOWN"
    """It may have arrived: sent again it must be the same transaction."""
    REFUSED = "REFUSED"
    """It was rejected as a whole: sent again it must be another transaction."""
    TO_RECONCILE = "TO_RECONCILE"
    """The authority could not undo its half of it: never sent again."""
    DELIVERED = "DELIVERED"


class Situation(NamedTuple):
    """Where a recall is: its state, failed tries in a row, what is known of its transaction, the time of the last
    status applied (the authority's clock), and the state in which a person put it on hold."""

    state: State = State.PROPOSED
    tries: int = 0
    outcome: Outcome = Outcome.NOT_SENT
    status_at: datetime | None = None
    held_in: State | None = None

    @property
    def is_settled_by_status(self) -> bool:
        """Whether the authority gave its final word."""
        return self.status_at is not None and self.state in (State.UDFOERT, State.AFVIST)


class NotPossible(ValueError):
    """What was asked for does not go with the state of the recall; the text says why."""


def approved(at: Situation) -> Situation:
    """After the last approval that it needs. Raises NotPossible."""
    if at.state is not State.PROPOSED:
        raise NotPossible(f"It is {at.state}; only what is PROPOSED can be approved.")
    return at._replace(state=State.APPROVED)


def withdrawn(at: Situation) -> Situation:
    """After a person gave it up. Raises NotPossible where the authority has it or may have it."""
    if at.state in CLOSED:
        raise NotPossible(f"It is {at.state} already.")
    if at.state in (State.PROPOSED, State.APPROVED) or at.outcome is Outcome.NOT_SENT:
        return at._replace(state=State.WITHDRAWN, held_in=None)
    stands = at.state in (State.HOLD, State.MANUAL, State.CHANNEL_STOPPED)
    if stands and at.outcome in (Outcome.REFUSED, Outcome.TO_RECONCILE):
        return at._replace(state=State.WITHDRAWN)
    if at.outcome is Outcome.UNKNOWN:
        raise NotPossible("It may have reached the authority: release it, which sends the same again, or wait.")
    raise NotPossible(f"It is {at.state}: the authority decides.")


def held(at: Situation) -> Situation:
    """After a person put it on hold. Raises NotPossible once it was sent."""
    if at.state not in (State.PROPOSED, State.APPROVED):
        raise NotPossible(f"It is {at.state}; only what is PROPOSED or APPROVED can be put on hold.")
    return at._replace(state=State.HOLD, held_in=at.state)


def released(at: Situation) -> Situation:
    """After a person let it go on: as it was before the hold, or to be sent again at once. Raises NotPossible."""
    if at.state not in (State.HOLD, State.MANUAL, State.CHANNEL_STOPPED):
        raise NotPossible(f"It is {at.state}; there is nothing to release.")
    if at.held_in is not None:
        return at._replace(state=at.held_in, held_in=None)
    if at.outcome is Outcome.TO_RECONCILE:
        raise NotPossible("Half of it may be done: compare with the receipts, then reject it and propose anew.")
    return at._replace(state=State.RETRY_WAIT, tries=0)


def asked_again(at: Situation) -> Situation:
    """After a person has it sent once more because no final status came: under another transaction id.

    That the authority knows a transaction does not say that it took it: the answer that refused it may have been lost
    on the way, and a refused id is used up. The action keeps its id, by which the authority tells what it has done
    already. Raises NotPossible.
    """
    if at.state not in (State.MODTAGET, State.SAGSBEHANDL):
        raise NotPossible(f"It is {at.state}; only what was received and has no final status is asked for again.")
    return at._replace(state=State.RETRY_WAIT, tries=0, outcome=Outcome.REFUSED)


def sent(at: Situation) -> Situation:
    """Once it is committed for sending: from here on it may have arrived. Raises NotPossible."""
    if at.state not in (State.APPROVED, State.RETRY_WAIT):
        raise NotPossible(f"It is {at.state}; only what is APPROVED or waits for another try is sent.")
    return at._replace(state=State.SENT, outcome=Outcome.UNKNOWN)


def answered(at: Situation, policy: Policy) -> Situation:
    """After the synchronous answer to its transaction, or none. A status that came meanwhile wins."""
    if at.state is not State.SENT:
        return at
    match policy:
        case Policy.OK | Policy.ALREADY_DELIVERED:
            return at._replace(state=State.MODTAGET, tries=0, outcome=Outcome.DELIVERED)
        case Policy.BUSINESS_REJECT:
            # No status says so, whatever was told before it was sent again: the authority's word still counts.
            return at._replace(state=State.AFVIST, outcome=Outcome.REFUSED, status_at=None)
        case Policy.LOG_AND_MANUAL | Policy.CLIENT_BUG:
            return at._replace(state=State.MANUAL, outcome=Outcome.REFUSED)
        case Policy.HOLD_FOR_DMI:
            return at._replace(state=State.HOLD, outcome=Outcome.REFUSED)
        case Policy.STOP_CHANNEL:
            return at._replace(state=State.CHANNEL_STOPPED, outcome=Outcome.REFUSED)
        case Policy.MANUAL_RECONCILE:
            return at._replace(state=State.MANUAL, outcome=Outcome.TO_RECONCILE)
        case Policy.RETRY_BACKOFF:
            return _tried_again(at, Outcome.REFUSED, len(BACKOFF_SECONDS))
        case Policy.ONE_RECALL_THEN_MANUAL:
            return _tried_again(at, Outcome.REFUSED, 1)
        case Policy.RETRY_SAME_ID:
            return _tried_again(at, Outcome.UNKNOWN, len(BACKOFF_SECONDS))


def _tried_again(at: Situation, outcome: Outcome, most: int) -> Situation:
    tries = at.tries + 1
    return at._replace(state=State.RETRY_WAIT if tries <= most else State.MANUAL, tries=tries, outcome=outcome)


def arrived(at: Situation) -> Situation:
    """After a status of another action of the same transaction: that arrived, so this one did too."""
    if at.outcome is not Outcome.UNKNOWN or at.state not in (State.SENT, State.RETRY_WAIT, State.MANUAL):
        return at
    return at._replace(state=State.MODTAGET, tries=0, outcome=Outcome.DELIVERED)


def reported(at: Situation, code: ActionStatusCode, changed_at: datetime) -> Situation:
    """After a status of the authority (one that lacks nothing); itself where it changes nothing.

    The final word counts whenever it comes, and stays; nothing else opens what is closed. Other statuses count when
    they are newer, or as new and further on. So any order of arrival, and any repetition, leads to the same end.
    Raises NotPossible where nothing was sent.
    """
    if at.outcome is Outcome.NOT_SENT:
        raise NotPossible(f"It is {at.state} and was never sent.")
    if at.is_settled_by_status or (at.state in CLOSED and not code.is_final):
        return at
    if not code.is_final and at.status_at is not None:
        known = (at.status_at, _RANK.get(at.state, -1))
        if (changed_at, _RANK[State(code)]) <= known:
            return at
    return at._replace(state=State(code), tries=0, outcome=Outcome.DELIVERED, status_at=changed_at, held_in=None)


_RANK: Final = {State.MODTAGET: 0, State.SAGSBEHANDL: 1}
