"""The store of installation facts: processes are carried out on what is stored, and the journal keeps each of them.

A process and its journal entry are stored together or not at all. Installations are locked in the order of their
numbers, so any number of runs may work on them at once; a process id that the journal knows is not carried out again.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from itertools import groupby, islice
from typing import Any, NamedTuple

import psycopg
import sqlalchemy as sa
from sqlalchemy.exc import DataError

from integration_assets.cache.copying import driver
from integration_assets.cache.retrying import retrying
from integration_assets.domain.facts.call_rows import row_of
from integration_assets.domain.facts.calls import Call
from integration_assets.domain.facts.engine import apply
from integration_assets.domain.facts.exchange import contract_rows, installation_of, slice_row
from integration_assets.domain.facts.invariants import InvariantBroken
from integration_assets.domain.facts.operands import Operands
from integration_assets.domain.facts.rules import Rules
from integration_assets.domain.facts.run import Refused
from integration_assets.domain.facts.store import Entry, Installation, SliceRow

INSTALLATIONS_AT_ONCE = 500
"""Installations of one transaction."""

_LOCK = """
WITH made AS (INSERT INTO installation_fact (installation) SELECT unnest(%(names)s::text[]) ON CONFLICT DO NOTHING)
SELECT installation, slices::text, contracts::text FROM installation_fact WHERE installation = ANY(%(names)s)
ORDER BY installation FOR UPDATE
"""
_KNOWN = """
SELECT installation, process_id, call FROM fact_journal
WHERE installation = ANY(%(names)s) AND process_id = ANY(%(processes)s)
"""
_WRITE = """
UPDATE installation_fact AS f SET slices = n.slices, contracts = n.contracts, changed_at = now()
FROM json_to_recordset(%s::json) AS n(installation text, slices jsonb, contracts jsonb)
WHERE f.installation = n.installation
"""
_NOTE = """
COPY fact_journal
    (installation, process_id, call, full_generation, reason, log, hooks, follow_ups, removed, added) FROM STDIN
"""


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
    """What became of the calls of an installation; the installation is None where nothing changed."""

    name: str
    installation: Installation | None
    entries: list[Entry]
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
        for names in _parts(sorted(asked), INSTALLATIONS_AT_ONCE):
            done = done.and_then(self._carried_out({name: asked[name] for name in names}, rules))
        return done

    def installation(self, name: str, operands: Operands) -> Installation | None:
        """What is stored of an installation, without its journal; None where nothing is."""
        query = sa.text("SELECT slices::text, contracts::text FROM installation_fact WHERE installation = :name")
        with self._engine.connect() as connection:
            row = connection.execute(query, {"name": name}).one_or_none()
        return None if row is None else installation_of(name, json.loads(row[0]), json.loads(row[1]), operands)

    def slices(self, name: str) -> list[dict[str, Any]] | None:
        """The slices of an installation as rows of the exchange format; None where nothing is stored of it."""
        query = sa.text("SELECT slices FROM installation_fact WHERE installation = :name")
        with self._engine.connect() as connection:
            return connection.scalar(query, {"name": name})

    def journal(self, name: str) -> list[dict[str, Any]]:
        """The processes of an installation, the first one first: the columns of fact_journal."""
        query = sa.text("SELECT * FROM fact_journal WHERE installation = :name ORDER BY entry_id")
        with self._engine.connect() as connection:
            return [dict(row) for row in connection.execute(query, {"name": name}).mappings()]

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
        names = list(asked)
        processes = sorted({one.process_id for calls in asked.values() for one in calls})
        with self._engine.begin() as connection, driver(connection).cursor() as cursor:
            stored = {name: (slices, contracts) for name, slices, contracts in self._locked(cursor, names)}
            known: dict[str, dict[str, Any]] = {}
            for name, process_id, call in cursor.execute(_KNOWN, {"names": names, "processes": processes}):
                known.setdefault(name, {})[process_id] = call
            worked = [_worked(name, stored[name], calls, known.get(name, {}), rules) for name, calls in asked.items()]
            if any(one.entries for one in worked):
                cursor.execute(_WRITE, [_written([one.installation for one in worked if one.installation])])
                with cursor.copy(_NOTE) as copy:
                    for one in worked:
                        for entry in one.entries:
                            copy.write_row(_noted(one.name, entry))
        refusals = tuple(refusal for one in worked for refusal in one.refusals)
        return Done(sum(len(one.entries) for one in worked), sum(one.known for one in worked), refusals)

    @staticmethod
    def _locked(cursor: Any, names: list[str]) -> list[tuple[str, str, str]]:
        """Each installation with its slices and contracts as JSON, locked; those that were not there are made."""
        rows = cursor.execute(_LOCK, {"names": names}).fetchall()
        if len(rows) < len(names):  # what the statement itself has made it does not see
            rows = cursor.execute(_LOCK, {"names": names}).fetchall()
        return rows


def _worked(
    name: str, stored: tuple[str, str], asked: Sequence[Asked], noted: Mapping[str, Any], rules: Rules
) -> _Worked:
    """Carries out the calls of one installation in memory; `noted` are those of their processes that were before."""
    try:
        slices, contracts = (json.loads(text) for text in stored)
        first = installation = installation_of(name, slices, contracts, rules.operands)
    except (ValueError, TypeError, KeyError) as error:
        why = f"Installation {name}: its stored facts cannot be read, and stay as they are. {error}"
        return _Worked(name, None, [], 0, [Refusal(name, one.process_id, why) for one in asked])
    entries: list[Entry] = []
    refusals: list[Refusal] = []
    known = 0
    for _group, members in groupby(asked, key=lambda one: one.group or one.process_id):
        calls = list(members)
        before = [one for one in calls if one.process_id in noted and noted[one.process_id] == _plain(one.call)]
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
    return _Worked(name, None if installation is first else installation, entries, known, refusals)


def _plain(call: Call) -> object:
    """A call as the journal gives it back."""
    return json.loads(_json(row_of(call)))


def _first_line(error: Exception) -> str:
    """What PostgreSQL says, without the values."""
    return str(getattr(error, "orig", error)).partition("\n")[0]


def _written(installations: Sequence[Installation]) -> str:
    return _json(
        [
            {"installation": one.id, "slices": [_row(row) for row in one.rows()], "contracts": contract_rows(one)}
            for one in installations
        ]
    )


def _noted(name: str, entry: Entry) -> tuple[object, ...]:
    """The columns of a journal entry, JSON as text."""
    removed: list[dict[str, Any]] = []
    added: list[dict[str, Any]] = []
    for change in entry.changes:
        gone, new = change.difference
        removed += [_row(row) for row in gone]
        added += [_row(row) for row in new]
    followed = [[one.point, one.contract, one.old.isoformat(), one.new.isoformat()] for one in entry.followed]
    documents = (entry.log, followed, [row_of(call) for call in entry.follow_ups], removed, added)
    call = _json(row_of(entry.call))
    return name, entry.process_id, call, entry.full_generation, entry.reason, *map(_json, documents)


def _row(row: SliceRow) -> dict[str, Any]:
    told = slice_row(row)
    if row.fact.cut_by_move_out:
        told["mauszug"] = True
    return told


_json = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"), default=float).encode
"""JSON as the tables keep it; decimal numbers as JSON's."""


def _parts(names: Sequence[str], size: int) -> Iterator[list[str]]:
    rest = iter(names)
    while part := list(islice(rest, size)):
        yield part
