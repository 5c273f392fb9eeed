"""The assets of claims and the command `claims`: from an annulled agreement to a claim that is recalled."""

import json
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Any

import dagster as dg
import pytest
import sqlalchemy as sa
from typer.testing import CliRunner

from integration_assets.cache.engine import embedded_server_url
from integration_assets.cli import app
from integration_assets.definitions import build_definitions
from integration_assets.sandbox.store import Store
from integration_assets.settings import Settings
from integration_assets_tests.sandbox.handmade_recalls import Authority, authority, claim, emptied

LEDGER = """claim_id;main_claim_id;art;type_code;creditor_id;creditor_ref;period_from;period_to;amount;received_on
100001;;INDR;FOFAKFY;1999;4711-202504;2025-04-01;2025-04-30;1200.00;2025-06-02
100002;100001;INDR;CVRYKOP;1999;4711-202504-G;;;100.00;2025-06-02
100005;;INDR;FOFAKFY;1999;4712-202504;2025-04-01;2025-04-30;1200.00;2025-06-02
100006;;ANDR;FOFAKFY;1999;4713-202504;2025-04-01;2025-04-30;1200.00;2025-06-02
"""
EVENT = sa.text(
    "INSERT INTO agreement_event (process_id, installation, agreement_id, customer_number, contract, supply_area, "
    "revision, kind, day, moved_in_before, moved_out_before, moved_in, moved_out, call, seen_on) VALUES "
    "(:process, '1', 'a', :customer, :customer, '8000', 1, :kind, '2025-01-01', '2025-01-01', NULL, '2025-01-01', "
    ":moved_out, '{}', '2025-09-01')"
)
RUNNER = CliRunner()


@pytest.fixture(scope="module")
def books(server_dir: Path) -> Iterator[Store]:
    store = Store(embedded_server_url(server_dir, "debt_authority_of_assets"))
    yield store
    store.close()


@pytest.fixture
def dmi(books: Store, tmp_path: Path) -> Iterator[Authority]:
    with authority(books, tmp_path) as served:
        emptied(served, books).control(
            "/claims", [claim(100001), claim(100002, 100001, amount="100.00"), claim(100005)]
        )
        served.control("/switches", {"now": "2025-11-03T09:00:01"})
        yield served


