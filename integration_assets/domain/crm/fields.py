"""The mapping to Dynamics CRM 365, written as data: which CRM column is filled from what, and who owns it.

The cache builds its `cache/*` tables from this, the assets their column schema and lineage, the mapping its casts and
cuts, the Dynamics client its bindings. Names of CRM columns and navigation properties are exact (Dataverse is
case-sensitive for navigation properties). Nothing is computed here; `domain.crm.mapping` does that.

Not mapped on purpose: `ava_modtag_sms_notifikation` (the billing system has no source for it; sending a blank would
clear what CRM users entered) and the business code of a company (branchekode, which the CRM does not hold).
"""

from dataclasses import dataclass
from typing import Final, Literal

import polars as pl

from integration_assets.domain.schema import Column, DataType, EntityTable

Kind = Literal["text", "integer", "option", "boolean", "date", "lookup"]
Owner = Literal["ours", "first_writer", "status"]

UTILITY_OPTIONS: Final = {"Affald": 915240000, "Varme": 915240001}
"""Option set of ava_kundetype, ava_aftaletype and ava_installationstype, by utility (forsyningsart)."""

ROLE_OPTIONS: Final = {
    "Hovedejer": 915240000,
    "Ligestillingsejer": 915240001,
    "Administrator": 915240002,
    "Vicevært": 915240003,
    "Kunde": 915240004,
    "Medejer": 915240005,
    "Ligestillingskunde": 915240006,
}
"""Option set of ava_rolle, by role name; the registry's role codes are the same numbers."""

GENDER_OPTIONS: Final = {"M": 1, "K": 2}
"""Option set of gendercode, by the gender letter of the civil registration system (CPR)."""

ACTIVE: Final = (0, 1)
INACTIVE: Final = (1, 2)
"""Pairs (statecode, statuscode). Rows become inactive when they end and are never deleted: cases refer to them."""

OPEN_END_IN_CRM: Final = "9999-12-31"
"""How an agreement without an end is written in ava_slutdato."""

COUNTRY: Final = "Danmark"

_DTYPES: Final[dict[Kind, DataType]] = {
    "text": pl.String,
    "integer": pl.Int64,
    "option": pl.Int64,
    "boolean": pl.Boolean,
    "date": pl.Date,
    "lookup": pl.String,
}


@dataclass(frozen=True)
class Field:
    """One CRM column.

    `name` is the column, for a lookup the navigation property; `sources` the columns it is computed from;
    `target` the entity set that a lookup points to. `max_length` is the CRM's limit in characters where it is known
    (150, 80 and 100 for names by the original integration's experience; 160 and 100 are Dataverse's own for account
    names and e-mail addresses).
    `owner` says whose value counts: "ours" is always sent when it changes, "first_writer" only where the CRM has none
    (people in the CRM may keep their own), "status" carries the end of the thing.
    """

    name: str
    kind: Kind
    sources: tuple[str, ...]
    description: str
    max_length: int | None = None
    owner: Owner = "ours"
    target: str | None = None
    sealed: bool = False

    def __post_init__(self) -> None:
        if (self.kind == "lookup") != (self.target is not None):
            raise ValueError(f"Field {self.name}: exactly the lookups name a target set.")

    @property
    def dtype(self) -> DataType:
        """The polars type of the column in the `cache/*` table."""
        return _DTYPES[self.kind]


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

TABLE_FACTS: Final[dict[str, TableFacts]] = {
    "addresses": TableFacts("ava_adresses", "ava_adresse", "ava_adresseid"),
    "contacts": TableFacts("contacts", "contact", "contactid"),
    "accounts": TableFacts("accounts", "account", "accountid"),
    "customer_roles": TableFacts("ava_kunderolles", "ava_kunderolle", "ava_kunderolleid"),
    "agreements": TableFacts("ava_aftales", "ava_aftale", "ava_aftaleid"),
    "installations": TableFacts("ava_installations", "ava_installation", "ava_installationid"),
}
"""Dataverse names by entity, in the order in which a row's lookups are met: targets before those who point at them."""


def _from(asset: str, *columns: str) -> tuple[str, ...]:
    return tuple(f"{asset}.{column}" for column in columns)


def _state(asset: str) -> tuple[Field, Field]:
    sources = _from(asset, "valid_to")
    return (
        Field("statecode", "option", sources, "0 active, 1 inactive: ended by the business day", owner="status"),
        Field("statuscode", "option", sources, "1 active, 2 inactive; always the pair of statecode", owner="status"),
    )


_CUSTOMER = "lora/customers"
_RELATION = "lora/customer_relations"
_ROLE = "lora/customer_roles"
_AGREEMENT = "lora/agreements"
_INSTALLATION = "lora/installations"
_ADDRESS = "addresses/register"

