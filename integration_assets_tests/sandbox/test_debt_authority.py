"""The debt authority by hand-made messages: the worked examples, the rules of recalls, its checks and its mishaps."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from integration_assets.cache.engine import embedded_server_url
from integration_assets.sandbox.store import Store
from integration_assets_tests.sandbox.handmade_recalls import (
    EXAMPLES,
    HTTP,
    NS,
    Authority,
    action,
    answer_of,
    authority,
    claim,
    delivery,
    error_of,
    states,
    texts,
    with_examples,
)
from integration_assets_tests.sandbox.loopback import running

NIGHT = "2025-11-04T02:10:00"
RECEIPT = "//d:DMITilbagekaldFordringKvittering"


@pytest.fixture(scope="module")
def store(server_dir: Path) -> Iterator[Store]:
    store = Store(embedded_server_url(server_dir, "debt_authority"))
    yield store
    store.close()


@pytest.fixture(scope="module")
def served(store: Store, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Authority]:
    with authority(store, tmp_path_factory.mktemp("authority")) as served:
        yield served


@pytest.fixture
def dmi(store: Store, served: Authority) -> Authority:
    return with_examples(served, store)


def receipts(message: Any) -> dict[str, dict[str, Any]]:
    """What the receipts of a message say, by claim."""
    found: dict[str, dict[str, Any]] = {}
    for each in message.xpath(RECEIPT, namespaces=NS):
        (number,) = texts(each, "d:DMIFordringID/text()")
        assert number not in found
        found[number] = {
            "main": texts(each, "d:DMIFordringHovedFordringID/text()")[0],
            "art": texts(each, "d:DMIFordringFordringArtKode/text()")[0],
            "type": texts(each, "d:DMIFordringTypeKode/text()")[0],
            "amount": texts(each, "d:FordringBeløbStruktur/d:DMIFordringBeløb/text()")[0],
            "effective": texts(each, "d:DMIFordringVirkningFra/text()")[0],
            "interest": texts(each, "d:DMIInddrivelseRenteFordringListe//d:DMIFordringBeløb/text()"),
            "liable": texts(each, ".//d:HæftelseBeløb/text()"),
        }
    return found


def rejections(message: Any) -> dict[int, tuple[int, dict[str, str]]]:
    """Number and parameters by action."""
    found: dict[int, tuple[int, dict[str, str]]] = {}
    for status in message.iterfind(".//d:FordringAktionStatus", NS):
        (number,) = texts(status, ".//d:MFAktionAfvistNummer/text()")
        named = {each.get("navn"): each.text for each in status.iterfind(".//d:MFAktionAfvistParameter", NS)}
        found[int(status.findtext("d:MFAktionID", namespaces=NS))] = (int(number), named)
    return found


class TestWorkedExamples:
    def test_e1_a_main_claim_takes_its_sub_claims_with_it(self, dmi: Authority) -> None:
        answer = answer_of(dmi.send(delivery("tb-7b1e2f0c-0001", action(900001, 100001, "FEJL"))))
        head = "d:Kontekst/k:HovedOplysningerSvar"
        assert texts(answer, f"{head}/*/text()") == [
            "tb-7b1e2f0c-0001",
            "DMIFordringAsynkronTilbagekald",
            "2025-11-03T09:00:01",
        ]
        assert len(answer.xpath(f"{head}/k:SvarReaktion[not(*)]", namespaces=NS)) == 1
        status = "d:FordringInfo/d:FordringAktionStatusListe/d:FordringAktionStatus"
        assert texts(answer, "d:FordringInfo/d:MFLeveranceID/text()") == ["5001"]
        assert texts(answer, f"{status}/*[not(*)]/text()") == [
            "100001",
            "AFT-77-2025-04",
            "900001",
            "TILBAGEKALD",
            "1999",
            "MODTAGET",
            "2025-11-03T09:00:01",
            "2025-06-02T08:00:00",
        ]

        (message,) = dmi.work_at(NIGHT)
        assert states([message]) == [(900001, "UDFOERT")]
        assert texts(message, "//d:MFAktionStatusÆndretDato/text()") == [NIGHT]
        assert receipts(message) == {
            "100001": {
                "main": "100001",
                "art": "INDR",
                "type": "FOFAKFY",
                "amount": "1200.00",
                "effective": "2025-06-02",
                "interest": ["0.00"],
                "liable": ["1200.00"],
            },
            "100002": {
                "main": "100001",
                "art": "INDR",
                "type": "CVRYKOP",
                "amount": "100.00",
                "effective": "2025-06-02",
                "interest": [],
                "liable": ["100.00"],
            },
        }
        assert texts(message, "//d:DMIInddrivelseRenteFordringStruktur/d:DMIFordringID/text()") == ["100003"]
        assert texts(message, "//d:KundeStruktur/*/text()") == ["0000000001", "PERSON"] * 2
        assert set(texts(message, "//d:HæftelseForældelseDato/text()")) == {"2028-06-01"}

    def test_e2_a_sub_claim_goes_alone(self, dmi: Authority) -> None:
        dmi.send(delivery("tb-7b1e2f0c-0002", action(900002, 100002, "HENS"), leverance=5002))
        (message,) = dmi.work_at(NIGHT)
        found = receipts(message)
        assert list(found) == ["100002"]
        assert (found["100002"]["effective"], found["100002"]["amount"]) == ("2025-11-04", "100.00")
        assert texts(message, "//d:MFLeveranceID/text()") == ["5002"]
        assert dmi.control("/books")["claims"]["100001"]["recall"] is None

    def test_e3_rejections_leave_the_other_actions_alone(self, dmi: Authority) -> None:
        wrong = (action(900003, 199999, "FEJL"), action(900004, 100005, "XXXX"), action(900009, 100001, "KLAG"))
        answer = answer_of(dmi.send(delivery("tb-7b1e2f0c-0003", *wrong)))
        # Business rules are no matter of the answer.
        assert texts(answer, "//d:MFAktionStatusKode/text()") == ["MODTAGET"] * 3
        (message,) = dmi.work_at("2025-11-04T02:11:00")
        assert states([message]) == [(900003, "AFVIST"), (900004, "AFVIST"), (900009, "UDFOERT")]
        for status in message.xpath("//d:FordringAktionStatus[d:MFAktionID=900009]", namespaces=NS):
            status.getparent().remove(status)
        assert rejections(message) == {
            900003: (8, {"MFAktionID": "900003", "DMIFordringEFIFordringID": "199999"}),
            900004: (10, {"MFAktionID": "900004", "ÅrsagKode": "XXXX"}),
        }
        assert not message.xpath(RECEIPT, namespaces=NS)
        # Of a claim that does not exist nobody knows when it came.
        assert texts(message, "//d:FordringAktionStatus[d:MFAktionID=900003]/d:DMIFordringModtagelseDato/text()") == []
        assert texts(message, "//d:FordringAktionStatus[d:MFAktionID=900004]/d:DMIFordringModtagelseDato/text()") == [
            "2025-06-02T08:00:00"
        ]

    def test_e4_a_set_off_claim_is_recalled_with_its_rest(self, dmi: Authority) -> None:
        dmi.send(delivery("tb-7b1e2f0c-0004", action(900005, 100010, "SMTI")))
        (message,) = dmi.work_at("2025-11-04T02:12:00")
        (found,) = receipts(message).values()
        assert (found["art"], found["amount"], found["effective"]) == ("MODR", "340.50", "2025-11-04")
        (recall,) = dmi.control("/books")["recalls"]
        assert (recall["reason"], recall["internal"]) == ("SMTI", "TMIP")

    def test_e5_a_temporary_error_and_a_transaction_that_came_before(self, dmi: Authority) -> None:
        dmi.send(delivery("tb-7b1e2f0c-0001", action(900001, 100001, "FEJL")))
        dmi.control("/switches", {"next_answers": [930]})
        again = action(900006, 100005, "FEJL")
        assert error_of(dmi.send(delivery("tb-7b1e2f0c-0005", again))) == 930
        assert error_of(dmi.send(delivery("tb-7b1e2f0c-0001", action(900001, 100001, "FEJL")))) == 990
        # The refused delivery left nothing behind, but its transaction id is used up: a new one is needed.
        assert error_of(dmi.send(delivery("tb-7b1e2f0c-0005", again))) == 990
        assert states(dmi.work_at(NIGHT)) == [(900001, "UDFOERT")]
        answer_of(dmi.send(delivery("tb-7b1e2f0c-0006", again)))
        assert states(dmi.work_at(NIGHT)) == [(900006, "UDFOERT")]


class TestReasons:
    """The table of reasons: effective date, amount, payments, interest, what may follow."""

    @pytest.mark.parametrize("reason", ["BORD", "HENS", "KLAG", "HAFT"])
    def test_the_rest_goes_from_the_day_of_processing_with_interest(self, dmi: Authority, reason: str) -> None:
        paid = [{"day": "2025-08-01", "amount": "200.00"}]
        dmi.control("/claims", [claim(200001, interest=200003, payments=paid)])
        dmi.send(delivery("t1", action(1, 200001, reason)))
        (message,) = dmi.work_at(NIGHT)
        (found,) = receipts(message).values()
        # 1000.00 owed from 1 July, the month after receipt, to 4 November: 126 days at 5.75 % a year.
        assert found["interest"] == [f"{1000 * 0.0575 * 126 / 365:.2f}"] == ["19.85"]
        assert (found["effective"], found["amount"], found["liable"]) == ("2025-11-04", "1000.00", ["1000.00"])
        assert dmi.control("/books")["claims"]["200001"]["payments"] == paid

    def test_as_wrong_the_whole_amount_goes_and_payments_are_reversed(self, dmi: Authority) -> None:
        dmi.control("/claims", [claim(200001, payments=[{"day": "2025-08-01", "amount": "200.00"}])])
        dmi.send(delivery("t1", action(1, 200001, "FEJL")))
        (message,) = dmi.work_at(NIGHT)
        (found,) = receipts(message).values()
        assert (found["effective"], found["amount"]) == ("2025-06-02", "1200.00")
        assert dmi.control("/books")["claims"]["200001"]["payments"] == []

    @pytest.mark.parametrize(
        ("reason", "fields", "number"),
        [
            ("BORT", {}, 538),
            ("SMTI", {}, 10),
            ("TMIP", {"art": "MODR"}, 10),
            ("REGU", {}, 10),
            ("AFTL", {}, 10),
            ("HENS", {"state_refund": True}, 10),
            ("FEJL", {"creditor": 2000}, 421),
        ],
    )
    def test_what_is_not_allowed(self, dmi: Authority, reason: str, fields: dict[str, Any], number: int) -> None:
        dmi.control("/claims", [claim(200001, **fields)])
        dmi.send(delivery("t1", action(1, 200001, reason)))
        (message,) = dmi.work_at(NIGHT)
        assert rejections(message)[1][0] == number
        assert dmi.control("/books")["claims"]["200001"]["recall"] is None

    @pytest.mark.parametrize("reason", ["FEJL", "KLAG"])
    def test_what_the_state_refunds_is_recalled_for_two_reasons(self, dmi: Authority, reason: str) -> None:
        dmi.control("/claims", [claim(200001, state_refund=True)])
        dmi.send(delivery("t1", action(1, 200001, reason)))
        assert states(dmi.work_at(NIGHT)) == [(1, "UDFOERT")]

    def test_after_a_deferral_only_as_wrong_and_after_that_nothing(self, dmi: Authority) -> None:
        outcomes = []
        for number, reason in enumerate(("HENS", "KLAG", "FEJL", "FEJL", "HENS"), start=1):
            dmi.send(delivery(f"t{number}", action(number, 100005, reason)))
            (message,) = dmi.work_at(NIGHT)
            ((_, state),) = states([message])
            outcomes.append(state if state == "UDFOERT" else rejections(message)[number][0])
        assert outcomes == ["UDFOERT", 603, "UDFOERT", 602, 602]

    def test_a_sub_claim_that_is_gone_does_not_go_again_with_its_main_claim(self, dmi: Authority) -> None:
        dmi.send(delivery("t1", action(1, 100002, "HENS")))
        dmi.work_at(NIGHT)
        dmi.send(delivery("t2", action(2, 100001, "KLAG")))
        (message,) = dmi.work_at(NIGHT)
        assert list(receipts(message)) == ["100001"]
        dmi.send(delivery("t3", action(3, 100001, "FEJL")))
        (message,) = dmi.work_at(NIGHT)
        assert list(receipts(message)) == ["100001", "100002"]


class TestChecksAtOnce:
    def test_what_is_no_message_is_a_fault(self, dmi: Authority) -> None:
        good = delivery("t1", action(1, 100001, "FEJL"))
        late = "<k:TransaktionsTid>2025-11-03T09:00:00</k:TransaktionsTid>"
        attempts = (
            dmi.send("<unfinished>"),
            dmi.send("<Unknown/>"),
            dmi.send(good, action="Something"),
            dmi.send(delivery("", action(1, 100001, "FEJL"))),
            dmi.send(delivery("t1", action(1, 100001, "FEJL"), header="")),
            dmi.send(delivery("t1", action(1, 100001, "FEJL"), header=late)),
            dmi.send(delivery("t1", action(1, 100001, "FEJL"), at="soon")),
            dmi.send(f"<!DOCTYPE x [<!ENTITY e 'x'>]>{good}"),
        )
        for answer in attempts:
            assert answer.status_code == 500
            assert "<faultcode>soap:Client</faultcode>" in answer.text
        assert dmi.control("/books")["arrivals"] == []
        plain = HTTP.post(f"{dmi.url}/dmi/DMIFordringAsynkronTilbagekald", content=good)
        assert plain.status_code == 415

    @pytest.mark.parametrize(
        ("changed", "to"),
        [
            ("<MFLeveranceID>5001</MFLeveranceID>", ""),
            ("<MFAktionID>1<", "<MFAktionID>one<"),
            ("TILBAGEKALD", "NEDSKRIV"),
            (">FEJL<", ">fejl<"),
            ("2025-11-03</DMIFordringVirkningFra>", "2025-13-01</DMIFordringVirkningFra>"),
            ("<DMIFordringVirkningFra>2025-11-03</DMIFordringVirkningFra>", ""),
            ("99999999", "999"),
            (action(1, 100001, "FEJL"), ""),
            (action(1, 100001, "FEJL"), action(1, 100001, "FEJL") * 2),
        ],
    )
    def test_invalid_content_is_915(self, dmi: Authority, changed: str, to: str) -> None:
        good = delivery("t1", action(1, 100001, "FEJL"))
        assert changed in good
        assert error_of(dmi.send(good.replace(changed, to))) == 915
        assert dmi.control("/books")["actions"] == {}

    def test_the_text_of_a_reason_is_allowed(self, dmi: Authority) -> None:
        text = "<HovedFordringTilbagekaldÅrsagTekst>fejl</HovedFordringTilbagekaldÅrsagTekst>"
        place = "</HovedFordringTilbagekaldÅrsagStruktur>"
        answer_of(dmi.send(delivery("t1", action(1, 100001, "FEJL")).replace(place, text + place)))

    def test_a_transaction_id_has_255_characters_at_most(self, dmi: Authority) -> None:
        assert error_of(dmi.send(delivery("x" * 256, action(1, 100001, "FEJL")))) == 993
        answer_of(dmi.send(delivery("x" * 255, action(1, 100001, "FEJL"))))

    def test_rights(self, dmi: Authority) -> None:
        assert error_of(dmi.send(delivery("t1", action(1, 100001, "FEJL"), system="88888888"))) == 994
        assert error_of(dmi.send(delivery("t1", action(1, 100001, "FEJL", creditor=2000)))) == 994
        dmi.control("/switches", {"closed": True})
        assert error_of(dmi.send(delivery("t1", action(1, 100001, "FEJL")))) == 991
        dmi.control("/switches", {"closed": False})
        answer_of(dmi.send(delivery("t1", action(1, 100001, "FEJL"))))

    def test_a_processed_transaction_can_be_992(self, dmi: Authority) -> None:
        dmi.control("/switches", {"duplicate_number": 992})
        message = delivery("t1", action(1, 100001, "FEJL"))
        answer_of(dmi.send(message))
        assert error_of(dmi.send(message)) == 992

    def test_an_action_that_comes_again_is_not_done_again(self, dmi: Authority) -> None:
        asked = action(1, 100001, "FEJL")
        dmi.send(delivery("t1", asked))
        dmi.send(delivery("t2", asked))
        assert states(dmi.work_at(NIGHT)) == [(1, "UDFOERT")]
        answer = answer_of(dmi.send(delivery("t3", asked)))
        assert texts(answer, "//d:MFAktionStatusKode/text()") == ["MODTAGET"]
        # Its creditor is told again how it ended.
        assert states(dmi.work_at("2025-11-05T02:00:00")) == [(1, "UDFOERT")]
        recalled = [recall["claim"] for recall in dmi.control("/books")["recalls"]]
        assert sorted(recalled) == [100001, 100002]

    def test_a_known_action_with_other_content_is_refused(self, dmi: Authority) -> None:
        dmi.send(delivery("t1", action(1, 100001, "FEJL")))
        assert error_of(dmi.send(delivery("t2", action(1, 100005, "FEJL")))) == 915


class TestMishaps:
    def test_a_refused_delivery_is_not_taken_and_its_transaction_used_up(self, dmi: Authority) -> None:
        numbers = [901, 902, 915, 919, 921, 922, 930, 949, 950, 969, 999, 900, 923, 970, 995, -2]
        dmi.control("/switches", {"next_answers": numbers})
        messages = [delivery(f"t{number}", action(number % 1000, 100001, "FEJL")) for number in numbers]
        assert [error_of(dmi.send(message)) for message in messages] == numbers
        assert [error_of(dmi.send(message)) for message in messages] == [990] * len(numbers)
        assert dmi.work_at(NIGHT) == []

    @pytest.mark.parametrize("number", [-1, -3, -4])
    @pytest.mark.parametrize("taken", [0, 1])
    def test_after_an_error_on_the_way_nobody_knows(self, dmi: Authority, number: int, taken: int) -> None:
        dmi.control("/switches", {"next_answers": [number], "taken_share": taken})
        message = delivery("t1", action(1, 100001, "FEJL"))
        assert error_of(dmi.send(message)) == number
        if taken:
            assert error_of(dmi.send(message)) == 990
        else:
            answer_of(dmi.send(message))
        assert states(dmi.work_at(NIGHT)) == [(1, "UDFOERT")]
        assert [entry["taken"] for entry in dmi.control("/books")["arrivals"]] == [bool(taken), True]

    def test_shares_decide_by_chance(self, dmi: Authority) -> None:
        dmi.control("/switches", {"answers": {"930": 0.3, "-3": 0.2}, "taken_share": 0})
        found = [dmi.send(delivery(f"t{number}", action(number, 100001, "FEJL"))) for number in range(100)]
        numbers = [int(match[1]) if (match := re.search("FejlNummer>(-?[0-9]+)<", each.text)) else 0 for each in found]
        assert 15 <= numbers.count(930) <= 45
        assert 8 <= numbers.count(-3) <= 35
        assert numbers.count(930) + numbers.count(-3) + numbers.count(0) == 100

    def test_an_answer_that_is_no_xml(self, dmi: Authority) -> None:
        dmi.control("/switches", {"garbled_share": 1})
        answer = dmi.send(delivery("t1", action(1, 100001, "FEJL")))
        assert answer.status_code == 200
        assert "Envelope" not in answer.text
        assert states(dmi.work_at(NIGHT)) == [(1, "UDFOERT")]

    def test_a_rejection_that_no_rule_foresees(self, dmi: Authority) -> None:
        dmi.control("/switches", {"rejections": {"123": 1}})
        dmi.send(delivery("t1", action(1, 100001, "FEJL")))
        (message,) = dmi.work_at(NIGHT)
        assert rejections(message) == {1: (123, {"MFAktionID": "1"})}

    def test_switches_that_do_not_exist_or_do_not_fit(self, dmi: Authority) -> None:
        for wrong in ({"teapot": 1}, {"casework_share": 2}, {"answers": {"x": 1}}, {"now": "soon"}, {"closed": 1}):
            answer = HTTP.post(f"{dmi.url}/debt_authority/switches", json=wrong)
            assert answer.status_code == 400, wrong


class TestStatuses:
    def test_a_caseworker_comes_between(self, dmi: Authority) -> None:
        dmi.control("/switches", {"casework_share": 1})
        dmi.send(delivery("t1", action(1, 100001, "FEJL")))
        messages = dmi.work_at(NIGHT)
        assert states(messages) == [(1, "SAGSBEHANDL"), (1, "UDFOERT")]
        first, second = (texts(each, "//d:MFAktionStatusÆndretDato/text()")[0] for each in messages)
        assert NIGHT == first < second

    def test_received_statuses_duplicates_and_orphans(self, dmi: Authority) -> None:
        dmi.control("/switches", {"received_share": 1, "duplicate_share": 1, "orphan_share": 1})
        dmi.send(delivery("t1", action(1, 100001, "FEJL")))
        found = states(dmi.work_at(NIGHT))
        assert [each for each in found if each[0] == 1] == [(1, "MODTAGET")] * 2 + [(1, "UDFOERT")] * 2
        (orphan,) = [each for each in found if each[0] != 1]
        assert orphan[1] == "AFVIST"

    def test_statuses_come_in_another_order(self, dmi: Authority) -> None:
        dmi.control("/switches", {"received_share": 1, "casework_share": 1, "reorder_share": 1})
        dmi.send(delivery("t1", action(1, 100001, "FEJL")))
        messages = dmi.work_at(NIGHT)
        assert [state for _, state in states(messages)] == ["UDFOERT", "MODTAGET", "SAGSBEHANDL"]
        changed = [texts(each, "//d:MFAktionStatusÆndretDato/text()")[0] for each in messages]
        assert changed[1] < changed[2] < changed[0]
        assert all(not each.xpath(RECEIPT, namespaces=NS) for each in messages[1:])

    def test_files_appear_whole(self, dmi: Authority) -> None:
        dmi.send(delivery("t1", action(1, 100001, "FEJL")))
        dmi.control("/work", {})
        (path,) = dmi.folder.iterdir()
        assert path.suffix == ".xml"

    def test_they_are_posted_until_they_are_taken(self, dmi: Authority) -> None:
        received: list[tuple[str | None, bytes]] = []

        async def take(request: Request) -> Response:
            received.append((request.headers.get("soapaction"), await request.body()))
            return PlainTextResponse("", status_code=503 if len(received) < 3 else 200)

        with running(Starlette(routes=[Route("/dmi/MFAktionStatusOpdater", take, methods=["POST"])])) as creditor:
            dmi.control("/switches", {"creditor_url": f"{creditor}/dmi/MFAktionStatusOpdater"})
            dmi.send(delivery("t1", action(1, 100001, "FEJL")))
            sent = [dmi.control("/work", {})["sent"] for _ in range(4)]
        assert sent == [0, 0, 1, 0]
        assert len({body for _, body in received}) == 1
        assert {header for header, _ in received} == {'"MFAktionStatusOpdater"'}
        assert b"Envelope" in received[0][1]
        assert b"<MFAktionStatusKode>UDFOERT<" in received[0][1]
        assert not dmi.folder.exists() or list(dmi.folder.iterdir()) == []

    def test_the_owner_of_a_one_man_business_is_told_to_the_creditor_only(self, dmi: Authority) -> None:
        number = "0101701234"
        debtor = {
            "customer": "0000000002",
            "kind": "VIRKSOMHED",
            "limitation": "2028-06-01",
            "cvr": "12345678",
            "name": "Smed Å",
            "form": "10",
            "owner": number,
        }
        dmi.control("/claims", [claim(200001, debtors=[debtor, EXAMPLES[0]["debtors"][0]])])
        dmi.send(delivery("t1", action(1, 200001, "FEJL")))
        (message,) = dmi.work_at(NIGHT)
        customers = [texts(each, ".//text()") for each in message.xpath("//d:KundeStruktur", namespaces=NS)]
        assert customers == [["0000000002", "VIRKSOMHED", "12345678", "Smed Å", "10", number], ["0000000001", "PERSON"]]
        assert number not in HTTP.get(f"{dmi.url}/debt_authority/books").text


def test_what_was_taken_survives_the_end_of_the_process(dmi: Authority, server_dir: Path) -> None:
    answer_of(dmi.send(delivery("t1", action(1, 100001, "FEJL"))))
    again = Store(embedded_server_url(server_dir, "debt_authority"))
    try:
        assert set(again.load("dmi:actions")) == set(again.load("dmi:pending")) == {"1"}
        assert set(again.load("dmi:transactions")) == {"t1"}
    finally:
        again.close()
