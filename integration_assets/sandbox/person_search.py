"""The address search of the sandbox's person register: the GCTP message ADRSOG1.

Belongs here: reading a GCTP request, finding residents, paging. The answer is a text with XML inside that SOAP carries
escaped; `person_search_answer` writes it. Former residents are rows with a SLUTDATO. There is no birth date to search
by.
"""

import re
from collections import defaultdict
from operator import is_
from typing import Any

from lxml import etree  # pyright: ignore[reportAttributeAccessIssue] - lxml ships no types

from integration_assets.sandbox.person_search_answer import SERVICE, Page, Receipt, Residence, document, house_parts
from integration_assets.sandbox.register_switches import Switches, switches
from integration_assets.sandbox.soap import Element, parse
from integration_assets.sandbox.store import Store

_DEFAULT_ROWS = 20
# The true maximum is not public; the sandbox has one so that a caller cannot ask it away.
_MOST_ROWS = 100
_SEARCHED = frozenset({"VEJK", "VNVN", "POST", "KOMK", "HNR", "ETAG", "SIDO", "KON", "MAXA", "AIA"})
_NUMBER = re.compile(r"\d*")

_WRONG_FIELD = "16"
_NO_ACCESS = "184"
_OK = Receipt("Ok", "0", "")

Json = dict[str, Any]


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
        self._streets: dict[str, list[Residence]] = {}

    def answer(self, message: str) -> str:
        """The GCTP answer to a GCTP request. Raises SoapFault when the message is no XML."""
        root = parse(message.encode("iso-8859-1", "xmlcharrefreplace"), "iso-8859-1")
        now = switches(self._store)
        fields = {field.get("r"): (field.get("v") or "").strip() for field in root.iter() if _local(field) == "Field"}
        refusal = _refusal(root, fields, now)
        if refusal is not None:
            return document(None, refusal, now.flavour, fields)
        return document(self._page(fields, now), _OK, now.flavour, fields)

    def _page(self, fields: dict[str, str], now: Switches) -> Page:
        found = sorted((row for row in self._candidates(fields) if _fits(row, fields)), key=lambda row: row.order)
        start = int(fields.get("AIA") or 0)
        most = min(int(fields.get("MAXA") or _DEFAULT_ROWS), now.capped_rows or _MOST_ROWS, _MOST_ROWS)
        following = start + most if len(found) > start + most and now.paging != "hidden" else None
        return Page(found[start : start + most], start, following, now.nameless)

    def _candidates(self, fields: dict[str, str]) -> list[Residence]:
        self._refresh()
        code = fields.get("VEJK")
        return self._streets.get(code.zfill(4) if code else fields["VNVN"].casefold(), [])

    def _refresh(self) -> None:
        persons = list(self._store.load(self._collection).values())
        if len(persons) == len(self._indexed) and all(map(is_, persons, self._indexed)):
            return
        streets: dict[str, list[Residence]] = defaultdict(list)
        for person in persons:
            current = person["address"]
            for address in [*([current] if current else []), *person["former_addresses"]]:
                residence = _residence(person, address)
                streets[address["street_code"]].append(residence)
                streets[address["street_name"].casefold()].append(residence)
        self._streets = dict(streets)
        self._indexed = persons


def _residence(person: Json, address: Json) -> Residence:
    order = (
        address["municipality_code"],
        address["street_code"],
        house_parts(address["house_number"]) or (0, address["house_number"]),
        _floor(address["floor"]),
        _door(address["door"]),
        address.get("moved_out") or "",
        address["moved_in"] or "",
        person["pnr"],
    )
    return Residence(person, address, address.get("moved_out"), order)


def _refusal(root: Element, fields: dict[str, str], now: Switches) -> Receipt | None:
    """The receipt of a search that is not carried out, or None."""
    if now.receipt_code is not None:
        return Receipt("Fejl", now.receipt_code, now.receipt_text, now.receipt_place == "field")
    service = next((element for element in root.iter() if _local(element) == "Service"), None)
    if service is None or service.get("r") != SERVICE:
        return Receipt("Fejl", _NO_ACCESS, "ingen adgang til funktionen")
    complaint = _complaint(fields)
    if complaint is None and now.paging == "refused" and int(fields.get("AIA") or 0):
        complaint = "AIA kan ikke anvendes"
    return Receipt("Fejl", _WRONG_FIELD, complaint) if complaint else None


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
    if fields.get("HNR") and house_parts(fields["HNR"]) is None:
        return "HNR er ikke et husnummer"
    return None


def _fits(row: Residence, fields: dict[str, str]) -> bool:
    address = row.address
    return all(
        not fields.get(name) or wanted(fields[name]) == has
        for name, wanted, has in (
            ("POST", lambda text: text.zfill(4), address["postcode"]),
            ("KOMK", lambda text: text.zfill(4), address["municipality_code"]),
            ("HNR", house_parts, row.order[2]),
            ("ETAG", _floor, row.order[3]),
            ("SIDO", _door, row.order[4]),
            ("KON", str.upper, row.person["gender"]),
        )
    )


def _floor(text: str | None) -> str:
    return (text or "").strip().lower().lstrip("0")


def _door(text: str | None) -> str:
    return (text or "").strip().lower().lstrip("0")


def _local(element: Element) -> str:
    # Requests come with and without the namespace of CPR.
    return etree.QName(element).localname if isinstance(element.tag, str) else ""