FIELDS: Final[dict[str, tuple[Field, ...]]] = {
    "contacts": (
        Field("firstname", "text", _from(_CUSTOMER, "first_name", "name"), "First name; a company's name", 150),
        Field("middlename", "text", _from(_CUSTOMER, "middle_name"), "Middle name; none for a company", 80),
        Field("lastname", "text", _from(_CUSTOMER, "last_name"), "Last name; none for a company", 100),
        Field("gendercode", "option", _from(_CUSTOMER, "gender"), "1 male (M), 2 female (K)"),
        Field("ava_cpr_nummer", "text", _from(_CUSTOMER, "number"), "CPR number of a person", sealed=True),
        Field("ava_cvr_nummer", "text", _from(_CUSTOMER, "number"), "CVR number of a company"),
        Field("ava_virksomhedsform", "text", _from(_CUSTOMER, "company_form"), "Company form (virksomhedsform), code"),
        Field(
            "ava_eradressebeskyttet", "boolean", _from(_CUSTOMER, "address_protected"), "Name and address protection"
        ),
        Field("ava_kmdeemasterid", "text", _from(_CUSTOMER, "master_id"), "Case number in KMD EE (KundeSagsnr)"),
        Field("ava_mobilkmdee", "text", _from(_CUSTOMER, "mobile"), "Mobile number in KMD EE"),
        Field("ava_fastnetkmdee", "text", _from(_CUSTOMER, "phone"), "Landline number in KMD EE"),
        Field("ava_emailkmdee", "text", _from(_CUSTOMER, "email"), "E-mail address in KMD EE"),
        Field(
            "emailaddress1",
            "text",
            _from(_CUSTOMER, "email"),
            "Primary e-mail address: written only where the CRM has none",
            100,
            owner="first_writer",
        ),
        Field(
            "ava_adresse",
            "lookup",
            _from(_CUSTOMER, "address_id", "address_protected"),
            "Registered address; none while name and address are protected",
            target="ava_adresses",
        ),
    ),
    "accounts": (
        Field("name", "text", _from(_RELATION, "name"), "Utility and address line of the consumption place", 160),
        Field("ava_kundenummer", "text", _from(_RELATION, "customer_number"), "Customer number (Kundenr)"),
        Field("ava_kundetype", "option", _from(_RELATION, "utility"), "915240001 Varme, 915240000 Affald"),
        Field(
            "ava_adresse",
            "lookup",
            _from(_RELATION, "address_id"),
            "Address of the consumption place (forbrugssted)",
            target="ava_adresses",
        ),
        *_state(_RELATION),
    ),
    "customer_roles": (
        Field("ava_rolle", "option", _from(_ROLE, "role_code"), "915240004 Kunde, 915240006 Ligestillingskunde"),
        Field("ava_aktoer", "lookup", _from(_ROLE, "party_id"), "The person or company (aktør)", target="contacts"),
        Field(
            "ava_kundeforhold",
            "lookup",
            _from(_ROLE, "relation_id"),
            "The customer relation (kundeforhold)",
            target="accounts",
        ),
        *_state(_ROLE),
    ),
    "agreements": (
        Field("ava_name", "text", _from(_AGREEMENT, "name"), "Utility and title of the first installation"),
        Field("ava_aftaletype", "option", _from(_AGREEMENT, "utility"), "915240001 Varme, 915240000 Affald"),
        Field("ava_antal_produkter", "integer", _from(_AGREEMENT, "installations"), "Number of its installations"),
        Field("ava_startdato", "date", _from(_AGREEMENT, "valid_from"), "First day (Tilflytningsdato)"),
        Field("ava_slutdato", "date", _from(_AGREEMENT, "valid_to"), "First day after; 9999-12-31 = open"),
        Field(
            "ava_kundeforhold",
            "lookup",
            _from(_AGREEMENT, "relation_id"),
            "The customer relation (kundeforhold)",
            target="accounts",
        ),
        Field(
            "ava_faktureringsadresse",
            "lookup",
            _from(_AGREEMENT, "billing_address_id"),
            "Billing address (faktureringsadresse)",
            target="ava_adresses",
        ),
        *_state(_AGREEMENT),
    ),
    "installations": (
        Field("ava_name", "text", _from(_INSTALLATION, "meters"), "Meter number, make and type"),
        Field("ava_identifikation", "text", _from(_INSTALLATION, "installation_number"), "Installation (InstalNummer)"),
        Field("ava_installationstype", "option", _from(_INSTALLATION, "utility"), "915240001 Varme, 915240000 Affald"),
        Field("ava_maalernummer", "text", _from(_INSTALLATION, "meters"), "Number of the meter now in use"),
        Field("ava_maalertype", "text", _from(_INSTALLATION, "meters"), "Type of the meter now in use"),
        Field(
            "ava_kundenummer", "text", _from(_AGREEMENT, "customer_number"), "Customer number of the owning agreement"
        ),
        Field(
            "ava_aftale",
            "lookup",
            _from(_AGREEMENT, "installations", "valid_from", "valid_to"),
            "The agreement in force that lists it, else the latest that did",
            target="ava_aftales",
        ),
        Field(
            "ava_adresse",
            "lookup",
            (*_from(_INSTALLATION, "address_id"), *_from(_RELATION, "address_id")),
            "Alternative place, else the consumption place of the owning agreement",
            target="ava_adresses",
        ),
        *_state(_INSTALLATION),
    ),
    "addresses": (
        Field(
            "ava_name",
            "text",
            _from(_ADDRESS, "street_name", "house_number", "floor", "door", "postcode", "district", "kind"),
            "Address in one line; access addresses end in ', adgangsadresse'",
        ),
        Field("ava_dawaadgangsadresseid", "text", _from(_ADDRESS, "access_id"), "Access address of a unit address"),
        Field("ava_gadenavn", "text", _from(_ADDRESS, "street_name"), "Road"),
        Field("ava_vejkode", "text", _from(_ADDRESS, "street_code"), "Street code, 4 digits"),
        Field("ava_husnummer", "text", _from(_ADDRESS, "house_number"), "Digits of the house number"),
        Field("ava_bogstav", "text", _from(_ADDRESS, "house_number"), "Letter of the house number"),
        Field("ava_etage", "text", _from(_ADDRESS, "floor"), "Floor; none for an access address"),
        Field("ava_doer", "text", _from(_ADDRESS, "door"), "Door; none for an access address"),
        Field("ava_postnummer", "text", _from(_ADDRESS, "postcode"), "Postal code"),
        Field("ava_by", "text", _from(_ADDRESS, "district"), "Postal district"),
        Field("ava_kommunenummer", "text", _from(_ADDRESS, "municipality_code"), "Municipality, 4 digits"),
        Field(
            "ava_kvhx",
            "text",
            _from(_ADDRESS, "municipality_code", "street_code", "house_number", "floor", "door"),
            "KVHX key of a unit address, 19 characters",
        ),
        Field("ava_land", "text", (), "Constant Danmark"),
        Field("ava_koordinat_nord", "text", _from(_ADDRESS, "easting", "northing"), "Latitude in degrees, WGS84"),
        Field("ava_koordinat_oest", "text", _from(_ADDRESS, "easting", "northing"), "Longitude in degrees, WGS84"),
        Field("ava_laengdegrad", "text", _from(_ADDRESS, "northing"), "Northing in metres (swapped on AVA's wish)"),
        Field("ava_breddegrad", "text", _from(_ADDRESS, "easting"), "Easting in metres (swapped on AVA's wish)"),
    ),
}
"""The mapped CRM columns of each entity, without the primary id."""

