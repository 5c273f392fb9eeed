"""Random sequences of calls on one installation, as the exchange format tells them, and the facts they begin with."""

import json
from pathlib import Path
from random import Random
from typing import Any

from hypothesis import strategies as st

from integration_assets_tests.domain.facts.day_model import text

VECTORS: dict[str, Any] = json.loads((Path(__file__).parent / "data" / "vectors.json").read_text(encoding="utf-8"))
OPERANDS: dict[str, dict[str, Any]] = {row["name"]: row for row in VECTORS["operands"]}

MDTS: dict[str, list[dict[str, Any]]] = {
    product: [
        {**row, "bis": None if row["bis"] is None else [row["bis"][0], months]} for row in VECTORS["mdts"][product]
    ]
    for product, months in (("VARME_STD", 2), ("VARME_PLUS", 1), ("VARME_VIRT", 3))
}
"""The templates of the vectors, with discounts that end within the days that are played."""

LAST_DAY = 150
FULL = {"energipris": "E1", "flex": "X", "rabat": 0.95, "bonus": 500}
PROCESSES = {
    "new_contract": 3, "move_out": 4, "product_change": 4, "product_change_cancel": 3, "cancel_contract_start": 1,
    "change_move_out_date": 3, "change_move_in_date": 2, "cancel_contract_end": 3, "contract_change": 2, "rgen": 2,
    "maintain": 2,
}  # fmt: skip
"""How often each process is called."""


def container(dice: Random) -> dict[str, Any]:
    """A full container, or one with some attributes left out, changed, or of the wrong class."""
    if dice.random() < 0.5:
        return dict(FULL)
    choices = {"energipris": ["E1", "E2"], "flex": ["X", ""], "rabat": [0.9, 0.95], "bonus": [500, 600]}
    told = {name: dice.choice(values) for name, values in choices.items() if dice.random() < 0.7}
    return {**told, "rabat": "none"} if dice.random() < 0.05 else told


def sent(dice: Random) -> dict[str, Any]:
    """What comes along with a date that is changed."""
    told: dict[str, Any] = {"prices": True} if dice.random() < 0.2 else {}
    return {**told, "container": container(dice)} if dice.random() < 0.6 else told


def sequence(seed: int, most: int = 10) -> list[dict[str, Any]]:
    """A first contract and calls that follow, the same for the same seed.

    Most calls are of contracts that were begun, on days that occurred before, the day after or a month later.
    """
    dice = Random(seed)
    start = dice.randrange(60)
    told: list[dict[str, Any]] = [
        {"process": "new_contract", "contract": "A1", "partner": "K1", "start": text(start)}
        | {"product": dice.choice(["VARME_STD", "VARME_STD", *MDTS]), "container": dict(FULL)}
    ]
    known, changed, begun = [start, start + 30, start + 60], [("A1", text(start))], 1
    for _step in range(dice.randint(1, most)):
        (process,) = dice.choices([*PROCESSES], [*PROCESSES.values()])
        number_of_day = dice.choice(known) if dice.random() < 0.8 else dice.randrange(LAST_DAY)
        day, contract = text(number_of_day), f"A{begun if dice.random() < 0.5 else dice.randint(1, begun)}"
        call: dict[str, Any] = {"process": process, "contract": contract}
        match process:
            case "new_contract":
                begun += 1
                call |= {"contract": f"A{begun}", "partner": dice.choice(["K1", "K1", "K2"]), "start": day}
                call |= {"product": dice.choice([*MDTS]), "container": container(dice)}
            case "move_out" | "change_move_out_date":
                call |= {"date": day, **sent(dice)}
            case "product_change":
                call |= {"date": day, "product": dice.choice([*MDTS] * 3 + ["UNKNOWN"]), "container": container(dice)}
                changed.append((contract, day))
            case "product_change_cancel":
                call["contract"], call["date"] = changed[-1] if dice.random() < 0.8 else dice.choice(changed)
                call |= {"container": container(dice)} if dice.random() < 0.3 else {}
            case "change_move_in_date":
                call |= {"date": day}
            case "contract_change":
                call |= sent(dice) | ({"new_start": day} if dice.random() < 0.5 else {})
            case "rgen":
                call |= {dice.choice(["new_end", "new_start"]): day}
            case "maintain":
                call |= {"operand": dice.choice(["ACONTO", "ACONTO", "AREAL", "RABAT"]), "start": day}
                call |= {"value": dice.choice([1200, 1300])}
        told.append(call)
        known += [number_of_day, min(LAST_DAY, number_of_day + 1), min(LAST_DAY, number_of_day + dice.randint(2, 40))]
    return told


seeds = st.integers(0, 2**32)


BEFORE: list[dict[str, Any]] = [
    {"operand": "AREAL", "ab": "2025-01-01", "bis": "9999-12-31", "value": 142},
    {"operand": "AFLAEST", "ab": "2025-01-10", "bis": "9999-12-31", "value": 9},
]


def case(told: list[dict[str, Any]], **more: Any) -> dict[str, Any]:
    """The sequence as a case of the exchange format."""
    return {"operands": list(OPERANDS.values()), "mdts": MDTS, "before": BEFORE, "calls": told, **more}
