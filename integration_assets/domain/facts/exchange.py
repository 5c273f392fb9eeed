"""The JSON in which facts are exchanged and tried out: operands, templates, slices and contracts, calls.

A case has ``operands``, ``mdts`` (templates by product), ``before`` (slices), ``contract_before`` and one ``call`` or
several ``calls``. Days are inclusive ISO texts, 9999-12-31 is no end. Calls that name no contract mean A1, or the only
contract there is; a call that names no ``process_id`` gets the number of its process, or the next free one from 10 on.
"""

from collections.abc import Sequence
from datetime import date
from typing import Any, cast

from integration_assets.domain.facts.call_rows import DEFAULT_PARTNER
from integration_assets.domain.facts.days import INFINITY, moment_after
from integration_assets.domain.facts.operands import Operands
from integration_assets.domain.facts.reading import BadExchange, Row, as_day, day_of, text_of
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
from integration_assets.domain.facts.values import frozen
from integration_assets.domain.timeslices import Slice, Timeline


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
    return Installation(name, lines, contracts_of(contracts), billed=billed)


def slice_rows(installation: Installation) -> list[dict[str, Any]]:
    """The slices as rows, by operand and first day."""
    return [slice_row(row) for row in installation.rows()]


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


def contracts_of(rows: Sequence[Row]) -> dict[str, Contract]:
    """The contracts of rows. Raises BadExchange as `installation_of`."""
    contracts: dict[str, Contract] = {}
    for row in rows:
        name = text_of(row, "id")
        told = row.get("products")
        if not isinstance(told, list) or not told:
            raise BadExchange(f"Contract {name} has no products.")
        products = tuple(sorted(_product(name, entry) for entry in cast("list[Any]", told)))
        start, end = day_of(row, "start"), day_of(row, "end", INFINITY)
        if name in contracts or end < start:
            raise BadExchange(f"Contract {name} is there twice, or ends before it begins.")
        try:
            status = ContractStatus(row.get("status", "ACTIVE"))
        except ValueError:
            raise BadExchange(f"Contract {name} has the unknown status {row['status']}.") from None
        contracts[name] = Contract(name, text_of(row, "partner", DEFAULT_PARTNER), start, end, products, status)
    return contracts


def _product(contract: str, entry: object) -> tuple[date, str]:
    parts = list(cast("Sequence[Any]", entry)) if isinstance(entry, list | tuple) else []
    if len(parts) != 2 or not isinstance(parts[1], str):
        raise BadExchange(f"Contract {contract}: a product is told as [first day, product].")
    return as_day(parts[0], f"contract {contract}"), parts[1]


def _slice(row: Row) -> tuple[LineKey, FactSlice]:
    operand = text_of(row, "operand")
    first, last = day_of(row, "ab"), day_of(row, "bis", INFINITY)
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
        None if row.get("altbis") is None else day_of(row, "altbis"),
        cut_by_move_out=bool(row.get("mauszug", False)),
        billed_until=None if row.get("billed_until") is None else day_of(row, "billed_until"),
    )
    return (operand, str(row.get("season") or "")), Slice(first, moment_after(last), fact)


def slice_row(row: SliceRow) -> dict[str, Any]:
    """A slice as a row."""
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