_DESCRIPTIONS: Final = {
    "contacts": "Persons and companies as CRM contacts (aktører).",
    "accounts": "Customer relations as CRM accounts (kundeforhold).",
    "customer_roles": "Customer roles (kunderoller): who is what in which customer relation.",
    "agreements": "Agreements (aftaler): the time a customer relation has the place.",
    "installations": "Installations with the meter now in use, under the agreement that owns them.",
    "addresses": "The addresses that CRM rows point at, and only these.",
}

_BUSINESS_KEYS: Final = {
    "contacts": ("Customer number that an operator knows the party by", _from(_CUSTOMER, "user_key")),
    "accounts": ("Customer number", _from(_RELATION, "customer_number")),
    "customer_roles": ("Customer number", _from(_ROLE, "customer_number")),
    "agreements": ("Customer number", _from(_AGREEMENT, "customer_number")),
    "installations": ("Installation number", _from(_INSTALLATION, "installation_number")),
    "addresses": ("Address text", _from(_ADDRESS, "street_name", "house_number", "postcode", "district")),
}

_ID_SOURCES: Final = {
    "contacts": _from(_CUSTOMER, "object_id"),
    "accounts": _from(_RELATION, "object_id"),
    "customer_roles": _from(_ROLE, "object_id"),
    "agreements": _from(_AGREEMENT, "object_id"),
    "installations": _from(_INSTALLATION, "object_id"),
    "addresses": _from(_ADDRESS, "address_id"),
}


def _table(entity: str) -> EntityTable:
    primary_id = TABLE_FACTS[entity].primary_id
    key_text, key_sources = _BUSINESS_KEYS[entity]
    return EntityTable(
        asset=("cache", entity),
        key=primary_id,
        description=_DESCRIPTIONS[entity],
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
