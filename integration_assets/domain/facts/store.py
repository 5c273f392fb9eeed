"""What is kept of an installation: the slices of its facts, its contracts, and the journal of its processes.

Everything is immutable and shared: a process gives a new installation that has the untouched lines of the old one. The
active slices of a line are a `Timeline`, so that two of them can never hold on one day; inactive ones are remembered
beside it. Days are half-open inside timelines and inclusive everywhere else.
"""

from collections.abc import Iterator, Mapping
from datetime import date
from enum import StrEnum
from typing import Any, Final, NamedTuple, cast

from integration_assets.domain.facts.calls import Call
from integration_assets.domain.facts.days import last_day
from integration_assets.domain.facts.values import Value
from integration_assets.domain.timeslices import Slice, Timeline

LineKey = tuple[str, str]
"""Operand and season (blank for the whole year)."""


class Binding(StrEnum):
    """Where the value of a slice comes from."""

    CONSTANT = "CONSTANT"
    PARAMETER = "PARAMETER"
    VIRTUAL = "VIRTUAL"
    MANUAL = "MANUAL"


class Provenance(NamedTuple):
    """Who wrote a slice: its binding, the contract and product for which, and the process that did."""

    binding: Binding
    contract: str | None
    product: str | None
    process: str | None


class Fact(NamedTuple):
    """What a slice says. `previous_valid_to` is its last day before it was first shortened (ALTBIS);
    `cut_by_move_out` tells that a move-out did that (MAUSZUG); `billed_until` is the last day that has been billed."""

    value: Value
    provenance: Provenance
    previous_valid_to: date | None = None
    cut_by_move_out: bool = False
    billed_until: date | None = None


Active = Timeline[date, Fact]
FactSlice = Slice[date, Fact]

NO_SLICES: Final[Active] = Timeline[date, Fact].nowhere()


class Line(NamedTuple):
    """The slices of one operand and season: the active ones, and those that a move-out made inactive."""

    active: Active = NO_SLICES
    inactive: tuple[FactSlice, ...] = ()


NO_LINE: Final = Line()

_new: Final = cast("Any", tuple).__new__


def fact_of(
    value: Value, provenance: Provenance, previous: date | None, was_cut: bool, billed_until: date | None
) -> Fact:
    """A fact, in less than half the time that its class takes: processes make more of them than of all else."""
    return _new(Fact, (value, provenance, previous, was_cut, billed_until))


def line_of(active: Active, inactive: tuple[FactSlice, ...]) -> Line:
    """A line, likewise."""
    return _new(Line, (active, inactive))


class ContractStatus(StrEnum):
    """Whether a contract counts."""

    ACTIVE = "ACTIVE"
    CANCELLED = "CANCELLED"


class Contract(NamedTuple):
    """A billing contract (aftale) on the installation; `end` is its last day, INFINITY without one.

    `products` are the products with their first days, in order.
    """

    id: str
    partner: str
    start: date
    end: date
    products: tuple[tuple[date, str], ...]
    status: ContractStatus = ContractStatus.ACTIVE

    def product_on(self, day: date) -> tuple[date, str]:
        """The product that is valid on a day, with its first day; before the first product the first."""
        current = self.products[0]
        for entry in self.products:
            if entry[0] <= day:
                current = entry
        return current

    def started(self, start: date) -> "Contract":
        """The same contract from another first day on, with the products that are valid from there."""
        later = tuple(entry for entry in self.products if entry[0] > start and entry[0] > self.products[0][0])
        return self._replace(start=start, products=((start, self.product_on(start)[1]), *later))


class SliceRow(NamedTuple):
    """A slice with everything that is known of it; both days are inclusive."""

    operand: str
    season: str
    valid_from: date
    valid_to: date
    inactive: bool
    fact: Fact


class Change(NamedTuple):
    """A line before and after a process."""

    key: LineKey
    before: Line
    after: Line

    @property
    def difference(self) -> tuple[list[SliceRow], list[SliceRow]]:
        """The slices that are not there any more, and those that are new; a changed one is among both."""
        before, after = rows_of(self.key, self.before), rows_of(self.key, self.after)
        return [row for row in before if row not in after], [row for row in after if row not in before]


class Followed(NamedTuple):
    """A follow-up point of a process that was reached: MOVEOUTDATE_CHANGED or MOVEINDATE_CHANGED, old and new day."""

    point: str
    contract: str
    old: date
    new: date


class Entry(NamedTuple):
    """What the journal keeps of a process.

    `full_generation` tells whether generation was found necessary, None where that was not asked; `reason` why.
    `follow_ups` are what the extensions at a follow-up point ask for.
    """

    process_id: str
    call: Call
    full_generation: bool | None
    reason: str
    log: tuple[str, ...]
    followed: tuple[Followed, ...]
    follow_ups: tuple[Call, ...]
    before: Mapping[LineKey, Line]
    """All lines as they were."""
    after: Mapping[LineKey, Line]
    """The lines that changed."""

    @property
    def changes(self) -> list[Change]:
        """The lines that the process changed, before and after it."""
        return [Change(key, self.before.get(key, NO_LINE), line) for key, line in self.after.items()]


class Installation(NamedTuple):
    """The facts of an installation: lines by operand and season, contracts by id in the order of their making."""

    id: str
    lines: Mapping[LineKey, Line] = {}
    contracts: Mapping[str, Contract] = {}
    journal: tuple[Entry, ...] = ()
    billed: frozenset[LineKey] = frozenset()
    """The lines of which something has been billed."""

    def line(self, operand: str, season: str = "") -> Line:
        """The slices of an operand, none where it has no facts."""
        return self.lines.get((operand, season), NO_LINE)

    def effective(self, operand: str, season: str = "") -> Timeline[date, Value]:
        """Which value holds when: the active slices, adjacent equal ones made one."""
        return self.line(operand, season).active.mapped(_value).joined()

    def rows(self) -> Iterator[SliceRow]:
        """All slices by operand, season, first day, active before inactive."""
        for key in sorted(self.lines):
            yield from rows_of(key, self.lines[key])


def rows_of(key: LineKey, line: Line) -> list[SliceRow]:
    """The slices of a line by first day, active before inactive."""
    told = [(piece, False) for piece in line.active] + [(piece, True) for piece in line.inactive]
    told.sort(key=lambda item: (first_day(item[0]), item[1], last_day(item[0].end)))
    return [SliceRow(*key, first_day(piece), last_day(piece.end), inactive, piece.value) for piece, inactive in told]


def first_day(piece: FactSlice) -> date:
    """The first day of a slice; facts always have one."""
    return date.min if piece.start is None else piece.start


def _value(fact: Fact) -> Value:
    return fact.value
