"""The address search of the sandbox's person register: the GCTP message ADRSOG1 in its local (replica) flavour.

Belongs here: reading a GCTP request, finding residents, writing the GCTP answer. The answer is a text with XML inside
that SOAP carries escaped. In this flavour empty fields and street headings are left out, and former residents are
rows with a SLUTDATO. There is no birth date to search by.
"""

import re
from collections import defaultdict
from dataclasses import dataclass
from operator import is_
from typing import Any

from lxml import etree  # pyright: ignore[reportAttributeAccessIssue] - lxml ships no types

from integration_assets.sandbox.soap import Element, parse
from integration_assets.sandbox.store import Store

_NS = "http://www.cpr.dk"
_SERVICE = "ADRSOG1"
_DEFAULT_ROWS = 20
# The true maximum is not public; the sandbox has one so that a caller cannot ask it away.
_MOST_ROWS = 100
_SEARCHED = frozenset({"VEJK", "VNVN", "POST", "KOMK", "HNR", "ETAG", "SIDO", "KON", "MAXA", "AIA"})
_HOUSE = re.compile(r"0*(\d+)\s*([A-Za-z]?)")
_NUMBER = re.compile(r"\d*")

_WRONG_FIELD = "16"
_NO_ACCESS = "184"

Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class _Residence:
    """One person at one address; `order` sorts rows by house, floor, door, day and person."""

    person: Json
    address: Json
    moved_out: str | None
    order: tuple[Any, ...]


class AddressSearch:
    """Searches the persons of a store collection by address.

    Residences are indexed by street. The index is made at the first search and made again when the collection has
    changed since, which is noticed by itself: every body of the collection is compared by identity, some milliseconds
    for 100,000 persons (the store replaces bodies and never changes them).
    """

    def __init__(self, store: Store, collection: str) -> None:
        self._store = store
        self._collection = collection
        self._indexed: list[Json] = []
        self._streets: dict[str, list[_Residence]] = {}

    def answer(self, message: str) -> str:
        """The GCTP answer to a GCTP request. Raises SoapFault when the message is no XML."""
        root = parse(message.encode("iso-8859-1", "xmlcharrefreplace"), "iso-8859-1")
        service = _find(root, "Service")
        if service is None or service.get("r") != _SERVICE:
            return _document([], None, None, _receipt("Fejl", _NO_ACCESS, "ingen adgang til funktionen"))
        fields = {field.get("r"): (field.get("v") or "").strip() for field in root.iter() if _local(field) == "Field"}
        complaint = _complaint(fields)
        if complaint:
            return _document([], None, None, _receipt("Fejl", _WRONG_FIELD, complaint))
        found = sorted((row for row in self._candidates(fields) if _fits(row, fields)), key=lambda row: row.order)
        start = int(fields.get("AIA") or 0)
        most = min(int(fields.get("MAXA") or _DEFAULT_ROWS), _MOST_ROWS)
        following = start + most if len(found) > start + most else None
        return _document(found[start : start + most], start, following, _receipt("Ok", "0", ""))

    def _candidates(self, fields: dict[str, str]) -> list[_Residence]:
        self._refresh()
        code = fields.get("VEJK")
        return self._streets.get(code.zfill(4) if code else fields["VNVN"].casefold(), [])

    def _refresh(self) -> None:
        persons = list(self._store.load(self._collection).values())
        if len(persons) == len(self._indexed) and all(map(is_, persons, self._indexed)):
            return
        streets: dict[str, list[_Residence]] = defaultdict(list)
        for person in persons:
            current = person["address"]
            for address in [*([current] if current else []), *person["former_addresses"]]:
                residence = _residence(person, address)
                streets[address["street_code"]].append(residence)
                streets[address["street_name"].casefold()].append(residence)
        self._streets = dict(streets)
        self._indexed = persons


def house_number_text(house_number: str) -> str:
    """A house number as CPR writes it: three digits and the letter, "12B" -> "012B"."""
    number, letter = _house(house_number)
    return f"{number:03d}{letter}"


def _residence(person: Json, address: Json) -> _Residence:
    order = (
        *_house(address["house_number"]),
        _floor(address["floor"]),
        _door(address["door"]),
        address.get("moved_out") or "",
        address["moved_in"] or "",
        person["pnr"],
    )
    return _Residence(person, address, address.get("moved_out"), order)


