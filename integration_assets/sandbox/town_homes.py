"""Addresses of the town: which homes there are, how one is typed in good order, and how typing goes wrong.

Each way of typing says what washing can make of it: the unit address, the access address or nothing. Before a wrong
way is used it is checked against all street names of the postal code, with a margin, that it means what it says: the
misspelt street is by far the nearest, the garbled one is near to none.
"""

import random
import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, Final

from rapidfuzz.distance import Levenshtein

from integration_assets.sandbox.address_sample import TOWN_POSTCODES

Json = dict[str, Any]
_CURRENT: Final = 3
_REPAIRED: Final = 3
"""Edits up to which washing repairs a street name."""

_MARGIN: Final = 2
_BLOCK: Final = 6
"""Flats from which on a house is a block."""

_HOUSE_NUMBER: Final = re.compile(r"([1-9][0-9]{0,2})([A-Z]?)")


@dataclass(frozen=True)
class Home:
    """A unit address with what is needed to type it, and its access address."""

    unit: str
    access: str
    street: str
    street_code: str
    number: int
    letter: str
    floor: str | None
    door: str | None
    postcode: str
    district: str
    municipality: str

    @property
    def house_number(self) -> str:
        """Number and letter, as registers write it."""
        return f"{self.number}{self.letter}"

    def line(self) -> str:
        """Street, number, floor and door in the usual notation."""
        inner = " ".join(part for part in (f"{self.floor}." if self.floor else "", self.door or "") if part)
        return f"{self.street} {self.house_number}" + (f", {inner}" if inner else "")

    def registered(self, moved_in: str) -> Json:
        """The address as the person register keeps it."""
        return {**self.seat(), "unit_id": self.unit, "moved_in": moved_in}

    def seat(self) -> Json:
        """The address as the business register keeps it."""
        return {
            "municipality_code": self.municipality,
            "street_code": self.street_code,
            "house_number": self.house_number,
            "floor": self.floor,
            "door": self.door,
            "postcode": self.postcode,
            "district": self.district,
            "street_name": self.street,
        }


@dataclass(frozen=True)
class Typed:
    """A place as typed, and the address id that plain rules find for it."""

    street: str
    street_code: int
    number: int
    letter: str | None
    floor: str | None
    door: str
    postcode: str
    city: str
    address_id: str | None


