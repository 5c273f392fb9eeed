"""What the integration asks of person and company registers: five questions, whatever service answers them.

Services come and go (GCTP, SF1520, Datafordeler); these questions stay. Implementations raise the transient and
permanent errors of their client; "nobody of that number" is an answer and no error.
"""

from dataclasses import dataclass, field
from datetime import date
from typing import Protocol

from integration_assets.domain.people.parties import AddressKey, Company, Person, SearchResult


class PersonLookup(Protocol):
    """One person by number."""

    def person(self, number: str) -> Person | None:
        """The person with this CPR number, whose `number` is the one now in force; None: the register knows nobody."""
        ...


class PersonSearch(Protocol):
    """People by address."""

    def residents(self, address: AddressKey) -> SearchResult:
        """Who lives, or has lived, at an address; `complete` is False where the register did not show everybody."""
        ...


class CompanyLookup(Protocol):
    """One company by number."""

    def company(self, number: str) -> Company | None:
        """The legal unit with this CVR number; None where the register knows none."""
        ...


class PersonSubscriptions(Protocol):
    """Whose changes the person register tells us of. Adding twice and removing twice are no errors."""

    def add(self, number: str) -> None:
        """Subscribe to a person."""
        ...

    def remove(self, number: str) -> None:
        """End the subscription to a person."""
        ...

    def subscribed(self) -> frozenset[str]:
        """The numbers of everybody subscribed to."""
        ...


@dataclass(frozen=True)
class PersonEvent:
    """The register tells that something about a person changed: whom to look up again.

    `codes` are the register's event codes (A01 move, A21 death …; none where only data were sent), `produced_on` the
    day of the delivery. `new_number` is set where the number itself was replaced.
    """

    number: str = field(repr=False)
    codes: frozenset[str]
    produced_on: date
    new_number: str | None = field(default=None, repr=False)


@dataclass(frozen=True)
class EventBatch:
    """The events after a cursor.

    `cursor` is what to ask with next time, and kept only once all of this has been worked off. `missing_since` is the
    day of the last delivery before a gap: from then on changes may be unknown, and everybody is to be looked up again.
    `previous_on` is the day of the delivery before this one, as the register tells it: whoever has none to compare with
    (the first delivery ever) may know by it that one was missed. `ended` are numbers whose subscription the register
    has deleted. `more`: further batches wait. `notes` are sentences for the operator about what else was found, without
    personal data.
    """

    events: tuple[PersonEvent, ...]
    cursor: str | None
    missing_since: date | None = None
    ended: tuple[str, ...] = field(default=(), repr=False)
    more: bool = False
    notes: tuple[str, ...] = ()
    previous_on: date | None = None


class PersonEvents(Protocol):
    """The register's deliveries of events, in the order in which they were produced."""

    def since(self, cursor: str | None) -> EventBatch:
        """The next delivery after `cursor` (None: the oldest there is). Without a new one: no events, same cursor."""
        ...
