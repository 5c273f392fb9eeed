"""Reading back by turns: when an object was read last, who is to be revived, and what was found to differ."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0007"
down_revision = "0006"


def upgrade() -> None:
    """Two columns of the deliveries and one new table."""
    op.add_column("delivery", sa.Column("read_on", sa.Date))
    op.add_column("delivery", sa.Column("revive", sa.Boolean, nullable=False, server_default=sa.false()))
    op.create_table(
        "drift",
        sa.Column("system", sa.Text, nullable=False),
        sa.Column("entity", sa.Text, nullable=False),
        sa.Column("object_id", sa.Text, nullable=False),
        sa.Column("business_key", sa.Text, nullable=False),
        sa.Column("kind", sa.Text, nullable=False),
        sa.Column("differences", JSONB, nullable=False),
        sa.Column("registered_at", sa.DateTime(timezone=True)),
        sa.Column("first_on", sa.Date, nullable=False),
        sa.Column("last_on", sa.Date, nullable=False),
        sa.Column("closed_on", sa.Date),
        sa.Column("repairs", sa.Integer, nullable=False, server_default="0"),
        sa.Column("repair_on", sa.Date),
        sa.PrimaryKeyConstraint("system", "entity", "object_id", name="pk_drift"),
    )
