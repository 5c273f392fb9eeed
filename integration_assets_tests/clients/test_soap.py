"""What all services of the platform share: who calls, what faults mean, and that nothing asked gets into an error.

Asked through the person look-up; the numbers are invented.
"""

import logging
import ssl
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from integration_assets.clients.http import (
    NotAllowedError,
    PermanentError,
    TransientError,
    certificate_expires_on,
    client_certificate,
)
from integration_assets.clients.person_lookup import PersonLookupClient
from integration_assets.clients.soap import SoapService
from integration_assets.clients.soap_auth import Authentication, platform_uuid
from integration_assets.clients.soap_xml import parse
from integration_assets_tests.clients.certificates import Authority, demanding
from integration_assets_tests.clients.soap_replies import (
    AGREEMENT,
    SERVICE,
    auth,
    context_in,
    envelope,
    fault,
    is_uuid,
    request_in,
    xml,
)
from integration_assets_tests.clients.wire import FAST, Reply, Server, serving

NUMBER = "0707614285"
V5 = "http://serviceplatformen.dk/xml/wsdl/soap11/CPR/PersonBaseDataExtended/5/"
PERSON = f'<PersonLookupResponse xmlns="{V5}"><persondata/></PersonLookupResponse>'


def lookup(server: Server, **more: Any) -> PersonLookupClient:
    return PersonLookupClient(server.url, auth(**more), policy=FAST)


def test_every_call_says_who_calls_and_has_an_id_of_its_own() -> None:
    with serving([Reply(503), xml(PERSON)]) as server:
        client = lookup(server, on_behalf_of="integration", accounting_info="æ" * 300)
        client.person(NUMBER)
        client.person(NUMBER)
    first, again, second = (context_in(seen) for seen in server.seen)
    assert list(first) == [
        "ServiceAgreementUUID",
        "UserSystemUUID",
        "UserUUID",
        "ServiceUUID",
        "OnBehalfOfUser",
        "CallersServiceCallIdentifier",
        "AccountingInfo",
    ]
    call = first["CallersServiceCallIdentifier"]
    assert is_uuid(call)
    assert first == {
        "ServiceAgreementUUID": AGREEMENT,
        "UserSystemUUID": "00000000-0000-0000-0000-000000000002",
        "UserUUID": "00000000-0000-0000-0000-000000000003",
        "ServiceUUID": SERVICE,
        "OnBehalfOfUser": "integration",
        "CallersServiceCallIdentifier": call,
        "AccountingInfo": "æ" * 255,
    }
    assert again == first, "the same call, tried again"
    assert second["CallersServiceCallIdentifier"] != call


def test_optional_parts_of_the_context_are_left_out() -> None:
    with serving([xml(PERSON)]) as server:
        lookup(server).person(NUMBER)
    assert {"OnBehalfOfUser", "AccountingInfo"}.isdisjoint(context_in(server.seen[0]))


@pytest.mark.parametrize("value", ["", "x", AGREEMENT[:-1], f"{{{AGREEMENT}}}", AGREEMENT.replace("-", "")])
def test_what_is_no_uuid_is_refused_by_the_name_of_its_setting(value: str) -> None:
    with pytest.raises(ValueError, match="Setting sp_agreement is no uuid"):
        platform_uuid(value, "sp_agreement")


def test_another_way_of_proving_who_calls_can_take_its_place() -> None:
    class Signed:
        tls = True

        def complete(self, envelope: Any, request: Any, call_id: str) -> None:
            header = request.makeelement("Header")
            header.text = call_id
            envelope.insert(0, header)

    strategy: Authentication = Signed()
    with serving([xml(PERSON)]) as server:
        service = SoapService("The service", server.url, strategy, policy=FAST)
        service.call(parse(b"<Question/>"), "do", call_id="7")
    sent = parse(server.seen[0].body)
    assert [(part.tag.rpartition("}")[2], part.text) for part in sent] == [("Header", "7"), ("Body", None)]
    assert [part.tag for part in sent[1]] == ["Question"]


@pytest.mark.parametrize(
    "reply",
    [
        fault("no agreement is approved for this ServiceAgreementUUID", "UnknownServiceAgreement"),
        fault("Serviceaftale ikke godkendt", "4711"),
        fault("the authority is not known", "4712"),
        fault("the InvocationContext is not valid", "InvalidInvocationContext", "Client"),
        fault("Access denied"),
        fault("User is not authorized"),
        Reply(401),
        Reply(403, b"<html>Forbidden</html>", {"Content-Type": "text/html"}),
    ],
)
def test_whoever_is_not_let_in_is_told_so_at_once(reply: Reply) -> None:
    with serving([reply]) as server, pytest.raises(NotAllowedError) as caught:
        lookup(server).person(NUMBER)
    assert len(server.seen) == 1
    said = str(caught.value)
    assert said.startswith("The person look-up (CPR) does not let us ask")
    assert "sp_agreement" in said
    assert caught.value.request_id == context_in(server.seen[0])["CallersServiceCallIdentifier"]


@pytest.mark.parametrize(
    "reply",
    [fault("something odd", "4713"), fault("invalid", blame="Client"), Reply(404), Reply(400, {"message": "no"})],
)
def test_what_stays_wrong_is_permanent_and_sent_once(reply: Reply) -> None:
    with serving([reply]) as server, pytest.raises(PermanentError, match="person look-up") as caught:
        lookup(server).person(NUMBER)
    assert len(server.seen) == 1
    assert not isinstance(caught.value, NotAllowedError)


