"""Events of agreements, what was followed of them, and the tariff books with a view of the prices in force."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0010"
down_revision = "0008"

TARIFF_PRICE = """
CREATE VIEW tariff_price AS
SELECT b.version, p.product, p.parameter, nullif(p.valid_from, '')::date AS valid_from, p.value
FROM (SELECT version, document FROM tariff_book ORDER BY version DESC LIMIT 1) AS b,
     jsonb_to_recordset(b.document -> 'prices') AS p(product text, parameter text, valid_from text, value text)
"""


def upgrade() -> None:
    """Three tables and a view."""
    op.create_table(
        "agreement_event",
        sa.Column("event_id", sa.BigInteger, sa.Identity(always=True), nullable=False),
        sa.Column("process_id", sa.Text, nullable=False),
        sa.Column("installation", sa.Text, nullable=False),
        sa.Column("agreement_id", sa.Text, nullable=False),
        sa.Column("customer_number", sa.Text, nullable=False),
        sa.Column("contract", sa.Text, nullable=False),
        sa.Column("supply_area", sa.Text, nullable=False),
        sa.Column("revision", sa.Integer, nullable=False),
        sa.Column("kind", sa.Text, nullable=False),
        sa.Column("day", sa.Date, nullable=False),
        sa.Column("moved_in_before", sa.Date),
        sa.Column("moved_out_before", sa.Date),
        sa.Column("moved_in", sa.Date, nullable=False),
        sa.Column("moved_out", sa.Date),
        sa.Column("product_before", sa.Text),
        sa.Column("product", sa.Text),
        sa.Column("call", JSONB, nullable=False),
        sa.Column("seen_on", sa.Date, nullable=False),
        sa.Column("outcome", sa.Text, nullable=False, server_default="waiting"),
        sa.Column("why", sa.Text),
        sa.Column("settled_on", sa.Date),
        sa.PrimaryKeyConstraint("event_id", name="pk_agreement_event"),
        sa.UniqueConstraint("installation", "process_id", name="uq_agreement_event_process"),
    )
    op.create_index("ix_agreement_event_customer_number", "agreement_event", ["customer_number"])
    op.create_index(
        "ix_agreement_event_open",
        "agreement_event",
        ["supply_area", "installation"],
        postgresql_where=sa.text("outcome IN ('waiting', 'refused')"),
    )
    op.create_table(
        "agreement_followed",
        sa.Column("customer_number", sa.Text, nullable=False),
        sa.Column("installation", sa.Text, nullable=False),
        sa.Column("agreement_id", sa.Text, nullable=False),
        sa.Column("supply_area", sa.Text, nullable=False),
        sa.Column("wanted", sa.Text, nullable=False),
        sa.Column("wanted_life", sa.Integer, nullable=False),
        sa.Column("reached", sa.Text),
        sa.Column("reached_life", sa.Integer),
        sa.Column("revision", sa.Integer, nullable=False),
        sa.Column("seen_on", sa.Date, nullable=False),
        sa.PrimaryKeyConstraint("customer_number", "installation", name="pk_agreement_followed"),
    )
    op.create_index("ix_agreement_followed_supply_area", "agreement_followed", ["supply_area"])
    op.create_index("ix_agreement_followed_installation", "agreement_followed", ["installation"])
    op.create_table(
        "tariff_book",
        sa.Column("version", sa.BigInteger, sa.Identity(always=True), nullable=False),
        sa.Column("fingerprint", sa.Text, nullable=False),
        sa.Column("document", JSONB, nullable=False),
        sa.Column("source", sa.Text, nullable=False),
        sa.Column("loaded_by", sa.Text, nullable=False),
        sa.Column("loaded_at", sa.DateTime(timezone=True), nullable=False, server_default=sa.func.now()),
        sa.PrimaryKeyConstraint("version", name="pk_tariff_book"),
    )
    op.execute(TARIFF_PRICE)
