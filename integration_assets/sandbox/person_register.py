"""The person register of the sandbox: CPR as Serviceplatformen gives it.

Two services on one server: the look-up of one person (SF1520 PersonBaseDataExtended, versions 5 and 4, see
`person_answer`) and the address search (GCTP ADRSOG1, see `person_search`). Belongs here: their paths, and reading what
is asked of them.
"""

from typing import Any

from starlette.applications import Starlette
from starlette.routing import Route

from integration_assets.sandbox.person_answer import FORMER, NEWEST, namespace, person_answer
from integration_assets.sandbox.person_search import AddressSearch
from integration_assets.sandbox.register_switches import switches
from integration_assets.sandbox.soap import Element, Operation, SoapFault, children, endpoint, leaf, node
from integration_assets.sandbox.store import Store
from integration_assets.sandbox.systems import SandboxOptions

MUTUAL_TLS = True
COLLECTION = "register:person"
LOOKUP_PATH = "/service/CPR/PersonBaseDataExtended/5"
FORMER_LOOKUP_PATH = "/service/CPR/PersonBaseDataExtended/4"
SEARCH_PATH = "/service/CPRLookup/CPRLookup/2"

_LOOKUPS = {
    LOOKUP_PATH: (NEWEST, "4925d7a0-1b5b-11ec-bdc6-b312b83236d4"),
    FORMER_LOOKUP_PATH: (FORMER, "e6be2436-bf35-4df2-83fe-925142825dc2"),
}
_SEARCH_SERVICE = "6538f113-b1e6-4b21-8fe1-28b7bf78a1bd"
_SEARCH_NS = "http://serviceplatformen.dk/xml/wsdl/soap11/CprService/2/"
_PNR_TAG = "{http://serviceplatformen.dk/xml/schemas/cpr/PNR/1/}PNR"
_CONTEXTS = ("CallContext", "AuthorityContext", "InvocationContext")
_PNR_LENGTH = 10

Json = dict[str, Any]


def build(store: Store, options: SandboxOptions) -> Starlette:
    """The application with all services, answering from `register:person`."""
    search = AddressSearch(store, COLLECTION)
    address_search = Operation(
        service_uuid=_SEARCH_SERVICE,
        soap_action="",
        request=f"{{{_SEARCH_NS}}}callGCTPCheckServiceRequest",
        answer=lambda request: _search(search, request),
    )
    lookups = [
        Route(path, endpoint(options, _lookup(store, version, service)), methods=["POST"])
        for path, (version, service) in _LOOKUPS.items()
    ]
    return Starlette(routes=[*lookups, Route(SEARCH_PATH, endpoint(options, address_search), methods=["POST"])])


def settings(url: str, _options: SandboxOptions) -> dict[str, str]:
    """The product settings that lead here: the full addresses of look-up (version 5) and search."""
    return {"person_register_url": url + LOOKUP_PATH, "person_search_url": url + SEARCH_PATH}


def _lookup(store: Store, version: int, service: str) -> Operation:
    return Operation(
        service_uuid=service,
        soap_action=f"{namespace(version)}PersonLookup",
        request=f"{{{namespace(version)}}}PersonLookupRequest",
        answer=lambda request: _look_up(store, version, request),
    )


def _search(search: AddressSearch, request: Element) -> Element:
    messages = request.findall(f"{{{_SEARCH_NS}}}gctpMessage")
    if len(messages) != 1 or len(children(request)) != 2:
        raise SoapFault("the request holds an InvocationContext and one gctpMessage", blame="Client")
    result = leaf(_SEARCH_NS, "result", search.answer(messages[0].text or ""))
    return node(_SEARCH_NS, "callGCTPCheckServiceResponse", result)


def _look_up(store: Store, version: int, request: Element) -> Element:
    parts = children(request)
    order = [name for part in parts for name in _CONTEXTS if part.tag.endswith(f"}}{name}")]
    if parts[-1].tag != _PNR_TAG or len(order) != len(parts) - 1 or order != sorted(order, key=_CONTEXTS.index):
        raise SoapFault("the request holds contexts and one PNR, in the order of the contract", blame="Client")
    number = parts[-1].text or ""
    if len(number) > _PNR_LENGTH:
        raise SoapFault("a PNR has ten digits", blame="Client")
    person = store.load(COLLECTION).get(number)
    if person is None:
        raise SoapFault("PNR not found", "PNRNotFound")
    return person_answer(person, version, switches(store))
