"""The address search, against answers written after the public contracts. Numbers and persons are invented."""

from datetime import date
from typing import Any

import pytest
from lxml import etree

from integration_assets.clients.http import NotAllowedError, PermanentError, TransientError
from integration_assets.clients.person_search import PAGES_PER_SEARCH, PersonSearchClient
from integration_assets.domain.people.parties import AddressKey, Resident
from integration_assets_tests.clients.soap_replies import (
    GCTP,
    auth,
    found_rows,
    request_in,
    result,
    row,
    searched_for,
    xml,
)
from integration_assets_tests.clients.wire import FAST, Reply, Seen, Server, serving

ADDRESS = AddressKey(street_code="866", house_number="95b", postcode="9240", floor="1", door="mf")


def client(server: Server) -> PersonSearchClient:
    return PersonSearchClient(f"{server.url}/search", auth(), policy=FAST)


def residents(*replies: Reply) -> tuple[tuple[Resident, ...], bool]:
    with serving(list(replies)) as server:
        found = client(server).residents(ADDRESS)
    assert len(server.seen) == len(replies)
    return found.hits, found.complete


def person(serial: int) -> str:
    return row(CNVN_STATUS='v="01"', PNR=f'v="010170{serial:04d}"')


def test_a_search_is_asked_as_the_contract_says() -> None:
    with serving([found_rows("")]) as server:
        assert client(server).residents(ADDRESS).complete
        client(server).residents(AddressKey("0866", "1", "9240", floor=None, door=""))
    seen = server.seen[0]
    assert (seen.path, seen.headers["soapaction"]) == ("/search", '""')
    request = request_in(seen)
    assert request.tag == f"{{{GCTP}}}callGCTPCheckServiceRequest"
    assert request[1].tag == f"{{{GCTP}}}gctpMessage"
    declaration = request[1].text.partition("?>")[0]
    assert "ISO-8859-1" in declaration
    message = etree.fromstring(request[1].text.encode("iso-8859-1"))
    assert (message.tag, message.get("v")) == ("Gctp", "1.0")
    assert [(part.tag, part.get("r")) for part in message.iter()][1:5] == [
        ("System", "CprSoeg"),
        ("Service", "ADRSOG1"),
        ("CprServiceHeader", "ADRSOG1"),
        ("Key", None),
    ]
    assert searched_for(seen) == {
        "VEJK": "0866", "HNR": "095B", "POST": "9240", "ETAG": "01", "SIDO": "00mf", "MAXA": "20",
    }  # fmt: skip
    assert searched_for(server.seen[1]) == {"VEJK": "0866", "HNR": "0001", "POST": "9240", "MAXA": "20"}


def test_the_municipality_takes_the_place_of_the_postal_code() -> None:
    with serving([found_rows("")]) as server:
        client(server).residents(AddressKey("0866", "1", "9240", municipality_code="851"))
    assert searched_for(server.seen[0]) == {"VEJK": "0866", "HNR": "0001", "KOMK": "0851", "MAXA": "20"}


def test_what_iso_8859_1_lacks_is_written_as_a_reference() -> None:
    with serving([found_rows("")]) as server:
        client(server).residents(AddressKey("0866", "1", "9240", door="ő"))
    text = request_in(server.seen[0])[1].text
    assert "ő" not in text
    assert searched_for(server.seen[0])["SIDO"] == "000ő"


def test_the_replicas_flavour_is_read() -> None:
    hits, complete = residents(
        found_rows(
            row(
                AKM='v=" "',
                CNVN_ADRNVN='t="Dorthea Dahl &amp; Æ" v="Dahl-Eriksen,Dorthea"',
                CNVN_STATUS='v="01"',
                CPRS_FOEDDATO='v="19810313"',
                ETAGE='v="01"',
                HUSNR='v="091a"',
                KOMKOD='v="0851"',
                PNR='v="1303814074"',
                SIDEDOER='v=" tv"',
                STARTDATO='v="198103132000"',
                ADRBESKYT='v="1"',
            )
            + row(
                CNVN_ADRNVN='v="Dahl-Eriksen,Dorthea"',
                CNVN_STATUS='v="03"',
                PNR='v="0102365555"',
                SLUTDATO='v="201001011200"',
                SIDEDOER='v="0012"',
            )
        )
    )
    assert complete
    assert hits == (
        Resident(
            "1303814074", "Dorthea Dahl & Æ", date(1981, 3, 13), "01", moved_out=False,
            house_number="91A", floor="1", door="tv", protected=True,
        ),
        # Without a birth date the number tells it: a seventh digit 5 means 20YY up to 57.
        Resident("0102365555", "Dorthea Dahl-Eriksen", date(2036, 2, 1), "03", moved_out=True, door="12"),
    )  # fmt: skip
    assert "1303814074" not in repr(hits)


