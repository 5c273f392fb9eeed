"""The cache's SQL tables: one per entity table of the domain's registry, and the fixed ones that keep the books."""

from typing import Any

import polars as pl
import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import JSONB

from integration_assets.domain.schema import Column, EntityTable
from integration_assets.domain.tables import ENTITY_TABLES

metadata = sa.MetaData(
    naming_convention={
        "ix": "ix_%(column_0_N_label)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "pk": "pk_%(table_name)s",
    }
)

_INSTANT = sa.DateTime(timezone=True)


def _sql_type(column: Column) -> sa.types.TypeEngine[Any]:
    if column.sealed:
        return sa.LargeBinary()
    types: dict[object, sa.types.TypeEngine[Any]] = {
        pl.String: sa.Text(),
        pl.Int64: sa.BigInteger(),
        pl.Float64: sa.Double(),
        pl.Date: sa.Date(),
        pl.Boolean: sa.Boolean(),
    }
    for dtype, sql_type in types.items():
        if column.dtype == dtype:
            return sql_type
    if column.dtype == pl.Datetime:
        return _INSTANT
    raise TypeError(f"Column {column.name} of type {column.dtype} has no SQL type.")


def _entity_table(table: EntityTable) -> sa.Table:
    """Payload as declared; the primary key is (partition, key).

    `fingerprint` is that of the row's last write, by the algorithm of that day: for people who compare two days. The
    merge trusts `partition_fingerprint` only.
    """
    identity = (table.partition, table.key)
    return sa.Table(
        table.name,
        metadata,
        *(sa.Column(column.name, _sql_type(column), nullable=column.name not in identity) for column in table.columns),
        sa.Column("fingerprint", sa.BigInteger, nullable=False),
        sa.Column("first_seen_at", _INSTANT, nullable=False),
        sa.Column("changed_at", _INSTANT, nullable=False),
        sa.Column("vanished_at", _INSTANT),
        sa.PrimaryKeyConstraint(*identity),
        postgresql_with={"fillfactor": "50"},
    )


entity_tables: dict[str, sa.Table] = {table.name: _entity_table(table) for table in ENTITY_TABLES.values()}
"""The entity tables by SQL name."""

for _table, _looked_up in (
    ("kmd_ee_customers", "customer_number"),
    ("kmd_ee_customers", "consumption_place_id"),
    ("kmd_ee_installations", "installation_number"),
    ("kmd_ee_installations", "consumption_place_id"),
):
    # A person looks up one customer or installation without knowing the supply area.
    sa.Index(f"ix_{_table}_{_looked_up}", entity_tables[_table].c[_looked_up])

partition_fingerprint = sa.Table(
    "partition_fingerprint",
    metadata,
    sa.Column("table_name", sa.Text, primary_key=True),
    sa.Column("area", sa.Text, primary_key=True),
    sa.Column("algorithm", sa.Text, nullable=False),
    sa.Column("packed", sa.LargeBinary, nullable=False),
    sa.Column("row_count", sa.BigInteger, nullable=False),
    sa.Column("updated_at", _INSTANT, nullable=False),
)
"""Key and fingerprint of every living row of a partition, as one Arrow file."""

