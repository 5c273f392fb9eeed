"""Indexes by which the pages find what waits and what belongs to a number; who is logged in to them."""

from typing import Any, Final

import sqlalchemy as sa
from alembic import op

revision = "0013"
down_revision = "0012"

_OPEN: Final[dict[str, Any]] = {"postgresql_where": sa.text("closed_on IS NULL")}
_FAILED: Final[dict[str, Any]] = {"postgresql_where": sa.text("state IN ('failed', 'refused')")}
_INSTANT = sa.DateTime(timezone=True)


def upgrade() -> None:
    """Ten indexes of the worklist and of look-ups by number, four of the billing system's rows; web_session."""
    age = ["first_on", "rejection_id"]
    op.create_index("ix_rejection_open", "rejection", age, **_OPEN)
    for chosen in ("reason", "supply_area", "asset"):
        op.create_index(f"ix_rejection_open_{chosen}", "rejection", [chosen, *age], **_OPEN)
    op.create_index("ix_rejection_customer_number", "rejection", ["customer_number"])
    op.create_index(
        "ix_rejection_record_key", "rejection", ["record_key"], postgresql_ops={"record_key": "text_pattern_ops"}
    )
    age = ["desired_at", "system", "entity", "object_id"]
    op.create_index("ix_delivery_failed", "delivery", age, **_FAILED)
    op.create_index("ix_delivery_failed_error_code", "delivery", ["error_code", *age], **_FAILED)
    op.create_index("ix_delivery_business_key", "delivery", ["business_key"])
    for table, column in (
        ("kmd_ee_customers", "customer_number"),
        ("kmd_ee_customers", "consumption_place_id"),
        ("kmd_ee_installations", "installation_number"),
        ("kmd_ee_installations", "consumption_place_id"),
    ):
        op.create_index(f"ix_{table}_{column}", table, [column])
    op.create_table(
        "web_session",
        sa.Column("token_hash", sa.Text, nullable=False),
        sa.Column("user_name", sa.Text, nullable=False),
        sa.Column("roles", sa.ARRAY(sa.Text), nullable=False),
        sa.Column("began_at", _INSTANT, nullable=False),
        sa.Column("seen_at", _INSTANT, nullable=False),
        sa.Column("ends_at", _INSTANT, nullable=False),
        sa.PrimaryKeyConstraint("token_hash", name="pk_web_session"),
    )
    op.create_index("ix_web_session_ends_at", "web_session", ["ends_at"])
