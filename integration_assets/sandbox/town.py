"""The sandbox town: people, companies, homes and their rows in the billing system, by seed and size.

`build` makes a town, `days.play_day` moves it, `truth.truth` says what must follow from it. The same seed and size give
the same town, number for number.
"""

import random
from collections import Counter
from typing import Any

from integration_assets.sandbox import address_sample, town_parties, town_places
from integration_assets.sandbox.days import play_day
from integration_assets.sandbox.store import Store
from integration_assets.sandbox.town_builder import Builder
from integration_assets.sandbox.town_claims import annul_rows, hand_over, moved_out_rows
from integration_assets.sandbox.town_homes import Homes
from integration_assets.sandbox.town_kinds import LEANING, ORDINARY, planned
from integration_assets.sandbox.town_model import BASE_DAY, COLLECTION, Customer, Town, load, uninterrupted
from integration_assets.sandbox.town_people import People
from integration_assets.sandbox.town_rules import as_of, remember_parties, settle
from integration_assets.sandbox.town_write import FIRST_CUSTOMER_NUMBER, write_changes, write_town
from integration_assets.sandbox.truth import truth

__all__ = ["annul", "build", "move_out_late", "play_day", "truth"]

Json = dict[str, Any]

_REGISTERS = ("register:person", "register:company", "register:unit", "register:access", "register:events")
_SPARE_SHARE = 0.25


@uninterrupted
def build(store: Store, kmd_ee_url: str, customers: int, seed: int) -> Json:
    """Build a town of so many customer rows: registers, billing system and truth, replacing what was there.

    Returns {base_day, customers, seed, places, installations, persons, companies, units, kinds: {kind: rows},
    examples: {kind: customer number}}.
    """
    spare = 60 + int(customers * _SPARE_SHARE)
    units, access = address_sample.load()
    units, access = address_sample.enlarge(units, access, int(customers * 1.15) + spare + 300, seed)
    draw = random.Random(f"town {seed} {customers}")
    homes = Homes(units, access, draw)
    people = People(draw, set())
    town = Town(_first_meta(customers, seed))
    _plant(Builder(town, people, draw, homes), customers)
    settle(town, list(town.customers.values()))
    remember_parties(town)
    town.meta["spare"] = [homes.take().unit for _ in range(spare)]
    store.clear(COLLECTION, *_REGISTERS)
    store.put_many("register:person", people.persons)
    store.put_many("register:company", people.companies)
    store.put_many("register:unit", {unit["id"]: unit for unit in units})
    store.put_many("register:access", {house["id"]: house for house in access})
    hand_over(store, town, people.companies, seed)
    town.save(store)
    write_town(town, kmd_ee_url)
    return {
        "base_day": BASE_DAY,
        "customers": len(town.customers),
        "seed": seed,
        "places": len(town.places),
        "installations": len(town.installations),
        "persons": len(people.persons),
        "companies": len(people.companies),
        "units": len(units),
        "kinds": dict(Counter(row.kind for row in town.customers.values())),
        "examples": {row.kind: str(row.number) for row in reversed(town.customers.values())},
    }


@uninterrupted
def annul(store: Store, kmd_ee_url: str, customers: list[int], count: int) -> Json:
    """Annul the agreements of customers, and of so many others with claims: a move-out before the move-in.

    Returns {customers: [customer number, ...]}. Raises LookupError where there is no such agreement.
    """
    town = load(store)
    return _corrected(store, kmd_ee_url, town, annul_rows(town, as_of(town), customers, count))


@uninterrupted
def move_out_late(store: Store, kmd_ee_url: str, moved_out: str, count: int) -> Json:
    """Let so many customers with claims have moved out on an ISO day that has long passed.

    Returns {customers: [customer number, ...]}. Raises LookupError where there are too few.
    """
    town = load(store)
    return _corrected(store, kmd_ee_url, town, moved_out_rows(town, as_of(town), moved_out, count))


def _corrected(store: Store, kmd_ee_url: str, town: Town, rows: list[Customer]) -> Json:
    touched = {("customers", row.number) for row in rows}
    town.save(store, touched)
    write_changes(town, kmd_ee_url, touched)
    return {"customers": [str(row.number) for row in rows]}


def _first_meta(customers: int, seed: int) -> Json:
    return {
        "base_day": BASE_DAY,
        "day": 0,
        "seed": seed,
        "size": customers,
        "customer": FIRST_CUSTOMER_NUMBER,
        "place": 0,
        "installation": 0,
        "meter": 0,
        "alternative": 0,
        "spare": [],
    }


def _plant(builder: Builder, customers: int) -> None:
    """Plant every row of the plan in mixed order, those that lean on others last."""
    planters = {**town_parties.PLANTERS, **town_places.PLANTERS}
    plan = planned(customers)
    leaning = [kind for kind in plan if kind in LEANING]
    first = [kind for kind in plan if kind not in LEANING]
    builder.draw.shuffle(first)
    for kind in first + leaning:
        if kind == ORDINARY:
            builder.household(kind)
        else:
            planters[kind](builder, kind)