class Homes:
    """The unmistakable homes of a register: current, and the only ones of their components and of their text."""

    def __init__(self, units: Iterable[Json], access: Iterable[Json], draw: random.Random) -> None:
        """Homes inside the town's postal codes are shuffled by `draw` and taken one by one; the others only named."""
        houses = {row["id"]: row for row in access}
        units = list(units)
        self._codes = {(row["postcode"], int(row["street_code"])) for row in houses.values()}
        self._streets: dict[str, set[str]] = {}
        for row in houses.values():
            names = {row["street_name"].casefold(), row["addressing_street_name"].casefold()}
            self._streets.setdefault(row["postcode"], set()).update(names)
        self._districts = {row["postcode"]: row["district"] for row in houses.values()}
        self._doors: dict[str, set[tuple[str | None, str | None]]] = {}
        counted: Counter[tuple[Any, ...]] = Counter()
        for unit in units:
            house = houses[unit["access_id"]]
            self._doors.setdefault(unit["access_id"], set()).add((unit["floor"], unit["door"]))
            counted.update(_keys(house, unit))
        house_keys: Counter[tuple[Any, ...]] = Counter()
        for house in houses.values():
            house_keys.update(_keys(house, {"floor": None, "door": None}))
        inside: list[Home] = []
        self.outside: list[Home] = []
        for unit in units:
            house = houses[unit["access_id"]]
            match = _HOUSE_NUMBER.fullmatch(house["house_number"])
            if unit["status"] != _CURRENT or house["status"] != _CURRENT or match is None:
                continue
            if unit["door"] and not unit["floor"]:
                continue  # its text "Vej 1, 2" may be read as a floor
            if any(counted[key] > 1 for key in _keys(house, unit)):
                continue
            if any(house_keys[key] > 1 for key in _keys(house, {"floor": None, "door": None})):
                continue
            home = _home(house, unit, match)
            (inside if home.postcode in TOWN_POSTCODES else self.outside).append(home)
        draw.shuffle(inside)
        self.by_unit = {home.unit: home for home in (*inside, *self.outside)}
        self._free = inside

    def take(self, wanted: str | None = None, other_than: str | None = None) -> Home:
        """A free home: any, one that suits a way of typing (`wanted`), or one outside a postal code."""
        for back in range(1, len(self._free) + 1):
            home = self._free[-back]
            if (wanted is None or self.suits(home, wanted)) and home.postcode != other_than:
                return self._free.pop(-back)
        raise LookupError(f"The town has no free home left ({wanted or 'any'}).")

    def flats(self, home: Home) -> list[Home]:
        """The homes of a home's house, itself included."""
        return [each for each in self._same_number(home) if each.access == home.access]

    def next_letters(self, home: Home) -> list[Home]:
        """Homes of the same street and number whose house has another letter, or none."""
        return [each for each in self._same_number(home) if each.letter != home.letter]

    def _same_number(self, home: Home) -> list[Home]:
        return self._numbers[home.postcode, home.street_code, home.number]

    @cached_property
    def _numbers(self) -> dict[tuple[str, str, int], list[Home]]:
        grouped: dict[tuple[str, str, int], list[Home]] = {}
        for home in self.by_unit.values():
            grouped.setdefault((home.postcode, home.street_code, home.number), []).append(home)
        return grouped

    def suits(self, home: Home, way: str) -> bool:
        """Whether this home can be typed in this way with the meaning that the way has."""
        bare = (None, None) in self._doors[home.access]
        needs = {
            "lower_letter": home.letter != "",
            "floor_padded": (home.floor or "").isdigit(),
            "floor_upper": home.floor in ("st", "kl"),
            "door_upper": home.door in ("tv", "th", "mf"),
            "missing_floor": home.floor is not None and not bare,
            "unknown_unit": home.floor is not None and not bare and ("19", "tv") not in self._doors[home.access],
            "misspelt_no_code": self._is_nearest(home, misspelt(home.street)),
            "shortened_no_code": self._is_nearest(home, shortened(home.street)),
            "joined_no_code": " " in home.street and self._is_nearest(home, joined(home.street)),
            "double_a_no_code": "å" in home.street.casefold() and self._is_nearest(home, double_a(home.street)),
            "several_flats": home.floor is not None and not bare and len(self.flats(home)) > 1,
            "block": home.floor is not None and not bare and len(self.flats(home)) >= _BLOCK,
            "next_letter": bool(self.next_letters(home)),
            "spoken_line": home.floor in (*"123456789", "st") and home.door in ("tv", "th"),
            "garbled_no_code": self._is_far(home.postcode, garbled(home.street)),
            "wrong_postcode": self._foreign_postcode(home) is not None,
        }
        return needs.get(way, True)

    def _is_nearest(self, home: Home, street: str) -> bool:
        """Whether the home's street is by far the nearest to this name in its postal code, and near enough."""
        own = home.street.casefold()
        typed = street.casefold()
        distance = Levenshtein.distance(own, typed)
        reach = distance + _MARGIN
        others = self._streets[home.postcode] - {own}
        return distance <= _REPAIRED and all(
            Levenshtein.distance(name, typed, score_cutoff=reach) > reach for name in others
        )

    def _is_far(self, postcode: str, street: str) -> bool:
        """Whether no street of the postal code is near to this name."""
        reach = _REPAIRED + _MARGIN
        typed = street.casefold()
        return all(
            Levenshtein.distance(name, typed, score_cutoff=reach) > reach for name in self._streets.get(postcode, ())
        )

    def _foreign_postcode(self, home: Home) -> str | None:
        """A postal code of another supply area without this home's street code and without a name near its street."""
        for postcode in TOWN_POSTCODES:
            by_code = (postcode, int(home.street_code)) in self._codes
            if postcode != home.postcode and not by_code and self._is_far(postcode, home.street):
                return postcode
        return None

    def typed(self, home: Home, way: str) -> Typed:
        """The home typed in this way ("plain" or a key of the table of ways)."""
        plain = plainly(home)
        match way:
            case "upper_case":
                return replace(plain, street=plain.street.upper(), city=plain.city.upper())
            case "extra_blanks":
                return replace(plain, street=f" {plain.street.replace(' ', '  ')} ", city=f"{plain.city} ")
            case "lower_letter":
                return replace(plain, letter=home.letter.lower())
            case "floor_padded":
                return replace(plain, floor=(home.floor or "").zfill(2))
            case "floor_upper":
                return replace(plain, floor=f"{(home.floor or '').upper()}.")
            case "door_upper":
                return replace(plain, door=(home.door or "").upper())
            case "wrong_name":
                return replace(plain, street=misspelt(home.street))
            case "no_code":
                return replace(plain, street_code=0)
            case "missing_floor":
                return replace(plain, floor=None, door="-", address_id=home.access)
            case "unknown_unit":
                return replace(plain, floor="19", door="tv", address_id=home.access)
            case "misspelt_no_code" | "shortened_no_code" | "joined_no_code" | "double_a_no_code":
                return replace(plain, street=_WAYS[way](home.street), street_code=0)
            case "garbled_no_code":
                return replace(plain, street=garbled(home.street), street_code=0, address_id=None)
            case "wrong_postcode":
                postcode = self._foreign_postcode(home) or home.postcode
                return replace(plain, postcode=postcode, city=self._districts[postcode], address_id=None)
            case "unknown_number":
                return replace(plain, number=997, letter=None, address_id=None)
            case _:
                return plain


