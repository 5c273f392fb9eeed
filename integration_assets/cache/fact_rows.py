"""Facts as the tables keep them: slices and contracts of an installation, and what a process changed, as compact JSON.

A document of slices has the provenances ``by`` (lists of binding, contract, product, process) and the ``lines`` (lists
of operand, season and slices). A slice is ``[ab, bis, value, by, inactive, altbis, mauszug, billed_until]``: `bis` is
null for no end, `by` a place in the list of provenances, and what is null or 0 at its end is left out. In the journal a
changed slice is one list, with operand and season before it and its provenance in the place of `by`. The view
`fact_slice` shows the same in columns.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from decimal import Decimal
from typing import Any, Final, cast

from pydantic_core import from_json, to_json

from integration_assets.domain.facts.call_rows import row_of
from integration_assets.domain.facts.calls import Call
from integration_assets.domain.facts.days import INFINITY, last_day, moment_after
from integration_assets.domain.facts.exchange import contract_rows, contracts_of
from integration_assets.domain.facts.operands import Operands, Relation
from integration_assets.domain.facts.reading import BadExchange
from integration_assets.domain.facts.store import (
    NO_LINE,
    Binding,
    Entry,
    Fact,
    FactSlice,
    Installation,
    Line,
    LineKey,
    Provenance,
    fact_of,
    first_day,
)
from integration_assets.domain.facts.values import Value, frozen
from integration_assets.domain.timeslices import Slice, Timeline

NAMES: Final = (
    *("operand", "season", "ab", "bis", "value", "binding", "contract", "product", "process"),
    *("inactive", "altbis", "mauszug", "billed_until"),
)
"""The elements of a slice in the journal, by their names in the exchange format."""

_NUL: Final = b"\\u0000"
_BINDINGS: Final = {binding.value: binding for binding in Binding}


class NotStorable(ValueError):
    """Facts hold what PostgreSQL cannot keep; the text says what."""


def documents_of(installation: Installation) -> tuple[str, str]:
    """Slices and contracts of an installation as JSON texts. Raises NotStorable."""
    places: dict[Provenance, int] = {}
    lines: list[list[Any]] = []
    for key in sorted(installation.lines):
        line = installation.lines[key]
        pieces = [_told(piece, places, inactive=0) for piece in line.active]
        pieces += [_told(piece, places, inactive=1) for piece in line.inactive]
        if pieces:
            lines.append([*key, pieces])
    by = [[one.binding.value, *one[1:]] for one in places]
    return encoded({"by": by, "lines": lines}), encoded(contract_rows(installation))


def installation_of(name: str, slices: str, contracts: str, operands: Operands) -> Installation:
    """The installation of two texts of `documents_of`, with an empty journal.

    Raises BadExchange where they cannot be read, name an operand that there is not, or active slices overlap.
    """
    try:
        document: Any = from_json(slices)
        by = [Provenance(_BINDINGS[binding], *owner) for binding, *owner in document["by"]]
        pieces: dict[LineKey, list[Any]] = {}
        for operand, season, several in document["lines"]:
            pieces.setdefault((operand, season), []).extend(several)
        lines = {key: _line(key[0], several, by, operands) for key, several in pieces.items()}
        kept = contracts_of(from_json(contracts))
    except BadExchange:
        raise
    except (ValueError, TypeError, KeyError, IndexError, AttributeError) as error:
        raise BadExchange(f"They are no facts ({type(error).__name__}: {error}).") from None
    billed = frozenset(key for key, line in lines.items() if any(fact.billed_until for fact in line.active.values()))
    return Installation(name, lines, kept, billed=billed)


def rows_of_document(document: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The slices of a document as rows of the exchange format."""
    by = document["by"]
    return [
        _named([operand, season, ab, bis, value, *by[place], *more])
        for operand, season, pieces in document["lines"]
        for ab, bis, value, place, *more in sorted(pieces, key=_in_order)
    ]


def journal_rows(changed: Iterable[Sequence[Any]]) -> list[dict[str, Any]]:
    """The slices that a process removed or added, as the journal keeps them, as rows of the exchange format."""
    return [_named(list(one)) for one in changed]


def entry_texts(entry: Entry) -> tuple[str, str, str, str, str, str]:
    """Call, log, hooks, follow-ups, removed and added slices of a journal entry as JSON texts. Raises NotStorable."""
    removed: list[list[Any]] = []
    added: list[list[Any]] = []
    for key, after in entry.after.items():
        before = entry.before.get(key, NO_LINE)
        for inactive, was, now in ((0, before.active, after.active), (1, before.inactive, after.inactive)):
            if was is not now:
                old, new = list(was), list(now)
                removed += [_changed(key, piece, inactive) for piece in old if piece not in new]
                added += [_changed(key, piece, inactive) for piece in new if piece not in old]
    hooks = [[one.point, one.contract, one.old.isoformat(), one.new.isoformat()] for one in entry.followed]
    follow_ups = [plain_call(call) for call in entry.follow_ups]
    documents = (plain_call(entry.call), entry.log, hooks, follow_ups, removed, added)
    first, second, third, fourth, fifth, sixth = (encoded(one) for one in documents)
    return first, second, third, fourth, fifth, sixth


