"""`facts replay` and `accounts decide` as people start them: the worked examples go in, their results come out."""

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from integration_assets.cli import app

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
