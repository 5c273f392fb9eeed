"""The GCTP answer to an address search, in the two flavours that callers meet.

Belongs here: the document, its rows and fields, the receipt. "local" is the replica on Serviceplatformen: rows numbered
from 0, fields in alphabetical order, empty ones left out. "direct" is the CPR office itself: an environment and a time
stamp, a heading row for each street, every field whether it has a value or not, opaque row keys, no birth date.
"""

import hashlib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from lxml import etree  # pyright: ignore[reportAttributeAccessIssue] - lxml ships no types

from integration_assets.sandbox.soap import Element

NAMESPACE = "http://www.cpr.dk"
SERVICE = "ADRSOG1"
_HOUSE = re.compile(r"0*(\d+)\s*([A-Za-z]?)")
_LOCAL_DOOR_WIDTH, _DIRECT_DOOR_WIDTH = 3, 4

Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Residence:
    """One person at one address; `order` sorts rows by street, house, floor, door, day and person."""

    person: Json
    address: Json
    moved_out: str | None
    order: tuple[Any, ...]


@dataclass(frozen=True)
class Receipt:
    """How a search ended: kind ("Ok", "Fejl"), code and text; `in_field`: the text stands in a row instead."""

    kind: str
    code: str
    text: str
    in_field: bool = False


@dataclass(frozen=True)
class Page:
    """Rows of one answer, the number of the first of them, and the restart index where others follow."""

    rows: Sequence[Residence]
    start: int
    following: int | None
    nameless: Sequence[str] = ()


def document(page: Page | None, receipt: Receipt, flavour: str, fields: Mapping[str, str]) -> str:
    """The answer as text that says it is ISO-8859-1; `fields` are those of the search."""
    direct = flavour == "direct"
    root = etree.Element(f"{{{NAMESPACE}}}root", nsmap={None: NAMESPACE})
    gctp = _part(root, "Gctp", v="1.0", **({"env": "Demo"} if direct else {}))
    service = _part(_part(gctp, "System", r="CprSoeg"), "Service", r=SERVICE)
    stamp = {"ts": datetime.now(UTC).strftime("%Y%m%d%H%M%S%f")} if direct else {}
    _part(service, "CprServiceHeader", r=SERVICE, **stamp)
    if page is not None:
        role = _part(_part(service, "CprData", u="O"), "Rolle", r="HovedRolle")
        if direct:
            _part(role, "Field", r="BEMAERK")
        table = _part(role, "Table", r="ADRSOEG")
        if page.following is not None:
            table.set("aia", str(page.following))
        if direct:
            _write_direct(table, page, fields)
            _part(role, "Field", r="SEARCH_ID")
        else:
            _write_local(table, page)
    if receipt.in_field:
        role = _part(_part(service, "CprData", u="O"), "Rolle", r="HovedRolle")
        row = _part(_part(role, "Table", r="ADRSOEG"), "Row", k="0")
        _part(row, "Field", r="Kvittxt", v=receipt.text)
    _part(service, "Kvit", r=receipt.kind, t="" if receipt.in_field else receipt.text, v=receipt.code)
    return etree.tostring(root, encoding="ISO-8859-1", xml_declaration=True).decode("iso-8859-1")


def house_parts(text: str) -> tuple[int, str] | None:
    """Number and letter (upper case, or empty) of a house number; None when it is none."""
    match = _HOUSE.fullmatch(text.strip())
    return (int(match[1]), match[2].upper()) if match else None


def house_number_text(house_number: str) -> str:
    """A house number as CPR writes it: three digits and the letter, "12B" -> "012B"."""
    number, letter = house_parts(house_number) or (0, "")
    return f"{number:03d}{letter}"


def _write_local(table: Element, page: Page) -> None:
    for k, row in enumerate(page.rows, page.start):
        element = _part(table, "Row", k=str(k))
        values = _values(row, page.nameless, _LOCAL_DOOR_WIDTH)
        values |= {"AKM": " ", "CPRS_FOEDDATO": row.person["birth_date"].replace("-", "")}
        for name in sorted(values):
            value = values[name]
            if value:
                _part(element, "Field", r=name, v=value, **_spoken(name, row))


def _write_direct(table: Element, page: Page, fields: Mapping[str, str]) -> None:
    digest = hashlib.sha256(repr(sorted(fields.items())).encode()).hexdigest()[:16].upper()
    place: tuple[str, str] | None = None
    written = 0
    for row in page.rows:
        code, street = row.address["municipality_code"], row.address["street_code"]
        municipality = {"t": f"Kommune {code}"}
        if place != (code, street):
            place = (code, street)
            written += 1
            heading = _part(table, "Row", u="B", k=f"{written:04d}{digest}WUS{page.start:05d}")
            _part(heading, "Field", r="KOMKOD", v=code, **municipality, tl=municipality["t"])
            _part(heading, "Field", r="VEJKOD", v=street)
            _part(heading, "Field", r="TABMRK")
        written += 1
        element = _part(table, "Row", k=f"{written:04d}{digest}WUS{page.start:05d}")
        values = _values(row, page.nameless, _DIRECT_DOOR_WIDTH)
        for name in _DIRECT_FIELDS:
            value = values.get(name)
            more = municipality if name == "KOMKOD" else _spoken(name, row)
            _part(element, "Field", r=name, **({"v": value, **more} if value else {}))


_DIRECT_FIELDS = (
    "VEJKOD", "KOMKOD", "HUSNR", "ETAGE", "SIDEDOER", "BNR", "PNR", "CNVN_ADRNVN", "ADRBESKYT", "STARTDATO",
    "SLUTDATO", "CNVN_STATUS", "AKM", "TABMRK",
)  # fmt: skip


def _values(row: Residence, nameless: Sequence[str], door_width: int) -> dict[str, str | None]:
    """The fields of a row that both flavours have."""
    person, address = row.person, row.address
    return {
        "ADRBESKYT": "1" if person["protected"] else None,
        "CNVN_ADRNVN": None if person["pnr"] in nameless else _sorted_name(person),
        "CNVN_STATUS": person["status"],
        "ETAGE": address["floor"].zfill(2) if address["floor"] else None,
        "HUSNR": house_number_text(address["house_number"]),
        "KOMKOD": address["municipality_code"],
        "PNR": person["pnr"],
        "SIDEDOER": address["door"].rjust(door_width) if address["door"] else None,
        "SLUTDATO": _minute(row.moved_out),
        "STARTDATO": _minute(address["moved_in"]),
        "TABMRK": "1",
        "VEJKOD": address["street_code"],
    }


def _spoken(name: str, row: Residence) -> dict[str, str]:
    """The text of a field beside its value: the name the way round that people say it."""
    return {"t": row.person["addressing_name"]} if name == "CNVN_ADRNVN" else {}


def _sorted_name(person: Json) -> str | None:
    """ "Last,First Middle": the name with the last name in front, as CPR sorts it."""
    name, last = person["addressing_name"], person["last_name"]
    if name and last and name.endswith(f" {last}"):
        return f"{last},{name.removesuffix(last).rstrip()}"
    return name


def _minute(day: str | None) -> str | None:
    return f"{day.replace('-', '')}0000" if day else None


def _part(parent: Element, name: str, **attributes: str) -> Element:
    return etree.SubElement(parent, f"{{{NAMESPACE}}}{name}", attributes)
