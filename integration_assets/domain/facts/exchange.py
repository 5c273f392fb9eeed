"""The JSON in which facts are exchanged and tried out: operands, templates, slices and contracts, calls.

A case has ``operands``, ``mdts`` (templates by product), ``before`` (slices), ``contract_before`` and one ``call`` or
several ``calls``. Days are inclusive ISO texts, 9999-12-31 is no end. Calls that name no contract mean A1, or the only
contract there is; a call that names no ``process_id`` gets the number of its process, or the next free one from 10 on.
"""

from collections.abc import Callable, Mapping, Sequence
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
from integration_assets.domain.facts.days import INFINITY, moment_after
from integration_assets.domain.facts.operands import Operands
from integration_assets.domain.facts.store import (
    Active,
    Binding,
    Contract,
    ContractStatus,
    Fact,
    FactSlice,
    Installation,
    Line,
    LineKey,
    Provenance,
    SliceRow,
)
from integration_assets.domain.facts.values import Value, frozen
from integration_assets.domain.timeslices import Slice, Timeline

Row = Mapping[str, Any]

DEFAULT_CONTRACT: Final = "A1"
DEFAULT_PARTNER: Final = "K1"


class BadExchange(ValueError):
    """Slices, contracts or a call cannot be read; the text says which and why."""


def installation_of(name: str, slices: Sequence[Row], contracts: Sequence[Row], operands: Operands) -> Installation:
    """The installation with these slices and contracts, and an empty journal.

    Raises BadExchange for slices of unknown operands, without a day, or active ones that overlap; for inactive ones of
    operands that do not hang on the contract; for contracts without products, ended before they begin, or twice there.
    """
    active: dict[LineKey, list[FactSlice]] = {}
    inactive: dict[LineKey, list[FactSlice]] = {}
    for row in slices:
        key, piece = _slice(row)
        if key[0] not in operands:
            raise BadExchange(f"A slice names the unknown operand {key[0]}.")
        if row.get("inactive", False):
            if operands[key[0]].relation != "CONTRACT":
                raise BadExchange(f"Operand {key[0]} does not hang on the contract and has no inactive slices.")
            inactive.setdefault(key, []).append(piece)
        else:
            active.setdefault(key, []).append(piece)
    lines: dict[LineKey, Line] = {}
    for key in (*active, *(key for key in inactive if key not in active)):
        try:
            line: Active = Timeline[date, Fact].of((one.start, one.end, one.value) for one in active.get(key, ()))
        except ValueError as error:
            raise BadExchange(f"Operand {key[0]}: two active slices overlap. {error}") from None
        lines[key] = Line(line, tuple(inactive.get(key, ())))
    billed = frozenset(key for key, line in lines.items() if any(fact.billed_until for fact in line.active.values()))
    return Installation(name, lines, _contracts(contracts), billed=billed)


def slice_rows(installation: Installation) -> list[dict[str, Any]]:
    """The slices as rows, by operand and first day."""
    return [_row(row) for row in installation.rows()]


def contract_rows(installation: Installation) -> list[dict[str, Any]]:
    """The contracts as rows, in the order in which they were made."""
    return [
        {
            "id": contract.id,
            "partner": contract.partner,
            "start": contract.start.isoformat(),
            "end": contract.end.isoformat(),
            "products": [[day.isoformat(), product] for day, product in contract.products],
            "status": contract.status.value,
        }
        for contract in installation.contracts.values()
    ]


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
    return read(row, _text(row, "contract", contract))


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


def _contracts(rows: Sequence[Row]) -> dict[str, Contract]:
    contracts: dict[str, Contract] = {}
    for row in rows:
        name = _text(row, "id")
        told = row.get("products")
        if not isinstance(told, list) or not told:
            raise BadExchange(f"Contract {name} has no products.")
        products = tuple(sorted(_product(name, entry) for entry in cast("list[Any]", told)))
        start, end = _day(row, "start"), _day(row, "end", INFINITY)
        if name in contracts or end < start:
            raise BadExchange(f"Contract {name} is there twice, or ends before it begins.")
        try:
            status = ContractStatus(row.get("status", "ACTIVE"))
        except ValueError:
            raise BadExchange(f"Contract {name} has the unknown status {row['status']}.") from None
        contracts[name] = Contract(name, _text(row, "partner", DEFAULT_PARTNER), start, end, products, status)
    return contracts


def _product(contract: str, entry: object) -> tuple[date, str]:
    parts = list(cast("Sequence[Any]", entry)) if isinstance(entry, list | tuple) else []
    if len(parts) != 2 or not isinstance(parts[1], str):
        raise BadExchange(f"Contract {contract}: a product is told as [first day, product].")
    return _as_day(parts[0], f"contract {contract}"), parts[1]


