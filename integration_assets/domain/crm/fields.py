"""The tables of Dynamics CRM 365 that are filled: names, links, and the `cache/*` tables with their rows.

The cache builds its tables from this, the assets their column schema and lineage, the Dynamics client its bindings.
The columns are those of `domain.crm.standard`; nothing is computed here, `domain.crm.mapping` does that.
"""

from dataclasses import dataclass
from typing import Final

import polars as pl

from integration_assets.domain.crm.standard import (
    ADDRESS,
    AGREEMENT,
    CUSTOMER,
    FIELDS,
    INSTALLATION,
    RELATION,
    ROLE,
    of,
)
from integration_assets.domain.schema import Column, EntityTable

ACTIVE: Final = (0, 1)
INACTIVE: Final = (1, 2)
"""Pairs (statecode, statuscode). Rows become inactive when they end and are never deleted: cases refer to them."""

OPEN_END_IN_CRM: Final = "9999-12-31"
"""How an agreement without an end is written in ava_slutdato."""


@dataclass(frozen=True)
class TableFacts:
    """How Dataverse names a table: entity set (URL), logical name, primary id column."""

    set_name: str
    logical_name: str
    primary_id: str


@dataclass(frozen=True)
class LinkFacts:
    """A many-to-many relationship: `navigation` of rows of `set_name` leads to rows of `target_set`."""

    set_name: str
    navigation: str
    target_set: str


AGREEMENT_CONTACTS: Final = LinkFacts("ava_aftales", "ava_aktoerens_aftaler", "contacts")
"""Which contacts take part in an agreement (aktørens aftaler)."""

CASES: Final = TableFacts("incidents", "incident", "incidentid")
"""Cases (sager) of the CRM's users; statecode 0 is open."""

CASE_REFERENCES: Final[dict[str, tuple[str, ...]]] = {
    "accounts": ("_customerid_value", "_ava_kundeforhold_value"),
    "contacts": ("_customerid_value", "_ava_aktoer_value"),
    "installations": ("_ava_installation_value",),
}
"""By which columns a case refers to a row, by entity; no case refers to rows of the others."""

TABLE_FACTS: Final[dict[str, TableFacts]] = {
    "addresses": TableFacts("ava_adresses", "ava_adresse", "ava_adresseid"),
    "contacts": TableFacts("contacts", "contact", "contactid"),
    "accounts": TableFacts("accounts", "account", "accountid"),
    "customer_roles": TableFacts("ava_kunderolles", "ava_kunderolle", "ava_kunderolleid"),
    "agreements": TableFacts("ava_aftales", "ava_aftale", "ava_aftaleid"),
    "installations": TableFacts("ava_installations", "ava_installation", "ava_installationid"),
}
"""Dataverse names by entity, in the order in which a row's lookups are met: targets before those who point at them."""


INSTALLATION_ACCOUNTS: Final = "installation_accounts"
"""The entity whose table not every organisation has: it is delivered only where a setting names the table."""

DESCRIPTIONS: Final = {
    "contacts": "Persons and companies as CRM contacts (aktører).",
    "accounts": "Customer relations as CRM accounts (kundeforhold).",
    "customer_roles": "Customer roles (kunderoller): who is what in which customer relation.",
    "agreements": "Agreements (aftaler): the time a customer relation has the place.",
    "installations": "Installations with the meter now in use, under the agreement that owns them.",
    "addresses": "The addresses that CRM rows point at, and only these.",
    INSTALLATION_ACCOUNTS: "Installation accounts (installationskonti): each customer and installation, as of the day.",
}

_BUSINESS_KEYS: Final = {
    "contacts": ("Customer number that an operator knows the party by", of(CUSTOMER, "user_key")),
    "accounts": ("Customer number", of(RELATION, "customer_number")),
    "customer_roles": ("Customer number", of(ROLE, "customer_number")),
    "agreements": ("Customer number", of(AGREEMENT, "customer_number")),
    "installations": ("Installation number", of(INSTALLATION, "installation_number")),
    "addresses": ("Address text", of(ADDRESS, "street_name", "house_number", "postcode", "district")),
}

_ID_SOURCES: Final = {
    "contacts": of(CUSTOMER, "object_id"),
    "accounts": of(RELATION, "object_id"),
    "customer_roles": of(ROLE, "object_id"),
    "agreements": of(AGREEMENT, "object_id"),
    "installations": of(INSTALLATION, "object_id"),
    "addresses": of(ADDRESS, "address_id"),
}


def _table(entity: str) -> EntityTable:
    primary_id = TABLE_FACTS[entity].primary_id
    key_text, key_sources = _BUSINESS_KEYS[entity]
    return EntityTable(
        asset=("cache", entity),
        key=primary_id,
        description=DESCRIPTIONS[entity],
        columns=(
            Column(
                primary_id, pl.String, "Primary id of the CRM row: the uuid it has in the registry", _ID_SOURCES[entity]
            ),
            Column("business_key", pl.String, key_text, key_sources),
            Column("supply_area", pl.String, "Supply area (forsyningsområde) whose run maps the row"),
            *(
                Column(field.name, field.dtype, field.description, field.sources, field.sealed)
                for field in FIELDS[entity]
            ),
        ),
    )


CRM_TABLES: Final[dict[str, EntityTable]] = {entity: _table(entity) for entity in TABLE_FACTS}
"""The `cache/*` tables, by entity."""