def test_cprs_own_flavour_is_read_with_headings_skipped_and_empty_fields() -> None:
    """Fields in another order, headings marked with u, empty fields without a value, no birth dates."""
    document = (
        '<?xml version="1.0" encoding="iso-8859-1" standalone="yes"?>\n<root xmlns="http://www.cpr.dk">'
        '<Gctp v="1.0" env="Demo"><System r="CprSoeg"><Service r="ADRSOG1"><CprServiceHeader r="ADRSOG1" ts="2026"/>'
        '<CprData u="O"><Rolle r="HovedRolle"><Field r="BEMAERK"/><Table r="ADRSOEG">'
        + row('u="B" k="A1"', KOMKOD='v="0851" t="Aalborg" tl="Aalborg"', VEJKOD='v="8512"', TABMRK="")
        + row(
            'k="A2"', VEJKOD='v="8512"', HUSNR='v="002"', ETAGE='v="st"', SIDEDOER='v="  tv"', BNR="",
            PNR='v="0102374555"', CNVN_ADRNVN="", ADRBESKYT="", STARTDATO='v="200112081525"', SLUTDATO="",
            CNVN_STATUS='v="90"', AKM="",
        )
        + row('k="A3"', PNR='v="0102363999"', SLUTDATO='v="000000000000"', ADRBESKYT='v="00000000"')
        + row('k="A4"', CNVN_STATUS='v="01"', PNR="")
        + '</Table><Field r="SEARCH_ID"/></Rolle></CprData><Kvit r="Ok" t="" v="0"/></Service></System></Gctp></root>'
    )  # fmt: skip
    hits, complete = residents(result(document))
    assert complete
    assert hits == (
        Resident("0102374555", None, date(1937, 2, 1), "90", moved_out=False, house_number="2", floor="st", door="tv"),
        Resident("0102363999", None, date(1936, 2, 1), "", moved_out=False),
    )


@pytest.mark.parametrize(
    ("number", "born"),
    [
        ("0102363999", date(1936, 2, 1)),
        ("0102364999", date(2036, 2, 1)),
        ("0102379999", date(1937, 2, 1)),
        ("0102588999", date(1858, 2, 1)),
        ("0102577999", date(2057, 2, 1)),
        ("102363999", date(1936, 2, 1)),  # a leading zero was lost
        ("6102364999", None),
        ("12", None),
    ],
)
def test_the_number_tells_the_birth_date_where_the_answer_does_not(number: str, born: date | None) -> None:
    ((hit,), _) = residents(found_rows(row(PNR=f'v="{number}"', CPRS_FOEDDATO='v="00000000"')))
    assert hit.birth_date == born


def paging(pages: dict[str | None, Reply]) -> Any:
    def script(seen: Seen) -> Reply:
        return pages[searched_for(seen).get("AIA")]

    return script


def test_it_asks_on_to_the_end() -> None:
    first = "".join(person(serial) for serial in range(1, 21))
    second = "".join(person(serial) for serial in range(20, 31))  # one of them twice
    pages = {None: found_rows(first, 'aia="20"'), "20": found_rows(second)}
    with serving(paging(pages)) as server:
        found = client(server).residents(ADDRESS)
    assert [hit.number for hit in found.hits] == [f"010170{serial:04d}" for serial in range(1, 31)]
    assert found.complete
    assert [searched_for(seen).get("AIA") for seen in server.seen] == [None, "20"]
    assert all(searched_for(seen)["MAXA"] == "20" for seen in server.seen)


def test_an_answer_that_does_not_get_on_is_incomplete() -> None:
    pages = {None: found_rows(person(1), 'aia="21"'), "21": found_rows(person(1), 'aia="21"')}
    with serving(paging(pages)) as server:
        found = client(server).residents(ADDRESS)
    assert ([hit.number for hit in found.hits], found.complete) == (["0101700001"], False)
    assert len(server.seen) == 2


def test_a_register_that_refuses_to_be_asked_on_is_incomplete() -> None:
    refusal = found_rows("", receipt='<Kvit r="Fejl" t="forkert felt" v="16"/>')
    with serving(paging({None: found_rows(person(1), 'aia="21"'), "21": refusal})) as server:
        found = client(server).residents(ADDRESS)
    assert ([hit.number for hit in found.hits], found.complete) == (["0101700001"], False)


