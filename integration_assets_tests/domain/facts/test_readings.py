"""The readings that can be chosen where the description is ambiguous, and the rule of each UMZUGKZ."""

from typing import Any

from integration_assets.domain.facts.replay import replay
from integration_assets_tests.domain.facts.sequences import FULL, MDTS, OPERANDS

NEW = {
    "process": "new_contract", "contract": "A1", "partner": "K1", "start": "2025-01-01", "product": "VARME_STD",
    "container": FULL,
}  # fmt: skip
CHANGE = {"process": "product_change", "date": "2025-07-01", "product": "VARME_PLUS", "container": FULL}
OUT = {"process": "move_out", "date": "2025-10-15", "container": {**FULL, "energipris": "E9"}}
LATER = {"process": "contract_change", "container": {**FULL, "energipris": "E9"}}


def values(operand: str, *calls: dict[str, Any], mdts: Any = MDTS, **settings: Any) -> list[tuple[str, str, Any]]:
    """The active slices of an operand after the calls."""
    case = {"operands": list(OPERANDS.values()), "mdts": mdts, "calls": list(calls), "settings": settings}
    result = replay(case)
    assert result["results"] == [{}] * len(calls)
    rows = [row for row in result["after"] if row["operand"] == operand and not row["inactive"]]
    return [(row["ab"], row["bis"], row["value"]) for row in rows]


def test_a_move_out_generates_for_the_current_product_or_the_whole_contract() -> None:
    current = values("ENERGIPRIS", NEW, CHANGE, OUT)
    assert current == [("2025-01-01", "2025-06-30", "E1"), ("2025-07-01", "2025-10-15", "E9")]
    whole = values("ENERGIPRIS", NEW, CHANGE, OUT, move_out_generation="whole_contract")
    assert whole == [("2025-01-01", "2025-10-15", "E9")]


def test_a_product_change_leaves_contract_related_operands_alone_or_not() -> None:
    change = {**CHANGE, "product": "VARME_STD", "container": {**FULL, "bonus": 600}}
    assert values("BONUS", NEW, change) == [("2025-01-01", "9999-12-31", 500)]
    considered = values("BONUS", NEW, change, product_change_skips_contract_related=False)
    assert considered == [("2025-01-01", "2025-06-30", 500), ("2025-07-01", "9999-12-31", 600)]


def test_virtual_values_stay_or_go_when_the_contract_start_is_cancelled() -> None:
    mdts = {"VARME_STD": [{"operand": "RABAT", "kind": "VIRTUAL", "ref": ["period_days"], "bis": ["period_start"]}]}
    start, cancel = {**NEW, "start": "9999-12-30"}, {"process": "cancel_contract_start"}
    assert values("RABAT", start, cancel, mdts=mdts) == [("9999-12-30", "9999-12-30", 2)]
    assert values("RABAT", start, cancel, mdts=mdts, cancelled_start_keeps_virtual=False) == []


def test_a_contract_change_overwrites_or_fills() -> None:
    assert values("ENERGIPRIS", NEW, LATER) == [("2025-01-01", "9999-12-31", "E9")]
    earlier = {**LATER, "new_start": "2024-12-01"}
    filled = values("ENERGIPRIS", NEW, earlier, contract_change_overwrites=False)
    assert filled == [("2024-12-01", "2024-12-31", "E9"), ("2025-01-01", "9999-12-31", "E1")]


def test_values_that_stay_with_the_customer_end_when_another_moves_in() -> None:
    operands = [{"name": "EGEN", "category": "QUANT", "umzug": 1}, *OPERANDS.values()]
    kept = {"process": "maintain", "operand": "EGEN", "start": "2025-01-01", "value": 5}
    again = {**NEW, "contract": "A2", "start": "2025-11-01"}
    for partner, end in (("K1", "9999-12-31"), ("K2", "2025-10-31")):
        calls = [NEW, kept, OUT, {**again, "partner": partner}]
        result = replay({"operands": operands, "mdts": MDTS, "calls": [{"contract": "A1", **call} for call in calls]})
        assert result["results"] == [{}] * 4
        assert [row["bis"] for row in result["after"] if row["operand"] == "EGEN"] == [end]


def test_an_earlier_contract_that_has_ended_leaves_those_after_it_alone() -> None:
    """It arrives late, with its end: the facts of the same partner's later contract are none of its business."""
    aconto = {"process": "maintain", "contract": "A1", "operand": "ACONTO", "start": "2025-03-01", "value": 1200}
    late = {**NEW, "contract": "A0", "start": "2024-01-01", "end": "2024-12-31"}
    back = {"process": "cancel_contract_end", "contract": "A1"}
    standing = values("ACONTO", NEW, aconto, {**OUT, "contract": "A1"})
    assert standing == [("2025-03-01", "2025-10-15", 1200)]
    assert values("ACONTO", NEW, aconto, {**OUT, "contract": "A1"}, late) == standing
    restored = values("ACONTO", NEW, aconto, {**OUT, "contract": "A1"}, late, back)
    assert restored == [("2025-03-01", "9999-12-31", 1200)]


def test_a_contract_told_with_its_end_gets_back_what_lies_in_its_days() -> None:
    aconto = {"process": "maintain", "contract": "A1", "operand": "ACONTO", "start": "2025-01-01", "value": 1200}
    again = {**NEW, "contract": "A2", "start": "2025-11-01", "end": "2025-12-31"}
    calls = [NEW, aconto, {**OUT, "contract": "A1"}, again]
    got = [("2025-01-01", "2025-10-15", 1200), ("2025-11-01", "2025-12-31", 1200)]
    assert values("ACONTO", *calls) == got
    back = {"process": "cancel_contract_end", "contract": "A2"}
    assert values("ACONTO", *calls, back) == [got[0], ("2025-11-01", "9999-12-31", 1200)]


def test_a_customer_who_is_told_late_ends_no_values_of_the_one_after() -> None:
    operands = [{"name": "EGEN", "category": "QUANT", "umzug": 1}, *OPERANDS.values()]
    kept = {"process": "maintain", "operand": "EGEN"}
    calls = [
        NEW,
        {**kept, "contract": "A1", "start": "2025-01-01", "value": 5},
        {**OUT, "contract": "A1"},
        {**NEW, "contract": "A3", "partner": "K3", "start": "2025-12-01"},
        {**kept, "contract": "A3", "start": "2025-12-01", "value": 7},
        {**NEW, "contract": "A2", "partner": "K2", "start": "2025-11-01", "end": "2025-11-30"},
    ]
    result = replay({"operands": operands, "mdts": MDTS, "calls": calls})
    assert result["results"] == [{}] * 6
    of_operand = [row for row in result["after"] if row["operand"] == "EGEN"]
    assert [(row["ab"], row["bis"], row["value"]) for row in of_operand] == [
        ("2025-01-01", "2025-10-31", 5),
        ("2025-12-01", "9999-12-31", 7),
    ]
