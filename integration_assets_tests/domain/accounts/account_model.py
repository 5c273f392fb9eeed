"""What an account shows, told account by account in plain Python: the model that the frames are compared with.

Days are inclusive here, as the rules are written; the product's frames are half-open.
"""

from collections.abc import Sequence
from datetime import date, timedelta
from typing import Any, NamedTuple

FAR = date(9999, 12, 31)


class Meter(NamedTuple):
    """A meter from its first to its last day."""

    first: date
    last: date
    number: str


class Contract(NamedTuple):
    """A contract from its first to its last day."""

    number: str
    first: date
    last: date


def contract_that_counts(contracts: Sequence[Contract], today: date) -> Contract | None:
    """The contract that is valid today; else the next one; else the one that ended last."""
    valid = [one for one in contracts if one.first <= today <= one.last]
    if valid:
        return max(valid, key=lambda one: (one.first, one.number))
    future = [one for one in contracts if one.first > today]
    if future:
        return min(future, key=lambda one: (one.first, tuple(-ord(letter) for letter in one.number)))
    return max(contracts, key=lambda one: (one.last, one.number), default=None)


def shown(contracts: Sequence[Contract], meters: Sequence[Meter], today: date) -> dict[str, Any] | None:
    """The fields that contracts and meters decide; None where two meters hold on one day."""
    holding = [meter for meter in meters if meter.first <= today <= meter.last]
    if len(holding) > 1:
        return None
    contract = contract_that_counts(contracts, today)
    status = "PROSPECT"
    if contract is not None:
        status = "FUTURE" if contract.first > today else "ENDED" if contract.last < today else "ACTIVE"
    last = FAR if contract is None else contract.last
    return {
        "status": status,
        "customer_number": None if contract is None else contract.number,
        "contract_start": None if contract is None else contract.first,
        "contract_end": None if last == FAR else last + timedelta(days=1),
        "meter_number": holding[0].number if holding else None,
    }
