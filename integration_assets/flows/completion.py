"""Completes the numbers of one run: remembered outcomes first, then address searches; every hit is verified.

An address is searched once a run, however many customers it has. What the register said is remembered sealed, so that
an unchanged night asks nothing; what the register left unsaid (silence, refusal) is not, and is asked again.
"""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from threading import Lock

from integration_assets.clients.http import CallError, NotAllowedError, PermanentError
from integration_assets.domain.people.completion import (
    Completed,
    CompletionKind,
    CompletionOutcome,
    complete_co,
    complete_main,
    verified,
)
from integration_assets.domain.people.names import folded
from integration_assets.domain.people.numbers import UNKNOWN_SERIAL
from integration_assets.domain.people.parties import AddressKey, Person, SearchResult
from integration_assets.flows.lookups import NOT_ALLOWED, Lookups

NO_ANSWER = "register_unavailable"
NOT_ASKED = "lookup_pending"
_WORKERS = 8
_PERSON_DIGITS = 10


@dataclass(frozen=True)
class Question:
    """One number to complete. `record_key` is the rejection's; `again` asks although an outcome is remembered.

    `other_number` is what is known of the other customer of the row: of the co-customer where the main customer is
    asked for, of the main customer (as far as completed) where the co-customer is. `name` is null for a co-customer.
    """

    record_key: str
    customer_number: str
    birth6: str
    name: str | None
    consumption: AddressKey | None
    billing: AddressKey | None
    again: bool = False
    other_number: str | None = field(default=None, repr=False)


@dataclass(frozen=True)
class Found:
    """How a question ended: a verified number and where it came from, or the reason why there is none."""

    number: str | None = field(repr=False)
    origin: str | None
    reason: str | None


Ask = Callable[[Question], Completed]


class Completion:
    """The completions of one run."""

    def __init__(self, lookups: Lookups) -> None:
        self._lookups = lookups
        self._searches = _Searches(lookups.residents)

    def mains(self, questions: Sequence[Question]) -> dict[str, Found]:
        """The outcome for each main customer, by customer number."""

        def found(question: Question, co_number: str | None) -> Completed:
            return complete_main(
                question.name,
                question.birth6,
                question.consumption,
                question.billing,
                self._searches,
                co_number=co_number,
            )

        def ask(question: Question) -> Completed:
            completed = found(question, question.other_number)
            if completed.outcome.certain or completed.outcome.kind is not CompletionKind.UNIQUE:
                return completed
            # Only now does the co-customer's number in force matter; the searches are not sent again.
            return found(question, self._in_force(question.other_number))

        return self._answers("main", questions, ask)

    def cos(self, questions: Sequence[Question]) -> dict[str, Found]:
        """The outcome for each co-customer, by customer number."""

        def ask(question: Question) -> Completed:
            main = self._in_force(question.other_number)
            return complete_co(question.birth6, main, question.consumption, question.billing, self._searches)

        return self._answers("co", questions, ask)

    def _answers(self, slot: str, questions: Sequence[Question], ask: Ask) -> dict[str, Found]:
        keys = [_memory_key(slot, question) for question in questions]
        remembered = self._lookups.remembered_completions(
            [key for key, question in zip(keys, questions, strict=True) if not question.again]
        )

        def answer(question: Question, key: str) -> Found:
            if key in remembered and not question.again:
                return _recalled(remembered[key])
            return self._asked(question, key, ask)

        with ThreadPoolExecutor(_WORKERS) as pool:
            outcomes = pool.map(answer, questions, keys)
            return {question.customer_number: found for question, found in zip(questions, outcomes, strict=True)}

    def _asked(self, question: Question, key: str, ask: Ask) -> Found:
        if not self._lookups.mandate.may_complete:
            return _without(CompletionKind.NOT_ALLOWED)
        if not self._lookups.asks:
            return Found(None, None, NOT_ASKED)
        try:
            completed = ask(question)
            outcome = self._verified(completed.outcome, question)
        except NotAllowedError:
            return _without(CompletionKind.NOT_ALLOWED)
        except PermanentError:
            return _without(CompletionKind.ERROR)
        except CallError:
            return Found(None, None, NO_ANSWER)
        unique = outcome.kind is CompletionKind.UNIQUE
        found = Found(outcome.number, completed.origin, None) if unique else _without(outcome.kind)
        self._lookups.remember_completion(key, f"{found.reason or ''}|{found.number or ''}|{found.origin or ''}")
        return found

    def _verified(self, outcome: CompletionOutcome, question: Question) -> CompletionOutcome:
        """The outcome as the register's own look-up bears it out. Raises CallError when that got no answer."""
        if outcome.kind is not CompletionKind.UNIQUE or outcome.number is None:
            return outcome
        # Asked anew although an answer may be remembered: she may have changed her name since, as her customer did.
        person = self._person(outcome.number, anew=True)
        return verified(outcome, person, question.birth6, question.name)

    def _in_force(self, number: str | None) -> str | None:
        """The number that is in force for a person whose number is complete; any other number as it is."""
        if number is None or len(number) != _PERSON_DIGITS or number.endswith(UNKNOWN_SERIAL):
            return number
        person = self._person(number)
        return number if person is None else person.number

    def _person(self, number: str, *, anew: bool = False) -> Person | None:
        answered = self._lookups.people([number], refresh=[number] if anew else [])
        if number in answered.unanswered:
            if answered.unanswered[number] == NOT_ALLOWED:
                raise NotAllowedError("The register does not let us look a person up.")
            raise CallError("The look-up of a person got no answer.")
        person = answered.known[number]
        return person if isinstance(person, Person) else None


class _Searches:
    """Address searches of a run, each asked once; a search that failed is asked again.

    Once the register has refused a search as not allowed, no further one is sent.
    """

    def __init__(self, search: Callable[[AddressKey], SearchResult]) -> None:
        self._search = search
        self._lock = Lock()
        self._asking: dict[AddressKey, Lock] = {}
        self._results: dict[AddressKey, SearchResult] = {}
        self._refusal: NotAllowedError | None = None

    def __call__(self, address: AddressKey) -> SearchResult:
        with self._lock:
            asking = self._asking.setdefault(address, Lock())
        with asking:
            if address not in self._results:
                if self._refusal is not None:
                    raise self._refusal
                try:
                    self._results[address] = self._search(address)
                except NotAllowedError as refusal:
                    self._refusal = refusal
                    raise
            return self._results[address]


def _memory_key(slot: str, question: Question) -> str:
    """What an outcome is remembered by: everything that it depends on, and nothing that it does not."""
    return repr(
        (
            slot,
            question.birth6,
            folded(question.name),
            question.consumption,
            question.billing,
            question.other_number,
        )
    )


def _recalled(text: str) -> Found:
    reason, number, origin = text.split("|")
    return Found(number or None, origin or None, reason or None)


def _without(kind: CompletionKind) -> Found:
    reason = "no_match" if kind is CompletionKind.NONE else kind.value
    return Found(None, None, f"completion_{reason}")
