"""Questions to the person and company registers: asked once, remembered sealed, audited, asked again only when due.

An answer is kept under the keyed hash of what was asked, so that an unchanged night asks nothing and no number is
written down outside the sealed answer itself.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import date
from typing import Protocol

import polars as pl

from integration_assets.cache.register_answers import Lookup, RegisterAnswers
from integration_assets.clients.http import CallError
from integration_assets.domain.identity import ObjectIds
from integration_assets.domain.people.parties import AddressKey, Company, Person, SearchResult
from integration_assets.domain.people.register_rows import NOBODY, from_answer, to_answer

PERSON, COMPANY, SEARCH, COMPLETION = "person", "company", "person_search", "completion"


class RegisterPorts(Protocol):
    """The registers as this module needs them. None says that the register does not know the number."""

    def person(self, number: str) -> Person | None: ...

    def company(self, number: str) -> Company | None: ...

    def residents(self, address: AddressKey) -> SearchResult: ...


Ask = Callable[[RegisterPorts, str], Person | Company | None]


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


@dataclass(frozen=True)
class Confirmed:
    """What the registers say of numbers: those they do not know, and those that could not be asked."""

    unknown: frozenset[str]
    unanswered: frozenset[str]


def register_subjects(ids: ObjectIds, service: str, numbers: pl.Series) -> pl.Series:
    """The keyed hashes, named subject, under which answers to questions about these numbers are kept."""
    return ids.subjects((f"{service}|" + numbers.cast(pl.String)).alias("subject"))


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

    def confirm_people(self, numbers: pl.Series, *, refresh: Collection[str] = ()) -> Confirmed:
        """Whether the person register knows these CPR numbers, each once. `refresh` as in `people`."""
        return self._confirm(PERSON, numbers, refresh, lambda ports, number: ports.person(number))

    def confirm_companies(self, numbers: pl.Series, *, refresh: Collection[str] = ()) -> Confirmed:
        """Whether the company register knows these CVR numbers, as `confirm_people`."""
        return self._confirm(COMPANY, numbers, refresh, lambda ports, number: ports.company(number))

    def residents(self, address: AddressKey) -> SearchResult:
        """Who lives at an address, asked anew each time. Raises CallError; RuntimeError where nothing may be asked."""
        if self._ports is None:
            raise RuntimeError("The registers may not be asked here.")
        result = self._ports.residents(address)
        place = "|".join((address.street_code, address.house_number, address.postcode))
        self._audit(SEARCH, self._subject(SEARCH, place), f"{len(result.hits)} residents")
        return result

    def remembered_completions(self, questions: Sequence[str]) -> dict[str, str]:
        """The outcomes of those completion questions that were asked before: a number, or the kind of failure."""
        subjects = {self._subject(COMPLETION, question): question for question in questions}
        answers = self._answers.get(COMPLETION, subjects.keys())
        return {subjects[subject]: str(answer["outcome"]) for subject, answer in answers.items()}

    def remember_completion(self, question: str, outcome: str) -> None:
        """Keeps the outcome of a completion question (sealed)."""
        self._answers.put(COMPLETION, self._subject(COMPLETION, question), {"outcome": outcome}, self._as_of)

    def _known_or_asked(self, service: str, numbers: Collection[str], refresh: Collection[str], ask: Ask) -> Answered:
        subjects = {number: self._subject(service, number) for number in set(numbers)}
        stored = self._answers.get(service, subjects.values())
        known = {
            number: from_answer(stored[subject])
            for number, subject in subjects.items()
            if subject in stored and number not in refresh
        }
        asked = self._asked(service, sorted(subjects.keys() - known.keys()), ask)
        return Answered({**known, **asked.known}, asked.unanswered)

    def _confirm(self, service: str, numbers: pl.Series, refresh: Collection[str], ask: Ask) -> Confirmed:
        subjects = register_subjects(self._ids, service, numbers)
        kind = pl.col("answer").str.json_path_match("$.kind")
        stored = self._answers.frame(service, subjects.to_list()).select("subject", kind.alias("kind"))
        rows = pl.DataFrame({"number": numbers, "subject": subjects}).join(stored, on="subject", how="left")
        to_ask = pl.col("kind").is_null() | pl.col("number").is_in(list(refresh))
        unknown = rows.filter(~to_ask & (pl.col("kind") == NOBODY)).get_column("number")
        asked = self._asked(service, rows.filter(to_ask).get_column("number").sort().to_list(), ask)
        nobody = (number for number, party in asked.known.items() if party is None)
        return Confirmed(frozenset([*unknown, *nobody]), frozenset(asked.unanswered))

    def _asked(self, service: str, numbers: Sequence[str], ask: Ask) -> Answered:
        """Asks the register for each number, several at once; answers are kept and questions audited as they come."""
        known: dict[str, Person | Company | None] = {}
        unanswered: dict[str, str] = {}
        if self._ports is None:
            return Answered(known, dict.fromkeys(numbers, "The register is not asked in a plan."))
        ports = self._ports

        def ask_one(number: str) -> tuple[str, Person | Company | CallError | None]:
            subject = self._subject(service, number)
            try:
                answer = ask(ports, number)
            except CallError as error:
                self._audit(service, subject, "no answer")
                return number, error
            lookup = self._lookup(service, "found" if answer else "not found")
            self._answers.put(service, subject, to_answer(answer), self._as_of, lookup=lookup)
            return number, answer

        # Kept by the same thread that asked, so that the database makes several answers durable at once.
        with ThreadPoolExecutor(self._workers) as pool:
            for number, answer in pool.map(ask_one, numbers):
                if isinstance(answer, CallError):
                    unanswered[number] = answer.text or str(answer)
                else:
                    known[number] = answer
        return Answered(known, unanswered)

    def _subject(self, service: str, value: str) -> str:
        return self._ids.subject(f"{service}|{value}")

    def _audit(self, service: str, subject: str, outcome: str) -> None:
        lookup = self._lookup(service, outcome)
        if lookup is not None:
            self._answers.audit(service, subject, lookup)

    def _lookup(self, service: str, outcome: str) -> Lookup | None:
        """The record of a question for the audit. None for companies: they are no persons, their numbers are public."""
        if service == COMPANY:
            return None
        return Lookup(self.mandate.purpose, self.mandate.legal_basis or "not stated", outcome, self._run_id)