def plainly(home: Home) -> Typed:
    """The home as a careful clerk types it."""
    return Typed(
        street=home.street,
        street_code=int(home.street_code),
        number=home.number,
        letter=home.letter or None,
        floor=home.floor,
        door=home.door or "-",
        postcode=home.postcode,
        city=home.district,
        address_id=home.unit,
    )


def misspelt(street: str) -> str:
    """The street name with its third letter doubled and an x before it."""
    return f"{street[:2]}x{street[2:3]}{street[2:]}"


def spoken_line(home: Home) -> str:
    """Street, number, floor and door as people say them: "Vestergade 4, 2. sal tv"."""
    floor = "stuen" if home.floor == "st" else f"{home.floor}. sal"
    return f"{home.street} {home.house_number}, {floor} {home.door}"


def shortened(street: str) -> str:
    """The street name without its fourth letter."""
    return f"{street[:3]}{street[4:]}"


def joined(street: str) -> str:
    """The street name without its first blank."""
    return street.replace(" ", "", 1)


def double_a(street: str) -> str:
    """The street name as it was written before 1948."""
    return street.replace("å", "aa").replace("Å", "Aa")


def garbled(street: str) -> str:
    """A name that is no street's: the letters in reverse order, with letters that Danish hardly uses."""
    return f"{street[::-1]}qwz"


_WAYS: Final = {
    "misspelt_no_code": misspelt,
    "shortened_no_code": shortened,
    "joined_no_code": joined,
    "double_a_no_code": double_a,
}


def find(units: dict[str, Json], access: dict[str, Json], unit_id: str) -> Home:
    """The home of one unit, from the register collections by id."""
    unit = units[unit_id]
    house = access[unit["access_id"]]
    match = _HOUSE_NUMBER.fullmatch(house["house_number"])
    if match is None:
        raise ValueError("This unit address has a house number that the town does not use.")
    return _home(house, unit, match)


def _home(house: Json, unit: Json, match: re.Match[str]) -> Home:
    return Home(
        unit=unit["id"],
        access=house["id"],
        street=house["street_name"],
        street_code=house["street_code"],
        number=int(match[1]),
        letter=match[2],
        floor=unit["floor"],
        door=unit["door"],
        postcode=house["postcode"],
        district=house["district"],
        municipality=house["municipality_code"],
    )


def _keys(house: Json, unit: Json) -> set[tuple[Any, ...]]:
    """What must be unique for a home to be unmistakable: its codes, and its text with either form of the road name."""
    inside = " ".join(part for part in (unit["floor"], unit["door"]) if part)
    text = (house["postcode"], house["house_number"].casefold(), inside)
    names = {house["street_name"].casefold(), house["addressing_street_name"].casefold()}
    return {("code", house["street_code"], *text), *(("name", name, *text) for name in names)}
