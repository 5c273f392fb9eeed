"""The life of a recall against a model that is made another way: from the history of what happened to it.

The model keeps lists of events and answers two questions from them: what the state must be, and what may be done.
"""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from integration_assets.domain.claims import states
from integration_assets.domain.claims.error_numbers import Policy
from integration_assets.domain.claims.messages import ActionStatusCode
from integration_assets.domain.claims.states import NotPossible, Outcome, Situation, State

START = datetime(2025, 11, 3, 9, tzinfo=UTC)
FINAL = ("UDFOERT", "AFVIST")
STOPS = {
    "LOG_AND_MANUAL": "MANUAL",
    "CLIENT_BUG": "MANUAL",
    "MANUAL_RECONCILE": "MANUAL",
    "HOLD_FOR_DMI": "HOLD",
    "STOP_CHANNEL": "CHANNEL_STOPPED",
    "BUSINESS_REJECT": "AFVIST",
}
AGAIN = {"RETRY_BACKOFF": 8, "RETRY_SAME_ID": 8, "ONE_RECALL_THEN_MANUAL": 1}


class History:
    """What happened, and what follows from it."""

    def __init__(self) -> None:
        self.people: list[str] = []
        """What people decided, in order."""
        self.calls: list[str] = []
        """Sendings and their answers since the last release: "sent", or a policy."""
        self.ever_sent = False
        self.told: list[tuple[int, str]] = []
        """Statuses: minute of the authority's clock, code."""

    def transport(self) -> str | None:
        """The state by calls alone, None before the first."""
        if not self.calls:
            return "RETRY_WAIT" if self.ever_sent else None
        last = self.calls[-1]
        if last == "sent":
            return "SENT"
        if last in ("OK", "ALREADY_DELIVERED"):
            return "MODTAGET"
        if last in STOPS:
            return STOPS[last]
        tries = sum(call in AGAIN for call in self.calls)
        return "RETRY_WAIT" if tries <= AGAIN[last] else "MANUAL"

    def state(self) -> str:
        """The state that the recall must have."""
        finals = [code for _, code in self.told if code in FINAL]
        if finals:
            return finals[0]
        if self.told:
            return max(self.told, key=lambda one: (one[0], ("MODTAGET", "SAGSBEHANDL").index(one[1])))[1]
        if self.people and self.people[-1] == "reject":
            return "WITHDRAWN"
        by_calls = self.transport()
        if by_calls is not None:
            return by_calls
        if self.people and self.people[-1] == "hold":
            return "HOLD"
        return "APPROVED" if "approve" in self.people else "PROPOSED"

    def last_answer(self) -> str | None:
        """How the last call ended."""
        return self.calls[-1] if self.calls else None

    def may_be_withdrawn(self) -> bool:
        """Only what the authority neither has nor may have."""
        if self.state() in ("WITHDRAWN", *FINAL):
            return False
        if not self.ever_sent:
            return True
        stopped = not self.told and self.state() in ("HOLD", "MANUAL", "CHANNEL_STOPPED")
        return stopped and self.last_answer() != "RETRY_SAME_ID"

    def may_be_released(self) -> bool:
        """What a person or an answer stopped, unless half of it may be done."""
        stopped = self.state() in ("HOLD", "MANUAL", "CHANNEL_STOPPED") and not self.told
        return stopped and self.last_answer() != "MANUAL_RECONCILE"