delivery = sa.Table(
    "delivery",
    metadata,
    sa.Column("system", sa.Text, primary_key=True),
    sa.Column("entity", sa.Text, primary_key=True),
    sa.Column("object_id", sa.Text, primary_key=True),
    sa.Column("business_key", sa.Text, nullable=False),
    sa.Column("areas", sa.ARRAY(sa.Text), nullable=False),
    sa.Column("desired", sa.LargeBinary, nullable=False),
    sa.Column("desired_fingerprint", sa.BigInteger, nullable=False),
    sa.Column("desired_at", _INSTANT, nullable=False),
    sa.Column("delivered", sa.LargeBinary),
    sa.Column("delivered_fingerprint", sa.BigInteger),
    sa.Column("delivered_at", _INSTANT),
    sa.Column("external_ref", sa.Text),
    sa.Column("state", sa.Text, nullable=False),
    sa.Column("attempts", sa.Integer, nullable=False, server_default="0"),
    sa.Column("next_attempt_at", _INSTANT),
    sa.Column("error_code", sa.Text),
    sa.Column("error_text", sa.Text),
    sa.Column("found", sa.LargeBinary),
    sa.Column("found_of", sa.BigInteger),
    sa.Column("found_at", _INSTANT),
    sa.Column("read_on", sa.Date),
    sa.Column("revive", sa.Boolean, nullable=False, server_default=sa.false()),
)
"""What should stand in an outside system and what was delivered: outbox, retry queue and cross reference.

`found` is what the system showed last, `found_of` the fingerprint of the delivery that it shows, `read_on` the business
day of that. An object that is to be delivered again as it is (a repair) has no `delivered_fingerprint`; with `revive`
it is one that others deleted or made passive."""
sa.Index(
    "ix_delivery_due",
    delivery.c.system,
    delivery.c.entity,
    delivery.c.business_key,
    postgresql_where=sa.text("delivered_fingerprint IS DISTINCT FROM desired_fingerprint"),
)
sa.Index("ix_delivery_business_key", delivery.c.business_key)
_FAILED: dict[str, Any] = {"postgresql_where": sa.text("state IN ('failed', 'refused')")}
_AGE = (delivery.c.desired_at, delivery.c.system, delivery.c.entity, delivery.c.object_id)
sa.Index("ix_delivery_failed", *_AGE, **_FAILED)
sa.Index("ix_delivery_failed_error_code", delivery.c.error_code, *_AGE, **_FAILED)

drift = sa.Table(
    "drift",
    metadata,
    sa.Column("system", sa.Text, primary_key=True),
    sa.Column("entity", sa.Text, primary_key=True),
    sa.Column("object_id", sa.Text, primary_key=True),
    sa.Column("business_key", sa.Text, nullable=False),
    sa.Column("kind", sa.Text, nullable=False),
    sa.Column("differences", JSONB, nullable=False),
    sa.Column("registered_at", _INSTANT),
    sa.Column("first_on", sa.Date, nullable=False),
    sa.Column("last_on", sa.Date, nullable=False),
    sa.Column("closed_on", sa.Date),
    sa.Column("repairs", sa.Integer, nullable=False, server_default="0"),
    sa.Column("repair_on", sa.Date),
)
"""Objects of an outside system that were found otherwise than delivered, from when to when (business days); `repairs`
counts how often in a row they were ordered to be delivered again, at last on `repair_on`.

`differences` is a list of [field, delivered, found], masked; `registered_at` since when the system says so."""

adopted_object = sa.Table(
    "adopted_object",
    metadata,
    sa.Column("registry_id", sa.Text, primary_key=True),
    sa.Column("entity", sa.Text, nullable=False),
    sa.Column("lora_class", sa.Text, nullable=False),
    sa.Column("object_id", sa.Text),
    sa.Column("business_key", sa.Text),
    sa.Column("supply_area", sa.Text),
    sa.Column("superseded", sa.Boolean, nullable=False),
    sa.Column("adopted_on", sa.Date, nullable=False),
)
"""Objects that the registry had before us: `object_id` is the computed one that each stands for, or stood for where it
is superseded by another. `business_key` is a customer or installation number; without a supply area KMD EE does not
know it."""
sa.Index(
    "uq_adopted_object_id",
    adopted_object.c.object_id,
    unique=True,
    postgresql_where=sa.text("NOT superseded"),
)
sa.Index("ix_adopted_object_supply_area", adopted_object.c.supply_area)

adopted_row = sa.Table(
    "adopted_row",
    metadata,
    sa.Column("entity", sa.Text, primary_key=True),
    sa.Column("row_id", sa.Text, primary_key=True),
    sa.Column("object_id", sa.Text, nullable=False),
    sa.Column("business_key", sa.Text),
    sa.Column("taken", sa.Boolean, nullable=False),
    sa.Column("adopted_on", sa.Date, nullable=False),
)
"""Rows that the CRM had before us under primary ids of its own: `object_id` is our id of what each stands for.

Of several that stand for the same, one is taken; the others are left alone."""
sa.Index("uq_adopted_row_object_id", adopted_row.c.object_id, unique=True, postgresql_where=sa.text("taken"))

