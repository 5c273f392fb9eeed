"""Rows of recalls as the stores read and write them: locked in the order of their ids, written in one statement."""

import json
from collections.abc import Collection, Sequence
from datetime import date, datetime
from typing import Any, Final, NamedTuple

import sqlalchemy as sa

from integration_assets.domain.claims.numbering import ActionContent
from integration_assets.domain.claims.states import Outcome, Situation, State

_LOCK = """
SELECT a.action_id, a.claim_id, a.main_claim_id, a.reason, a.reason_text, a.effective_from, a.state, a.held_in,
  a.outcome, a.status_at, a.delivery_id, coalesce(d.tries, 0) AS tries
FROM recall_action AS a LEFT JOIN recall_delivery AS d USING (delivery_id)
WHERE a.action_id = ANY(:ids) ORDER BY a.action_id FOR UPDATE OF a
"""

_WRITE = """
UPDATE recall_action AS a SET state = n.state, held_in = n.held_in, outcome = n.outcome, status_at = n.status_at,
  error_number = CASE WHEN n.told THEN n.error_number ELSE a.error_number END,
  note = CASE WHEN n.told THEN n.note ELSE a.note END, changed_at = :now
FROM json_to_recordset(CAST(:rows AS json)) AS n(action_id bigint, state text, held_in text, outcome text,
  status_at timestamptz, told boolean, error_number int, note text)
WHERE a.action_id = n.action_id
"""

_NOTE_ISSUES = """
INSERT INTO claim_issue (kind, subject, claim_id, text, message_id, found_at)
SELECT kind, subject, claim_id, text, message_id, :now
FROM json_to_recordset(CAST(:rows AS json)) AS n(kind text, subject text, claim_id bigint, text text, message_id text)
ON CONFLICT (kind, subject, text) WHERE closed_at IS NULL DO NOTHING
"""


_LONGEST_TEXT: Final = 600
"""Characters of an issue. Its text is part of an index, an entry of which has 2704 bytes at most."""


class Recall(NamedTuple):
    """A recall as it is stored, with the failed tries of its delivery."""

    action_id: int
    claim_id: int
    main_claim_id: int
    reason: str
    reason_text: str | None
    effective_from: date | None
    delivery_id: int | None
    situation: Situation

    def content(self, as_of: date) -> ActionContent:
        """What the action asks for, on a business day where no other was given or sent."""
        return ActionContent(self.action_id, self.claim_id, self.reason, self.reason_text, self.effective_from or as_of)


class Change(NamedTuple):
    """A recall and what it is now; with `told` its error number and note are new too."""

    action_id: int
    situation: Situation
    told: bool = False
    error_number: int | None = None
    note: str | None = None


class Issue(NamedTuple):
    """What a person must look at. `subject` names what it is about; the same open issue is noted once."""

    kind: str
    subject: str
    text: str
    claim_id: int | None = None
    message_id: str | None = None


def locked(connection: sa.Connection, action_ids: Collection[int]) -> dict[int, Recall]:
    """The recalls of these ids, locked until the transaction ends."""
    rows = connection.execute(sa.text(_LOCK), {"ids": sorted(action_ids)})
    return {row.action_id: recall_of(row) for row in rows}


def recall_of(row: Any) -> Recall:
    """A row of the lock's columns as a value."""
    held = None if row.held_in is None else State(row.held_in)
    situation = Situation(State(row.state), row.tries, Outcome(row.outcome), row.status_at, held)
    return Recall(
        row.action_id,
        row.claim_id,
        row.main_claim_id,
        row.reason,
        row.reason_text,
        row.effective_from,
        row.delivery_id,
        situation,
    )


def write(connection: sa.Connection, changes: Sequence[Change], now: datetime) -> None:
    """Stores what recalls are now."""
    if not changes:
        return
    rows = [
        {
            "action_id": change.action_id,
            "state": change.situation.state,
            "held_in": change.situation.held_in,
            "outcome": change.situation.outcome,
            "status_at": None if change.situation.status_at is None else change.situation.status_at.isoformat(),
            "told": change.told,
            "error_number": change.error_number,
            "note": change.note,
        }
        for change in changes
    ]
    connection.execute(sa.text(_WRITE), {"rows": json.dumps(rows), "now": now})


def note_issues(connection: sa.Connection, issues: Sequence[Issue], now: datetime) -> None:
    """Notes what a person must look at, unless it stands there open already."""
    if issues:
        rows = json.dumps([_shortened(issue)._asdict() for issue in dict.fromkeys(issues)])
        connection.execute(sa.text(_NOTE_ISSUES), {"rows": rows, "now": now})


def _shortened(issue: Issue) -> Issue:
    if len(issue.text) <= _LONGEST_TEXT:
        return issue
    return issue._replace(text=f"{issue.text[: _LONGEST_TEXT - 1]}…")
