"""The core of the sandbox: memory that survives, the request log, faults, the control system, start and end."""

import json
import signal
import smtplib
import stat
import urllib.error
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from integration_assets.cache.engine import embedded_server_url
from integration_assets.sandbox.background import RunningSandbox, start_in_background
from integration_assets.sandbox.faults import Boundary, FaultPlan, Faults
from integration_assets.sandbox.requests import RequestLog
from integration_assets.sandbox.store import Store
from integration_assets.sandbox.systems import SandboxOptions
from integration_assets_tests.sandbox.loopback import running as running_app

HTTP = httpx.Client()
WIDE = "?virkningfra=-infinity&virkningtil=infinity"


def options(data_dir: Path, **changes: Any) -> SandboxOptions:
    return SandboxOptions(data_dir=data_dir, systems=("lora",), **changes)


@pytest.fixture(scope="module")
def data_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("sandbox")


@pytest.fixture(scope="module")
def running(data_dir: Path) -> Iterator[RunningSandbox]:
    sandbox = start_in_background(options(data_dir))
    yield sandbox
    sandbox.stop()


@pytest.fixture
def sandbox(running: RunningSandbox) -> Iterator[RunningSandbox]:
    running.post("/reset")
    yield running
    running.post("/reset")


def body(user_key: str = "jensen") -> dict[str, Any]:
    always = {"from": "-infinity", "to": "infinity"}
    return {
        "attributter": {"brugeregenskaber": [{"brugervendtnoegle": user_key, "virkning": always}]},
        "tilstande": {"brugergyldighed": [{"gyldighed": "Aktiv", "virkning": always}]},
    }


def put(url: str, object_id: str) -> httpx.Response:
    return HTTP.put(f"{url}/organisation/bruger/{object_id}", json=body())


class TestStore:
    @pytest.fixture
    def url(self, data_dir: Path) -> str:
        return embedded_server_url(data_dir, "store_test")

    def test_everything_written_is_there_for_the_next_process(self, url: str) -> None:
        first = Store(url)
        first.clear()
        first.put("a", "1", {"x": [1, None, "æ"]})
        first.put("a", "1", {"x": 2})
        first.put_many("b", {str(number): {"n": number} for number in range(12_000)})
        first.delete("b", "7")
        second = Store(url)
        assert second.load("a") == {"1": {"x": 2}}
        assert len(second.load("b")) == 11_999
        assert second.collections() == ["a", "b"]
        second.clear("b")
        assert Store(url).collections() == ["a"]

    def test_a_loaded_collection_follows_the_writes(self, url: str) -> None:
        store = Store(url)
        store.clear()
        live = store.load("c")
        store.put("c", "1", "text")
        assert live == {"1": "text"}
        store.clear()
        assert live == {}
        assert store.load("c") is live


class TestRequestLog:
    def test_counts_and_ring(self) -> None:
        log = RequestLog()
        log.add("crm", "POST", "/x", "write", ["a", "b"], 200, 1.0)
        log.add("crm", "GET", "/x", "read", [], 404, 41.0, 9.0)
        assert [entry["n"] for entry in log.since(1)] == [2]
        assert log.summary()["crm"] == {
            "total": 2,
            "by_kind": {"write": 1, "read": 1},
            "objects_by_kind": {"write": 2, "read": 0},
            "by_method": {"POST": 1, "GET": 1},
            "by_status": {"200": 1, "404": 1},
            "worked_ms": 10,
        }
        log.clear()
        assert log.summary() == {}
        log.add("crm", "GET", "/x", "read", [], 200, 1.0)
        assert log.since()[0]["n"] == 3

    @pytest.mark.parametrize("path", ["/contacts(ava_cpr='0101701234')", "/p/010170-1234"])
    def test_what_could_be_a_personal_number_is_masked(self, path: str) -> None:
        log = RequestLog()
        log.add("crm", "GET", path, "read", [], 200, 1.0)
        assert "1234" not in json.dumps(log.since())

    def test_uuids_are_kept(self) -> None:
        log = RequestLog()
        path = "/b/01017012-0101-4101-8101-010170123401"
        log.add("lora", "GET", path, "read", [], 200, 1.0)
        assert log.since()[0]["path"] == path


