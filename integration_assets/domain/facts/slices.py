"""What processes do to the slices of one line. Each function gives a new line and leaves the given one as it is.

A process touches the slices of its own contract, and those that belong to no contract; what other contracts wrote
stays.
"""

from collections.abc import Callable
from datetime import date, timedelta

from integration_assets.domain.facts.days import last_day, moment_after
from integration_assets.domain.facts.store import (
    NO_SLICES,
    Active,
    Contract,
    Fact,
    FactSlice,
    Line,
    Provenance,
    first_day,
)

_DAY = timedelta(days=1)


def on_own(line: Line, contract: str, change: Callable[[Line], Line]) -> Line:
    """The line with the slices of the contract, and those of none, changed; slices of other contracts win over them."""
    for piece in line.active:
        if piece.value.provenance.contract not in (contract, None):
            break
    else:
        return change(line)
    own = change(Line(line.active.selected(lambda fact: _owns(contract, fact)), line.inactive))
    others = line.active.selected(lambda fact: not _owns(contract, fact))
    return Line(own.active.overlaid(others), own.inactive)


def limited(line: Line, last: date) -> Line:
    """Nothing active after a day: the slice that holds beyond it ends there, and remembers when it ended before."""
    end = moment_after(last)
    if end is None:
        return line
    active = line.active
    spanning = active.slice_at(end)
    rest = active.without(end, None)
    if spanning is None or not first_day(spanning) < end:
        return line if rest == active else Line(rest, line.inactive)
    return Line(rest.written(spanning.start, end, _shortened(spanning, by_move_out=False)), line.inactive)


def cut(line: Line, contract: str, last: date, process: str) -> Line:
    """Nothing active after a day, and what was is remembered: the rest of the slice that is cut, and later slices."""
    end = moment_after(last)
    reaching = [] if end is None else [piece for piece in line.active if piece.end is None or end < piece.end]
    if end is None or not reaching:
        return line
    active = line.active.without(end, None)
    inactive = list(line.inactive)
    for piece in reaching:
        if first_day(piece) < end:
            active = active.written(piece.start, end, _shortened(piece, by_move_out=True))
        binding, owner, product, _process = piece.value.provenance
        fact = Fact(piece.value.value, Provenance(binding, owner or contract, product, process))
        inactive.append(FactSlice(max(end, first_day(piece)), piece.end, fact))
    return Line(active, tuple(inactive))


def restored(line: Line, contract: str) -> Line:
    """What a move-out of the contract made inactive is active again.

    What continues a slice that was cut becomes one with it; other inactive slices of the contract become active as they
    are. Where something is active meanwhile, it stays.
    """
    active, left = line.active, list[FactSlice]()
    for piece in line.inactive:
        before = _continued(active, piece)
        if before is not None:
            whole = before.value._replace(previous_valid_to=None, cut_by_move_out=False)
            active = active.written(before.start, before.end, whole)
            active = _put_under(active, FactSlice(before.start, piece.end, whole), since=piece.start)
        elif piece.value.provenance.contract == contract:
            active = _put_under(active, piece, since=piece.start)
        else:
            left.append(piece)
    return Line(active, tuple(left)) if len(left) < len(line.inactive) else line


def reactivated(line: Line, earlier: frozenset[str], contract: Contract, process: str) -> Line:
    """The inactive slices of earlier contracts are active for a contract from its start on; what lies before stays."""
    active, left = line.active, list[FactSlice]()
    for piece in line.inactive:
        binding, owner, product, _process = piece.value.provenance
        if owner not in earlier or last_day(piece.end) < contract.start:
            left.append(piece)
            continue
        start = max(first_day(piece), contract.start)
        fact = Fact(piece.value.value, Provenance(binding, contract.id, product, process))
        active = _put_under(active, FactSlice(start, piece.end, fact), since=start)
        if first_day(piece) < start:
            left.append(FactSlice(piece.start, start, piece.value))
    return line if active is line.active else Line(active, tuple(left))


def deactivated(line: Line, contract: str, process: str) -> Line:
    """The active slices of the contract are inactive."""
    inactive = [
        FactSlice(piece.start, piece.end, Fact(piece.value.value, piece.value.provenance._replace(process=process)))
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


def _owns(contract: str, fact: Fact) -> bool:
    return fact.provenance.contract in (contract, None)


def _shortened(piece: FactSlice, *, by_move_out: bool) -> Fact:
    """The fact of a slice that is about to end earlier; the day that it first ended on is kept."""
    value, provenance, previous, was_cut, billed = piece.value
    return Fact(
        value, provenance, last_day(piece.end) if previous is None else previous, was_cut or by_move_out, billed
    )


def _continued(active: Active, piece: FactSlice) -> FactSlice | None:
    """The cut slice that an inactive one continues: it ended on the same day, and says the same."""
    before = active.slice_at(first_day(piece) - _DAY)
    if before is None or before.end != piece.start or before.value.value != piece.value.value:
        return None
    return before if before.value.previous_valid_to == last_day(piece.end) else None


def _put_under(active: Active, piece: FactSlice, since: date | None) -> Active:
    """The slice written where from a day on nothing is active yet."""
    alone = NO_SLICES.written(piece.start, piece.end, piece.value)
    return active.replaced(piece.start, piece.end, alone.overlaid(active.clipped(since, piece.end)))