def test_asking_on_is_bounded_and_then_incomplete() -> None:
    with serving(lambda seen: found_rows("", f'aia="{int(searched_for(seen).get("AIA", "0")) + 1}"')) as server:
        assert not client(server).residents(ADDRESS).complete
    assert len(server.seen) == PAGES_PER_SEARCH


@pytest.mark.parametrize(("rows", "complete"), [(19, True), (20, False), (40, False)])
def test_as_many_rows_as_were_asked_for_are_cut_off(rows: int, complete: bool) -> None:
    page = found_rows("".join(person(serial) for serial in range(1, rows + 1)))
    assert residents(page)[1] is complete


def test_a_full_last_page_is_cut_off_too() -> None:
    full = "".join(person(serial) for serial in range(1, 21))
    pages = {None: found_rows(full, 'aia="20"'), "20": found_rows(full)}
    with serving(paging(pages)) as server:
        assert not client(server).residents(ADDRESS).complete


@pytest.mark.parametrize(
    "receipt",
    [
        '<Kvit r="Fejl" t="Person findes ikke" v="172"/>',
        '<Kvit r="OK" t="" v="0"/>',
        '<Kvit v="900"/>',
    ],
)
def test_nobody_is_an_answer_and_no_error(receipt: str) -> None:
    assert residents(found_rows("", receipt=receipt)) == ((), True)


@pytest.mark.parametrize(
    ("receipt", "error", "said"),
    [
        ('<Kvit r="Fejl" t="Ingen adgang 0101701234" v="184"/>', NotAllowedError, "code 184.: Ingen adgang"),
        ('<Kvit r="Fejl" t="Forkert kodeord" v="905"/>', NotAllowedError, "Forkert kodeord"),
        ('<Kvit r="Fejl" t="timeout" v="52"/>', PermanentError, "code 52"),
        ('<Kvit r="Fejl" t="forkert felt" v="16"/>', PermanentError, "forkert felt"),
        ('<Kvit r="Fejl" t="hvad som helst" v="4711"/>', PermanentError, "hvad som helst"),
        ('<Kvit r="Fejl" v="4711"/>', PermanentError, "code 4711"),
        ('<Kvit r="Fejl" t="Systemet er midlertidigt lukket" v="4712"/>', TransientError, "lukket"),
        ("", PermanentError, "no receipt"),
        (
            '<Kvit r="Fejl" v="4713"/><Table><Row><Field r="Kvittxt" v="prøv igen senere"/></Row></Table>',
            TransientError,
            "prøv igen",
        ),
        ('<Kvit r="Ok" v="900"/><Kvit r="Fejl" t="Ingen adgang" v="184"/>', NotAllowedError, "184"),
    ],
)
def test_other_receipts_are_errors_of_their_kind(receipt: str, error: type[Exception], said: str) -> None:
    with serving([found_rows("", receipt=receipt)]) as server, pytest.raises(error, match=said) as caught:
        client(server).residents(ADDRESS)
    assert type(caught.value) is error
    assert "0101701234" not in f"{caught.value!r}"


def test_no_error_repeats_what_was_asked() -> None:
    echoed = 'Felt VEJK="0866" HNR=095B POST 9240 er ukendt'
    receipt = f"<Kvit r='Fejl' t='{echoed}' v='4711'/>"
    with serving([found_rows("", receipt=receipt)]) as server, pytest.raises(PermanentError) as caught:
        client(server).residents(ADDRESS)
    for word in ("0866", "095B", "9240"):
        assert word not in f"{caught.value} {caught.value.text}"
    assert "er ukendt" in str(caught.value)


@pytest.mark.parametrize(
    "reply",
    [result("<root><Gctp>"), result(""), result('<!DOCTYPE a [<!ENTITY b "c">]><a/>'), xml("<x/>")],
)
def test_a_result_that_is_no_document_is_temporary(reply: Reply) -> None:
    with serving([reply]) as server, pytest.raises(TransientError, match="address search"):
        client(server).residents(ADDRESS)


def test_a_result_of_elements_is_read_too() -> None:
    inside = '<Gctp v="1.0"><Table><Row><Field r="PNR" v="1303814074"/></Row></Table><Kvit r="Ok"/></Gctp>'
    answer = f'<r:callGCTPCheckServiceResponse xmlns:r="{GCTP}"><r:result>{inside}</r:result>'
    ((hit,), _) = residents(xml(answer + "</r:callGCTPCheckServiceResponse>"))
    assert hit.number == "1303814074"


def test_an_address_that_does_not_fit_the_search_has_no_residents() -> None:
    search = PersonSearchClient("http://127.0.0.1:1", auth(), policy=FAST)
    found = search.residents(AddressKey("0866", "12345", "9240"))
    assert (found.hits, found.complete) == ((), True)
