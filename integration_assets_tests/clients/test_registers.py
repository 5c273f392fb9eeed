"""The clients of the person and company registers, against answers written after the public contracts.

The numbers are invented (or of the official fictive person Jens Mortensen).
"""

from datetime import date
from typing import Any
from xml.sax.saxutils import escape

import pytest
from lxml import etree

from integration_assets.clients.company_register import CompanyRegister
from integration_assets.clients.http import PermanentError, TransientError
from integration_assets.clients.person_register import PersonRegister
from integration_assets.clients.soap import InvocationContext, NotFound
from integration_assets.domain.people.parties import AddressKey, Company, Person, RegisteredAddress, Resident
from integration_assets_tests.clients.wire import FAST, Reply, Server, serving

CONTEXT = InvocationContext(
    "00000000-0000-0000-0000-00000000000A",
    "00000000-0000-0000-0000-000000000002",
    "00000000-0000-0000-0000-000000000003",
    on_behalf_of="integration",
)
NUMBER = "0707614285"
PBDE = "http://serviceplatformen.dk/xml/wsdl/soap11/CPR/PersonBaseDataExtended/5/"
GCTP = "http://serviceplatformen.dk/xml/wsdl/soap11/CprService/2/"
INV = "{http://serviceplatformen.dk/xml/schemas/InvocationContext/1/}"


def envelope(content: str) -> bytes:
    return (
        '<?xml version="1.0" encoding="UTF-8"?><s:Envelope xmlns:s="http://schemas.xmlsoap.org/soap/envelope/">'
        f"<s:Header/><s:Body>{content}</s:Body></s:Envelope>"
    ).encode()


def xml(content: str, status: int = 200) -> Reply:
    return Reply(status, envelope(content), {"Content-Type": "text/xml; charset=utf-8"})


def fault(text: str, code: str | None = None, blame: str = "Server") -> Reply:
    namespace = "http://serviceplatformen.dk/xml/schemas/ServiceplatformFault/1/"
    error = f"<ErrorList><Error><ErrorCode>{code}</ErrorCode><ErrorText>{text}</ErrorText></Error></ErrorList>"
    detail = (
        f'<detail><ServiceplatformFault xmlns="{namespace}">{error}</ServiceplatformFault></detail>' if code else ""
    )
    return xml(
        f"<s:Fault><faultcode>s:{blame}</faultcode><faultstring>{text}</faultstring>{detail}</s:Fault>", status=500
    )


def persons(server: Server) -> PersonRegister:
    return PersonRegister(f"{server.url}/person", f"{server.url}/search", CONTEXT, policy=FAST)


PERSON = f"""<PersonLookupResponse xmlns="{PBDE}"><persondata>
  <personnummer>0101010101</personnummer><gaeldendePersonnummer>{NUMBER}</gaeldendePersonnummer>
  <navn><personadresseringsnavn>Jens Mortensen</personadresseringsnavn>
    <fornavn>Jens</fornavn><efternavn>Mortensen</efternavn></navn>
  <koen>M</koen><antalBoernUnder18>0</antalBoernUnder18><status><status>1</status></status>
  <civilstand><civilstand>G</civilstand></civilstand><DeltBopælMarkering>false</DeltBopælMarkering>
  <adressebeskyttelse><beskyttet>true</beskyttet></adressebeskyttelse></persondata>
  <adresse><aktuelAdresse><kommunekode>851</kommunekode><vejkode>866</vejkode><husnummer>095b</husnummer><etage>01</etage>
    <sidedoer>00mf</sidedoer><postnummer>9000</postnummer><postdistrikt>Aalborg</postdistrikt><vejnavn>Industrivænget</vejnavn>
    <AdresseUUID>0A3F50A0-0000-42B8-8044-0003BA298018</AdresseUUID></aktuelAdresse>
    <adresseHistorik><vejkode>1</vejkode></adresseHistorik></adresse>
  <relationer><barn><personnummer>1111111118</personnummer></barn></relationer></PersonLookupResponse>"""


