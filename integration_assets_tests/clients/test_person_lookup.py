"""The look-up of a person by number, against answers written after the public contracts.

The numbers are invented (or of the official fictive person Jens Mortensen).
"""

from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from integration_assets.clients import register_text
from integration_assets.clients.person_lookup import PersonLookupClient
from integration_assets.domain.people.parties import Person, RegisteredAddress
from integration_assets_tests.clients.soap_replies import PNR, auth, fault, request_in, xml
from integration_assets_tests.clients.wire import FAST, Reply, Server, serving

NUMBER = "0707614285"
FORMER = "0101010102"
V5 = "http://serviceplatformen.dk/xml/wsdl/soap11/CPR/PersonBaseDataExtended/5/"
V4 = "http://serviceplatformen.dk/xml/wsdl/soap11/CPR/PersonBaseDataExtended/4/"


def client(server: Server, version: int = 5) -> PersonLookupClient:
    return PersonLookupClient(f"{server.url}/person", auth(), version=version, policy=FAST)


def answer(data: str = "", address: str = "", namespace: str = V5, rest: str = "") -> Reply:
    return xml(
        f'<PersonLookupResponse xmlns="{namespace}"><persondata>{data}</persondata>{address}{rest}'
        "</PersonLookupResponse>"
    )


def found(reply: Reply, number: str = NUMBER) -> Person:
    with serving([reply]) as server:
        person = client(server).person(number)
    assert person is not None
    return person


WHOLE = answer(
    f"""<personnummer>{FORMER}</personnummer><gaeldendePersonnummer>{NUMBER}</gaeldendePersonnummer>
  <navn><personadresseringsnavn>Jens Mortensen</personadresseringsnavn>
    <fornavn>Jens</fornavn><efternavn>Mortensen</efternavn>
    <navnestartdato><dato>1990-02-03T00:00:00</dato></navnestartdato></navn>
  <foedselsdato><dato>1961-07-07</dato></foedselsdato><startdato><dato>1961-07-08</dato></startdato>
  <koen>M</koen><antalBoernUnder18>0</antalBoernUnder18>
  <status><status>1</status><statusdato><dato>1968-04-02T12:00:00</dato></statusdato></status>
  <civilstand><civilstand>G</civilstand><civilstandsdato><dato>1990-02-02T22:30:00Z</dato></civilstandsdato></civilstand>
  <DeltBopælMarkering>false</DeltBopælMarkering>
  <umyndiggoerelse><relationPersonnummer>1111111118</relationPersonnummer></umyndiggoerelse>
  <adressebeskyttelse><startdato>2025-12-01</startdato><slutdato>2026-12-01</slutdato><beskyttet>true</beskyttet>
  </adressebeskyttelse>""",
    """<adresse><aktuelAdresse><kommunekode>851</kommunekode><vejkode>866</vejkode><husnummer>095b</husnummer>
    <etage>01</etage><sidedoer>00mf</sidedoer><conavn>Christiansen</conavn><postnummer>9000</postnummer>
    <postdistrikt>Aalborg</postdistrikt><vejnavn>Industrivænget</vejnavn>
    <tilflytningsdato><dato>2015-03-01T00:00:00+01:00</dato></tilflytningsdato>
    <AdresseUUID>0A3F50A0-0000-42B8-8044-0003BA298018</AdresseUUID></aktuelAdresse>
    <udrejseoplysninger><udrejsedato><dato>1999-01-01T00:00:00</dato></udrejsedato></udrejseoplysninger>
    <adresseHistorik><vejkode>1</vejkode></adresseHistorik></adresse>""",
    rest="<relationer><barn><personnummer>1111111118</personnummer></barn></relationer>"
    "<notater><notatlinie>1111111118</notatlinie></notater>",
)


@pytest.mark.parametrize(("version", "namespace"), [(5, V5), (4, V4)])
def test_a_person_is_asked_for_as_the_contract_of_the_version_says(version: int, namespace: str) -> None:
    with serving([answer(namespace=namespace)]) as server:
        person = client(server, version).person(NUMBER)
    assert person is not None
    assert person.source == f"PersonBaseDataExtended/{version}"
    (seen,) = server.seen
    assert (seen.method, seen.path, seen.query) == ("POST", "/person", [])
    assert seen.headers["soapaction"] == f'"{namespace}PersonLookup"'
    assert seen.headers["content-type"] == "text/xml; charset=utf-8"
    request = request_in(seen)
    assert request.tag == f"{{{namespace}}}PersonLookupRequest"
    _, pnr = request
    assert (pnr.tag, pnr.text) == (PNR, NUMBER)


def test_a_person_is_read_with_the_registers_own_dates_and_nothing_of_others() -> None:
    person = found(WHOLE, FORMER)
    assert person == Person(
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
        birth_date=date(1961, 7, 7),
        status_from=date(1968, 4, 2),
        name_from=date(1990, 2, 3),
        civil_status_from=date(1990, 2, 2),  # half past eleven in the evening, in Danish winter time
        protected_from=date(2025, 12, 1),
        protected_until=date(2026, 12, 1),
        address_from=date(2015, 3, 1),
        emigrated_on=None,  # she came back: what is left of the emigration does not count
    )
    assert person.source == "PersonBaseDataExtended/5"
    shown = repr(person)
    assert NUMBER not in shown
    assert "1111111118" not in shown
    assert "Christiansen" not in shown


def test_a_person_of_whom_next_to_nothing_is_known() -> None:
    person = found(answer("<antalBoernUnder18>0</antalBoernUnder18>", "<adresse><udrejseoplysninger/></adresse>"))
    assert person == Person(NUMBER, "", None, None, None, None, None, None, False, None)


