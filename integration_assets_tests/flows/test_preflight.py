"""The CRM checked before the first delivery: planted faults are told, a healthy organisation has none, nothing is sent.

The organisation is the sandbox's, over HTTP; what its administrator "did" are switches there.
"""

import json
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import dagster as dg
import httpx
import pytest
from pydantic import SecretStr
from typer.testing import CliRunner

from integration_assets.cache.deliveries import Delivery, Outcome
from integration_assets.cache.engine import embedded_server_url
from integration_assets.cli.app import app
from integration_assets.clients.dynamics import DynamicsClient
from integration_assets.clients.http import NotAllowedError, PermanentError, TransientError
from integration_assets.domain.crm.fields import FIELDS, TABLE_FACTS
from integration_assets.domain.crm.needs import needed_tables
from integration_assets.domain.crm.preflight import UnfitCrm
from integration_assets.domain.crm.tables import STANDARD, MappingFault
from integration_assets.flows.preflight import check_crm, gated
from integration_assets.resources.dynamics import DynamicsResource
from integration_assets.sandbox import dataverse
from integration_assets.sandbox.faults import Boundary, FaultPlan, Faults
from integration_assets.sandbox.requests import RequestLog
from integration_assets.sandbox.store import Store
from integration_assets.sandbox.systems import SandboxOptions
from integration_assets.settings import Settings
from integration_assets_tests.clients.wire import Reply, serving
from integration_assets_tests.sandbox.loopback import running

CLIENT_ID = "55555555-5555-4555-8555-555555555555"
Switch = Callable[..., None]


@pytest.fixture(scope="module")
def log() -> RequestLog:
    return RequestLog()


@pytest.fixture(scope="module")
def organisation(server_dir: Path, log: RequestLog) -> Iterator[str]:
    store = Store(embedded_server_url(server_dir, "preflight_sandbox"))
    options = SandboxOptions(
        data_dir=Path("unused"), settings={"crm_client_id": CLIENT_ID, "crm_client_secret": "secret"}
    )
    application = Boundary(dataverse.build(store, options), "dataverse", Faults(FaultPlan()), log)
    with running(application) as url:
        yield url
    store.close()


@pytest.fixture
def switch(organisation: str) -> Iterator[Switch]:
    def change(**switches: Any) -> None:
        assert httpx.post(f"{organisation}/_behaviour", json=switches).status_code == 200

    yield change
    change(schema=None, users=None)


@pytest.fixture(scope="module")
def settings(organisation: str) -> Settings:
    given: dict[str, Any] = dataverse.settings(organisation, SandboxOptions(data_dir=Path("unused")))
    return Settings(**given, crm_client_id=CLIENT_ID, crm_client_secret="secret", http_attempts=1)


@pytest.fixture(scope="module")
def end_of_run() -> dg.InitResourceContext:
    return dg.build_init_resource_context()


@pytest.fixture(scope="module")
def client(settings: Settings, end_of_run: dg.InitResourceContext) -> Iterator[DynamicsClient]:
    resource = DynamicsResource(settings=settings)
    yield resource.get()
    resource.teardown_after_execution(end_of_run)


@pytest.fixture
def resource(settings: Settings, end_of_run: dg.InitResourceContext) -> Iterator[DynamicsResource]:
    """The resource of one run."""
    resource = DynamicsResource(settings=settings)
    yield resource
    resource.teardown_after_execution(end_of_run)


def test_a_healthy_organisation_has_no_findings(client: DynamicsClient) -> None:
    assert check_crm(client, "Varme") == []
    assert check_crm(client, "Affald") == []


def test_everything_that_is_mapped_is_needed() -> None:
    needed = {table.logical_name: table for table in needed_tables("Varme")}
    assert {"contact", "account", "ava_kunderolle", "ava_aftale", "ava_installation", "ava_adresse", "incident"} == set(
        needed
    )
    mapped = sum(len(FIELDS[entity]) for entity in TABLE_FACTS)
    assert mapped == sum(len(table.columns) + len(table.lookups) for table in needed.values())
    lengths = {column.name: column.longest for column in needed["contact"].columns}
    assert (lengths["firstname"], lengths["middlename"], lengths["lastname"]) == (150, 80, 100)
    (kind,) = (column for column in needed["account"].columns if column.name == "ava_kundetype")
    assert kind.options == {915240001}
    assert needed["ava_adresse"].rights == ("Create", "Read", "Write", "AppendTo")
    assert needed["ava_kunderolle"].rights == ("Create", "Read", "Write", "Append")


