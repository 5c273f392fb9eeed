"""The tables of claims handed over and of their recalls.

Indexes are on what is open: the cost of a run follows what is to be done, not what was done in years.
"""

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import JSONB

from integration_assets.cache.tables import metadata
from integration_assets.domain.claims.states import CLOSED, WITH_THE_AUTHORITY, State

_INSTANT = sa.DateTime(timezone=True)
_AMOUNT = sa.Numeric(13, 2)


def _listed(states: frozenset[State]) -> str:
    return ", ".join(f"'{state}'" for state in State if state in states)


OPEN = f"state NOT IN ({_listed(CLOSED)})"
"""SQL condition: the recall stands in the way of another one of the same claim."""
UNSETTLED = "state IN ('SENT', 'RETRY_WAIT', 'HOLD', 'MANUAL', 'CHANNEL_STOPPED') AND delivery_id IS NOT NULL"
"""SQL condition: the recall was put into a delivery, and nobody knows yet that it arrived."""
AWAITED = f"state IN ({_listed(WITH_THE_AUTHORITY)})"
"""SQL condition: the authority owes a final status."""

claim = sa.Table(
    "claim",
    metadata,
    sa.Column("claim_id", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("main_claim_id", sa.BigInteger, nullable=False, index=True),
    sa.Column("art", sa.Text, nullable=False),
    sa.Column("type_code", sa.Text, nullable=False),
    sa.Column("creditor_id", sa.BigInteger, nullable=False),
    sa.Column("creditor_ref", sa.Text, nullable=False),
    sa.Column("customer_number", sa.Text, nullable=False),
    sa.Column("period_from", sa.Date),
    sa.Column("period_to", sa.Date),
    sa.Column("amount", _AMOUNT, nullable=False),
    sa.Column("received_on", sa.Date, nullable=False),
    sa.Column("state_refund", sa.Boolean, nullable=False),
    sa.Column("taken_in_at", _INSTANT, nullable=False, server_default=sa.func.now()),
    sa.Column("recalled_for", sa.Text),
    sa.Column("recalled_from", sa.Date),
    sa.Column("recalled_amount", _AMOUNT),
    sa.Column("recalled_on", sa.Date),
    sa.Column("recalled_by", sa.BigInteger),
)
"""A claim that was handed over (fordring), by DMIFordringID, and since when it is recalled, if it is: for which reason,
from which day on, with which amount, on which day by which action. Amounts in DKK."""
sa.Index("ix_claim_open_customer_number", claim.c.customer_number, postgresql_where=sa.text("recalled_for IS NULL"))

claim_movement = sa.Table(
    "claim_movement",
    metadata,
    sa.Column("reference", sa.Text, primary_key=True),
    sa.Column("claim_id", sa.BigInteger, nullable=False),
    sa.Column("kind", sa.Text, nullable=False),
    sa.Column("amount", _AMOUNT, nullable=False),
    sa.Column("effective_on", sa.Date, nullable=False),
)
"""Write-downs and write-ups of claims (nedskrivning, opskrivning) by the ledger; kind written_down or written_up."""

recall_action = sa.Table(
    "recall_action",
    metadata,
    sa.Column("action_id", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("claim_id", sa.BigInteger, nullable=False),
    sa.Column("main_claim_id", sa.BigInteger, nullable=False),
    sa.Column("reason", sa.Text, nullable=False),
    sa.Column("reason_text", sa.Text),
    sa.Column("effective_from", sa.Date),
    sa.Column("origin", sa.Text),
    sa.Column("why", sa.Text, nullable=False),
    sa.Column("proposed_by", sa.Text, nullable=False),
    sa.Column("proposed_at", _INSTANT, nullable=False, server_default=sa.func.now()),
    sa.Column("state", sa.Text, nullable=False, server_default=State.PROPOSED.value),
    sa.Column("held_in", sa.Text),
    sa.Column("outcome", sa.Text, nullable=False, server_default="NOT_SENT"),
    sa.Column("delivery_id", sa.BigInteger),
    sa.Column("sent_at", _INSTANT),
    sa.Column("status_at", _INSTANT),
    sa.Column("changed_at", _INSTANT, nullable=False, server_default=sa.func.now()),
    sa.Column("error_number", sa.Integer),
    sa.Column("note", sa.Text),
)
"""A recall (tilbagekald) of a claim, by MFAktionID; state and outcome as in `domain.claims.states`.

`effective_from` is a day that the caller insists on and, once sent, the day that was sent; `origin` what asked for the
recall, once for each claim. `sent_at` is when it was committed for sending first, `status_at` the authority's time of
the last status applied; `note` says in a sentence what a person must know of it."""
sa.Index("uq_recall_action_open", recall_action.c.claim_id, unique=True, postgresql_where=sa.text(OPEN))
sa.Index("ix_recall_action_open_main_claim_id", recall_action.c.main_claim_id, postgresql_where=sa.text(OPEN))
sa.Index("ix_recall_action_claim_id", recall_action.c.claim_id)
sa.Index(
    "uq_recall_action_origin",
    recall_action.c.claim_id,
    recall_action.c.origin,
    unique=True,
    postgresql_where=sa.text("origin IS NOT NULL"),
)
sa.Index("ix_recall_action_approved", recall_action.c.action_id, postgresql_where=sa.text("state = 'APPROVED'"))
sa.Index("ix_recall_action_unsettled", recall_action.c.delivery_id, postgresql_where=sa.text(UNSETTLED))
sa.Index("ix_recall_action_rejected", recall_action.c.proposed_at, postgresql_where=sa.text("state = 'AFVIST'"))
sa.Index("ix_recall_action_awaited", recall_action.c.sent_at, postgresql_where=sa.text(AWAITED))

recall_decision = sa.Table(
    "recall_decision",
    metadata,
    sa.Column("decision_id", sa.BigInteger, sa.Identity(always=True), primary_key=True),
    sa.Column("action_id", sa.BigInteger, nullable=False, index=True),
    sa.Column("decision", sa.Text, nullable=False),
    sa.Column("decided_by", sa.Text, nullable=False),
    sa.Column("decided_at", _INSTANT, nullable=False, server_default=sa.func.now()),
    sa.Column("note", sa.Text),
)
"""What people decided about recalls: approve, reject, hold, release, ask_again; rows are only added."""

recall_delivery = sa.Table(
    "recall_delivery",
    metadata,
    sa.Column("delivery_id", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("transaction_id", sa.Text, nullable=False),
    sa.Column("outcome", sa.Text, nullable=False),
    sa.Column("tries", sa.Integer, nullable=False, server_default="0"),
    sa.Column("next_attempt_at", _INSTANT),
    sa.Column("made_at", _INSTANT, nullable=False, server_default=sa.func.now()),
)
"""A delivery of recalls (MFLeveranceID): the transaction that carried it last and what is known of that, failed tries
in a row, and when it is sent again; null: it is not."""
sa.Index(
    "ix_recall_delivery_due",
    recall_delivery.c.next_attempt_at,
    postgresql_where=sa.text("next_attempt_at IS NOT NULL"),
)

recall_transaction = sa.Table(
    "recall_transaction",
    metadata,
    sa.Column("transaction_id", sa.Text, primary_key=True),
    sa.Column("delivery_id", sa.BigInteger, nullable=False, index=True),
    sa.Column("action_ids", sa.ARRAY(sa.BigInteger), nullable=False),
    sa.Column("payload_hash", sa.Text, nullable=False),
    sa.Column("content", sa.Text, nullable=False),
    sa.Column("made_at", _INSTANT, nullable=False),
    sa.Column("outcome", sa.Text, nullable=False, server_default="UNKNOWN"),
    sa.Column("answered_at", _INSTANT),
    sa.Column("error_numbers", sa.ARRAY(sa.Integer)),
)
"""One transaction that carries a delivery: the message to the byte, committed before it is sent."""

recall_receipt = sa.Table(
    "recall_receipt",
    metadata,
    sa.Column("action_id", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("claim_id", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("main_claim_id", sa.BigInteger, nullable=False),
    sa.Column("art", sa.Text, nullable=False),
    sa.Column("type_code", sa.Text, nullable=False),
    sa.Column("creditor_ref", sa.Text, nullable=False),
    sa.Column("currency", sa.Text, nullable=False),
    sa.Column("amount", _AMOUNT, nullable=False),
    sa.Column("effective_from", sa.Date),
    sa.Column("interest", JSONB, nullable=False),
    sa.Column("debtors", sa.Integer, nullable=False),
    sa.Column("processed_on", sa.Date, nullable=False),
    sa.Column("message_id", sa.Text, nullable=False),
)
"""What became of each claim by a carried out recall (kvittering). Who is liable stands in the sealed message only."""

claim_message = sa.Table(
    "claim_message",
    metadata,
    sa.Column("message_id", sa.Text, primary_key=True),
    sa.Column("source", sa.Text, nullable=False),
    sa.Column("received_at", _INSTANT, nullable=False, server_default=sa.func.now(), index=True),
    sa.Column("content", sa.LargeBinary, nullable=False),
)
"""Our own archive of the authority's status messages, sealed, by SHA-256 of the content; it keeps them three months."""

claim_issue = sa.Table(
    "claim_issue",
    metadata,
    sa.Column("issue_id", sa.BigInteger, sa.Identity(always=True), primary_key=True),
    sa.Column("kind", sa.Text, nullable=False),
    sa.Column("subject", sa.Text, nullable=False),
    sa.Column("claim_id", sa.BigInteger),
    sa.Column("text", sa.Text, nullable=False),
    sa.Column("message_id", sa.Text),
    sa.Column("found_at", _INSTANT, nullable=False, server_default=sa.func.now()),
    sa.Column("closed_at", _INSTANT),
    sa.Column("closed_by", sa.Text),
)
"""What a person must look at: rejected, orphan, incomplete, contradiction, difference, unreadable,
write_down. `subject` names the action, claim or message."""
sa.Index(
    "uq_claim_issue_open",
    claim_issue.c.kind,
    claim_issue.c.subject,
    claim_issue.c.text,
    unique=True,
    postgresql_where=sa.text("closed_at IS NULL"),
)

claim_channel = sa.Table(
    "claim_channel",
    metadata,
    sa.Column("system", sa.Text, primary_key=True),
    sa.Column("stopped_at", _INSTANT),
    sa.Column("why", sa.Text),
)
"""Whether sending to the authority is stopped until a person has put configuration or rights in order."""
