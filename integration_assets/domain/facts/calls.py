"""The calls that the processes answer: what a CRM or the billing side asks for. Days are inclusive.

A container holds the values of external attributes; an attribute that is not in it was not sent. `prices` tells that
prices are replicated with it, which always asks for full generation.
"""

from collections.abc import Mapping
from datetime import date
from typing import NamedTuple

from integration_assets.domain.facts.days import INFINITY
from integration_assets.domain.facts.values import Value

Container = Mapping[str, Value]


class NewContract(NamedTuple):
    """New contract, move-in (tilflytning)."""

    contract: str
    partner: str
    start: date
    product: str
    container: Container
    end: date = INFINITY


class MoveOut(NamedTuple):
    """Contract end, move-out (fraflytning); `day` is the last day."""

    contract: str
    day: date
    container: Container | None = None
    prices: bool = False


class ProductChange(NamedTuple):
    """Another product from a day on (produktskifte)."""

    contract: str
    day: date
    product: str
    container: Container


class ProductChangeCancel(NamedTuple):
    """The product change on that day never was."""

    contract: str
    day: date
    container: Container | None = None


class CancelContractStart(NamedTuple):
    """The contract never began (annulleret tilflytning)."""

    contract: str


class Rgen(NamedTuple):
    """Regeneration: the move-out later or gone (`new_end`), or the move-in earlier (`new_start`). One of them."""

    contract: str
    new_end: date | None = None
    new_start: date | None = None


class ChangeMoveInDate(NamedTuple):
    """Another first day of the contract."""

    contract: str
    day: date


class ChangeMoveOutDate(NamedTuple):
    """Another last day of the contract. Container and prices count only where it is earlier."""

    contract: str
    day: date
    container: Container | None = None
    prices: bool = False


class CancelContractEnd(NamedTuple):
    """The move-out never was."""

    contract: str


class ContractChange(NamedTuple):
    """Corrected values, perhaps from another first day of the contract on."""

    contract: str
    container: Container | None = None
    new_start: date | None = None
    prices: bool = False


class Maintain(NamedTuple):
    """A value maintained by hand, of an operand that no product governs; None takes it away. `contract` may be none."""

    contract: str | None
    operand: str
    start: date
    end: date
    value: Value | None
    season: str = ""


Call = (
    NewContract
    | MoveOut
    | ProductChange
    | ProductChangeCancel
    | CancelContractStart
    | Rgen
    | ChangeMoveInDate
    | ChangeMoveOutDate
    | CancelContractEnd
    | ContractChange
    | Maintain
)
