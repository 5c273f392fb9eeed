"""The company register of the sandbox: CVR Online version 2 (SF1530), operation getLegalUnit.

Belongs here: that one answer, in the elements of the public contract. Sections that the sandbox knows nothing of
(employment, contact) are absent, as the contract allows; some companies have a participant with a personal number.
"""

from typing import Any

from starlette.applications import Starlette
from starlette.routing import Route

from integration_assets.sandbox.register_surplus import participant, shown
from integration_assets.sandbox.register_switches import Switches, switches
from integration_assets.sandbox.soap import Element, Operation, SoapFault, children, endpoint, leaf, node
from integration_assets.sandbox.store import Store
from integration_assets.sandbox.systems import SandboxOptions

MUTUAL_TLS = True
COLLECTION = "register:company"
PATH = "/service/CVR/Online/2"

_MESSAGE = "http://rep.oio.dk/eogs/xml/2/"
_INNER = "http://rep.oio.dk/eogs/xml.wsdl/"
_CVR = "http://rep.oio.dk/eogs/xml.schema/"
_TRADE = "http://rep.oio.dk/cvr.dk/xml/schemas/2005/03/22/"
_ACCESS = "http://rep.oio.dk/xkom.dk/xml/schemas/2005/03/15/"
_CPR = "http://rep.oio.dk/cpr.dk/xml/schemas/core/2005/03/18/"
_CPR_2007 = "http://rep.oio.dk/cpr.dk/xml/schemas/2007/01/02/"
_POST_2003 = "http://rep.oio.dk/ebxml/xml/schemas/dkcc/2003/02/13/"
_POST_2005 = "http://rep.oio.dk/ebxml/xml/schemas/dkcc/2005/03/15/"
_XSI_TYPE = "{http://www.w3.org/2001/XMLSchema-instance}type"

# What a company's record gives no day for holds from this one.
_SINCE = "2000-01-01"
_LOWEST, _HIGHEST = 10_000_000, 99_999_999
_STREET_LENGTH = 40
_DISTRICT_LENGTH = 20

Json = dict[str, Any]


def build(store: Store, options: SandboxOptions) -> Starlette:
    """The application, answering from `register:company`."""
    get_legal_unit = Operation(
        service_uuid="c0daecde-e278-43b7-84fd-477bfeeea027",
        soap_action="http://rep.oio.dk/eogs/xml.wsdl/2/getLegalUnit",
        request=f"{{{_MESSAGE}}}GetLegalUnitRequest",
        answer=lambda request: _get_legal_unit(store, request),
    )
    return Starlette(routes=[Route(PATH, endpoint(options, get_legal_unit), methods=["POST"])])


def settings(url: str, _options: SandboxOptions) -> dict[str, str]:
    """The product setting that leads here: the full address of the service."""
    return {"company_register_url": url + PATH}


def _get_legal_unit(store: Store, request: Element) -> Element:
    last = children(request)[-1]
    identifiers = last.findall(f"{{{_CVR}}}LegalUnitIdentifier")
    if last.tag != f"{{{_INNER}}}GetLegalUnitRequest" or len(identifiers) != 1:
        raise SoapFault("the request ends with a GetLegalUnitRequest of one LegalUnitIdentifier", blame="Client")
    level = last.get("level") or ""
    if not level.isdecimal() or int(level) < 1:
        raise SoapFault("GetLegalUnitRequest needs a positive level", blame="Client")
    number = (identifiers[0].text or "").strip()
    if not number.isdecimal() or not _LOWEST <= int(number) <= _HIGHEST:
        raise SoapFault("a LegalUnitIdentifier has eight digits and no leading zero", blame="Client")
    company, now = store.load(COLLECTION).get(number), switches(store)
    if company is None and now.cvr_absent:
        return node(_MESSAGE, "GetLegalUnitResponse", node(_INNER, "GetLegalUnitResponse"))
    if company is None:
        # The contract declares no fault; what callers see is a complaint of the source behind the service.
        raise SoapFault("Invalid response from source: missing required property /virksomhed/CVRNummer")
    inner = node(_INNER, "GetLegalUnitResponse", _legal_unit(company, now))
    return node(_MESSAGE, "GetLegalUnitResponse", inner)


