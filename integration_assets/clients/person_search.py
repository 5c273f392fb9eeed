"""CPR, the Danish person register, through Serviceplatformen: residents by address.

Belongs here: the search ADRSOG1 of the GCTP family ("CPR Opslag (lokal)"), a message inside the SOAP message. Both of
its flavours are read: the platform's replica, and CPR itself with its headings and empty fields.

Promises: nothing is read by position; a result says whether the register showed everybody. Does not promise that those
found live there now (`moved_out`, `status`), and knows no birth date as a criterion: both filters are the callers'.
The rule by which the register lets one ask on (aia) is inferred from its schema, so that every doubt about it makes a
result incomplete.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Final

from lxml import etree  # pyright: ignore[reportAttributeAccessIssue] - lxml has no types

from integration_assets.clients import register_text, soap_errors
from integration_assets.clients.http import PermanentError, RetryPolicy
from integration_assets.clients.soap import SoapService, new_call_id
from integration_assets.clients.soap_auth import Authentication
from integration_assets.clients.soap_xml import Element, child, local, parse
from integration_assets.domain.people.numbers import Cpr
from integration_assets.domain.people.parties import AddressKey, Resident, SearchResult

SERVICES: Final[Mapping[int, str]] = {2: "6538f113-b1e6-4b21-8fe1-28b7bf78a1bd"}
"""The version that is spoken, and the uuid of the service unless the agreement names another."""

ROWS_PER_SEARCH: Final = 20
"""Rows asked for at a time (MAXA), as in the register's own example. Its maximum is not published: whoever asks for
more cannot tell a silent cut at less from the end. An answer of so many rows counts as cut off."""
PAGES_PER_SEARCH: Final = 100
"""How often one search asks on at most: 2,000 rows, more than stand under one street door."""

_NAMESPACE = "http://serviceplatformen.dk/xml/wsdl/soap11/CprService/2/"
_NOBODY = "172"
_SIGNED_ON = "900"
_WIDTHS = {"VEJK": 4, "HNR": 4, "POST": 4, "KOMK": 4, "ETAG": 2, "SIDO": 4}


class PersonSearchClient:
    """The service at one address, as `domain.people.ports.PersonSearch`. Safe for use by several threads."""

    def __init__(
        self,
        url: str,
        auth: Authentication,
        *,
        timeout_s: float = 30.0,
        policy: RetryPolicy | None = None,
    ) -> None:
        self._service = SoapService("The address search (CPR)", url, auth, timeout_s=timeout_s, policy=policy)

    def residents(self, address: AddressKey) -> SearchResult:
        """Everybody who lives or has lived at the address, as far as the register tells.

        An address that does not fit the search's fields (a house number of five characters) has no residents.
        Raises TransientError, NotAllowedError and PermanentError.
        """
        fields = search_fields(address)
        if any(len(value) > _WIDTHS[name] for name, value in fields.items()):
            return SearchResult((), complete=True)
        hits: dict[Resident, None] = {}
        seen: set[str | None] = {None}
        start: str | None = None
        for _ in range(PAGES_PER_SEARCH):
            try:
                page = self._page(fields, start)
            except PermanentError:
                if start is None:
                    raise
                break  # it does not let us ask on
            hits.update(dict.fromkeys(page.residents))
            if page.next_start is None:
                return SearchResult(tuple(hits), complete=page.rows < ROWS_PER_SEARCH)
            start = page.next_start
            if start in seen:  # it does not get on
                break
            seen.add(start)
        return SearchResult(tuple(hits), complete=False)

    def close(self) -> None:
        """Close the pooled connections."""
        self._service.close()

    def _page(self, fields: Mapping[str, str], start: str | None) -> "Page":
        call_id = new_call_id()
        answer = self._service.call(search_request(fields, start), "", call_id=call_id)
        try:
            document = result_document(answer)
        except ValueError as failure:
            raise soap_errors.temporary(self._service.name, str(failure), call_id=call_id) from None
        refusal = _refusal(document)
        if refusal is not None:
            raise soap_errors.of_receipt(self._service.name, *refusal, call_id)
        return page_of(document)


@dataclass(frozen=True)
class Page:
    """One answer: its residents, how many rows it had in all, and where to ask on (aia; None: nowhere)."""

    residents: tuple[Resident, ...]
    rows: int
    next_start: str | None


def search_fields(address: AddressKey) -> dict[str, str]:
    """The address in the fields of ADRSOG1, zero-filled; floor and door only where there are any.

    The municipality takes the place of the postal code where it is known: a street code is one street in it, and the
    service asks for one of the two.
    """
    municipality_code = (address.municipality_code or "").strip()
    given = {
        "VEJK": address.street_code,
        "HNR": address.house_number.upper(),
        **({"KOMK": municipality_code} if municipality_code else {"POST": address.postcode}),
        "ETAG": (address.floor or "").lower(),
        "SIDO": (address.door or "").lower(),
    }
    return {name: value.strip().zfill(_WIDTHS[name]) for name, value in given.items() if value.strip()}


def search_request(fields: Mapping[str, str], start: str | None = None) -> Element:
    """The request of a search, still without what proves who calls. `start` is where to ask on (AIA)."""
    request = etree.Element(f"{{{_NAMESPACE}}}callGCTPCheckServiceRequest", nsmap={None: _NAMESPACE})
    etree.SubElement(request, f"{{{_NAMESPACE}}}gctpMessage").text = _message(fields, start)
    return request


def _message(fields: Mapping[str, str], start: str | None) -> str:
    """The message as a text that says of itself that it is ISO-8859-1: other characters are written as references."""
    message = etree.Element("Gctp", v="1.0")
    service = etree.SubElement(etree.SubElement(message, "System", r="CprSoeg"), "Service", r="ADRSOG1")
    key = etree.SubElement(etree.SubElement(service, "CprServiceHeader", r="ADRSOG1"), "Key")
    asked_on = {} if start is None else {"AIA": start}
    for name, value in {**fields, **asked_on, "MAXA": str(ROWS_PER_SEARCH)}.items():
        etree.SubElement(key, "Field", r=name, v=value)
    return etree.tostring(message, encoding="ISO-8859-1", xml_declaration=True).decode("iso-8859-1")


def result_document(answer: Element | None) -> Element:
    """The GCTP document, which is escaped text inside the SOAP answer (or, from some gateways, real elements).

    Raises ValueError when there is none.
    """
    result = child(answer, "result")
    if result is None:
        raise ValueError("it answered without a result")
    inner = next((part for part in result if local(part)), None)
    if inner is not None:
        return inner
    document = (result.text or "").lstrip("\ufeff \r\n\t")
    if document.startswith("<?xml"):
        document = document.partition("?>")[2]  # it may name ISO-8859-1, but by now the text is decoded
    try:
        return parse(document.encode())
    except ValueError as failure:
        raise ValueError(f"the search's result is {failure}") from None


def _refusal(document: Element) -> tuple[str | None, str] | None:
    """Code and text of the receipt (Kvit) that says no; None when all say yes, or that nobody lives there."""
    receipts = [part for part in document.iter() if local(part) == "Kvit"]
    refused = next((receipt for receipt in receipts if not _accepted(receipt)), None)
    if receipts and refused is None:
        return None
    more = [value for name, value in _fields(document.iter()) if name == "Kvittxt"]
    said = ["" if refused is None else refused.get("t") or "", *(field.value or field.text for field in more)]
    reason = " ".join(dict.fromkeys(part.strip() for part in said if part.strip()))
    return ("none", "the answer has no receipt") if refused is None else (refused.get("v"), reason)


def _accepted(receipt: Element) -> bool:
    code, kind = (receipt.get("v") or "").strip(), (receipt.get("r") or "").strip().lower()
    return code in (_SIGNED_ON, _NOBODY) or kind == "ok"


def page_of(document: Element) -> Page:
    """The residents of an accepted answer. Nobody at all is a page without rows."""
    tables = [part for part in document.iter() if local(part) == "Table"]
    rows = [row for table in tables for row in table if local(row) == "Row"]
    starts = [start for table in tables if (start := (table.get("aia") or "").strip())]
    residents = (_resident(row) for row in rows)
    return Page(
        tuple(resident for resident in residents if resident is not None), len(rows), starts[-1] if starts else None
    )


@dataclass(frozen=True)
class _Field:
    value: str = ""
    text: str = ""


_NOTHING = _Field()


def _fields(parts: Iterable[Element]) -> Iterable[tuple[str, _Field]]:
    return (
        (part.get("r"), _Field((part.get("v") or "").strip(), (part.get("t") or "").strip()))
        for part in parts
        if local(part) == "Field" and part.get("r")
    )


def _resident(row: Element) -> Resident | None:
    """A row of the answer. None for a heading (a street's name), which has a mark of its own and no number."""
    fields = dict(_fields(row))

    def value(name: str) -> str:
        return fields.get(name, _NOTHING).value

    number = register_text.personal_number(value("PNR"))
    if row.get("u") is not None or number is None:
        return None
    name = fields.get("CNVN_ADRNVN", _NOTHING)
    return Resident(
        number=number,
        addressing_name=name.text or _forwards(name.value) or None,
        birth_date=register_text.compact_day(value("CPRS_FOEDDATO")) or _birth_date_in(number),
        status=value("CNVN_STATUS").zfill(2) if value("CNVN_STATUS") else "",
        moved_out=bool(value("SLUTDATO").strip("0")),
        house_number=register_text.house_number(value("HUSNR")),
        floor=register_text.floor(value("ETAGE")),
        door=register_text.door(value("SIDEDOER")),
        protected=register_text.truth(value("ADRBESKYT").lstrip("0")),
    )


def _forwards(name: str) -> str:
    """Last name, comma, first names, the way round that people say it."""
    last, comma, first = name.partition(",")
    return f"{first.strip()} {last.strip()}".strip() if comma else name


def _birth_date_in(number: str) -> date | None:
    try:
        return Cpr(number).birth_date
    except ValueError:
        return None
