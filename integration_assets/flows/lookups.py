"""Questions to the person and company registers: asked once, remembered sealed, audited, asked again only when due.

An answer is kept under the keyed hash of what was asked, so that an unchanged night asks nothing and no number is
written down outside the sealed answer itself. A person whose number was replaced keeps the hash of the number that she
was known by first: her answers, and her object, stay hers.
"""

import threading
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from datetime import date
from types import MappingProxyType
from typing import Protocol

import polars as pl

from integration_assets.cache.register_answers import Alias, Lookup, RegisterAnswers, aliased
from integration_assets.clients.http import CallError, NotAllowedError, TransientError
from integration_assets.domain.identity import ObjectIds
from integration_assets.domain.people.parties import AddressKey, Company, Person, SearchResult
from integration_assets.domain.people.ports import CompanyLookup, PersonLookup, PersonSearch
from integration_assets.domain.people.register_rows import NOBODY, from_answer, to_answer

NOT_ALLOWED = "not_allowed"
PERSON, COMPANY, SEARCH, COMPLETION = "person", "company", "person_search", "completion"


class RegisterPorts(PersonLookup, PersonSearch, CompanyLookup, Protocol):
    """The registers as this module needs them."""


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
    """Answers by number: `known` holds what the registers said (None: nobody), `unanswered` what could not be asked
    and why: NOT_ALLOWED or a sentence."""

    known: Mapping[str, Person | Company | None]
    unanswered: Mapping[str, str]


@dataclass(frozen=True)
class Confirmed:
    """What the registers say of numbers: those they do not know, and those that could not be asked."""

    unknown: frozenset[str]
    unanswered: frozenset[str]


NO_ALIASES: Mapping[str, Alias] = MappingProxyType({})
NO_MARKS: Mapping[str, int] = MappingProxyType({})


def register_subjects(
    ids: ObjectIds, service: str, numbers: pl.Series, aliases: Mapping[str, Alias] = NO_ALIASES
) -> pl.Series:
    """The keyed hashes, named subject, under which answers to questions about these numbers are kept."""
    subjects = ids.subjects((f"{service}|" + numbers.cast(pl.String)).alias("subject"))
    return aliased(subjects, aliases)


def person_ids(ids: ObjectIds, numbers: pl.Series, aliases: Mapping[str, Alias]) -> pl.Series:
    """The uuids of persons by their CPR numbers, in their order: of one whose number was replaced, her first one."""
    own = ids.series("person", numbers)
    if not aliases:
        return own
    subjects = ids.subjects(f"{PERSON}|" + numbers.cast(pl.String))
    known = subjects.replace_strict(
        {subject: alias.party_id for subject, alias in aliases.items()}, default=None, return_dtype=pl.String
    )
    return pl.select(pl.coalesce(pl.lit(known), pl.lit(own))).to_series()


