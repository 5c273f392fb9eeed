"""The store of installation facts: processes are carried out on what is stored, and the journal keeps each of them.

A process and its journal entry are stored together or not at all. Installations are locked in the order of their
numbers, so any number of runs may work on them at once; a process id that the journal knows is not carried out again.
"""

from collections.abc import Iterator, Mapping, Sequence
from datetime import date
from itertools import groupby, islice
from typing import Any, NamedTuple

import psycopg
import sqlalchemy as sa
from pydantic_core import from_json
from sqlalchemy.exc import DataError

from integration_assets.cache.copying import driver
from integration_assets.cache.fact_rows import (
    NotStorable,
    documents_of,
    encoded,
    entry_texts,
    installation_of,
    journal_rows,
    plain_call,
    rows_of_document,
)
from integration_assets.cache.retrying import retrying
from integration_assets.domain.facts.bulk import rarely_collected
from integration_assets.domain.facts.calls import Call
from integration_assets.domain.facts.engine import apply
from integration_assets.domain.facts.invariants import InvariantBroken
from integration_assets.domain.facts.operands import Operands
from integration_assets.domain.facts.reading import BadExchange
from integration_assets.domain.facts.rules import Rules
from integration_assets.domain.facts.run import Refused
from integration_assets.domain.facts.store import Entry, Installation

INSTALLATIONS_AT_ONCE = 500
"""Installations of one transaction."""

_LOCK = """
SELECT installation, slices::text, contracts::text FROM installation_fact WHERE installation = ANY(%s)
ORDER BY installation FOR UPDATE
"""
_MAKE = "INSERT INTO installation_fact (installation) SELECT unnest(%s::text[]) ON CONFLICT DO NOTHING"
_KNOWN = """
SELECT j.installation, j.process_id, j.call::text
FROM unnest(%s::text[], %s::text[]) AS asked(installation, process_id)
JOIN fact_journal AS j ON j.installation = asked.installation AND j.process_id = asked.process_id
"""
_WRITE = """
UPDATE installation_fact AS f SET slices = n.slices, contracts = n.contracts, changed_at = now()
FROM json_to_recordset(%s::json) AS n(installation text, slices jsonb, contracts jsonb)
WHERE f.installation = n.installation
"""
_NOTE = """
COPY fact_journal
    (installation, process_id, full_generation, reason, call, log, hooks, follow_ups, removed, added) FROM STDIN
"""
_ESCAPED = str.maketrans({"\\": "\\\\", "\t": "\\t", "\n": "\\n", "\r": "\\r"})
"""What COPY reads otherwise."""


class Asked(NamedTuple):
    """A call that is to be carried out on an installation, under an id that is the same whenever it is asked again.

    Calls that follow each other and name the same group are all carried out, or none of them.
    """

    process_id: str
    call: Call
    group: str = ""


class Refusal(NamedTuple):
    """A call that was not carried out, and why."""

    installation: str
    process_id: str
    sentence: str


class Done(NamedTuple):
    """How many processes were carried out, how many had been before, and which were refused."""

    carried_out: int
    known: int
    refusals: tuple[Refusal, ...]

    def and_then(self, other: "Done") -> "Done":
        """Both together."""
        return Done(self.carried_out + other.carried_out, self.known + other.known, (*self.refusals, *other.refusals))


class _Worked(NamedTuple):
    """What became of the calls of an installation: its number, slices and contracts as one JSON text, and the lines of
    its journal entries; none where nothing changed."""

    stored: str
    entries: list[str]
    known: int
    refusals: list[Refusal]