def test_a_dead_and_an_emigrated_person_without_address() -> None:
    dead = found(
        answer("<status><status>90</status><statusdato><dato>2024-05-06T00:00:00</dato></statusdato></status>")
    )
    assert (dead.status, dead.status_from, dead.address, dead.emigrated_on) == ("90", date(2024, 5, 6), None, None)
    abroad = found(
        answer(
            "<status><status>80</status></status>",
            "<adresse><udrejseoplysninger><udrejselandekode>5104</udrejselandekode>"
            "<udrejsedato><dato>2023-08-31T22:00:00Z</dato></udrejsedato></udrejseoplysninger></adresse>",
        )
    )
    assert (abroad.status, abroad.emigrated_on, abroad.address) == ("80", date(2023, 9, 1), None)


def test_uncertain_days_are_unknown_days() -> None:
    person = found(
        answer(
            "<foedselsdato><dato>1900-01-01</dato><usikkerhedsmarkering>*</usikkerhedsmarkering></foedselsdato>"
            "<status><status>1</status><statusdato><dato>2000-01-01T00:00:00</dato>"
            "<usikkerhedsmarkering> </usikkerhedsmarkering></statusdato></status>"
            "<civilstand><civilstandsdato><dato>0001-01-01T00:00:00</dato></civilstandsdato></civilstand>"
            "<navn><navnestartdato><dato>ukendt</dato></navnestartdato></navn>"
        )
    )
    assert (person.birth_date, person.status_from) == (None, date(2000, 1, 1))
    assert (person.civil_status_from, person.name_from) == (None, None)


@pytest.mark.parametrize(
    ("element", "expected"),
    [
        ("<beskyttet>true</beskyttet>", (True, None, None)),
        ("<beskyttet> 1 </beskyttet>", (True, None, None)),
        ("<beskyttet>TRUE</beskyttet>", (True, None, None)),
        ("<startdato>2026-01-01</startdato><beskyttet>false</beskyttet>", (False, None, None)),
        ("<startdato>2026-01-01</startdato><beskyttet>0</beskyttet>", (False, None, None)),
        ("", (False, None, None)),
        # Not said, but begun: overlooking a protection is worse than seeing one that has ended.
        ("<startdato>2026-01-01</startdato>", (True, date(2026, 1, 1), None)),
        ("<slutdato>2030-01-01</slutdato>", (True, None, date(2030, 1, 1))),
        (
            "<startdato>2026-01-01+01:00</startdato><slutdato>2027-01-01</slutdato><beskyttet>1</beskyttet>",
            (True, date(2026, 1, 1), date(2027, 1, 1)),
        ),
        ("<slutdato>9999-12-31</slutdato><beskyttet>1</beskyttet>", (True, None, None)),
    ],
)
def test_protection_is_read_in_every_spelling(element: str, expected: tuple[bool, date | None, date | None]) -> None:
    person = found(answer(f"<adressebeskyttelse>{element}</adressebeskyttelse>"))
    assert (person.address_protected, person.protected_from, person.protected_until) == expected


def test_leading_zeros_come_back() -> None:
    person = found(
        answer(
            "<personnummer>707614285</personnummer><status><status>3</status></status>",
            "<adresse><aktuelAdresse><kommunekode>3</kommunekode><vejkode>9</vejkode><postnummer>800</postnummer>"
            "</aktuelAdresse></adresse>",
        )
    )
    assert (person.number, person.status) == ("0707614285", "03")
    assert person.address == RegisteredAddress("0003", "0009", None, None, None, "0800")


def test_an_address_without_a_street_code_is_none() -> None:
    assert found(answer("", "<adresse><aktuelAdresse><conavn>X</conavn></aktuelAdresse></adresse>")).address is None


@pytest.mark.parametrize(
    "reply",
    [
        fault("PNR not found"),
        fault("pnr NotFound in source", "X"),
        fault("Error", "PNRNotFound"),
        fault("Error", detail="<x:PNRNotFound xmlns:x='urn:x'/>"),
        xml(f'<PersonLookupResponse xmlns="{V5}"/>'),
    ],
)
def test_an_unknown_person_is_an_answer_not_an_error(reply: Reply) -> None:
    with serving([reply]) as server:
        assert client(server).person(NUMBER) is None


@pytest.mark.parametrize("number", ["0101700000", "6101701234", "010170123", "", "010170-1234", "٠١٠١٧٠١٢٣٤"])
def test_what_is_no_whole_number_of_the_register_is_never_sent(number: str) -> None:
    assert PersonLookupClient("http://127.0.0.1:1", auth(), policy=FAST).person(number) is None


@given(st.dates(date(1900, 1, 1), date(2100, 12, 31)))
def test_a_day_is_read_alike_as_date_and_as_moment(day: date) -> None:
    text = day.isoformat()
    for form in (text, f" {text} ", f"{text}Z", f"{text}+02:00", f"{text}T00:00:00", f"{text}T23:59:59.9999999"):
        assert register_text.day(form) == day
    assert register_text.day(f"{text}T12:00:00Z") == day
    assert register_text.day(f"{text}T12:00:00.123+01:00") == day


@given(st.text())
def test_reading_forms_never_fails(text: str) -> None:
    register_text.day(text)
    register_text.compact_day(text)
    register_text.truth(text)
    for form in (register_text.house_number, register_text.floor, register_text.door):
        assert form(text) != ""


@given(st.integers(1, 999), st.sampled_from(["", "A", "b", "Å"]), st.sampled_from(["", " ", "0", "00"]))
def test_a_house_number_is_alike_however_it_was_filled(number: int, letter: str, fill: str) -> None:
    assert register_text.house_number(f"{fill}{number}{letter}") == f"{number}{letter.upper()}"
