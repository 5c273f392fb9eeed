"""Completes the numbers of one run: remembered outcomes first, then address searches; every hit is verified."""

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

from integration_assets.clients.http import CallError
from integration_assets.domain.people.completion import (
    ACTIVE_STATUSES,
    BILLING_ADDRESS,
    CONSUMPTION_ADDRESS,
    Completed,
    CompletionKind,
    complete_co,
    complete_main,
)
from integration_assets.domain.people.names import folded
from integration_assets.domain.people.parties import AddressKey, Person
from integration_assets.flows.lookups import Lookups

NO_ANSWER = "register_unavailable"
NOT_ASKED = "lookup_pending"


@dataclass(frozen=True)
class Question:
    """One number to complete. `record_key` is the rejection's; `again` asks although an outcome is remembered."""

    record_key: str
    customer_number: str
    birth6: str
    name: str | None
    consumption: AddressKey | None
    billing: AddressKey | None
    again: bool = False


@dataclass(frozen=True)
class Found:
    """How a question ended: a verified number and where it came from, or the reason why there is none."""

    number: str | None = field(repr=False)
    origin: str | None
    reason: str | None

    def place(self, question: Question) -> AddressKey | None:
        """The address at which the number was found."""
        return {CONSUMPTION_ADDRESS: question.consumption, BILLING_ADDRESS: question.billing}.get(self.origin or "")


def complete_mains(questions: Sequence[Question], lookups: Lookups) -> dict[str, Found]:
    """The outcome for each main customer, by customer number."""

    def one(question: Question) -> Completed:
        return complete_main(question.name, question.birth6, question.consumption, question.billing, lookups.residents)

    return _complete(questions, lookups, "main", one, lambda _: "")


def complete_cos(
    questions: Sequence[Question], lookups: Lookups, mains: Mapping[str, tuple[str, AddressKey | None]]
) -> dict[str, Found]:
    """The outcome for each co-customer, by customer number.

    `mains` has the main customer's number and, where it was completed, the address she was found at.
    """

    def one(question: Question) -> Completed:
        number, found_at = mains.get(question.customer_number, (None, None))
        return complete_co(question.birth6, number, found_at, question.consumption, lookups.residents)

    return _complete(questions, lookups, "co", one, lambda question: str(mains.get(question.customer_number, "")))


def _complete(
    questions: Sequence[Question],
    lookups: Lookups,
    slot: str,
    complete: Callable[[Question], Completed],
    besides: Callable[[Question], str],
) -> dict[str, Found]:
    keys = [
        repr((slot, asked.birth6, folded(asked.name), asked.consumption, asked.billing, besides(asked)))
        for asked in questions
    ]
    remembered = lookups.remembered_completions(
        [key for key, asked in zip(keys, questions, strict=True) if not asked.again]
    )

    def answer(question: Question, key: str) -> Found:
        if key in remembered and not question.again:
            return _recalled(remembered[key])
        if not lookups.mandate.may_complete:
            return Found(None, None, "completion_not_allowed")
        if not lookups.asks:
            return Found(None, None, NOT_ASKED)
        try:
            found = _verified(complete(question), question.birth6, lookups)
        except CallError:
            return Found(None, None, NO_ANSWER)
        lookups.remember_completion(key, f"{found.reason or ''}|{found.number or ''}|{found.origin or ''}")
        return found

    with ThreadPoolExecutor(8) as pool:
        outcomes = pool.map(answer, questions, keys)
        return {question.customer_number: found for question, found in zip(questions, outcomes, strict=True)}


def _recalled(text: str) -> Found:
    reason, number, origin = text.split("|")
    return Found(number or None, origin or None, reason or None)


def _verified(completed: Completed, birth6: str, lookups: Lookups) -> Found:
    """A unique hit counts only when the register itself confirms number, date of birth and an active status.

    Raises CallError when the confirming look-up got no answer.
    """
    outcome = completed.outcome
    if outcome.kind is not CompletionKind.UNIQUE or outcome.number is None:
        reason = "no_match" if outcome.kind is CompletionKind.NONE else outcome.kind.value
        return Found(None, None, f"completion_{reason}")
    answered = lookups.people([outcome.number])
    if outcome.number in answered.unanswered:
        raise CallError("The confirming look-up of a completed number got no answer.")
    person = answered.known[outcome.number]
    confirmed = (
        isinstance(person, Person) and person.number[:6] == birth6 and (person.status.zfill(2) in ACTIVE_STATUSES)
    )
    if not confirmed:
        return Found(None, None, "completion_no_match")
    return Found(outcome.number, completed.origin, None)
