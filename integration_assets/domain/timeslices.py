"""Values over time: the one interval library of the product.

A `Timeline` says which value holds when, in half-open slices [start, end) that are in order and never overlap. Bounds
are of any ordered type: business days as ISO texts or dates, instants, ordinals; None is an open end. Between slices
there may be gaps, in which nothing holds; None is a value like any other. Every operation gives a new timeline.

Slices that touch stay apart even where they say the same, because it may matter how something was written;
`Timeline.joined` makes them one. A gap is never in pieces.

Inside, a timeline is a step function: the moments at which something changes, in order, and one value more than these,
the first of which holds before all of them. So an open end needs no comparison, a look-up is one bisection, and
whatever replaces a stretch of time is a splice of two tuples.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Hashable, Iterable, Iterator
from enum import Enum
from itertools import zip_longest
from typing import Any, Final, Generic, Literal, NamedTuple, Protocol, TypeVar, cast

__all__ = ["Bound", "Period", "Periods", "Slice", "Timeline", "periods_of"]


class Bound(Hashable, Protocol):
    """What a slice may begin and end with: anything that has an order of its own."""

    def __lt__(self, other: Any, /) -> bool: ...


class _Nothing(Enum):
    """Stands in the place of the value where there is none."""

    NOTHING = "nothing"


_NOTHING: Final = _Nothing.NOTHING
_new: Final = cast("Any", tuple).__new__

B = TypeVar("B", bound=Bound)
V = TypeVar("V")
W = TypeVar("W")
X = TypeVar("X")


class Period(NamedTuple, Generic[B]):
    """A half-open stretch of time; None is an open end."""

    start: B | None
    end: B | None

    @property
    def is_empty(self) -> bool:
        """Whether no moment lies in it."""
        return self.start is not None and self.end is not None and not self.start < self.end


class Slice(NamedTuple, Generic[B, V]):
    """A value and the half-open stretch of time in which it holds; None is an open end."""

    start: B | None
    end: B | None
    value: V

    @property
    def period(self) -> Period[B]:
        """The stretch of time alone."""
        return Period(self.start, self.end)


class Timeline(Generic[B, V]):
    """Which value holds when. Immutable; two timelines with the same slices are equal.

    Made by `of`, `since`, `always`, `nowhere` and `together`, and by `periods_of`; iterating gives its slices.
    """

    __slots__ = ("_cuts", "_values")

    def __init__(self, cuts: tuple[B, ...], values: tuple["V | _Nothing", ...]) -> None:
        """For this module: `cuts` ascending, one value more than cuts, no two gaps in a row."""
        self._cuts = cuts
        self._values = values

    @classmethod
    def of(cls, slices: Iterable[tuple[B | None, B | None, V]]) -> "Timeline[B, V]":
        """The timeline of these slices (start, end, value), whatever their order.

        Raises ValueError where two have a moment in common or one has none.
        """
        return _timeline(slices)

    @classmethod
    def since(cls, changes: Iterable[tuple[B | None, V]]) -> "Timeline[B, V]":
        """The timeline of values each of which holds from its start (None: from the open start) until the next one.

        `changes` are in order. Raises ValueError where two have the same start or are out of order.
        """
        told = list(changes)
        ends = [start for start, _value in told[1:]]
        if None in ends:
            raise ValueError("Only the first value may hold from the open start.")
        return _timeline((start, end, value) for (start, value), end in zip_longest(told, ends))

    @classmethod
    def always(cls, value: V) -> "Timeline[B, V]":
        """One value without beginning and end."""
        return cls((), (value,))

    @classmethod
    def nowhere(cls) -> "Timeline[B, V]":
        """Nothing, ever."""
        return cls((), (_NOTHING,))

    @staticmethod
    def together(*timelines: "Timeline[B, Any]") -> "Timeline[B, tuple[Any, ...]]":
        """The values of several timelines between every two moments at which one of them changes.

        None stands for those that have a gap there; where all have one, there is a gap.
        """
        cuts = tuple(sorted({cut for timeline in timelines for cut in timeline._cuts}))
        columns: list[list[Any]] = []
        for timeline in timelines:
            own, held = timeline._cuts, timeline._values
            columns.append([held[0], *(held[bisect_right(own, cut)] for cut in cuts)])
        rows: list[tuple[Any, ...] | _Nothing] = []
        for row in zip(*columns, strict=True):
            if _NOTHING not in row:
                rows.append(row)
            elif row.count(_NOTHING) == len(row):
                rows.append(_NOTHING)
            else:
                rows.append(tuple(None if value is _NOTHING else value for value in row))
        return _gaps_joined(cuts, rows)

    def __iter__(self) -> Iterator[Slice[B, V]]:
        """The slices in order."""
        told = zip((None, *self._cuts), (*self._cuts, None), self._values, strict=True)
        slices: list[Slice[B, V]] = [_new(Slice, piece) for piece in told if piece[2] is not _NOTHING]
        return iter(slices)

    def __len__(self) -> int:
        """How many slices there are."""
        return len(self._values) - self._values.count(_NOTHING)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Timeline):
            return NotImplemented
        same = cast("Timeline[Any, Any]", other)
        return self._cuts == same._cuts and self._values == same._values

    def __hash__(self) -> int:
        return hash((self._cuts, self._values))

    def __repr__(self) -> str:
        return f"Timeline.of({[tuple(piece) for piece in self]})"

    @property
    def span(self) -> Period[B] | None:
        """From the first start to the last end; None where nothing ever holds."""
        values = self._values
        if values == (_NOTHING,):
            return None
        return Period(
            self._cuts[0] if values[0] is _NOTHING else None, self._cuts[-1] if values[-1] is _NOTHING else None
        )

    def at(self, moment: B, default: X = None) -> V | X:
        """The value that holds at the moment; the default in a gap."""
        value = self._values[bisect_right(self._cuts, moment)]
        return default if value is _NOTHING else value

    def slice_at(self, moment: B) -> Slice[B, V] | None:
        """The slice that holds at the moment; None in a gap."""
        cuts = self._cuts
        place = bisect_right(cuts, moment)
        value = self._values[place]
        if value is _NOTHING:
            return None
        return Slice(cuts[place - 1] if place else None, cuts[place] if place < len(cuts) else None, value)

    def replaced(self, start: B | None, end: B | None, by: "Timeline[B, V]") -> "Timeline[B, V]":
        """The other timeline from start to end, gaps included, and this one outside; itself for an empty period.

        Slices that reach over a border are cut there.
        """
        if start is not None and end is not None and not start < end:
            return self
        inner = by._cuts
        first = 0 if start is None else bisect_right(inner, start)
        last = len(inner) if end is None else bisect_left(inner, end)
        return self._spliced(start, end, inner[first:last], by._values[first : last + 1])

    def written(self, start: B | None, end: B | None, value: V) -> "Timeline[B, V]":
        """One value from start to end, whatever held there before; itself for an empty period."""
        if start is not None and end is not None and not start < end:
            return self
        # As `_spliced`, without the care for gaps that a value needs none of: processes write more than all else.
        own, held = self._cuts, self._values
        if start is None:
            cuts, values = (), (value,)
        elif own:
            place = bisect_left(own, start)
            cuts, values = (*own[:place], start), (*held[: place + 1], value)
        else:
            cuts, values = (start,), (held[0], value)
        if end is None:
            return Timeline(cuts, values)
        place = bisect_right(own, end)
        return Timeline((*cuts, end, *own[place:]), (*values, *held[place:]))

    def without(self, start: B | None, end: B | None) -> "Timeline[B, V]":
        """Nothing from start to end; slices that reach over a border are cut there."""
        if start is not None and end is not None and not start < end:
            return self
        return self._spliced(start, end, (), (_NOTHING,))

    def clipped(self, start: B | None, end: B | None) -> "Timeline[B, V]":
        """What lies between start and end, and nothing outside."""
        nothing: Timeline[B, V] = Timeline((), (_NOTHING,))
        return nothing.replaced(start, end, self)

    def cut_at(self, moment: B) -> "Timeline[B, V]":
        """The slice that holds at the moment in two, before and from there on; itself where one begins, or in a gap."""
        cuts, values = self._cuts, self._values
        place = bisect_right(cuts, moment)
        if values[place] is _NOTHING or (place and not cuts[place - 1] < moment):
            return self
        return Timeline((*cuts[:place], moment, *cuts[place:]), values[: place + 1] + values[place:])

    def overlaid(self, over: "Timeline[B, V]") -> "Timeline[B, V]":
        """The other timeline wherever it has a value, else this one."""
        result = self
        for start, end in over._stretches():
            result = result.replaced(start, end, over)
        return result

    def filled(self, value: V, start: B | None = None, end: B | None = None) -> "Timeline[B, V]":
        """The gaps between start and end filled with a value."""
        result = self
        for gap_start, gap_end in self.gaps(start, end)._stretches():
            result = result.written(gap_start, gap_end, value)
        return result

    def within(self, periods: "Timeline[B, Any]") -> "Timeline[B, V]":
        """What lies where the other has a value, whichever (intersection)."""
        result: Timeline[B, V] = Timeline((), (_NOTHING,))
        for start, end in periods._stretches():
            result = result.replaced(start, end, self)
        return result

    def outside(self, periods: "Timeline[B, Any]") -> "Timeline[B, V]":
        """What lies where the other has no value (difference)."""
        result = self
        for start, end in periods._stretches():
            result = result.without(start, end)
        return result

    def mapped(self, change: Callable[[V], W]) -> "Timeline[B, W]":
        """Every value changed, the slices as they are."""
        return Timeline(self._cuts, tuple(_NOTHING if value is _NOTHING else change(value) for value in self._values))

    def selected(self, keep: Callable[[V], object]) -> "Timeline[B, V]":
        """The slices whose values are kept; gaps in the place of the others."""
        kept = (value if value is not _NOTHING and keep(value) else _NOTHING for value in self._values)
        return _gaps_joined(self._cuts, kept)

    def joined(self) -> "Timeline[B, V]":
        """Slices that touch and have equal values made one."""
        cuts: list[B] = []
        values: list[V | _Nothing] = [self._values[0]]
        for cut, value in zip(self._cuts, self._values[1:], strict=True):
            if value != values[-1]:
                cuts.append(cut)
                values.append(value)
        return self if len(cuts) == len(self._cuts) else Timeline(tuple(cuts), tuple(values))

    def zipped(self, other: "Timeline[B, W]") -> "Timeline[B, tuple[V | None, W | None]]":
        """Both values between every two changes of either; None for one that has a gap there."""
        return cast("Timeline[B, tuple[V | None, W | None]]", self.together(self, other))

    def covered(self) -> "Periods[B]":
        """When there is any value: one slice per stretch without gap."""
        return _timeline((start, end, True) for start, end in self._stretches())

    def gaps(self, start: B | None = None, end: B | None = None) -> "Periods[B]":
        """When, between start and end, there is no value."""
        every: Periods[B] = Timeline((), (True,))
        return every.clipped(start, end).outside(self)

    def ended(self, moment: B, change: Callable[[Slice[B, V]], V]) -> "Timeline[B, V]":
        """Nothing from the moment on; what holds at it ends there, its value changed; itself where nothing does."""
        cuts, values = self._cuts, self._values
        place = bisect_left(cuts, moment)
        value = values[place]
        if value is _NOTHING:
            return self if place == len(cuts) else Timeline(cuts[:place], values[: place + 1])
        if place < len(cuts) and not moment < cuts[place]:
            if place + 1 == len(cuts) and values[-1] is _NOTHING:
                return self
            return Timeline(cuts[: place + 1], (*values[: place + 1], _NOTHING))
        whole = _new(Slice, (cuts[place - 1] if place else None, cuts[place] if place < len(cuts) else None, value))
        return Timeline((*cuts[:place], moment), (*values[:place], change(whole), _NOTHING))

    def values_from(self, moment: B) -> list[V]:
        """The values of the slices that hold at the moment or later, in order."""
        return [value for value in self._values[bisect_right(self._cuts, moment) :] if value is not _NOTHING]

    def values(self) -> list[V]:
        """The values of the slices in order."""
        return [value for value in self._values if value is not _NOTHING]

    def periods(self) -> list[Period[B]]:
        """The periods of the slices in order, without their values."""
        return [piece.period for piece in self]

    def _stretches(self) -> list[tuple[B | None, B | None]]:
        """The stretches without gap, in order: start and end of each."""
        stretches: list[tuple[B | None, B | None]] = []
        values = self._values
        start: B | None = None
        inside = values[0] is not _NOTHING
        for cut, value in zip(self._cuts, values[1:], strict=True):
            if value is _NOTHING:
                stretches.append((start, cut))
                inside = False
            elif not inside:
                start, inside = cut, True
        if inside:
            stretches.append((start, None))
        return stretches

    def _spliced(
        self, start: B | None, end: B | None, cuts: tuple[B, ...], values: tuple["V | _Nothing", ...]
    ) -> "Timeline[B, V]":
        """Cuts and values put in from start to end; the splice begins and ends no gap where one lies already."""
        own, held = self._cuts, self._values
        if start is not None:
            place = bisect_left(own, start)
            if values[0] is _NOTHING and held[place] is _NOTHING:
                cuts, values = own[:place] + cuts, held[:place] + values
            else:
                cuts, values = (*own[:place], start, *cuts), held[: place + 1] + values
        if end is not None:
            place = bisect_right(own, end)
            if values[-1] is _NOTHING and held[place] is _NOTHING:
                cuts, values = cuts + own[place:], values + held[place + 1 :]
            else:
                cuts, values = (*cuts, end, *own[place:]), values + held[place:]
        return Timeline(cuts, values)


Periods = Timeline[B, Literal[True]]
"""Stretches of time alone: a timeline that has no value but True."""


def periods_of(periods: Iterable[tuple[B | None, B | None]]) -> Periods[B]:
    """The union of periods (start, end): those that touch or overlap are one, empty ones count for nothing."""
    result: list[tuple[B | None, B | None, Literal[True]]] = []
    for start, end in sorted(periods, key=_by_start):
        if start is not None and end is not None and not start < end:
            continue
        last = result[-1] if result else None
        if last is None or (last[1] is not None and start is not None and last[1] < start):
            result.append((start, end, True))
        elif last[1] is not None and (end is None or last[1] < end):
            result[-1] = (last[0], end, True)
    return _timeline(result)


def _timeline(slices: Iterable[tuple[B | None, B | None, V]]) -> Timeline[B, V]:
    """See `Timeline.of`."""
    cuts: list[B] = []
    values: list[V | _Nothing] = [_NOTHING]
    closed = False
    for start, end, value in sorted(slices, key=_by_start):
        if start is None:
            if closed or cuts or values[-1] is not _NOTHING:
                raise ValueError("Two slices begin at the open start.")
            values[-1] = value
        elif closed or (cuts and start < cuts[-1]):
            raise ValueError(f"Two slices hold at {start!r}.")
        elif cuts and not cuts[-1] < start:
            values[-1] = value
        else:
            cuts.append(start)
            values.append(value)
        if end is None:
            closed = True
        elif start is not None and not start < end:
            raise ValueError(f"A slice from {start!r} to {end!r} has no moment.")
        else:
            cuts.append(end)
            values.append(_NOTHING)
    return Timeline(tuple(cuts), tuple(values))


def _gaps_joined(cuts: Iterable[B], values: Iterable["V | _Nothing"]) -> Timeline[B, V]:
    """The timeline of cuts and values in which gaps may follow each other."""
    rest = iter(values)
    kept_cuts: list[B] = []
    kept: list[V | _Nothing] = [next(rest, _NOTHING)]
    for cut, value in zip(cuts, rest, strict=True):
        if value is not _NOTHING or kept[-1] is not _NOTHING:
            kept_cuts.append(cut)
            kept.append(value)
    return Timeline(tuple(kept_cuts), tuple(kept))


def _by_start(piece: tuple[Any, ...]) -> tuple[bool, Any]:
    """Sort key: the open start first; two of them stay in the order in which they came."""
    return (False, 0) if piece[0] is None else (True, piece[0])
