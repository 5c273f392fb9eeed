"""What operators corrected of the past of registry objects."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    """One table."""
    op.create_table(
        "history_correction",
        sa.Column("correction_id", sa.BigInteger, sa.Identity(always=True), nullable=False),
        sa.Column("entity", sa.Text, nullable=False),
        sa.Column("object_id", sa.Text, nullable=False),
        sa.Column("customer_number", sa.Text),
        sa.Column("installation_number", sa.Text),
        sa.Column("field", sa.Text, nullable=False),
        sa.Column("since", sa.Date),
        sa.Column("corrected_by", sa.Text, nullable=False),
        sa.Column("note", sa.Text),
        sa.Column("corrected_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("correction_id", name="pk_history_correction"),
    )
