"""The tables of billing: events of agreements, installation facts, installation accounts, tariff books."""

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import JSONB

from integration_assets.cache.tables import metadata

_INSTANT = sa.DateTime(timezone=True)

installation_fact = sa.Table(
    "installation_fact",
    metadata,
    sa.Column("installation", sa.Text, primary_key=True),
    sa.Column("slices", JSONB, nullable=False, server_default=sa.text("""'{"by": [], "lines": []}'::jsonb""")),
    sa.Column("contracts", JSONB, nullable=False, server_default=sa.text("'[]'::jsonb")),
    sa.Column("changed_at", _INSTANT, nullable=False, server_default=sa.func.now()),
)
"""The facts of an installation as one value, since each process reads and writes them as a whole: slices with their
provenance as `cache.fact_rows` writes them, contracts in the rows of the exchange format. The view `fact_slice` shows
the slices one by one."""

fact_journal = sa.Table(
    "fact_journal",
    metadata,
    sa.Column("entry_id", sa.BigInteger, sa.Identity(always=True), primary_key=True),
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
    sa.Column("at", _INSTANT, nullable=False, server_default=sa.func.now()),
    sa.UniqueConstraint("installation", "process_id", name="uq_fact_journal_process"),
)
"""Every process that was carried out: its call, whether and why it generated, the slices it removed and added."""

installation_account = sa.Table(
    "installation_account",
    metadata,
    sa.Column("account_id", sa.Text, primary_key=True),
    sa.Column("party_id", sa.Text, nullable=False),
    sa.Column("installation", sa.Text),
    sa.Column("market_location", sa.Text),
    sa.Column("supply_area", sa.Text, nullable=False),
    sa.Column("superseded_by", sa.Text),
    sa.Column("is_double", sa.Boolean, nullable=False, server_default=sa.false()),
    sa.Column("status", sa.Text),
    sa.Column("customer_number", sa.Text),
    sa.Column("contract_start", sa.Date),
    sa.Column("contract_end", sa.Date),
    sa.Column("utility", sa.Text),
    sa.Column("address_line", sa.Text),
    sa.Column("address_id", sa.Text),
    sa.Column("meter_number", sa.Text),
    sa.Column("meter_type", sa.Text),
    sa.Column("product", sa.Text),
    sa.Column("tariff_facts", sa.Text),
    sa.Column("billing_line", sa.Text),
    sa.Column("billing_address_id", sa.Text),
    sa.Column("open_collection", sa.Boolean),
    sa.Column("user_fields", JSONB, nullable=False, server_default=sa.text("'{}'::jsonb")),
    sa.Column("issues", sa.ARRAY(sa.Text), nullable=False, server_default=sa.text("'{}'::text[]")),
    sa.Column("mark_reasons", sa.ARRAY(sa.Text), nullable=False, server_default=sa.text("'{}'::text[]")),
    sa.Column("mark_version", sa.BigInteger, nullable=False, server_default="0"),
    sa.Column("marked_at", _INSTANT),
    sa.Column("left_version", sa.BigInteger),
    sa.Column("last_calculated_on", sa.Date),
    sa.Column("last_calculated_at", _INSTANT),
    sa.Column("linked_stamp", sa.Text),
    sa.Column("next_begins_on", sa.Date),
    sa.Column("next_ended_on", sa.Date),
    sa.Column("created_at", _INSTANT, nullable=False, server_default=sa.func.now()),
    sa.Column("changed_at", _INSTANT, nullable=False, server_default=sa.func.now()),
)
"""Installation accounts: what joins a customer (party) and an installation, with the fields of today that are derived
from what they are linked with.

`user_fields` belong to people and are never written by an update. A mark is a set of reasons with a version that grows
whenever it is set; `left_version` is the one at which an update found rows that contradict each other, and left the
account as it was. `linked_stamp` tells in which state the installation's rows were when the account was calculated;
`next_begins_on` and `next_ended_on` are the first days after that on which a row of it begins, or has ended. Doubles
are made by the literal order of checks only, and are the only ones that share a customer's installation or number."""
_STANDING = "superseded_by IS NULL AND NOT is_double"
sa.Index(
    "uq_installation_account_installation",
    installation_account.c.party_id,
    installation_account.c.installation,
    unique=True,
    postgresql_where=sa.text(_STANDING),
)
sa.Index(
    "uq_installation_account_market_location",
    installation_account.c.party_id,
    installation_account.c.market_location,
    unique=True,
    postgresql_where=sa.text(_STANDING),
)
sa.Index("ix_installation_account_party_id", installation_account.c.party_id)
sa.Index("ix_installation_account_installation", installation_account.c.installation)
sa.Index("ix_installation_account_supply_area", installation_account.c.supply_area)
sa.Index(
    "ix_installation_account_marked",
    installation_account.c.supply_area,
    postgresql_where=sa.text("mark_reasons <> '{}'::text[]"),
)

