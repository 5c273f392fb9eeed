"""The worked examples of the description: through the functions, slices, contracts, hooks and log to the letter."""

from typing import Any

import pytest

from integration_assets.domain.facts.replay import replay
from integration_assets_tests.domain.facts.sequences import VECTORS


@pytest.mark.parametrize("vector", VECTORS["vectors"], ids=lambda vector: vector["name"])
def test_vector(vector: dict[str, Any]) -> None:
    result = replay({**vector, "operands": VECTORS["operands"], "mdts": VECTORS["mdts"]})
    assert result.pop("results") == [{}]
    assert result == {name: vector[name] for name in ("after", "contract_after", "hooks", "log")}


def test_move_out_and_its_reversal_in_one_case_give_back_what_hangs_on_the_contract() -> None:
    """V02 and V09 one after the other; the vectors tell the state between them."""
    vectors = {vector["name"][:3]: vector for vector in VECTORS["vectors"]}
    first, then = vectors["V02"], vectors["V09"]
    case = {**first, "operands": VECTORS["operands"], "mdts": VECTORS["mdts"], "calls": [first["call"], then["call"]]}
    result = replay(case)
    wanted = [row for row in then["after"] if row["operand"] != "BONUS"]
    assert [row for row in result["after"] if row["operand"] != "BONUS"] == wanted
    assert result["contract_after"] == then["contract_after"]
    assert result["log"] == first["log"] + then["log"]


def test_cases_share_what_stands_beside_them_and_keep_their_order() -> None:
    vectors = VECTORS["vectors"][:3]
    answer = replay({"operands": VECTORS["operands"], "mdts": VECTORS["mdts"], "cases": vectors})
    assert [result["after"] for result in answer["cases"]] == [vector["after"] for vector in vectors]
