"""The person register of the sandbox, asked with envelopes written by hand.

Expected values come from the public contracts of Serviceplatformen: names, namespaces, order and forms of fields.
All persons are invented.
"""

import re
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from xml.sax.saxutils import escape

import httpx
import pytest
from lxml import etree

from integration_assets.cache.engine import embedded_server_url
from integration_assets.sandbox import person_register
from integration_assets.sandbox.store import Store
from integration_assets.sandbox.systems import SandboxOptions
from integration_assets_tests.sandbox.handmade_registers import (
    CPR,
    HOME,
    SEARCH_SERVICE,
    P,
    S,
    found,
    look_up,
    numbers,
    person,
    search,
)
from integration_assets_tests.sandbox.handmade_soap import AGREEMENT, body_of, context, fault_of, send, tree
from integration_assets_tests.sandbox.loopback import running

PERSONS = [
    person("1303814002", "Åse Møller Prøve"),
    person("0102704003", "Bo Prøve", gender="M", birth_date="1970-02-01", protected=True, middle_name="Ib"),
    person("0504614004", None, birth_date="1961-04-05", civil_status=None),
    person(
        "0607504005", "Dan & Eva Prøve", gender="M", birth_date="1950-07-06", status="80", address=None,
        former_addresses=[{**HOME, "moved_in": "2001-05-01", "moved_out": "2014-12-31"}],
    ),
    person("0809904006", "Finn Nabo", address={**HOME, "floor": "st", "door": "12"}),
    person("0910914007", "Gro Hus", address={**HOME, "house_number": "7", "floor": None, "door": None}),
    person("1010924008", "Hans By", address={**HOME, "postcode": "5240", "municipality_code": "0155"}),
]  # fmt: skip


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    store = Store(embedded_server_url(tmp_path_factory.mktemp("registers"), "sandbox"))
    yield store
    store.close()


@pytest.fixture(autouse=True)
def population(store: Store) -> None:
    store.clear()
    store.put_many("register:person", {row["pnr"]: row for row in PERSONS})


@pytest.fixture(scope="module")
def options() -> SandboxOptions:
    return SandboxOptions(data_dir=Path("unused"), settings={"sp_agreement": AGREEMENT})


@pytest.fixture(scope="module")
def persons_url(store: Store, options: SandboxOptions) -> Iterator[str]:
    with running(person_register.build(store, options)) as url:
        yield url


def test_person_look_up_gives_the_fields_of_the_contract_in_its_order(persons_url: str) -> None:
    answer = look_up(persons_url, "1303814002")
    assert answer.status_code == 200
    response = body_of(answer)
    assert response.tag == f"{P}PersonLookupResponse"
    content = tree(response)
    assert content == {
        "persondata": {
            "personnummer": "1303814002",
            "gaeldendePersonnummer": "1303814002",
            "navn": {"personadresseringsnavn": "Åse Møller Prøve", "fornavn": "Åse Møller", "efternavn": "Prøve"},
            "foedselsdato": {"dato": "1981-03-13"},
            "koen": "K",
            "antalBoernUnder18": "0",
            "status": {"status": "1"},
            "civilstand": {"civilstand": "G"},
            "adressebeskyttelse": {"beskyttet": "false"},
        },
        "adresse": {
            "aktuelAdresse": {
                "kommunekode": "461",
                "vejkode": "12",
                "husnummer": "012B",
                "etage": "01",
                "sidedoer": "th",
                "postnummer": "5000",
                "postdistrikt": "Odense C",
                "vejnavn": "Prøvegade",
                "standardadresse": "Prøvegade 12B,1 th",
                "tilflytningsdato": {"dato": "2015-03-01T00:00:00"},
                "AdresseUUID": "0a3f50a0-0000-42b8-8044-0003ba298018",
            }
        },
    }
    assert list(content["adresse"]["aktuelAdresse"])[-1] == "AdresseUUID"
    assert {etree.QName(element).namespace for element in response.iter()} == {P[1:-1]}


def test_absent_data_are_absent_elements(persons_url: str) -> None:
    nameless = tree(body_of(look_up(persons_url, "0504614004")))["persondata"]
    assert "navn" not in nameless
    assert "civilstand" not in nameless
    house = tree(body_of(look_up(persons_url, "0910914007")))["adresse"]["aktuelAdresse"]
    assert house["husnummer"] == "007"
    assert not {"etage", "sidedoer"} & set(house)


def test_protection_keeps_the_address_and_says_so(persons_url: str) -> None:
    content = tree(body_of(look_up(persons_url, "0102704003")))
    assert content["persondata"]["adressebeskyttelse"] == {"beskyttet": "true"}
    assert content["persondata"]["navn"]["mellemnavn"] == "Ib"
    assert content["adresse"]["aktuelAdresse"]["vejnavn"] == "Prøvegade"


