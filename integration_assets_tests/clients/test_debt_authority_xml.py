"""The debt authority's messages: written to the letter, read whatever is in them, refused where they break rules."""

import random
from datetime import UTC, date, datetime
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from integration_assets.clients.debt_authority_xml import (
    acknowledgement,
    answer_of,
    is_client_fault,
    recall_envelope,
    soap_fault,
    status_update_of,
)
from integration_assets.domain.claims.messages import (
    ActionStatusCode,
    Amount,
    Fault,
    InvalidMessage,
    RecallRequest,
    Rejection,
)
from integration_assets.domain.claims.numbering import ActionContent, action_id_of, delivery_id_of, payload_hash
from integration_assets.domain.people.numbers import Cpr
from integration_assets.flows.claim_statuses import message_of
from integration_assets.sandbox.town_numbers import Numbers
from integration_assets_tests.clients import recall_messages as written

MORNING = datetime(2025, 11, 3, 8, tzinfo=UTC)
FIRST = ActionContent(900001, 100001, "FEJL", None, date(2025, 11, 3))
SECOND = ActionContent(900002, 100002, "HENS", "Aftale & <udsættelse>", date(2025, 11, 4))


def request(*actions: ActionContent, transaction: str = "tb-1") -> RecallRequest:
    return RecallRequest(transaction, MORNING, 5001, "99999999", 1999, actions)


def test_a_request_to_the_letter() -> None:
    wanted = (
        "<?xml version='1.0' encoding='UTF-8'?>\n"
        '<soap:Envelope xmlns:soap="http://schemas.xmlsoap.org/soap/envelope/"><soap:Body>'
        '<DMIFordringAsynkronTilbagekald_I xmlns="http://skat.dk/begrebsmodel/2009/01/15/" '
        'xmlns:k="http://skat.dk/begrebsmodel/xml/schemas/kontekst/2007/05/31/"><Kontekst><k:HovedOplysninger>'
        "<k:TransaktionsID>tb-1</k:TransaktionsID><k:TransaktionsTid>2025-11-03T09:00:00</k:TransaktionsTid>"
        "</k:HovedOplysninger></Kontekst><MFLeveranceID>5001</MFLeveranceID><FordringhaverSystemIDStruktur>"
        "<VirksomhedSENummer>99999999</VirksomhedSENummer></FordringhaverSystemIDStruktur><FordringAktionListe>"
        "<FordringAktion><MFAktionID>900001</MFAktionID><MFAktionKode>TILBAGEKALD</MFAktionKode>"
        "<DMIFordringHaverID>1999</DMIFordringHaverID><DMITilbagekaldFordringStruktur><DMIFordringID>100001"
        "</DMIFordringID><HovedFordringTilbagekaldÅrsagStruktur><HovedFordringTilbagekaldÅrsagKode>FEJL"
        "</HovedFordringTilbagekaldÅrsagKode></HovedFordringTilbagekaldÅrsagStruktur></DMITilbagekaldFordringStruktur>"
        "<DMIFordringVirkningFra>2025-11-03</DMIFordringVirkningFra></FordringAktion>"
        "<FordringAktion><MFAktionID>900002</MFAktionID><MFAktionKode>TILBAGEKALD</MFAktionKode>"
        "<DMIFordringHaverID>1999</DMIFordringHaverID><DMITilbagekaldFordringStruktur><DMIFordringID>100002"
        "</DMIFordringID><HovedFordringTilbagekaldÅrsagStruktur><HovedFordringTilbagekaldÅrsagKode>HENS"
        "</HovedFordringTilbagekaldÅrsagKode><HovedFordringTilbagekaldÅrsagTekst>Aftale &amp; &lt;udsættelse&gt;"
        "</HovedFordringTilbagekaldÅrsagTekst></HovedFordringTilbagekaldÅrsagStruktur></DMITilbagekaldFordringStruktur>"
        "<DMIFordringVirkningFra>2025-11-04</DMIFordringVirkningFra></FordringAktion>"
        "</FordringAktionListe></DMIFordringAsynkronTilbagekald_I></soap:Body></soap:Envelope>"
    )
    assert recall_envelope(request(FIRST, SECOND)) == wanted


def test_what_is_no_request() -> None:
    for wrong, words in (
        (lambda: request(), "at least one action"),
        (lambda: request(FIRST, FIRST), "twice"),
        (lambda: request(FIRST, transaction="x" * 101), "1 to 100 characters"),
        (lambda: request(FIRST, transaction=""), "1 to 100 characters"),
        (lambda: request(FIRST._replace(reason="FEJ1")), "four capitals"),
        (lambda: request(FIRST._replace(claim_id=10**18)), "18 digits"),
        (lambda: RecallRequest("tb-1", MORNING, 5001, "9999999", 1999, (FIRST,)), "eight digits"),
    ):
        with pytest.raises(InvalidMessage, match=words):
            wrong()


