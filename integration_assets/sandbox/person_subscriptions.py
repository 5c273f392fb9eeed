"""The subscriptions of the sandbox: CPR Abonnement (SF6002), whose changes the person register tells of.

Belongs here: the SOAP operations on personal numbers, and who is subscribed to. What a subscription leads to, files
with events, is in `event_outbox`. The service's other filters (age ranges, municipalities, event codes) are not played:
nobody has any.
"""

from collections.abc import Callable

from starlette.applications import Starlette
from starlette.routing import Route

from integration_assets.sandbox.soap import Element, Operation, SoapFault, children, endpoint, leaf, node
from integration_assets.sandbox.store import Store
from integration_assets.sandbox.systems import SandboxOptions

MUTUAL_TLS = True
COLLECTION = "register:subscriptions"
PATH = "/service/CPRSubscription/CPRSubscription/1/"

_SERVICE = "9cdccc2f-3243-11e2-8fef-d4bed98c5934"
_NS = "http://serviceplatformen.dk/xml/wsdl/soap11/CprSubscriptionService/1/"
_PNR_NS = "http://serviceplatformen.dk/xml/schemas/cpr/PNR/1/"
_INVOCATION_TAG = "{http://serviceplatformen.dk/xml/schemas/InvocationContext/1/}InvocationContext"
_PNR_LENGTH = 10
_FILTER_GROUPS = ("PNR", "AgeRange", "MunicipalityCode", "EventChangeCode")


def build(store: Store, options: SandboxOptions) -> Starlette:
    """The application; it keeps the numbers in `register:subscriptions`, each under itself."""
    subscriptions = Subscriptions(store)
    operations = [
        _operation("AddPNRSubscription", subscriptions.add),
        _operation("RemovePNRSubscription", subscriptions.remove),
        _operation("RemoveAll", subscriptions.remove_all),
        _operation("GetAllFilters", subscriptions.filters, kind="lookup"),
    ]
    return Starlette(routes=[Route(PATH, endpoint(options, *operations), methods=["POST"])])


def settings(url: str, _options: SandboxOptions) -> dict[str, str]:
    """The product setting that leads here: the full address of the service."""
    return {"person_subscription_url": url + PATH}


class Subscriptions:
    """The operations of the service: each takes a request element and returns the response element."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def add(self, request: Element) -> Element:
        """Subscribe to a number; it need not be one that the register knows."""
        number = _number(request)
        known = number in self._store.load(COLLECTION)
        if not known:
            self._store.put(COLLECTION, number, {"pnr": number})
        return _result("AddPNRSubscriptionResponse", "ALREADY_EXISTED" if known else "ADDED")

    def remove(self, request: Element) -> Element:
        """End the subscription to a number."""
        number = _number(request)
        known = number in self._store.load(COLLECTION)
        self._store.delete(COLLECTION, number)
        return _result("RemovePNRSubscriptionResponse", "REMOVED" if known else "NON_EXISTING_PNR")

    def remove_all(self, request: Element) -> Element:
        """End all subscriptions of a group of filters; only the group of numbers has any."""
        group = _argument(request, f"{{{_NS}}}FilterGroup")
        if group not in _FILTER_GROUPS:
            raise SoapFault("the FilterGroup is unknown", blame="Client")
        if group == "PNR":
            self._store.clear(COLLECTION)
        return _result("RemoveAllResponse", "REMOVED")

    def filters(self, request: Element) -> Element:
        """All numbers subscribed to, in rising order."""
        if [part.tag for part in children(request)] != [_INVOCATION_TAG]:
            raise SoapFault("the request holds an InvocationContext and nothing else", blame="Client")
        numbers = sorted(self._store.load(COLLECTION))
        return node(_NS, "GetAllFiltersResponse", *(leaf(_PNR_NS, "PNR", number) for number in numbers))


def _operation(name: str, answer: Callable[[Element], Element], kind: str = "write") -> Operation:
    return Operation(service_uuid=_SERVICE, soap_action="", request=f"{{{_NS}}}{name}", answer=answer, kind=kind)


def _argument(request: Element, tag: str) -> str:
    """The text of the one element that follows the context."""
    parts = children(request)
    if [part.tag for part in parts] != [_INVOCATION_TAG, tag]:
        raise SoapFault("the request holds an InvocationContext and one argument, in this order", blame="Client")
    return parts[1].text or ""


def _number(request: Element) -> str:
    number = _argument(request, f"{{{_PNR_NS}}}PNR")
    if len(number) != _PNR_LENGTH or not number.isdecimal():
        raise SoapFault("a PNR has ten digits", blame="Client")
    return number


def _result(response: str, result: str) -> Element:
    return node(_NS, response, leaf(_NS, "Result", result))