def columns(table: str, **changes: Any) -> dict[str, Any]:
    return {"schema": {table: {"columns": changes}}}


def lookups(table: str, **changes: Any) -> dict[str, Any]:
    return {"schema": {table: {"lookups": changes}}}


def role(*without: str, **more: Any) -> dict[str, Any]:
    return {"users": {CLIENT_ID: {"without": list(without), **more}}}


KEY = "ava_kundenummer_key"
FAULTS: dict[str, tuple[dict[str, Any], str, str, tuple[str, ...]]] = {
    # name: what the administrator did, severity, place, words of the sentence and of its remedy
    "table missing": (
        {"schema": {"ava_kunderolle": None}}, "error", "ava_kunderolle", ("does not exist", "Import the solution")),
    "entity set named otherwise": (
        {"schema": {"ava_aftale": {"set_name": "ava_aftaleset"}}}, "error", "ava_aftale",
        ("addressed as ava_aftaleset, not as ava_aftales", "made anew")),
    "column missing": (
        columns("contact", ava_mobilkmdee=None), "error", "contact.ava_mobilkmdee",
        ("does not exist", "text", "Tables, contact, Columns")),
    "column of another type": (
        columns("ava_adresse", ava_postnummer={"kind": "integer", "max_length": None}), "error",
        "ava_adresse.ava_postnummer", ("of type Integer; a text", "delete it")),
    "column too short": (
        columns("contact", firstname={"max_length": 50}), "error", "contact.firstname",
        ("takes 50 characters; values have up to 150", "to 150 or more")),
    "column too short for its format": (
        columns("ava_adresse", ava_kvhx={"max_length": 17}), "error", "ava_adresse.ava_kvhx",
        ("takes 17 characters; values have up to 19",)),
    "option missing": (
        columns("ava_kunderolle", ava_rolle={"options": {"915240004": "Kunde"}}), "error", "ava_kunderolle.ava_rolle",
        ("lacks the value 915240006", "exactly this number")),
    "status missing": (
        {"schema": {"ava_installation": {"states": {"0": [1], "1": [5]}}}}, "error", "ava_installation.statuscode",
        ("lacks the value 2",)),
    "date with a time": (
        columns("ava_aftale", ava_startdato={"kind": "datetime"}), "error", "ava_aftale.ava_startdato",
        ("keeps a date with a time (UserLocal)", "Date only")),
    "date in the user's time zone": (
        columns("ava_aftale", ava_slutdato={"kind": "datetime", "date_format": "DateOnly"}), "warning",
        "ava_aftale.ava_slutdato", ("the day before",)),
    "column that cannot be written": (
        columns("account", name={"writable": False}), "error", "account.name", ("cannot be written", "calculated")),
    "secured column": (
        columns("contact", ava_cpr_nummer={"secured": True}), "warning", "contact.ava_cpr_nummer",
        ("secured", "Column security profiles")),
    "navigation property in another case": (
        lookups("contact", ava_adresse={"navigation": "ava_Adresse"}), "error", "contact.ava_adresse",
        ("spelled ava_Adresse, not ava_adresse",)),
    "lookup missing": (
        lookups("ava_installation", ava_aftale=None), "error", "ava_installation.ava_aftale",
        ("lookup to ava_aftale does not exist", "Columns")),
    "lookup to another table": (
        lookups("ava_kunderolle", ava_aktoer={"target": "account"}), "error", "ava_kunderolle.ava_aktoer",
        ("leads to account, not to contact",)),
    "relationship missing": (
        {"schema": {"relationships": {"ava_aktoerens_aftaler": None}}}, "error", "ava_aftale.ava_aktoerens_aftaler",
        ("many-to-many relationship with contact does not exist", "Relationships")),
    "key missing": (
        {"schema": {"ava_installation": {"keys": {"ava_identifikation_key": None}}}}, "warning",
        "ava_installation.ava_identifikation", ("no alternate key", "Keys")),
    "key not built yet": (
        {"schema": {"account": {"keys": {KEY: {"status": "Pending"}}}}}, "warning", "account.ava_kundenummer",
        ("ava_kundenummer_key is not in use: its index is Pending", "wait")),
    "key that failed": (
        {"schema": {"account": {"keys": {KEY: {"status": "Failed"}}}}}, "warning", "account.ava_kundenummer",
        ("its index is Failed", "remove the rows that share a value")),
    "bulk message missing": (
        {"schema": {"account": {"messages": []}}}, "warning", "account", ("does not take", "UpsertMultiple", "slower")),
    "changes not tracked": (
        {"schema": {"contact": {"change_tracking": False}}}, "warning", "contact", ("not tracked", "Track changes")),
    "privilege missing": (
        role("prvCreateava_aftale", "prvAppendava_aftale"), "error", "ava_aftale",
        ("lacks the privileges Create, Append", "Security roles")),
    "cases not readable": (
        role("prvReadIncident"), "error", "incident", ("lacks the privilege Read",)),
    "lookups not allowed": (
        role("prvAppendToava_adresse"), "error", "ava_adresse", ("lacks the privilege AppendTo",)),
}  # fmt: skip


