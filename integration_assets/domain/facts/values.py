"""Values of facts: the value class of each operand category, and whether a value is of it.

A class is a kind of value, not a format: a price is the key of a price list or an amount, with unit and currency where
they matter, and a user-defined value (brugerdefineret) has up to four parts.
"""

import math
from collections.abc import Callable, Mapping
from decimal import Decimal
from enum import StrEnum
from typing import Final, cast

Scalar = str | int | float | Decimal | bool
Value = Scalar | tuple[Scalar, ...]
"""What a fact may say."""


class ValueClass(StrEnum):
    """The kinds of values that operands have."""

    PRICE = "PRICE"
    MONEY = "MONEY"
    NUMBER = "NUMBER"
    BOOL = "BOOL"
    CODE = "CODE"
    TUPLE = "TUPLE"


CATEGORIES: Final[Mapping[str, ValueClass]] = {
    "QPRICE": ValueClass.PRICE,
    "LPRICE": ValueClass.PRICE,
    "TPRICE": ValueClass.PRICE,
    "RPRICE": ValueClass.PRICE,
    "AMOUNT": ValueClass.MONEY,
    "FACTOR": ValueClass.NUMBER,
    "QUANT": ValueClass.NUMBER,
    "DEMAND": ValueClass.NUMBER,
    "REFVALUE": ValueClass.NUMBER,
    "INTEGER": ValueClass.NUMBER,
    "FLAG": ValueClass.BOOL,
    "RATETYPE": ValueClass.CODE,
    "USERDEF": ValueClass.TUPLE,
}
"""The operand categories of IS-U that are known; a configuration may name others with their class."""

_MOST_PARTS: Final = 4
_PRICE_PARTS: Final = (2, 3)
_FLAGS: Final = ("X", "")


def frozen(value: object) -> Value | None:
    """A value as JSON gives it, lists as tuples; None for null. Raises ValueError for anything else, NaN included."""
    if isinstance(value, list | tuple):
        parts = tuple(_scalar(part) for part in cast("list[object] | tuple[object, ...]", value))
        if not parts:
            raise ValueError("A value of several parts has none.")
        return parts
    return None if value is None else _scalar(value)


def _scalar(value: object) -> Scalar:
    if isinstance(value, str | bool | int):
        return value
    if isinstance(value, float | Decimal) and math.isfinite(value):
        return value
    raise ValueError(f"{value!r} is no value of a fact.")


def _is_number(value: Value) -> bool:
    return isinstance(value, int | float | Decimal) and not isinstance(value, bool)


def _is_code(value: Value) -> bool:
    return isinstance(value, str) and value.strip() != ""


def _is_flag(value: Value) -> bool:
    return isinstance(value, bool) or value in _FLAGS


def _is_price(value: Value) -> bool:
    if isinstance(value, tuple):
        amount, *units = value
        return len(value) in _PRICE_PARTS and _is_number(amount) and all(_is_code(unit) for unit in units)
    return _is_number(value) or _is_code(value)


def _is_tuple(value: Value) -> bool:
    return not isinstance(value, tuple) or len(value) <= _MOST_PARTS


FITS: Final[Mapping[ValueClass, Callable[[Value], bool]]] = {
    ValueClass.PRICE: _is_price,
    ValueClass.MONEY: _is_number,
    ValueClass.NUMBER: _is_number,
    ValueClass.BOOL: _is_flag,
    ValueClass.CODE: _is_code,
    ValueClass.TUPLE: _is_tuple,
}
"""Whether a value is of a class.

A price is a key, an amount, or (amount, unit[, currency]); a flag is true, false, X or blank.
"""
