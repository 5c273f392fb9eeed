"""What processes do to the slices of one line. Each function gives a new line and leaves the given one as it is.

A process touches the slices of its own contract, and those that belong to none; what other contracts wrote stays.
"""

from collections.abc import Callable
from datetime import date

from integration_assets.domain.facts.days import day_before, last_day, moment_after
from integration_assets.domain.facts.store import (
    NO_SLICES,
    Active,
    Contract,
    Fact,
    FactSlice,
    Line,
    Provenance,
    fact_of,
    first_day,
    line_of,
)
from integration_assets.domain.timeslices import Slice


def on_own(line: Line, others: frozenset[str], change: Callable[[Line], Line]) -> Line:
    """The line with the active slices changed that are not those of other contracts; theirs win where both hold."""
    if not others or all(fact.provenance.contract not in others for fact in line.active.values()):
        return change(line)
    own = change(Line(line.active.selected(lambda fact: fact.provenance.contract not in others), line.inactive))
    theirs = line.active.selected(lambda fact: fact.provenance.contract in others)
    return Line(own.active.overlaid(theirs), own.inactive)


def limited(line: Line, end: date) -> Line:
    """Nothing active from a day on: the slice that holds there ends, and remembers when it ended before."""
    active = line.active.ended(end, _shortened)
    return line if active is line.active else line_of(active, line.inactive)


def cut(line: Line, contract: str, end: date, process: str) -> Line:
    """Nothing active from a day on, and what was is remembered: the rest of the slice that is cut, and later ones."""
    reaching = [piece for piece in line.active if piece.end is None or end < piece.end]
    if not reaching:
        return line
    inactive = list(line.inactive)
    for piece in reaching:
        binding, owner, product, _process = piece.value.provenance
        fact = fact_of(piece.value.value, Provenance(binding, owner or contract, product, process), None, False, None)
        inactive.append(Slice(max(end, first_day(piece)), piece.end, fact))
    return line_of(line.active.ended(end, _cut_off), tuple(inactive))


def restored(line: Line, contract: str) -> Line:
    """What a move-out of the contract made inactive is active again.

    What continues a slice that was cut becomes one with it; other inactive slices of the contract become active as they
    are. Where something is active meanwhile, it stays.
    """
    active, left = line.active, list[FactSlice]()
    for piece in line.inactive:
        before = _continued(active, piece)
        if before is not None:
            fact = before.value
            whole = Fact(fact.value, fact.provenance, billed_until=fact.billed_until)
            if active.values_from(first_day(piece)):
                active = active.written(before.start, before.end, whole)
                active = _put_under(active, Slice(before.start, piece.end, whole), since=first_day(piece))
            else:
                active = active.written(before.start, piece.end, whole)
        elif piece.value.provenance.contract == contract:
            active = _put_under(active, piece, since=first_day(piece))
        else:
            left.append(piece)
    return Line(active, tuple(left)) if len(left) < len(line.inactive) else line


def reactivated(line: Line, earlier: frozenset[str], contract: Contract, process: str) -> Line:
    """The inactive slices of earlier contracts are active for a contract on its days; what lies before or after stays.

    The rest of a slice that reaches beyond the contract's end is inactive, as after a move-out.
    """
    active, left, end = line.active, list[FactSlice](), moment_after(contract.end)
    for piece in line.inactive:
        binding, owner, product, _process = piece.value.provenance
        begins_later = end is not None and end <= first_day(piece)
        if owner not in earlier or last_day(piece.end) < contract.start or begins_later:
            left.append(piece)
            continue
        start = max(first_day(piece), contract.start)
        fact = Fact(piece.value.value, Provenance(binding, contract.id, product, process))
        active = _put_under(active, Slice(start, piece.end, fact), since=start)
        if first_day(piece) < start:
            left.append(Slice(piece.start, start, piece.value))
    if active is line.active:
        return line
    if end is None:
        return Line(active, tuple(left))
    own = Line(active.selected(lambda fact: fact.provenance.contract == contract.id), tuple(left))
    theirs = active.selected(lambda fact: fact.provenance.contract != contract.id)
    own = cut(own, contract.id, end, process)
    return Line(own.active.overlaid(theirs), own.inactive)


def deactivated(line: Line, contract: str, process: str) -> Line:
    """The active slices of the contract are inactive."""
    inactive = [
        Slice(piece.start, piece.end, Fact(piece.value.value, piece.value.provenance._replace(process=process)))
        for piece in line.active
        if piece.value.provenance.contract == contract
    ]
    if not inactive:
        return line
    active = line.active.selected(lambda fact: fact.provenance.contract != contract)
    return Line(active, (*line.inactive, *inactive))


def without(line: Line, drop: Callable[[Fact], bool]) -> Line:
    """The line without the slices, active and inactive, whose facts are to be dropped."""
    if not any(drop(piece.value) for piece in (*line.active, *line.inactive)):
        return line
    kept = tuple(piece for piece in line.inactive if not drop(piece.value))
    return Line(line.active.selected(lambda fact: not drop(fact)), kept)


def _shortened(piece: FactSlice) -> Fact:
    """The fact of a slice that is about to end earlier; the day that it first ended on is kept."""
    value, provenance, previous, was_cut, billed = piece.value
    return fact_of(value, provenance, last_day(piece.end) if previous is None else previous, was_cut, billed)


def _cut_off(piece: FactSlice) -> Fact:
    """The fact of a slice that a move-out is about to cut."""
    value, provenance, previous, _was_cut, billed = piece.value
    return fact_of(value, provenance, last_day(piece.end) if previous is None else previous, True, billed)


def _continued(active: Active, piece: FactSlice) -> FactSlice | None:
    """The cut slice that an inactive one continues: it ended on the same day, and says the same."""
    before = active.slice_at(day_before(first_day(piece)))
    if before is None or before.end != piece.start or before.value.value != piece.value.value:
        return None
    return before if before.value.previous_valid_to == last_day(piece.end) else None


def _put_under(active: Active, piece: FactSlice, since: date) -> Active:
    """The slice written where from a day on nothing is active yet."""
    if not active.values_from(since):
        return active.written(piece.start, piece.end, piece.value)
    alone = NO_SLICES.written(piece.start, piece.end, piece.value)
    return active.replaced(piece.start, piece.end, alone.overlaid(active.clipped(since, piece.end)))
