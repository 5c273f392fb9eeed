"""Rows sent to a CRM (the sandbox over HTTP) in which people work too: cases, their own values, deleted rows."""

import time
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import polars as pl
import pytest
import sqlalchemy as sa

from integration_assets.cache.cipher import Cipher
from integration_assets.cache.deliveries import Deliveries, Delivery, Outcome
from integration_assets.cache.engine import embedded_server_url
from integration_assets.cache.refused import refused
from integration_assets.cache.store import Cache
from integration_assets.clients.dynamics import DynamicsClient
from integration_assets.clients.dynamics_auth import FormTokens, StaticTokens
from integration_assets.domain.crm.fields import TABLE_FACTS
from integration_assets.domain.gates import GateClosed
from integration_assets.flows import delivery as flows_delivery
from integration_assets.flows.crm import LINKS, OPEN_CASE, SYSTEM, deliver_rows, link_sender, row_sender, worklist
from integration_assets.flows.delivery import DeliveryReport
from integration_assets.sandbox import dataverse
from integration_assets.sandbox.store import Store
from integration_assets.sandbox.systems import SandboxOptions
from integration_assets_tests.clients.wire import FAST, Reply, serving
from integration_assets_tests.flows.crm_city import AREA, ORDER, city, in_crm, row_id
from integration_assets_tests.sandbox.loopback import running

CREDENTIALS = {"crm_client_id": "44444444-4444-4444-8444-444444444444", "crm_client_secret": "a secret"}


@pytest.fixture(scope="module")
def crm(server_dir: Path) -> Iterator[tuple[Store, str]]:
    store = Store(embedded_server_url(server_dir, "flows_crm_sandbox"))
    options = SandboxOptions(data_dir=Path("unused"), settings=CREDENTIALS)
    with running(dataverse.build(store, options)) as url:
        yield store, url
    store.close()


@pytest.fixture
def client(crm: tuple[Store, str]) -> Iterator[DynamicsClient]:
    store, url = crm
    store.clear()
    client_id, secret = CREDENTIALS.values()
    client = DynamicsClient(
        url, FormTokens(f"{url}/oauth2/token", client_id, secret, f"{url}/.default", policy=FAST), policy=FAST
    )
    yield client
    client.close()


class Office:
    """What people in the CRM do, by requests of their own."""

    def __init__(self, url: str) -> None:
        form = {
            "grant_type": "client_credentials",
            "client_id": CREDENTIALS["crm_client_id"],
            "client_secret": CREDENTIALS["crm_client_secret"],
            "scope": f"{url}/.default",
        }
        token = httpx.post(f"{url}/oauth2/token", data=form).json()["access_token"]
        self._http = httpx.Client(base_url=f"{url}/api/data/v9.2/", headers={"Authorization": f"Bearer {token}"})

    def do(self, method: str, path: str, body: dict[str, Any] | None = None) -> None:
        self._http.request(method, path, json=body).raise_for_status()


@pytest.fixture
def office(crm: tuple[Store, str], client: DynamicsClient) -> Office:
    del client  # the organisation is empty by then
    return Office(crm[1])


def state(store: Cache, frames: dict[str, pl.DataFrame]) -> None:
    for entity, frame in frames.items():
        store.deliveries.desire(SYSTEM, entity, frame)


def deliver(store: Cache, client: DynamicsClient) -> DeliveryReport:
    report = DeliveryReport()
    for entity in ORDER:
        send = link_sender(client) if entity == LINKS else row_sender(client, entity)
        report.add(deliver_rows(store.deliveries, client, entity, send, [AREA]))
    return report


def send(
    client: DynamicsClient, entity: str, desired: dict[str, Any], delivered: dict[str, Any] | None, number: int = 1
) -> Outcome:
    row = Delivery(row_id(entity, number), str(number), desired, delivered, 0)
    (outcome,) = row_sender(client, entity)([row])
    return outcome


