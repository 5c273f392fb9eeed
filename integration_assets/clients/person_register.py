"""CPR, the Danish person register, through Serviceplatformen: one person by number, residents by address.

Belongs here: SF1520 PersonBaseDataExtended (version 5; 4 differs only in its namespace) and the address search ADRSOG1
(GCTP). Who may ask, and what an answer is used for, is decided by the callers.

Promises: only the fields of `domain.people.parties` are read; relatives, custody and notes never leave the parser. A
search says whether it saw everybody. Does not promise that the register is of today: the replica is updated on weekday
nights; nor does the address search know birth dates as a criterion: that filter is the caller's.
"""

import ssl
from dataclasses import dataclass
from datetime import date

from lxml import etree  # pyright: ignore[reportAttributeAccessIssue] - lxml has no types

from integration_assets.clients.http import PermanentError, RetryPolicy, TransientError, mask
from integration_assets.clients.soap import (
    Element,
    InvocationContext,
    NotFound,
    SoapService,
    child,
    local,
    parse,
    text,
)
from integration_assets.domain.people.parties import AddressKey, Person, RegisteredAddress, Resident, SearchResult

LOOKUP_SERVICE = "4925d7a0-1b5b-11ec-bdc6-b312b83236d4"
SEARCH_SERVICE = "6538f113-b1e6-4b21-8fe1-28b7bf78a1bd"
ROWS_PER_SEARCH = 100
"""Rows asked for (MAXA). The register's own maximum is not published; an answer of so many rows counts as capped."""

_LOOKUP = "http://serviceplatformen.dk/xml/wsdl/soap11/CPR/PersonBaseDataExtended/5/"
_PNR = "http://serviceplatformen.dk/xml/schemas/cpr/PNR/1/"
_SEARCH = "http://serviceplatformen.dk/xml/wsdl/soap11/CprService/2/"
_NOBODY = "172"
_FIELD_WIDTHS = {"VEJK": 4, "HNR": 4, "POST": 4, "ETAG": 2, "SIDO": 4}


class PersonRegister:
    """Both services. Safe for use by several threads."""

    def __init__(
        self,
        person_url: str,
        search_url: str,
        context: InvocationContext,
        *,
        lookup_service: str = LOOKUP_SERVICE,
        search_service: str = SEARCH_SERVICE,
        tls: ssl.SSLContext | bool = True,
        policy: RetryPolicy | None = None,
    ) -> None:
        self._lookup = SoapService(person_url, lookup_service, context, tls=tls, policy=policy)
        self._search = SoapService(search_url, search_service, context, tls=tls, policy=policy)

    def person(self, number: str) -> Person | NotFound:
        """The person of a CPR number of ten digits, by the number that is in force for her now.

        Raises TransientError or PermanentError (agreement, certificate, authority).
        """
        request = etree.Element(f"{{{_LOOKUP}}}PersonLookupRequest", nsmap={None: _LOOKUP})
        request.append(self._lookup.invocation_context())
        etree.SubElement(request, f"{{{_PNR}}}PNR", nsmap={"cpr": _PNR}).text = number
        answer = self._lookup.call(request, f"{_LOOKUP}PersonLookup", unknown="PNR not found")
        data = child(answer, "persondata")
        return NotFound() if data is None else _person(data, child(answer, "adresse", "aktuelAdresse"), number)

    def residents(self, address: AddressKey) -> SearchResult:
        """Everybody who lives or has lived at the address, as far as the register tells.

        An address that does not fit the search's fields (a house number of five characters) has no residents.
        Raises as `person`.
        """
        fields = _search_fields(address)
        if any(len(value) > _FIELD_WIDTHS[name] for name, value in fields.items()):
            return SearchResult((), complete=True)
        request = etree.Element(f"{{{_SEARCH}}}callGCTPCheckServiceRequest", nsmap={None: _SEARCH})
        request.append(self._search.invocation_context())
        etree.SubElement(request, f"{{{_SEARCH}}}gctpMessage").text = _search_message(fields)
        return _search_result(_result_document(self._search.call(request, "")))

    def close(self) -> None:
        """Close the pooled connections."""
        self._lookup.close()
        self._search.close()


def _person(data: Element, address: Element | None, asked: str) -> Person:
    name = child(data, "navn")
    status = text(data, "status", "status")
    return Person(
        number=text(data, "gaeldendePersonnummer") or text(data, "personnummer") or asked,
        status="" if status is None else status.zfill(2),  # an integer here, two digits everywhere else
        first_name=text(name, "fornavn"),
        middle_name=text(name, "mellemnavn"),
        last_name=text(name, "efternavn"),
        addressing_name=text(name, "personadresseringsnavn"),
        gender=text(data, "koen"),
        civil_status=text(data, "civilstand", "civilstand"),
        address_protected=(text(data, "adressebeskyttelse", "beskyttet") or "").lower() in ("true", "1"),
        address=None if address is None else _address(address),
    )


