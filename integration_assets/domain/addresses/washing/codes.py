"""House numbers, floors and doors as numbers, and back."""

from dataclasses import dataclass
from functools import cached_property
from typing import Final

import polars as pl

DISTRICT_ZONES: Final = 10_000
"""Zones below are postal codes, from here on postal districts."""

_LETTERS: Final = "ABCDEFGHIJKLMNOPQRSTUVWXYZÆØÅ"
_LETTER_CODES: Final = {letter: code for code, letter in enumerate(_LETTERS, start=1)}

_FIXED_FLOORS: Final = {"st": 100, "kl": 101} | {f"k{number}": 100 + number for number in range(2, 10)}
_OTHER_FLOORS: Final = 110
_OTHER_DOORS: Final = 10_000
_UNKNOWN_DOOR: Final = (1 << 20) - 1
_UNKNOWN_FLOOR: Final = (1 << 8) - 1


def house_key(street: pl.Expr, house_number: pl.Expr) -> pl.Expr:
    """The number of a house (Int64); null where the house number is no number of up to four digits with at most one
    letter."""
    parts = house_number.str.extract_groups(r"^0*(\d{1,4})([A-ZÆØÅ]?)$")
    number = parts.struct.field("1").cast(pl.Int64)
    letter = parts.struct.field("2").replace_strict(_LETTER_CODES, default=0, return_dtype=pl.Int64)
    return street.cast(pl.Int64) * (1 << 22) + number * (1 << 8) + letter


def house_text(key: pl.Series) -> pl.Series:
    """The house number ("12B") of house keys."""
    number = (key // (1 << 8)) % (1 << 14)
    letter = (key % (1 << 8)).replace_strict({0: ""} | {code: text for text, code in _LETTER_CODES.items()}, default="")
    return number.cast(pl.String) + letter


@dataclass(frozen=True)
class Vocabulary:
    """The floors and doors of a register that are no numbers, in the order of their codes."""

    doors: list[str]
    floors: list[str]

    @classmethod
    def of(cls, units: pl.DataFrame) -> "Vocabulary":
        doors = units["door"].unique().drop_nulls().sort()
        floors = units["floor"].unique().drop_nulls().sort()
        numeric = r"^0*[1-9]\d{0,3}$"
        other = floors.filter(~floors.str.contains(r"^0*[1-9]\d?$") & ~floors.is_in(list(_FIXED_FLOORS)))
        return cls(doors.filter(~doors.str.contains(numeric)).to_list(), other.to_list())

    @cached_property
    def _floor_codes(self) -> dict[str, int]:
        numbers = {str(number): number for number in range(1, 100)}
        others = {text: _OTHER_FLOORS + code for code, text in enumerate(self.floors)}
        return numbers | _FIXED_FLOORS | others

    @cached_property
    def _door_codes(self) -> dict[str, int]:
        return {text: _OTHER_DOORS + code for code, text in enumerate(self.doors)}

    def unit_key(self, access: pl.Expr, floor: pl.Expr, door: pl.Expr) -> pl.Expr:
        """The number of a unit (Int64); a floor or door that the register does not know gives one that no unit has."""
        return access.cast(pl.Int64) * (1 << 28) + self.floor_code(floor) * (1 << 20) + self.door_code(door)

    def floor_code(self, floor: pl.Expr) -> pl.Expr:
        """0 for none."""
        known = floor.str.strip_chars_start("0").replace_strict(
            self._floor_codes, default=_UNKNOWN_FLOOR, return_dtype=pl.Int64
        )
        return pl.when(floor.is_null() | (floor == "")).then(0).otherwise(known)

    def door_code(self, door: pl.Expr) -> pl.Expr:
        """0 for none; a number is its own code."""
        number = pl.when(door.str.contains(r"^0*[1-9]\d{0,3}$")).then(door).cast(pl.Int64, strict=False)
        known = door.replace_strict(self._door_codes, default=_UNKNOWN_DOOR, return_dtype=pl.Int64)
        return pl.when(door.is_null() | (door == "")).then(0).otherwise(pl.coalesce(number, known))

    def floor_text(self, unit: pl.Series) -> pl.Series:
        """The floors of unit keys; null for none."""
        texts = {code: text for text, code in self._floor_codes.items()}
        return ((unit // (1 << 20)) % (1 << 8)).replace_strict(texts, default=None, return_dtype=pl.String)

    def door_text(self, unit: pl.Series) -> pl.Series:
        """The doors of unit keys; null for none."""
        code = unit % (1 << 20)
        texts = {number: text for text, number in self._door_codes.items()}
        named = code.replace_strict(texts, default=None, return_dtype=pl.String)
        numbered = code.cast(pl.String).set((code == 0) | (code >= _OTHER_DOORS), None)
        return pl.select(pl.coalesce(pl.lit(numbered), pl.lit(named))).to_series()
