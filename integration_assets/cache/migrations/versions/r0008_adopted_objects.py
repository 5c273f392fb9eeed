"""Objects that the registry had before us, under ids of its own."""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"


def upgrade() -> None:
    """The table adopted_object with its indexes."""
    op.create_table(
        "adopted_object",
        sa.Column("registry_id", sa.Text, nullable=False),
        sa.Column("entity", sa.Text, nullable=False),
        sa.Column("lora_class", sa.Text, nullable=False),
        sa.Column("object_id", sa.Text),
        sa.Column("business_key", sa.Text),
        sa.Column("supply_area", sa.Text),
        sa.Column("superseded", sa.Boolean, nullable=False),
        sa.Column("adopted_on", sa.Date, nullable=False),
        sa.PrimaryKeyConstraint("registry_id", name="pk_adopted_object"),
    )
    op.create_index(
        "uq_adopted_object_id", "adopted_object", ["object_id"], unique=True, postgresql_where=sa.text("NOT superseded")
    )
    op.create_index("ix_adopted_object_supply_area", "adopted_object", ["supply_area"])
