"""The product's washing against the sandbox's literal datavask: two implementations that share no code.

Both wash the same badly typed texts over the same register (the sample that ships with the sandbox). Where they part on
purpose, the kind of text is listed with the reason.
"""

import random
from collections.abc import Callable, Iterator
from typing import Any

import polars as pl
import pytest

from integration_assets.domain.addresses.register import ACCESS, PLACES, UNITS, RegisterFrames
from integration_assets.domain.addresses.washing import WashingIndex, wash
from integration_assets.sandbox import address_sample
from integration_assets.sandbox.dawa_datavask import Datavask
from integration_assets.sandbox.dawa_register import Snapshot

Row = dict[str, Any]
Typist = Callable[[Row, random.Random], str]

TEXTS_PER_KIND = 24
DAR_OF_DAWA = {1: 3, 2: 4, 3: 2, 4: 5}


def line(row: Row, floor_form: str = "{floor}. {door}") -> str:
    """The text of an address in the usual form; parts that are None or "" are left out."""
    floor, door = row.get("etage"), row.get("dør")
    unit = floor_form.format(floor=floor, door=door) if floor and door else f"{floor}." if floor else door
    street = " ".join(part for part in (row["vejnavn"], row["husnr"]) if part)
    place = " ".join(part for part in (row["postnr"], row["postnrnavn"]) if part)
    return ", ".join(part for part in (street, unit, row["supplerendebynavn"], place) if part)


def with_typo(text: str, rng: random.Random) -> str:
    """One letter inserted, left out or replaced."""
    at = rng.randrange(1, len(text) - 1)
    letter = rng.choice("abdefghijklmnoprstuv")
    return rng.choice((text[:at] + letter + text[at:], text[:at] + text[at + 1 :], text[:at] + letter + text[at + 1 :]))


def with_swap(text: str, rng: random.Random) -> str:
    """Two neighbouring letters the other way round."""
    at = rng.randrange(len(text) - 1)
    return text[:at] + text[at + 1] + text[at] + text[at + 2 :]


def joined_unit(row: Row, _rng: random.Random) -> str:
    """Forms like 2tv and st1; two numbers are left apart, for 21 would be another floor or door."""
    two_numbers = (row.get("etage") or "").isdecimal() and (row.get("dør") or "")[:1].isdecimal()
    return line(row, "{floor}. {door}" if two_numbers else "{floor}{door}")


def other_house(row: Row, rng: random.Random) -> str:
    return line(row | {"husnr": f"{rng.randint(1, 250)}{rng.choice(('', 'A', 'B'))}"})


def split_letter(row: Row, _rng: random.Random) -> str:
    number = row["husnr"]
    return line(row | {"husnr": f"{number[:-1]} {number[-1].lower()}" if number[-1].isalpha() else number})


def with_zeros(row: Row, _rng: random.Random) -> str:
    floor = row.get("etage") or ""
    return line(row | {"husnr": f"00{row['husnr']}", "etage": f"0{floor}" if floor.isdecimal() else floor})


SAME: dict[str, Typist] = {
    "as the register writes it": lambda row, _: line(row),
    "capitals": lambda row, _: line(row).upper(),
    "small letters": lambda row, _: line(row).lower(),
    "without commas": lambda row, _: line(row).replace(",", ""),
    "leading zeros": with_zeros,
    "floor and door together": lambda row, _: line(row, "{floor}.{door}"),
    "the short road name": lambda row, _: line(row | {"vejnavn": row["adresseringsvejnavn"]}),
    "without the supplementary town": lambda row, _: line(row | {"supplerendebynavn": None}),
    "floor and door without dot and blank": joined_unit,
    "one typing error": lambda row, rng: line(row | {"vejnavn": with_typo(row["vejnavn"], rng)}),
    "two typing errors": lambda row, rng: line(row | {"vejnavn": with_typo(with_typo(row["vejnavn"], rng), rng)}),
    "two letters swapped": lambda row, rng: line(row | {"vejnavn": with_swap(row["vejnavn"], rng)}),
    "words joined": lambda row, _: line(row | {"vejnavn": row["vejnavn"].replace(" ", "", 1)}),
    "a misspelt district": lambda row, rng: line(row | {"postnrnavn": with_typo(row["postnrnavn"], rng)}),
    "without the postcode": lambda row, _: line(row | {"postnr": ""}),
    "without the district": lambda row, _: line(row | {"postnrnavn": ""}),
    "another postcode": lambda row, rng: line(row | {"postnr": rng.choice(("5000", "2690", "8000", "9999"))}),
    "another house number": other_house,
    "without floor and door": lambda row, _: line(row | {"etage": None, "dør": None}),
    "a name in front": lambda row, _: f"c/o Hansen, {line(row)}",
    "a word behind the house number": lambda row, _: line(row | {"husnr": f"{row['husnr']} baghus"}),
}
"""Texts of which both must make the same: category, and address where it is A or B."""

