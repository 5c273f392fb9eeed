"""SOAP 1.1 as Serviceplatformen (KOMBIT) wants it: envelope, call, answer.

Belongs here: what its services share, whoever proves what about the caller (`soap_auth`) and whatever a fault means
(`soap_errors`). What a service is asked and answers is in its own module.

Promises: every call has an id of its own, which the platform keeps and each error names; a call that failed in passing
is tried again as the retry policy says; no text of a request reaches an error. Only for requests that do no harm when
they arrive twice.
"""

import time
import uuid

import httpx
from lxml import etree  # pyright: ignore[reportAttributeAccessIssue] - lxml has no types

from integration_assets.clients import soap_errors
from integration_assets.clients.http import CallError, HttpClient, PermanentError, RetryPolicy
from integration_assets.clients.soap_auth import Authentication
from integration_assets.clients.soap_xml import Element, child, local, parse

_ENVELOPE = "http://schemas.xmlsoap.org/soap/envelope/"


class SoapService:
    """One service of the platform at one address. Safe for use by several threads.

    `name` begins the sentences of its errors ("The person look-up (CPR)"). `timeout_s` is the longest wait for an
    answer, in seconds.
    """

    def __init__(
        self,
        name: str,
        url: str,
        auth: Authentication,
        *,
        timeout_s: float = 30.0,
        policy: RetryPolicy | None = None,
    ) -> None:
        self.name = name
        self._url = url
        self._auth = auth
        self._policy = policy or RetryPolicy()
        self._http = HttpClient(url, read_timeout_s=timeout_s, tls=auth.tls, mutual_tls=True, policy=self._policy)

    def envelope(self, request: Element, call_id: str) -> Element:
        """The envelope around a request, completed by what proves who calls. Takes the request element over."""
        envelope = etree.Element(f"{{{_ENVELOPE}}}Envelope", nsmap={"soap": _ENVELOPE})
        etree.SubElement(envelope, f"{{{_ENVELOPE}}}Body").append(request)
        self._auth.complete(envelope, request, call_id)
        return envelope

    def call(
        self, request: Element, action: str, *, unknown: str | None = None, call_id: str | None = None
    ) -> Element | None:
        """Send a request and return the element in the body of its answer.

        None when it is answered by a fault that says the phrase `unknown`: the services have no better way to tell
        that they do not know somebody. `call_id` is made up unless given. Raises TransientError (also when a gateway
        answers in the service's place), NotAllowedError and PermanentError.
        """
        call_id = call_id or new_call_id()
        content = etree.tostring(self.envelope(request, call_id), encoding="UTF-8", xml_declaration=True)
        attempt = 0
        while True:
            attempt += 1
            spent = False
            try:
                return _answer(self._post(content, action))
            except soap_errors.SoapFault as fault:
                if unknown is not None and fault.says(unknown):
                    return None
                error = soap_errors.of_fault(self.name, fault, call_id)
            except _NoAnswer as failure:
                error = soap_errors.temporary(self.name, str(failure), call_id=call_id, status=failure.status)
            except CallError as failure:
                error, spent = soap_errors.of_call(self.name, failure, call_id), True  # it has been tried again
            # Raised out here, so that it drags no other error along: that one's texts were not gone through.
            if spent or isinstance(error, PermanentError) or attempt >= self._policy.attempts_500:
                raise error
            time.sleep(self._policy.pause_s(attempt, None))

    def close(self) -> None:
        """Close the pooled connections."""
        self._http.close()

    def _post(self, content: bytes, action: str) -> httpx.Response:
        return self._http.request(
            "POST",
            self._url,
            content=content,
            headers={"Content-Type": "text/xml; charset=utf-8", "SOAPAction": f'"{action}"'},
            idempotent=True,
            accept=(500,),
        )


def new_call_id() -> str:
    """An id for one call (CallersServiceCallIdentifier), by which both sides find it in their logs."""
    return str(uuid.uuid4())


class _NoAnswer(Exception):
    """What came is no SOAP answer: some gateway's page, or half an envelope."""

    def __init__(self, message: str, status: int) -> None:
        super().__init__(message)
        self.status = status


def _answer(response: httpx.Response) -> Element:
    try:
        body = child(parse(response.content), "Body")
    except ValueError as failure:
        raise _NoAnswer(f"the answer is {failure}", response.status_code) from None
    content = next((part for part in body if local(part)), None) if body is not None else None
    if content is None:
        raise _NoAnswer("the answer is an empty envelope", response.status_code)
    if local(content) != "Fault":
        return content
    raise soap_errors.fault_of(content)