@pytest.mark.parametrize("fault", FAULTS)
def test_each_planted_fault_is_told_in_its_own_sentence(client: DynamicsClient, switch: Switch, fault: str) -> None:
    switches, severity, place, words = FAULTS[fault]
    switch(**switches)
    (found,) = check_crm(client, "Varme")
    assert (found.severity, found.place) == (severity, place)
    for word in words:
        assert word in str(found)
    assert found.text.endswith(".")
    assert found.remedy.endswith(".")


def test_an_option_of_another_utility_is_not_missed(client: DynamicsClient, switch: Switch) -> None:
    switch(**columns("account", ava_kundetype={"options": {"915240001": "Varme"}}))
    assert check_crm(client, "Varme") == []
    (found,) = check_crm(client, "Affald")
    assert "lacks the value 915240000" in found.text


def test_a_user_with_a_narrow_role_is_warned_of_once_a_table(client: DynamicsClient, switch: Switch) -> None:
    switch(**role(depth="Basic"))
    found = check_crm(client, "Varme")
    assert {finding.severity for finding in found} == {"warning"}
    assert len(found) == 7
    assert all("not for the whole organisation" in finding.text for finding in found)


def test_several_faults_are_all_told_errors_first(client: DynamicsClient, switch: Switch) -> None:
    switch(
        schema={
            "contact": {"columns": {"ava_cpr_nummer": {"secured": True}, "ava_mobilkmdee": None}},
            "ava_adresse": {"columns": {"ava_land": None}},
        }
    )
    found = check_crm(client, "Varme")
    assert [(finding.severity, finding.place) for finding in found] == [
        ("error", "ava_adresse.ava_land"),
        ("error", "contact.ava_mobilkmdee"),
        ("warning", "contact.ava_cpr_nummer"),
    ]


def test_an_application_without_user_is_refused(client: DynamicsClient, switch: Switch) -> None:
    switch(**role(member=False))
    with pytest.raises(PermanentError, match="0x80072560"):
        check_crm(client, "Varme")


# The gate


DELIVERY = Delivery("c1", "200123", {"firstname": "Ida"}, None, 0)


def sender(sent: list[Delivery]) -> Callable[[Any], list[Outcome]]:
    def send(rows: Any) -> list[Outcome]:
        sent.extend(rows)
        return [Outcome(row.object_id, ok=True) for row in rows]

    return send


def test_the_gate_asks_once_and_only_when_there_is_something_to_send(
    resource: DynamicsResource, log: RequestLog
) -> None:
    log.clear()
    sent: list[Delivery] = []
    send = gated(sender(sent), lambda: resource.require_fit(pytest.fail))
    assert log.since() == []
    with ThreadPoolExecutor(4) as pool:
        assert all(outcome.ok for (outcome,) in pool.map(lambda _: send([DELIVERY]), range(8)))
    assert len(sent) == 8
    asked = [entry["path"].removeprefix("/api/data/v9.2/") for entry in log.since() if entry["kind"] == "read"]
    assert asked.count("WhoAmI") == 1
    assert len(asked) == len(set(asked)), "nothing is asked twice"
    assert len(asked) <= 30
    assert {entry["kind"] for entry in log.since()} == {"read", "token"}