def test_ids_are_the_same_for_the_same_and_fit_the_service() -> None:
    ids = {
        action_id_of(claim, reason, ordinal) for claim in range(50) for reason in ("FEJL", "HENS") for ordinal in (0, 1)
    }
    assert len(ids) == 200
    assert all(10**17 <= number < 10**18 for number in ids)
    assert action_id_of(7, "FEJL", 0) == action_id_of(7, "FEJL", 0)
    assert delivery_id_of([1, 2]) == delivery_id_of([2, 1]) != delivery_id_of([1, 3])
    assert payload_hash(1, "99999999", [FIRST, SECOND]) == payload_hash(1, "99999999", [SECOND, FIRST])
    assert payload_hash(1, "99999999", [FIRST]) != payload_hash(1, "99999999", [FIRST._replace(reason="HENS")])


def test_a_main_claim_with_its_sub_claim_and_interest() -> None:
    """The facts of a recall for FEJL: two receipts from the day of receipt, interest of zero."""
    interest = (
        "<DMIInddrivelseRenteFordringStruktur><DMIFordringID>100003</DMIFordringID><DMIFordringTypeKode>RENTE"
        "</DMIFordringTypeKode><FordringBeløbStruktur><ValutaKode>DKK</ValutaKode><DMIFordringBeløb>0.00"
        "</DMIFordringBeløb></FordringBeløbStruktur></DMIInddrivelseRenteFordringStruktur>"
    )
    receipts = written.receipt(100001, 100001, "1200.00", "2025-06-02", interest=interest) + written.receipt(
        100002, 100001, "100.00", "2025-06-02"
    )
    message = written.update(written.info(written.status(900001, 100001, "UDFOERT", receipts=receipts)))
    for content in (message, written.enveloped(message)):
        update = status_update_of(content.encode())
        ((info, status),) = update.statuses()
        assert (update.transaction_id, info.creditor_system, info.delivery_id) == ("dmi-0001", "99999999", 5001)
        assert (status.action_id, status.claim_id, status.code) == (900001, 100001, ActionStatusCode.UDFOERT)
        assert status.changed_at == datetime(2025, 11, 4, 1, 10, tzinfo=UTC)  # Danish time without a zone
        main, sub = status.receipts
        assert (main.claim_id, main.is_main, main.amount) == (100001, True, Amount("DKK", Decimal("1200.00")))
        assert (sub.claim_id, sub.main_claim_id, sub.is_main) == (100002, 100001, False)
        assert main.effective_from == sub.effective_from == date(2025, 6, 2)
        assert [(one.claim_id, one.amount.value) for one in main.interest_claims] == [(100003, Decimal(0))]
        assert sub.interest_claims == ()
        assert [one.limitation_date for one in sub.liabilities] == [date(2028, 6, 1)]


def test_rejections_with_their_parameters() -> None:
    reasons = written.rejection(
        8, "Fordring findes ikke", MFAktionID="900003", DMIFordringEFIFordringID="1234567890", KundeNummer="0101701234"
    )
    message = written.update(written.info(written.status(900003, 199999, "AFVIST", rejections=reasons)))
    ((_, status),) = status_update_of(message.encode()).statuses()
    named = (
        ("MFAktionID", "900003"),
        ("DMIFordringEFIFordringID", "1234567890"),
        ("KundeNummer", "xxxxxx-xxxx"),
    )
    assert status.rejections == (Rejection(8, "Fordring findes ikke", named),)