@pytest.mark.parametrize(
    "reply",
    [
        fault("Fejl i bagvedliggende system"),
        fault("Timeout while calling the register, try again later", "4714"),
        Reply(502),
        Reply(503),
        Reply(504),
        Reply(500, b"<html>"),
        Reply(200, b"<html>"),
        Reply(drop=True),
        xml(""),
    ],
)
def test_outages_are_tried_again_and_then_transient(reply: Reply) -> None:
    with serving([reply, reply, xml(PERSON)]) as server:
        assert lookup(server).person(NUMBER) is not None
    with serving([reply]) as server, pytest.raises(TransientError, match="cannot answer at present"):
        lookup(server).person(NUMBER)


def test_no_answer_in_time_and_no_server_are_transient() -> None:
    with serving([Reply(delay_s=0.5)]) as server:
        client = PersonLookupClient(server.url, auth(), timeout_s=0.1, policy=FAST)
        with pytest.raises(TransientError, match="ReadTimeout"):
            client.person(NUMBER)
    with pytest.raises(TransientError, match="ConnectError"):
        PersonLookupClient("http://127.0.0.1:1", auth(), policy=FAST).person(NUMBER)


@pytest.mark.parametrize(
    "reply",
    [
        fault(f"odd {NUMBER} or 070761-4285", f"E{NUMBER}"),
        fault(f"pnr={NUMBER} agreement", "UnknownServiceAgreement"),
        fault(f"<![CDATA[<PNR>{NUMBER}</PNR>]]>"),
        Reply(400, f"bad {NUMBER}".encode(), {"Content-Type": "text/plain"}),
        Reply(400, {"error": {"code": NUMBER, "message": NUMBER}}),
        Reply(503, f"later {NUMBER}".encode(), {"Content-Type": "text/plain"}),
        Reply(drop=True),
    ],
)
def test_no_error_and_no_log_holds_the_number_that_was_asked(reply: Reply, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    with serving([reply]) as server, pytest.raises((TransientError, PermanentError)) as caught:
        lookup(server).person(NUMBER)
    error = caught.value
    told = f"{error!r} {error.text} {error.code} {error.request_id} {error.__cause__!r} {error.__context__!r}"
    for form in (NUMBER, "070761-4285", "4285"):
        assert form not in told
    assert NUMBER not in caplog.text


def test_an_answer_with_a_document_type_is_refused() -> None:
    bomb = b'<!DOCTYPE x [<!ENTITY a "b">]>' + envelope(PERSON).partition(b"?>")[2]
    with serving([Reply(200, bomb, {"Content-Type": "text/xml"})]) as server, pytest.raises(TransientError):
        lookup(server).person(NUMBER)


def test_the_request_is_utf_8_and_names_no_prefix_twice() -> None:
    with serving([xml(PERSON)]) as server:
        lookup(server).person(NUMBER)
    assert server.seen[0].body.startswith(b"<?xml version='1.0' encoding='UTF-8'?>")
    assert request_in(server.seen[0]).tag == f"{{{V5}}}PersonLookupRequest"


def over_tls(url: str, **tls: Any) -> PersonLookupClient:
    return PersonLookupClient(url, auth(**tls), policy=FAST)


def test_our_certificate_is_shown_and_the_named_authority_trusted(tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    ours = client_certificate(authority.issue("us"), authority.ca)
    with demanding(authority.issue("server"), authority.ca, envelope(PERSON)) as url:
        assert over_tls(url, tls=ours).person(NUMBER) is not None


def test_a_server_that_nobody_vouches_for_is_not_asked(tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    with (
        demanding(authority.issue("server"), authority.ca, envelope(PERSON)) as url,
        pytest.raises(NotAllowedError, match="not trusted here"),
    ):
        over_tls(url).person(NUMBER)


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
@pytest.mark.parametrize("shown", ["a stranger's", "none"])
def test_a_certificate_that_is_not_accepted_or_missing_is_a_refusal(
    tmp_path: Path, version: ssl.TLSVersion, shown: str
) -> None:
    (tmp_path / "other").mkdir()
    authority, stranger = Authority(tmp_path), Authority(tmp_path / "other", "stranger")
    trusting = ssl.create_default_context(cafile=str(authority.ca))
    theirs = trusting if shown == "none" else client_certificate(stranger.issue("us"), authority.ca)
    with (
        demanding(authority.issue("server"), authority.ca, envelope(PERSON), version) as url,
        pytest.raises(NotAllowedError, match="does not accept our certificate"),
    ):
        over_tls(url, tls=theirs).person(NUMBER)


def test_the_day_on_which_a_certificate_ends(tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    assert certificate_expires_on(authority.issue("us")).isoformat() == "2040-05-06"
    sooner = authority.issue("sooner", datetime(2030, 1, 2, tzinfo=UTC), chain=True)
    assert certificate_expires_on(sooner).isoformat() == "2030-01-02"
    later = authority.issue("later", datetime(2044, 1, 2, tzinfo=UTC), chain=True)
    assert certificate_expires_on(later).isoformat() == "2040-05-06", "its authority ends before it"
    (tmp_path / "empty.pem").write_text("nothing")
    with pytest.raises(ValueError, match="no readable PEM certificate"):
        certificate_expires_on(tmp_path / "empty.pem")
