"""What must hold after every process. A breach is a defect of ours: the process ends and nothing is written.

That active slices have a day each and never overlap is held by `Timeline`; that each has a provenance, by its type.
"""

from collections.abc import Iterable, Mapping
from datetime import date

from integration_assets.domain.facts.days import last_day, moment_after
from integration_assets.domain.facts.operands import Operands, Relation
from integration_assets.domain.facts.store import (
    Active,
    Change,
    Contract,
    ContractStatus,
    Fact,
    Line,
    LineKey,
    first_day,
)


class InvariantBroken(Exception):
    """A process would have left the facts in a state that must not be; it changed nothing."""


def require_same_outside(key: LineKey, before: Active, after: Active, first: date, end: date | None) -> None:
    """Generation has written nothing outside its period, [first, end)."""
    if before.without(first, end) != after.without(first, end):
        raise InvariantBroken(f"Operand {key[0]} would change outside the generation period from {first}.")


def check(changes: Iterable[Change], contracts: Mapping[str, Contract], operands: Operands) -> None:
    """The changed lines are as they must be: inactive slices only of operands related to the contract, and no slice
    related to the product beyond the end of its contract, unless the contract's start was cancelled."""
    for key, before, after in changes:
        relation = operands[key[0]].relation
        if after.inactive and relation is not Relation.CONTRACT:
            raise InvariantBroken(f"Operand {key[0]} would have inactive slices.")
        for piece in after.inactive:
            if piece.end is not None and not first_day(piece) < piece.end:
                raise InvariantBroken(f"Operand {key[0]} would have a slice without a day on {piece.start}.")
        if relation is Relation.PRODUCT:
            _check_ends(key, before, after, contracts)


def _check_ends(key: LineKey, before: Line, after: Line, contracts: Mapping[str, Contract]) -> None:
    for piece in after.active:
        contract = contracts.get(piece.value.provenance.contract or "")
        if contract is None or contract.status is ContractStatus.CANCELLED:
            continue
        end = moment_after(contract.end)
        if end is not None and (piece.end is None or end < piece.end) and piece not in list(before.active):
            raise InvariantBroken(
                f"Operand {key[0]} would hold until {last_day(piece.end)}, beyond the end of contract {contract.id}."
            )


def billed_day_lost(changes: Iterable[Change]) -> tuple[str, date] | None:
    """Operand and last billed day of a slice that is deleted, or shortened below that day; None where none is."""
    for key, before, after in changes:
        for piece in before.active:
            billed = piece.value.billed_until
            if billed is None or billed < first_day(piece):  # a later part of a slice that was billed before it begins
                continue
            if not _still_there(after.active, first_day(piece), piece.value, billed):
                return key[0], billed
    return None


def _still_there(active: Active, start: date, fact: Fact, billed: date) -> bool:
    kept = active.slice_at(start)
    return (
        kept is not None
        and first_day(kept) == start
        and kept.value.value == fact.value
        and kept.value.provenance == fact.provenance
        and last_day(kept.end) >= billed
    )
