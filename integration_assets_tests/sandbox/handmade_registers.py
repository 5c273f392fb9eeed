"""Invented people of the register, and asking for them with envelopes written by hand."""

from typing import Any
from xml.sax.saxutils import escape, quoteattr

import httpx
from lxml import etree

from integration_assets_tests.sandbox.handmade_soap import body_of, context, send

PERSON_SERVICE = "4925d7a0-1b5b-11ec-bdc6-b312b83236d4"
FORMER_PERSON_SERVICE = "e6be2436-bf35-4df2-83fe-925142825dc2"
SEARCH_SERVICE = "6538f113-b1e6-4b21-8fe1-28b7bf78a1bd"

P = "{http://serviceplatformen.dk/xml/wsdl/soap11/CPR/PersonBaseDataExtended/5/}"
S = "{http://serviceplatformen.dk/xml/wsdl/soap11/CprService/2/}"
CPR = "{http://www.cpr.dk}"

HOME = {
    "municipality_code": "0461", "street_code": "0012", "house_number": "12B", "floor": "1", "door": "th",
    "postcode": "5000", "district": "Odense C", "street_name": "Prøvegade",
    "unit_id": "0a3f50a0-0000-42b8-8044-0003ba298018", "moved_in": "2015-03-01",
}  # fmt: skip

Json = dict[str, Any]


def person(number: str, name: str | None, **changes: Any) -> Json:
    first, _, last = (name or "").rpartition(" ")
    return {
        "pnr": number,
        "status": "01",
        "first_name": first or None,
        "middle_name": None,
        "last_name": last or None,
        "addressing_name": name,
        "gender": "K",
        "civil_status": "G",
        "protected": False,
        "birth_date": "1981-03-13",
        "address": HOME,
        "former_addresses": [],
        **changes,
    }


def look_up(url: str, number: str, version: int = 5, **changes: str) -> httpx.Response:
    namespace = P[1:-2].removesuffix("5") + f"{version}/"
    request = (
        f'<PersonLookupRequest xmlns="{namespace}">{context(changes.pop("service", PERSON_SERVICE), **changes)}'
        f'<PNR xmlns="http://serviceplatformen.dk/xml/schemas/cpr/PNR/1/">{number}</PNR></PersonLookupRequest>'
    )
    return send(url + f"/service/CPR/PersonBaseDataExtended/{version}", request, f"{namespace}PersonLookup")


def search(url: str, encoding: str = "utf-8", service: str = "ADRSOG1", **fields: str) -> etree._Element:
    listed = "".join(f'<Field r="{name}" v={quoteattr(value)}/>' for name, value in fields.items())
    message = (
        '<?xml version="1.0" encoding="iso-8859-1" standalone="yes"?><Gctp v="1.0"><System r="CprSoeg">'
        f'<Service r="{service}"><CprServiceHeader r="{service}"><Key>{listed}</Key></CprServiceHeader></Service>'
        "</System></Gctp>"
    )
    request = (
        f'<c:callGCTPCheckServiceRequest xmlns:c="{S[1:-1]}">{context(SEARCH_SERVICE)}'
        f"<c:gctpMessage>{escape(message)}</c:gctpMessage></c:callGCTPCheckServiceRequest>"
    )
    answer = send(url + "/service/CPRLookup/CPRLookup/2", request, "", encoding)
    assert answer.status_code == 200, answer.text
    response = body_of(answer)
    assert response.tag == f"{S}callGCTPCheckServiceResponse"
    (result,) = response
    assert result.tag == f"{S}result"
    assert len(result) == 0, "the answer is a text with XML in it, not XML"
    assert result.text is not None
    return etree.fromstring(result.text.encode("iso-8859-1"))


def found(root: etree._Element) -> list[dict[str, str]]:
    return [{field.get("r"): field.get("v") for field in row} for row in root.iter(f"{CPR}Row")]


def numbers(root: etree._Element) -> list[str]:
    return [row["PNR"] for row in found(root)]
