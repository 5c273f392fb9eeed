"""Claims of the town in a whole running sandbox: handed over, kept in the ledger file, recalled when annulled."""

import csv
import ssl
from collections import Counter
from collections.abc import Iterator
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from lxml import etree

from integration_assets.cache.engine import embedded_server_url
from integration_assets.sandbox.background import RunningSandbox, start_in_background
from integration_assets.sandbox.kmd_ee_tables import connect
from integration_assets.sandbox.systems import SandboxOptions
from integration_assets.sandbox.verify_claims import compare_books, compare_claims
from integration_assets_tests.sandbox.handmade_recalls import NS, action, delivery, states, texts
from integration_assets_tests.sandbox.test_debt_authority import receipts

TOWN = {"customers": 300, "seed": 5}


@pytest.fixture(scope="module")
def running(server_dir: Path) -> Iterator[RunningSandbox]:
    options = SandboxOptions(data_dir=server_dir / "town_claims", systems=("debt_authority",))
    running = start_in_background(options)
    yield running
    running.stop()


@pytest.fixture
def sandbox(running: RunningSandbox) -> RunningSandbox:
    running.post("/reset")
    running.post("/town", TOWN)
    return running


@pytest.fixture(scope="module")
def client(running: RunningSandbox) -> Iterator[httpx.Client]:
    trust = ssl.create_default_context(cafile=running.settings["dmi_ca"])
    trust.load_cert_chain(running.settings["dmi_certificate"])
    with httpx.Client(verify=trust) as client:
        yield client


def ledger(sandbox: RunningSandbox) -> list[dict[str, str]]:
    with Path(sandbox.settings["claims_ledger"]).open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def send(client: httpx.Client, sandbox: RunningSandbox, message: str) -> httpx.Response:
    envelope = f'<e:Envelope xmlns:e="{NS["s"]}"><e:Body>{message}</e:Body></e:Envelope>'
    headers = {"content-type": "text/xml; charset=utf-8", "soapaction": '"DMIFordringAsynkronTilbagekald"'}
    return client.post(sandbox.settings["dmi_url"], content=envelope.encode(), headers=headers)


def statuses(sandbox: RunningSandbox) -> list[Any]:
    folder = Path(sandbox.settings["dmi_status_folder"])
    return [etree.parse(path).getroot() for path in sorted(folder.glob("*.xml"))]


def test_the_settings_lead_to_the_authority(running: RunningSandbox, client: httpx.Client) -> None:
    given = running.settings
    assert given["dmi_url"].startswith("https://127.0.0.1:")
    assert given["dmi_url"].endswith("/dmi/DMIFordringAsynkronTilbagekald")
    assert (given["claims_enabled"], given["dmi_creditor_system"], given["dmi_creditor_id"]) == (
        "true",
        "99999999",
        "1999",
    )
    assert client.post(given["dmi_url"], content=b"<x/>").status_code == 415
    assert all(Path(given[name]).exists() for name in ("dmi_certificate", "dmi_status_certificate", "dmi_ca"))
    trust = ssl.create_default_context(cafile=given["dmi_ca"])
    with httpx.Client(verify=trust) as stranger, pytest.raises(httpx.TransportError):
        stranger.post(given["dmi_url"], content=b"<x/>")


def test_the_ledger_tells_of_every_claim(sandbox: RunningSandbox) -> None:
    rows = ledger(sandbox)
    truth = sandbox.get("/truth")
    books = sandbox.get("/debt_authority/books")
    assert {row["claim_id"] for row in rows} == set(books["claims"]) == set(truth["claims"])
    mains = [row for row in rows if row["claim_id"] == row["main_claim_id"]]
    assert 12 <= len(mains) <= 25
    assert all(row["type_code"] == "FOFAKFY" for row in mains)
    assert Counter(row["type_code"] for row in rows)["CVRYKOP"] == len(mains)
    assert {row["type_code"] for row in rows} == {"FOFAKFY", "CVRYKOP", "OPKRÆTV"}
    for row in rows:
        assert row["creditor_ref"].split("-")[0] == row["customer_number"] == row["agreement"]
        agreement = truth["agreements"][row["customer_number"]]
        assert agreement["valid_from"] <= row["period_from"] < row["period_to"] < row["received_on"]
        assert agreement["valid_to"] is None or row["period_to"] < agreement["valid_to"]
        # Not before the bill was due, and not after the town's first day.
        assert date.fromisoformat(row["received_on"]) >= date.fromisoformat(row["period_to"]) + timedelta(days=60)
        assert row["received_on"] < truth["base_day"]
        assert row["amount"] == books["claims"][row["claim_id"]]["amount"]
    assert truth["recalls"] == {}
    assert truth["write_downs"] == []


def test_the_same_seed_gives_the_same_claims(sandbox: RunningSandbox) -> None:
    first = ledger(sandbox)
    sandbox.post("/town", {**TOWN, "seed": 6})
    assert ledger(sandbox) != first
    sandbox.post("/town", TOWN)
    assert ledger(sandbox) == first


