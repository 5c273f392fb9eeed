"""The tables of supervision and of the operators' pages: states of interactions, alarms, mails, sessions."""

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import JSONB

from integration_assets.cache.tables import metadata

_INSTANT = sa.DateTime(timezone=True)

interactions_erpcrm = sa.Table(
    "interactions_erpcrm",
    metadata,
    sa.Column("folder", sa.Text, primary_key=True),
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
)
"""The state of the interactions of each folder (dossier) as the supervision process saw it last: what pages show.

The columns are those of `domain.supervision.interactions.Interactions`."""

alarm = sa.Table(
    "alarm",
    metadata,
    sa.Column("alarm_id", sa.BigInteger, sa.Identity(always=True), primary_key=True),
    sa.Column("folder", sa.Text, nullable=False),
    sa.Column("kind", sa.Text, nullable=False),
    sa.Column("subject", sa.Text, nullable=False),
    sa.Column("severity", sa.Text, nullable=False),
    sa.Column("text", sa.Text, nullable=False),
    sa.Column("began_at", _INSTANT, nullable=False),
    sa.Column("seen_at", _INSTANT, nullable=False),
    sa.Column("ended_at", _INSTANT),
)
"""Anomalies from when to when: one row from the first run that sees it to the first that does not.

`folder` is empty where the anomaly is none of a folder (a job of Dagster that fails: `subject`)."""
sa.Index(
    "uq_alarm_open",
    alarm.c.folder,
    alarm.c.kind,
    alarm.c.subject,
    unique=True,
    postgresql_where=sa.text("ended_at IS NULL"),
)

acknowledgement = sa.Table(
    "acknowledgement",
    metadata,
    sa.Column("acknowledgement_id", sa.BigInteger, sa.Identity(always=True), primary_key=True),
    sa.Column("subject_kind", sa.Text, nullable=False),
    sa.Column("subject_key", sa.Text, nullable=False),
    sa.Column("by", sa.Text, nullable=False),
    sa.Column("reason", sa.Text, nullable=False),
    sa.Column("at", _INSTANT, nullable=False),
    sa.Column("until", _INSTANT),
    sa.Column("withdrawn_at", _INSTANT),
    sa.Column("withdrawn_by", sa.Text),
)
"""Who took note of a rejection, a delivery or an alarm, and why: for good, or `until` an instant (snoozed).

At most one stands per subject; one that is replaced or taken back is withdrawn and stays for those who ask."""
sa.Index(
    "uq_acknowledgement_standing",
    acknowledgement.c.subject_kind,
    acknowledgement.c.subject_key,
    unique=True,
    postgresql_where=sa.text("withdrawn_at IS NULL"),
)

mail_outbox = sa.Table(
    "mail_outbox",
    metadata,
    sa.Column("mail_id", sa.BigInteger, sa.Identity(always=True), primary_key=True),
    sa.Column("message_id", sa.Text, nullable=False, unique=True),
    sa.Column("cause", sa.Text, nullable=False, unique=True),
    sa.Column("folder", sa.Text, nullable=False),
    sa.Column("alarm_id", sa.BigInteger, index=True),
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
)
"""Mails from the moment they are decided on: queued, sending, sent, or given_up.

`cause` names what the mail is about and which one of it this is: a mail is queued once. `doubted` counts how often the
process died while it was sending, so that the server may have the mail twice, under one Message-ID."""
sa.Index(
    "ix_mail_outbox_next_attempt_at",
    mail_outbox.c.next_attempt_at,
    postgresql_where=sa.text("state IN ('queued', 'sending')"),
)

web_session = sa.Table(
    "web_session",
    metadata,
    sa.Column("token_hash", sa.Text, primary_key=True),
    sa.Column("user_name", sa.Text, nullable=False),
    sa.Column("roles", sa.ARRAY(sa.Text), nullable=False),
    sa.Column("began_at", _INSTANT, nullable=False),
    sa.Column("seen_at", _INSTANT, nullable=False),
    sa.Column("ends_at", _INSTANT, nullable=False, index=True),
)
"""Who is logged in to the pages, under the hash (SHA-256) of the token that the browser has."""