def test_a_personal_number_is_read_from_its_element_and_shown_nowhere() -> None:
    number = Numbers(random.Random(7), set()).cpr(date(1970, 5, 2), "K")
    owner = f"<EnkeltmandVirksomhedEjer><PersonCPRNummer>{number}</PersonCPRNummer></EnkeltmandVirksomhedEjer>"
    receipts = written.receipt(1, 1, "1.00", "2025-06-02", debtors=written.debtor(owner))
    update = status_update_of(written.update(written.info(written.status(1, 1, "UDFOERT", receipts=receipts))).encode())
    ((_, status),) = update.statuses()
    (liability,) = status.receipts[0].liabilities
    assert liability.debtor.owner == Cpr(number)
    assert number not in repr(update) + str(update) + f"{liability}"
    assert "0000000001" not in repr(update)
    short = written.status(1, 1, "UDFOERT", receipts=receipts.replace(number, number[:9]))
    with pytest.raises(InvalidMessage) as refused:
        status_update_of(written.update(written.info(short)).encode())
    assert number[:9] not in str(refused.value)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (("UDFOERT", "FAERDIG"), "MFAktionStatusKode FAERDIG"),
        (("<MFAktionID>1</MFAktionID>", ""), "MFAktionID is missing"),
        (("<MFAktionID>1</MFAktionID>", "<MFAktionID>en</MFAktionID>"), "MFAktionID is no number"),
        (("2025-11-04T02:10:00</MFAktionStatus", "i går</MFAktionStatus"), "no point in time"),
        (("99999999", "999"), "eight digits"),
        (("INDR", "ANDR"), "neither INDR nor MODR"),
        (("1.00</DMIFordringBeløb>", "1.001</DMIFordringBeløb>"), "two decimals"),
        (("1.00</DMIFordringBeløb>", "en</DMIFordringBeløb>"), "no amount"),
        (("1.00</DMIFordringBeløb>", "1000000000000.00</DMIFordringBeløb>"), "eleven digits"),
        (("<HæftelseForældelseDato>2028-06-01</HæftelseForældelseDato>", ""), "HæftelseForældelseDato is missing"),
        (("DMITilbagekaldFordringHæftelse>", "Andet>"), "nobody who is liable"),
        (("FordringAktionStatus>", "Andet>"), "without any action"),
        (("FordringInfo>", "Andet>"), "at least one delivery"),
        (("dmi-0001", "d" * 256), "1 to 255 characters"),
        (("MFAktionStatusOpdater_I", "Andet_I"), "not MFAktionStatusOpdater_I"),
        (("</MFAktionStatusOpdater_I>", ""), "not well-formed"),
    ],
)
def test_what_is_no_status_update(change: tuple[str, str], words: str) -> None:
    receipts = written.receipt(1, 1, "1.00", "2025-06-02")
    good = written.update(written.info(written.status(1, 1, "UDFOERT", receipts=receipts)))
    status_update_of(good.encode())
    with pytest.raises(InvalidMessage, match=words):
        status_update_of(good.replace(*change).encode())


@settings(deadline=None)
@given(
    place=st.integers(0, 2000),
    length=st.integers(0, 60),
    instead=st.text(max_size=12)
    | st.sampled_from(["NaN", "1E+999999", "0001-01-01T00:00:00", "-1", "9" * 5000, "<x/>"]),
)
def test_whatever_comes_is_read_or_refused_with_a_reason(place: int, length: int, instead: str) -> None:
    good = written.update(
        written.info(
            written.status(
                1,
                1,
                "UDFOERT",
                receipts=written.receipt(1, 1, "1.00", "2025-06-02"),
                rejections=written.rejection(8, "nej", KundeNummer="1"),
            )
        )
    )
    changed = (good[:place] + instead + good[place + length :]).encode(errors="surrogatepass")
    message = message_of("test", changed)
    assert (message.update is None) == bool(message.unreadable)


def test_document_types_and_entities_are_refused() -> None:
    laughs = '<!DOCTYPE x [<!ENTITY a "ha"><!ENTITY b "&a;&a;">]>'
    outside = '<!DOCTYPE x [<!ENTITY f SYSTEM "file:///etc/passwd">]>'
    for prologue in (laughs, outside):
        with pytest.raises(InvalidMessage, match="document type"):
            status_update_of((prologue + written.update(written.info(written.status(1, 1, "MODTAGET")))).encode())


def test_answers() -> None:
    taken = answer_of(written.answer(written.info(written.status(1, 1, "MODTAGET"))).encode())
    assert (taken.transaction_id, taken.faults) == ("tb-1", ())
    assert taken.info is not None
    assert taken.info.statuses[0].code is ActionStatusCode.MODTAGET
    assert answer_of(written.answer(errors=(930, -1)).encode()).faults == (Fault(930, "tekst"), Fault(-1, "tekst"))


def test_errors_in_the_public_form_of_the_header_and_in_faults() -> None:
    public = (
        "<FejlStruktur xmlns='http://rep.oio.dk/skat.dk/basis/kontekst/xml/schemas/2006/09/01/'>"
        "<FejlIdentifikator>994</FejlIdentifikator></FejlStruktur>"
    )
    fault = written.enveloped(f"<s:Fault><faultcode>s:Server</faultcode><detail>{public}</detail></s:Fault>")
    assert answer_of(fault.encode()).faults == (Fault(994),)


def test_what_is_no_answer() -> None:
    blamed = written.enveloped("<s:Fault><faultcode>s:Client</faultcode><faultstring>nej</faultstring></s:Fault>")
    for content in ("<html><body>502</body></html>", "", written.enveloped(""), blamed, written.enveloped("<x/>")):
        with pytest.raises(InvalidMessage):
            answer_of(content.encode())
    assert is_client_fault(blamed.encode())
    assert not is_client_fault(blamed.replace("Client", "Server").encode())


def test_what_we_answer() -> None:
    told = acknowledgement("dmi-0001", MORNING)
    assert "<k:TransaktionsID>dmi-0001</k:TransaktionsID>" in told
    assert "<k:TransaktionsTid>2025-11-03T09:00:00</k:TransaktionsTid>" in told
    assert "<faultcode>soap:Client</faultcode>" in soap_fault("Client", "nej")
