"""Playing recorded exchanges: those of `lora_exchanges`, made by hand from the rules, and what counts as different."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from integration_assets.cli.replay import replay_folder
from integration_assets.sandbox.background import RunningSandbox, start_in_background
from integration_assets.sandbox.lora_replay import read_exchanges, replay
from integration_assets.sandbox.systems import SandboxOptions

EXCHANGES = Path(__file__).parent / "lora_exchanges"
ROLE = EXCHANGES / "1-role"


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningSandbox]:
    sandbox = start_in_background(SandboxOptions(tmp_path_factory.mktemp("replay"), systems=("lora",)))
    yield sandbox
    sandbox.stop()


@pytest.fixture
def url(running: RunningSandbox) -> str:
    running.post("/reset")
    return running.systems["lora"]


def test_all_exchanges_are_answered_as_the_rules_say(url: str) -> None:
    exchanges = read_exchanges(EXCHANGES)
    assert len(exchanges) == 82
    assert [outcome for outcome in replay(exchanges, url) if outcome.difference] == []


def played(folder: Path, url: str, name: str, **response: Any) -> str | None:
    """Plays creation and one other exchange of the role with another recorded answer; the difference found."""
    for part in ("01-create", name):
        found = json.loads((ROLE / f"{part}.json").read_text())
        if part == name:
            found["response"] |= response
        (folder / f"{part}.json").write_text(json.dumps(found))
    *_, last = replay(read_exchanges(folder), url)
    return last.difference and re.sub("[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", "ID", last.difference)


def test_what_is_different(tmp_path: Path, url: str) -> None:
    body = json.loads((ROLE / "02-read.json").read_text())["response"]["body"]
    (object_id,) = body
    registration = body[object_id][0]["registreringer"][0]
    assert played(tmp_path, url, "02-read") is None
    assert played(tmp_path, url, "02-read", status=404) == "status: recorded 404, answered 200"
    text = {"Content-Type": "text/html"}
    assert played(tmp_path, url, "02-read", headers=text) == "media type: recorded text/html, answered application/json"
    place = "$.ID[0].registreringer[0]"
    registration["livscykluskode"] = "Rettet"
    assert played(tmp_path, url, "02-read", body=body) == (
        f'{place}.livscykluskode: recorded "Rettet", answered "Opstaaet"'
    )
    registration["livscykluskode"] = "Opstaaet"
    registration["relationer"]["tilknyttedebrugere"][0]["urn"] = "urn:101070-1234"
    assert played(tmp_path, url, "02-read", body=body) == (
        f'{place}.relationer.tilknyttedebrugere[0]."urn": recorded, not answered'
    )
    registration["relationer"]["tilknyttedebrugere"] = []
    assert played(tmp_path, url, "02-read", body=body) == (
        f"{place}.relationer.tilknyttedebrugere: recorded 0 items, answered 1"
    )


def test_a_difference_shows_no_personal_number(tmp_path: Path, url: str) -> None:
    body = json.loads((ROLE / "02-read.json").read_text())["response"]["body"]
    ((found,),) = body.values()
    found["registreringer"][0]["relationer"]["organisatoriskfunktionstype"][0]["urn"] = "urn:1010701234"
    assert played(tmp_path, url, "02-read", body=body) == (
        "$.ID[0].registreringer[0].relationer.organisatoriskfunktionstype[0].urn: "
        'recorded "urn:**********", answered "urn:role:kunde"'
    )


def test_the_command_counts_and_tells(tmp_path: Path, url: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert replay_folder(ROLE, url) == 0
    assert "01-create: equal\n" in (told := capsys.readouterr().out)
    assert told.endswith("25 of 25 exchanges equal\n")
    # Against a registry that is not empty any more some answers are others.
    assert replay_folder(ROLE, url) == 1
    assert "13-passive-is-found: $.results[0]: recorded 1 items, answered 2" in capsys.readouterr().out
    assert replay_folder(tmp_path, url) == 3
    (tmp_path / "no.json").write_text("{}")
    assert replay_folder(tmp_path, url) == 3
    assert "no holds no exchange" in capsys.readouterr().out
    assert replay_folder(ROLE, "http://127.0.0.1:9") == 3
    assert "No answer from the registry (ConnectionRefusedError)" in capsys.readouterr().out
