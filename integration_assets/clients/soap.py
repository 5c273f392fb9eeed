"""SOAP 1.1 as Serviceplatformen (KOMBIT) wants it: envelope, invocation context, faults.

Belongs here: what its services share in context mode (client certificate and `InvocationContext`). What a service
answers is in its own module.

Promises: answers are parsed without entities, document types or network; no text of a request reaches an error. Does
not promise token mode (AuthorityContext and a SAML token), which the same services offer.
"""

import re
import ssl
import time
from dataclasses import dataclass
from typing import Any

import httpx
from lxml import etree  # pyright: ignore[reportAttributeAccessIssue] - lxml has no types

from integration_assets.clients.http import CallError, HttpClient, PermanentError, RetryPolicy, TransientError, mask

_ENVELOPE = "http://schemas.xmlsoap.org/soap/envelope/"
_INVOCATION = "http://serviceplatformen.dk/xml/schemas/InvocationContext/1/"

Element = Any
"""An lxml element (lxml has no public name for its type)."""


@dataclass(frozen=True)
class InvocationContext:
    """Who calls, and by which agreement: all uuids. `user` is the authority on whose behalf the call is made.

    `on_behalf_of` is free text that the register writes into its audit trail.
    """

    service_agreement: str
    user_system: str
    user: str
    on_behalf_of: str | None = None


@dataclass(frozen=True)
class NotFound:
    """The register knows nobody, and no company, of that number."""


class SoapFault(Exception):
    """A fault. `code` is the error code of a ServiceplatformFault, None for a fault without that detail.

    `ours` says that the service blames the request (SOAP's Client fault).
    """

    def __init__(self, code: str | None, text: str, *, ours: bool) -> None:
        super().__init__(text)
        self.code = code
        self.text = text
        self.ours = ours

    def says(self, phrase: str) -> bool:
        """Whether code or text contains the phrase, whatever its case and blanks."""
        return _squeezed(phrase) in _squeezed(f"{self.code or ''} {self.text}")

    def as_call_error(self) -> CallError:
        """The platform's own faults stay; others come from the registers behind it and are often sporadic."""
        kind = PermanentError if self.ours or self.code is not None else TransientError
        return kind(f"The service answered with a fault: {self.text}", status=500, code=self.code, text=self.text)


class SoapService:
    """One service of the platform at one address. Safe for use by several threads."""

    def __init__(
        self,
        url: str,
        service_uuid: str,
        context: InvocationContext,
        *,
        tls: ssl.SSLContext | bool = True,
        timeout_s: float = 30.0,
        policy: RetryPolicy | None = None,
    ) -> None:
        self._url = url
        self._service_uuid = service_uuid
        self._context = context
        self._policy = policy or RetryPolicy()
        self._http = HttpClient(url, read_timeout_s=timeout_s, tls=tls, policy=self._policy)

    def invocation_context(self) -> Element:
        """The element that a request must hold. The platform takes lower-case uuids only."""
        element = etree.Element(f"{{{_INVOCATION}}}InvocationContext", nsmap={"inv": _INVOCATION})
        for name, value in (
            ("ServiceAgreementUUID", self._context.service_agreement.lower()),
            ("UserSystemUUID", self._context.user_system.lower()),
            ("UserUUID", self._context.user.lower()),
            ("ServiceUUID", self._service_uuid.lower()),
            ("OnBehalfOfUser", self._context.on_behalf_of),
        ):
            if value:
                etree.SubElement(element, f"{{{_INVOCATION}}}{name}").text = value[:255]
        return element

    def call(self, request: Element, action: str, *, unknown: str | None = None) -> Element | None:
        """Send a look-up and return the element in the body of its answer.

        None when it is answered by a fault that says the phrase `unknown`: the services have no better way to tell
        that they do not know somebody. Raises TransientError (also when a gateway answers in the service's place) and
        PermanentError.
        """
        envelope = etree.Element(f"{{{_ENVELOPE}}}Envelope", nsmap={"soap": _ENVELOPE})
        etree.SubElement(envelope, f"{{{_ENVELOPE}}}Body").append(request)
        content = etree.tostring(envelope, encoding="UTF-8", xml_declaration=True)
        attempt = 0
        while True:
            attempt += 1
            response = self._http.request(
                "POST",
                self._url,
                content=content,
                headers={"Content-Type": "text/xml; charset=utf-8", "SOAPAction": f'"{action}"'},
                idempotent=True,  # look-ups only
                accept=(500,),
            )
            try:
                return _answer(response)
            except SoapFault as fault:
                if unknown is not None and fault.says(unknown):
                    return None
                error = fault.as_call_error()
            except TransientError as failure:
                error = failure
            if isinstance(error, PermanentError) or attempt >= self._policy.attempts_500:
                raise error
            time.sleep(self._policy.pause_s(attempt, None))

    def close(self) -> None:
        """Close the pooled connections."""
        self._http.close()


def parse(content: bytes) -> Element:
    """The root of a document. Raises ValueError when it is not well-formed or has a document type."""
    parser = etree.XMLParser(resolve_entities=False, no_network=True, load_dtd=False, huge_tree=False)
    try:
        root = etree.fromstring(content, parser)
    except etree.XMLSyntaxError:
        raise ValueError("not well-formed XML") from None
    if root.getroottree().docinfo.doctype:
        raise ValueError("a document type is not allowed")
    return root


def local(element: Element) -> str:
    """The name without namespace; empty for comments. Versions of the contracts differ in the namespace only."""
    return etree.QName(element).localname if isinstance(element.tag, str) else ""


def child(element: Element | None, *path: str) -> Element | None:
    """The first element along a path of local names, or None."""
    for name in path:
        if element is None:
            return None
        element = next((part for part in element if local(part) == name), None)
    return element


def text(element: Element | None, *path: str) -> str | None:
    """The stripped text at the end of a path of local names; None when absent or empty."""
    found = child(element, *path)
    value = (found.text or "").strip() if found is not None else ""
    return value or None


def _answer(response: httpx.Response) -> Element:
    try:
        body = child(parse(response.content), "Body")
    except ValueError as failure:
        raise TransientError(f"The service answered {failure}.", status=response.status_code) from None
    content = next((part for part in body if local(part)), None) if body is not None else None
    if content is None:
        raise TransientError("The service answered an empty envelope.", status=response.status_code)
    if local(content) != "Fault":
        return content
    error = next((part for part in content.iter() if local(part) == "Error"), None)
    blame = text(content, "faultcode") or ""
    parts = [text(content, "faultstring"), text(error, "ErrorText")]
    raise SoapFault(
        text(error, "ErrorCode")
        or ("ServiceplatformFault" if child(content, "detail", "ServiceplatformFault") is not None else None),
        mask(": ".join(dict.fromkeys(part for part in parts if part))),
        ours=blame.rpartition(":")[2] in ("Client", "VersionMismatch", "MustUnderstand"),
    )


def _squeezed(value: str) -> str:
    return re.sub(r"\s", "", value).lower()
