"""The worked examples of installation accounts: numbers, decisions in both orders, marks."""

import json
from pathlib import Path
from typing import Any

import pytest

from integration_assets.domain.accounts.exchange import BadCase, answer
from integration_assets.domain.accounts.market_locations import Scheme, scheme_of

VECTORS: dict[str, Any] = json.loads((Path(__file__).parent / "data" / "vectors.json").read_text(encoding="utf-8"))


@pytest.mark.parametrize(("number", "valid"), VECTORS["malo"])
def test_malo(number: str, valid: bool) -> None:
    assert (scheme_of(number) is Scheme.MALO) == valid


def test_gsrn() -> None:
    number = VECTORS["gsrn_ok"]
    assert scheme_of(number) is Scheme.GSRN
    wrong = [number[:place] + str((int(number[place]) + 1) % 10) + number[place + 1 :] for place in range(len(number))]
    assert [scheme_of(one) for one in wrong] == [None] * 18


@pytest.mark.parametrize("case", VECTORS["decision"], ids=lambda case: case["name"])
def test_decision(case: dict[str, Any]) -> None:
    told = answer(case)
    assert isinstance(told, dict)
    assert told["decision"] == case["expect"]
    assert told["decision_document_order"] == case["expect_document_order"]
    letter = answer({**case, "order": "document"})
    assert isinstance(letter, dict)
    assert letter["decision"] == case["expect_document_order"]


@pytest.mark.parametrize("case", VECTORS["mark"], ids=lambda case: case["name"])
def test_mark(case: dict[str, Any]) -> None:
    told = answer(case)
    assert isinstance(told, dict)
    assert told["mark"] == case["expect"]


def test_superseded_accounts_take_no_part_and_invalid_numbers_are_told() -> None:
    case = VECTORS["decision"][4]
    accounts = [{**row, "superseded_by": "AK9"} for row in case["accounts"]]
    told = answer({**case, "accounts": accounts})
    assert isinstance(told, dict)
    assert told["decision"] == ["CREATED", None]
    invalid = {**case["event"], "malo": "41373559242"}
    told = answer({"event": invalid, "accounts": [{"id": "AK2", "bp": "K1", "inst": "I0", "malo": "41373559242"}]})
    assert told == {
        "decision": ["CREATED", None],
        "decision_document_order": ["CREATED", None],
        "issues": ["41373559242 is no valid MaLo-ID or GSRN; it is not matched by."],
    }


@pytest.mark.parametrize("case", [3, {}, {"event": {"wish": 1}}, {"event": {}, "accounts": [{}]}, {"rows": [1]}])
def test_what_is_no_case_is_told(case: object) -> None:
    with pytest.raises(BadCase):
        answer(case)