def test_a_person_look_up_is_asked_as_the_contract_says() -> None:
    with serving([xml(PERSON)]) as server:
        persons(server).person(NUMBER)
    (seen,) = server.seen
    assert (seen.method, seen.path, seen.query) == ("POST", "/person", [])
    assert seen.headers["soapaction"] == f'"{PBDE}PersonLookup"'
    assert seen.headers["content-type"] == "text/xml; charset=utf-8"
    body = etree.fromstring(seen.body)[0]
    (request,) = body
    assert request.tag == f"{{{PBDE}}}PersonLookupRequest"
    context, pnr = request
    assert [(part.tag, part.text) for part in context] == [
        (f"{INV}ServiceAgreementUUID", "00000000-0000-0000-0000-00000000000a"),
        (f"{INV}UserSystemUUID", "00000000-0000-0000-0000-000000000002"),
        (f"{INV}UserUUID", "00000000-0000-0000-0000-000000000003"),
        (f"{INV}ServiceUUID", "4925d7a0-1b5b-11ec-bdc6-b312b83236d4"),
        (f"{INV}OnBehalfOfUser", "integration"),
    ]
    assert (pnr.tag, pnr.text) == ("{http://serviceplatformen.dk/xml/schemas/cpr/PNR/1/}PNR", NUMBER)


def test_a_person_is_read_with_codes_padded_and_nothing_of_relatives() -> None:
    with serving([xml(PERSON)]) as server:
        found = persons(server).person("0101010101")
    assert found == Person(
        number=NUMBER,
        status="01",
        first_name="Jens",
        middle_name=None,
        last_name="Mortensen",
        addressing_name="Jens Mortensen",
        gender="M",
        civil_status="G",
        address_protected=True,
        address=RegisteredAddress(
            municipality_code="0851",
            street_code="0866",
            house_number="95B",
            floor="1",
            door="mf",
            postcode="9000",
            street_name="Industrivænget",
            district="Aalborg",
            unit_id="0a3f50a0-0000-42b8-8044-0003ba298018",
        ),
    )
    assert NUMBER not in repr(found)


def test_a_person_of_whom_next_to_nothing_is_known() -> None:
    empty = f'<PersonLookupResponse xmlns="{PBDE}"><persondata><antalBoernUnder18>0</antalBoernUnder18></persondata>'
    with serving([xml(empty + "<adresse><udrejseoplysninger/></adresse></PersonLookupResponse>")]) as server:
        found = persons(server).person(NUMBER)
    assert found == Person(NUMBER, "", None, None, None, None, None, None, False, None)


@pytest.mark.parametrize(
    "reply",
    [
        fault("PNR not found"),
        fault("pnr NotFound in source", "X"),
        fault("Error", "PNRNotFound"),
        xml(f'<PersonLookupResponse xmlns="{PBDE}"/>'),
    ],
)
def test_an_unknown_person_is_an_answer_not_an_error(reply: Reply) -> None:
    with serving([reply]) as server:
        assert persons(server).person(NUMBER) == NotFound()


def test_a_fault_of_the_platform_is_permanent_and_shows_no_number() -> None:
    refused = fault(f"no agreement for {NUMBER}", "UnknownServiceAgreement")
    with serving([refused]) as server, pytest.raises(PermanentError, match="no agreement") as caught:
        persons(server).person(NUMBER)
    assert len(server.seen) == 1
    assert caught.value.code == "UnknownServiceAgreement"
    assert NUMBER not in f"{caught.value!r} {caught.value.text}"


def test_a_fault_that_blames_the_request_is_permanent() -> None:
    with serving([fault("invalid", blame="Client")]) as server, pytest.raises(PermanentError):
        persons(server).person(NUMBER)
    assert len(server.seen) == 1