class Facts:
    """The tables installation_fact and fact_journal."""

    def __init__(self, engine: sa.Engine) -> None:
        self._engine = engine

    def carry_out(self, asked: Mapping[str, Sequence[Asked]], rules: Rules) -> Done:
        """Carries out the calls of each installation in order. A refused call changes nothing; the next one follows.

        Many installations share a transaction, and none of them spoils it: one whose facts cannot be read, or stored,
        is refused with a sentence and stays as it was. What was done stays done where a later transaction fails; asking
        again goes on from there.
        """
        done = Done(0, 0, ())
        with rarely_collected():
            for names in _parts(sorted(asked), INSTALLATIONS_AT_ONCE):
                done = done.and_then(self._carried_out({name: asked[name] for name in names}, rules))
        return done

    def installation(self, name: str, operands: Operands) -> Installation | None:
        """What is stored of an installation, without its journal; None where nothing is. Raises BadExchange."""
        query = sa.text("SELECT slices::text, contracts::text FROM installation_fact WHERE installation = :name")
        with self._engine.connect() as connection:
            row = connection.execute(query, {"name": name}).one_or_none()
        return None if row is None else installation_of(name, row[0], row[1], operands)

    def slices(self, name: str) -> list[dict[str, Any]] | None:
        """The slices of an installation as rows of the exchange format; None where nothing is stored of it.

        Raises BadExchange where they cannot be read.
        """
        query = sa.text("SELECT slices FROM installation_fact WHERE installation = :name")
        with self._engine.connect() as connection:
            document = connection.scalar(query, {"name": name})
        try:
            return None if document is None else rows_of_document(document)
        except (ValueError, TypeError, KeyError, IndexError) as error:
            raise BadExchange(f"The stored facts of installation {name} cannot be read: {error!r}.") from None

    def on_day(self, day: date) -> list[tuple[str, str, Any]]:
        """What holds on a day, of all installations: installation, operand, value; seasons are not told apart."""
        query = (
            "SELECT installation, operand, value FROM fact_slice "
            "WHERE NOT inactive AND :day BETWEEN valid_from AND valid_to ORDER BY 1, 2"
        )
        with self._engine.connect() as connection:
            return [(row[0], row[1], row[2]) for row in connection.execute(sa.text(query), {"day": day})]

    def journal(self, name: str) -> list[dict[str, Any]]:
        """The processes of an installation, the first one first: the columns of fact_journal.

        What they removed and added as rows of the exchange format.
        """
        query = sa.text("SELECT * FROM fact_journal WHERE installation = :name ORDER BY entry_id")
        with self._engine.connect() as connection:
            rows = connection.execute(query, {"name": name}).mappings()
            return [dict(row) | {side: journal_rows(row[side]) for side in ("removed", "added")} for row in rows]

    def _carried_out(self, asked: Mapping[str, Sequence[Asked]], rules: Rules) -> Done:
        """Carries out a part in one transaction, or where PostgreSQL cannot store it in smaller ones."""
        try:
            return retrying(lambda: self._carry_out(asked, rules))
        except (DataError, psycopg.DataError) as error:
            names = list(asked)
            if len(names) == 1:
                why = f"Installation {names[0]}: what would come of it cannot be stored ({_first_line(error)})."
                return Done(0, 0, tuple(Refusal(names[0], one.process_id, why) for one in asked[names[0]]))
        half = len(names) // 2
        first = self._carried_out({name: asked[name] for name in names[:half]}, rules)
        return first.and_then(self._carried_out({name: asked[name] for name in names[half:]}, rules))

    def _carry_out(self, asked: Mapping[str, Sequence[Asked]], rules: Rules) -> Done:
        with self._engine.begin() as connection, driver(connection).cursor() as cursor:
            stored = _locked(cursor, list(asked))
            pairs = [(name, one.process_id) for name, calls in asked.items() for one in calls]
            known: dict[str, dict[str, Any]] = {}
            for name, process_id, call in cursor.execute(_KNOWN, [list(column) for column in zip(*pairs, strict=True)]):
                known.setdefault(name, {})[process_id] = from_json(call)
            worked = [_worked(name, stored[name], calls, known.get(name, {}), rules) for name, calls in asked.items()]
            changed = [one for one in worked if one.entries]
            if changed:
                cursor.execute(_WRITE, [f"[{','.join(one.stored for one in changed)}]"])
                with cursor.copy(_NOTE) as copy:
                    copy.write("".join(entry for one in changed for entry in one.entries))
        refusals = tuple(refusal for one in worked for refusal in one.refusals)
        return Done(sum(len(one.entries) for one in worked), sum(one.known for one in worked), refusals)


def _locked(cursor: Any, names: list[str]) -> dict[str, tuple[str, str]]:
    """Slices and contracts of each installation as JSON, locked; those that were not there are made."""
    rows = cursor.execute(_LOCK, [names]).fetchall()
    if len(rows) < len(names):
        cursor.execute(_MAKE, [sorted(set(names) - {row[0] for row in rows})])
        rows = cursor.execute(_LOCK, [names]).fetchall()
    return {name: (slices, contracts) for name, slices, contracts in rows}


def _worked(
    name: str, stored: tuple[str, str], asked: Sequence[Asked], noted: Mapping[str, Any], rules: Rules
) -> _Worked:
    """Carries out the calls of one installation in memory; `noted` are those of their processes that were before."""
    try:
        installation = installation_of(name, *stored, rules.operands)
    except BadExchange as error:
        why = f"Installation {name}: its stored facts cannot be read, and stay as they are. {error}"
        return _Worked("", [], 0, [Refusal(name, one.process_id, why) for one in asked])
    entries: list[Entry] = []
    refusals: list[Refusal] = []
    known = 0
    for _group, members in groupby(asked, key=lambda one: one.group or one.process_id):
        calls = list(members)
        before = [one for one in calls if one.process_id in noted and _is_same(one.call, noted[one.process_id])]
        known += len(before)
        tried, done, why = installation, list[Entry](), ""
        for process_id, call, _of in (one for one in calls if one not in before):
            if process_id in noted:
                why = f"Process {process_id} was another call."
                break
            try:
                outcome = apply(tried, call, rules, process_id)
            except (Refused, InvariantBroken) as error:
                why = str(error)
                break
            if outcome.repeated:
                known += 1
            else:
                tried = outcome.installation
                done.append(outcome.entry)
        if why:
            refusals += [Refusal(name, one.process_id, why) for one in calls if one not in before]
        else:
            installation = tried
            entries += done
    if not entries:
        return _Worked("", [], known, refusals)
    try:
        lines = [_noted(name, entry) for entry in entries]
        slices, contracts = documents_of(installation)
        told = f'{{"installation":{encoded(name)},"slices":{slices},"contracts":{contracts}}}'
        return _Worked(told, lines, known, refusals)
    except NotStorable as error:
        why = f"Installation {name}: its facts cannot be stored, {error}. They stay as they were."
        return _Worked("", [], 0, [Refusal(name, one.process_id, why) for one in asked])


def _is_same(call: Call, noted: object) -> bool:
    """Whether the journal has noted this very call."""
    return noted == from_json(encoded(plain_call(call)))


def _noted(name: str, entry: Entry) -> str:
    """A journal entry as a line of COPY."""
    generation = "\\N" if entry.full_generation is None else str(entry.full_generation)
    texts = (name, entry.process_id, None, entry.reason, *entry_texts(entry))
    told = [generation if text is None else text.translate(_ESCAPED) for text in texts]
    return "\t".join(told) + "\n"


def _first_line(error: Exception) -> str:
    """What PostgreSQL says, without the values."""
    return str(getattr(error, "orig", error)).partition("\n")[0]


def _parts(names: Sequence[str], size: int) -> Iterator[list[str]]:
    rest = iter(names)
    while part := list(islice(rest, size)):
        yield part
