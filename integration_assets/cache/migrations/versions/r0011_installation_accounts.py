"""Installation accounts, the billing contracts that they show, and those that wait for something."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0011"
down_revision = "0010"

_INSTANT = sa.DateTime(timezone=True)
_NOW = sa.func.now()
_NO_TEXTS = sa.text("'{}'::text[]")
_STANDING = sa.text("superseded_by IS NULL AND NOT is_double")
_TEXTS = (
    "status", "customer_number", "utility", "address_line", "address_id", "meter_number", "meter_type", "product",
    "tariff_facts", "billing_line", "billing_address_id",
)  # fmt: skip


def upgrade() -> None:
    """Three tables with their indexes."""
    _accounts()
    _contracts()
    op.create_table(
        "account_waiting",
        sa.Column("customer_number", sa.Text, nullable=False),
        sa.Column("installation", sa.Text, nullable=False),
        sa.Column("supply_area", sa.Text, nullable=False),
        sa.Column("missing", sa.ARRAY(sa.Text), nullable=False),
        sa.Column("since", sa.Date, nullable=False),
        sa.PrimaryKeyConstraint("customer_number", "installation", name="pk_account_waiting"),
    )
    op.create_index("ix_account_waiting_supply_area", "account_waiting", ["supply_area"])


def _accounts() -> None:
    name = "installation_account"
    op.create_table(
        name,
        sa.Column("account_id", sa.Text, nullable=False),
        sa.Column("party_id", sa.Text, nullable=False),
        sa.Column("installation", sa.Text),
        sa.Column("market_location", sa.Text),
        sa.Column("supply_area", sa.Text, nullable=False),
        sa.Column("superseded_by", sa.Text),
        sa.Column("is_double", sa.Boolean, nullable=False, server_default=sa.false()),
        *(sa.Column(column, sa.Text) for column in _TEXTS),
        sa.Column("contract_start", sa.Date),
        sa.Column("contract_end", sa.Date),
        sa.Column("open_collection", sa.Boolean),
        sa.Column("user_fields", JSONB, nullable=False, server_default=sa.text("'{}'::jsonb")),
        sa.Column("issues", sa.ARRAY(sa.Text), nullable=False, server_default=_NO_TEXTS),
        sa.Column("mark_reasons", sa.ARRAY(sa.Text), nullable=False, server_default=_NO_TEXTS),
        sa.Column("mark_version", sa.BigInteger, nullable=False, server_default="0"),
        sa.Column("marked_at", _INSTANT),
        sa.Column("left_version", sa.BigInteger),
        sa.Column("last_calculated_on", sa.Date),
        sa.Column("last_calculated_at", _INSTANT),
        sa.Column("linked_stamp", sa.Text),
        sa.Column("next_begins_on", sa.Date),
        sa.Column("next_ended_on", sa.Date),
        sa.Column("created_at", _INSTANT, nullable=False, server_default=_NOW),
        sa.Column("changed_at", _INSTANT, nullable=False, server_default=_NOW),
        sa.PrimaryKeyConstraint("account_id", name=f"pk_{name}"),
    )
    for column in ("installation", "market_location"):
        op.create_index(f"uq_{name}_{column}", name, ["party_id", column], unique=True, postgresql_where=_STANDING)
    for column in ("party_id", "installation", "supply_area"):
        op.create_index(f"ix_{name}_{column}", name, [column])
    op.create_index(
        f"ix_{name}_marked", name, ["supply_area"], postgresql_where=sa.text("mark_reasons <> '{}'::text[]")
    )


def _contracts() -> None:
    op.create_table(
        "account_contract",
        sa.Column("customer_number", sa.Text, nullable=False),
        sa.Column("installation", sa.Text, nullable=False),
        sa.Column("account_id", sa.Text, nullable=False),
        sa.Column("supply_area", sa.Text, nullable=False),
        sa.Column("party_id", sa.Text, nullable=False),
        sa.Column("consumption_place", sa.BigInteger),
        sa.Column("market_location", sa.Text),
        sa.Column("start", sa.Date),
        sa.Column("end", sa.Date),
        sa.Column("address_line", sa.Text),
        sa.Column("address_id", sa.Text),
        sa.Column("billing_line", sa.Text),
        sa.Column("billing_address_id", sa.Text),
        sa.Column("changed_at", _INSTANT, nullable=False, server_default=_NOW),
        sa.PrimaryKeyConstraint("customer_number", "installation", name="pk_account_contract"),
    )
    for column in ("account_id", "supply_area"):
        op.create_index(f"ix_account_contract_{column}", "account_contract", [column])
