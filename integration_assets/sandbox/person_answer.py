"""The answer of PersonBaseDataExtended, versions 4 and 5: one person of the register as KOMBIT's contract writes her.

Belongs here: elements, their order and their forms. Absent data are absent elements, codes are integers that have lost
their leading zeros, the status is a number. Version 4 has another namespace, and neither the id of the address nor what
is said about a child with two homes.
"""

from typing import Any

from integration_assets.sandbox import register_surplus
from integration_assets.sandbox.person_search_answer import house_number_text
from integration_assets.sandbox.register_switches import Switches
from integration_assets.sandbox.soap import Element, leaf, node

NEWEST, FORMER = 5, 4
_STANDARD_ADDRESS_LENGTH = 34
_EMIGRATED = "80"
_DENMARK = "5100"

Json = dict[str, Any]


def namespace(version: int) -> str:
    """The namespace of a version's messages."""
    return f"http://serviceplatformen.dk/xml/wsdl/soap11/CPR/PersonBaseDataExtended/{version}/"


def person_answer(person: Json, version: int, now: Switches) -> Element:
    """The PersonLookupResponse about a person, in the namespace of the version."""
    return _Answer(person, version, now).response()


class _Answer:
    """Writes one answer; its methods return elements in the namespace of the version, None for what is left out."""

    def __init__(self, person: Json, version: int, now: Switches) -> None:
        self._person = person
        self._namespace = namespace(version)
        self._newest = version >= NEWEST
        self._nameless = person["pnr"] in now.nameless
        self._surplus = register_surplus.relatives(person) if register_surplus.shown(person["pnr"], now) else None

    def response(self) -> Element:
        """The whole answer."""
        parts = [self._person_data(), self._addresses(), self._relations(), self._note()]
        return self._node("PersonLookupResponse", *parts)

    def _leaf(self, name: str, value: object | None) -> Element | None:
        return leaf(self._namespace, name, value)

    def _node(self, name: str, *parts: Element | None) -> Element:
        return node(self._namespace, name, *parts)

    def _extra(self, name: str, value: object) -> Element | None:
        """A leaf that only those have of whom more is told than was asked for."""
        return None if self._surplus is None else self._leaf(name, value)

    def _dated(self, name: str, value: str | None) -> Element | None:
        return self._node(name, self._leaf("dato", value)) if value else None

    def _moment(self, name: str, day: str | None) -> Element | None:
        return self._dated(name, f"{day}T00:00:00") if day else None

    def _person_data(self) -> Element:
        person = self._person
        return self._node(
            "persondata",
            self._leaf("personnummer", person["pnr"]),
            self._leaf("gaeldendePersonnummer", person.get("current_pnr") or person["pnr"]),
            self._name(),
            self._dated("foedselsdato", person["birth_date"]),
            self._leaf("koen", person["gender"]),
            self._leaf("antalBoernUnder18", "0"),
            self._extra("stilling", "Prøvekører"),
            self._extra("DeltBopælMarkering", "false") if self._newest else None,
            self._status(),
            self._civil_status(),
            self._citizenship(),
            self._guardianship(),
            self._protection(),
            self._lesser_protection("vejviserbeskyttelse"),
            self._lesser_protection("markedsfoeringsbeskyttelse"),
            self._extra("tilmeldtDigitalpost", "true"),
        )

    def _name(self) -> Element | None:
        # The contract demands the addressing name inside `navn`: a nameless person has no `navn` at all.
        person = self._person
        if self._nameless or not person["addressing_name"]:
            return None
        return self._node(
            "navn",
            self._leaf("personadresseringsnavn", person["addressing_name"]),
            self._leaf("fornavn", person["first_name"]),
            self._leaf("mellemnavn", person["middle_name"]),
            self._leaf("efternavn", person["last_name"]),
            self._moment("navnestartdato", person.get("name_from")),
        )

    def _status(self) -> Element:
        since = self._moment("statusdato", self._person.get("status_from"))
        return self._node("status", self._leaf("status", int(self._person["status"])), since)

    def _civil_status(self) -> Element | None:
        if not self._person["civil_status"]:
            return None
        since = self._moment("civilstandsdato", self._person.get("civil_status_from"))
        return self._node("civilstand", self._leaf("civilstand", self._person["civil_status"]), since)

    def _protection(self) -> Element:
        person = self._person
        return self._node(
            "adressebeskyttelse",
            self._leaf("startdato", person.get("protected_from")),
            self._leaf("slutdato", person.get("protected_until")),
            self._leaf("beskyttet", "true" if person["protected"] else "false"),
        )

    def _lesser_protection(self, name: str) -> Element | None:
        if self._surplus is None:
            return None
        return self._node(name, self._leaf("startdato", "2012-05-01"), self._leaf("beskyttet", "true"))

    def _citizenship(self) -> Element | None:
        if self._surplus is None:
            return None
        since = self._moment("statsborgerskabDato", self._person["birth_date"])
        return self._node("statsborgerskab", self._leaf("landekode", _DENMARK), since)

    def _guardianship(self) -> Element | None:
        if self._surplus is None:
            return None
        return self._node(
            "umyndiggoerelse",
            self._leaf("umyndiggorelseRelationType", "1"),
            self._leaf("relationPersonnummer", self._surplus.mother),
            self._leaf("VærgemålType", "DELVIS") if self._newest else None,
            self._dated("umyndiggoerelseStartdato", "2018-09-01"),
            self._leaf("umyndiggjort", "true"),
        )

    def _relations(self) -> Element | None:
        family = self._surplus
        if family is None:
            return None
        custody = self._node(
            "foraeldremyndighed",
            self._leaf("foraeldremyndighedtype", "3"),
            self._leaf("relationPersonnummer", family.mother),
        )
        return self._node(
            "relationer",
            self._node("aegtefaelle", self._leaf("personnummer", family.spouse)) if family.spouse else None,
            *(self._node("barn", self._leaf("personnummer", child)) for child in family.children),
            self._node("mor", self._leaf("personnummer", family.mother)),
            self._node("far", self._leaf("personnummer", family.father)),
            custody,
        )

    def _note(self) -> Element | None:
        if self._surplus is None:
            return None
        return self._node(
            "notater",
            self._leaf("notanr", "1"),
            self._leaf("notatlinie", f"Værge {self._surplus.mother}"),
            self._leaf("notatstartdato", "2018-09-01"),
        )

    def _addresses(self) -> Element | None:
        current, former = self._person["address"], self._person["former_addresses"]
        parts = [
            self._node("aktuelAdresse", *self._address(current), *self._current_only(current)) if current else None,
            self._emigration(),
            *(self._node("adresseHistorik", *self._address(row), *self._history_only(row)) for row in former),
        ]
        return self._node("adresse", *parts) if any(part is not None for part in parts) else None

    def _emigration(self) -> Element | None:
        person = self._person
        if person["status"] != _EMIGRATED:
            return None
        # Records without a day of their own left on the day on which they left their last address.
        left = person.get("emigrated_on") or max((row["moved_out"] for row in person["former_addresses"]), default=None)
        return self._node("udrejseoplysninger", self._moment("udrejsedato", left)) if left else None

    def _address(self, address: Json) -> list[Element | None]:
        """The elements that a current and a former address share, in the order of the contract."""
        floor = address["floor"]
        return [
            self._leaf("kommunekode", int(address["municipality_code"])),
            self._leaf("vejkode", int(address["street_code"])),
            self._leaf("husnummer", house_number_text(address["house_number"])),
            self._leaf("etage", floor.zfill(2) if floor else None),
            self._leaf("sidedoer", address["door"]),
            self._leaf("postnummer", address["postcode"]),
            self._leaf("postdistrikt", address["district"]),
            self._leaf("vejnavn", address["street_name"]),
        ]

    def _current_only(self, address: Json) -> list[Element | None]:
        return [
            self._leaf("standardadresse", standard_address(address)),
            self._moment("tilflytningsdato", address["moved_in"]),
            self._leaf("AdresseUUID", address["unit_id"]) if self._newest else None,
        ]

    def _history_only(self, address: Json) -> list[Element | None]:
        moves = (("tilflytningsdato", "moved_in"), ("fraflytningsdato", "moved_out"))
        return [self._moment(name, address[key]) for name, key in moves]


def standard_address(address: Json) -> str:
    """Street, number, floor and door in one line of at most 34 characters, as CPR abbreviates them by cutting."""
    unit = " ".join(part for part in (address["floor"], address["door"]) if part)
    line = ",".join(part for part in (f"{address['street_name']} {address['house_number']}", unit) if part)
    return line[:_STANDARD_ADDRESS_LENGTH]
