"""State of the interactions by folder, alarms, acknowledgements, and the mails about them."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0012"
down_revision = "0010"

_INSTANT = sa.DateTime(timezone=True)


def upgrade() -> None:
    """The tables of supervision, and indexes for what supervision asks the journal and the answers."""
    _interactions()
    _alarms()
    _mails()
    op.create_index("ix_journal_step_ended_at", "journal", ["step", "ended_at"])
    op.create_index("ix_register_answer_as_of", "register_answer", ["as_of"], postgresql_where=sa.text("to_deliver"))


def _interactions() -> None:
    op.create_table(
        "interactions_erpcrm",
        sa.Column("folder", sa.Text, nullable=False),
        sa.Column("crm_project", sa.Text, nullable=False),
        sa.Column("created_at", _INSTANT, nullable=False),
        sa.Column("refreshed_at", _INSTANT, nullable=False),
        sa.Column("stale_at", _INSTANT, nullable=False),
        sa.Column("period_minutes", sa.Integer, nullable=False),
        sa.Column("frequency_min", sa.Integer, nullable=False),
        sa.Column("alert_delay_min", sa.Integer, nullable=False),
        sa.Column("last_sync_at", _INSTANT),
        sa.Column("state", sa.Text, nullable=False),
        sa.Column("syncs_today", sa.Integer, nullable=False),
        sa.Column("installations_today_not_ok", sa.Integer, nullable=False),
        sa.Column("installations_not_ok", sa.Integer, nullable=False),
        sa.Column("notifications_not_ok", sa.Integer, nullable=False),
        sa.Column("runs_with_rejections", sa.Integer, nullable=False),
        sa.Column("documents_not_ok", sa.Integer, nullable=False),
        sa.Column("last_mail_at", _INSTANT),
        sa.Column("severity", sa.Text, nullable=False),
        sa.Column("open_alarms", sa.Integer, nullable=False),
        sa.Column("last_outcome", sa.Text),
        sa.Column("consecutive_failures", sa.Integer, nullable=False),
        sa.Column("rejection_share", sa.Double),
        sa.Column("volume", sa.BigInteger),
        sa.Column("usual_volume", sa.BigInteger),
        sa.Column("entities", JSONB, nullable=False),
        sa.Column("paused", sa.Boolean, nullable=False, server_default=sa.false()),
        sa.Column("paused_by", sa.Text),
        sa.Column("paused_reason", sa.Text),
        sa.Column("paused_until", _INSTANT),
        sa.PrimaryKeyConstraint("folder", name="pk_interactions_erpcrm"),
    )


def _alarms() -> None:
    op.create_table(
        "alarm",
        sa.Column("alarm_id", sa.BigInteger, sa.Identity(always=True), nullable=False),
        sa.Column("folder", sa.Text, nullable=False),
        sa.Column("kind", sa.Text, nullable=False),
        sa.Column("subject", sa.Text, nullable=False),
        sa.Column("severity", sa.Text, nullable=False),
        sa.Column("text", sa.Text, nullable=False),
        sa.Column("began_at", _INSTANT, nullable=False),
        sa.Column("seen_at", _INSTANT, nullable=False),
        sa.Column("ended_at", _INSTANT),
        sa.PrimaryKeyConstraint("alarm_id", name="pk_alarm"),
    )
    op.create_index(
        "uq_alarm_open",
        "alarm",
        ["folder", "kind", "subject"],
        unique=True,
        postgresql_where=sa.text("ended_at IS NULL"),
    )
    op.create_table(
        "acknowledgement",
        sa.Column("acknowledgement_id", sa.BigInteger, sa.Identity(always=True), nullable=False),
        sa.Column("subject_kind", sa.Text, nullable=False),
        sa.Column("subject_key", sa.Text, nullable=False),
        sa.Column("by", sa.Text, nullable=False),
        sa.Column("reason", sa.Text, nullable=False),
        sa.Column("at", _INSTANT, nullable=False),
        sa.Column("until", _INSTANT),
        sa.Column("withdrawn_at", _INSTANT),
        sa.Column("withdrawn_by", sa.Text),
        sa.PrimaryKeyConstraint("acknowledgement_id", name="pk_acknowledgement"),
    )
    op.create_index(
        "uq_acknowledgement_standing",
        "acknowledgement",
        ["subject_kind", "subject_key"],
        unique=True,
        postgresql_where=sa.text("withdrawn_at IS NULL"),
    )


def _mails() -> None:
    op.create_table(
        "mail_outbox",
        sa.Column("mail_id", sa.BigInteger, sa.Identity(always=True), nullable=False),
        sa.Column("message_id", sa.Text, nullable=False),
        sa.Column("cause", sa.Text, nullable=False),
        sa.Column("folder", sa.Text, nullable=False),
        sa.Column("alarm_id", sa.BigInteger),
        sa.Column("recipients", sa.ARRAY(sa.Text), nullable=False),
        sa.Column("subject", sa.Text, nullable=False),
        sa.Column("body", sa.Text, nullable=False),
        sa.Column("created_at", _INSTANT, nullable=False),
        sa.Column("state", sa.Text, nullable=False),
        sa.Column("attempts", sa.Integer, nullable=False, server_default="0"),
        sa.Column("next_attempt_at", _INSTANT, nullable=False),
        sa.Column("claimed_at", _INSTANT),
        sa.Column("sent_at", _INSTANT),
        sa.Column("doubted", sa.Integer, nullable=False, server_default="0"),
        sa.Column("error_text", sa.Text),
        sa.PrimaryKeyConstraint("mail_id", name="pk_mail_outbox"),
        sa.UniqueConstraint("message_id", name="uq_mail_outbox_message_id"),
        sa.UniqueConstraint("cause", name="uq_mail_outbox_cause"),
    )
    op.create_index(
        "ix_mail_outbox_next_attempt_at",
        "mail_outbox",
        ["next_attempt_at"],
        postgresql_where=sa.text("state IN ('queued', 'sending')"),
    )
    op.create_index("ix_mail_outbox_alarm_id", "mail_outbox", ["alarm_id"])
