"""What stands between house number and postal code: floor, door, and the words that are neither."""

import re
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

_SIDES: Final = (
    (re.compile(r"\bt[\s.]+v\b\.?|\b(?:til )?venstre\b"), "tv"),
    (re.compile(r"\bt[\s.]+h\b\.?|\b(?:til )?højre\b"), "th"),
    (re.compile(r"\bm[\s.]+f\b\.?|\bmidt(?: ?for)?\b"), "mf"),
)

_FLOORS: Final = {"kld": "kl", "parterre": "st"}

_UNIT: Final = re.compile(
    r"""^[\s.,;:/\-]*
    (?:
        (?P<floor>
            st(?:ue(?:n|plan|etagen?)?)? | kl(?:d)? | k(?:æ|ae)lder(?:en|etagen?)? | parterre
            | k\s?[2-9] | 0*[1-9]\d? | 0+(?=[\s.,])
        )
        (?: (?=$|[\s.,;:/\-]) | (?=(?:tv|th|mf)(?:$|[\s.,])) | (?<=st|kl|ld)(?=\d) )
        (?P<mark>[\s.]*(?:(?:sal|etage|etg|et)\b\.?)?)
        [\s.,;:/\-]*
    )?
    (?:
        (?:(?P<named>dør|lejl(?:ighed)?|lej|vær(?:else)?|nr)\b[\s.:]*(?:nr\b[\s.:]*)?)?
        (?P<door>tv|th|mf|-?\s?\d{1,4}(?:\s?[a-zæøå])?|[a-zæøå]\s?\d{0,4})
        (?=$|[\s.,;:])
    )?
    [\s.,;:/\-]*
    (?P<rest>.*)$""",
    re.VERBOSE,
)
_LONE_NUMBER: Final = re.compile(r"^[\s.,]*(-?)\s?0*([1-9]\d{0,3})(?=$|[\s,;:])[\s,;:/\-]*(.*)$")
_RANGE: Final = re.compile(
    r"^\s?(?:[\-–]|/(?!\d+[\s.]*(?:tv|th|mf)\b))[1-9]\d*\s?[a-zæøå]?(?=$|[\s,.])|^\s?[\-–]\s[1-9]\d*[a-zæøå]?(?=$|,)"
)


@dataclass(frozen=True, slots=True)
class UnitText:
    """Floor and door in the forms of the register; `other_floor` and `other_door` where the text can be read in two
    ways ("12, 4": floor 4 or door 4); `rest`, the words after them; `surplus`, what belongs nowhere."""

    floor: str | None
    door: str | None
    other_door: str | None
    rest: str
    surplus: str


@lru_cache(maxsize=200_000)
def unit_text(middle: str) -> UnitText:
    """Reads lower-case text that follows a house number.

    Leading zeros and dashes mean nothing; "kld" and "kælder" are "kl", "stuen" and "stueplan" "st"; "sal" behind a
    number says floor. A house number range ("12-14") makes the second number surplus; "12/2 tv" is none.
    """
    surplus = ""
    for pattern, side in _SIDES:
        middle = pattern.sub(side, middle)
    if span := _RANGE.match(middle):
        surplus, middle = span.group().strip(), middle[span.end() :]
    if lone := _LONE_NUMBER.match(middle):
        dash, number, rest = lone.groups()
        if dash or len(number) > 2:
            return UnitText(None, number, None, rest, surplus)
        following = _UNIT.match(middle)
        if following is not None and following["door"] is None and "s" not in following["mark"]:
            return UnitText(number, None, number, rest, surplus)
    found = _UNIT.match(middle)
    if found is None:
        return UnitText(None, None, None, middle.strip(" .,;:/-"), surplus)
    return UnitText(_floor(found["floor"]), _door(found["door"]), None, found["rest"].strip(), surplus)


def _floor(typed: str | None) -> str | None:
    if typed is None:
        return None
    bare = typed.replace(" ", "").lstrip("0")
    if bare.startswith("st"):
        return "st"
    if bare.startswith(("kæ", "kae")):
        return "kl"
    return _FLOORS.get(bare, bare) or None


def _door(typed: str | None) -> str | None:
    return None if typed is None else typed.replace(" ", "").lstrip("-0") or None
