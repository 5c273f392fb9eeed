"""Subscriptions to persons, against answers written after the public contract. The numbers are invented."""

import pytest

from integration_assets.clients.http import PermanentError, TransientError
from integration_assets.clients.person_subscriptions import PersonSubscriptionsClient
from integration_assets_tests.clients.soap_replies import INV, PNR, auth, request_in, xml
from integration_assets_tests.clients.wire import FAST, Reply, Server, serving

NS = "http://serviceplatformen.dk/xml/wsdl/soap11/CprSubscriptionService/1/"
NUMBER = "0101701234"


def client(server: Server) -> PersonSubscriptionsClient:
    return PersonSubscriptionsClient(f"{server.url}/subscription", auth(), policy=FAST)


def done(operation: str, result: str) -> Reply:
    return xml(f'<{operation}Response xmlns="{NS}"><Result>{result}</Result></{operation}Response>')


@pytest.mark.parametrize("result", ["ADDED", "ALREADY_EXISTED"])
def test_subscribing_twice_is_no_error(result: str) -> None:
    with serving([done("AddPNRSubscription", result)]) as server:
        client(server).add(NUMBER)
    (seen,) = server.seen
    assert (seen.path, seen.headers["soapaction"]) == ("/subscription", '""')
    request = request_in(seen)
    assert request.tag == f"{{{NS}}}AddPNRSubscription"
    assert [part.tag for part in request] == [f"{INV}InvocationContext", PNR]
    assert request[1].text == NUMBER


@pytest.mark.parametrize("result", ["REMOVED", "NON_EXISTING_PNR"])
def test_ending_twice_is_no_error(result: str) -> None:
    with serving([done("RemovePNRSubscription", result)]) as server:
        client(server).remove(NUMBER)
    request = request_in(server.seen[0])
    assert request.tag == f"{{{NS}}}RemovePNRSubscription"
    assert request[1].text == NUMBER


def test_everybody_subscribed_to_is_told_and_other_filters_are_not() -> None:
    age = f'<AgeRange xmlns="{NS}"><StartAge>1</StartAge><EndAge>2</EndAge></AgeRange>'
    pnr = '<p:PNR xmlns:p="http://serviceplatformen.dk/xml/schemas/cpr/PNR/1/">{}</p:PNR>'
    codes = f'<ChangeCode xmlns="{NS}">A01</ChangeCode><MunicipalityCode xmlns="{NS}">851</MunicipalityCode>'
    everything = age + codes + pnr.format(NUMBER) + pnr.format("202801238")
    reply = xml(f'<r:GetAllFiltersResponse xmlns:r="{NS}">{everything}</r:GetAllFiltersResponse>')
    with serving([reply, xml(f'<GetAllFiltersResponse xmlns="{NS}"/>')]) as server:
        subscriptions = client(server)
        assert subscriptions.subscribed() == {NUMBER, "0202801238"}
        assert subscriptions.subscribed() == frozenset()
    request = request_in(server.seen[0])
    assert request.tag == f"{{{NS}}}GetAllFilters"
    assert [part.tag for part in request] == [f"{INV}InvocationContext"]


@pytest.mark.parametrize("result", ["REMOVED", "NON_EXISTING_PNR", f"UNKNOWN {NUMBER}", ""])
def test_another_result_is_an_error_without_the_number(result: str) -> None:
    with serving([done("AddPNRSubscription", result)]) as server:
        with pytest.raises(PermanentError, match="person subscription") as caught:
            client(server).add(NUMBER)
        assert NUMBER not in f"{caught.value!r} {caught.value.text}"


def test_an_incomplete_number_is_never_sent() -> None:
    subscriptions = PersonSubscriptionsClient("http://127.0.0.1:1", auth(), policy=FAST)
    with pytest.raises(PermanentError, match="whole CPR numbers") as caught:
        subscriptions.add("0101700000")
    assert "010170" not in str(caught.value)
    subscriptions.remove("0101700000")


def test_an_outage_is_tried_again_for_doing_it_twice_does_no_harm() -> None:
    with serving([Reply(drop=True), Reply(503), done("AddPNRSubscription", "ALREADY_EXISTED")]) as server:
        client(server).add(NUMBER)
    with serving([Reply(503)]) as server, pytest.raises(TransientError):
        client(server).remove(NUMBER)