ACCOUNT = {"name": "Varme", "ava_kundenummer": "1", "statecode": 0, "statuscode": 1}
ENDED = {"statecode": 1, "statuscode": 2}


@pytest.mark.parametrize("reference", ["customerid_account", "ava_kundeforhold"])
def test_a_row_that_an_open_case_refers_to_ends_when_the_case_is_closed(
    client: DynamicsClient, office: Office, reference: str
) -> None:
    assert send(client, "accounts", ACCOUNT, None).ok
    key = row_id("accounts", 1)
    case = "00000000-0000-4000-8000-000000000001"
    office.do(
        "POST",
        "incidents",
        {"incidentid": case, "title": "A", "ticketnumber": "CAS-7", f"{reference}@odata.bind": f"/accounts({key})"},
    )
    outcome = send(client, "accounts", ACCOUNT | ENDED, ACCOUNT)
    assert (outcome.ok, outcome.error_code, outcome.permanent) == (False, OPEN_CASE, True)
    assert outcome.error_text == "The open case CAS-7 refers to it; it ends when the case is closed."
    assert in_crm(client, "accounts")[key]["statecode"] == 0
    # What does not end is nobody's business.
    assert send(client, "accounts", ACCOUNT | {"name": "Other"}, ACCOUNT).ok
    office.do("PATCH", f"incidents({case})", {"statecode": 1, "statuscode": 5})
    assert send(client, "accounts", ACCOUNT | ENDED, ACCOUNT).ok
    assert in_crm(client, "accounts")[key]["statecode"] == 1


def test_after_a_lost_cache_too_an_open_case_keeps_a_row(client: DynamicsClient, office: Office) -> None:
    assert send(client, "accounts", ACCOUNT, None).ok
    key = row_id("accounts", 1)
    case = "00000000-0000-4000-8000-000000000001"
    office.do(
        "POST",
        "incidents",
        {
            "incidentid": case,
            "title": "A",
            "ticketnumber": "CAS-7",
            "customerid_account@odata.bind": f"/accounts({key})",
        },
    )
    outcome = send(client, "accounts", ACCOUNT | ENDED, None)
    assert (outcome.ok, outcome.error_code, outcome.permanent) == (False, OPEN_CASE, True)
    assert in_crm(client, "accounts")[key]["statecode"] == 0
    office.do("PATCH", f"incidents({case})", {"statecode": 1, "statuscode": 5})
    assert send(client, "accounts", ACCOUNT | ENDED, None).ok
    assert in_crm(client, "accounts")[key]["statecode"] == 1


def test_a_row_that_has_ended_is_created_active_and_then_ended() -> None:
    """Most tables take no state where a row is created (IsValidForCreate)."""
    first, second = row_id("agreements", 1), row_id("agreements", 2)
    active = {"ava_name": "Aftale", "statecode": 0, "statuscode": 1}
    with serving([Reply(204)]) as server:
        outcomes = row_sender(DynamicsClient(server.url, StaticTokens("t"), policy=FAST), "agreements")(
            [Delivery(first, "1", active | ENDED, None, 0), Delivery(second, "2", active, None, 0)]
        )
    assert [outcome.ok for outcome in outcomes] == [True, True]
    kind = {"@odata.type": "Microsoft.Dynamics.CRM.ava_aftale"}
    assert [(seen.path.rpartition(".")[2], seen.json["Targets"]) for seen in server.seen] == [
        (
            "CreateMultiple",
            [kind | {"ava_aftaleid": first, "ava_name": "Aftale"}, kind | {"ava_aftaleid": second, **active}],
        ),
        ("UpdateMultiple", [kind | {"ava_aftaleid": first, **ENDED}]),
    ]