def test_annulling_an_agreement_asks_for_the_recall_of_its_claims(
    sandbox: RunningSandbox, client: httpx.Client, server_dir: Path
) -> None:
    sandbox.post("/debt_authority/switches", {"automatic": False})
    (customer,) = sandbox.post("/annulments", {"count": 1})["customers"]
    with connect(embedded_server_url(server_dir / "town_claims", "kmd_ee")) as connection:
        query = 'select "Tilflytningsdato", "Fraflytningsdato" from dbo."Kunde" where "Kundenr" = %s'
        ((moved_in, moved_out),) = connection.execute(query, (float(customer),)).fetchall()
    assert moved_out == moved_in - timedelta(days=1)
    mains = {row["main_claim_id"] for row in ledger(sandbox) if row["customer_number"] == customer}
    all_of_them = {row["claim_id"] for row in ledger(sandbox) if row["main_claim_id"] in mains}
    assert sandbox.get("/truth")["recalls"] == dict.fromkeys(mains, "FEJL")
    assert len(compare_claims(sandbox.control_url)) == len(all_of_them)

    for number, main in enumerate(sorted(mains), start=1):
        assert send(client, sandbox, delivery(f"t{number}", action(number, int(main), "FEJL"))).status_code == 200
    sandbox.post("/debt_authority/work", {})
    messages = statuses(sandbox)
    assert {state for _, state in states(messages)} == {"UDFOERT"}
    assert {claim for message in messages for claim in receipts(message)} == all_of_them
    # The authority has the town's day.
    (changed, *_) = texts(messages[0], "//d:MFAktionStatusÆndretDato/text()")
    assert changed.startswith("2026-03-01T")
    assert compare_claims(sandbox.control_url) == []


def test_an_agreement_is_annulled_once(sandbox: RunningSandbox) -> None:
    (customer,) = sandbox.post("/annulments", {"count": 1})["customers"]
    for wrong in ({"customers": [int(customer)]}, {"customers": [1]}, {"count": 1000}, {"count": "all"}):
        assert httpx.post(f"{sandbox.control_url}/annulments", json=wrong).status_code == 400


def test_a_reset_puts_everything_away(sandbox: RunningSandbox, client: httpx.Client) -> None:
    (main, *_) = [row["claim_id"] for row in ledger(sandbox)]
    send(client, sandbox, delivery("t1", action(1, int(main), "FEJL")))
    sandbox.post("/debt_authority/work", {})
    assert len(statuses(sandbox)) == 1
    sandbox.post("/reset")
    assert statuses(sandbox) == []
    books = sandbox.get("/debt_authority/books")
    assert (books["claims"], books["actions"], books["arrivals"]) == ({}, {}, [])


def test_it_works_by_itself(sandbox: RunningSandbox, client: httpx.Client) -> None:
    sandbox.post("/debt_authority/switches", {"process_after_s": 0.05})
    (main, *_) = [row["claim_id"] for row in ledger(sandbox)]
    send(client, sandbox, delivery("t1", action(1, int(main), "FEJL")))
    for _ in range(100):
        if statuses(sandbox):
            break
        httpx.get(f"{sandbox.control_url}/health")
    else:
        pytest.fail("no status came")
    assert states(statuses(sandbox)) == [(1, "UDFOERT")]


class TestWhatIsWrongInBooks:
    """`compare_books` on books that no authority keeps."""

    def books(self, **changes: Any) -> dict[str, Any]:
        return {"claims": {}, "recalls": [], "arrivals": [], **changes}

    def recall(self, claim: int, reason: str, n: int) -> dict[str, Any]:
        return {"claim": claim, "reason": reason, "n": n}

    @pytest.mark.parametrize(
        ("reasons", "wrong"),
        [
            (["FEJL"], False),
            (["HENS", "FEJL"], False),
            (["FEJL", "FEJL"], True),
            (["HENS", "HENS"], True),
            (["FEJL", "HENS"], True),
            (["SMTI", "FEJL"], True),
            (["HENS", "FEJL", "FEJL"], True),
        ],
    )
    def test_twice_recalled(self, reasons: list[str], wrong: bool) -> None:
        recalls = [self.recall(1, reason, n) for n, reason in enumerate(reasons, start=1)]
        assert len(compare_books(self.books(recalls=recalls))) == wrong

    def test_left_behind_and_two_contents(self) -> None:
        claims = {"1": {"main": 1, "recall": {"reason": "FEJL"}}, "2": {"main": 1, "recall": None}}
        arrivals = [{"transaction": "t", "digest": "a"}, {"transaction": "t", "digest": "b"}]
        found = [str(each) for each in compare_books(self.books(claims=claims, arrivals=arrivals))]
        assert found == [
            "debt_authority claim 2: was left behind when its main claim 1 was recalled",
            "debt_authority transaction t: came with two contents",
        ]