def _complaint(fields: dict[str, str]) -> str | None:
    """What is wrong with the search fields, in Danish as CPR says it, or None."""
    unknown = sorted(name or "" for name, value in fields.items() if value and name not in _SEARCHED)
    if unknown:
        return f"ukendt eller ikke tilladt felt: {', '.join(unknown)}"
    if not (fields.get("VEJK") or fields.get("VNVN")):
        return "VEJK eller VNVN skal udfyldes"
    if not (fields.get("POST") or fields.get("KOMK")):
        return "POST eller KOMK skal udfyldes"
    if not all(_NUMBER.fullmatch(fields.get(name, "")) for name in ("MAXA", "AIA", "VEJK", "POST", "KOMK")):
        return "feltet skal være numerisk"
    if fields.get("HNR") and not _HOUSE.fullmatch(fields["HNR"]):
        return "HNR er ikke et husnummer"
    return None


def _fits(row: _Residence, fields: dict[str, str]) -> bool:
    address = row.address
    return all(
        not fields.get(name) or wanted(fields[name]) == has
        for name, wanted, has in (
            ("POST", lambda text: text.zfill(4), address["postcode"]),
            ("KOMK", lambda text: text.zfill(4), address["municipality_code"]),
            ("HNR", _house, row.order[:2]),
            ("ETAG", _floor, row.order[2]),
            ("SIDO", _door, row.order[3]),
            ("KON", str.upper, row.person["gender"]),
        )
    )


def _house(text: str) -> tuple[int, str]:
    match = _HOUSE.fullmatch(text.strip())
    return (int(match[1]), match[2].upper()) if match else (0, text)


def _floor(text: str | None) -> str:
    return (text or "").strip().lower().lstrip("0")


def _door(text: str | None) -> str:
    return (text or "").strip().lower().lstrip("0")


def _document(rows: list[_Residence], start: int | None, following: int | None, receipt: Element) -> str:
    root = etree.Element(f"{{{_NS}}}root", nsmap={None: _NS})
    gctp = _part(root, "Gctp", v="1.0")
    service = _part(_part(gctp, "System", r="CprSoeg"), "Service", r=_SERVICE)
    _part(service, "CprServiceHeader", r=_SERVICE)
    if start is not None:
        role = _part(_part(service, "CprData", u="O"), "Rolle", r="HovedRolle")
        table = _part(role, "Table", r="ADRSOEG")
        if following is not None:
            table.set("aia", str(following))
        for k, row in enumerate(rows, start):
            _write_row(_part(table, "Row", k=str(k)), row)
    service.append(receipt)
    return etree.tostring(root, encoding="ISO-8859-1", xml_declaration=True).decode("iso-8859-1")


def _write_row(element: Element, row: _Residence) -> None:
    """The fields of a row in alphabetical order, empty ones left out."""
    person, address = row.person, row.address
    values = {
        "ADRBESKYT": "1" if person["protected"] else None,
        "AKM": " ",
        "CNVN_ADRNVN": _sorted_name(person),
        "CNVN_STATUS": person["status"],
        "CPRS_FOEDDATO": person["birth_date"].replace("-", ""),
        "ETAGE": address["floor"].zfill(2) if address["floor"] else None,
        "HUSNR": house_number_text(address["house_number"]),
        "KOMKOD": address["municipality_code"],
        "PNR": person["pnr"],
        "SIDEDOER": address["door"].rjust(3) if address["door"] else None,
        "SLUTDATO": _minute(row.moved_out),
        "STARTDATO": _minute(address["moved_in"]),
        "TABMRK": "1",
        "VEJKOD": address["street_code"],
    }
    for name, value in values.items():
        if value:
            field = _part(element, "Field", r=name, v=value)
            if name == "CNVN_ADRNVN":
                field.set("t", person["addressing_name"])


def _sorted_name(person: Json) -> str | None:
    """ "Last,First Middle": the name with the last name in front, as CPR sorts it."""
    name, last = person["addressing_name"], person["last_name"]
    if name and last and name.endswith(f" {last}"):
        return f"{last},{name.removesuffix(last).rstrip()}"
    return name


def _minute(day: str | None) -> str | None:
    return f"{day.replace('-', '')}0000" if day else None


def _receipt(kind: str, code: str, text: str) -> Element:
    return etree.Element(f"{{{_NS}}}Kvit", r=kind, t=text, v=code)


def _part(parent: Element, name: str, **attributes: str) -> Element:
    return etree.SubElement(parent, f"{{{_NS}}}{name}", attributes)


def _find(root: Element, name: str) -> Element | None:
    return next((element for element in root.iter() if _local(element) == name), None)


def _local(element: Element) -> str:
    # Requests come with and without the namespace of CPR.
    return etree.QName(element).localname if isinstance(element.tag, str) else ""
