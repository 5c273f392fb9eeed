"""The craft of planting: homes become places with installations, people become customers; no kinds here.

Used when a town is built and when its days are played. What it makes is collected in the town's records and in
`people`; nothing is written to any database here.
"""

import random
from datetime import date, timedelta
from typing import Any, Final

from integration_assets.sandbox.town_homes import Home, Homes, Typed, plainly
from integration_assets.sandbox.town_model import BASE_DAY, Alternative, Customer, Installation, Place, Town
from integration_assets.sandbox.town_people import People

Json = dict[str, Any]

_MAKES: Final = ("Varmevagt", "Åmåler", "Termofix", "Nordlys")
_TYPES: Final = ("Fjernvarme qp 1,5", "Energimåler qp 2,5", "999-Identifier qp 9,9", "Ultralyd DN 15", "Æ-serie qp 0,6")
_EARLIEST_METER_YEARS: Final = (2009, 2012)
_FIRST_MOVE_IN: Final = date(2014, 1, 1)
_LAST_MOVE_IN: Final = date(2025, 11, 30)


def day_after(base: str, days: int) -> str:
    """The ISO day that lies `days` after an ISO day (negative: before)."""
    return (date.fromisoformat(base) + timedelta(days=days)).isoformat()


class Builder:
    """Plants into a town; `draw` decides everything that is left to chance."""

    def __init__(self, town: Town, people: People, draw: random.Random, homes: Homes | None = None) -> None:
        """`homes` is needed while the town is built; days use the spare homes named in the town's meta."""
        self.town = town
        self.people = people
        self.draw = draw
        self._homes = homes
        self._earlier: dict[str, list[Customer]] = {}

    @property
    def homes(self) -> Homes:
        """The homes of the register; only while the town is built."""
        if self._homes is None:
            raise LookupError("Homes are given out only while the town is built.")
        return self._homes

    def earlier(self, kind: str) -> Customer:
        """An earlier row of a kind that nothing else leans on; each is given once. Raises LookupError at the end."""
        if kind not in self._earlier:
            rows = self.town.customers.values()
            self._earlier[kind] = [row for row in rows if row.kind == kind][::-1]
        if not self._earlier[kind]:
            raise LookupError(f"No earlier row of kind {kind} is left.")
        return self._earlier[kind].pop()

    def some_day(self, first: date = _FIRST_MOVE_IN, last: date = _LAST_MOVE_IN) -> str:
        """A day between two days, both included."""
        return (first + timedelta(days=self.draw.randint(0, (last - first).days))).isoformat()

    def place(self, home: Home, typed: Typed | None = None) -> Place:
        """A consumption place at a home, plainly typed unless said otherwise."""
        place = Place(id=self.town.next_id("place"), unit=home.unit, **vars(typed or plainly(home)))
        self.town.places[place.id] = place
        return place

    def meter(self, first: str, last: str | None = None) -> list[Any]:
        """A new meter with its period, in the form of `Installation.meters`."""
        number = self.town.next_id("meter")
        return [number, str(60_000_000 + 7 * number), self.draw.choice(_TYPES), self.draw.choice(_MAKES), first, last]

    def install(self, place: Place, first: str | None = None) -> Installation:
        """A new installation with one meter at a place, from `first` or from before anybody moved in."""
        if first is None:
            years = _EARLIEST_METER_YEARS
            first = self.some_day(date(years[0], 1, 1), date(years[1], 12, 31))
        identity = self.town.next_id("installation")
        installation = Installation(
            id=identity, number=5_000_000 + identity, place=place.id, alternative=0, meters=[self.meter(first)]
        )
        self.town.installations[installation.number] = installation
        return installation

    def alternative(self, installation: Installation, home: Home, typed: Typed | None = None) -> None:
        """Let an installation stand at another address; a typing that leads nowhere leaves it unknown."""
        shape = typed or plainly(home)
        fields = {**vars(shape), "access_id": home.access if shape.address_id else None}
        del fields["address_id"]
        alternative = Alternative(id=self.town.next_id("alternative"), **fields)
        self.town.alternatives[alternative.id] = alternative
        installation.alternative = alternative.id

    def customer(self, kind: str, place: Place, billing: Home, **fields: Any) -> Customer:
        """A customer row at a place; `fields` set or replace anything of the record."""
        number = self.town.next_id("customer")
        self.town.meta["customer"] += self.draw.randrange(3)
        draw = self.draw
        values: Json = {
            "number": number,
            "kind": kind,
            "place": place.id,
            "master_id": 700_000 + number % 100_000,
            "phone": draw.randint(20_000_000, 99_999_999) if draw.random() < 0.7 else 0,
            "mobile": str(draw.randint(20_000_000, 99_999_999)) if draw.random() < 0.6 else None,
            "email": f"kunde{number}@eksempel.example" if draw.random() < 0.65 else None,
            "moved_in": self.some_day(),
            **billed_to(billing),
        }
        if draw.random() < 0.05:
            values["billing_street"] += ",-"
        values.update(fields)
        customer = Customer(**values)
        self.town.customers[number] = customer
        return customer

    def person_row(self, kind: str, person: Json, home: Home, place: Place | None = None, **fields: Any) -> Customer:
        """A row of a person whose number is complete, at a place (a new one with an installation unless given)."""
        if place is None:
            place = self.place(home)
            self.install(place)
        known: Json = {"id_number": person["pnr"], "party": person["pnr"], "name": person["addressing_name"]}
        return self.customer(kind, place, fields.pop("billing", home), **{**known, **fields})

    def household(self, kind: str, home: Home | None = None, **fields: Any) -> tuple[Customer, Json, Home]:
        """An ordinary row: a person at a home, now and then with family in it. Returns (row, person, home)."""
        home = home or self.homes.take()
        person = self.people.person(home)
        for _ in range(self.draw.choice((0, 0, 0, 1, 1, 2))):
            self.people.person(home, like=person)
        return self.person_row(kind, person, home, **fields), person, home

    def company_row(self, kind: str, company: Json, home: Home, **fields: Any) -> Customer:
        """A row of a company at a new place with an installation."""
        place = self.place(home)
        self.install(place)
        known: Json = {"id_number": company["cvr"], "party": company["cvr"], "name": company["name"][:80].rstrip()}
        return self.customer(kind, place, home, **{**known, **fields})


def billed_to(home: Home) -> Json:
    """The billing fields of a row whose bills go to a home."""
    return {
        "billing_street": home.line(),
        "billing_district": f"{home.postcode} {home.district}",
        "billing_unit": home.unit,
    }


def days_ago(days: int) -> str:
    """The ISO day that lies so many days before the base day of every town."""
    return day_after(BASE_DAY, -days)
