"""The first schema of the cache: entity tables, snapshots of partitions, and the books.

Written out in full and not derived from the tables that the program knows today: a revision describes what was.
"""

from typing import Any

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0001"
down_revision = None

INSTANT = sa.DateTime(timezone=True)
TYPES: dict[str, sa.types.TypeEngine[Any]] = {
    "text": sa.Text(),
    "bytea": sa.LargeBinary(),
    "bigint": sa.BigInteger(),
    "double": sa.Double(),
    "boolean": sa.Boolean(),
    "date": sa.Date(),
}

# SQL name: partition column, key column, columns by type.
ENTITY_TABLES: dict[str, tuple[str, str, dict[str, str]]] = {
    "kmd_ee_customers": (
        "supply_area",
        "customer_number",
        {
            "text": (
                "customer_number supply_area master_id name phone mobile email billing_street_line "
                "billing_district street_name street_code house_number house_letter floor door postcode city"
            ),
            "bytea": "id_number co_id_number",
            "bigint": "consumption_place_id",
            "date": "moved_in moved_out",
        },
    ),
    "kmd_ee_installations": (
        "supply_area",
        "meter_period",
        {
            "text": (
                "meter_period supply_area installation_number meter_number meter_type meter_make "
                "alt_street_name alt_street_code alt_house_number alt_house_letter alt_floor alt_door "
                "alt_postcode alt_city"
            ),
            "bigint": "consumption_place_id alternative_place_id",
            "date": "meter_from meter_to",
        },
    ),
    "addresses_register": (
        "municipality_code",
        "address_id",
        {
            "text": (
                "address_id municipality_code kind access_id street_name short_street_name street_code "
                "house_number floor door supplementary_town postcode district"
            ),
            "bigint": "status",
            "double": "easting northing",
        },
    ),
    "resolved_customers": (
        "supply_area",
        "customer_number",
        {
            "text": (
                "customer_number supply_area party_id party_kind number_origin co_party_id co_number_origin "
                "name master_id phone mobile email"
            ),
            "bytea": "number co_number",
            "bigint": "consumption_place_id",
            "date": "moved_in moved_out",
        },
    ),
    "resolved_consumption_addresses": (
        "supply_area",
        "customer_number",
        {
            "text": "customer_number supply_area address_line address_id method",
        },
    ),
    "resolved_billing_addresses": (
        "supply_area",
        "customer_number",
        {
            "text": "customer_number supply_area address_line address_id method",
        },
    ),
    "resolved_installation_addresses": (
        "supply_area",
        "installation_number",
        {
            "text": "installation_number supply_area address_line address_id method",
        },
    ),
    "cache_addresses": (
        "supply_area",
        "ava_adresseid",
        {
            "text": (
                "ava_adresseid business_key supply_area ava_name ava_dawaadgangsadresseid ava_gadenavn "
                "ava_vejkode ava_husnummer ava_bogstav ava_etage ava_doer ava_postnummer ava_by "
                "ava_kommunenummer ava_kvhx ava_land ava_koordinat_nord ava_koordinat_oest ava_laengdegrad "
                "ava_breddegrad"
            ),
        },
    ),
    "cache_contacts": (
        "supply_area",
        "contactid",
        {
            "text": (
                "contactid business_key supply_area firstname middlename lastname ava_cvr_nummer "
                "ava_virksomhedsform ava_kmdeemasterid ava_mobilkmdee ava_fastnetkmdee ava_emailkmdee "
                "emailaddress1 ava_adresse"
            ),
            "bigint": "gendercode",
            "bytea": "ava_cpr_nummer",
            "boolean": "ava_eradressebeskyttet",
        },
    ),
    "cache_accounts": (
        "supply_area",
        "accountid",
        {
            "text": "accountid business_key supply_area name ava_kundenummer ava_adresse",
            "bigint": "ava_kundetype statecode statuscode",
        },
    ),
    "cache_customer_roles": (
        "supply_area",
        "ava_kunderolleid",
        {
            "text": "ava_kunderolleid business_key supply_area ava_aktoer ava_kundeforhold",
            "bigint": "ava_rolle statecode statuscode",
        },
    ),
    "cache_agreements": (
        "supply_area",
        "ava_aftaleid",
        {
            "text": "ava_aftaleid business_key supply_area ava_name ava_kundeforhold ava_faktureringsadresse",
            "bigint": "ava_aftaletype ava_antal_produkter statecode statuscode",
            "date": "ava_startdato ava_slutdato",
        },
    ),
    "cache_installations": (
        "supply_area",
        "ava_installationid",
        {
            "text": (
                "ava_installationid business_key supply_area ava_name ava_identifikation ava_maalernummer "
                "ava_maalertype ava_kundenummer ava_aftale ava_adresse"
            ),
            "bigint": "ava_installationstype statecode statuscode",
        },
    ),
}