def test_an_unfit_organisation_gets_nothing(resource: DynamicsResource, switch: Switch) -> None:
    switch(
        schema={
            "contact": {"columns": {"firstname": {"max_length": 50}}},
            "ava_aftale": {"columns": {"ava_slutdato": None}},
        }
    )
    sent: list[Delivery] = []
    send = gated(sender(sent), lambda: resource.require_fit(pytest.fail))
    with pytest.raises(UnfitCrm) as refused:
        send([DELIVERY])
    assert sent == []
    text = str(refused.value)
    assert "Nothing was sent." in text
    assert "contact.firstname" in text
    assert "ava_aftale.ava_slutdato" in text
    switch(schema=None)
    assert send([DELIVERY])[0].ok, "asked again once it is put right"


def test_each_application_user_is_looked_at(settings: Settings, switch: Switch, log: RequestLog) -> None:
    other = "77777777-7777-4777-8777-777777777777"
    both = settings.model_copy(update={"crm_further_users": {other: SecretStr("another secret")}})
    switch(users={other: {"secret": "another secret", "without": ["prvWriteContact"]}})
    resource = DynamicsResource(settings=both)
    log.clear()
    (found,) = check_crm(resource.get(), "Varme")
    resource.get().close()
    assert (found.severity, found.table) == ("error", "contact")
    assert "lacks the privilege Write on the table." in found.text
    assert found.text.startswith("The application user "), "which of the two is told"
    asked = [entry["path"].rpartition("/")[2] for entry in log.since()]
    assert asked.count("WhoAmI") == 2
    assert asked.count("sdkmessagefilters") == 1, "the tables are those of both"
    switch(users={other: {"secret": "another secret", "member": False}})
    resource = DynamicsResource(settings=both)
    with pytest.raises(PermanentError, match="0x80072560"):
        check_crm(resource.get(), "Varme")
    resource.get().close()


def test_a_check_that_is_refused_stops_too_and_says_how_to_go_on(resource: DynamicsResource, switch: Switch) -> None:
    switch(**role(member=False))
    sent: list[Delivery] = []
    with pytest.raises(UnfitCrm, match=r"0x80072560.* crm_preflight"):
        gated(sender(sent), lambda: resource.require_fit(pytest.fail))([DELIVERY])
    assert sent == []


def test_warnings_are_told_and_stop_nothing(resource: DynamicsResource, switch: Switch) -> None:
    switch(**columns("contact", ava_cpr_nummer={"secured": True}))
    told: list[str] = []
    sent: list[Delivery] = []
    send = gated(sender(sent), lambda: resource.require_fit(told.append))
    send([DELIVERY])
    send([DELIVERY])
    assert len(sent) == 2
    assert len(told) == 1
    assert "contact.ava_cpr_nummer" in told[0]


def test_a_crm_that_is_away_only_fails_the_rows() -> None:
    def away() -> None:
        raise TransientError("GET WhoAmI failed: ConnectError.")

    (outcome,) = gated(sender([]), away)([DELIVERY])
    assert (outcome.ok, outcome.permanent) == (False, False)


def test_a_crm_that_is_away_is_not_asked_again_for_every_batch(
    settings: Settings, end_of_run: dg.InitResourceContext
) -> None:
    with serving([Reply(503)]) as server:
        away = settings.model_copy(update={"crm_url": server.url, "crm_token_url": f"{server.url}/token"})
        resource = DynamicsResource(settings=away)
        send = gated(sender([]), lambda: resource.require_fit(pytest.fail))
        (first,) = send([DELIVERY])
        asked = len(server.seen)
        (second,) = send([DELIVERY])
        assert len(server.seen) == asked > 0
        resource.teardown_after_execution(end_of_run)
        send([DELIVERY])
        assert len(server.seen) > asked
        resource.teardown_after_execution(end_of_run)
    assert first == second
    assert (first.ok, first.permanent, first.error_code) == (False, False, "503")


