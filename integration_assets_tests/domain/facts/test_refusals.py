"""What is refused, with which sentence, and that nothing is changed then."""

from typing import Any

import pytest

from integration_assets.domain.facts.replay import replay
from integration_assets_tests.domain.facts.sequences import FULL, MDTS, OPERANDS

NEW = {
    "process": "new_contract", "contract": "A1", "partner": "K1", "start": "2025-01-01", "product": "VARME_STD",
    "container": FULL,
}  # fmt: skip
OUT = {"process": "move_out", "contract": "A1", "date": "2025-10-15"}


def play(*calls: dict[str, Any], **more: Any) -> dict[str, Any]:
    return replay({"operands": list(OPERANDS.values()), "mdts": MDTS, "calls": list(calls), **more})


REFUSALS: list[tuple[str, list[dict[str, Any]], str]] = [
    ("a contract that is not there", [{**OUT, "contract": "A7"}], "no such contract"),
    ("a contract twice", [NEW, NEW], "has a contract of that number"),
    ("an occupied installation", [NEW, {**NEW, "contract": "A2", "start": "2026-01-01"}], "contract A1 holds there"),
    ("a move-out before the start", [NEW, {**OUT, "date": "2024-12-31"}], "before it begins on 2025-01-01"),
    (
        "a product change after the end",
        [NEW, OUT, {"process": "product_change", "date": "2025-10-16", "product": "VARME_PLUS", "container": {}}],
        "is not between its start 2025-01-01 and its end 2025-10-15",
    ),
    (
        "the cancellation of a product change at the start",
        [NEW, {"process": "product_change_cancel", "date": "2025-01-01"}],
        "the product was not changed on 2025-01-01",
    ),
    ("the end of what has none", [NEW, {"process": "cancel_contract_end"}], "no end that could be cancelled"),
    (
        "an extension that is none",
        [NEW, OUT, {"process": "rgen", "new_end": "2025-10-15"}],
        "is not after the end 2025-10-15",
    ),
    (
        "an extension into another contract",
        [NEW, OUT, {**NEW, "contract": "A2", "start": "2025-11-01"}, {"process": "cancel_contract_end"}],
        "contract A2 holds there from 2025-11-01",
    ),
    (
        "a move-in after the end",
        [NEW, OUT, {"process": "change_move_in_date", "date": "2025-10-16"}],
        "is not between",
    ),
    (
        "a cancelled contract",
        [NEW, {"process": "cancel_contract_start"}, OUT],
        "the contract's start was cancelled",
    ),
    (
        "a value of the wrong class",
        [{**NEW, "container": {**FULL, "bonus": "a lot"}}],
        "'a lot' is no MONEY as operand BONUS (AMOUNT) needs",
    ),
    ("an unknown product", [{**NEW, "product": "GAS"}], "product GAS has no template"),
    (
        "maintenance by hand of what hangs on the product",
        [NEW, {"process": "maintain", "operand": "RABAT", "start": "2025-02-01", "value": 0.5}],
        "operand RABAT is maintained by the template of the product only",
    ),
    ("an unknown process", [{"process": "explode"}], "There is no process explode"),
    ("a day that is none", [NEW, {**OUT, "date": "2025-02-30"}], "'2025-02-30' is no day"),
    ("a day that is missing", [NEW, {"process": "move_out"}], "date: None is no day"),
    (
        "a process id of another call",
        [{**NEW, "process_id": "x"}, {**OUT, "process_id": "x"}],
        "process x was another call",
    ),
]


@pytest.mark.parametrize(("what", "calls", "sentence"), REFUSALS, ids=[what for what, _calls, _sentence in REFUSALS])
def test_the_last_call_is_refused_and_changes_nothing(what: str, calls: list[dict[str, Any]], sentence: str) -> None:
    result = play(*calls)
    assert sentence in result["results"][-1]["refused"], what
    assert result["results"][:-1] == [{}] * (len(calls) - 1)
    if calls[:-1]:
        before = play(*calls[:-1])
        assert {**result, "results": []} == {**before, "results": []}
    else:
        assert (result["after"], result["contract_after"]) == ([], [])


def test_a_process_id_used_again_for_the_same_call_is_no_second_process() -> None:
    out = {**OUT, "process_id": "out"}
    back = {"process": "cancel_contract_end", "process_id": "back"}
    once, again = play(NEW, out, back), play(NEW, out, back, out)
    assert again["results"][-1] == {}
    assert again["contract_after"][0]["end"] == "9999-12-31"
    assert {**again, "results": []} == {**once, "results": []}


BILLED = {
    "contract_before": [
        {
            "id": "A1",
            "partner": "K1",
            "start": "2025-01-01",
            "end": "9999-12-31",
            "products": [["2025-01-01", "VARME_STD"]],
        }
    ],
    "before": [
        {
            "operand": "ENERGIPRIS", "ab": "2025-01-01", "bis": "9999-12-31", "value": "E1", "binding": "PARAMETER",
            "contract": "A1", "product": "VARME_STD", "process": "p1", "billed_until": "2025-06-30",
        }
    ],
}  # fmt: skip


