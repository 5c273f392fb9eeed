"""The subscription service, asked with envelopes written by hand; names and results from its public contract."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from integration_assets.cache.engine import embedded_server_url
from integration_assets.sandbox import person_subscriptions
from integration_assets.sandbox.faults import Boundary, FaultPlan, Faults
from integration_assets.sandbox.requests import RequestLog
from integration_assets.sandbox.store import Store
from integration_assets.sandbox.systems import SandboxOptions
from integration_assets_tests.sandbox.handmade_soap import AGREEMENT, body_of, context, fault_of, send
from integration_assets_tests.sandbox.loopback import running

SERVICE = "9cdccc2f-3243-11e2-8fef-d4bed98c5934"
PATH = "/service/CPRSubscription/CPRSubscription/1/"
N = "{http://serviceplatformen.dk/xml/wsdl/soap11/CprSubscriptionService/1/}"
PNR = "{http://serviceplatformen.dk/xml/schemas/cpr/PNR/1/}PNR"
LOG = RequestLog()


@pytest.fixture(scope="module")
def store(server_dir: Path) -> Iterator[Store]:
    store = Store(embedded_server_url(server_dir, "person_subscriptions"))
    yield store
    store.close()


@pytest.fixture(scope="module")
def url(store: Store) -> Iterator[str]:
    options = SandboxOptions(data_dir=Path("unused"), settings={"sp_agreement": AGREEMENT})
    application = Boundary(person_subscriptions.build(store, options), "subscriptions", Faults(FaultPlan()), LOG)
    with running(application) as address:
        yield address


@pytest.fixture(autouse=True)
def nobody(store: Store) -> None:
    store.clear()
    LOG.clear()


def call(url: str, operation: str, argument: str = "", service: str = SERVICE, action: str = "") -> Any:
    body = f'<s:{operation} xmlns:s="{N[1:-1]}">{context(service)}{argument}</s:{operation}>'
    return send(url + PATH, body, action)


def a_number(number: str) -> str:
    return f'<p:PNR xmlns:p="{PNR[1:-4]}">{number}</p:PNR>'


def result(answer: Any, operation: str) -> str:
    response = body_of(answer)
    assert response.tag == f"{N}{operation}Response"
    (only,) = response
    assert only.tag == f"{N}Result"
    return only.text


def test_adding_and_removing_can_be_repeated(url: str, store: Store) -> None:
    number = a_number("1303814002")
    add, remove = "AddPNRSubscription", "RemovePNRSubscription"
    assert [result(call(url, add, number), add) for _ in range(2)] == ["ADDED", "ALREADY_EXISTED"]
    assert store.load("register:subscriptions") == {"1303814002": {"pnr": "1303814002"}}
    assert [result(call(url, remove, number), remove) for _ in range(2)] == ["REMOVED", "NON_EXISTING_PNR"]
    assert store.load("register:subscriptions") == {}


def test_all_filters_are_listed_and_removed(url: str) -> None:
    for number in ("1303814002", "0102704003"):
        call(url, "AddPNRSubscription", a_number(number))
    response = body_of(call(url, "GetAllFilters"))
    assert response.tag == f"{N}GetAllFiltersResponse"
    assert [(part.tag, part.text) for part in response] == [(PNR, "0102704003"), (PNR, "1303814002")]
    others = f'<s:FilterGroup xmlns:s="{N[1:-1]}">AgeRange</s:FilterGroup>'
    call(url, "RemoveAll", others)
    assert len(body_of(call(url, "GetAllFilters"))) == 2
    assert result(call(url, "RemoveAll", others.replace("AgeRange", "PNR")), "RemoveAll") == "REMOVED"
    assert len(body_of(call(url, "GetAllFilters"))) == 0


def test_calls_outside_the_contract_are_refused(url: str) -> None:
    for number in ("130381400", "13038140022", "130381-400"):
        assert fault_of(call(url, "AddPNRSubscription", a_number(number)))[0] == "a PNR has ten digits"
    assert "one argument" in fault_of(call(url, "AddPNRSubscription"))[0]
    assert "unknown here" in fault_of(call(url, "AddAgeRangeSubscription"))[0]
    assert "SOAPAction" in fault_of(call(url, "GetAllFilters", action="urn:other"))[0]
    assert "FilterGroup" in fault_of(call(url, "RemoveAll", f'<s:FilterGroup xmlns:s="{N[1:-1]}">X</s:FilterGroup>'))[0]
    other = "4925d7a0-1b5b-11ec-bdc6-b312b83236d4"
    assert fault_of(call(url, "GetAllFilters", service=other))[1] == "UnknownService"


def test_the_request_log_tells_writing_from_asking_and_names_nobody(url: str) -> None:
    call(url, "AddPNRSubscription", a_number("1303814002"))
    call(url, "RemovePNRSubscription", a_number("1303814002"))
    call(url, "AddPNRSubscription", a_number("130381400"))
    call(url, "GetAllFilters")
    assert [(entry["kind"], entry["status"]) for entry in LOG.since()] == [
        ("write", 200), ("write", 200), ("write", 500), ("lookup", 200),
    ]  # fmt: skip
    assert "130381" not in str(LOG.since())
