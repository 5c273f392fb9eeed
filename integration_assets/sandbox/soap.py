"""SOAP 1.1 the way Serviceplatformen speaks it: envelopes, the invocation context, faults.

Belongs here: what all its services share. Not here: what a single service answers. Only context mode is played
(an `InvocationContext` in the body); the token mode of the same contracts is not.
"""

import re
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any

from lxml import etree  # pyright: ignore[reportAttributeAccessIssue] - lxml ships no types
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response

from integration_assets.sandbox.systems import SandboxOptions

ENVELOPE_NS = "http://schemas.xmlsoap.org/soap/envelope/"
INVOCATION_NS = "http://serviceplatformen.dk/xml/schemas/InvocationContext/1/"
FAULT_NS = "http://serviceplatformen.dk/xml/schemas/ServiceplatformFault/1/"

_CONTEXT = f"{{{INVOCATION_NS}}}InvocationContext"
_REQUIRED = {
    "ServiceAgreementUUID": "sp_agreement",
    "UserSystemUUID": "sp_user_system",
    "UserUUID": "sp_authority",
    "ServiceUUID": None,
}
_OPTIONAL = ("OnBehalfOfUser", "CallersServiceCallIdentifier", "AccountingInfo")
_OPTIONAL_LENGTH = 255
# Lower case only: the contract's pattern refuses upper-case hexadecimal digits.
_UUID = re.compile(r"[a-f0-9]{8}(-[a-f0-9]{4}){3}-[a-f0-9]{12}")

Element = Any
Endpoint = Callable[[Request], Awaitable[Response]]


class SoapFault(Exception):
    """A fault to answer with. `code` is the error code of a ServiceplatformFault, or None for a fault without detail.

    The text never holds anything of the request's content.
    """

    def __init__(self, text: str, code: str | None = None, *, blame: str = "Server") -> None:
        super().__init__(text)
        self.text = text
        self.code = code
        self.blame = blame


@dataclass(frozen=True)
class Operation:
    """One operation of one service: how it is asked, and the function that answers.

    `answer` gets the request element (the child of the SOAP body, contexts checked) and returns the response element;
    it raises SoapFault. `kind` is what the request log calls it.
    """

    service_uuid: str
    soap_action: str
    request: str
    answer: Callable[[Element], Element]
    kind: str = "lookup"


def endpoint(options: SandboxOptions, *operations: Operation) -> Endpoint:
    """The handler of the operations of one path, told apart by the element in the body.

    Where the sandbox made up an agreement, calls must name it.
    """
    by_request = {operation.request: operation for operation in operations}

    async def handle(request: Request) -> Response:
        request.state.kind = "lookup"
        request.state.objects = []
        if not request.headers.get("content-type", "").startswith("text/xml"):
            return PlainTextResponse("SOAP 1.1 is sent as text/xml", status_code=415)
        body = await request.body()
        action = request.headers.get("soapaction")
        try:
            operation, asked = await run_in_threadpool(_asked, by_request, options, body, action)
            request.state.kind = operation.kind
            answer = await run_in_threadpool(operation.answer, asked)
        except SoapFault as fault:
            return xml_answer(fault_envelope(fault), status=500)
        return xml_answer(envelope(answer), status=200)

    return handle


def parse(text: bytes, encoding: str | None = None) -> Element:
    """The root element of a document. Entities are not resolved and document types are refused: SoapFault."""
    parser = etree.XMLParser(
        encoding=encoding, resolve_entities=False, no_network=True, load_dtd=False, huge_tree=False
    )
    try:
        root = etree.fromstring(text, parser)
    except etree.XMLSyntaxError:
        raise SoapFault("the request is not well-formed XML", blame="Client") from None
    if root.getroottree().docinfo.doctype:
        raise SoapFault("a document type is not allowed", blame="Client")
    return root


def children(element: Element) -> list[Element]:
    """Child elements, without comments and processing instructions."""
    return [child for child in element if isinstance(child.tag, str)]


def leaf(namespace: str, name: str, value: object | None, **attributes: str) -> Element | None:
    """An element with a text; None (left out) for null and for an empty text."""
    if value is None or value == "":
        return None
    element = etree.Element(f"{{{namespace}}}{name}", attributes, nsmap={None: namespace})
    element.text = str(value)
    return element