class TestFaultPlan:
    def test_rates_are_shares_and_repeat_with_the_seed(self) -> None:
        plan = FaultPlan(rate_429=0.2, rate_drop=0.1, seed=5)
        faults = Faults(plan)
        drawn = [faults.draw() for _ in range(4000)]
        assert 0.16 < drawn.count("429") / 4000 < 0.24
        assert 0.07 < drawn.count("drop") / 4000 < 0.13
        assert set(drawn) == {None, "429", "drop"}
        faults.use(plan)
        assert [faults.draw() for _ in range(4000)] == drawn

    def test_unknown_switches_are_refused(self) -> None:
        with pytest.raises(ValueError, match="rate_teapot"):
            FaultPlan.from_json({"rate_teapot": 1})


class TestControl:
    def test_health_names_process_and_systems(self, sandbox: RunningSandbox) -> None:
        assert sandbox.get("/health") == {"status": "ok", "pid": sandbox.process.pid, "systems": ["lora"]}

    def test_requests_are_logged_by_path_and_kind(self, sandbox: RunningSandbox) -> None:
        object_id = str(uuid.uuid4())
        put(sandbox.settings["lora_url"], object_id)
        HTTP.get(f"{sandbox.settings['lora_url']}/organisation/bruger/{object_id}?virkningstid=2020-01-01")
        HTTP.get(f"{sandbox.settings['lora_url']}/site-map")
        entries = sandbox.get("/requests")["requests"]
        path = f"/organisation/bruger/{object_id}"
        assert [(e["system"], e["method"], e["path"], e["kind"], e["objects"], e["status"]) for e in entries] == [
            ("lora", "PUT", path, "write", [object_id], 200),
            ("lora", "GET", path, "read", [object_id], 200),
            ("lora", "GET", "/site-map", "other", [], 200),
        ]
        assert sandbox.get(f"/requests?since={entries[1]['n']}")["requests"] == entries[2:]
        assert sandbox.get("/requests/summary")["lora"]["by_kind"] == {"write": 1, "read": 1, "other": 1}
        sandbox.post("/requests/clear")
        assert sandbox.get("/requests/summary") == {}

    def test_mails_are_kept_and_the_mail_server_has_switches(self, sandbox: RunningSandbox) -> None:
        host, port = sandbox.settings["smtp_host"], int(sandbox.settings["smtp_port"])
        with smtplib.SMTP(host, port) as client:
            client.sendmail("a@x", ["b@x"], "Message-ID: <1@x>\r\nSubject: Hej\r\n\r\nDu.\r\n")
        (mail,) = sandbox.get("/mails")["mails"]
        assert (mail["subject"], mail["recipients"], mail["deliveries"]) == ("Hej", ["b@x"], 1)
        sandbox.post("/mail-server", {"down": True})
        with pytest.raises(smtplib.SMTPServerDisconnected):
            smtplib.SMTP(host, port)
        for wrong in ({"upside_down": True}, {"leaves_after": "noon"}):
            with pytest.raises(urllib.error.HTTPError, match="400"):
                sandbox.post("/mail-server", wrong)
        sandbox.post("/reset")
        assert sandbox.get("/mails")["mails"] == []
        smtplib.SMTP(host, port).close()

    def test_reset_empties_everything(self, sandbox: RunningSandbox) -> None:
        object_id = str(uuid.uuid4())
        put(sandbox.settings["lora_url"], object_id)
        sandbox.post("/faults", {"lora": {"rate_500": 1}})
        sandbox.post("/reset")
        assert HTTP.get(f"{sandbox.settings['lora_url']}/organisation/bruger/{object_id}").status_code == 404

    @pytest.mark.parametrize(
        ("path", "wrong"),
        [
            ("/faults", {"nowhere": {}}),
            ("/faults", {"lora": {"rate_teapot": 1}}),
            ("/faults", {"lora": 3}),
            ("/day", {"day": "tomorrow"}),
            ("/town", [1]),
            ("/town", {"customers": "many"}),
        ],
    )
    def test_nonsense_is_refused(self, sandbox: RunningSandbox, path: str, wrong: Any) -> None:
        assert HTTP.post(sandbox.control_url + path, json=wrong).status_code == 400


