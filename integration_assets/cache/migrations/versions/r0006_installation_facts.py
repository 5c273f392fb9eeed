"""Installation facts and the journal of their processes; a view that shows the slices one by one."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0006"
down_revision = "0005"

_EMPTY = sa.text("'[]'::jsonb")
_NOW = sa.func.now()

FACT_SLICE = """
CREATE VIEW fact_slice AS
SELECT f.installation, s.operand, coalesce(s.season, '') AS season, s.ab AS valid_from, s.bis AS valid_to, s.value,
       s.inactive, s.binding, s.contract, s.product, s.process, s.altbis AS previous_valid_to,
       coalesce(s.mauszug, false) AS cut_by_move_out, s.billed_until
FROM installation_fact AS f,
     jsonb_to_recordset(f.slices) AS s(operand text, season text, ab date, bis date, value jsonb, inactive boolean,
                                       binding text, contract text, product text, process text, altbis date,
                                       mauszug boolean, billed_until date)
"""


def upgrade() -> None:
    """Two tables and a view."""
    op.create_table(
        "installation_fact",
        sa.Column("installation", sa.Text, nullable=False),
        sa.Column("slices", JSONB, nullable=False, server_default=_EMPTY),
        sa.Column("contracts", JSONB, nullable=False, server_default=_EMPTY),
        sa.Column("changed_at", sa.DateTime(timezone=True), nullable=False, server_default=_NOW),
        sa.PrimaryKeyConstraint("installation", name="pk_installation_fact"),
    )
    op.create_table(
        "fact_journal",
        sa.Column("entry_id", sa.BigInteger, sa.Identity(always=True), nullable=False),
        sa.Column("installation", sa.Text, nullable=False),
        sa.Column("process_id", sa.Text, nullable=False),
        sa.Column("call", JSONB, nullable=False),
        sa.Column("full_generation", sa.Boolean),
        sa.Column("reason", sa.Text, nullable=False),
        sa.Column("log", JSONB, nullable=False),
        sa.Column("hooks", JSONB, nullable=False),
        sa.Column("follow_ups", JSONB, nullable=False),
        sa.Column("removed", JSONB, nullable=False),
        sa.Column("added", JSONB, nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False, server_default=_NOW),
        sa.PrimaryKeyConstraint("entry_id", name="pk_fact_journal"),
        sa.UniqueConstraint("installation", "process_id", name="uq_fact_journal_process"),
    )
    op.execute(FACT_SLICE)