def _legal_unit(company: Json, now: Switches) -> Element:
    return node(
        _CVR,
        "LegalUnit",
        leaf(_CVR, "LegalUnitIdentifier", company["cvr"]),
        _name(company),
        leaf(_CVR, "AdvertisingProtectionIndicator", "false"),
        leaf(_TRADE, "ExporterIndicator", "false"),
        leaf(_TRADE, "ImporterIndicator", "false"),
        node(_CVR, "Lifecycle", leaf(_CVR, "StartDate", _SINCE), leaf(_CVR, "CessationDate", company["ceased"])),
        _official_address(company["address"], _since(company, "address_from")),
        _activity(company["business_code"], _since(company, "business_code_from")),
        _business_format(company["company_form"], _since(company, "company_form_from")),
        _participants(company) if shown(company["cvr"], now) else None,
        versionIdentifier="1",
    )


def _since(company: Json, key: str) -> str:
    """The first day of a value, by the optional key of the record."""
    return company.get(key) or _SINCE


def _name(company: Json) -> Element:
    name = leaf(_CVR, "name", company["name"])
    return node(_CVR, "LegalUnitName", name, sequenceNumber="0", validFromDate=_since(company, "name_from"))


def _official_address(address: Json | None, since: str) -> Element:
    country = leaf(_POST_2003, "CountryIdentificationCode", "DK", scheme="iso3166-alpha2")
    parts = [_access_address(address), _postal_address(address)] if address else []
    return node(_CVR, "AddressOfficial", *parts, country, validFromDate=since)


def _access_address(address: Json) -> Element:
    return node(
        _ACCESS,
        "AddressAccess",
        leaf(_CPR, "MunicipalityCode", address["municipality_code"]),
        leaf(_CPR, "StreetCode", address["street_code"]),
        leaf(_POST_2003, "StreetBuildingIdentifier", address["house_number"]),
    )


def _postal_address(address: Json) -> Element:
    return node(
        _CVR,
        "AddressPostalExtended",
        leaf(_POST_2005, "StreetName", address["street_name"][:_STREET_LENGTH]),
        leaf(_POST_2003, "StreetBuildingIdentifier", address["house_number"]),
        leaf(_POST_2003, "FloorIdentifier", address["floor"]),
        leaf(_POST_2003, "SuiteIdentifier", address["door"]),
        leaf(_POST_2005, "PostCodeIdentifier", address["postcode"]),
        leaf(_POST_2005, "DistrictName", address["district"][:_DISTRICT_LENGTH]),
    )


def _activity(code: str | None, since: str) -> Element | None:
    if not code:
        return None
    main = node(_CVR, "MainActivity", leaf(_CVR, "ActivityCode", code), validFromDate=since)
    return node(_CVR, "ActivityInformation", main)


def _business_format(form: str | None, since: str) -> Element | None:
    if not form:
        return None
    return node(
        _CVR,
        "BusinessFormat",
        # An integer in the contract: "010" arrives as 10.
        leaf(_CVR, "BusinessFormatCode", int(form)),
        leaf(_CVR, "DataSupplierIdentifier", "E&S"),
        leaf(_CVR, "MunicipalCommunity", "false"),
        validFromDate=since,
    )


def _participants(company: Json) -> Element:
    somebody = node(
        _CVR,
        "Participant",
        leaf(_CVR, "ParticipantIdentifier", "4000000001"),
        leaf(_CVR, "ParticipantName", "Ejer Prøve"),
        leaf(_CPR_2007, "PersonCivilregistrationIdentifier", participant(company)),
        validFromDate=_SINCE,
    )
    # The contract's element has an abstract type; which one it is, the attribute says.
    somebody.set(_XSI_TYPE, "ParticipantDanishPersonType")
    return node(_CVR, "ParticipantCollection", somebody)