@pytest.mark.parametrize("reply", [fault("timeout behind the service"), Reply(503), Reply(200, b"<html>"), xml("")])
def test_outages_are_tried_again_and_then_transient(reply: Reply) -> None:
    with serving([reply, reply, xml(PERSON)]) as server:
        assert isinstance(persons(server).person(NUMBER), Person)
    with serving([reply]) as server, pytest.raises(TransientError):
        persons(server).person(NUMBER)


def test_an_answer_with_a_document_type_is_refused() -> None:
    bomb = b'<!DOCTYPE x [<!ENTITY a "b">]>' + envelope(PERSON).partition(b"?>")[2]
    with serving([Reply(200, bomb, {"Content-Type": "text/xml"})]) as server, pytest.raises(TransientError):
        persons(server).person(NUMBER)


def row(attributes: str = 'k="0"', **fields: str) -> str:
    inner = "".join(f'<Field r="{name}" {value}/>' for name, value in fields.items())
    return f"<Row {attributes}>{inner}</Row>"


def found_rows(rows: str, table: str = "", receipt: str = '<Kvit r="Ok" t="" v="0"/>') -> Reply:
    document = (
        '<?xml version="1.0" encoding="ISO-8859-1"?><root xmlns="http://www.cpr.dk"><Gctp v="1.0"><System r="CprSoeg">'
        '<Service r="ADRSOG1"><CprServiceHeader r="ADRSOG1"/><CprData u="O"><Rolle r="HovedRolle">'
        f'<Table r="ADRSOEG" {table}>{rows}</Table></Rolle></CprData>{receipt}</Service></System></Gctp></root>'
    )
    return xml(
        f'<callGCTPCheckServiceResponse xmlns="{GCTP}"><result>{escape(document)}</result>'
        "</callGCTPCheckServiceResponse>"
    )


ADDRESS = AddressKey(street_code="866", house_number="95b", postcode="9240", floor="1", door="mf")
RESIDENT = row(
    CNVN_ADRNVN='t="Dorthea Dahl &amp; Æ" v="Dahl-Eriksen,Dorthea"',
    CNVN_STATUS='v="01"',
    CPRS_FOEDDATO='v="19810313"',
    PNR='v="1303814074"',
    STARTDATO='v="198103132000"',
)


def test_an_address_search_is_asked_as_the_contract_says() -> None:
    with serving([found_rows("")]) as server:
        result = persons(server).residents(ADDRESS)
        persons(server).residents(AddressKey("0866", "1", "9240", floor=None, door=""))
    assert (result.hits, result.complete) == ((), True)
    seen = server.seen[0]
    assert (seen.path, seen.headers["soapaction"]) == ("/search", '""')
    request = etree.fromstring(seen.body)[0][0]
    assert request.tag == f"{{{GCTP}}}callGCTPCheckServiceRequest"
    assert request[0].find(f"{INV}ServiceUUID").text == "6538f113-b1e6-4b21-8fe1-28b7bf78a1bd"
    message = etree.fromstring(request[1].text)
    assert (message.tag, message.get("v")) == ("Gctp", "1.0")
    assert [element.get("r") for element in message.iter()][1:5] == ["CprSoeg", "ADRSOG1", "ADRSOG1", None]
    assert fields_of(message) == {
        "VEJK": "0866", "HNR": "095B", "POST": "9240", "ETAG": "01", "SIDO": "00mf", "MAXA": "100",
    }  # fmt: skip
    second = etree.fromstring(etree.fromstring(server.seen[1].body)[0][0][1].text)
    assert fields_of(second) == {"VEJK": "0866", "HNR": "0001", "POST": "9240", "MAXA": "100"}


def fields_of(message: Any) -> dict[str, str]:
    return {field.get("r"): field.get("v") for field in message.iter("Field")}


