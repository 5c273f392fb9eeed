"""People and companies of the town, in the JSON shapes of the register collections."""

import random
from datetime import date
from typing import Any

from integration_assets.sandbox import names
from integration_assets.sandbox.town_homes import Home
from integration_assets.sandbox.town_numbers import Numbers

Json = dict[str, Any]


class People:
    """Invents people and companies, and remembers them until they are written to the registers.

    `persons` and `companies` hold the new ones by number.
    """

    def __init__(self, draw: random.Random, taken: set[str]) -> None:
        """`taken` are the numbers already given out."""
        self._draw = draw
        self.numbers = Numbers(draw, taken)
        self.persons: dict[str, Json] = {}
        self.companies: dict[str, Json] = {}
        self._at: dict[str, list[str]] = {}

    def residents(self, home: Home) -> list[str]:
        """Numbers of the new persons registered at a home."""
        return self._at.get(home.unit, [])

    def person(
        self,
        home: Home | None,
        *,
        like: Json | None = None,
        born: date | None = None,
        gender: str | None = None,
        years: tuple[int, int] = (1938, 2005),
        **changes: Any,
    ) -> Json:
        """A new person registered at `home` (None: emigrated, no current address).

        `like` gives the family name, and with `changes` anything else of the record is set outright.
        """
        draw = self._draw
        gender = gender or draw.choice("MK")
        born = born or self.numbers.birth_date(*years)
        number = self.numbers.cpr(born, gender)
        moved_in = date(draw.randint(2008, 2025), draw.randint(1, 12), draw.randint(1, 28))
        person: Json = {
            "pnr": number,
            "status": "01" if home else "80",
            "first_name": names.given_name(draw, gender),
            "middle_name": names.middle_name(draw),
            "last_name": like["last_name"] if like else names.family_name(draw),
            "gender": gender,
            "civil_status": draw.choice("UUGGGFEOL"),
            "protected": False,
            "birth_date": born.isoformat(),
            "address": home.registered(moved_in.isoformat()) if home else None,
            "former_addresses": [],
        }
        person.update(changes)
        person["addressing_name"] = names.addressing_name(
            person["first_name"], person["middle_name"], person["last_name"]
        )
        self.persons[number] = person
        if home:
            self._at.setdefault(home.unit, []).append(number)
        return person

    def company(self, home: Home, *, long: bool = False) -> Json:
        """A new company seated at `home`; `long` names pass what the CRM holds."""
        name, form = names.company_name(self._draw, long)
        company: Json = {
            "cvr": self.numbers.cvr(),
            "name": name,
            "business_code": f"{self._draw.randint(10_000, 960_900):06d}",
            "company_form": form,
            "address": home.seat(),
            "ceased": None,
        }
        self.companies[company["cvr"]] = company
        return company


def birth6(number: str) -> str:
    """The date part of a personal number with the serial number left out, as the billing system holds new customers."""
    return f"{number[:6]}0000"


def name_of(person: Json) -> Json:
    """The parts of a person's name, for somebody who shall have the same."""
    return {part: person[part] for part in ("first_name", "middle_name", "last_name")}


def born(person: Json) -> date:
    """A person's birth date."""
    return date.fromisoformat(person["birth_date"])


def other_birthday(
    people: People, home: Home, years: tuple[int, int] = (1941, 1999), besides: Json | None = None
) -> date:
    """A birth date that nobody at the home has (nor `besides`), not even by its two-digit year."""
    taken = {number[:6] for number in people.residents(home)}
    if besides is not None:
        taken.add(besides["pnr"][:6])
    while True:
        day = people.numbers.birth_date(*years)
        if day.strftime("%d%m%y") not in taken:
            return day
