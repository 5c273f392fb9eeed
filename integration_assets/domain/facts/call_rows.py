"""Calls as rows of the exchange format, read and written.

A call that names no contract means A1, or the only contract there is.
"""

from collections.abc import Callable, Mapping
from datetime import date
from typing import Any, Final, cast

from integration_assets.domain.facts.calls import (
    Call,
    CancelContractEnd,
    CancelContractStart,
    ChangeMoveInDate,
    ChangeMoveOutDate,
    ContractChange,
    Maintain,
    MoveOut,
    NewContract,
    ProductChange,
    ProductChangeCancel,
    Rgen,
)
from integration_assets.domain.facts.days import INFINITY
from integration_assets.domain.facts.reading import BadExchange, Row, day_of, text_of
from integration_assets.domain.facts.store import Installation
from integration_assets.domain.facts.values import Value, frozen

DEFAULT_CONTRACT: Final = "A1"
DEFAULT_PARTNER: Final = "K1"


def call_of(row: Row, installation: Installation) -> Call:
    """The call of a row with ``process`` and its arguments. Raises BadExchange where it is none."""
    name = row.get("process")
    read = _READERS.get(name) if isinstance(name, str) else None
    if read is None:
        raise BadExchange(f"There is no process {name}; there are {', '.join(_READERS)}.")
    contract = row.get("contract")
    if contract is None:
        known = installation.contracts
        alone = len(known) == 1 and DEFAULT_CONTRACT not in known and name != "new_contract"
        contract = next(iter(known)) if alone else DEFAULT_CONTRACT
    return read(row, text_of(row, "contract", contract))


def process_number(call: Call, installation: Installation) -> int:
    """The number that the process of a call has in the description; the regeneration cases share one."""
    contract = installation.contracts.get(call.contract or "")
    match call:
        case ChangeMoveInDate(day=day) if contract is not None and day > contract.start:
            return 7
        case ChangeMoveOutDate(day=day) if contract is not None and day <= contract.end:
            return 8
        case _:
            return _NUMBERS[type(call)]


_NUMBERS: Final[Mapping[type, int]] = {
    NewContract: 1,
    MoveOut: 2,
    ProductChange: 3,
    ProductChangeCancel: 4,
    CancelContractStart: 5,
    Rgen: 6,
    ChangeMoveInDate: 6,
    ChangeMoveOutDate: 6,
    CancelContractEnd: 6,
    ContractChange: 9,
    Maintain: 10,
}


def _optional_day(row: Row, name: str) -> date | None:
    return None if row.get(name) is None else day_of(row, name)


def _flag(row: Row, name: str) -> bool:
    value = row.get(name)
    if not isinstance(value, bool | None):
        raise BadExchange(f"{name} is true or false, not {value!r}.")
    return bool(value)


def _container(row: Row) -> dict[str, Value] | None:
    told = row.get("container")
    if told is None:
        return None
    if not isinstance(told, Mapping):
        raise BadExchange("container is an object of attributes and values.")
    container: dict[str, Value] = {}
    for attribute, given in cast("Mapping[str, Any]", told).items():
        try:
            value = frozen(given)
        except ValueError as error:
            raise BadExchange(f"container, {attribute}: {error}") from None
        if value is not None:
            container[attribute] = value
    return container


def _new_contract(row: Row, contract: str) -> Call:
    partner, product = text_of(row, "partner", DEFAULT_PARTNER), text_of(row, "product")
    return NewContract(
        contract, partner, day_of(row, "start"), product, _container(row) or {}, day_of(row, "end", INFINITY)
    )


def _maintain(row: Row, contract: str) -> Call:
    owner = None if row.get("contract") is None else contract
    try:
        value = frozen(row.get("value"))
    except ValueError as error:
        raise BadExchange(str(error)) from None
    season = str(row.get("season") or "")
    return Maintain(owner, text_of(row, "operand"), day_of(row, "start"), day_of(row, "end", INFINITY), value, season)


_READERS: Final[Mapping[str, Callable[[Row, str], Call]]] = {
    "new_contract": _new_contract,
    "move_out": lambda row, contract: MoveOut(contract, day_of(row, "date"), _container(row), _flag(row, "prices")),
    "product_change": lambda row, contract: ProductChange(
        contract, day_of(row, "date"), text_of(row, "product"), _container(row) or {}
    ),
    "product_change_cancel": lambda row, contract: ProductChangeCancel(contract, day_of(row, "date"), _container(row)),
    "cancel_contract_start": lambda _row, contract: CancelContractStart(contract),
    "rgen": lambda row, contract: Rgen(contract, _optional_day(row, "new_end"), _optional_day(row, "new_start")),
    "change_move_in_date": lambda row, contract: ChangeMoveInDate(contract, day_of(row, "date")),
    "change_move_out_date": lambda row, contract: ChangeMoveOutDate(
        contract, day_of(row, "date"), _container(row), _flag(row, "prices")
    ),
    "cancel_contract_end": lambda _row, contract: CancelContractEnd(contract),
    "contract_change": lambda row, contract: ContractChange(
        contract, _container(row), _optional_day(row, "new_start"), _flag(row, "prices")
    ),
    "maintain": _maintain,
}
"""Reads the arguments of each process."""


_NAMES: Final[Mapping[type, str]] = {
    NewContract: "new_contract",
    MoveOut: "move_out",
    ProductChange: "product_change",
    ProductChangeCancel: "product_change_cancel",
    CancelContractStart: "cancel_contract_start",
    Rgen: "rgen",
    ChangeMoveInDate: "change_move_in_date",
    ChangeMoveOutDate: "change_move_out_date",
    CancelContractEnd: "cancel_contract_end",
    ContractChange: "contract_change",
    Maintain: "maintain",
}


def row_of(call: Call) -> dict[str, Any]:
    """The row of a call, from which `call_of` reads the same call again; arguments that say nothing are left out."""
    told: dict[str, Any] = {"process": _NAMES[type(call)]}
    for name, value in call._asdict().items():
        if value is None or value is False or (name == "season" and not value):
            continue
        told["date" if name == "day" else name] = _told(value)
    return told


def _told(value: Any) -> Any:
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, tuple):
        return list(cast("tuple[Any, ...]", value))
    if isinstance(value, Mapping):
        return {name: _told(one) for name, one in cast("Mapping[str, Any]", value).items()}
    return value