def test_residents_are_read_former_ones_marked_and_headings_skipped() -> None:
    rows = (
        row('k="1" u="B"', VEJNVN='v="Industrivænget"')
        + RESIDENT
        + row(
            CNVN_ADRNVN='v="Dahl-Eriksen,Dorthea"',
            CNVN_STATUS='v="03"',
            PNR='v="0102365555"',
            SLUTDATO='v="201001011200"',
        )
        + row(CNVN_ADRNVN="", CNVN_STATUS='v="90"', PNR='v="0102374555"', SLUTDATO='v="000000000000"')
        + row(CNVN_STATUS='v="01"', PNR="")
    )
    with serving([found_rows(rows)]) as server:
        result = persons(server).residents(ADDRESS)
    assert result.complete
    assert result.hits == (
        Resident("1303814074", "Dorthea Dahl & Æ", date(1981, 3, 13), "01", moved_out=False),
        # Without a birth date the number tells it: a seventh digit 5 means 20YY up to 57, a 4 means 19YY from 37.
        Resident("0102365555", "Dorthea Dahl-Eriksen", date(2036, 2, 1), "03", moved_out=True),
        Resident("0102374555", None, date(1937, 2, 1), "90", moved_out=False),
    )
    assert "1303814074" not in repr(result)


@pytest.mark.parametrize(
    ("number", "born"),
    [
        ("0102363999", date(1936, 2, 1)),
        ("0102364999", date(2036, 2, 1)),
        ("0102379999", date(1937, 2, 1)),
        ("0102588999", date(1858, 2, 1)),
        ("0102577999", date(2057, 2, 1)),
        ("6102364999", None),
        ("12", None),
    ],
)
def test_the_seventh_digit_tells_the_century(number: str, born: date | None) -> None:
    with serving([found_rows(row(PNR=f'v="{number}"'))]) as server:
        (hit,) = persons(server).residents(ADDRESS).hits
    assert hit.birth_date == born


def test_a_capped_answer_is_incomplete() -> None:
    with serving(
        [found_rows(RESIDENT, table='aia="21"'), found_rows(RESIDENT * 100), found_rows(RESIDENT * 99)]
    ) as server:
        client = persons(server)
        assert [client.residents(ADDRESS).complete for _ in range(3)] == [False, False, True]


def test_a_refused_search_is_permanent_and_nobody_is_no_refusal() -> None:
    refused = found_rows("", receipt='<Kvit r="Fejl" t="Ingen adgang 0101701234" v="184"/>')
    nobody = found_rows("", receipt='<Kvit r="Fejl" t="Person findes ikke" v="172"/>')
    signed_on = found_rows(RESIDENT, receipt='<Kvit r="x" v="900"/>')
    with serving([refused, nobody, signed_on, found_rows("", receipt="")]) as server:
        client = persons(server)
        with pytest.raises(PermanentError, match="184: Ingen adgang") as caught:
            client.residents(ADDRESS)
        assert "0101701234" not in str(caught.value)
        assert client.residents(ADDRESS).hits == ()
        assert len(client.residents(ADDRESS).hits) == 1
        with pytest.raises(PermanentError):
            client.residents(ADDRESS)


def test_an_address_that_does_not_fit_the_search_has_no_residents() -> None:
    client = PersonRegister("http://127.0.0.1:1", "http://127.0.0.1:1", CONTEXT, policy=FAST)
    assert client.residents(AddressKey("0866", "12345", "9240")).hits == ()


CVR = "http://rep.oio.dk/eogs/xml.schema/"


def company_answer(content: str) -> Reply:
    return xml(
        '<m:GetLegalUnitResponse xmlns:m="http://rep.oio.dk/eogs/xml/2/"><w:GetLegalUnitResponse '
        f'xmlns:w="http://rep.oio.dk/eogs/xml.wsdl/" xmlns="{CVR}">{content}</w:GetLegalUnitResponse>'
        "</m:GetLegalUnitResponse>"
    )


