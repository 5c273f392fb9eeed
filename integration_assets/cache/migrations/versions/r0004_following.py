"""Following the registers: what is to be asked again, numbers that were replaced, subscriptions, event deliveries."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    """Columns of the registers' answers and three new tables."""
    for column in (
        sa.Column("marked", sa.Integer, nullable=False, server_default="0"),
        sa.Column("answered", sa.Integer, nullable=False, server_default="0"),
        sa.Column("again_until", sa.Date),
        sa.Column("to_deliver", sa.Boolean, nullable=False, server_default=sa.false()),
    ):
        op.add_column("register_answer", column)
    op.create_table(
        "person_alias",
        sa.Column("subject", sa.Text, nullable=False),
        sa.Column("known_as", sa.Text, nullable=False),
        sa.Column("party_id", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("subject", name="pk_person_alias"),
    )
    op.create_table(
        "person_subscription",
        sa.Column("number_subject", sa.Text, nullable=False),
        sa.Column("subject", sa.Text, nullable=False),
        sa.Column("number", sa.LargeBinary, nullable=False),
        sa.Column("since", sa.Date, nullable=False),
        sa.PrimaryKeyConstraint("number_subject", name="pk_person_subscription"),
    )
    op.create_table(
        "event_cursor",
        sa.Column("source", sa.Text, nullable=False),
        sa.Column("cursor", sa.Text, nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False, server_default=sa.func.now()),
        sa.PrimaryKeyConstraint("source", name="pk_event_cursor"),
    )
