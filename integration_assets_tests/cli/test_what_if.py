"""`facts` and `accounts` as people start them: the worked examples go in, their results come out."""

import json
from datetime import date
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
import sqlalchemy as sa
from typer.testing import CliRunner

from integration_assets.cache.facts import Asked, Facts
from integration_assets.cli import app
from integration_assets.domain.facts.calls import MoveOut, NewContract
from integration_assets.domain.facts.replay import rules_of

DOMAIN = Path(__file__).parent.parent / "domain"
FACTS = DOMAIN / "facts" / "data" / "vectors.json"
ACCOUNTS = DOMAIN / "accounts" / "data" / "vectors.json"
BAD_INPUT = 2


def answered(*arguments: str, standard_input: str | None = None) -> Any:
    result = CliRunner().invoke(app, arguments, input=standard_input)
    assert result.exit_code == 0, result.stderr
    return json.loads(result.stdout)


def test_facts_replay_gives_the_worked_examples() -> None:
    vectors = json.loads(FACTS.read_text(encoding="utf-8"))["vectors"]
    told = answered("facts", "replay", str(FACTS))["cases"]
    names = ("after", "contract_after", "hooks", "log")
    assert [{name: one[name] for name in names} for one in told] == [
        {name: one[name] for name in names} for one in vectors
    ]
    assert [one["results"] for one in told] == [[{}]] * len(vectors)


def test_facts_replay_takes_one_case_from_standard_input() -> None:
    whole = json.loads(FACTS.read_text(encoding="utf-8"))
    vector = whole["vectors"][1]
    case = {**vector, "operands": whole["operands"], "mdts": whole["mdts"], "calls": [vector["call"], vector["call"]]}
    told = answered("facts", "replay", "-", standard_input=json.dumps(case))
    assert told["contract_after"] == vector["contract_after"]
    assert told["results"] == [{}, {}]


def test_accounts_decide_gives_the_worked_examples() -> None:
    vectors = json.loads(ACCOUNTS.read_text(encoding="utf-8"))
    told = answered("accounts", "decide", str(ACCOUNTS))
    assert [one["decision"] for one in told["decision"]] == [one["expect"] for one in vectors["decision"]]
    assert [one["mark"] for one in told["mark"]] == [one["expect"] for one in vectors["mark"]]
    assert told["malo"] == vectors["malo"]
    cases = {"cases": vectors["decision"][:2]}
    one = answered("accounts", "decide", "-", standard_input=json.dumps(cases))["cases"]
    assert [each["decision"] for each in one] == [each["expect"] for each in vectors["decision"][:2]]


@pytest.mark.parametrize("command", [("facts", "replay"), ("accounts", "decide")])
@pytest.mark.parametrize("text", ["{", "3", '{"calls": 3}', '{"cases": [[]]}', '{"event": []}'])
def test_what_cannot_be_read_is_told_in_a_sentence(command: tuple[str, str], text: str) -> None:
    result = CliRunner().invoke(app, [*command, "-"], input=text)
    assert result.exit_code == BAD_INPUT, result.stdout
    assert result.stderr.startswith("- cannot be used: ")


def test_facts_show_tells_what_holds_on_a_day_and_who_wrote_it(
    cache: sa.Engine, cache_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = json.loads(FACTS.read_text(encoding="utf-8"))
    begun = NewContract("A1", "K1", date(2025, 1, 1), "VARME_STD", {"energipris": "E1", "bonus": 500})
    asked = [Asked("p1", begun), Asked("p2", MoveOut("A1", date(2025, 10, 15), {"energipris": "E9"}))]
    Facts(cache).carry_out({"4711": asked}, rules_of(whole))
    monkeypatch.setenv("INTEGRATION_CACHE_URL", cache_url)
    drawn = tmp_path / "facts.svg"
    shown = CliRunner().invoke(app, ["facts", "show", "4711", "--on", "2025-10-15", "--history", "--svg", str(drawn)])
    assert shown.exit_code == 0, shown.output
    written = "(PARAMETER, contract A1, product VARME_STD, process p2)"
    assert f'ENERGIPRIS 2025-01-01 – 2025-10-15: "E9" {written}' in shown.stdout
    assert "p2 move_out – full generation True: differs: ['energipris']" in shown.stdout
    assert "  - ENERGIPRIS 2025-01-01 – 9999-12-31: E1" in shown.stdout
    texts = [element.text for element in ElementTree.parse(drawn).iter("{http://www.w3.org/2000/svg}text")]
    assert {"E9", "BONUS", "T100"} <= set(texts)
    later = CliRunner().invoke(app, ["facts", "show", "4711", "--on", "2025-10-16"])
    assert "ENERGIPRIS" not in later.stdout
    assert CliRunner().invoke(app, ["facts", "show", "4712"]).exit_code == BAD_INPUT