def test_where_cases_may_not_be_read_only_ending_rows_wait(crm: tuple[Store, str], client: DynamicsClient) -> None:
    first, second, third = ({**ACCOUNT, "ava_kundenummer": str(number)} for number in (1, 2, 3))
    assert send(client, "accounts", first, None, 1).ok
    assert send(client, "accounts", second, None, 2).ok
    no_cases = {"users": {CREDENTIALS["crm_client_id"]: {"without": ["prvReadIncident"]}}}
    httpx.post(f"{crm[1]}/_behaviour", json=no_cases).raise_for_status()
    ids = [row_id("accounts", number) for number in (1, 2, 3)]
    outcomes = row_sender(client, "accounts")(
        [
            Delivery(ids[0], "1", first | ENDED, first, 0),
            Delivery(ids[1], "2", second | {"name": "Other"}, second, 0),
            Delivery(ids[2], "3", third, None, 0),
        ]
    )
    assert [(outcome.ok, outcome.permanent) for outcome in outcomes] == [(False, False), (True, False), (True, False)]
    assert "needs Read on Case (incident)" in (outcomes[0].error_text or "")
    assert {key: (row["name"], row["statecode"]) for key, row in in_crm(client, "accounts").items()} == {
        ids[0]: ("Varme", 0),
        ids[1]: ("Other", 0),
        ids[2]: ("Varme", 0),
    }
    httpx.post(f"{crm[1]}/_behaviour", json={"users": None}).raise_for_status()
    assert send(client, "accounts", ACCOUNT | ENDED, ACCOUNT).ok


def test_an_address_that_people_wrote_first_is_kept(client: DynamicsClient, office: Office) -> None:
    mine = {"firstname": "Anna", "emailaddress1": "kmd@example.dk"}
    key = row_id("contacts", 1)
    assert send(client, "contacts", mine, None).ok
    assert in_crm(client, "contacts")[key] == mine
    office.do("PATCH", f"contacts({key})", {"emailaddress1": "anna@example.dk"})
    newer = mine | {"emailaddress1": "new@example.dk"}
    assert send(client, "contacts", newer, mine).ok
    assert in_crm(client, "contacts")[key]["emailaddress1"] == "anna@example.dk"
    office.do("PATCH", f"contacts({key})", {"emailaddress1": None})
    assert send(client, "contacts", newer | {"emailaddress1": "newest@example.dk"}, newer).ok
    assert in_crm(client, "contacts")[key]["emailaddress1"] == "newest@example.dk"


def test_a_row_that_is_there_already_is_taken_over_with_what_people_wrote(
    client: DynamicsClient, office: Office
) -> None:
    """As after a lost cache, or a request that was carried out and not answered."""
    key = row_id("contacts", 1)
    office.do(
        "POST",
        "contacts",
        {"contactid": key, "firstname": "Old", "lastname": "Old", "emailaddress1": "anna@example.dk"},
    )
    assert send(client, "contacts", {"firstname": "Anna", "emailaddress1": "kmd@example.dk"}, None).ok
    assert in_crm(client, "contacts")[key] == {"firstname": "Anna", "emailaddress1": "anna@example.dk"}


def test_a_row_that_somebody_deleted_is_made_again_as_a_whole(client: DynamicsClient, office: Office) -> None:
    assert send(client, "accounts", ACCOUNT, None).ok
    office.do("DELETE", f"accounts({row_id('accounts', 1)})")
    assert send(client, "accounts", ACCOUNT | {"name": "Other"}, ACCOUNT).ok
    assert in_crm(client, "accounts") == {row_id("accounts", 1): ACCOUNT | {"name": "Other"}}


def test_a_lookup_to_a_row_that_is_not_there_waits(client: DynamicsClient) -> None:
    role = {"ava_rolle": 915240004, "ava_aktoer": row_id("contacts", 1), **ACCOUNT}
    outcome = send(client, "customer_roles", {k: v for k, v in role.items() if k.startswith("ava_r")}, None)
    assert outcome.ok
    pointing = {"ava_rolle": 915240004, "ava_aktoer": row_id("contacts", 1)}
    outcome = send(client, "customer_roles", pointing, {"ava_rolle": 915240004})
    assert (outcome.ok, outcome.permanent) == (False, False)


