"""What the facts of installations must say at the town's current day, by plain loops over the sandbox's own tariffs.

Facts that hang on a contract and not on its product are left out: what they say depends on the product of the move-in.
"""

import csv
from importlib import resources
from typing import Any, Final

from integration_assets.sandbox.town_model import Customer, Installation

TARIFFS: Final = resources.files("integration_assets.sandbox") / "data" / "tariffs"
"""The tables of tariffs that the sandbox's settings name."""

Json = dict[str, Any]


def facts_today(rows: list[Customer], placed: dict[int, list[Installation]], day: str) -> dict[str, Json]:
    """By installation number the value of each operand, as JSON has it; installations that somebody has today only."""
    tables = {name: _table(name) for name in ("operands", "templates", "prices", "products")}
    facts: dict[str, Json] = {}
    for row in rows:
        if not (row.moved_in <= day and (row.moved_out is None or day < row.moved_out)):
            continue
        for installation in placed.get(row.place, []):
            begun = [meter for meter in installation.meters if meter[4] <= day]
            if any(_overlap(meter, row) for meter in begun):
                facts[str(installation.number)] = _of_product(_product(begun[-1][2], tables["products"]), tables, day)
    return facts


def _overlap(meter: list[Any], row: Customer) -> bool:
    starts_in_time = row.moved_out is None or meter[4] < row.moved_out
    return starts_in_time and (meter[5] is None or meter[5] > row.moved_in)


def _product(meter_type: str, rules: list[dict[str, str]]) -> str:
    own = [rule["product"] for rule in rules if rule["meter_type"] == meter_type]
    return own[0] if own else next(rule["product"] for rule in rules if not rule["meter_type"])


def _of_product(product: str, tables: dict[str, list[dict[str, str]]], day: str) -> Json:
    of_product = {row["name"] for row in tables["operands"] if row["prodrel"]}
    told: Json = {}
    for row in tables["templates"]:
        if row["product"] != product or row["operand"] not in of_product:
            continue
        if row["kind"] == "CONSTANT":
            told[row["operand"]] = row["ref"]
            continue
        prices = [
            (price["valid_from"], price["value"])
            for price in tables["prices"]
            if (price["product"], price["parameter"]) == (product, row["ref"]) and price["valid_from"] <= day
        ]
        amount, *unit = max(prices)[1].split("|")
        told[row["operand"]] = [float(amount), *unit]
    return told


def _table(name: str) -> list[dict[str, str]]:
    with TARIFFS.joinpath(f"{name}.csv").open(encoding="utf-8") as file:
        return list(csv.DictReader(file))
