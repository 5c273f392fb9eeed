"""People and companies as the registers describe them, whatever service the answer came from.

Only what the integration needs is kept: relatives, guardianship and notes never enter (data minimisation).
"""

from dataclasses import dataclass, field
from datetime import date


@dataclass(frozen=True)
class RegisteredAddress:
    """An address in the codes of the registers. Codes have four digits; house number includes its letter."""

    municipality_code: str | None
    street_code: str | None
    house_number: str | None
    floor: str | None
    door: str | None
    postcode: str | None
    street_name: str | None = None
    district: str | None = None
    unit_id: str | None = None


@dataclass(frozen=True)
class Person:
    """A person as CPR knows her; `number` is the one now in force and never shows in `repr`."""

    number: str = field(repr=False)
    status: str
    first_name: str | None
    middle_name: str | None
    last_name: str | None
    addressing_name: str | None
    gender: str | None
    civil_status: str | None
    address_protected: bool
    address: RegisteredAddress | None


@dataclass(frozen=True)
class Company:
    """A legal unit as CVR knows it."""

    number: str
    name: str
    business_code: str | None
    company_form: str | None
    address: RegisteredAddress | None
    ceased_on: date | None = None


@dataclass(frozen=True)
class Resident:
    """One row of an address search: somebody who lives, or has lived, at an address."""

    number: str = field(repr=False)
    addressing_name: str | None
    birth_date: date | None
    status: str
    moved_out: bool


@dataclass(frozen=True)
class AddressKey:
    """What an address search is asked with. `house_number` includes its letter; floor and door may be absent."""

    street_code: str
    house_number: str
    postcode: str
    floor: str | None = None
    door: str | None = None


@dataclass(frozen=True)
class SearchResult:
    """Residents found; `complete` is False when the register capped its answer."""

    hits: tuple[Resident, ...]
    complete: bool
