"""The commands of supervision, with a mail server that does what it is told."""

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from click.testing import Result
from typer.testing import CliRunner

from integration_assets.cache.store import Cache
from integration_assets.cli.app import app
from integration_assets.domain.supervision.folders import RUN_COMPLETED
from integration_assets.resources.cache import open_cache
from integration_assets.sandbox.mail import running_mail_server
from integration_assets.settings import Settings

FOLDERS = [
    {"name": "varme", "alert_delay_min": 30, "frequency_min": 15, "areas": ["8000"], "recipients": ["vagt@x.dk"]},
    {"name": "affald", "alert_delay_min": 0},
]


@pytest.fixture
def environment(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, cache_url: str, server_dir: Path
) -> Callable[..., None]:
    """Sets settings; at first those of two folders over a fresh cache."""
    monkeypatch.chdir(tmp_path)

    def give(**settings: str) -> None:
        for name, value in settings.items():
            monkeypatch.setenv(f"INTEGRATION_{name.upper()}", value)

    give(cache_url=cache_url, data_dir=str(server_dir), cipher_key="a secret of sixteen bytes or more")
    give(supervision_folders=json.dumps(FOLDERS))
    return give


@pytest.fixture
def store(environment: Callable[..., None]) -> Cache:
    """The cache of the commands."""
    del environment
    return open_cache(Settings())


def run(*arguments: str) -> Result:
    return CliRunner().invoke(app, list(arguments))


def test_show_tells_only_what_was_seen(store: Cache) -> None:
    never = run("supervise", "show")
    assert (never.exit_code, never.stdout) == (2, "")
    assert "Never refreshed: varme, affald. Run `integration-assets supervise refresh`." in never.stderr
    assert run("supervise", "refresh", "--folder", "varme").exit_code == 0
    assert "There is no folder tv." in run("supervise", "refresh", "--folder", "tv").stderr
    at = datetime.now(UTC) - timedelta(minutes=31)
    store.journal.record("run", RUN_COMPLETED, ["8000"], {"records": 7}, at, at)
    assert run("supervise", "show", "--folder", "varme").stdout.startswith("varme: Normal\n"), "nothing is computed"
    refreshed = run("supervise", "refresh")
    assert refreshed.exit_code == 1
    assert refreshed.stdout.startswith("varme: Alerte > 30\n")
    assert "affald: Normal" in refreshed.stdout
    assert store.mails.latest() == []
    told = json.loads(run("supervise", "show", "--json").stdout)
    assert [folder["shown_state"] for folder in told["folders"]] == ["Alerte > 30", "Normal"]
    assert [alarm["kind"] for alarm in told["alarms"]] == ["silence"]


def test_pause_and_acknowledge(store: Cache) -> None:
    assert run("supervise", "pause", "varme", "--reason", "move").exit_code == 2, "it has no row yet"
    at = datetime.now(UTC) - timedelta(minutes=31)
    store.journal.record("run", RUN_COMPLETED, ["8000"], {}, at, at)
    run("supervise", "refresh")
    (alarm,) = store.alarms.open()
    assert run("supervise", "pause", "varme", "--reason", "move").exit_code == 0
    shown = run("supervise", "show")
    assert (shown.exit_code, "varme: PAUSED" in shown.stdout, ": move" in shown.stdout) == (0, True, True)
    assert run("supervise", "resume", "varme").exit_code == 0
    assert run("supervise", "acknowledge", "999", "--reason", "x").exit_code == 2
    until = (datetime.now(UTC) + timedelta(days=1)).strftime("%Y-%m-%dT%H:%M:%S")
    assert run("supervise", "acknowledge", str(alarm.alarm_id), "--reason", "known", "--until", until).exit_code == 0
    run("supervise", "refresh")
    row = store.interactions.of("varme")
    assert row is not None
    assert (row.open_alarms, row.state) == (0, "Alerte > 30")


def test_check_mail_says_what_is_wrong(environment: Callable[..., None]) -> None:
    nothing = run("check", "mail")
    assert (nothing.exit_code, "Setting smtp_host has no value" in nothing.stderr) == (3, True)
    with running_mail_server() as (box, port):
        environment(smtp_host="127.0.0.1", smtp_port=str(port), smtp_security="none", mail_sender="i@x.dk")
        sent = run("check", "mail")
        assert (sent.exit_code, sent.stderr) == (0, "")
        assert "The server took a test mail for vagt@x.dk." in sent.stdout
        assert [mail.recipients for mail in box.mails] == [("vagt@x.dk",)]
        box.switches.refused_recipients = frozenset({"vagt@x.dk"})
        refused = run("check", "mail", "--to", "vagt@x.dk", "--to", "chef@x.dk")
        assert (refused.exit_code, refused.stderr) == (1, "vagt@x.dk is refused: 550 No such user here\n")
        environment(smtp_user="integration")
        assert "Setting smtp_password has no value" in run("check", "mail").stderr
        environment(smtp_password="hemmelig")
        login = run("check", "mail")
        assert (login.exit_code, "does not offer what smtp_security and smtp_user ask for" in login.stderr) == (1, True)
        assert "The password travels in plain text" in login.stdout
        assert "hemmelig" not in login.stdout + login.stderr
        environment(smtp_security="starttls")
        assert "does not offer what smtp_security and smtp_user ask for" in run("check", "mail").stderr
    assert "cannot be reached" in run("check", "mail").stderr
