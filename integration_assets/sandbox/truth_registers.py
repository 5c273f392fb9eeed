"""The registers of people and companies as they stand on a day, for the truth: a party is known by its number in force.

Belongs here: reading the store's register collections. What follows for the registry and the CRM is in `truth`.
"""

from collections.abc import Mapping
from typing import Any, Final, TypeVar

from integration_assets.sandbox.store import Store
from integration_assets.sandbox.town_model import Customer
from integration_assets.sandbox.town_rules import is_protected, replaced_numbers

Json = dict[str, Any]

_COMPANY_DIGITS: Final = 8
_DEAD: Final = "90"

_Noted = TypeVar("_Noted")


def is_company(number: str) -> bool:
    """Whether a party's number is a company's."""
    return len(number) == _COMPANY_DIGITS


class Registered:
    """The registers on a business day. Numbers may be ones that were replaced; None is nobody."""

    def __init__(self, store: Store, day: str) -> None:
        self.day = day
        self._persons = store.load("register:person")
        self._companies = store.load("register:company")
        self._units = store.load("register:unit")
        self._access = store.load("register:access")
        self._replaced = replaced_numbers(self._persons)
        self._by_codes: dict[tuple[Any, ...], str] | None = None

    def is_replaced(self, number: str) -> bool:
        """Whether a number is one that a person had before hers was changed."""
        return number in self._replaced

    def with_numbers_in_force(self, row: Customer) -> Customer:
        """The row with the numbers in force of all whom it names; what was typed stays."""
        named = {row.party, row.co, *(role[1] for role in row.roles)}
        if named.isdisjoint(self._replaced):
            return row
        now = {number: self._replaced.get(number or "", number) for number in named}
        roles = [[code, now[party], *days] for code, party, *days in row.roles]
        return Customer(**{**vars(row), "party": now[row.party], "co": now[row.co], "roles": roles})

    def by_number_in_force(self, noted: Mapping[str, _Noted]) -> dict[str, _Noted]:
        """Notes about parties by their numbers in force; what stands under that number itself goes before."""
        return {self._replaced[number]: noted[number] for number in noted if number in self._replaced} | {
            number: note for number, note in noted.items() if number not in self._replaced
        }

    def entry(self, number: str) -> Json:
        """The register's record of a party, under the number in force."""
        number = self._replaced.get(number, number)
        registered: Json = (self._companies if is_company(number) else self._persons)[number]
        return registered

    def is_protected(self, number: str) -> bool:
        """Whether a person's address is protected today."""
        return is_protected(self.entry(number), self.day)

    def is_dead(self, number: str) -> bool:
        """Whether a person is dead."""
        dead: bool = self.entry(number)["status"] == _DEAD
        return dead

    def ended_on(self, number: str) -> str | None:
        """The day of a person's death, or on which a company ceased; None while there is none."""
        if is_company(number):
            ceased: str | None = self.entry(number)["ceased"]
            return ceased
        return self.entry(number).get("status_from") if self.is_dead(number) else None

    def billing_fallback(self, number: str | None) -> str | None:
        """The registered address as one to send bills to: not that of a protected person."""
        if number is not None and not is_company(number) and self.is_protected(number):
            return None
        return self.address_id(number)

    def address_id(self, number: str | None) -> str | None:
        """The unit address at which a party is registered; None for no party or no current address."""
        return None if number is None else self.unit_at(self.entry(number)["address"])

    def unit_at(self, address: Json | None) -> str | None:
        """The unit of a registered address: the one it names, else the one behind its codes; None for no address."""
        if address is None:
            return None
        unit: str | None = address.get("unit_id")
        return unit or self._unit_of(address)

    def _unit_of(self, address: Json) -> str | None:
        if self._by_codes is None:
            self._by_codes = {}
            for unit in self._units.values():
                house = self._access[unit["access_id"]]
                codes = (house["municipality_code"], house["street_code"], house["house_number"])
                self._by_codes[(*codes, unit["floor"], unit["door"])] = unit["id"]
        codes = (address["municipality_code"], address["street_code"], address["house_number"])
        return self._by_codes.get((*codes, address["floor"], address["door"]))
