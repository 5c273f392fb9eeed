"""Tokens, headers, and what the request log and the store know afterwards."""

import time

import httpx
import pytest

from integration_assets.sandbox.dataverse.rows import Rows
from integration_assets.sandbox.dataverse.tables import ORGANISATION
from integration_assets.sandbox.faults import FaultPlan, Faults
from integration_assets.sandbox.requests import RequestLog
from integration_assets.sandbox.store import Store
from integration_assets_tests.sandbox.dataverse.api import Api, error, get_token, row_id

A, B, C = row_id(1), row_id(2), row_id(3)


def test_client_credentials_give_a_bearer_token(server: str) -> None:
    answer = get_token(server)
    assert answer.status_code == 200
    assert answer.json()["token_type"] == "Bearer"
    assert answer.json()["expires_in"] == 3599
    headers = {"Authorization": f"Bearer {answer.json()['access_token']}"}
    assert httpx.get(f"{server}/api/data/v9.2/WhoAmI", headers=headers).status_code == 200


@pytest.mark.parametrize(
    ("changes", "status", "name", "number"),
    [
        ({"client_secret": "wrong"}, 401, "invalid_client", "AADSTS7000215"),
        ({"client_id": "00000000-0000-4000-8000-000000000000"}, 400, "unauthorized_client", "AADSTS700016"),
        ({"grant_type": "password"}, 400, "unsupported_grant_type", "AADSTS70003"),
        ({"scope": "user_impersonation"}, 400, "invalid_scope", "AADSTS70011"),
    ],
)
def test_token_refusals(server: str, changes: dict[str, str], status: int, name: str, number: str) -> None:
    answer = get_token(server, **changes)
    assert answer.status_code == status
    assert answer.json()["error"] == name
    assert answer.json()["error_description"].startswith(f"{number}:")


@pytest.mark.parametrize("headers", [{}, {"Authorization": "Bearer forged"}, {"Authorization": "Basic eDp5"}])
def test_api_wants_a_valid_token(server: str, headers: dict[str, str]) -> None:
    answer = httpx.get(f"{server}/api/data/v9.2/WhoAmI", headers=headers)
    assert answer.status_code == 401
    assert answer.content == b""
    assert answer.headers["WWW-Authenticate"].startswith("Bearer authorization_uri=")


def test_tokens_expire(server: str) -> None:
    httpx.post(f"{server}/_behaviour", json={"token_lifetime_s": 0.5})
    try:
        headers = {"Authorization": f"Bearer {get_token(server).json()['access_token']}"}
        assert httpx.get(f"{server}/api/data/v9.2/WhoAmI", headers=headers).status_code == 200
        time.sleep(0.5)
        assert httpx.get(f"{server}/api/data/v9.2/WhoAmI", headers=headers).status_code == 401
    finally:
        httpx.post(f"{server}/_behaviour", json={"token_lifetime_s": 3599})


def test_who_am_i_and_response_headers(api: Api) -> None:
    answer = api.get("WhoAmI")
    assert set(answer.json()) == {"@odata.context", "BusinessUnitId", "UserId", "OrganizationId"}
    assert answer.headers["OData-Version"] == "4.0"
    assert answer.headers["Content-Type"] == "application/json; odata.metadata=minimal"
    assert answer.headers["x-ms-dop-hint"] == "4"
    assert answer.headers["REQ_ID"]
    assert answer.headers["x-ms-service-request-id"]
    assert "ARRAffinity=" in answer.headers["Set-Cookie"]


def test_unknown_entity_set(api: Api) -> None:
    answer = api.get("contact")
    assert error(answer) == (404, "0x80060888")
    assert answer.json()["error"]["message"] == "Resource not found for the segment 'contact'."


def test_log_names_kind_and_touched_objects(api: Api, server: str, log: RequestLog) -> None:
    get_token(server)
    api.create("contacts", contactid=A, firstname="Ida")
    api.bulk("contacts", "UpsertMultiple", "contact", [{"contactid": A, "lastname": "Holm"}, {"contactid": B}])
    api.create("ava_aftales", ava_aftaleid=C)
    api.send("POST", f"ava_aftales({C})/ava_aktoerens_aftaler/$ref", {"@odata.id": f"{api.root}contacts({A})"})
    api.rows("contacts?$select=firstname")
    api.send("PATCH", f"contacts({A})", {"firstname": "x" * 151})
    logged = [(entry["kind"], entry["objects"], entry["status"]) for entry in log.since()]
    assert logged == [
        ("token", [], 200),
        ("write", [f"contacts({A})"], 204),
        ("write", [f"contacts({A})", f"contacts({B})"], 204),
        ("write", [f"ava_aftales({C})"], 204),
        ("write", [f"ava_aftales({C})/ava_aktoerens_aftaler({A})"], 204),
        ("read", [], 200),
        ("write", [], 400),
    ]


def test_log_names_the_objects_of_batch_parts(api: Api, log: RequestLog) -> None:
    part = "--batch_1\nContent-Type: application/http\nContent-Transfer-Encoding: binary\n\n"
    body = f"{part}PATCH contacts({A}) HTTP/1.1\n\n{{}}\n{part}GET contacts HTTP/1.1\n\n\n--batch_1--\n"
    api.batch(body)
    api.batch(f"{part}GET contacts HTTP/1.1\n\n\n--batch_1--\n")
    assert [(e["kind"], e["objects"]) for e in log.since()] == [("write", [f"contacts({A})"]), ("read", [])]


def test_effects_stay_when_the_answer_is_lost(api: Api, faults: Faults) -> None:
    faults.use(FaultPlan(rate_timeout_after_commit=1))
    try:
        with pytest.raises(httpx.TransportError):
            api.send("PATCH", f"contacts({A})", {"firstname": "Ida"})
    finally:
        faults.use(FaultPlan())
    assert api.row(f"contacts({A})")["firstname"] == "Ida"


def test_injected_errors_have_the_documented_body(api: Api, faults: Faults) -> None:
    faults.use(FaultPlan(rate_429=1, retry_after_s=7))
    try:
        answer = api.get("contacts")
    finally:
        faults.use(FaultPlan())
    assert error(answer) == (429, "0x80072322")
    assert answer.headers["Retry-After"] == "7"


def test_rows_links_and_keys_survive_the_process(api: Api, store_url: str) -> None:
    api.create("accounts", accountid=A, ava_kundenummer="4711")
    api.create("contacts", contactid=B)
    api.create("ava_aftales", ava_aftaleid=C)
    api.send("POST", f"ava_aftales({C})/ava_aktoerens_aftaler/$ref", {"@odata.id": f"contacts({B})"})
    reopened = Store(store_url)
    rows = Rows(reopened, lambda: "2026-01-31T00:00:00Z")
    accounts = ORGANISATION.tables["accounts"]
    assert rows.find(accounts, accounts.keys[0], {"ava_kundenummer": "4711"}) == A
    assert rows.linked(ORGANISATION.relationships["ava_aktoerens_aftaler"], "contacts", B) == [C]
    reopened.close()