def test_what_the_crm_refuses_is_on_the_worklist_until_it_is_put_right(store: Cache, client: DynamicsClient) -> None:
    frames = city(range(1, 4))
    bad = pl.col("object_id") == row_id("installations", 2)
    too_long = pl.when(bad).then(pl.lit("x" * 101)).otherwise("ava_maalertype").alias("ava_maalertype")
    state(store, frames | {"installations": frames["installations"].with_columns(too_long)})
    report = deliver(store, client)
    assert (report.created, report.failed) == (20, 1)
    (row,) = worklist("installations", refused(store.engine, SYSTEM, "installations", [AREA])).to_dicts()
    assert (row["record_key"], row["reason"], row["customer_number"]) == ("0000002", "crm_refused", None)
    assert row["text"].startswith("0x80044331 ")
    assert store.deliveries.counts(SYSTEM, "installations") == {"delivered": 2, "refused": 1}
    state(store, {"installations": frames["installations"]})
    assert deliver(store, client).created == 1
    assert refused(store.engine, SYSTEM, "installations", [AREA]).is_empty()


def test_an_unchanged_delivery_asks_nothing(store: Cache, client: DynamicsClient) -> None:
    state(store, city(range(30)))
    assert deliver(store, client).created == 210
    before = client.requests()
    state(store, city(range(30)))
    assert deliver(store, client).counts() == {"created": 0, "updated": 0, "ended": 0, "repaired": 0, "failed": 0}
    assert client.requests() == before
    assert {entity: len(in_crm(client, entity)) for entity in TABLE_FACTS} == dict.fromkeys(TABLE_FACTS, 30)


def test_what_a_check_refuses_is_not_even_desired(store: Cache, client: DynamicsClient) -> None:
    state(store, city(range(3)))
    deliver(store, client)
    seen: list[tuple[int, int, int]] = []

    def check(counts: Any) -> None:
        seen.append((counts.new, counts.changed, counts.unchanged))
        raise GateClosed("too much")

    frame = pl.concat([city(range(1, 4), 1)["accounts"], city(range(1))["accounts"]])
    with pytest.raises(GateClosed, match="too much"):
        store.deliveries.desire(SYSTEM, "accounts", frame, check=check)
    assert seen == [(1, 2, 1)]
    assert store.deliveries.counts(SYSTEM, "accounts") == {"delivered": 3}


@pytest.mark.parametrize(
    ("codes", "batches"),
    [
        (("unreachable",), 1),
        (("503", "not_sent"), 1),
        (("0x80044151",), 3),
        (("unreachable", "0x80040217"), 3),
    ],
)
def test_what_failed_is_not_tried_again_in_a_run_and_a_system_that_is_away_is_left_alone(
    cache: sa.Engine, codes: tuple[str, ...], batches: int
) -> None:
    deliveries = Deliveries(cache, Cipher.from_secret("tests"), backoff_base_seconds=0.001)
    deliveries.desire(SYSTEM, "accounts", city(range(30))["accounts"])
    sent: list[list[str]] = []

    def failing(rows: Sequence[Delivery]) -> list[Outcome]:
        sent.append([row.object_id for row in rows])
        time.sleep(0.01)
        return [
            Outcome(row.object_id, ok=False, error_code=codes[number % len(codes)]) for number, row in enumerate(rows)
        ]

    report = flows_delivery.deliver(deliveries, SYSTEM, "accounts", failing, claim_rows=lambda: 10)
    assert len(sent) == batches
    assert len({key for keys in sent for key in keys}) == 10 * batches == report.failed
    # The next run tries all of them.
    assert deliveries.due(datetime.now(UTC))["count"].sum() == 30
