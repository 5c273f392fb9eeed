"""The check of the cipher's keys."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"

INSTANT = sa.DateTime(timezone=True)


def upgrade() -> None:
    """One new table."""
    op.create_table(
        "cipher_check",
        sa.Column("key_id", sa.Text, nullable=False),
        sa.Column("sealed", sa.LargeBinary, nullable=False),
        sa.Column("first_used_at", INSTANT, nullable=False, server_default=sa.func.now()),
        sa.Column("retired_at", INSTANT),
        sa.PrimaryKeyConstraint("key_id", name="pk_cipher_check"),
    )