def upgrade() -> None:
    for name, (partition, key, columns) in ENTITY_TABLES.items():
        op.create_table(
            name,
            *(
                sa.Column(column, TYPES[kind], nullable=column not in (partition, key))
                for kind, names in columns.items()
                for column in names.split()
            ),
            sa.Column("fingerprint", sa.BigInteger, nullable=False),
            sa.Column("first_seen_at", INSTANT, nullable=False),
            sa.Column("changed_at", INSTANT, nullable=False),
            sa.Column("vanished_at", INSTANT),
            sa.PrimaryKeyConstraint(partition, key, name=f"pk_{name}"),
            postgresql_with={"fillfactor": "50"},
        )
    _snapshots()
    _deliveries()
    _rejections()
    _books()


def downgrade() -> None:
    for name in (
        *ENTITY_TABLES,
        "partition_fingerprint",
        "delivery",
        "rejection",
        "journal",
        "register_answer",
        "audit",
    ):
        op.drop_table(name)


def _snapshots() -> None:
    op.create_table(
        "partition_fingerprint",
        sa.Column("table_name", sa.Text, nullable=False),
        sa.Column("area", sa.Text, nullable=False),
        sa.Column("algorithm", sa.Text, nullable=False),
        sa.Column("packed", sa.LargeBinary, nullable=False),
        sa.Column("row_count", sa.BigInteger, nullable=False),
        sa.Column("updated_at", INSTANT, nullable=False),
        sa.PrimaryKeyConstraint("table_name", "area", name="pk_partition_fingerprint"),
    )
    # Hashes do not compress; the server should not try.
    op.execute("ALTER TABLE partition_fingerprint ALTER COLUMN packed SET STORAGE EXTERNAL")


def _deliveries() -> None:
    op.create_table(
        "delivery",
        sa.Column("system", sa.Text, nullable=False),
        sa.Column("entity", sa.Text, nullable=False),
        sa.Column("object_id", sa.Text, nullable=False),
        sa.Column("business_key", sa.Text, nullable=False),
        sa.Column("areas", sa.ARRAY(sa.Text), nullable=False),
        sa.Column("desired", sa.LargeBinary, nullable=False),
        sa.Column("desired_fingerprint", sa.BigInteger, nullable=False),
        sa.Column("desired_at", INSTANT, nullable=False),
        sa.Column("delivered", sa.LargeBinary),
        sa.Column("delivered_fingerprint", sa.BigInteger),
        sa.Column("delivered_at", INSTANT),
        sa.Column("external_ref", sa.Text),
        sa.Column("state", sa.Text, nullable=False),
        sa.Column("attempts", sa.Integer, nullable=False, server_default="0"),
        sa.Column("next_attempt_at", INSTANT),
        sa.Column("error_code", sa.Text),
        sa.Column("error_text", sa.Text),
        sa.Column("found", sa.LargeBinary),
        sa.Column("found_of", sa.BigInteger),
        sa.Column("found_at", INSTANT),
        sa.PrimaryKeyConstraint("system", "entity", "object_id", name="pk_delivery"),
    )
    op.create_index(
        "ix_delivery_due",
        "delivery",
        ["system", "entity", "business_key"],
        postgresql_where=sa.text("delivered_fingerprint IS DISTINCT FROM desired_fingerprint"),
    )


def _rejections() -> None:
    op.create_table(
        "rejection",
        sa.Column("rejection_id", sa.BigInteger, sa.Identity(always=True), nullable=False),
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
        sa.PrimaryKeyConstraint("rejection_id", name="pk_rejection"),
    )
    op.create_index(
        "uq_rejection_open",
        "rejection",
        ["asset", "supply_area", "record_key", "reason"],
        unique=True,
        postgresql_where=sa.text("closed_on IS NULL"),
    )


def _books() -> None:
    op.create_table(
        "journal",
        sa.Column("run_id", sa.Text, nullable=False),
        sa.Column("step", sa.Text, nullable=False),
        sa.Column("areas", sa.ARRAY(sa.Text), nullable=False),
        sa.Column("counts", JSONB, nullable=False),
        sa.Column("started_at", INSTANT, nullable=False),
        sa.Column("ended_at", INSTANT, nullable=False),
        sa.PrimaryKeyConstraint("run_id", "step", name="pk_journal"),
    )
    op.create_index("ix_journal_ended_at", "journal", ["ended_at"])
    op.create_table(
        "register_answer",
        sa.Column("service", sa.Text, nullable=False),
        sa.Column("subject", sa.Text, nullable=False),
        sa.Column("answer", sa.LargeBinary, nullable=False),
        sa.Column("as_of", sa.Date, nullable=False),
        sa.PrimaryKeyConstraint("service", "subject", name="pk_register_answer"),
    )
    op.create_table(
        "audit",
        sa.Column("audit_id", sa.BigInteger, sa.Identity(always=True), nullable=False),
        sa.Column("at", INSTANT, nullable=False, server_default=sa.func.now()),
        sa.Column("service", sa.Text, nullable=False),
        sa.Column("subject", sa.Text, nullable=False),
        sa.Column("purpose", sa.Text, nullable=False),
        sa.Column("legal_basis", sa.Text, nullable=False),
        sa.Column("outcome", sa.Text, nullable=False),
        sa.Column("run_id", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("audit_id", name="pk_audit"),
    )
    op.create_index("ix_audit_at", "audit", ["at"])
