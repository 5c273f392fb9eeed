"""What Serviceplatformen's services answer, written after the public contracts, for the tests of their clients.

Numbers and persons are invented (or of the official fictive person Jens Mortensen).
"""

import uuid
from typing import Any
from xml.sax.saxutils import escape

from lxml import etree

from integration_assets.clients.soap_auth import InvocationContextAuth, platform_uuid
from integration_assets_tests.clients.wire import Reply, Seen

INV = "{http://serviceplatformen.dk/xml/schemas/InvocationContext/1/}"
PNR = "{http://serviceplatformen.dk/xml/schemas/cpr/PNR/1/}PNR"
GCTP = "http://serviceplatformen.dk/xml/wsdl/soap11/CprService/2/"
SERVICE = "99999999-0000-4000-8000-000000000009"
AGREEMENT = "00000000-0000-0000-0000-00000000000a"


def auth(service: str = SERVICE, **more: Any) -> InvocationContextAuth:
    """Context mode with made-up ids, which were typed in upper case."""
    return InvocationContextAuth(
        service=platform_uuid(service, "service"),
        service_agreement=platform_uuid(AGREEMENT.upper(), "sp_agreement"),
        user_system=platform_uuid("00000000-0000-0000-0000-000000000002", "sp_user_system"),
        user=platform_uuid("00000000-0000-0000-0000-000000000003", "sp_authority"),
        **more,
    )


def envelope(content: str) -> bytes:
    return (
        '<?xml version="1.0" encoding="UTF-8"?><s:Envelope xmlns:s="http://schemas.xmlsoap.org/soap/envelope/">'
        f"<s:Header/><s:Body>{content}</s:Body></s:Envelope>"
    ).encode()


def xml(content: str, status: int = 200) -> Reply:
    return Reply(status, envelope(content), {"Content-Type": "text/xml; charset=utf-8"})


def fault(text: str, code: str | None = None, blame: str = "Server", detail: str = "") -> Reply:
    namespace = "http://serviceplatformen.dk/xml/schemas/ServiceplatformFault/1/"
    error = f"<ErrorList><Error><ErrorCode>{code}</ErrorCode><ErrorText>{text}</ErrorText></Error></ErrorList>"
    if code:
        detail = f'<ServiceplatformFault xmlns="{namespace}">{error}</ServiceplatformFault>'
    return xml(
        f"<s:Fault><faultcode>s:{blame}</faultcode><faultstring>{text}</faultstring>"
        f"{f'<detail>{detail}</detail>' if detail else ''}</s:Fault>",
        status=500,
    )


def row(attributes: str = 'k="0"', **fields: str) -> str:
    """A row of an address search; a field's text is its attributes (`v="…" t="…"`)."""
    inner = "".join(f'<Field r="{name}" {value}/>' for name, value in fields.items())
    return f"<Row {attributes}>{inner}</Row>"


def found_rows(rows: str, table: str = "", receipt: str = '<Kvit r="Ok" t="" v="0"/>') -> Reply:
    document = (
        '<?xml version="1.0" encoding="ISO-8859-1"?><root xmlns="http://www.cpr.dk"><Gctp v="1.0"><System r="CprSoeg">'
        '<Service r="ADRSOG1"><CprServiceHeader r="ADRSOG1"/><CprData u="O"><Rolle r="HovedRolle">'
        f'<Table r="ADRSOEG" {table}>{rows}</Table></Rolle></CprData>{receipt}</Service></System></Gctp></root>'
    )
    return result(document)


def result(document: str) -> Reply:
    return xml(
        f'<callGCTPCheckServiceResponse xmlns="{GCTP}"><result>{escape(document)}</result>'
        "</callGCTPCheckServiceResponse>"
    )


def request_in(seen: Seen) -> Any:
    """The element in the body of a request."""
    return etree.fromstring(seen.body)[0][0]


def context_in(seen: Seen) -> dict[str, str]:
    """The invocation context of a request by local name, which stands in front of everything else."""
    context = request_in(seen)[0]
    assert context.tag == f"{INV}InvocationContext"
    return {part.tag.removeprefix(INV): part.text for part in context}


def searched_for(seen: Seen) -> dict[str, str]:
    """The fields of the GCTP message in a request."""
    message = etree.fromstring(request_in(seen)[1].text.encode("iso-8859-1"))
    return {field.get("r"): field.get("v") for field in message.iter("Field")}


def is_uuid(text: str) -> bool:
    return str(uuid.UUID(text)) == text
