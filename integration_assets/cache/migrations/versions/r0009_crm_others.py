"""Rows that the CRM had before us, and runs that may change more than the limits allow."""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"


def upgrade() -> None:
    """The tables adopted_row and let_through."""
    op.create_table(
        "adopted_row",
        sa.Column("entity", sa.Text, nullable=False),
        sa.Column("row_id", sa.Text, nullable=False),
        sa.Column("object_id", sa.Text, nullable=False),
        sa.Column("business_key", sa.Text),
        sa.Column("taken", sa.Boolean, nullable=False),
        sa.Column("adopted_on", sa.Date, nullable=False),
        sa.PrimaryKeyConstraint("entity", "row_id", name="pk_adopted_row"),
    )
    op.create_index(
        "uq_adopted_row_object_id", "adopted_row", ["object_id"], unique=True, postgresql_where=sa.text("taken")
    )
    op.create_table(
        "let_through",
        sa.Column("let_through_id", sa.BigInteger, sa.Identity(always=True), nullable=False),
        sa.Column("system", sa.Text, nullable=False),
        sa.Column("entity", sa.Text, nullable=False),
        sa.Column("areas", sa.ARRAY(sa.Text), nullable=False),
        sa.Column("most", sa.BigInteger, nullable=False),
        sa.Column("given_by", sa.Text, nullable=False),
        sa.Column("why", sa.Text, nullable=False),
        sa.Column("given_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("areas_left", sa.ARRAY(sa.Text), nullable=False),
        sa.Column("most_left", sa.BigInteger, nullable=False),
        sa.Column("run_ids", sa.ARRAY(sa.Text), nullable=False, server_default=sa.text("'{}'::text[]")),
        sa.PrimaryKeyConstraint("let_through_id", name="pk_let_through"),
    )