@pytest.fixture
def given(cache_url: str, tmp_path: Path, dmi: Authority, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """Settings of a utility that recalls claims, in the environment too."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "ledger.csv").write_text(LEDGER)
    values = {
        "cache_url": cache_url,
        "data_dir": str(tmp_path),
        "cipher_key": "a secret of these tests",
        "business_day": "2025-11-03",
        "claims_enabled": "true",
        "claims_ledger": str(tmp_path / "ledger.csv"),
        "dmi_url": dmi.url,
        "dmi_creditor_system": "99999999",
        "dmi_creditor_id": "1999",
        "dmi_status_folder": str(dmi.folder),
    }
    for name, value in values.items():
        monkeypatch.setenv(f"INTEGRATION_{name.upper()}", value)
    return values


def materialized(**changed: str) -> dict[str, dict[str, Any]]:
    """Metadata of all assets of claims after a run, by asset."""
    job = build_definitions(Settings(**changed)).resolve_job_def("claim_recalls")  # pyright: ignore[reportArgumentType]
    with dg.DagsterInstance.ephemeral() as instance:
        events = job.execute_in_process(instance=instance).get_asset_materialization_events()
    told = {event.asset_key.path[-1] if event.asset_key else "": event.materialization.metadata for event in events}
    return {name: {key: value.value for key, value in metadata.items()} for name, metadata in told.items()}


def command(*words: str, answer: str = "") -> tuple[int, str]:
    """Exit code and output of a command."""
    done = RUNNER.invoke(app, ["claims", *words], input=answer)
    assert done.exception is None or isinstance(done.exception, SystemExit), done.output
    return done.exit_code, done.output


def listed(*words: str) -> list[dict[str, Any]]:
    code, text = command("list", "--json", *words)
    assert code == 0
    return json.loads(text)


def happened(cache: sa.Engine, customer: str, kind: str, moved_out: date | None) -> None:
    with cache.begin() as connection:
        told = {"process": f"{customer}{kind}", "customer": customer, "kind": kind, "moved_out": moved_out}
        connection.execute(EVENT, told)


@pytest.mark.usefixtures("given")
def test_an_annulled_agreement_takes_its_claims_back(dmi: Authority, cache: sa.Engine) -> None:
    happened(cache, "4711", "cancel_contract_start", date(2025, 1, 1))
    happened(cache, "4712", "contract_change", None)
    first = materialized()
    assert {name: first["ledger"][name] for name in ("new", "rejected")} == {"new": 3, "rejected": 1}
    assert "| 2025-06-01 | 2500.00 | 0.00 | 0.00 | 0.00 | 2500.00 |" in first["ledger"]["collection_base"]
    proposals = first["recall_proposals"]
    assert {name: proposals[name] for name in ("wanted", "proposed", "write_downs")} == {
        "wanted": 2,
        "proposed": 1,
        "write_downs": 1,
    }
    assert first["recalls"]["sent"] == 0, "nobody has approved it"
    assert first["statuses"]["claims_under_collection"] == 3
    (waiting,) = listed()
    assert (waiting["claim_id"], waiting["reason"], waiting["state"]) == (100001, "FEJL", "PROPOSED")
    assert waiting["why"] == "Agreement of customer 4711 was annulled."

    action = str(waiting["action_id"])
    code, text = command("approve", action, "--by", "bent", answer="yes\n")
    assert code == 2
    assert "cannot be undone" in text
    assert "Nothing was approved." in text
    assert command("approve", action, "--by", "bent", answer="IRREVERSIBLE\n")[0] == 0

    second = materialized()
    assert (second["recalls"]["sent"], second["recalls"]["ok"]) == (1, 1)
    assert (second["recall_proposals"]["proposed"], second["recall_proposals"]["known"]) == (0, 1)
    dmi.control("/switches", {"now": "2025-11-04T02:10:00"})
    dmi.control("/work", {})
    third = materialized()
    assert (third["statuses"]["applied"], third["statuses"]["claims_under_collection"]) == (1, 1)
    assert listed() == []
    (done,) = listed("--state", "udfoert")
    assert done["action_id"] == int(action)
    code, text = command("show", action, "--json")
    story = [(each["what"], each["told"]) for each in json.loads(text)["story"]]
    assert ("proposed", "FEJL: Agreement of customer 4711 was annulled.") in story
    steps = ["proposed", "approve", "sent", "answered", "UDFOERT", "receipt", "receipt"]
    assert sorted(what for what, _ in story) == sorted(steps)
    assert {told for what, told in story if what == "receipt"} == {
        "1200.00 DKK from 2025-06-02",
        "100.00 DKK from 2025-06-02",
    }
    assert command("show", "7")[0] == 2
    code, text = command("issues", "--json")
    assert (code, [each["kind"] for each in json.loads(text)]) == (1, ["write_down"])
    code, text = command("reconcile", "--json")
    assert json.loads(text)[-1] | {"month": ""} == {
        "month": "",
        "received": "0.00",
        "recalled": "1300.00",
        "written_down": "0.00",
        "written_up": "0.00",
        "expected_base": "1200.00",
    }
    assert second["recalls"]["requests_dmi"] == 1


@pytest.mark.usefixtures("given")
def test_a_proposal_ends_with_its_reason(cache: sa.Engine) -> None:
    happened(cache, "4711", "cancel_contract_start", date(2025, 1, 1))
    happened(cache, "4712", "cancel_contract_start", date(2025, 1, 1))
    materialized()
    first, second = sorted(listed(), key=lambda row: row["claim_id"])
    assert command("approve", str(second["action_id"]), "--yes-irreversible")[0] == 0
    happened(cache, "4711", "new_contract", None)
    happened(cache, "4712", "new_contract", None)
    told = materialized()
    assert (told["recall_proposals"]["withdrawn"], told["recall_proposals"]["held"]) == (1, 1)
    assert [row["state"] for row in listed()] == ["HOLD"]
    assert command("reject", str(second["action_id"]))[0] == 0
    assert materialized()["recall_proposals"]["proposed"] == 0, "what a person rejected is not proposed again"
    assert listed("--state", "withdrawn")[0]["action_id"] in (first["action_id"], second["action_id"])


def test_a_person_proposes_holds_releases_and_is_told_the_rule_where_it_may_not_be(
    given: dict[str, Any], cache: sa.Engine
) -> None:
    assert command("import", given["claims_ledger"])[0] == 1
    code, text = command("propose", "100005", "--reason", "hens", "--why", "Udsat til foråret")
    assert code == 0
    action = text.split()[1]
    code, text = command("propose", "100005", "--reason", "KLAG", "--why", "Klage")
    assert (code, text.split(":")[0]) == (2, "418")
    assert command("propose", "999", "--reason", "FEJL", "--why", "?")[1].startswith("509")
    assert command("propose", "100001", "--reason", "SMTI", "--why", "?")[1].startswith("010")
    assert command("hold", action)[1] == f"Action {action} is HOLD.\n"
    assert command("approve", action)[0] == 1
    assert command("release", action)[1] == f"Action {action} is PROPOSED.\n"
    assert command("approve", action, "--by", "bent", "--note", "ok")[0] == 0
    assert command("send")[1] == "packed: 1, renewed: 0, sent: 1, ok: 1\n"
    assert command("reject", action)[1] == f"Action {action} stays as it is. It is MODTAGET: the authority decides.\n"
    assert command("overdue")[0] == 0
    kept = cache.connect().execute(sa.text("SELECT decision, decided_by, note FROM recall_decision ORDER BY 1")).all()
    assert ("approve", "bent", "ok") in [tuple(row) for row in kept]


@pytest.mark.usefixtures("given")
def test_nothing_happens_unless_it_is_switched_on(dmi: Authority, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("INTEGRATION_CLAIMS_ENABLED", "false")
    assert materialized() == {
        name: {"enabled": False} for name in ("ledger", "recall_proposals", "recalls", "statuses")
    }
    code, text = command("list")
    assert code == 3
    assert "claims_enabled" in text
    assert dmi.control("/books")["arrivals"] == []
