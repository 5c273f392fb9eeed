"""Random sequences of calls on one installation, as the exchange format tells them, and the facts they begin with."""

import json
from pathlib import Path
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
days = st.integers(0, LAST_DAY).map(text)
containers = st.fixed_dictionaries(
    {},
    optional={
        "energipris": st.sampled_from(["E1", "E2", "E3"]),
        "flex": st.sampled_from(["X", ""]),
        "rabat": st.sampled_from([0.9, 0.95]),
        "bonus": st.sampled_from([500, 600]),
    },
)
products = st.sampled_from(["VARME_STD", "VARME_PLUS", "VARME_VIRT"])
contracts = st.sampled_from(["A1", "A1", "A2", "A3"])


def _call(process: str, required: dict[str, Any], optional: dict[str, Any] | None = None) -> st.SearchStrategy[Any]:
    fields = {"process": st.just(process), "contract": contracts, **required}
    return st.fixed_dictionaries(fields, optional=optional or {})


sent = {"container": containers, "prices": st.booleans()}
calls = st.one_of(
    _call(
        "new_contract",
        {"partner": st.sampled_from(["K1", "K1", "K2"]), "start": days, "product": products, "container": containers},
    ),
    _call("move_out", {"date": days}, sent),
    _call("product_change", {"date": days, "product": products, "container": containers}),
    _call("product_change_cancel", {"date": days}, {"container": containers}),
    _call("cancel_contract_start", {}),
    _call("change_move_out_date", {"date": days}, sent),
    _call("change_move_in_date", {"date": days}),
    _call("cancel_contract_end", {}),
    _call("contract_change", {}, {**sent, "new_start": days}),
    _call("rgen", {"new_end": days}),
    _call("rgen", {"new_start": days}),
)

FULL = {"energipris": "E1", "flex": "X", "rabat": 0.95, "bonus": 500}


@st.composite
def sequences(draw: st.DrawFn, most: int = 10) -> list[dict[str, Any]]:
    """A first contract, and calls that follow; days that occurred before are used again now and then."""
    first = {
        "process": "new_contract", "contract": "A1", "partner": "K1", "product": "VARME_STD", "container": FULL,
        "start": text(draw(st.integers(0, 60))),
    }  # fmt: skip
    told = [first]
    for call in draw(st.lists(calls, min_size=1, max_size=most)):
        seen = [one[name] for one in told for name in ("date", "start") if name in one]
        if "date" in call and draw(st.booleans()):
            call = {**call, "date": draw(st.sampled_from(seen))}
        told.append(call)
    return told


BEFORE: list[dict[str, Any]] = [
    {"operand": "AREAL", "ab": "2025-01-01", "bis": "9999-12-31", "value": 142},
    {"operand": "AFLAEST", "ab": "2025-01-10", "bis": "9999-12-31", "value": 9},
]
MANUAL = {"process": "maintain", "contract": "A1", "operand": "ACONTO", "value": 1200}


def case(told: list[dict[str, Any]], **more: Any) -> dict[str, Any]:
    """The sequence as a case of the exchange format."""
    return {"operands": list(OPERANDS.values()), "mdts": MDTS, "before": BEFORE, "calls": told, **more}
