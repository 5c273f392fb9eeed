"""What is needed to play one day: who is suitable for an event, who has had one today, and what was touched."""

import string
from collections import Counter, defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final

from integration_assets.sandbox.register_changes import changes_of
from integration_assets.sandbox.store import Store
from integration_assets.sandbox.town_builder import Builder
from integration_assets.sandbox.town_homes import Home, find
from integration_assets.sandbox.town_model import Customer, Installation, Place, Town
from integration_assets.sandbox.town_rules import installations_by_place, replaced_numbers

Json = dict[str, Any]

_SHARE: Final = 0.0005
_COMPANY_DIGITS: Final = 8
_PERSON_DIGITS: Final = 10


@dataclass(frozen=True)
class Event:
    """Something that happens on a day: to a suitable row (`fits`), or out of nothing (`fits` None: an arrival).

    `act` does it. For an arrival the row given to `act` is None and it returns the new row.
    """

    act: "Callable[[Diary, Any], Customer | None]"
    fits: "Callable[[Diary, Customer], bool] | None" = None


class Diary:
    """One day being played. A row has at most one event a day.

    `persons` and `companies` are the registers' records that today's events changed or made, by number; `notices` what
    the person register tells of them; `renumbered` the new number by each personal number that changed today.
    """

    def __init__(self, store: Store, town: Town, builder: Builder, today: str) -> None:
        self.store = store
        self.town = town
        self.builder = builder
        self.draw = builder.draw
        self.today = today
        self.touched: set[tuple[str, int]] = set()
        self.persons: dict[str, Json] = {}
        self.companies: dict[str, Json] = {}
        self.notices: list[Json] = []
        self.renumbered: dict[str, str] = {}
        self._customers: dict[int, list[str]] = defaultdict(list)
        self._installations: dict[int, list[str]] = defaultdict(list)
        self._event = ""
        self._placed = installations_by_place(town)
        self._order = sorted(town.customers)
        self.draw.shuffle(self._order)
        self._naming: dict[str, list[Customer]] = defaultdict(list)
        for row in town.customers.values():
            for party in filter(None, (row.party, row.co)):
                self._naming[party].append(row)
        self._at_place = Counter(row.place for row in town.customers.values())

    def play(self, name: str, event: Event) -> None:
        """Let an event happen as often as the size of the town asks for, as far as there are suitable rows."""
        self._event = name
        wanted = max(1, round(self.town.meta["size"] * _SHARE))
        if event.fits is None:
            for _ in range(wanted):
                row = event.act(self, None)
                if row is not None:
                    self.touch(row)
            return
        for number in self._order:
            row = self.town.customers[number]
            if number in self._customers or not event.fits(self, row):
                continue
            event.act(self, row)
            self.touch(row)
            wanted -= 1
            if wanted == 0:
                return

    def note(self, name: str, rows: list[Customer]) -> None:
        """Note an event that nobody played, such as the calendar's."""
        self._event = name
        for row in rows:
            self.touch(row)

    def touch(self, row: Customer) -> None:
        """Note that today's event changed or made this row."""
        self._customers[row.number].append(self._event)
        self.touched.add(("customers", row.number))

    def touch_place(self, place: Place) -> None:
        """Note that a place was changed or made, with the installations that stand there."""
        self.touched.add(("places", place.id))

    def touch_installation(self, installation: Installation) -> None:
        """Note that an installation was changed or made."""
        self._installations[installation.number].append(self._event)
        self.touched.add(("installations", installation.number))

    def report(self) -> Json:
        """Customer and installation numbers touched, each with its events."""
        return {
            "customers": {str(number): events for number, events in sorted(self._customers.items())},
            "installations": {str(number): events for number, events in sorted(self._installations.items())},
        }

    def spare_home(self, postcode: str | None = None) -> Home | None:
        """A home that nobody uses, in a postal code if one is given; None when there is none left."""
        spare: list[str] = self.town.meta["spare"]
        for position, unit in enumerate(spare):
            home = self.home(unit)
            if postcode is None or home.postcode == postcode:
                del spare[position]
                return home
        return None

    def home(self, unit: str) -> Home:
        """The home of a unit address."""
        return find(self.store.load("register:unit"), self.store.load("register:access"), unit)

    def residents(self, unit: str) -> list[Json]:
        """Persons registered at a unit address, by number."""
        return self._residents.get(unit, [])

    @cached_property
    def _residents(self) -> dict[str, list[Json]]:
        """Persons by the unit address they are registered at, as it was in the morning."""
        persons: dict[str, Json] = self.store.load("register:person")
        grouped: dict[str, list[Json]] = defaultdict(list)
        for _, person in sorted(persons.items()):
            if person["address"]:
                grouped[person["address"]["unit_id"]].append(person)
        return grouped

    def rows_of(self, party: str) -> list[Customer]:
        """Rows that named a party in the morning, as main or as co-customer."""
        return self._naming.get(party, [])

    def is_free(self, party: str) -> bool:
        """Whether no row of the party has had an event today."""
        return all(row.number not in self._customers for row in self.rows_of(party))

    def registered(self, number: str) -> Json:
        """The register's record of a party as it stands now."""
        if len(number) == _COMPANY_DIGITS:
            company: Json = self.companies.get(number) or self.store.load("register:company")[number]
            return company
        person: Json = self.persons.get(number) or self.store.load("register:person")[number]
        return person

    def amend(self, row: Customer, number: str, **changes: Any) -> None:
        """Let the register change its record of a party of a row; the event is noted at the party's other rows too."""
        before = self.registered(number)
        after = {**before, **changes}
        (self.companies if len(number) == _COMPANY_DIGITS else self.persons)[number] = after
        self.town.register_changes.setdefault(number, []).extend(changes_of(before, after))
        self.touch_others(row, number)

    def touch_others(self, row: Customer, number: str) -> None:
        """Note that today's event concerns the other rows of a party of this row."""
        for other in self.rows_of(number):
            if other is not row:
                self.touch(other)

    @cached_property
    def replaced(self) -> dict[str, str]:
        """The personal number in force by each number that was changed before today."""
        return replaced_numbers(self.store.load("register:person"))

    @cached_property
    def incomplete(self) -> dict[tuple[str, ...], list[Customer]]:
        """Rows with a personal number that is not complete, by the houses (see `house`) of their place and bills."""
        watching: dict[tuple[str, ...], list[Customer]] = defaultdict(list)
        for row in self.town.customers.values():
            typed = (row.id_number, row.co_id_number)
            if any(len(number) == _PERSON_DIGITS and number.endswith("0000") for number in typed):
                for house in {self.house(unit) for unit in (self.place(row).unit, row.billing_unit) if unit}:
                    watching[house].append(row)
        return watching

    def house(self, unit: str) -> tuple[str, ...]:
        """The house of a unit address as a search may take it that has no letter, floor or door to go by."""
        access = self.store.load("register:access")[self.store.load("register:unit")[unit]["access_id"]]
        return access["postcode"], access["street_code"], access["house_number"].rstrip(string.ascii_uppercase)

    def place(self, row: Customer) -> Place:
        """The consumption place of a row."""
        return self.town.places[row.place]

    def installations(self, row: Customer) -> list[Installation]:
        """Installations at the place of a row, as they stood in the morning."""
        return self._placed.get(row.place, [])

    def is_settled(self, row: Customer) -> bool:
        """In good order, known to the registry, without an end, every number complete, the place found."""
        return (
            row.exported
            and row.reason is None
            and row.co_reason is None
            and row.moved_out is None
            and row.id_number == row.party
            and row.co_id_number == (row.co or "0")
            and self.place(row).address_id is not None
        )

    def is_alone(self, row: Customer) -> bool:
        """Settled, the only row of its place and of each of its parties, its roles as they were from the beginning."""
        return (
            self.is_settled(row)
            and self._at_place[row.place] == 1
            and all(len(self.rows_of(party)) == 1 for party in (row.party, row.co) if party)
            and all(begin == row.moved_in and removed is None for _code, _party, begin, removed in row.roles)
        )

    def is_person_alone(self, row: Customer) -> bool:
        """`is_alone`, and the row is that of one person without co-customer."""
        return self.is_alone(row) and row.co is None and row.party is not None and len(row.party) == 10