def test_a_crm_that_lets_nobody_in_ends_the_delivery() -> None:
    def closed() -> None:
        raise NotAllowedError("certificate")

    with pytest.raises(NotAllowedError):
        gated(sender([]), closed)([DELIVERY])


def test_the_check_can_be_switched_off(resource: DynamicsResource, switch: Switch, log: RequestLog) -> None:
    switch(schema={"contact": None})
    off = DynamicsResource(settings=resource.settings.model_copy(update={"crm_preflight": False}))
    log.clear()
    off.require_fit(pytest.fail)
    assert log.since() == []


# The command


@pytest.fixture
def command(settings: Settings, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Callable[..., tuple[int, str, str]]:
    monkeypatch.chdir(tmp_path)
    for name in Settings.model_fields:
        monkeypatch.delenv(f"INTEGRATION_{name.upper()}", raising=False)
    monkeypatch.delenv("INTEGRATION_SETTINGS_FILE", raising=False)
    for name in ("crm_url", "crm_token_url", "crm_scope", "crm_client_id"):
        monkeypatch.setenv(f"INTEGRATION_{name.upper()}", str(getattr(settings, name)))
    monkeypatch.setenv("INTEGRATION_CRM_CLIENT_SECRET", "secret")

    def run(*arguments: str) -> tuple[int, str, str]:
        result = CliRunner().invoke(app, ["check", "crm", *arguments])
        return result.exit_code, result.stdout, result.stderr

    return run


def test_command_of_a_healthy_organisation(command: Callable[..., tuple[int, str, str]]) -> None:
    assert command() == (0, "0 errors, 0 warnings. The CRM is set up for what we write.\n", "")


def test_command_tells_faults(command: Callable[..., tuple[int, str, str]], switch: Switch) -> None:
    switch(schema={"account": {"messages": []}})
    code, text, _ = command()
    assert code == 0, "a warning stops nothing"
    assert text.startswith("warning account\n")
    switch(**columns("contact", firstname={"max_length": 50}))
    code, text, _ = command()
    assert code == 1
    assert "error   contact.firstname\n        The column takes 50 characters; values have up to 150.\n" in text
    assert text.endswith("1 error, 0 warnings. Nothing would be delivered to this CRM.\n")
    code, text, _ = command("--json")
    assert code == 1
    (found,) = json.loads(text)
    assert (found["severity"], found["table"], found["column"]) == ("error", "contact", "firstname")


def test_command_without_access_or_settings(
    command: Callable[..., tuple[int, str, str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("INTEGRATION_CRM_CLIENT_SECRET", "wrong")
    code, text, complaint = command()
    assert (code, text) == (1, "")
    assert "The CRM could not be checked: " in complaint
    assert "AADSTS7000215" in complaint
    monkeypatch.delenv("INTEGRATION_CRM_CLIENT_SECRET")
    code, _, complaint = command()
    assert code == 3
    assert "crm_client_secret" in complaint


def test_the_table_of_installation_accounts_is_needed_only_where_one_is_named(
    client: DynamicsClient, switch: Switch
) -> None:
    named = STANDARD.with_accounts("ava_installationskonto")
    assert check_crm(client, "Varme", named) == []
    switch(schema={"ava_installationskonto": {"columns": {"ava_kontostatus": None}}})
    assert check_crm(client, "Varme") == []
    (found,) = check_crm(client, "Varme", named)
    assert (found.severity, found.table, found.column) == ("error", "ava_installationskonto", "ava_kontostatus")
    switch(schema={"ava_installationskonto": None})
    assert check_crm(client, "Varme") == []
    (found,) = check_crm(client, "Varme", named)
    assert (found.severity, found.table) == ("error", "ava_installationskonto")


def test_an_account_table_by_another_name_and_entity_set(client: DynamicsClient, switch: Switch) -> None:
    switch(schema={"ava_installationskonto": {"set_name": "ava_kontoer"}})
    assert check_crm(client, "Varme", STANDARD.with_accounts("ava_installationskonto/ava_kontoer")) == []
    assert check_crm(client, "Varme", STANDARD.with_accounts("ava_installationskonto")) != []
    for name in ("", "ava konto", "ava_konto/x y"):
        with pytest.raises(MappingFault, match="names no table"):
            STANDARD.with_accounts(name)