APART: dict[str, tuple[Typist, frozenset[tuple[str, str]]]] = {
    # DAWA counts a doubled blank within a name as an edit; it says nothing about the address.
    "doubled blanks": (lambda row, _: line(row).replace(" ", "  "), frozenset({("B", "A")})),
    # "Oestre" is nearer to "Vestre" than to "Østre", letter by letter; a typewriter without ø meant the latter.
    "ae, oe and aa": (
        lambda row, _: line(row).replace("æ", "ae").replace("ø", "oe").replace("å", "aa").replace("Ø", "Oe"),
        frozenset({("C", "B")}),
    ),
    # "56 C" in "Odense C": DAWA finds number 56, because its C is there as well, and looks no further.
    "letter apart from the number": (split_letter, frozenset({("C", "A"), ("C", "B")})),
    # DAWA may read floor and door as a misspelt supplementary town, and call that sure.
    "another floor": (
        lambda row, rng: line(row | {"etage": rng.choice(("st", "1", "2", "9")), "dør": rng.choice(("tv", "th"))}),
        frozenset({("B", "C")}),
    ),
    # The name of the country is no part of an address; to DAWA it is an unknown word.
    "the country behind it": (
        lambda row, rng: line(row) + rng.choice((", Danmark", " Danmark", ", DK", " DK")),
        frozenset({("C", "A")}),
    ),
    # Two swaps are four edits, unless one of them is across the blank, which is no part of a name's key. A name with
    # less than half of its letters right is no repair, nor one that could as well be another with letters swapped.
    "two pairs of letters swapped": (
        lambda row, rng: line(row | {"vejnavn": with_swap(with_swap(row["vejnavn"], rng), rng)}),
        frozenset({("B", "C"), ("C", "B")}),
    ),
}
"""Texts of which both may make different things, with the pairs (DAWA's category, ours) that are allowed then."""


@pytest.fixture(scope="module")
def snapshot() -> Snapshot:
    units, access = address_sample.load()
    return Snapshot({row["id"]: row for row in units}, {row["id"]: row for row in access})


@pytest.fixture(scope="module")
def oracle(snapshot: Snapshot) -> Datavask:
    return snapshot.washer(units=True)


@pytest.fixture(scope="module")
def index(snapshot: Snapshot) -> WashingIndex:
    return WashingIndex.build(register_frames(snapshot))


def register_frames(snapshot: Snapshot) -> RegisterFrames:
    """The sandbox's register in the product's compact form."""
    places: dict[tuple[str | None, ...], int] = {}
    access: list[Row] = []
    numbers: dict[str, int] = {}
    for row in snapshot.access.values():
        key = (
            row["navngivenvej_id"], row["vejnavn"], row["adresseringsvejnavn"], row["kommunekode"], row["vejkode"],
            row["postnr"], row["postnrnavn"], row["supplerendebynavn"],
        )  # fmt: skip
        numbers[row["id"]] = len(numbers)
        access.append(
            {
                "access": numbers[row["id"]],
                **halves(row["id"]),
                "place": places.setdefault(key, len(places)),
                "house_number": row["husnr"],
                "status": DAR_OF_DAWA[row["status"]],
            }
        )
    names = [
        "road_id", "street_name", "short_street_name", "municipality_code", "street_code", "postcode", "district",
        "supplementary_town",
    ]  # fmt: skip
    units = [
        {
            **halves(row["id"]),
            "access": numbers[row["adgangsadresseid"]],
            "floor": row["etage"],
            "door": row["dør"],
            "status": DAR_OF_DAWA[row["status"]],
        }
        for row in snapshot.units.values()
    ]
    place_rows = [
        {"place": n, **dict(zip(names, key, strict=True)), "large_receiver": False} for key, n in places.items()
    ]
    return RegisterFrames(
        1,
        pl.DataFrame(place_rows, schema=PLACES),
        pl.DataFrame(access, schema=ACCESS).sort("place", "house_number"),
        pl.DataFrame(units, schema=UNITS).sort("access"),
    )


def halves(address_id: str) -> dict[str, int]:
    digits = address_id.replace("-", "")
    return {"id_high": int(digits[:16], 16), "id_low": int(digits[16:], 16)}


def typed(snapshot: Snapshot, typist: Typist, kind: str) -> list[str]:
    rng = random.Random(kind)
    return [typist(row, rng) for row in rng.sample(list(snapshot.units.values()), TEXTS_PER_KIND)]


Answer = tuple[str, str | None]


def answers(texts: list[str], oracle: Datavask, index: WashingIndex) -> Iterator[tuple[str, Answer, Answer]]:
    """Text, DAWA's answer and ours: category, and the id of the address where it is A or B."""
    ours = wash(pl.Series(texts), index)
    for text, category, unit_id in zip(texts, ours["category"], ours["unit_id"], strict=True):
        answer = oracle.wash(text)
        theirs = answer["kategori"]
        their_id = answer["resultater"][0]["adresse"]["id"] if theirs != "C" else None
        yield text, (theirs, their_id), (category, unit_id if category != "C" else None)


@pytest.mark.parametrize("kind", SAME)
def test_both_answer_alike(snapshot: Snapshot, oracle: Datavask, index: WashingIndex, kind: str) -> None:
    texts = typed(snapshot, SAME[kind], kind)
    found = {text: (theirs, ours) for text, theirs, ours in answers(texts, oracle, index)}
    assert {text: pair for text, pair in found.items() if pair[0] != pair[1]} == {}


@pytest.mark.parametrize("kind", APART)
def test_they_part_only_as_intended(snapshot: Snapshot, oracle: Datavask, index: WashingIndex, kind: str) -> None:
    typist, allowed = APART[kind]
    for text, theirs, ours in answers(typed(snapshot, typist, kind), oracle, index):
        assert theirs[0] == ours[0] or (theirs[0], ours[0]) in allowed, text
        assert None in (theirs[1], ours[1]) or theirs[1] == ours[1], text