let_through = sa.Table(
    "let_through",
    metadata,
    sa.Column("let_through_id", sa.BigInteger, sa.Identity(always=True), primary_key=True),
    sa.Column("system", sa.Text, nullable=False),
    sa.Column("entity", sa.Text, nullable=False),
    sa.Column("areas", sa.ARRAY(sa.Text), nullable=False),
    sa.Column("most", sa.BigInteger, nullable=False),
    sa.Column("given_by", sa.Text, nullable=False),
    sa.Column("why", sa.Text, nullable=False),
    sa.Column("given_at", _INSTANT, nullable=False),
    sa.Column("areas_left", sa.ARRAY(sa.Text), nullable=False),
    sa.Column("most_left", sa.BigInteger, nullable=False),
    sa.Column("run_ids", sa.ARRAY(sa.Text), nullable=False, server_default=sa.text("'{}'::text[]")),
)
"""What operators let through although it is more than the limits allow: `most` objects of an entity, created or
changed, once in each of these supply areas. `run_ids` are the runs that made use of it; what is left is in `_left`."""

rejection = sa.Table(
    "rejection",
    metadata,
    sa.Column("rejection_id", sa.BigInteger, sa.Identity(always=True), primary_key=True),
    sa.Column("asset", sa.Text, nullable=False),
    sa.Column("supply_area", sa.Text, nullable=False),
    sa.Column("record_key", sa.Text, nullable=False),
    sa.Column("reason", sa.Text, nullable=False),
    sa.Column("text", sa.Text, nullable=False),
    sa.Column("customer_number", sa.Text),
    sa.Column("attempts", sa.Integer, nullable=False),
    sa.Column("next_attempt_on", sa.Date, nullable=False),
    sa.Column("first_on", sa.Date, nullable=False),
    sa.Column("closed_on", sa.Date),
)
"""Records that could not be processed, and why; closed when they no longer are in the way."""
sa.Index(
    "uq_rejection_open",
    rejection.c.asset,
    rejection.c.supply_area,
    rejection.c.record_key,
    rejection.c.reason,
    unique=True,
    postgresql_where=sa.text("closed_on IS NULL"),
)
_OPEN: dict[str, Any] = {"postgresql_where": sa.text("closed_on IS NULL")}
sa.Index("ix_rejection_open", rejection.c.first_on, rejection.c.rejection_id, **_OPEN)
for _chosen in ("reason", "supply_area", "asset"):
    sa.Index(
        f"ix_rejection_open_{_chosen}",
        rejection.c[_chosen],
        rejection.c.first_on,
        rejection.c.rejection_id,
        **_OPEN,
    )
sa.Index("ix_rejection_customer_number", rejection.c.customer_number)
# Also for the beginning of a key: that of a meter's period begins with the installation's number.
sa.Index("ix_rejection_record_key", rejection.c.record_key, postgresql_ops={"record_key": "text_pattern_ops"})

journal = sa.Table(
    "journal",
    metadata,
    sa.Column("run_id", sa.Text, primary_key=True),
    sa.Column("step", sa.Text, primary_key=True),
    sa.Column("areas", sa.ARRAY(sa.Text), nullable=False),
    sa.Column("counts", JSONB, nullable=False),
    sa.Column("started_at", _INSTANT, nullable=False),
    sa.Column("ended_at", _INSTANT, nullable=False, index=True),
)
"""One row per run and step, with its counts."""
sa.Index("ix_journal_step_ended_at", journal.c.step, journal.c.ended_at)

register_answer = sa.Table(
    "register_answer",
    metadata,
    sa.Column("service", sa.Text, primary_key=True),
    sa.Column("subject", sa.Text, primary_key=True),
    sa.Column("answer", sa.LargeBinary, nullable=False),
    sa.Column("as_of", sa.Date, nullable=False),
    sa.Column("marked", sa.Integer, nullable=False, server_default="0"),
    sa.Column("answered", sa.Integer, nullable=False, server_default="0"),
    sa.Column("again_until", sa.Date),
    sa.Column("to_deliver", sa.Boolean, nullable=False, server_default=sa.false()),
)
"""The last answer of a person or company register with those it replaced, encrypted, under a keyed hash of the number.

`as_of` is the day of the last question. `marked` counts how often the register told of a change, `answered` up to which
of these the party was asked for; until `again_until` it is asked daily, since the register's copy may lag behind its
events. `to_deliver`: the answer differs from the one before, and the registry has not been told yet."""
sa.Index("ix_register_answer_as_of", register_answer.c.as_of, postgresql_where=register_answer.c.to_deliver)

