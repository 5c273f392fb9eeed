"""`person`, `keys` and `retention` as people start them, over a cache with a few customers."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa
from typer.testing import CliRunner

from integration_assets.cli import app
from integration_assets.domain.identity import ObjectIds
from integration_assets.flows.identity import object_ids
from integration_assets.resources.cache import open_cache
from integration_assets.settings import Settings
from integration_assets_tests.flows.on_file import OnFile

ANNA, BO, DAN = "0101701234", "0202721111", "0404741111"
DONE, NOT_ALL, REFUSED, UNCONFIGURED = 0, 1, 2, 3
OLD, NEW = "the secret of last year", "the secret of this year"
TODAY = "2026-11-21"


@dataclass(frozen=True)
class Answer:
    """How a command ended."""

    returncode: int
    stdout: str
    stderr: str


class Command:
    """`integration-assets` with the settings of one cache, and nobody at the keyboard."""

    def __init__(self, url: str, folder: Path) -> None:
        self._environment: dict[str, str | None] = {
            **{f"INTEGRATION_{name.upper()}": None for name in Settings.model_fields},
            "DAGSTER_HOME": None,
            "INTEGRATION_SETTINGS_FILE": None,
            "INTEGRATION_CACHE_URL": url,
            "INTEGRATION_DATA_DIR": str(folder),
            "INTEGRATION_IDENTITY_KEY": "a key for these tests only",
            "INTEGRATION_CIPHER_KEY": OLD,
            "INTEGRATION_BUSINESS_DAY": TODAY,
        }

    def __call__(self, *arguments: str, **settings: str) -> Answer:
        given = {f"INTEGRATION_{name.upper()}": value for name, value in settings.items()}
        result = CliRunner().invoke(app, arguments, env={**self._environment, **given})
        unexpected = "" if isinstance(result.exception, SystemExit | None) else repr(result.exception)
        return Answer(result.exit_code, result.stdout, result.stderr + unexpected)


@pytest.fixture
def command(cache_url: str, tmp_path: Path) -> Command:
    """A cache in which 200001 (Anna and Bo) ended in 2020 and 200003 (Dan) is in force."""
    settings = Settings(
        cache_url=cache_url,  # pyright: ignore[reportArgumentType]
        data_dir=tmp_path,
        cipher_key=OLD,  # pyright: ignore[reportArgumentType]
        identity_key="a key for these tests only",  # pyright: ignore[reportArgumentType]
    )
    store, ids = open_cache(settings), object_ids(settings)
    file = OnFile(store, ids)
    file.add("200001", ANNA, BO, moved_out=date(2020, 6, 1))
    file.add("200003", DAN)
    file.write(datetime(2025, 1, 1, tzinfo=UTC))
    for number in (ANNA, BO, DAN):
        file.answer(number, date(2020, 6, 1))
    file.end("200001")
    file.write(datetime(2025, 1, 1, tzinfo=UTC) + timedelta(days=1))
    store.close()
    return Command(cache_url, tmp_path)


def audited(url: str) -> list[Mapping[str, str]]:
    engine = sa.create_engine(url)
    with engine.connect() as connection:
        rows = connection.execute(
            sa.text("SELECT service, subject, outcome FROM audit WHERE service LIKE '%_request' ORDER BY audit_id")
        )
        found: list[Mapping[str, str]] = [dict(row) for row in rows.mappings()]
    engine.dispose()
    return found


def test_what_is_held_is_shown_masked_and_in_full_only_with_an_audit(command: Command, cache_url: str) -> None:
    masked = command("person", "show", "200001")
    assert (masked.returncode, masked.stderr) == (DONE, "")
    for known in ("Customer number 200001: 2 parties", "010170-xxxx", "020272-xxxx", "keeping customer data true"):
        assert known in masked.stdout
    for number in (ANNA, BO, DAN):
        assert number not in masked.stdout
    assert audited(cache_url) == []
    full = command("person", "show", "200001", "--unmasked", "--json")
    assert full.returncode == DONE, full.stderr
    told = json.loads(full.stdout)
    tables = {section["table"]: section["rows"] for section in told["sections"]}
    assert {row["id_number"] for row in tables["kmd_ee_customers"]} == {ANNA}
    assert {row["answer"]["number"] for row in tables["register_answer"]} == {ANNA, BO}
    ids = ObjectIds("a key for these tests only")
    assert audited(cache_url) == [
        {
            "service": "access_request",
            "subject": ids.subject("customer|200001"),
            "outcome": "shown with personal numbers",
        }
    ]


def test_an_erasure_shows_what_it_would_do_and_does_it_when_told_to(command: Command, cache_url: str) -> None:
    in_force = command("person", "erase", "200003", "--yes")
    assert (in_force.returncode, in_force.stdout) == (REFUSED, "")
    assert "End the customer relation, or correct it, in KMD EE first." in in_force.stderr
    foretold = command("person", "erase", "200001")
    assert foretold.returncode == DONE, foretold.stderr
    assert "Nothing was changed. Add --erase to do it." in foretold.stdout
    assert command("person", "erase", "200001", "--erase").returncode == REFUSED, "nobody is there to confirm"
    assert audited(cache_url) == []
    done = command("person", "erase", "200001", "--yes", "--json")
    assert done.returncode == DONE, done.stderr
    kinds = {kind["what"]: kind["erased"] for kind in json.loads(done.stdout)["kinds"]}
    assert kinds["delivered names, numbers and contact data"] == 2
    assert [row["service"] for row in audited(cache_url)] == ["erasure_request"]
    assert command("person", "show", "777").returncode == REFUSED


def test_keys_are_shown_and_rotated(command: Command) -> None:
    before = json.loads(command("keys", "status", "--json").stdout)
    assert [(row["key"], row["current"]) for row in before] == [("k1", True)]
    sealed = before[0]["values"]
    assert sealed == sum(before[0]["columns"].values()) > 0
    new = {"cipher_key": NEW, "cipher_key_id": "k2"}
    both = {**new, "cipher_former_keys": json.dumps({"k1": OLD})}
    without = command("keys", "rotate", **new)
    assert without.returncode == UNCONFIGURED
    assert "INTEGRATION_CIPHER_FORMER_KEYS" in without.stderr
    assert "Traceback" not in without.stderr
    rotated = command("keys", "rotate", **both)
    assert rotated.returncode == DONE, rotated.stderr
    assert rotated.stdout.startswith(f"{sealed} values were sealed anew with the key 'k2'")
    assert "No longer in use: k1." in rotated.stdout
    after = command("keys", "status", **new)
    assert f"k2 (current): {sealed} values" in after.stdout
    assert "k1 (not given): 0 values" in after.stdout
    for done in (without, rotated, after):
        assert not any(secret in done.stdout + done.stderr for secret in (OLD, NEW, ANNA))
    assert command("person", "show", "200003", **new).returncode == DONE


def test_keys_that_cannot_be_read_are_named_and_not_shown(command: Command) -> None:
    for unreadable in ('{"k0": "another sec', '["another sec"]'):
        refused = command("keys", "status", cipher_former_keys=unreadable)
        assert refused.returncode == UNCONFIGURED
        assert "cipher_former_keys" in refused.stderr
        assert "another sec" not in refused.stderr


def test_retention_counts_first_and_then_takes_out(command: Command) -> None:
    foretold = json.loads(command("retention", "--dry-run", "--json").stdout)
    assert foretold["counts"]["ended_parties"] == 2
    assert foretold["counts"]["vanished_rows"] > 0
    done = command("retention")
    assert done.returncode == DONE, done.stderr
    assert "Dagster's history was left alone" in done.stdout
    assert set(json.loads(command("retention", "--json").stdout)["counts"].values()) == {0}
