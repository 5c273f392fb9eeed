"""CVR, the Danish company register, through Serviceplatformen: one legal unit by number.

Belongs here: SF1530 CVR Online version 2, operation getLegalUnit. Promises: only the fields of
`domain.people.parties.Company` are read; participants (who may carry personal numbers) never leave the parser. Does
not promise that a company still exists: `ceased_on` tells.
"""

from collections.abc import Mapping
from datetime import date
from typing import Final

from lxml import etree  # pyright: ignore[reportAttributeAccessIssue] - lxml has no types

from integration_assets.clients import register_text
from integration_assets.clients.http import RetryPolicy
from integration_assets.clients.soap import SoapService
from integration_assets.clients.soap_auth import Authentication
from integration_assets.clients.soap_xml import Element, child, local, text
from integration_assets.domain.people.parties import Company, RegisteredAddress

SERVICES: Final[Mapping[int, str]] = {2: "c0daecde-e278-43b7-84fd-477bfeeea027"}
"""The version that is spoken, and the uuid of the service unless the agreement names another."""

_MESSAGE = "http://rep.oio.dk/eogs/xml/2/"
_INNER = "http://rep.oio.dk/eogs/xml.wsdl/"
_SCHEMA = "http://rep.oio.dk/eogs/xml.schema/"
_ACTION = "http://rep.oio.dk/eogs/xml.wsdl/2/getLegalUnit"
_SOURCE = "CVR Online/2"
_LEVEL = "10"
_LOWEST, _HIGHEST = 10_000_000, 99_999_999
# ISO 3166 with two and three letters (and as the contract misspells it), the United Nations' number, CPR's authority.
_DENMARK = ("DK", "DNK", "DKN", "208", "5100")


class CompanyRegister:
    """The service at one address, as `domain.people.ports.CompanyLookup`. Safe for use by several threads."""

    def __init__(
        self,
        url: str,
        auth: Authentication,
        *,
        timeout_s: float = 30.0,
        policy: RetryPolicy | None = None,
    ) -> None:
        self._service = SoapService("The company look-up (CVR)", url, auth, timeout_s=timeout_s, policy=policy)

    def company(self, number: str) -> Company | None:
        """The company of a CVR number; None: the register knows none. What has not eight digits is not asked for.

        Raises TransientError, NotAllowedError and PermanentError.
        """
        if not (number.isascii() and number.isdecimal() and _LOWEST <= int(number) <= _HIGHEST):
            return None
        # The contract declares no fault: an unknown company shows as a complaint of the source behind the service.
        answer = self._service.call(legal_unit_request(number), _ACTION, unknown="/virksomhed/CVRNummer")
        return company_of(answer, number)

    def close(self) -> None:
        """Close the pooled connections."""
        self._service.close()


def legal_unit_request(number: str) -> Element:
    """The request of the look-up, still without what proves who calls."""
    request = etree.Element(f"{{{_MESSAGE}}}GetLegalUnitRequest", nsmap={None: _MESSAGE})
    inner = etree.SubElement(request, f"{{{_INNER}}}GetLegalUnitRequest", nsmap={"w": _INNER}, level=_LEVEL)
    etree.SubElement(inner, f"{{{_SCHEMA}}}LegalUnitIdentifier", nsmap={"s": _SCHEMA}).text = number
    return request


def company_of(answer: Element | None, asked: str) -> Company | None:
    """The company of a `GetLegalUnitResponse`; None when it holds none."""
    unit = child(answer, "GetLegalUnitResponse", "LegalUnit")
    if unit is None:
        unit = child(answer, "LegalUnit")
    if unit is None:
        return None
    name, form = child(unit, "LegalUnitName"), child(unit, "BusinessFormat")
    activity, official = child(unit, "ActivityInformation", "MainActivity"), child(unit, "AddressOfficial")
    address = _address(official)
    company_form = text(form, "BusinessFormatCode")
    return Company(
        number=text(unit, "LegalUnitIdentifier") or asked,
        name=text(name, "name") or "",
        business_code=text(activity, "ActivityCode"),
        company_form=None if company_form is None else company_form.lstrip("0") or None,  # an integer in the contract
        address=address,
        ceased_on=register_text.day(text(unit, "Lifecycle", "CessationDate")),
        name_from=_valid_from(name),
        business_code_from=_valid_from(activity),
        company_form_from=_valid_from(form),
        address_from=None if address is None else _valid_from(official),
        source=_SOURCE,
    )


def _valid_from(element: Element | None) -> date | None:
    return None if element is None else register_text.day(element.get("validFromDate"))


def _address(element: Element | None) -> RegisteredAddress | None:
    """The official address; None for a foreign one and for a postal box: neither lies at a Danish street."""
    access, postal = child(element, "AddressAccess"), child(element, "AddressPostalExtended")
    street_code = register_text.code(text(access, "StreetCode"))
    country = text(element, "CountryIdentificationCode") or text(postal, "CountryIdentificationCode")
    abroad = country is not None and country.upper() not in _DENMARK
    boxed = element is not None and any(local(part) == "PostOfficeBoxIdentifier" for part in element.iter())
    if street_code is None and (abroad or boxed or text(postal, "StreetName") is None):
        return None
    return RegisteredAddress(
        municipality_code=register_text.code(text(access, "MunicipalityCode")),
        street_code=street_code,
        house_number=register_text.house_number(
            text(access, "StreetBuildingIdentifier") or text(postal, "StreetBuildingIdentifier")
        ),
        floor=register_text.floor(text(postal, "FloorIdentifier")),
        door=register_text.door(text(postal, "SuiteIdentifier")),
        postcode=register_text.code(text(postal, "PostCodeIdentifier")),
        street_name=text(postal, "StreetName"),
        district=text(postal, "DistrictName"),
    )
