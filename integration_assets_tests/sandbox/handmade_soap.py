"""SOAP envelopes of Serviceplatformen written by hand, and reading what comes back, for the tests of the registers."""

from typing import Any

import httpx
from lxml import etree

AGREEMENT = "11111111-2222-4333-8444-555555555555"

ENVELOPE = "{http://schemas.xmlsoap.org/soap/envelope/}"
FAULT = "{http://serviceplatformen.dk/xml/schemas/ServiceplatformFault/1/}"


def context(service: str, agreement: str = AGREEMENT, system: str = "00000000-0000-0000-0000-00000000000a") -> str:
    return (
        '<i:InvocationContext xmlns:i="http://serviceplatformen.dk/xml/schemas/InvocationContext/1/">'
        f"<i:ServiceAgreementUUID>{agreement}</i:ServiceAgreementUUID>"
        f"<i:UserSystemUUID>{system}</i:UserSystemUUID>"
        "<i:UserUUID>00000000-0000-0000-0000-00000000000b</i:UserUUID>"
        f"<i:ServiceUUID>{service}</i:ServiceUUID><i:OnBehalfOfUser>Prøve</i:OnBehalfOfUser>"
        "</i:InvocationContext>"
    )


def send(url: str, body: str, action: str, encoding: str = "utf-8") -> httpx.Response:
    envelope = (
        f'<?xml version="1.0" encoding="{encoding}"?>'
        '<s:Envelope xmlns:s="http://schemas.xmlsoap.org/soap/envelope/"><s:Body>'
        f"{body}</s:Body></s:Envelope>"
    )
    headers = {"content-type": f"text/xml; charset={encoding}", "soapaction": f'"{action}"'}
    return httpx.post(url, content=envelope.encode(encoding), headers=headers, timeout=30)


def body_of(answer: httpx.Response) -> etree._Element:
    assert answer.headers["content-type"].startswith("text/xml")
    (body,) = etree.fromstring(answer.content)
    assert body.tag == f"{ENVELOPE}Body"
    (content,) = body
    return content


def fault_of(answer: httpx.Response) -> tuple[str, str | None]:
    assert answer.status_code == 500
    fault = body_of(answer)
    assert fault.tag == f"{ENVELOPE}Fault"
    return fault.findtext("faultstring"), fault.findtext(f"detail/{FAULT}ServiceplatformFault//{FAULT}ErrorCode")


def tree(element: etree._Element) -> Any:
    """Names and texts of a subtree, in order."""
    return {etree.QName(part).localname: tree(part) for part in element} if len(element) else element.text
