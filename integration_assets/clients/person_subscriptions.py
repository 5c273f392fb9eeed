"""Subscriptions to the changes of persons in CPR, through Serviceplatformen.

Belongs here: SF6002 CPR Abonnement (CprSubscriptionService version 1), for single persons. Its other filters (age,
municipality, kind of event) are neither used nor touched. The events themselves come as files, by another module.

Promises: subscribing twice and ending twice are no errors. Does not promise that a subscription delivers today: the
register's files follow on the next weekdays.
"""

from collections.abc import Collection, Mapping
from typing import Final

from lxml import etree  # pyright: ignore[reportAttributeAccessIssue] - lxml has no types

from integration_assets.clients import register_text, soap_errors
from integration_assets.clients.http import PermanentError, RetryPolicy
from integration_assets.clients.person_lookup import may_be_asked, pnr_element
from integration_assets.clients.soap import SoapService, new_call_id
from integration_assets.clients.soap_auth import Authentication
from integration_assets.clients.soap_xml import Element, local, text

SERVICES: Final[Mapping[int, str]] = {1: "9cdccc2f-3243-11e2-8fef-d4bed98c5934"}
"""The version that is spoken, and the uuid of the service unless the agreement names another."""

_NAMESPACE = "http://serviceplatformen.dk/xml/wsdl/soap11/CprSubscriptionService/1/"
_ADDED = ("ADDED", "ALREADY_EXISTED")
_REMOVED = ("REMOVED", "NON_EXISTING_PNR")


class PersonSubscriptionsClient:
    """The service at one address, as `domain.people.ports.PersonSubscriptions`. Safe for use by several threads."""

    def __init__(
        self,
        url: str,
        auth: Authentication,
        *,
        timeout_s: float = 30.0,
        policy: RetryPolicy | None = None,
    ) -> None:
        self._service = SoapService("The person subscription (CPR)", url, auth, timeout_s=timeout_s, policy=policy)

    def add(self, number: str) -> None:
        """Subscribe to a person; nothing happens where that is so already.

        Raises TransientError, NotAllowedError and PermanentError; the last also for what is no whole CPR number, which
        is never sent.
        """
        if not may_be_asked(number):
            raise PermanentError(f"{self._service.name} takes whole CPR numbers only; nothing was sent.")
        self._change(add_request(number), _ADDED)

    def remove(self, number: str) -> None:
        """End the subscription to a person; nothing happens where there is none, or can be none.

        Raises TransientError, NotAllowedError and PermanentError.
        """
        if may_be_asked(number):
            self._change(remove_request(number), _REMOVED)

    def subscribed(self) -> frozenset[str]:
        """The numbers of everybody subscribed to. Raises TransientError, NotAllowedError and PermanentError."""
        return subscribed_in(self._service.call(filters_request(), ""))

    def close(self) -> None:
        """Close the pooled connections."""
        self._service.close()

    def _change(self, request: Element, good: Collection[str]) -> None:
        call_id = new_call_id()
        result = text(self._service.call(request, "", call_id=call_id), "Result") or "no result"
        if result.upper() not in good:
            reason = f"it answered {soap_errors.without_content(result)}"
            raise soap_errors.permanent(self._service.name, reason, call_id=call_id)


def add_request(number: str) -> Element:
    """The request that subscribes to a person, still without what proves who calls."""
    return _request("AddPNRSubscription", pnr_element(number))


def remove_request(number: str) -> Element:
    """The request that ends the subscription to a person, still without what proves who calls."""
    return _request("RemovePNRSubscription", pnr_element(number))


def filters_request() -> Element:
    """The request for everything subscribed to, still without what proves who calls."""
    return _request("GetAllFilters")


def subscribed_in(answer: Element | None) -> frozenset[str]:
    """The personal numbers of a `GetAllFiltersResponse`."""
    found = (
        [] if answer is None else [register_text.personal_number(part.text) for part in answer if local(part) == "PNR"]
    )
    return frozenset(number for number in found if number is not None)


def _request(operation: str, *parts: Element) -> Element:
    request = etree.Element(f"{{{_NAMESPACE}}}{operation}", nsmap={None: _NAMESPACE})
    request.extend(parts)
    return request
