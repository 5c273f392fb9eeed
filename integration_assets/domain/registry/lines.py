"""The values of one registry row over time: its column `history` as timelines, and timelines as that column.

A field without history has one value, always. Business days are ISO texts.
"""

from collections.abc import Iterable, Mapping
from typing import Any, Final

from integration_assets.domain.registry.time import iso_day
from integration_assets.domain.registry.values import as_flag, as_text
from integration_assets.domain.timeslices import Period, Timeline

FLAGS: Final = frozenset({"address_protected"})
"""Fields that are true or false; in the history they are the texts "true" and "false"."""

Line = Timeline[str, Any]


class Lines:
    """The lines of a row's fields."""

    def __init__(self, row: Mapping[str, Any]) -> None:
        self._row = row
        self._changes: dict[str, list[tuple[str | None, Any]]] = {}
        history: list[Mapping[str, Any]] = row["history"] or []
        for piece in history:
            field: str = piece["field"]
            value = as_flag(piece["value"]) if field in FLAGS else piece["value"]
            self._changes.setdefault(field, []).append((iso_day(piece["from"]), value))

    @property
    def changing(self) -> tuple[str, ...]:
        """The fields that have more than one value."""
        return tuple(self._changes)

    def of(self, field: str) -> Line:
        """The values of a field; null is one of them."""
        changes = self._changes.get(field)
        return Line.since(changes) if changes else Line.always(self._row[field])

    def together(self, fields: Iterable[str]) -> Timeline[str, dict[str, Any]]:
        """The values of several fields, by their names, between every two days on which one of them changes."""
        names = tuple(fields)
        return Line.together(*map(self.of, names)).mapped(lambda values: dict(zip(names, values, strict=True)))


def while_held(line: Line, held: Period[str]) -> Line:
    """What a relation of an object that is held for a period leads to: nothing before it, and nothing after it but
    what changed after its end, because that must not change the past."""
    late = [piece for piece in line if held.end is not None and piece.start is not None and piece.start >= held.end]
    return line.clipped(held.start, held.end).overlaid(Line.of(late))


def last_value(line: Line) -> Any:
    """The value that a line ends with; None where it has none at all."""
    value: Any = None
    for piece in line:
        value = piece.value
    return value


def history_of(lines: Mapping[str, Line]) -> list[dict[str, Any]]:
    """The column `history` of lines by field: of those alone that have more than one value.

    The first value holds from the beginning of the object; a gap says what was said before it.
    """
    told: list[dict[str, Any]] = []
    for field, line in sorted(lines.items()):
        changes: list[tuple[str | None, Any]] = []
        for piece in line:
            if not changes or changes[-1][1] != piece.value:
                changes.append((piece.start if changes else None, piece.value))
        if len(changes) > 1:
            told += [{"field": field, "from": start, "value": as_text(value)} for start, value in changes]
    return told