COMPANY = """<LegalUnit versionIdentifier="1"><LegalUnitIdentifier>25052943</LegalUnitIdentifier>
  <LegalUnitName validFromDate="2000-01-01"><name>Ærø Varme A/S</name></LegalUnitName>
  <Lifecycle><StartDate>2000-01-01</StartDate><CessationDate>2020-05-06</CessationDate></Lifecycle>
  <AddressOfficial><x:AddressAccess xmlns:x="urn:x"><x:MunicipalityCode>0461</x:MunicipalityCode>
    <x:StreetCode>0012</x:StreetCode>
    <x:StreetBuildingIdentifier>7b</x:StreetBuildingIdentifier></x:AddressAccess>
    <AddressPostalExtended><StreetName>Bygade</StreetName><StreetBuildingIdentifier>7b</StreetBuildingIdentifier>
    <FloorIdentifier>ST</FloorIdentifier><SuiteIdentifier>0TV</SuiteIdentifier><PostCodeIdentifier>5000</PostCodeIdentifier>
    <DistrictName>Odense C</DistrictName></AddressPostalExtended></AddressOfficial>
  <ActivityInformation><MainActivity><ActivityCode>353000</ActivityCode></MainActivity></ActivityInformation>
  <BusinessFormat><BusinessFormatCode>60</BusinessFormatCode></BusinessFormat>
  <ParticipantCollection><PersonCivilregistrationIdentifier>0101701234</PersonCivilregistrationIdentifier></ParticipantCollection>
</LegalUnit>"""


def companies(server: Server) -> CompanyRegister:
    return CompanyRegister(f"{server.url}/cvr", CONTEXT, policy=FAST)


def test_a_company_is_asked_for_and_read() -> None:
    with serving([company_answer(COMPANY)]) as server:
        found = companies(server).company("25052943")
    assert found == Company(
        number="25052943",
        name="Ærø Varme A/S",
        business_code="353000",
        company_form="60",
        address=RegisteredAddress("0461", "0012", "7B", "st", "tv", "5000", "Bygade", "Odense C"),
        ceased_on=date(2020, 5, 6),
    )
    (seen,) = server.seen
    assert seen.headers["soapaction"] == '"http://rep.oio.dk/eogs/xml.wsdl/2/getLegalUnit"'
    request = etree.fromstring(seen.body)[0][0]
    assert request.tag == "{http://rep.oio.dk/eogs/xml/2/}GetLegalUnitRequest"
    context, inner = request
    assert context.find(f"{INV}ServiceUUID").text == "c0daecde-e278-43b7-84fd-477bfeeea027"
    assert (inner.tag, inner.get("level")) == ("{http://rep.oio.dk/eogs/xml.wsdl/}GetLegalUnitRequest", "10")
    assert [(part.tag, part.text) for part in inner] == [(f"{{{CVR}}}LegalUnitIdentifier", "25052943")]


def test_a_company_abroad_has_no_address_here() -> None:
    abroad = COMPANY.partition("<AddressOfficial>")[0] + "<AddressOfficial/></LegalUnit>"
    with serving([company_answer(abroad)]) as server:
        found = companies(server).company("25052943")
    assert isinstance(found, Company)
    assert (found.address, found.business_code, found.company_form) == (None, None, None)


def test_an_unknown_company_shows_in_three_ways() -> None:
    complaint = fault("Invalid response: missing required property /virksomhed/CVRNummer")
    with serving([company_answer(""), complaint]) as server:
        client = companies(server)
        assert client.company("25052943") == NotFound()
        assert client.company("25052943") == NotFound()
        assert client.company("1234567") == NotFound()
        assert client.company("00000000") == NotFound()
    assert len(server.seen) == 2


def test_other_faults_of_the_company_register_pass() -> None:
    with serving([fault("source away"), company_answer(COMPANY)]) as server:
        assert isinstance(companies(server).company("25052943"), Company)
    with serving([fault("denied", "AccessDenied")]) as server, pytest.raises(PermanentError):
        companies(server).company("25052943")
