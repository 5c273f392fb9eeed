"""Numbers of market locations (målepunkter): the German MaLo-ID and the Danish GSRN, behind one check.

A MaLo-ID has eleven digits, the first of them not zero; the last is a check digit by the procedure of BDEW. A GSRN has
eighteen digits, the last by GS1's modulo 10.
"""

from enum import StrEnum

_MALO_DIGITS, _GSRN_DIGITS = 11, 18


class Scheme(StrEnum):
    """Who gives out the number."""

    MALO = "MALO"
    GSRN = "GSRN"


def scheme_of(number: str | None) -> Scheme | None:
    """The scheme in which the number is valid; None for no number, and for one that may not be used to match by."""
    if number is None or not (number.isascii() and number.isdigit()):
        return None
    digits = [int(digit) for digit in number]
    if len(digits) == _MALO_DIGITS and digits[0] != 0 and _malo_check(digits[:-1]) == digits[-1]:
        return Scheme.MALO
    if len(digits) == _GSRN_DIGITS and _gsrn_check(digits[:-1]) == digits[-1]:
        return Scheme.GSRN
    return None


def _malo_check(digits: list[int]) -> int:
    return -(sum(digits[0::2]) + 2 * sum(digits[1::2])) % 10


def _gsrn_check(digits: list[int]) -> int:
    return -(3 * sum(digits[0::2]) + sum(digits[1::2])) % 10
