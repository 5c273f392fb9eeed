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
    """A person as CPR knows her; `number` is the one now in force and never shows in `repr`.

    `status` has two digits (01 … 90). `…_from` are the register's own first days of what is said now, None where it
    gives none; `number_from` is set where the number replaced another one. `protected_until` is the first day on which
    the protection no longer holds, None while it has no end. `emigrated_on` is set for somebody who lives abroad.
    `source` names service and version of the answer.
    """

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
    birth_date: date | None = None
    status_from: date | None = None
    number_from: date | None = None
    name_from: date | None = None
    civil_status_from: date | None = None
    protected_from: date | None = None
    protected_until: date | None = None
    address_from: date | None = None
    emigrated_on: date | None = None
    source: str = field(default="", compare=False)


@dataclass(frozen=True)
class Company:
    """A legal unit as CVR knows it. `…_from` are the first days on which the register holds the values true."""

    number: str
    name: str
    business_code: str | None
    company_form: str | None
    address: RegisteredAddress | None
    ceased_on: date | None = None
    name_from: date | None = None
    business_code_from: date | None = None
    company_form_from: date | None = None
    address_from: date | None = None
    source: str = field(default="", compare=False)


@dataclass(frozen=True)
class Resident:
    """One row of an address search: somebody who lives, or has lived, at an address.

    House number (with its letter), floor and door are those of the row, without leading zeros and in lower case but
    for the letter; None where the answer has none.
    """

    number: str = field(repr=False)
    addressing_name: str | None
    birth_date: date | None
    status: str
    moved_out: bool
    house_number: str | None = None
    floor: str | None = None
    door: str | None = None
    protected: bool = False


@dataclass(frozen=True)
class AddressKey:
    """What an address search is asked with. `house_number` includes its letter; floor and door may be absent.

    `municipality_code` (four digits) narrows the search where it is known: a postal code may lie in two municipalities
    that number their streets independently. `is_unit`: the address register has this very unit, so that an absent floor
    or door is none; otherwise it may only not be known.
    """

    street_code: str
    house_number: str
    postcode: str
    floor: str | None = None
    door: str | None = None
    municipality_code: str | None = None
    is_unit: bool = False


@dataclass(frozen=True)
class SearchResult:
    """Residents found; `complete` is False when the register capped its answer."""

    hits: tuple[Resident, ...]
    complete: bool
