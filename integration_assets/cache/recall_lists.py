"""Recalls and their issues as people see them: lists, what happened to one of them, what is overdue."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import polars as pl
import sqlalchemy as sa

from integration_assets.cache import recall_rows
from integration_assets.cache.claim_tables import AWAITED, OPEN
from integration_assets.cache.copying import as_number, copy_out

LISTED = pl.Schema(
    {
        "action_id": pl.Int64,
        "claim_id": pl.Int64,
        "reason": pl.String,
        "state": pl.String,
        "outcome": pl.String,
        "creditor_ref": pl.String,
        "customer_number": pl.String,
        "amount": pl.String,
        "why": pl.String,
        "proposed_by": pl.String,
        "proposed_at": pl.Datetime("us", "UTC"),
        "approvals": pl.Int64,
        "sent_at": pl.Datetime("us", "UTC"),
        "error_number": pl.Int64,
        "note": pl.String,
    }
)
"""A recall with its claim (amount in DKK, as text), for people."""

STORY = pl.Schema({"at": pl.Datetime("us", "UTC"), "what": pl.String, "who": pl.String, "told": pl.String})
"""What happened to a recall, in order: proposed, a decision, sent, answered, a receipt; by whom; what it says."""

ISSUES = pl.Schema(
    {
        "issue_id": pl.Int64,
        "kind": pl.String,
        "subject": pl.String,
        "claim_id": pl.Int64,
        "text": pl.String,
        "found_at": pl.Datetime("us", "UTC"),
    }
)

_LIST = """
SELECT a.action_id, a.claim_id, a.reason, a.state, a.outcome, c.creditor_ref, c.customer_number, c.amount, a.why,
  a.proposed_by, {proposed_at},
  (SELECT count(DISTINCT d.decided_by) FROM recall_decision AS d
   WHERE d.action_id = a.action_id AND d.decision = 'approve'),
  {sent_at}, a.error_number, a.note
FROM recall_action AS a LEFT JOIN claim AS c USING (claim_id) WHERE {condition}
"""

_STORY = """
SELECT (extract(epoch FROM at) * 1000000)::bigint, what, who, told FROM (
  SELECT proposed_at AS at, 'proposed' AS what, proposed_by AS who, reason || ': ' || why AS told FROM recall_action
    WHERE action_id = %(action)s
  UNION ALL SELECT decided_at, decision, decided_by, note FROM recall_decision WHERE action_id = %(action)s
  UNION ALL SELECT t.made_at, 'sent', 'transaction ' || t.transaction_id, 'delivery ' || t.delivery_id
    FROM recall_transaction AS t JOIN recall_action AS a USING (delivery_id)
    WHERE a.action_id = %(action)s AND a.action_id = ANY(t.action_ids)
  UNION ALL SELECT t.answered_at, 'answered', 'transaction ' || t.transaction_id,
      t.outcome || coalesce(' ' || nullif(array_to_string(t.error_numbers, ', '), ''), '')
    FROM recall_transaction AS t JOIN recall_action AS a USING (delivery_id)
    WHERE a.action_id = %(action)s AND a.action_id = ANY(t.action_ids) AND t.answered_at IS NOT NULL
  UNION ALL SELECT a.status_at, a.state, 'debt authority', a.note FROM recall_action AS a
    WHERE a.action_id = %(action)s AND a.status_at IS NOT NULL
  UNION ALL SELECT a.status_at, 'receipt', 'claim ' || r.claim_id,
      r.amount || ' ' || r.currency || coalesce(' from ' || r.effective_from, '')
    FROM recall_receipt AS r JOIN recall_action AS a USING (action_id) WHERE r.action_id = %(action)s
) AS story ORDER BY at, what DESC
"""


class RecallLists:
    """What there is to see of recalls."""

    def __init__(self, engine: sa.Engine) -> None:
        self._engine = engine

    def listed(
        self,
        states_wanted: Sequence[str] | None = None,
        action_ids: Sequence[int] | None = None,
        *,
        limit: int | None = None,
        latest: bool = False,
    ) -> pl.DataFrame:
        """Recalls (LISTED) of these states (default: all open ones), or these themselves; with a limit the ones that
        were proposed first, or with `latest` those that changed last, the last first."""
        if action_ids is not None:
            condition, parameters = "a.action_id = ANY(%s)", [list(action_ids)]
        elif states_wanted:
            condition, parameters = "a.state = ANY(%s)", [list(states_wanted)]
        else:
            condition, parameters = f"a.{OPEN}", []
        order = "a.changed_at DESC, a.action_id" if latest else "a.proposed_at, a.action_id"
        return self._read(f"{condition} ORDER BY {order} LIMIT %s", [*parameters, limit])

    def story(self, action_id: int) -> pl.DataFrame:
        """What happened to a recall (STORY), the first first; empty where there is no such action."""
        with self._engine.connect() as connection:
            return copy_out(connection, _STORY, STORY, {"action": action_id})

    def from_agreements(self) -> pl.DataFrame:
        """Recalls that events of agreements asked for and that were not sent yet: action_id, claim_id, state."""
        query = (
            f"SELECT action_id, claim_id, state FROM recall_action WHERE {OPEN} AND state IN ('PROPOSED', 'APPROVED') "
            "AND origin LIKE 'agreement event %'"
        )
        schema = {"action_id": pl.Int64, "claim_id": pl.Int64, "state": pl.String}
        with self._engine.connect() as connection:
            return copy_out(connection, query, schema)

    def overdue(self, before: datetime) -> pl.DataFrame:
        """Recalls (LISTED) that were sent before an instant and have no final status."""
        return self._read(f"a.{AWAITED} AND a.sent_at < %s ORDER BY a.proposed_at, a.action_id", [before])

    def counts(self) -> dict[str, int]:
        """How many open recalls are in each state."""
        query = f"SELECT state, count(*) AS number FROM recall_action WHERE {OPEN} GROUP BY state ORDER BY state"
        with self._engine.connect() as connection:
            return {row.state: row.number for row in connection.execute(sa.text(query))}

    def issues(self) -> pl.DataFrame:
        """What a person must look at (ISSUES), the oldest first."""
        query = (
            f"SELECT issue_id, kind, subject, claim_id, text, {as_number('found_at', pl.Datetime)} FROM claim_issue "
            "WHERE closed_at IS NULL ORDER BY issue_id"
        )
        with self._engine.connect() as connection:
            return copy_out(connection, query, ISSUES)

    def close_issues(self, issue_ids: Sequence[int], by: str, now: datetime) -> int:
        """Closes issues that a person has settled; how many."""
        statement = (
            "UPDATE claim_issue SET closed_at = :now, closed_by = :by WHERE issue_id = ANY(:ids) AND closed_at IS NULL"
        )
        with self._engine.begin() as connection:
            return connection.execute(sa.text(statement), {"ids": list(issue_ids), "by": by, "now": now}).rowcount

    def note_issues(self, issues: Sequence[recall_rows.Issue], now: datetime) -> None:
        """Notes what a person must look at, unless it is noted and open already."""
        with self._engine.begin() as connection:
            recall_rows.note_issues(connection, issues, now)

    def _read(self, condition: str, parameters: Sequence[Any]) -> pl.DataFrame:
        instants = {
            name: f"(extract(epoch FROM a.{name}) * 1000000)::bigint AS {name}" for name in ("proposed_at", "sent_at")
        }
        with self._engine.connect() as connection:
            return copy_out(connection, _LIST.format(condition=condition, **instants), LISTED, parameters)
