"""Street names typed wrong in the town: the nearest street is the one that is meant, or none is near."""

import random
from collections.abc import Callable, Mapping
from typing import Any

import pytest

from integration_assets.sandbox import address_sample
from integration_assets.sandbox.town_homes import Home, Homes, double_a, garbled, joined, misspelt, shortened

REPAIRED = 3
"""Edits up to which washing repairs the name of a street."""

WAYS: Mapping[str, Callable[[str], str]] = {
    "misspelt_no_code": misspelt,
    "shortened_no_code": shortened,
    "joined_no_code": joined,
    "double_a_no_code": double_a,
}


def edits(one: str, other: str) -> int:
    """Insertions, deletions and replacements that lead from one text to the other, letter by letter."""
    above = list(range(len(other) + 1))
    for row, letter in enumerate(one, start=1):
        line = [row]
        for column, wanted in enumerate(other, start=1):
            line.append(min(above[column] + 1, line[-1] + 1, above[column - 1] + (letter != wanted)))
        above = line
    return above[-1]


def test_edits_are_counted() -> None:
    assert [edits(*pair) for pair in (("", "abc"), ("vej", "vej"), ("kitten", "sitting"), ("ab", "ba"))] == [3, 0, 3, 2]


@pytest.fixture(scope="module")
def sample() -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    units, access = address_sample.load()
    return list(units), list(access)


@pytest.fixture(scope="module")
def streets(sample: tuple[list[dict[str, Any]], list[dict[str, Any]]]) -> dict[str, set[tuple[str, str]]]:
    """Full and short names of the streets of each postal code, in small letters."""
    found: dict[str, set[tuple[str, str]]] = {}
    for row in sample[1]:
        names = (row["street_name"].casefold(), row["addressing_street_name"].casefold())
        found.setdefault(row["postcode"], set()).add(names)
    return found


def homes(sample: tuple[list[dict[str, Any]], list[dict[str, Any]]], way: str, seed: int, number: int) -> list[Home]:
    """Homes that the town would type in this way."""
    free = Homes(*sample, random.Random(seed))
    taken: list[Home] = []
    while len(taken) < number:
        try:
            taken.append(free.take(way))
        except LookupError:
            break
    return taken


@pytest.mark.parametrize("way", WAYS)
def test_a_name_that_is_nearly_right_is_nearest_to_its_own_street(
    sample: tuple[list[dict[str, Any]], list[dict[str, Any]]], streets: dict[str, set[tuple[str, str]]], way: str
) -> None:
    taken = homes(sample, way, 5, 40)
    assert taken
    for home in taken:
        typed = WAYS[way](home.street)
        assert typed != home.street
        own = edits(home.street.casefold(), typed.casefold())
        assert 0 < own <= REPAIRED
        others = {name for name in streets[home.postcode] if name[0] != home.street.casefold()}
        assert min((edits(name, typed.casefold()) for pair in others for name in pair), default=99) > own, home


def test_a_garbled_name_is_near_to_no_street(
    sample: tuple[list[dict[str, Any]], list[dict[str, Any]]], streets: dict[str, set[tuple[str, str]]]
) -> None:
    taken = homes(sample, "garbled_no_code", 5, 40)
    assert len(taken) == 40
    for home in taken:
        typed = garbled(home.street).casefold()
        assert min(edits(name, typed) for pair in streets[home.postcode] for name in pair) > REPAIRED, home


@pytest.mark.parametrize(
    ("way", "street", "typed"),
    [
        (shortened, "Vestergade", "Vesergade"),
        (joined, "Hans Mules Gade", "HansMules Gade"),
        (double_a, "Åboulevarden på Ås", "Aaboulevarden paa Aas"),
        (misspelt, "Vestergade", "Vexsstergade"),
        (garbled, "Vej", "jeVqwz"),
    ],
)
def test_how_names_are_typed_wrong(way: Callable[[str], str], street: str, typed: str) -> None:
    assert way(street) == typed


def test_what_is_typed_wrong_without_street_code_says_what_is_meant(
    sample: tuple[list[dict[str, Any]], list[dict[str, Any]]],
) -> None:
    free = Homes(*sample, random.Random(7))
    for way, wrong in WAYS.items():
        home = free.take(way)
        typed = free.typed(home, way)
        assert (typed.street, typed.street_code, typed.address_id) == (wrong(home.street), 0, home.unit)
    home = free.take("garbled_no_code")
    typed = free.typed(home, "garbled_no_code")
    assert (typed.street, typed.street_code, typed.address_id) == (garbled(home.street), 0, None)
