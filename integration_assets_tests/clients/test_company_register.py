"""The look-up of a company by number, against answers written after the public contract. Companies are invented."""

from datetime import date

import pytest

from integration_assets.clients.company_register import CompanyRegister
from integration_assets.clients.http import PermanentError
from integration_assets.domain.people.parties import Company, RegisteredAddress
from integration_assets_tests.clients.soap_replies import auth, fault, request_in, xml
from integration_assets_tests.clients.wire import FAST, Reply, Server, serving

CVR = "http://rep.oio.dk/eogs/xml.schema/"
NUMBER = "25052943"


def client(server: Server) -> CompanyRegister:
    return CompanyRegister(f"{server.url}/cvr", auth(), policy=FAST)


def answer(content: str) -> Reply:
    return xml(
        '<m:GetLegalUnitResponse xmlns:m="http://rep.oio.dk/eogs/xml/2/"><w:GetLegalUnitResponse '
        f'xmlns:w="http://rep.oio.dk/eogs/xml.wsdl/" xmlns="{CVR}">{content}</w:GetLegalUnitResponse>'
        "</m:GetLegalUnitResponse>"
    )


ACCESS = """<x:AddressAccess xmlns:x="urn:x"><x:MunicipalityCode>0461</x:MunicipalityCode>
  <x:StreetCode>0012</x:StreetCode><x:StreetBuildingIdentifier>7b</x:StreetBuildingIdentifier></x:AddressAccess>"""
POSTAL = """<AddressPostalExtended><StreetName>Bygade</StreetName>
  <StreetBuildingIdentifier>7b</StreetBuildingIdentifier><FloorIdentifier>ST</FloorIdentifier>
  <SuiteIdentifier>0TV</SuiteIdentifier><PostCodeIdentifier>5000</PostCodeIdentifier>
  <DistrictName>Odense C</DistrictName></AddressPostalExtended>"""
HOME = RegisteredAddress("0461", "0012", "7B", "st", "tv", "5000", "Bygade", "Odense C")


def unit(address: str, rest: str = "") -> Reply:
    return answer(
        f"""<LegalUnit versionIdentifier="1"><LegalUnitIdentifier>{NUMBER}</LegalUnitIdentifier>
  <LegalUnitName sequenceNumber="0" validFromDate="2001-02-03"><name>Ærø Varme A/S</name></LegalUnitName>
  <AdvertisingProtectionIndicator>false</AdvertisingProtectionIndicator>
  <Lifecycle><StartDate>2000-01-01</StartDate></Lifecycle>
  <AddressOfficial validFromDate="2010-11-12">{address}
    <CountryIdentificationCode scheme="iso3166-alpha2">DK</CountryIdentificationCode></AddressOfficial>{rest}
  <ParticipantCollection><Participant><PersonCivilregistrationIdentifier>0101701234</PersonCivilregistrationIdentifier>
  <ParticipantName>Jens Mortensen</ParticipantName></Participant></ParticipantCollection></LegalUnit>"""
    )


WHOLE = unit(
    ACCESS + POSTAL,
    """<ActivityInformation><MainActivity validFromDate="2008-01-01"><ActivityCode>353000</ActivityCode></MainActivity>
  <SecondaryActivities/></ActivityInformation>
  <BusinessFormat validFromDate="2000-01-01+01:00"><BusinessFormatCode>060</BusinessFormatCode></BusinessFormat>""",
)


def found(reply: Reply) -> Company:
    with serving([reply]) as server:
        company = client(server).company(NUMBER)
    assert company is not None
    return company


def test_a_company_is_asked_for_as_the_contract_says() -> None:
    with serving([WHOLE]) as server:
        client(server).company(NUMBER)
    (seen,) = server.seen
    assert (seen.path, seen.headers["soapaction"]) == (
        "/cvr",
        '"http://rep.oio.dk/eogs/xml.wsdl/2/getLegalUnit"',
    )
    request = request_in(seen)
    assert request.tag == "{http://rep.oio.dk/eogs/xml/2/}GetLegalUnitRequest"
    _, inner = request
    assert (inner.tag, inner.get("level")) == ("{http://rep.oio.dk/eogs/xml.wsdl/}GetLegalUnitRequest", "10")
    assert [(part.tag, part.text) for part in inner] == [(f"{{{CVR}}}LegalUnitIdentifier", NUMBER)]


def test_a_company_is_read_with_the_registers_own_dates_and_no_participants() -> None:
    company = found(WHOLE)
    assert company == Company(
        number=NUMBER,
        name="Ærø Varme A/S",
        business_code="353000",
        company_form="60",  # an integer in the contract
        address=HOME,
        ceased_on=None,
        name_from=date(2001, 2, 3),
        business_code_from=date(2008, 1, 1),
        company_form_from=date(2000, 1, 1),
        address_from=date(2010, 11, 12),
    )
    assert company.source == "CVR Online/2"
    assert "0101701234" not in repr(company)
    assert "Mortensen" not in repr(company)


def test_a_company_may_have_ceased() -> None:
    ceased = WHOLE.body.replace(
        b"<StartDate>2000-01-01</StartDate>",
        b"<StartDate>2000-01-01</StartDate><CessationDate>2020-05-06</CessationDate>",
    )
    assert found(Reply(200, ceased, WHOLE.headers)).ceased_on == date(2020, 5, 6)


def test_what_is_absent_is_none() -> None:
    company = found(answer(f"<LegalUnit><LegalUnitIdentifier>{NUMBER}</LegalUnitIdentifier></LegalUnit>"))
    assert company == Company(NUMBER, "", None, None, None)


@pytest.mark.parametrize(
    "address",
    [
        "",
        "<AddressLineText>Storgatan 1, Malmö</AddressLineText>",
        # Of a foreign address the street may be told, too.
        POSTAL + "<CountryIdentificationCode>SE</CountryIdentificationCode>",
        POSTAL.replace(
            "<PostCodeIdentifier>", "<PostOfficeBoxIdentifier>12</PostOfficeBoxIdentifier><PostCodeIdentifier>"
        ),
        "<AddressPostalExtended><PostCodeIdentifier>5000</PostCodeIdentifier></AddressPostalExtended>",
    ],
)
def test_foreign_addresses_and_postal_boxes_are_no_address_here(address: str) -> None:
    company = found(unit(address))
    assert (company.address, company.address_from) == (None, None)


def test_a_street_without_codes_is_an_address_still() -> None:
    assert found(unit(POSTAL)).address == RegisteredAddress(None, None, "7B", "st", "tv", "5000", "Bygade", "Odense C")


def test_an_unknown_company_shows_in_three_ways() -> None:
    complaint = fault("Invalid response: missing required property /virksomhed/CVRNummer")
    with serving([answer(""), complaint]) as server:
        companies = client(server)
        assert companies.company(NUMBER) is None
        assert companies.company(NUMBER) is None
        assert companies.company("1234567") is None
        assert companies.company("00000000") is None
    assert len(server.seen) == 2


def test_other_faults_of_the_company_register_pass_or_stay() -> None:
    with serving([fault("source away"), WHOLE]) as server:
        assert client(server).company(NUMBER) is not None
    with (
        serving([fault(f"{NUMBER} is odd", "Odd")]) as server,
        pytest.raises(PermanentError, match="company look-up") as caught,
    ):
        client(server).company(NUMBER)
    assert NUMBER not in f"{caught.value} {caught.value.text}"
