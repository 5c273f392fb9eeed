"""The person register of the sandbox: CPR as Serviceplatformen gives it.

Two services on one server: the look-up of one person (SF1520 PersonBaseDataExtended v5) and the address search
(GCTP ADRSOG1, see `person_search`). Belongs here: the look-up. Its form follows KOMBIT's public contract: absent data
are absent elements, codes are integers that have lost their leading zeros, the status is a number.
"""

from typing import Any

from starlette.applications import Starlette
from starlette.routing import Route

from integration_assets.sandbox.person_search import AddressSearch, house_number_text
from integration_assets.sandbox.soap import Element, Operation, SoapFault, children, endpoint, leaf, node
from integration_assets.sandbox.store import Store
from integration_assets.sandbox.systems import SandboxOptions

COLLECTION = "register:person"
LOOKUP_PATH = "/service/CPR/PersonBaseDataExtended/5"
SEARCH_PATH = "/service/CPRLookup/CPRLookup/2"

_NS = "http://serviceplatformen.dk/xml/wsdl/soap11/CPR/PersonBaseDataExtended/5/"
_SEARCH_NS = "http://serviceplatformen.dk/xml/wsdl/soap11/CprService/2/"
_PNR_TAG = "{http://serviceplatformen.dk/xml/schemas/cpr/PNR/1/}PNR"
_CONTEXTS = ("CallContext", "AuthorityContext", "InvocationContext")
_PNR_LENGTH = 10
_STANDARD_ADDRESS_LENGTH = 34
_EMIGRATED = "80"

Json = dict[str, Any]


def build(store: Store, options: SandboxOptions) -> Starlette:
    """The application with both services, answering from `register:person`."""
    lookup = Operation(
        service_uuid="4925d7a0-1b5b-11ec-bdc6-b312b83236d4",
        soap_action=f"{_NS}PersonLookup",
        request=f"{{{_NS}}}PersonLookupRequest",
        answer=lambda request: _look_up(store, request),
    )
    search = AddressSearch(store, COLLECTION)
    address_search = Operation(
        service_uuid="6538f113-b1e6-4b21-8fe1-28b7bf78a1bd",
        soap_action="",
        request=f"{{{_SEARCH_NS}}}callGCTPCheckServiceRequest",
        answer=lambda request: _search(search, request),
    )
    return Starlette(
        routes=[
            Route(LOOKUP_PATH, endpoint(lookup, options), methods=["POST"]),
            Route(SEARCH_PATH, endpoint(address_search, options), methods=["POST"]),
        ]
    )


def settings(url: str, _options: SandboxOptions) -> dict[str, str]:
    """The product settings that lead here: the full addresses of both services."""
    return {"person_register_url": url + LOOKUP_PATH, "person_search_url": url + SEARCH_PATH}


def _search(search: AddressSearch, request: Element) -> Element:
    messages = request.findall(f"{{{_SEARCH_NS}}}gctpMessage")
    if len(messages) != 1 or len(children(request)) != 2:
        raise SoapFault("the request holds an InvocationContext and one gctpMessage", blame="Client")
    result = leaf(_SEARCH_NS, "result", search.answer(messages[0].text or ""))
    return node(_SEARCH_NS, "callGCTPCheckServiceResponse", result)


def _look_up(store: Store, request: Element) -> Element:
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
    return node(_NS, "PersonLookupResponse", _person_data(person), _address_data(person))


def _person_data(person: Json) -> Element:
    protection = leaf(_NS, "beskyttet", "true" if person["protected"] else "false")
    return node(
        _NS,
        "persondata",
        leaf(_NS, "personnummer", person["pnr"]),
        leaf(_NS, "gaeldendePersonnummer", person["pnr"]),
        _name(person),
        _dated("foedselsdato", person["birth_date"]),
        leaf(_NS, "koen", person["gender"]),
        leaf(_NS, "antalBoernUnder18", "0"),
        node(_NS, "status", leaf(_NS, "status", int(person["status"]))),
        node(_NS, "civilstand", leaf(_NS, "civilstand", person["civil_status"])) if person["civil_status"] else None,
        node(_NS, "adressebeskyttelse", protection),
    )


def _name(person: Json) -> Element | None:
    # The contract demands the addressing name inside `navn`: a nameless person has no `navn` at all.
    if not person["addressing_name"]:
        return None
    return node(
        _NS,
        "navn",
        leaf(_NS, "personadresseringsnavn", person["addressing_name"]),
        leaf(_NS, "fornavn", person["first_name"]),
        leaf(_NS, "mellemnavn", person["middle_name"]),
        leaf(_NS, "efternavn", person["last_name"]),
    )


def _address_data(person: Json) -> Element | None:
    current = person["address"]
    former = person["former_addresses"]
    left = max((row["moved_out"] for row in former), default=None) if person["status"] == _EMIGRATED else None
    parts = [
        node(_NS, "aktuelAdresse", *_address(current), *_current_only(current)) if current else None,
        node(_NS, "udrejseoplysninger", _dated("udrejsedato", f"{left}T00:00:00")) if left else None,
        *(node(_NS, "adresseHistorik", *_address(row), *_history_only(row)) for row in former),
    ]
    return node(_NS, "adresse", *parts) if any(part is not None for part in parts) else None


def _address(address: Json) -> list[Element | None]:
    """The elements that a current and a former address share, in the order of the contract."""
    floor = address["floor"]
    return [
        leaf(_NS, "kommunekode", int(address["municipality_code"])),
        leaf(_NS, "vejkode", int(address["street_code"])),
        leaf(_NS, "husnummer", house_number_text(address["house_number"])),
        leaf(_NS, "etage", floor.zfill(2) if floor else None),
        leaf(_NS, "sidedoer", address["door"]),
        leaf(_NS, "postnummer", address["postcode"]),
        leaf(_NS, "postdistrikt", address["district"]),
        leaf(_NS, "vejnavn", address["street_name"]),
    ]


def _current_only(address: Json) -> list[Element | None]:
    unit = " ".join(part for part in (address["floor"], address["door"]) if part)
    text = ",".join(part for part in (f"{address['street_name']} {address['house_number']}", unit) if part)
    return [
        leaf(_NS, "standardadresse", text[:_STANDARD_ADDRESS_LENGTH]),
        _moved("tilflytningsdato", address["moved_in"]),
        leaf(_NS, "AdresseUUID", address["unit_id"]),
    ]


def _history_only(address: Json) -> list[Element | None]:
    return [_moved("tilflytningsdato", address["moved_in"]), _moved("fraflytningsdato", address["moved_out"])]


def _moved(name: str, day: str | None) -> Element | None:
    return _dated(name, f"{day}T00:00:00") if day else None


def _dated(name: str, value: str) -> Element:
    return node(_NS, name, leaf(_NS, "dato", value))