class _Pace:
    """Lets callers through one after the other, at most so many a second. Safe for use by several threads."""

    def __init__(self, calls_per_second: float | None) -> None:
        self._gap_s = 1 / calls_per_second if calls_per_second else 0.0
        self._next = 0.0
        self._lock = threading.Lock()

    def wait(self) -> None:
        """Returns when it is the caller's turn."""
        if not self._gap_s:
            return
        with self._lock:
            now = time.monotonic()
            turn = max(now, self._next)
            self._next = turn + self._gap_s
        time.sleep(turn - now)


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
        self._aliases: Mapping[str, Alias] | None = None

    @property
    def aliases(self) -> Mapping[str, Alias]:
        """Numbers that were replaced, by subject."""
        if self._aliases is None:
            self._aliases = self._answers.aliases()
        return self._aliases

    @property
    def asks(self) -> bool:
        """Whether registers may be asked at all."""
        return self._ports is not None

    def people(self, numbers: Collection[str], *, refresh: Collection[str] = ()) -> Answered:
        """Persons by CPR number. Numbers in `refresh` are asked again although an answer is remembered."""
        return self._known_or_asked(PERSON, numbers, refresh, _ask_person)

    def confirm_people(self, numbers: pl.Series, *, refresh: Collection[str] = ()) -> Confirmed:
        """Whether the person register knows these CPR numbers, each once. `refresh` as in `people`."""
        return self._confirm(PERSON, numbers, refresh, _ask_person)

    def confirm_companies(self, numbers: pl.Series, *, refresh: Collection[str] = ()) -> Confirmed:
        """Whether the company register knows these CVR numbers, as `confirm_people`."""
        return self._confirm(COMPANY, numbers, refresh, _ask_company)

    def refresh(
        self, service: str, marks: Mapping[str, int], *, calls_per_second: float | None = None
    ) -> frozenset[str]:
        """Asks about persons or companies again, whatever is remembered of them, and keeps what they are now.

        `marks` has the mark of each number that is asked for (`Following.checks`). At most so many calls a second. A
        call that fails leaves what is remembered, and the mark: the numbers of those that failed are returned.
        """
        ask: Ask = _ask_person if service == PERSON else _ask_company
        return frozenset(self._asked(service, sorted(marks), ask, _Pace(calls_per_second), marks).unanswered)

    def residents(self, address: AddressKey) -> SearchResult:
        """Who lives at an address, asked anew each time. Raises CallError; RuntimeError where nothing may be asked."""
        if self._ports is None:
            raise RuntimeError("The registers may not be asked here.")
        subject = self._subject(SEARCH, "|".join((address.street_code, address.house_number, address.postcode)))
        try:
            result = self._ports.residents(address)
        except CallError:
            self._audit(SEARCH, subject, "no answer")
            raise
        self._audit(SEARCH, subject, f"{len(result.hits)} residents")
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
        subjects = register_subjects(self._ids, service, numbers, self.aliases)
        kind = pl.col("answer").str.json_path_match("$.kind")
        stored = self._answers.frame(service, subjects.to_list()).select("subject", kind.alias("kind"))
        rows = pl.DataFrame({"number": numbers, "subject": subjects}).join(stored, on="subject", how="left")
        to_ask = pl.col("kind").is_null() | pl.col("number").is_in(list(refresh))
        unknown = rows.filter(~to_ask & (pl.col("kind") == NOBODY)).get_column("number")
        asked = self._asked(service, rows.filter(to_ask).get_column("number").sort().to_list(), ask)
        nobody = (number for number, party in asked.known.items() if party is None)
        return Confirmed(frozenset([*unknown, *nobody]), frozenset(asked.unanswered))

    def _asked(
        self,
        service: str,
        numbers: Sequence[str],
        ask: Ask,
        pace: _Pace | None = None,
        marks: Mapping[str, int] = NO_MARKS,
    ) -> Answered:
        """Asks the register for each number, several at once; answers are kept and questions audited as they come."""
        known: dict[str, Person | Company | None] = {}
        unanswered: dict[str, str] = {}
        if self._ports is None:
            return Answered(known, dict.fromkeys(numbers, "The register is not asked in a plan."))
        ports = self._ports

        refused: list[NotAllowedError] = []

        def ask_one(number: str) -> tuple[str, Person | Company | CallError | None]:
            if refused:  # whatever else is asked fails in the same way
                return number, refused[0]
            subject = self._subject(service, number)
            if pace is not None:
                pace.wait()
            try:
                answer = ask(ports, number)
            except CallError as error:
                self._audit(service, subject, "no answer")
                if isinstance(error, NotAllowedError):
                    refused.append(error)
                return number, error
            lookup = self._lookup(service, "found" if answer else "not found")
            self._answers.succeed(
                service, subject, to_answer(answer), self._as_of, mark=marks.get(number), lookup=lookup
            )
            if isinstance(answer, Person) and answer.number != number:
                self._audit(service, subject, "found by the number in force")
                self._join_numbers(number, answer.number)
            return number, answer

        # Kept by the same thread that asked, so that the database makes several answers durable at once.
        with ThreadPoolExecutor(self._workers) as pool:
            for number, answer in pool.map(ask_one, numbers):
                if isinstance(answer, CallError):
                    unanswered[number] = NOT_ALLOWED if isinstance(answer, NotAllowedError) else str(answer)
                else:
                    known[number] = answer
        return Answered(known, unanswered)

    def _join_numbers(self, old: str, new: str) -> None:
        """Remembers that both numbers are one person's, for all look-ups to come."""
        one, other = (
            Alias(self._ids.subject(f"{PERSON}|{each}"), str(self._ids.of("person", each))) for each in (old, new)
        )
        answered = self._answers.get(PERSON, [other.known_as]).get(other.known_as, {"kind": NOBODY})
        self._answers.join_numbers(one, other, new_is_known=answered["kind"] != NOBODY)
        self._aliases = None

    def _subject(self, service: str, value: str) -> str:
        subject = self._ids.subject(f"{service}|{value}")
        alias = self.aliases.get(subject) if service == PERSON else None
        return subject if alias is None else alias.known_as

    def _audit(self, service: str, subject: str, outcome: str) -> None:
        lookup = self._lookup(service, outcome)
        if lookup is not None:
            self._answers.audit(service, subject, lookup)

    def _lookup(self, service: str, outcome: str) -> Lookup | None:
        """The record of a question for the audit. None for companies: they are no persons, their numbers are public."""
        if service == COMPANY:
            return None
        return Lookup(self.mandate.purpose, self.mandate.legal_basis or "not stated", outcome, self._run_id)


_LONGEST_CHAIN = 3
"""A number may have been replaced more than once."""


def _ask_person(ports: RegisterPorts, number: str) -> Person | None:
    """The person; one whose number was replaced as the register knows her under the number in force.

    Under the former number the register tells little more than which one replaced it. Raises TransientError where it
    does not know the number in force: one of its copies is behind the other.
    """
    person = ports.person(number)
    asked, since = number, None
    for _ in range(_LONGEST_CHAIN):
        if person is None or person.number == asked:
            return person if person is None or since is None else replace(person, number_from=since)
        asked, since = person.number, person.status_from
        person = ports.person(asked)
        if person is None:
            break
    raise TransientError("The person register names another number for a person and does not know that one yet.")


def _ask_company(ports: RegisterPorts, number: str) -> Company | None:
    return ports.company(number)
