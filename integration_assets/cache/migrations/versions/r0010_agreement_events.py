"""Events of agreements, what was followed of them, tariff books, and facts in a more compact form."""

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

NO_FACTS = """'{"by": [], "lines": []}'::jsonb"""

COMPACT = """
UPDATE installation_fact AS f SET slices = (
  SELECT jsonb_build_object(
    'by', coalesce(jsonb_agg(jsonb_build_array(s.binding, s.contract, s.product, s.process) ORDER BY s.n), '[]'),
    'lines', coalesce(jsonb_agg(jsonb_build_array(s.operand, coalesce(s.season, ''), s.pieces) ORDER BY s.n), '[]'))
  FROM (
    SELECT o.*, jsonb_build_array(jsonb_build_array(
             o.ab, nullif(o.bis, '9999-12-31'), o.value, o.n - 1, coalesce(o.inactive, false)::int, o.altbis,
             coalesce(o.mauszug, false)::int, o.billed_until)) AS pieces
    FROM ROWS FROM (jsonb_to_recordset(f.slices) AS (
           operand text, season text, ab date, bis date, value jsonb, inactive boolean, binding text, contract text,
           product text, process text, altbis date, mauszug boolean, billed_until date)
         ) WITH ORDINALITY AS o(operand, season, ab, bis, value, inactive, binding, contract, product, process, altbis,
                                mauszug, billed_until, n)) AS s)
"""

CHANGED = """
UPDATE fact_journal AS j SET {side} = (
  SELECT coalesce(jsonb_agg(jsonb_build_array(
           s.operand, coalesce(s.season, ''), s.ab, nullif(s.bis, '9999-12-31'), s.value, s.binding, s.contract,
           s.product, s.process, coalesce(s.inactive, false)::int, s.altbis, coalesce(s.mauszug, false)::int,
           s.billed_until)), '[]')
  FROM jsonb_to_recordset(j.{side}) AS s(
    operand text, season text, ab date, bis date, value jsonb, inactive boolean, binding text, contract text,
    product text, process text, altbis date, mauszug boolean, billed_until date))
"""

FACT_SLICE = """
CREATE VIEW fact_slice AS
SELECT f.installation, l.line ->> 0 AS operand, l.line ->> 1 AS season, (s.slice ->> 0)::date AS valid_from,
       coalesce(s.slice ->> 1, '9999-12-31')::date AS valid_to, s.slice -> 2 AS value,
       coalesce(s.slice ->> 4, '0') = '1' AS inactive,
       f.slices -> 'by' -> (s.slice ->> 3)::int ->> 0 AS binding,
       f.slices -> 'by' -> (s.slice ->> 3)::int ->> 1 AS contract,
       f.slices -> 'by' -> (s.slice ->> 3)::int ->> 2 AS product,
       f.slices -> 'by' -> (s.slice ->> 3)::int ->> 3 AS process,
       (s.slice ->> 5)::date AS previous_valid_to, coalesce(s.slice ->> 6, '0') = '1' AS cut_by_move_out,
       (s.slice ->> 7)::date AS billed_until
FROM installation_fact AS f, jsonb_array_elements(f.slices -> 'lines') AS l(line),
     jsonb_array_elements(l.line -> 2) AS s(slice)
"""


def upgrade() -> None:
    """Three tables and two views; slices of facts are written anew."""
    op.execute("DROP VIEW fact_slice")
    op.execute(COMPACT)
    op.alter_column("installation_fact", "slices", server_default=sa.text(NO_FACTS))
    op.execute(FACT_SLICE)
    for side in ("removed", "added"):
        op.execute(CHANGED.format(side=side))
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
