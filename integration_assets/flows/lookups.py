"""Questions to the person and company registers: asked once, remembered sealed, audited, asked again only when due.

An answer is kept under the keyed hash of what was asked, so that an unchanged night asks nothing and no number is
written down outside the sealed answer itself.
"""

from collections.abc import Callable, Collection, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import date
from typing import Protocol

from integration_assets.cache.register_answers import RegisterAnswers
from integration_assets.clients.http import CallError
from integration_assets.domain.identity import ObjectIds
from integration_assets.domain.people.parties import AddressKey, Company, Person, SearchResult
from integration_assets.domain.people.register_rows import from_answer, to_answer

PERSON, COMPANY, SEARCH, COMPLETION = "person", "company", "person_search", "completion"


class RegisterPorts(Protocol):
    """The registers as this module needs them. None says that the register does not know the number."""

    def person(self, number: str) -> Person | None: ...

    def company(self, number: str) -> Company | None: ...

    def residents(self, address: AddressKey) -> SearchResult: ...


@dataclass(frozen=True)
class Mandate:
    """In whose name and on what legal basis the person register is asked; goes into the audit of each question."""

    authority: str | None
    legal_basis: str | None
    purpose: str = "keeping customer data true"

    @property
    def may_complete(self) -> bool:
        """Completion of numbers is off until both authority and legal basis are named."""
        return bool(self.authority and self.legal_basis)


@dataclass(frozen=True)
class Answered:
    """Answers by number: `known` holds what the registers said (None: nobody), `unanswered` what could not be asked."""

    known: Mapping[str, Person | Company | None]
    unanswered: Mapping[str, str]


class Lookups:
    """Asks the registers for a run. `ports` None: nothing is asked, only remembered answers count (as in a plan)."""

    def __init__(
        self,
        answers: RegisterAnswers,
        ids: ObjectIds,
        ports: RegisterPorts | None,
        mandate: Mandate,
        *,
        as_of: date,
        run_id: str,
        workers: int = 8,
    ) -> None:
        self.mandate = mandate
        self._answers = answers
        self._ids = ids
        self._ports = ports
        self._as_of = as_of
        self._run_id = run_id
        self._workers = workers

    @property
    def asks(self) -> bool:
        """Whether registers may be asked at all."""
        return self._ports is not None

    def people(self, numbers: Collection[str], *, refresh: Collection[str] = ()) -> Answered:
        """Persons by CPR number. Numbers in `refresh` are asked again although an answer is remembered."""
        return self._known_or_asked(PERSON, numbers, refresh, lambda ports, number: ports.person(number))

    def companies(self, numbers: Collection[str], *, refresh: Collection[str] = ()) -> Answered:
        """Companies by CVR number, as `people`."""
        return self._known_or_asked(COMPANY, numbers, refresh, lambda ports, number: ports.company(number))

    def residents(self, address: AddressKey) -> SearchResult:
        """Who lives at an address, asked anew each time. Raises CallError; RuntimeError where nothing may be asked."""
        if self._ports is None:
            raise RuntimeError("The registers may not be asked here.")
        result = self._ports.residents(address)
        place = "|".join((address.street_code, address.house_number, address.postcode))
        self._audit(SEARCH, self._subject(SEARCH, place), f"{len(result.hits)} residents")
        return result

    def remembered_completion(self, question: str) -> str | None:
        """The outcome of a completion question asked before: a number, or the kind of failure; None if never asked."""
        subject = self._subject(COMPLETION, question)
        answer = self._answers.get(COMPLETION, [subject]).get(subject)
        return None if answer is None else str(answer["outcome"])

    def remember_completion(self, question: str, outcome: str) -> None:
        """Keeps the outcome of a completion question (sealed)."""
        self._answers.put(COMPLETION, self._subject(COMPLETION, question), {"outcome": outcome}, self._as_of)

    def _known_or_asked(
        self,
        service: str,
        numbers: Collection[str],
        refresh: Collection[str],
        ask: Callable[[RegisterPorts, str], Person | Company | None],
    ) -> Answered:
        subjects = {number: self._subject(service, number) for number in set(numbers)}
        stored = self._answers.get(service, subjects.values())
        known: dict[str, Person | Company | None] = {
            number: from_answer(stored[subject])
            for number, subject in subjects.items()
            if subject in stored and number not in refresh
        }
        unanswered: dict[str, str] = {}
        missing = sorted(subjects.keys() - known.keys())
        if self._ports is None:
            return Answered(known, dict.fromkeys(missing, "The register is not asked in a plan."))
        ports = self._ports

        def ask_one(number: str) -> tuple[str, Person | Company | CallError | None]:
            try:
                return number, ask(ports, number)
            except CallError as error:
                return number, error

        with ThreadPoolExecutor(self._workers) as pool:
            for number, answer in pool.map(ask_one, missing):
                if isinstance(answer, CallError):
                    unanswered[number] = answer.text or str(answer)
                    self._audit(service, subjects[number], "no answer")
                    continue
                known[number] = answer
                self._answers.put(service, subjects[number], to_answer(answer), self._as_of)
                self._audit(service, subjects[number], "found" if answer else "not found")
        return Answered(known, unanswered)

    def _subject(self, service: str, value: str) -> str:
        return self._ids.subject(f"{service}|{value}")

    def _audit(self, service: str, subject: str, outcome: str) -> None:
        if service == COMPANY:
            return  # a company is not a person: its number is public
        basis = self.mandate.legal_basis or "not stated"
        self._answers.audit(service, subject, self.mandate.purpose, basis, outcome, self._run_id)
