"""Addresses of the sandbox: the real sample that ships with the package, and invented ones for larger towns.

Belongs here: reading `data/addresses.csv.gz` and growing it. Not here: who lives where (the town), or how the address
register serves its files (`address_files`).
"""

import csv
import gzip
import io
import itertools
import random
import uuid
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from importlib import resources
from typing import Any

Json = dict[str, Any]

TOWN_POSTCODES = ("5000", "5240", "5200", "2791", "2690", "4130", "2670", "4200")
"""The postal codes of the sandbox town, each one a supply area, the densest first."""

_WEIGHTS = (30, 16, 15, 8, 9, 6, 9, 7)
_FLATS_SHARE = {"5000": 0.8, "5240": 0.5, "5200": 0.5, "4200": 0.4}
_DEFAULT_FLATS_SHARE = 0.1
_CURRENT = 3

_STEMS = (
    "Drageflugt", "Elverkongs", "Fabelhavre", "Gyldenskæl", "Havtrolde", "Isfugledrøm", "Jætteblomst", "Klokkemåne",
    "Lygtemands", "Mosekone", "Nattergalesang", "Onkel Grøns", "Papegøjetåge", "Regnbueharpe", "Skyhest", "Troldespejl",
    "Urtidsfisk", "Vindheks", "Æblekaniner", "Østentåge", "Ådragens", "Bjørnekorns", "Stjernegryn", "Tusindskovs",
    "Glasbjergs", "Hyldemors", "Kongekatte", "Måneskæppe", "Sølvsvane", "Tågebro", "Ulvetime", "Viktualie",
    "Pebermyntefugl", "Sirupskilde", "Kludekonge", "Perlegrotte", "Nisseposte", "Rævesløjfe", "Sneglehus", "Tinsoldat",
)  # fmt: skip
_ENDINGS = (
    ("vej", "vej"), ("gade", "gade"), ("stræde", "str"), ("allé", "allé"), ("vænget", "vænget"), ("bakken", "bakken"),
    ("parken", "parken"), ("toften", "toften"), ("engen", "engen"), ("haven", "haven"), ("lunden", "lunden"),
    ("krogen", "krogen"), ("stien", "stien"), ("dalen", "dalen"), ("marken", "marken"), ("torvet", "torv"),
)  # fmt: skip
_LEADS = (("", ""), ("Gammel ", "Gl "), ("Store ", "St "), ("Lille ", "Ll "), ("Nørre ", "Nr "), ("Sønder ", "Sdr "))
_ADDRESSING_NAME_LENGTH = 20
_LAST_ORDINARY_STREET_CODE = 9899


def load() -> tuple[list[Json], list[Json]]:
    """The sample: 2,820 unit addresses and their 1,330 access addresses, in the JSON shapes of the sandbox store.

    A unit is {id, access_id, status, floor, door}; an access address {id, status, street_name, addressing_street_name,
    house_number, supplementary_town, postcode, district, municipality_code, street_code, road_id, x, y} with x and y in
    metres (EPSG:25832). Absent parts are None. Every unit's access address is in the list. Statuses are those of DAR.
    """
    packed = resources.files("integration_assets.sandbox").joinpath("data/addresses.csv.gz").read_bytes()
    units: list[Json] = []
    access: list[Json] = []
    with io.TextIOWrapper(gzip.GzipFile(fileobj=io.BytesIO(packed)), encoding="utf-8", newline="") as text:
        for row in csv.DictReader(text):
            if row["kind"] == "unit":
                units.append(
                    {
                        "id": row["id"],
                        "access_id": row["access_id"],
                        "status": int(row["status"]),
                        "floor": row["floor"] or None,
                        "door": row["door"] or None,
                    }
                )
            else:
                access.append(_access_of(row))
    return units, access


def _access_of(row: dict[str, str]) -> Json:
    copied = (
        "street_name", "addressing_street_name", "house_number", "postcode", "district", "municipality_code",
        "street_code", "road_id",
    )  # fmt: skip
    return {
        "id": row["id"],
        "status": int(row["status"]),
        **{name: row[name] for name in copied},
        "supplementary_town": row["supplementary_town"] or None,
        "x": float(row["x"]),
        "y": float(row["y"]),
    }


def enlarge(units: Sequence[Json], access: Sequence[Json], wanted: int, seed: int) -> tuple[list[Json], list[Json]]:
    """The given addresses and as many invented ones as the town needs.

    Returns (units, access) with exactly `wanted` current unit addresses (status 3) in the town's postal codes, or the
    given ones where there are already as many. Roads are invented, with names that no Danish town has; everything about
    them depends on the given addresses and on `seed` alone.
    """
    town = [row for row in access if row["postcode"] in TOWN_POSTCODES]
    in_town = {row["id"] for row in town}
    have = sum(1 for unit in units if unit["status"] == _CURRENT and unit["access_id"] in in_town)
    all_units, all_access = list(units), list(access)
    if have >= wanted:
        return all_units, all_access
    roads = _Roads(access, random.Random(f"roads {seed}"))
    rng = random.Random(f"houses {seed}")
    missing = wanted - have
    while missing > 0:
        postcode = rng.choices(TOWN_POSTCODES, _WEIGHTS)[0]
        road = roads.new(postcode)
        for house in _houses(road, rng):
            homes = list(itertools.islice(_homes(house["id"], road.flats, rng), missing))
            all_access.append(house)
            all_units.extend(homes)
            missing -= len(homes)
            if missing == 0:
                break
    return all_units, all_access


