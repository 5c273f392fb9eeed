"""A village of a few houses: its billing system in a real database, its address register, and its people.

The person and company registers are the outside world here: `Registers` answers what a test wrote down and keeps what
it was asked. Personal numbers are invented ones that fail the check digit.
"""

from datetime import UTC, date, datetime
from typing import Any

import polars as pl
import sqlalchemy as sa

from integration_assets.cache.store import Cache
from integration_assets.clients.http import TransientError
from integration_assets.clients.kmd_ee import KmdEe
from integration_assets.domain.addresses.washing import WashingIndex
from integration_assets.domain.people.parties import (
    AddressKey,
    Company,
    Person,
    RegisteredAddress,
    Resident,
    SearchResult,
)
from integration_assets.flows.address_providers import LocalRegister
from integration_assets.flows.washing import Washer
from integration_assets.sandbox import kmd_ee_tables as tables
from integration_assets_tests.domain.register_rows import id_of, register

TODAY = date(2026, 11, 21)
NOW = datetime(2026, 11, 21, 4, 0, tzinfo=UTC)
OPEN = date(9999, 12, 31)

STREETS = {"Vestergade": "1111", "Østergade": "2222", "Nørregade": "3333"}
DISTRICTS = {"5000": "Odense C", "5200": "Odense V"}


class Registers:
    """CPR and CVR as a test writes them. `asked` keeps service and subject of each question, `down` refuses them."""

    def __init__(self) -> None:
        self.people: dict[str, Person] = {}
        self.companies: dict[str, Company] = {}
        self.homes: dict[AddressKey, list[Resident]] = {}
        self.capped: set[AddressKey] = set()
        self.down: set[str] = set()
        self.asked: list[tuple[str, Any]] = []

    def person(self, number: str) -> Person | None:
        self._asked("person", number)
        return self.people.get(number)

    def company(self, number: str) -> Company | None:
        self._asked("company", number)
        return self.companies.get(number)

    def residents(self, address: AddressKey) -> SearchResult:
        self._asked("residents", address)
        return SearchResult(tuple(self.homes.get(address, ())), address not in self.capped)

    def _asked(self, service: str, subject: Any) -> None:
        self.asked.append((service, subject))
        if service in self.down:
            raise TransientError("The register does not answer.", text="no answer")


class Source:
    """The billing system's tables in a database that has them."""

    def __init__(self, url: str) -> None:
        self.engine = sa.create_engine(url)
        self.kmd_ee = KmdEe(self.engine)

    def put(self, table: sa.Table, **values: Any) -> None:
        """Adds a row, or changes the named columns of the row with this primary key."""
        key = next(iter(table.primary_key)).name
        with self.engine.begin() as connection:
            changed = connection.execute(table.update().where(table.c[key] == values[key]).values(values)).rowcount
            if not changed:
                connection.execute(table.insert().values(values))

    def take_away(self, table: sa.Table, key: int) -> None:
        with self.engine.begin() as connection:
            connection.execute(table.delete().where(next(iter(table.primary_key)) == key))

    def customer(self, number: int, id_number: float, **values: Any) -> None:
        """A customer; KundeID is the customer number. Without dates she moved in long ago and stays."""
        row = {
            "KundeID": number,
            "Kundenr": number,
            "PersonnrSEnr": id_number,
            "LigestPersonnr": 0,
            "KundeNavn": f"Name {number}",
            "ForbrugsstedID": 1,
            "Tilflytningsdato": date(2020, 1, 1),
            "Fraflytningsdato": OPEN,
            "AfregningsgrpNr": 1,
            **values,
        }
        self.put(tables.KUNDE, **row)

    def place(self, key: int, house: int, **values: Any) -> None:
        """A consumption place in Vestergade, 5000 Odense C, without floor and door."""
        row = {
            "ForbrugsstedID": key,
            "ForbrStVejnavn": "Vestergade",
            "Vejkode": 1111,
            "Husnr": house,
            "Sidedørnr": "-",
            "Postnr": "5000",
            "Postdistrikt": "Odense C",
            **values,
        }
        self.put(tables.FORBRUGSSTED, **row)


def address(
    street: str,
    house: str,
    floor: str | None = None,
    door: str | None = None,
    postcode: str = "5000",
    kind: str = "unit",
) -> dict[str, Any]:
    """A row of addresses/register; its id depends on the address alone."""
    parts = (street, house, floor, door, postcode, kind)
    return {
        "address_id": id_of("-".join(part for part in parts if part)),
        "municipality_code": "0461",
        "kind": kind,
        "access_id": id_of(f"{street}-{house}-{postcode}-access"),
        "street_name": street,
        "short_street_name": street,
        "street_code": STREETS[street],
        "house_number": house,
        "floor": floor,
        "door": door,
        "postcode": postcode,
        "district": DISTRICTS[postcode],
        "status": 3,
        "easting": 587_000.0,
        "northing": 6_140_000.0,
    }


def address_register(*units: dict[str, Any]) -> pl.DataFrame:
    """addresses/register with these units and an access address for each of their houses."""
    houses = {
        unit["access_id"]: address(unit["street_name"], unit["house_number"], postcode=unit["postcode"], kind="access")
        for unit in units
    }
    return register(*units, *houses.values())


def washer(store: Cache, index: WashingIndex, now: datetime | None = NOW) -> Washer:
    """Answers from this index as the runs do, and keeps the answers in the cache."""
    return Washer(index, store.washings, LocalRegister(index, workers=1), now)


def person(number: str, name: str, home: str | None = None, **values: Any) -> Person:
    """A person of the register who lives at the unit address with this id."""
    first, _, last = name.rpartition(" ")
    known: dict[str, Any] = {
        "status": "01",
        "first_name": first,
        "middle_name": None,
        "last_name": last,
        "addressing_name": name,
        "gender": "K",
        "civil_status": "G",
        "address_protected": False,
        "address": registered(home) if home else None,
    }
    return Person(number=number, **known | values)


def company(number: str, name: str, home: str | None = None) -> Company:
    """A company of the register."""
    return Company(number, name, "353000", "60", registered(home) if home else None)


def registered(unit_id: str) -> RegisteredAddress:
    """An address as the registers of persons and companies give it, known by its unit id."""
    return RegisteredAddress("0461", None, None, None, None, None, unit_id=unit_id)


def resident(number: str, name: str, **values: Any) -> Resident:
    """Somebody who lives at an address, born as her number says (in the twentieth century)."""
    born = date(1900 + int(number[4:6]), int(number[2:4]), int(number[:2]))
    known: dict[str, Any] = {"addressing_name": name, "birth_date": born, "status": "01", "moved_out": False}
    return Resident(number=number, **known | values)