person_alias = sa.Table(
    "person_alias",
    metadata,
    sa.Column("subject", sa.Text, primary_key=True),
    sa.Column("known_as", sa.Text, nullable=False),
    sa.Column("party_id", sa.Text, nullable=False),
)
"""Numbers of persons who have had another one: whose answers (`known_as`, a subject) and object theirs are."""

person_subscription = sa.Table(
    "person_subscription",
    metadata,
    sa.Column("number_subject", sa.Text, primary_key=True),
    sa.Column("subject", sa.Text, nullable=False),
    sa.Column("number", sa.LargeBinary, nullable=False),
    sa.Column("since", sa.Date, nullable=False),
)
"""Subscriptions to persons that we asked the person register for: the number (its keyed hash, and encrypted) and the
subject that the person's answers are kept under."""

event_cursor = sa.Table(
    "event_cursor",
    metadata,
    sa.Column("source", sa.Text, primary_key=True),
    sa.Column("cursor", sa.Text, nullable=False),
    sa.Column("updated_at", _INSTANT, nullable=False, server_default=sa.func.now()),
)
"""Up to where the deliveries of a source of events were taken in."""

audit = sa.Table(
    "audit",
    metadata,
    sa.Column("audit_id", sa.BigInteger, sa.Identity(always=True), primary_key=True),
    sa.Column("at", _INSTANT, nullable=False, server_default=sa.func.now(), index=True),
    sa.Column("service", sa.Text, nullable=False),
    sa.Column("subject", sa.Text, nullable=False),
    sa.Column("purpose", sa.Text, nullable=False),
    sa.Column("legal_basis", sa.Text, nullable=False),
    sa.Column("outcome", sa.Text, nullable=False),
    sa.Column("run_id", sa.Text, nullable=False),
)
"""One row per look-up in a register of persons."""

cipher_check = sa.Table(
    "cipher_check",
    metadata,
    sa.Column("key_id", sa.Text, primary_key=True),
    sa.Column("sealed", sa.LargeBinary, nullable=False),
    sa.Column("first_used_at", _INSTANT, nullable=False, server_default=sa.func.now()),
    sa.Column("retired_at", _INSTANT),
)
"""A known text sealed with each key that was ever in use, to tell a wrong secret before anything is read or written.

A retired key seals nothing any more: it need not be given."""

washing = sa.Table(
    "washing",
    metadata,
    sa.Column("kind", sa.Text, primary_key=True),
    sa.Column("text", sa.Text, primary_key=True),
    sa.Column("normalized", sa.Text),
    sa.Column("category", sa.Text, nullable=False),
    sa.Column("outcome", sa.Text, nullable=False),
    sa.Column("method", sa.Text),
    sa.Column("unit_id", sa.Text),
    sa.Column("access_id", sa.Text),
    sa.Column("evidence", JSONB, nullable=False),
    sa.Column("generation", sa.BigInteger, nullable=False),
    sa.Column("rule_version", sa.Text, nullable=False),
    sa.Column("washed_at", _INSTANT, nullable=False),
    sa.Column("before", JSONB),
    sa.Column("changed_at", _INSTANT),
)
"""The last answer to each address text, with its evidence, and the answer before it where another register or other
rules changed it."""

address_decision = sa.Table(
    "address_decision",
    metadata,
    sa.Column("kind", sa.Text, primary_key=True),
    sa.Column("normalized", sa.Text, primary_key=True),
    sa.Column("address_id", sa.Text),
    sa.Column("decided_by", sa.Text, nullable=False),
    sa.Column("note", sa.Text),
    sa.Column("decided_at", _INSTANT, nullable=False),
)
"""What operators decided about texts that no rule resolves; without an address: that there is none."""

history_correction = sa.Table(
    "history_correction",
    metadata,
    sa.Column("correction_id", sa.BigInteger, sa.Identity(always=True), primary_key=True),
    sa.Column("entity", sa.Text, nullable=False),
    sa.Column("object_id", sa.Text, nullable=False),
    sa.Column("customer_number", sa.Text),
    sa.Column("installation_number", sa.Text),
    sa.Column("field", sa.Text, nullable=False),
    sa.Column("since", sa.Date),
    sa.Column("corrected_by", sa.Text, nullable=False),
    sa.Column("note", sa.Text),
    sa.Column("corrected_at", _INSTANT, nullable=False),
)
"""What operators corrected of the past: from which day on (null: always) a field of a registry object has its value."""