def test_emigrated_person_has_history_and_no_current_address(persons_url: str) -> None:
    content = tree(body_of(look_up(persons_url, "0607504005")))
    assert content["persondata"]["status"] == {"status": "80"}
    assert "aktuelAdresse" not in content["adresse"]
    assert content["adresse"]["udrejseoplysninger"] == {"udrejsedato": {"dato": "2014-12-31T00:00:00"}}
    history = content["adresse"]["adresseHistorik"]
    assert history["fraflytningsdato"] == {"dato": "2014-12-31T00:00:00"}
    assert not {"standardadresse", "AdresseUUID"} & set(history)


def test_unknown_person_is_the_fault_of_the_service(persons_url: str) -> None:
    answer = look_up(persons_url, "0101014009")
    assert fault_of(answer) == ("PNR not found", "PNRNotFound")
    assert "0101014009" not in answer.text


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"agreement": AGREEMENT.replace("1", "A")}, "InvalidInvocationContext"),
        ({"system": "0A000000-0000-0000-0000-00000000000A"}, "InvalidInvocationContext"),
        ({"system": "not-a-uuid"}, "InvalidInvocationContext"),
        ({"agreement": "99999999-2222-4333-8444-555555555555"}, "UnknownServiceAgreement"),
        ({"service": SEARCH_SERVICE}, "UnknownService"),
    ],
)
def test_wrong_invocation_context_is_refused(persons_url: str, changes: dict[str, Any], code: str) -> None:
    assert fault_of(look_up(persons_url, "1303814002", **changes))[1] == code


def test_missing_context_wrong_action_and_bad_xml_are_refused(persons_url: str) -> None:
    url = persons_url + "/service/CPR/PersonBaseDataExtended/5"
    request = (
        f'<PersonLookupRequest xmlns="{P[1:-1]}">'
        '<PNR xmlns="http://serviceplatformen.dk/xml/schemas/cpr/PNR/1/">1303814002</PNR></PersonLookupRequest>'
    )
    assert fault_of(send(url, request, f"{P[1:-1]}PersonLookup"))[1] == "MissingInvocationContext"
    assert "SOAPAction" in fault_of(send(url, request, "wrong"))[0]
    assert "well-formed" in fault_of(send(url, "<open>", f"{P[1:-1]}PersonLookup"))[0]
    headers = {"content-type": "text/xml", "soapaction": f'"{P[1:-1]}PersonLookup"'}
    entity = b'<!DOCTYPE x [<!ENTITY e "boom">]><x>&e;</x>'
    assert "document type" in fault_of(httpx.post(url, content=entity, headers=headers))[0]
    assert httpx.post(url, content=b"<x/>", headers={"content-type": "application/soap+xml"}).status_code == 415


def test_search_row_has_the_local_flavour(persons_url: str) -> None:
    root = search(persons_url, VEJK="0012", HNR="012B", ETAG="01", SIDO="00th", POST="5000", MAXA="20")
    assert root.tag == f"{CPR}root"
    assert [etree.QName(part).localname for part in root.find(f".//{CPR}Service")] == [
        "CprServiceHeader", "CprData", "Kvit",
    ]  # fmt: skip
    assert dict(root.find(f".//{CPR}Kvit").attrib) == {"r": "Ok", "t": "", "v": "0"}
    table = root.find(f".//{CPR}Table")
    assert dict(table.attrib) == {"r": "ADRSOEG"}
    assert [row.get("k") for row in table] == ["0", "1", "2", "3"]
    by_number = {row["PNR"]: row for row in found(root)}
    assert by_number["1303814002"] == {
        "AKM": " ",
        "CNVN_ADRNVN": "Prøve,Åse Møller",
        "CNVN_STATUS": "01",
        "CPRS_FOEDDATO": "19810313",
        "ETAGE": "01",
        "HUSNR": "012B",
        "KOMKOD": "0461",
        "PNR": "1303814002",
        "SIDEDOER": " th",
        "STARTDATO": "201503010000",
        "TABMRK": "1",
        "VEJKOD": "0012",
    }
    texts = {field.get("t") for field in root.iter(f"{CPR}Field") if field.get("r") == "CNVN_ADRNVN"}
    assert texts == {"Åse Møller Prøve", "Bo Prøve", "Dan & Eva Prøve"}
    assert by_number["0102704003"]["ADRBESKYT"] == "1"
    assert "CNVN_ADRNVN" not in by_number["0504614004"]
    assert (by_number["0607504005"]["SLUTDATO"], by_number["0607504005"]["CNVN_STATUS"]) == ("201412310000", "80")
    assert "ADRBESKYT" not in by_number["1303814002"]
    assert "SLUTDATO" not in by_number["1303814002"]