def _address(element: Element) -> RegisteredAddress | None:
    """The registered address in our form: codes of four digits, house number, floor and door without leading zeros."""
    street_code, municipality_code = text(element, "vejkode"), text(element, "kommunekode")
    if street_code is None:
        return None
    house_number = text(element, "husnummer")
    unit_id = text(element, "AdresseUUID")
    return RegisteredAddress(
        municipality_code=None if municipality_code is None else municipality_code.zfill(4),
        street_code=street_code.zfill(4),
        house_number=None if house_number is None else _unpadded(house_number).upper() or None,
        floor=_unpadded(text(element, "etage") or "").lower() or None,
        door=_unpadded(text(element, "sidedoer") or "").lower() or None,
        postcode=text(element, "postnummer"),
        street_name=text(element, "vejnavn"),
        district=text(element, "postdistrikt"),
        unit_id=None if unit_id is None else unit_id.lower(),
    )


def _unpadded(value: str) -> str:
    return value.strip().lstrip("0")


def _search_fields(address: AddressKey) -> dict[str, str]:
    """The address in the fields of ADRSOG1, zero-filled; floor and door only where there are any."""
    given = {
        "VEJK": address.street_code,
        "HNR": address.house_number.upper(),
        "POST": address.postcode,
        "ETAG": (address.floor or "").lower(),
        "SIDO": (address.door or "").lower(),
    }
    return {name: value.strip().zfill(_FIELD_WIDTHS[name]) for name, value in given.items() if value.strip()}


def _search_message(fields: dict[str, str]) -> str:
    message = etree.Element("Gctp", v="1.0")
    service = etree.SubElement(etree.SubElement(message, "System", r="CprSoeg"), "Service", r="ADRSOG1")
    key = etree.SubElement(etree.SubElement(service, "CprServiceHeader", r="ADRSOG1"), "Key")
    for name, value in (*fields.items(), ("MAXA", str(ROWS_PER_SEARCH))):
        etree.SubElement(key, "Field", r=name, v=value)
    return etree.tostring(message, encoding="unicode")


def _result_document(answer: Element | None) -> Element:
    """The GCTP document, which is escaped text inside the SOAP answer (or, from some gateways, real elements)."""
    result = child(answer, "result")
    if result is None:
        raise TransientError("The address search answered without a result.")
    if len(result):
        return result[0]
    document = (result.text or "").lstrip("\ufeff \r\n\t")
    if document.startswith("<?xml"):
        document = document.partition("?>")[2]  # it may name ISO-8859-1, but by now the text is decoded
    try:
        return parse(document.encode())
    except ValueError as failure:
        raise TransientError(f"The address search answered {failure}.") from None


def _search_result(document: Element) -> SearchResult:
    """The residents. Raises PermanentError when the register refuses the search."""
    receipt = next((part for part in document.iter() if local(part) == "Kvit"), None)
    tables = [part for part in document.iter() if local(part) == "Table"]
    if receipt is not None and receipt.get("v") == _NOBODY:
        return SearchResult((), complete=True)
    if receipt is None or not (receipt.get("v") == "900" or (receipt.get("r") or "").lower() == "ok"):
        code = None if receipt is None else receipt.get("v")
        reason = "" if receipt is None else mask(receipt.get("t") or "")
        raise PermanentError(f"The address search was refused with code {code}: {reason}", code=code, text=reason)
    rows = [row for table in tables for row in table if local(row) == "Row"]
    capped = any((table.get("aia") or "").strip() for table in tables) or len(rows) >= ROWS_PER_SEARCH
    return SearchResult(
        tuple(resident for row in rows if (resident := _resident(row)) is not None), complete=not capped
    )


@dataclass(frozen=True)
class _Field:
    value: str
    text: str


def _resident(row: Element) -> Resident | None:
    """A row of the answer. None for a heading (a street's name), which has a mark of its own and no number."""
    fields = {
        part.get("r"): _Field((part.get("v") or "").strip(), (part.get("t") or "").strip())
        for part in row
        if local(part) == "Field" and part.get("r")
    }
    nothing = _Field("", "")
    number = fields.get("PNR", nothing).value
    if row.get("u") is not None or not number:
        return None
    name = fields.get("CNVN_ADRNVN", nothing)
    left = fields.get("SLUTDATO", nothing).value
    return Resident(
        number=number,
        addressing_name=name.text or _forwards(name.value) or None,
        birth_date=_birth_date(fields.get("CPRS_FOEDDATO", nothing).value, number),
        status=fields.get("CNVN_STATUS", nothing).value,
        moved_out=bool(left.strip("0")),
    )


def _forwards(name: str) -> str:
    """Last name, comma, first names, the way round that people say it."""
    last, comma, first = name.partition(",")
    return f"{first} {last}".strip() if comma else name


def _birth_date(value: str, number: str) -> date | None:
    """The date given as yyyymmdd; else by the number, whose seventh digit tells the century. None if no date."""
    if len(value) != 8 or not value.isdecimal():
        if len(number) != 10 or not number.isdecimal():
            return None
        year, seventh = int(number[4:6]), int(number[6])
        if seventh <= 3:
            century = 1900
        elif seventh in (4, 9):
            century = 2000 if year <= 36 else 1900
        else:
            century = 2000 if year <= 57 else 1800
        value = f"{century + year}{number[2:4]}{number[:2]}"
    try:
        return date(int(value[:4]), int(value[4:6]), int(value[6:]))
    except ValueError:
        return None
