"""Numbers that look real and belong to nobody: personal numbers (CPR) and company numbers (CVR).

Personal numbers follow the form of the civil registration system (date, century by the seventh digit, sex by the last)
but break its modulus 11 check, which every number issued before October 2007 keeps; people born on 1 January or in
2007 and later, among whom numbers without the check have been issued, are not invented at all. Company numbers break
the check of the business register, which all real ones keep.
"""

import random
from datetime import date, timedelta
from typing import Final

_CPR_WEIGHTS: Final = (4, 3, 2, 7, 6, 5, 4, 3, 2, 1)
_CVR_WEIGHTS: Final = (2, 7, 6, 5, 4, 3, 2, 1)
_MODULUS: Final = 11
_FIRST_UNCERTAIN_YEAR: Final = 2007


def passes_cpr_check(number: str) -> bool:
    """Whether a ten digit number keeps the modulus 11 rule of personal numbers."""
    return sum(weight * int(digit) for weight, digit in zip(_CPR_WEIGHTS, number, strict=True)) % _MODULUS == 0


def passes_cvr_check(number: str) -> bool:
    """Whether an eight digit number keeps the modulus 11 rule of company numbers."""
    return sum(weight * int(digit) for weight, digit in zip(_CVR_WEIGHTS, number, strict=True)) % _MODULUS == 0


def _century_digits(year: int) -> str:
    """Seventh digits that place the two-digit year in the right century."""
    if year < 1900 or year >= _FIRST_UNCERTAIN_YEAR:
        raise ValueError("People are invented with birth years 1900 to 2006 only.")
    if year >= 2000:
        return "456789"
    return "012349" if year >= 1937 else "0123"


class Numbers:
    """Gives out invented numbers, each once. The same generator state gives the same numbers."""

    def __init__(self, draw: random.Random, taken: set[str]) -> None:
        """`taken` are numbers already given out; it grows with each new one."""
        self._draw = draw
        self._taken = taken

    def birth_date(self, first_year: int, last_year: int) -> date:
        """A day of birth in these years (both included), never 1 January."""
        start = date(first_year, 1, 1)
        days = (date(last_year, 12, 31) - start).days
        while True:
            born = start + timedelta(days=self._draw.randint(1, days))
            if (born.month, born.day) != (1, 1):
                return born

    def cpr(self, born: date, gender: str) -> str:
        """An unused personal number for a birth date and gender (M odd, K even) that fails modulus 11."""
        digits = _century_digits(born.year)
        parity = 1 if gender == "M" else 0
        while True:
            serial = self._draw.choice(digits) + f"{self._draw.randrange(100):02d}"
            number = f"{born:%d%m%y}{serial}{2 * self._draw.randrange(5) + parity}"
            if number.endswith("0000") or number in self._taken or passes_cpr_check(number):
                continue
            self._taken.add(number)
            return number

    def cvr(self) -> str:
        """An unused company number of eight digits that fails the business register's check."""
        while True:
            number = str(self._draw.randint(10_000_000, 99_999_999))
            if number not in self._taken and not passes_cvr_check(number):
                self._taken.add(number)
                return number

    def p_number(self) -> str:
        """A production unit number (P-nummer), ten digits of which the first six are no date: no month is 20 to 39."""
        return f"10{self._draw.randint(20, 39)}{self._draw.randrange(1_000_000):06d}"
