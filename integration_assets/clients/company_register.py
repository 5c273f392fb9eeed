"""CVR, the Danish company register, through Serviceplatformen: one legal unit by number.

Belongs here: SF1530 CVR Online version 2, operation getLegalUnit. Promises: only the fields of
`domain.people.parties.Company` are read; participants (who may carry personal numbers) never leave the parser. Does
not promise that a company still exists: `ceased_on` tells.
"""

import ssl
from datetime import date

from lxml import etree  # pyright: ignore[reportAttributeAccessIssue] - lxml has no types

from integration_assets.clients.http import RetryPolicy
from integration_assets.clients.soap import (
    Element,
    InvocationContext,
    NotFound,
    SoapService,
    child,
    text,
)
from integration_assets.domain.people.parties import Company, RegisteredAddress

SERVICE = "c0daecde-e278-43b7-84fd-477bfeeea027"

_MESSAGE = "http://rep.oio.dk/eogs/xml/2/"
_INNER = "http://rep.oio.dk/eogs/xml.wsdl/"
_SCHEMA = "http://rep.oio.dk/eogs/xml.schema/"
_ACTION = "http://rep.oio.dk/eogs/xml.wsdl/2/getLegalUnit"
_LEVEL = "10"
_LOWEST, _HIGHEST = 10_000_000, 99_999_999


class CompanyRegister:
    """The service at one address. Safe for use by several threads."""

    def __init__(
        self,
        url: str,
        context: InvocationContext,
        *,
        service: str = SERVICE,
        tls: ssl.SSLContext | bool = True,
        policy: RetryPolicy | None = None,
    ) -> None:
        self._service = SoapService(url, service, context, tls=tls, policy=policy)

    def company(self, number: str) -> Company | NotFound:
        """The company of a CVR number; what is no number of eight digits is not asked for.

        Raises TransientError or PermanentError (agreement, certificate, authority).
        """
        if not (number.isascii() and number.isdecimal() and _LOWEST <= int(number) <= _HIGHEST):
            return NotFound()
        request = etree.Element(f"{{{_MESSAGE}}}GetLegalUnitRequest", nsmap={None: _MESSAGE})
        request.append(self._service.invocation_context())
        inner = etree.SubElement(request, f"{{{_INNER}}}GetLegalUnitRequest", nsmap={"w": _INNER}, level=_LEVEL)
        etree.SubElement(inner, f"{{{_SCHEMA}}}LegalUnitIdentifier", nsmap={"s": _SCHEMA}).text = number
        # The contract declares no fault: an unknown company shows as a complaint of the source behind the service.
        answer = self._service.call(request, _ACTION, unknown="/virksomhed/CVRNummer")
        unit = child(answer, "GetLegalUnitResponse", "LegalUnit")
        if unit is None:
            unit = child(answer, "LegalUnit")
        return NotFound() if unit is None else _company(unit, number)

    def close(self) -> None:
        """Close the pooled connections."""
        self._service.close()


def _company(unit: Element, asked: str) -> Company:
    ceased = text(unit, "Lifecycle", "CessationDate")
    return Company(
        number=text(unit, "LegalUnitIdentifier") or asked,
        name=text(unit, "LegalUnitName", "name") or "",
        business_code=text(unit, "ActivityInformation", "MainActivity", "ActivityCode"),
        company_form=text(unit, "BusinessFormat", "BusinessFormatCode"),
        address=_address(child(unit, "AddressOfficial")),
        ceased_on=None if ceased is None else date.fromisoformat(ceased[:10]),
    )


def _address(element: Element | None) -> RegisteredAddress | None:
    """The official address; None for foreign ones, which have neither street code nor postal code."""
    access, postal = child(element, "AddressAccess"), child(element, "AddressPostalExtended")
    if access is None and postal is None:
        return None
    house_number = text(access, "StreetBuildingIdentifier") or text(postal, "StreetBuildingIdentifier")
    floor, door = text(postal, "FloorIdentifier"), text(postal, "SuiteIdentifier")
    municipality_code, street_code = text(access, "MunicipalityCode"), text(access, "StreetCode")
    return RegisteredAddress(
        municipality_code=None if municipality_code is None else municipality_code.zfill(4),
        street_code=None if street_code is None else street_code.zfill(4),
        house_number=None if house_number is None else house_number.lstrip("0").upper() or None,
        floor=None if floor is None else floor.lstrip("0").lower() or None,
        door=None if door is None else door.lstrip("0").lower() or None,
        postcode=text(postal, "PostCodeIdentifier"),
        street_name=text(postal, "StreetName"),
        district=text(postal, "DistrictName"),
    )