class TestBoundary:
    def test_a_failing_system_answers_500_and_its_values_stay_out_of_the_log(
        self, caplog: pytest.LogCaptureFixture
    ) -> None:
        def fail(_request: Request) -> Response:
            raise KeyError("0101701234")

        application = Starlette(routes=[Route("/", fail)])
        log = RequestLog()
        boundary = Boundary(application, "crm", Faults(FaultPlan()), log)
        with running_app(boundary) as url:
            assert HTTP.get(url).status_code == 500
        assert log.since()[0]["status"] == 500
        assert "crm failed: KeyError" in caplog.text
        assert "test_core.py" in caplog.text
        assert "1234" not in caplog.text


class TestFaults:
    @pytest.mark.parametrize("status", [429, 500, 503])
    def test_an_injected_status_does_no_work(self, sandbox: RunningSandbox, status: int) -> None:
        url, object_id = sandbox.settings["lora_url"], str(uuid.uuid4())
        sandbox.post("/faults", {"lora": {f"rate_{status}": 1, "retry_after_s": 7}})
        answer = put(url, object_id)
        assert answer.status_code == status
        assert answer.headers.get("retry-after") == (None if status == 500 else "7")
        sandbox.post("/faults", {"lora": None})
        assert HTTP.get(f"{url}/organisation/bruger/{object_id}").status_code == 404

    @pytest.mark.parametrize(("switch", "written"), [("rate_drop", 404), ("rate_timeout_after_commit", 200)])
    def test_a_connection_closes_without_answer(self, sandbox: RunningSandbox, switch: str, written: int) -> None:
        url, object_id = sandbox.settings["lora_url"], str(uuid.uuid4())
        sandbox.post("/faults", {"lora": {switch: 1}})
        with pytest.raises(httpx.TransportError):
            put(url, object_id)
        sandbox.post("/faults", {"lora": {}})
        assert [entry["status"] for entry in sandbox.get("/requests")["requests"]] == [0]
        assert HTTP.get(f"{url}/organisation/bruger/{object_id}").status_code == written

    def test_latency(self, sandbox: RunningSandbox) -> None:
        sandbox.post("/faults", {"lora": {"latency_ms": 80}})
        HTTP.get(f"{sandbox.settings['lora_url']}/site-map")
        assert sandbox.get("/requests")["requests"][0]["ms"] >= 80


class TestStartAndEnd:
    def test_state_file_is_private_and_complete(self, running: RunningSandbox, data_dir: Path) -> None:
        file = data_dir / "sandbox.json"
        assert stat.S_IMODE(file.stat().st_mode) == 0o600
        state = json.loads(file.read_text())
        assert state["settings"] == running.settings
        assert state["systems"] == {"lora": running.settings["lora_url"]}
        assert {
            "kmd_ee_url",
            "lora_organisation",
            "lora_actor",
            "crm_client_id",
            "crm_client_secret",
            "address_register_key",
            "completion_authority",
            "completion_legal_basis",
            "identity_key",
            "cipher_key",
        } <= set(running.settings)

    def test_a_restart_keeps_objects_ports_and_secrets(self, tmp_path: Path) -> None:
        first = start_in_background(options(tmp_path))
        ids = [str(uuid.uuid4()), str(uuid.uuid4())]
        assert put(first.settings["lora_url"], ids[0]).status_code == 200
        first.process.kill()
        first.process.wait()
        second = start_in_background(options(tmp_path, faults={"lora": FaultPlan(retry_after_s=2)}))
        assert put(second.settings["lora_url"], ids[1]).status_code == 200
        second.process.send_signal(signal.SIGTERM)
        assert second.process.wait(15) == 0
        third = start_in_background(options(tmp_path))
        try:
            assert third.settings == second.settings == first.settings
            assert third.control_url == second.control_url == first.control_url
            for object_id in ids:
                found = HTTP.get(f"{third.settings['lora_url']}/organisation/bruger/{object_id}{WIDE}")
                (registration,) = found.json()[object_id][0]["registreringer"]
                assert registration["livscykluskode"] == "Importeret"
        finally:
            third.stop()
        log = (tmp_path / "sandbox.log").read_text().splitlines()
        assert log == [f"sandbox ready: {first.control_url}"] * 3

    def test_a_fixed_port_that_is_taken_fails_with_a_reason(self, running: RunningSandbox, data_dir: Path) -> None:
        taken = int(running.control_url.rpartition(":")[2])
        with pytest.raises(RuntimeError, match="in use"):
            start_in_background(options(data_dir, ports={"lora": taken}))
        assert HTTP.get(f"{running.control_url}/health").status_code == 200
