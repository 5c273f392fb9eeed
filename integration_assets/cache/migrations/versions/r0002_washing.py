"""Evidence of address washing, decisions of operators about what no rule resolves, and the category of addresses."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0002"
down_revision = "0001"

INSTANT = sa.DateTime(timezone=True)


def upgrade() -> None:
    """Two new tables, and a column of each table of resolved addresses."""
    for table in ("consumption_addresses", "billing_addresses", "installation_addresses"):
        op.add_column(f"resolved_{table}", sa.Column("category", sa.Text))
    op.create_table(
        "washing",
        sa.Column("kind", sa.Text, nullable=False),
        sa.Column("text", sa.Text, nullable=False),
        sa.Column("normalized", sa.Text),
        sa.Column("category", sa.Text, nullable=False),
        sa.Column("outcome", sa.Text, nullable=False),
        sa.Column("method", sa.Text),
        sa.Column("unit_id", sa.Text),
        sa.Column("access_id", sa.Text),
        sa.Column("evidence", JSONB, nullable=False),
        sa.Column("generation", sa.BigInteger, nullable=False),
        sa.Column("rule_version", sa.Text, nullable=False),
        sa.Column("washed_at", INSTANT, nullable=False),
        sa.Column("before", JSONB),
        sa.Column("changed_at", INSTANT),
        sa.PrimaryKeyConstraint("kind", "text", name="pk_washing"),
    )
    op.create_table(
        "address_decision",
        sa.Column("kind", sa.Text, nullable=False),
        sa.Column("normalized", sa.Text, nullable=False),
        sa.Column("address_id", sa.Text),
        sa.Column("decided_by", sa.Text, nullable=False),
        sa.Column("note", sa.Text),
        sa.Column("decided_at", INSTANT, nullable=False),
        sa.PrimaryKeyConstraint("kind", "normalized", name="pk_address_decision"),
    )