def node(namespace: str, name: str, *parts: Element | None, **attributes: str) -> Element:
    """An element with child elements; those that are None are left out."""
    element = etree.Element(f"{{{namespace}}}{name}", attributes, nsmap={None: namespace})
    element.extend([part for part in parts if part is not None])
    return element


def _asked(
    operations: Mapping[str, Operation], options: SandboxOptions, body: bytes, action: str | None
) -> tuple[Operation, Element]:
    """The operation that an envelope asks for, and its request element. SoapFault: the call is not valid."""
    request = content_of(body)
    operation = operations.get(request.tag)
    if operation is None:
        raise SoapFault("the operation is unknown here", blame="Client")
    if action is None or action.strip('"') != operation.soap_action:
        raise SoapFault("the SOAPAction header is not the one of the operation", blame="Client")
    _check_context(request, operation, options)
    return operation, request


def _check_context(request: Element, operation: Operation, options: SandboxOptions) -> None:
    contexts = request.findall(_CONTEXT)
    if len(contexts) != 1:
        raise SoapFault("the request holds no InvocationContext", "MissingInvocationContext")
    given: dict[str, str] = {}
    for part in children(contexts[0]):
        name = etree.QName(part)
        if name.namespace != INVOCATION_NS or name.localname not in (*_REQUIRED, *_OPTIONAL) or name.localname in given:
            raise SoapFault("the InvocationContext is not valid", "InvalidInvocationContext")
        given[name.localname] = part.text or ""
    valid = all(_UUID.fullmatch(given.get(name, "")) for name in _REQUIRED)
    if not valid or any(len(given.get(name, "")) > _OPTIONAL_LENGTH for name in _OPTIONAL):
        raise SoapFault("the InvocationContext is not valid", "InvalidInvocationContext")
    if given["ServiceUUID"] != operation.service_uuid:
        raise SoapFault("the service is not the one that was called", "UnknownService")
    for name, setting in _REQUIRED.items():
        expected = options.settings.get(setting) if setting else None
        if expected is not None and given[name] != expected:
            raise SoapFault(f"no agreement is approved for this {name}", "UnknownServiceAgreement")


def envelope(content: Element) -> Element:
    """An envelope with an element as its body."""
    outer = etree.Element(f"{{{ENVELOPE_NS}}}Envelope", nsmap={"soap": ENVELOPE_NS})
    etree.SubElement(outer, f"{{{ENVELOPE_NS}}}Body").append(content)
    return outer


def content_of(text: bytes) -> Element:
    """The one element in the body of an envelope. SoapFault: there is no such thing."""
    outer = parse(text)
    bodies = outer.findall(f"{{{ENVELOPE_NS}}}Body")
    if outer.tag != f"{{{ENVELOPE_NS}}}Envelope" or len(bodies) != 1 or len(children(bodies[0])) != 1:
        raise SoapFault("a SOAP 1.1 envelope holds one body with one element", blame="Client")
    (content,) = children(bodies[0])
    return content


def fault_envelope(fault: SoapFault) -> Element:
    """An envelope with a fault."""
    element = etree.Element(f"{{{ENVELOPE_NS}}}Fault", nsmap={"soap": ENVELOPE_NS})
    # The children of a SOAP 1.1 fault stand in no namespace.
    etree.SubElement(element, "faultcode").text = f"soap:{fault.blame}"
    etree.SubElement(element, "faultstring").text = fault.text
    if fault.code is not None:
        error = node(
            FAULT_NS, "Error", leaf(FAULT_NS, "ErrorCode", fault.code), leaf(FAULT_NS, "ErrorText", fault.text)
        )
        detail = etree.SubElement(element, "detail")
        detail.append(node(FAULT_NS, "ServiceplatformFault", node(FAULT_NS, "ErrorList", error)))
    return envelope(element)


def xml_answer(element: Element, status: int) -> Response:
    """An answer with a document."""
    content = etree.tostring(element, encoding="UTF-8", xml_declaration=True)
    return Response(content, status_code=status, media_type="text/xml")
