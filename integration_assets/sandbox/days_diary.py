"""What is needed to play one day: who is suitable for an event, who has had one today, and what was touched."""

from collections import Counter, defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final

from integration_assets.sandbox.store import Store
from integration_assets.sandbox.town_builder import Builder
from integration_assets.sandbox.town_homes import Home, find
from integration_assets.sandbox.town_model import Customer, Installation, Place, Town
from integration_assets.sandbox.town_rules import installations_by_place

Json = dict[str, Any]

_SHARE: Final = 0.0005


@dataclass(frozen=True)
class Event:
    """Something that happens on a day: to a suitable row (`fits`), or out of nothing (`fits` None: an arrival).

    `act` does it. For an arrival the row given to `act` is None and it returns the new row.
    """

    act: "Callable[[Diary, Any], Customer | None]"
    fits: "Callable[[Diary, Customer], bool] | None" = None


class Diary:
    """One day being played. A row has at most one event a day."""

    def __init__(self, store: Store, town: Town, builder: Builder, today: str) -> None:
        self.store = store
        self.town = town
        self.builder = builder
        self.draw = builder.draw
        self.today = today
        self.touched: set[tuple[str, int]] = set()
        self._customers: dict[int, list[str]] = defaultdict(list)
        self._installations: dict[int, list[str]] = defaultdict(list)
        self._event = ""
        self._placed = installations_by_place(town)
        self._order = sorted(town.customers)
        self.draw.shuffle(self._order)
        self._named = Counter(p for row in town.customers.values() for p in (row.party, row.co) if p)
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
            and all(self._named[party] == 1 for party in (row.party, row.co) if party)
            and all(begin == row.moved_in and removed is None for _code, _party, begin, removed in row.roles)
        )

    def is_person_alone(self, row: Customer) -> bool:
        """`is_alone`, and the row is that of one person without co-customer."""
        return self.is_alone(row) and row.co is None and row.party is not None and len(row.party) == 10
