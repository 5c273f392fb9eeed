"""What must hold after every process. A breach is a defect of ours: the process ends and nothing is written.

That active slices have a day each and never overlap is held by `Timeline`, that generation leaves alone what lies
outside its period by `Timeline.written`, and that each slice has a provenance by its type.
"""

from collections.abc import Iterable, Mapping
from datetime import date

from integration_assets.domain.facts.days import last_day, moment_after
from integration_assets.domain.facts.operands import Operands, Relation
from integration_assets.domain.facts.store import (
    NO_LINE,
    Active,
    Contract,
    ContractStatus,
    Fact,
    Line,
    LineKey,
    first_day,
)


class InvariantBroken(Exception):
    """A process would have left the facts in a state that must not be; it changed nothing."""


def check(
    before: Mapping[LineKey, Line], after: Mapping[LineKey, Line], contract: Contract | None, operands: Operands
) -> None:
    """The changed lines are as they must be: inactive slices only of operands related to the contract, and no slice
    related to the product beyond the end of the contract that the process was about, unless its start was cancelled."""
    end = None if contract is None or contract.status is ContractStatus.CANCELLED else moment_after(contract.end)
    for key, line in after.items():
        relation = operands[key[0]].relation
        if line.inactive:
            if relation is not Relation.CONTRACT:
                raise InvariantBroken(f"Operand {key[0]} would have inactive slices.")
            for piece in line.inactive:
                if piece.end is not None and not first_day(piece) < piece.end:
                    raise InvariantBroken(f"Operand {key[0]} would have a slice without a day on {piece.start}.")
        if contract is None or end is None or relation is not Relation.PRODUCT:
            continue
        for fact in line.active.values_from(end):
            if fact.provenance.contract == contract.id and fact not in before.get(key, NO_LINE).active.values():
                raise InvariantBroken(f"Operand {key[0]} would hold after {contract.end}, the end of {contract.id}.")


def billed_day_lost(
    billed: Iterable[LineKey], before: Mapping[LineKey, Line], after: Mapping[LineKey, Line]
) -> tuple[str, date] | None:
    """Operand and last billed day of a slice that is deleted, or shortened below that day; None where none is.

    `billed` are the lines of which something is billed, `before` all lines, `after` those that changed.
    """
    for key in billed:
        line = after.get(key)
        if line is None:
            continue
        for piece in before[key].active:
            until = piece.value.billed_until
            if until is None or until < first_day(piece):  # a later part of a slice that was billed before it begins
                continue
            if not _still_there(line.active, first_day(piece), piece.value, until):
                return key[0], until
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