def test_result_is_declared_as_iso_8859_1(persons_url: str) -> None:
    request = (
        f'<c:callGCTPCheckServiceRequest xmlns:c="{S[1:-1]}">{context(SEARCH_SERVICE)}<c:gctpMessage>'
        + escape('<Gctp v="1.0"><System r="CprSoeg"><Service r="ADRSOG1"><CprServiceHeader r="ADRSOG1"><Key>')
        + escape('<Field r="VNVN" v="Prøvegade"/><Field r="POST" v="5000"/></Key></CprServiceHeader>')
        + escape("</Service></System></Gctp>")
        + "</c:gctpMessage></c:callGCTPCheckServiceRequest>"
    )
    # Envelopes are also sent in Latin-1.
    answer = send(persons_url + "/service/CPRLookup/CPRLookup/2", request, "", "iso-8859-1")
    text = body_of(answer).findtext(f"{S}result")
    assert re.match(r"<\?xml version=['\"]1.0['\"] encoding=['\"]ISO-8859-1['\"]\?>", text)
    assert "Møller" in text
    assert "&lt;root" in answer.text
    assert len(numbers(etree.fromstring(text.encode("iso-8859-1")))) == 6


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"HNR": "012B", "SIDO": "  12", "ETAG": "st"}, ["0809904006"]),
        ({"HNR": "012B", "SIDO": "0012"}, ["0809904006"]),
        ({"HNR": "012b", "ETAG": "1", "KON": "M"}, ["0102704003", "0607504005"]),
        ({"HNR": "0007"}, ["0910914007"]),
        ({"HNR": "12"}, []),
        ({"ETAG": "", "SIDO": "", "HNR": "0007", "NVN": ""}, ["0910914007"]),
    ],
)
def test_search_filters(persons_url: str, fields: dict[str, str], expected: list[str]) -> None:
    assert sorted(numbers(search(persons_url, VEJK="0012", POST="5000", **fields))) == expected


def test_search_needs_a_street_and_a_place(persons_url: str) -> None:
    assert numbers(search(persons_url, VEJK="0012", KOMK="0155")) == ["1010924008"]
    assert numbers(search(persons_url, VNVN="PRØVEGADE", POST="5240")) == ["1010924008"]
    for fields in ({"VEJK": "0012"}, {"POST": "5000"}, {"VEJK": "0012", "POST": "5000", "FOED": "810313"}):
        receipt = search(persons_url, **fields).find(f".//{CPR}Kvit")
        assert (receipt.get("r"), receipt.get("v")) == ("Fejl", "16")
        assert receipt.get("t")
    refused = search(persons_url, service="NAVNE3", PNR="1303814002").find(f".//{CPR}Kvit")
    assert refused.get("v") == "184"


def test_capped_answer_says_where_to_go_on(persons_url: str, store: Store) -> None:
    crowd = [person(f"01019{n:05d}", f"Nr{n:02d} Prøve", address={**HOME, "house_number": "99"}) for n in range(45)]
    store.put_many("register:person", {row["pnr"]: row for row in crowd})
    first = search(persons_url, VEJK="0012", POST="5000", HNR="0099")
    assert len(numbers(first)) == 20, "20 rows where the caller names no maximum"
    assert first.find(f".//{CPR}Table").get("aia") == "20"
    gathered, aia = [], ""
    while aia is not None:
        part = search(persons_url, VEJK="0012", POST="5000", HNR="0099", MAXA="15", AIA=aia)
        gathered += numbers(part)
        aia = part.find(f".//{CPR}Table").get("aia")
    assert sorted(gathered) == sorted(row["pnr"] for row in crowd)
    exactly = search(persons_url, VEJK="0012", POST="5000", HNR="0099", MAXA="45")
    assert exactly.find(f".//{CPR}Table").get("aia") is None


def test_search_follows_changes_of_the_store(persons_url: str, store: Store) -> None:
    asked = {"VEJK": "0012", "POST": "5000", "HNR": "0007"}
    assert numbers(search(persons_url, **asked)) == ["0910914007"]
    gro = store.load("register:person")["0910914007"]
    old = {**gro["address"], "moved_out": "2026-01-31"}
    store.put("register:person", gro["pnr"], {**gro, "address": HOME, "former_addresses": [old]})
    (row,) = found(search(persons_url, **asked))
    assert (row["PNR"], row["SLUTDATO"]) == ("0910914007", "202601310000")
    assert "0910914007" in numbers(search(persons_url, VEJK="0012", POST="5000", HNR="012B", ETAG="01"))
    store.delete("register:person", gro["pnr"])
    assert numbers(search(persons_url, **asked)) == []


def test_search_is_fast_in_a_large_town(persons_url: str, store: Store) -> None:
    # Straight into the live collection: what counts here is the search, not the database.
    population = store.load("register:person")
    for n in range(100_000):
        home = {**HOME, "street_code": f"{n % 700:04d}", "house_number": str(1 + n // 700)}
        population[f"{n:010d}"] = person(f"{n:010d}", "En Prøve", address=home)
    search(persons_url, VEJK="0300", POST="5000", HNR="0005")
    started = time.perf_counter()
    for n in range(20):
        assert len(numbers(search(persons_url, VEJK=f"{300 + n:04d}", POST="5000", HNR="0005"))) == 1
    assert (time.perf_counter() - started) / 20 < 0.5


def test_requests_are_marked_as_look_ups_without_naming_anybody(store: Store, options: SandboxOptions) -> None:
    seen: list[dict[str, Any]] = []
    app = person_register.build(store, options)

    async def noting(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "http":
            scope["state"] = {}
            await app(scope, receive, send)
            seen.append(scope["state"])

    with running(noting) as url:
        look_up(url, "1303814002")
        search(url, VEJK="0012", POST="5000")
    assert seen == [{"kind": "lookup", "objects": []}] * 2