@dataclass(frozen=True)
class _Road:
    """An invented road: what its houses share, where it starts and which way it runs (unit vector)."""

    shared: Json
    x: float
    y: float
    east: float
    north: float
    flats: bool


class _Roads:
    """Invents roads that clash with no known one: names and codes are unique within the municipality."""

    def __init__(self, access: Sequence[Json], rng: random.Random) -> None:
        self._rng = rng
        self._codes: dict[str, set[str]] = defaultdict(set)
        self._names: dict[str, Iterator[tuple[str, str]]] = {}
        self._known: dict[str, set[str]] = defaultdict(set)
        centres: dict[str, list[tuple[float, float]]] = defaultdict(list)
        places: dict[str, Counter[tuple[str, str]]] = defaultdict(Counter)
        for row in access:
            self._codes[row["municipality_code"]].add(row["street_code"])
            self._known[row["municipality_code"]].add(row["street_name"])
            centres[row["postcode"]].append((row["x"], row["y"]))
            places[row["postcode"]][(row["district"], row["municipality_code"])] += 1
        self._centres = {
            postcode: (sum(x for x, _ in points) / len(points), sum(y for _, y in points) / len(points))
            for postcode, points in centres.items()
        }
        self._places = {postcode: counted.most_common(1)[0][0] for postcode, counted in places.items()}

    def new(self, postcode: str) -> _Road:
        """A road in this postal code that did not exist before."""
        rng = self._rng
        district, municipality = self._places[postcode]
        name, addressing_name = next(self._names.setdefault(municipality, self._free_names(municipality)))
        x, y = self._centres[postcode]
        east = rng.uniform(-1, 1)
        return _Road(
            shared={
                "status": _CURRENT,
                "street_name": name,
                "addressing_street_name": addressing_name,
                "supplementary_town": None,
                "postcode": postcode,
                "district": district,
                "municipality_code": municipality,
                "street_code": self._free_code(municipality),
                "road_id": _uuid(rng),
            },
            x=x + rng.uniform(-2500, 2500),
            y=y + rng.uniform(-2500, 2500),
            east=east,
            north=(1 - east * east) ** 0.5,
            flats=rng.random() < _FLATS_SHARE.get(postcode, _DEFAULT_FLATS_SHARE),
        )

    def _free_names(self, municipality: str) -> Iterator[tuple[str, str]]:
        names: list[tuple[str, str]] = []
        for (lead, short_lead), stem, (ending, short_ending) in itertools.product(_LEADS, _STEMS, _ENDINGS):
            full = lead + stem + ending
            short = full if len(full) <= _ADDRESSING_NAME_LENGTH else short_lead + stem + short_ending
            names.append((full, short[:_ADDRESSING_NAME_LENGTH].rstrip()))
        self._rng.shuffle(names)
        return (pair for pair in names if pair[0] not in self._known[municipality])

    def _free_code(self, municipality: str) -> str:
        taken = self._codes[municipality]
        while (code := f"{self._rng.randint(1, _LAST_ORDINARY_STREET_CODE):04d}") in taken:
            pass
        taken.add(code)
        return code


def _houses(road: _Road, rng: random.Random) -> Iterator[Json]:
    """The access addresses of a road: odd and even numbers, now and then a row of letters, a missing number."""
    for number in range(1, rng.randint(16, 90)):
        roll = rng.random()
        if roll < 0.06:
            continue
        letters = "ABCDEF"[: rng.randint(2, 6)] if roll > 0.94 else ""
        aside = 9.0 if number % 2 else -9.0
        for nth, letter in enumerate(letters or ("",)):
            along = 9.0 * (number // 2) + 2.0 * nth
            yield {
                "id": _uuid(rng),
                **road.shared,
                "house_number": f"{number}{letter}",
                "x": round(road.x + along * road.east - aside * road.north, 2),
                "y": round(road.y + along * road.north + aside * road.east, 2),
            }


def _homes(access_id: str, flats: bool, rng: random.Random) -> Iterator[Json]:
    """The unit addresses of a house: a single home without floor and door, or the flats of a staircase."""
    doors = rng.choice((("tv", "th"), ("tv", "th"), ("tv", "mf", "th"), ("1", "2", "3", "4"), ("",)))
    storeys = ("kl", "st", "1", "2", "3", "4", "5")[1 if rng.random() < 0.9 else 0 : rng.randint(3, 7)]
    places = [(floor, door) for floor in storeys for door in doors] if flats else [("", "")]
    for floor, door in places:
        yield {
            "id": _uuid(rng),
            "access_id": access_id,
            "status": _CURRENT,
            "floor": floor or None,
            "door": door or None,
        }


def _uuid(rng: random.Random) -> str:
    return str(uuid.UUID(int=rng.getrandbits(128), version=4))
