"""What the registers tell although nobody asked: the numbers of relatives, of guardians, of people behind companies.

Belongs here: of whom it is told, and who these others are. All of them are made up from the number that was asked
about, so that the same person always has the same family; nobody of them is in the register. A client has to drop all
this, and a leak test can look for the numbers of `relatives` and `participant`.
"""

import random
from dataclasses import dataclass
from datetime import date
from typing import Any

from integration_assets.sandbox.register_switches import Switches
from integration_assets.sandbox.town_numbers import Numbers

_FEW = 5
_PARENT_YEARS = 29
_LATEST_YEAR = 2006
_EARLIEST_YEAR = 1900
_MARRIED = frozenset({"G", "P"})

Json = dict[str, Any]


@dataclass(frozen=True)
class Relatives:
    """The numbers of a person's family; `spouse` only of the married, `children` grown up (born twenty years ago)."""

    mother: str
    father: str
    spouse: str | None
    children: tuple[str, ...]


def shown(number: str, now: Switches) -> bool:
    """Whether more is told of this person or company than was asked for. "few" are about one in five."""
    if now.surplus == "few":
        return sum(map(int, number)) % _FEW == 0
    return now.surplus == "all"


def relatives(person: Json) -> Relatives:
    """The family of a person of the register."""
    born = date.fromisoformat(person["birth_date"])
    numbers = Numbers(random.Random(f"relatives of {person['pnr']}"), {person["pnr"]})
    parents = max(born.year - _PARENT_YEARS, _EARLIEST_YEAR)
    spouse_gender = "M" if person["gender"] == "K" else "K"
    married = person["civil_status"] in _MARRIED
    spouse = numbers.cpr(numbers.birth_date(born.year, born.year), spouse_gender) if _known(born.year) else None
    child = born.year + _PARENT_YEARS
    children = [numbers.cpr(numbers.birth_date(child, child), gender) for gender in ("M", "K") if _known(child)]
    return Relatives(
        mother=numbers.cpr(numbers.birth_date(parents, parents + 1), "K"),
        father=numbers.cpr(numbers.birth_date(parents, parents + 1), "M"),
        spouse=spouse if married else None,
        children=tuple(children),
    )


def participant(company: Json) -> str:
    """The personal number of somebody who owns a part of a company of the register."""
    numbers = Numbers(random.Random(f"participant of {company['cvr']}"), set())
    return numbers.cpr(numbers.birth_date(1940, 1990), "K")


def _known(year: int) -> bool:
    return _EARLIEST_YEAR <= year <= _LATEST_YEAR