def plain_call(call: Call) -> dict[str, Any]:
    """A call as a row of the exchange format with plain numbers, as the journal gives it back."""
    row = row_of(call)
    container = row.get("container")
    if container:
        row["container"] = {name: _number(value) for name, value in container.items()}
    if "value" in row:
        row["value"] = _number(row["value"])
    return row


def encoded(document: object) -> str:
    """JSON text. Raises NotStorable for texts that hold NUL."""
    told = to_json(document)
    if _NUL in told:
        raise NotStorable("a text of theirs holds the character NUL")
    return told.decode()


def _told(piece: FactSlice, places: dict[Provenance, int], *, inactive: int) -> list[Any]:
    value, provenance, previous, was_cut, billed = piece.value
    place = places.setdefault(provenance, len(places))
    told = [first_day(piece).isoformat(), _last_day(piece), _plain(value), place]
    if inactive or previous is not None or billed is not None or was_cut:
        told += _trimmed(inactive, previous, was_cut, billed)
    return told


def _trimmed(inactive: int, previous: date | None, was_cut: bool, billed: date | None) -> list[Any]:
    more = [inactive, previous and previous.isoformat(), int(was_cut), billed and billed.isoformat()]
    while not more[-1]:
        more.pop()
    return more


def _line(operand: str, pieces: Sequence[Sequence[Any]], by: Sequence[Provenance], operands: Operands) -> Line:
    if operand not in operands:
        raise BadExchange(f"A slice names the unknown operand {operand}.")
    active: list[FactSlice] = []
    inactive: list[FactSlice] = []
    for ab, bis, value, place, *more in pieces:
        end = None if bis is None else moment_after(date.fromisoformat(bis))
        kept = value if type(value) is str else frozen(value)
        if kept is None:
            raise BadExchange(f"Operand {operand}: the slice from {ab} has no value.")
        if not more:
            active.append(Slice(date.fromisoformat(ab), end, fact_of(kept, by[place], None, False, None)))
            continue
        is_inactive, altbis, mauszug, billed = [*more, *[None] * (4 - len(more))]
        fact = Fact(
            kept,
            by[place],
            None if altbis is None else date.fromisoformat(altbis),
            bool(mauszug),
            None if billed is None else date.fromisoformat(billed),
        )
        (inactive if is_inactive else active).append(Slice(date.fromisoformat(ab), end, fact))
    if inactive and operands[operand].relation is not Relation.CONTRACT:
        raise BadExchange(f"Operand {operand} does not hang on the contract and has no inactive slices.")
    try:
        return Line(Timeline[date, Fact].of(active), tuple(inactive))
    except ValueError as error:
        raise BadExchange(f"Operand {operand}: two active slices overlap. {error}") from None


def _changed(key: LineKey, piece: FactSlice, inactive: int) -> list[Any]:
    value, provenance, previous, was_cut, billed = piece.value
    told = [*key, first_day(piece).isoformat(), _last_day(piece), _plain(value)]
    told += [provenance.binding.value, *provenance[1:]]
    if inactive or previous is not None or billed is not None or was_cut:
        told += _trimmed(inactive, previous, was_cut, billed)
    return told


def _last_day(piece: FactSlice) -> str | None:
    return None if piece.end is None else last_day(piece.end).isoformat()


def _named(told: list[Any]) -> dict[str, Any]:
    row = dict(zip(NAMES, told, strict=False))
    row["bis"] = row["bis"] or INFINITY.isoformat()
    row["inactive"] = bool(row.get("inactive"))
    if row.get("mauszug"):
        row["mauszug"] = True
    blank = [name for name in ("season", "altbis", "mauszug", "billed_until") if not row.get(name)]
    return {name: value for name, value in row.items() if name not in blank}


def _in_order(piece: Sequence[Any]) -> tuple[str, int, str]:
    return piece[0], piece[4] if len(piece) > 4 else 0, piece[1] or INFINITY.isoformat()


def _number(value: Any) -> Any:
    if isinstance(value, list):
        return [_number(part) for part in cast("list[Any]", value)]
    return float(value) if isinstance(value, Decimal) else value


def _plain(value: Value) -> object:
    """A value as JSON has it: decimal numbers as its own."""
    if type(value) is str:
        return value
    if isinstance(value, tuple):
        return [_plain(part) for part in value]
    return float(value) if isinstance(value, Decimal) else value
