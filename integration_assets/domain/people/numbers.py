"""Identification numbers as the billing system carries them: CPR (personnummer) and CVR (company number).

The source keeps them as floats, so a leading zero is lost; new customers come with the last four digits 0000 instead of
the real ones. Modulus 11 is not checked: it has not been guaranteed for CPR numbers since 1 October 2007.
"""

import re
from datetime import date
from typing import Final

import polars as pl

Text = str | pl.Expr
"""A column by its name, or an expression."""

UNKNOWN_SERIAL: Final = "0000"
"""The last four digits where they are not known; no register is ever asked for such a number."""
_SUBSTITUTE_DAYS: Final = 60
_BETWEEN: Final = r"[ \u00a0\u202f]?[-\u2010-\u2015\u2212]?[ \u00a0\u202f]?"
_IN_TEXTS: Final = re.compile(rf"(?<![0-9])(?:[0-9]{{6}}{_BETWEEN}|[0-9]{{5}})[0-9]{{4}}(?![0-9])")
"""Ten digits, also in two groups with blanks and any dash between, and nine, whose leading zero was lost. Mistyped
numbers count too."""
_LARGEST_EXACT: Final = float(2**53)


class Cpr:
    """A personal number (personnummer) of ten digits that cannot be printed by accident.

    `str`, `repr` and every format specification give ``010170-xxxx``; only `value` gives the digits. Equal and hashed
    by value. Raises ValueError, without the text given, unless it is ten digits.
    """

    __slots__ = ("_value",)

    def __init__(self, value: str) -> None:
        if len(value) != 10 or not (value.isascii() and value.isdigit()):
            raise ValueError("A personal number has ten digits.")
        self._value = value

    @property
    def value(self) -> str:
        """The ten digits, for the register and the sealed columns only."""
        return self._value

    @property
    def birth6(self) -> str:
        """The first six digits, DDMMYY."""
        return self._value[:6]

    @property
    def is_incomplete(self) -> bool:
        """Whether the last four digits are missing (0000 stands for unknown)."""
        return self._value[6:] == UNKNOWN_SERIAL

    @property
    def is_substitute(self) -> bool:
        """Whether it is a substitute number (erstatningspersonnummer: day raised by 60); CPR never knows it."""
        return 1 <= int(self._value[:2]) - _SUBSTITUTE_DAYS <= 31

    @property
    def birth_date(self) -> date | None:
        """The date of birth; None when the digits are no date, or the number is incomplete or a substitute.

        The century follows from the 7th digit: 0-3 1900-1999; 4 and 9 2000-2036 or 1937-1999; 5-8 2000-2057 or
        1858-1899. An incomplete number has no 7th digit and therefore no century.
        """
        if self.is_incomplete:
            return None
        day, month, year = int(self._value[:2]), int(self._value[2:4]), int(self._value[4:6])
        try:
            return date(_century(self._value[6], year) + year, month, day)
        except ValueError:
            return None

    def __str__(self) -> str:
        return f"{self.birth6}-xxxx"

    def __repr__(self) -> str:
        return f"Cpr({self})"

    def __format__(self, specification: str) -> str:
        return format(str(self), specification)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Cpr) and other._value == self._value

    def __hash__(self) -> int:
        return hash((Cpr, self._value))


def masked_numbers(text: str) -> str:
    """A text for people to read, with 010170-xxxx in the place of whatever may be a personal number."""

    def masked(found: re.Match[str]) -> str:
        digits = re.sub("[^0-9]", "", found[0])
        return str(Cpr(digits.zfill(10)))

    return _IN_TEXTS.sub(masked, text)


def _century(seventh: str, year: int) -> int:
    if seventh in "0123":
        return 1900
    if seventh in "49":
        return 2000 if year <= 36 else 1900
    return 2000 if year <= 57 else 1800


def whole_number(column: Text) -> pl.Expr:
    """A number as text without decimals, from a float, an integer or text: 101701234.0 -> "101701234".

    Anything else stays as stripped text (a fraction is no number of anybody: it is not cut off); empty gives null.
    """
    source = pl.col(column) if isinstance(column, str) else column
    text = source.cast(pl.String).str.strip_chars()
    number = text.cast(pl.Float64, strict=False)
    whole = number.is_finite() & (number >= 0) & (number < _LARGEST_EXACT) & (number == number.floor())
    return (
        pl.when(text == "")
        .then(None)
        .when(whole)
        .then(pl.when(whole).then(number).cast(pl.Int64).cast(pl.String))
        .otherwise(text)
    )


def normalised(column: Text) -> pl.Expr:
    """An identification number as text: no decimals, nine digits get their lost leading zero back; garbage stays."""
    text = whole_number(column)
    return pl.when(text.str.contains(r"^[0-9]{9}$")).then("0" + text).otherwise(text)


def id_kind(column: Text) -> pl.Expr:
    """What a normalised number is.

    * ``person``: ten digits that begin with a date; ``incomplete_person``: the same with the last four 0000.
    * ``company``: eight digits.
    * ``none``: nothing, or a single digit (the source writes 0 for nobody).
    * ``not_a_person_number``: ten digits whose first six are no date, e.g. substitute numbers and most P-numbers.
    * ``unreadable``: anything else.
    """
    text = pl.col(column) if isinstance(column, str) else column
    ten_digits = text.str.contains(r"^[0-9]{10}$")
    incomplete = text.str.ends_with(UNKNOWN_SERIAL)
    return (
        pl.when(text.is_null() | text.str.contains(r"^[0-9]?$"))
        .then(pl.lit("none"))
        .when(text.str.contains(r"^[0-9]{8}$"))
        .then(pl.lit("company"))
        .when(ten_digits & _date_in(text).is_null())
        .then(pl.lit("not_a_person_number"))
        .when(ten_digits & incomplete)
        .then(pl.lit("incomplete_person"))
        .when(ten_digits)
        .then(pl.lit("person"))
        .otherwise(pl.lit("unreadable"))
    )


def _date_in(text: pl.Expr) -> pl.Expr:
    """The date in a ten-digit number, by the rule of `Cpr.birth_date`; null when there is none.

    An incomplete number has no century; its date is looked for in 20YY, where every leap day of any century exists.
    """
    year, seventh = text.str.slice(4, 2), text.str.slice(6, 1)
    century = (
        pl.when(text.str.ends_with(UNKNOWN_SERIAL))
        .then(pl.lit("20"))
        .when(seventh.is_in(["0", "1", "2", "3"]))
        .then(pl.lit("19"))
        .when(seventh.is_in(["4", "9"]))
        .then(pl.when(year <= "36").then(pl.lit("20")).otherwise(pl.lit("19")))
        .otherwise(pl.when(year <= "57").then(pl.lit("20")).otherwise(pl.lit("18")))
    )
    written = pl.concat_str(century, year, text.str.slice(2, 2), text.str.slice(0, 2))
    return pl.when(text.str.contains(r"^[0-9]{10}$")).then(written).str.to_date("%Y%m%d", strict=False)