def _slice(row: Row) -> tuple[LineKey, FactSlice]:
    operand = _text(row, "operand")
    first, last = _day(row, "ab"), _day(row, "bis", INFINITY)
    if last < first:
        raise BadExchange(f"Operand {operand}: a slice ends on {last}, before it begins on {first}.")
    try:
        binding = Binding(row.get("binding", Binding.MANUAL))
        value = frozen(row.get("value"))
    except ValueError as error:
        raise BadExchange(f"Operand {operand}: {error}") from None
    if value is None:
        raise BadExchange(f"Operand {operand}: the slice from {first} has no value.")
    owner = (row.get(name) for name in ("contract", "product", "process"))
    contract, product, process = (None if one is None else str(one) for one in owner)
    fact = Fact(
        value,
        Provenance(binding, contract, product, process),
        None if row.get("altbis") is None else _day(row, "altbis"),
        billed_until=None if row.get("billed_until") is None else _day(row, "billed_until"),
    )
    return (operand, str(row.get("season") or "")), Slice(first, moment_after(last), fact)


def _row(row: SliceRow) -> dict[str, Any]:
    fact = row.fact
    told: dict[str, Any] = {
        "operand": row.operand,
        "ab": row.valid_from.isoformat(),
        "bis": row.valid_to.isoformat(),
        "value": list(fact.value) if isinstance(fact.value, tuple) else fact.value,
        "inactive": row.inactive,
        "binding": fact.provenance.binding.value,
        "contract": fact.provenance.contract,
        "product": fact.provenance.product,
        "process": fact.provenance.process,
    }
    if row.season:
        told["season"] = row.season
    if fact.previous_valid_to is not None:
        told["altbis"] = fact.previous_valid_to.isoformat()
    if fact.billed_until is not None:
        told["billed_until"] = fact.billed_until.isoformat()
    return told


def _text(row: Row, name: str, otherwise: object = None) -> str:
    value = row.get(name)
    value = otherwise if value is None else value
    if not isinstance(value, str) or not value:
        raise BadExchange(f"{name} is missing, or is no text.")
    return value


def _day(row: Row, name: str, otherwise: date | None = None) -> date:
    value = row.get(name)
    if value is None and otherwise is not None:
        return otherwise
    return _as_day(value, name)


def _as_day(value: object, what: str) -> date:
    try:
        return date.fromisoformat(value if isinstance(value, str) else "")
    except ValueError:
        raise BadExchange(f"{what}: {value!r} is no day.") from None


def _optional_day(row: Row, name: str) -> date | None:
    return None if row.get(name) is None else _day(row, name)


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
    partner, product = _text(row, "partner", DEFAULT_PARTNER), _text(row, "product")
    return NewContract(
        contract, partner, _day(row, "start"), product, _container(row) or {}, _day(row, "end", INFINITY)
    )


def _maintain(row: Row, contract: str) -> Call:
    owner = None if row.get("contract") is None else contract
    try:
        value = frozen(row.get("value"))
    except ValueError as error:
        raise BadExchange(str(error)) from None
    season = str(row.get("season") or "")
    return Maintain(owner, _text(row, "operand"), _day(row, "start"), _day(row, "end", INFINITY), value, season)


_READERS: Final[Mapping[str, Callable[[Row, str], Call]]] = {
    "new_contract": _new_contract,
    "move_out": lambda row, contract: MoveOut(contract, _day(row, "date"), _container(row), _flag(row, "prices")),
    "product_change": lambda row, contract: ProductChange(
        contract, _day(row, "date"), _text(row, "product"), _container(row) or {}
    ),
    "product_change_cancel": lambda row, contract: ProductChangeCancel(contract, _day(row, "date"), _container(row)),
    "cancel_contract_start": lambda _row, contract: CancelContractStart(contract),
    "rgen": lambda row, contract: Rgen(contract, _optional_day(row, "new_end"), _optional_day(row, "new_start")),
    "change_move_in_date": lambda row, contract: ChangeMoveInDate(contract, _day(row, "date")),
    "change_move_out_date": lambda row, contract: ChangeMoveOutDate(
        contract, _day(row, "date"), _container(row), _flag(row, "prices")
    ),
    "cancel_contract_end": lambda _row, contract: CancelContractEnd(contract),
    "contract_change": lambda row, contract: ContractChange(
        contract, _container(row), _optional_day(row, "new_start"), _flag(row, "prices")
    ),
    "maintain": _maintain,
}
"""Reads the arguments of each process."""