account_contract = sa.Table(
    "account_contract",
    metadata,
    sa.Column("customer_number", sa.Text, primary_key=True),
    sa.Column("installation", sa.Text, primary_key=True),
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
    sa.Column("changed_at", _INSTANT, nullable=False, server_default=sa.func.now()),
)
"""Billing contracts (aftaler) on installations as they were linked last, and the account that shows them. `end` is the
first day after; `market_location` as told, valid or not. One that leaves the window of the source stays as known."""
sa.Index("ix_account_contract_account_id", account_contract.c.account_id)
sa.Index("ix_account_contract_supply_area", account_contract.c.supply_area)

account_waiting = sa.Table(
    "account_waiting",
    metadata,
    sa.Column("customer_number", sa.Text, primary_key=True),
    sa.Column("installation", sa.Text, primary_key=True),
    sa.Column("supply_area", sa.Text, nullable=False),
    sa.Column("missing", sa.ARRAY(sa.Text), nullable=False),
    sa.Column("since", sa.Date, nullable=False),
)
"""Billing contracts of which no account can be made yet, and what each of them lacks."""
sa.Index("ix_account_waiting_supply_area", account_waiting.c.supply_area)

agreement_event = sa.Table(
    "agreement_event",
    metadata,
    sa.Column("event_id", sa.BigInteger, sa.Identity(always=True), primary_key=True),
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
    sa.UniqueConstraint("installation", "process_id", name="uq_agreement_event_process"),
)
"""What happened to agreements, one row per installation and call, in the order of happening; rows are only added.

`kind` is the process (new_contract, move_out, change_move_out_date, cancel_contract_end, change_move_in_date,
cancel_contract_start: annulled, product_change, product_change_cancel, contract_change), `day` the first day that it
changes. Dates are half-open and those of the agreement, before and after; an annulled one ends on the day on which it
began. All calls of one `revision` of a contract are carried out, or none. `seen_on` is the business day on which the
change was seen; `outcome` is waiting, carried_out, refused (with `why`; tried again), or superseded: another change
came before it was carried out."""
sa.Index("ix_agreement_event_customer_number", agreement_event.c.customer_number)
sa.Index(
    "ix_agreement_event_open",
    agreement_event.c.supply_area,
    agreement_event.c.installation,
    postgresql_where=sa.text("outcome IN ('waiting', 'refused')"),
)

agreement_followed = sa.Table(
    "agreement_followed",
    metadata,
    sa.Column("customer_number", sa.Text, primary_key=True),
    sa.Column("installation", sa.Text, primary_key=True),
    sa.Column("agreement_id", sa.Text, nullable=False),
    sa.Column("supply_area", sa.Text, nullable=False),
    sa.Column("wanted", sa.Text, nullable=False),
    sa.Column("wanted_life", sa.Integer, nullable=False),
    sa.Column("reached", sa.Text),
    sa.Column("reached_life", sa.Integer),
    sa.Column("revision", sa.Integer, nullable=False),
    sa.Column("seen_on", sa.Date, nullable=False),
)
"""Each agreement on each of its installations: the state that its events lead to, and the last one they have led to.

States are told as `domain.facts.agreements` does; the life counts how often the agreement began anew after it had been
annulled, the revision how often its events were derived."""
sa.Index("ix_agreement_followed_supply_area", agreement_followed.c.supply_area)
sa.Index("ix_agreement_followed_installation", agreement_followed.c.installation)

tariff_book = sa.Table(
    "tariff_book",
    metadata,
    sa.Column("version", sa.BigInteger, sa.Identity(always=True), primary_key=True),
    sa.Column("fingerprint", sa.Text, nullable=False),
    sa.Column("document", JSONB, nullable=False),
    sa.Column("source", sa.Text, nullable=False),
    sa.Column("loaded_by", sa.Text, nullable=False),
    sa.Column("loaded_at", _INSTANT, nullable=False, server_default=sa.func.now()),
)
"""Operands, master data templates, prices and the assignment of products: every version that was ever in force.

The one with the highest number is in force; `document` has the rows of each of the four tables. The view
`tariff_price` shows the prices in force."""