class LifeOfARecall(RuleBasedStateMachine):
    """Everything that can happen, in any order."""

    def __init__(self) -> None:
        super().__init__()
        self.at = Situation()
        self.history = History()

    def _does(self, possible: bool, move: object, *arguments: object) -> bool:
        if possible:
            self.at = move(self.at, *arguments)  # type: ignore[operator]
            return True
        with pytest.raises(NotPossible):
            move(self.at, *arguments)  # type: ignore[operator]
        return False

    @rule()
    def approve(self) -> None:
        if self._does(self.history.state() == "PROPOSED", states.approved):
            self.history.people.append("approve")

    @rule()
    def hold(self) -> None:
        if self._does(self.history.state() in ("PROPOSED", "APPROVED"), states.held):
            self.history.people.append("hold")

    @rule()
    def release(self) -> None:
        if self._does(self.history.may_be_released(), states.released):
            if self.history.ever_sent:
                self.history.calls = []
            else:
                self.history.people.pop()

    @rule()
    def withdraw(self) -> None:
        if self._does(self.history.may_be_withdrawn(), states.withdrawn):
            self.history.people.append("reject")

    @rule()
    def send(self) -> None:
        if self._does(self.history.state() in ("APPROVED", "RETRY_WAIT"), states.sent):
            self.history.calls.append("sent")
            self.history.ever_sent = True

    @rule(policy=st.sampled_from(Policy))
    def answer(self, policy: Policy) -> None:
        waiting = self.history.state() == "SENT"
        self.at = states.answered(self.at, policy)
        if waiting:
            self.history.calls[-1] = policy.value

    @rule(code=st.sampled_from(ActionStatusCode), minute=st.integers(0, 5))
    def status(self, code: ActionStatusCode, minute: int) -> None:
        closed = self.history.state() in ("WITHDRAWN", *FINAL)
        if self._does(self.history.ever_sent, states.reported, code, START + timedelta(minutes=minute)):
            first_final = code.is_final and not any(told in FINAL for _, told in self.history.told)
            if first_final or not closed:
                self.history.told.append((minute, code.value))

    @precondition(lambda self: self.history.state() == "RETRY_WAIT" and self.history.last_answer() == "RETRY_SAME_ID")
    @rule()
    def sibling_arrives(self) -> None:
        self.at = states.arrived(self.at)
        self.history.calls[-1] = "OK"

    @invariant()
    def the_state_is_what_the_history_says(self) -> None:
        assert self.at.state == self.history.state()

    @invariant()
    def nothing_is_sent_that_nobody_approved(self) -> None:
        if self.at.outcome is not Outcome.NOT_SENT:
            assert "approve" in self.history.people


LifeOfARecall.TestCase.settings = settings(max_examples=150, stateful_step_count=30, deadline=None)
TestLifeOfARecall = LifeOfARecall.TestCase


@settings(deadline=None)
@given(st.permutations([("MODTAGET", 0), ("SAGSBEHANDL", 1), ("UDFOERT", 2), ("MODTAGET", 0), ("UDFOERT", 2)]))
def test_any_order_and_repetition_of_statuses_ends_alike(told: list[tuple[str, int]]) -> None:
    at = states.sent(states.approved(Situation()))
    for code, minute in told:
        at = states.reported(at, ActionStatusCode(code), START + timedelta(minutes=minute))
    assert (at.state, at.status_at) == (State.UDFOERT, START + timedelta(minutes=2))


@settings(deadline=None)
@given(st.lists(st.tuples(st.integers(0, 2), st.sampled_from(["MODTAGET", "SAGSBEHANDL"])), min_size=1))
def test_of_statuses_that_are_not_final_the_newest_counts_and_of_equals_the_further_one(
    told: list[tuple[int, str]],
) -> None:
    at = states.sent(states.approved(Situation()))
    for minute, code in told:
        at = states.reported(at, ActionStatusCode(code), START + timedelta(minutes=minute))
    minute, code = max(told)  # the two codes are in the order of the alphabet
    assert (at.state, at.status_at) == (State(code), START + timedelta(minutes=minute))


def test_a_final_status_counts_though_its_time_is_older() -> None:
    at = states.sent(states.approved(Situation()))
    at = states.reported(at, ActionStatusCode.SAGSBEHANDL, START)
    assert states.reported(at, ActionStatusCode.AFVIST, START - timedelta(hours=1)).state is State.AFVIST


def test_what_was_refused_goes_under_another_id_and_what_is_unknown_under_the_same() -> None:
    at = states.sent(states.approved(Situation()))
    assert states.answered(at, Policy.RETRY_BACKOFF).outcome is Outcome.REFUSED
    assert states.answered(at, Policy.RETRY_SAME_ID).outcome is Outcome.UNKNOWN


def test_what_counted_as_delivered_is_asked_for_again_under_another_id() -> None:
    at = states.answered(states.sent(states.approved(Situation())), Policy.ALREADY_DELIVERED)
    again = states.asked_again(at)
    assert (again.state, again.outcome, again.tries) == (State.RETRY_WAIT, Outcome.REFUSED, 0)
    # The authority may have had it all the time: its word still counts.
    done = states.reported(states.sent(again), ActionStatusCode.UDFOERT, START)
    for settled in (done, Situation(), states.approved(Situation()), states.sent(states.approved(Situation()))):
        with pytest.raises(NotPossible):
            states.asked_again(settled)


def test_the_final_word_counts_after_a_rejection_that_was_only_an_answer_to_asking_again() -> None:
    received = states.reported(states.sent(states.approved(Situation())), ActionStatusCode.MODTAGET, START)
    rejected = states.answered(states.sent(states.asked_again(received)), Policy.BUSINESS_REJECT)
    assert rejected.state is State.AFVIST
    done = states.reported(rejected, ActionStatusCode.UDFOERT, START + timedelta(hours=1))
    assert done.state is State.UDFOERT