@pytest.mark.parametrize(
    ("call", "refused"),
    [
        ({**OUT, "date": "2025-06-29"}, True),
        ({**OUT, "date": "2025-06-30"}, False),
        ({"process": "cancel_contract_start"}, True),
        ({"process": "contract_change", "container": {"energipris": "E2"}}, True),
        ({"process": "contract_change", "container": {"energipris": "E2"}, "new_start": "2025-07-01"}, False),
    ],
)
def test_what_is_billed_is_neither_deleted_nor_shortened(call: dict[str, Any], refused: bool) -> None:
    result = play(call, **BILLED)
    assert ("refused" in result["results"][0]) == refused
    if refused:
        assert "operand ENERGIPRIS is billed until 2025-06-30" in result["results"][0]["refused"]
    assert any(row.get("billed_until") == "2025-06-30" and row["ab"] == "2025-01-01" for row in result["after"])


CONSTANT = {"operand": "ABONNEMENT", "kind": "CONSTANT", "ref": "ABO"}
BAD_TEMPLATES: list[tuple[Any, str]] = [
    ([{**CONSTANT, "operand": "NO_SUCH"}], "unknown operand NO_SUCH"),
    ([CONSTANT, CONSTANT], "names operand ABONNEMENT twice"),
    ([{"operand": "RABAT", "kind": "CONSTANT", "ref": "T"}], "the constant 'T' is no NUMBER (FACTOR)"),
    ([{**CONSTANT, "kind": "GUESS"}], "its kind is GUESS"),
    ([{**CONSTANT, "bis": ["end_of_the_world"]}], "There is no virtual day"),
    ([{"operand": "RABAT", "kind": "PARAMETER"}], "a parameter names the attribute"),
    (
        [
            {"valid_from": "2024-01-01", "valid_to": "2025-06-30", "attributes": [CONSTANT]},
            {"valid_from": "2025-06-30", "attributes": [CONSTANT]},
        ],
        "Two versions of the template of VARME_STD are valid on 2025-06-30",
    ),
]


@pytest.mark.parametrize(("template", "sentence"), BAD_TEMPLATES)
def test_a_template_that_cannot_be_used_hinders_its_product_alone(template: Any, sentence: str) -> None:
    result = play(NEW, {**NEW, "product": "VARME_PLUS"}, mdts={**MDTS, "VARME_STD": template})
    assert sentence in result["results"][0]["refused"]
    assert result["results"][1] == {}


@pytest.mark.parametrize(
    ("more", "sentence"),
    [
        ({"operands": [{"name": "X", "category": "WISH"}]}, "Operand X has the unknown category WISH"),
        ({"operands": [{"name": "X", "category": "FLAG"}] * 2}, "Operand X occurs twice"),
        ({"operands": [{"name": "X", "category": "FLAG", "umzug": 7}]}, "unknown UMZUGKZ 7"),
        ({"before": [{"operand": "NEW", "ab": "2025-01-01", "value": 1}]}, "unknown operand NEW"),
        (
            {"before": [{"operand": "AREAL", "ab": f"2025-01-0{day}", "value": 1} for day in (1, 2)]},
            "Operand AREAL: two active slices overlap",
        ),
        ({"settings": {"mood": "good"}}, "There is no setting mood"),
    ],
)
def test_facts_or_operands_that_cannot_be_used_refuse_every_call(more: dict[str, Any], sentence: str) -> None:
    result = play(NEW, OUT, **more)
    assert [sentence in one["refused"] for one in result["results"]] == [True, True]
    assert result["after"] == more.get("before", [])


def test_the_version_of_a_template_is_that_of_the_first_day_of_the_generation_period() -> None:
    versions = [
        {"valid_from": "2026-01-01", "attributes": [{**CONSTANT, "ref": "ABO_26"}]},
        {"valid_from": "2024-01-01", "valid_to": "2025-12-31", "attributes": [{**CONSTANT, "ref": "ABO_25"}]},
    ]
    change = {"process": "product_change", "date": "2026-01-01", "product": "VARME_STD", "container": {}}
    result = play(NEW, change, mdts={"VARME_STD": versions})
    assert [(row["ab"], row["bis"], row["value"]) for row in result["after"]] == [
        ("2025-01-01", "2025-12-31", "ABO_25"),
        ("2026-01-01", "9999-12-31", "ABO_26"),
    ]


def test_a_move_out_without_end_takes_an_earlier_one_back() -> None:
    """The last day of the calendar is no end: what hangs on the contract is active again, the product's stays cut."""
    manual = {"process": "maintain", "contract": "A1", "operand": "ACONTO", "start": "2025-01-01", "value": 1200}
    result = play(NEW, manual, OUT, {**OUT, "date": "9999-12-31"})
    told = {row["operand"]: row["bis"] for row in result["after"]}
    assert (told["ACONTO"], told["ENERGIPRIS"]) == ("9999-12-31", "2025-10-15")
    assert not any(row["inactive"] for row in result["after"])


def test_the_first_day_of_the_calendar_is_a_day_like_others() -> None:
    first = {**NEW, "start": "0001-01-01"}
    result = play(first, {**OUT, "date": "0001-01-01"}, {"process": "product_change_cancel", "date": "0001-01-01"})
    assert ["refused" in one for one in result["results"]] == [False, False, True]
