"""The tables of the CRM sandbox as the organisation's metadata describes them: columns, lookups, keys, states.

Belongs here: names, types, lengths and option sets of the customer service solution ("ava_") on top of Dataverse's own
contact, account and incident. No rows and no wire formats.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from types import MappingProxyType
from typing import Literal

Kind = Literal["string", "integer", "bigint", "picklist", "state", "status", "boolean", "date", "datetime", "guid"]

EDM_TYPES: Mapping[Kind, str] = MappingProxyType(
    {
        "string": "Edm.String",
        "integer": "Edm.Int32",
        "bigint": "Edm.Int64",
        "picklist": "Edm.Int32",
        "state": "Edm.Int32",
        "status": "Edm.Int32",
        "boolean": "Edm.Boolean",
        "date": "Edm.Date",
        "datetime": "Edm.DateTimeOffset",
        "guid": "Edm.Guid",
    }
)

_UTILITIES = {915240000: "Affald", 915240001: "Varme"}
_ROLES = {
    915240000: "Hovedejer",
    915240001: "Ligestillingsejer",
    915240002: "Administrator",
    915240003: "Vicevært",
    915240004: "Kunde",
    915240005: "Medejer",
    915240006: "Ligestillingskunde",
}
_GENDERS = {1: "Male", 2: "Female"}


@dataclass(frozen=True)
class Attribute:
    """One column. `options` are the values and labels of a choice, `writable` is false for what the server computes."""

    name: str
    kind: Kind
    max_length: int | None = None
    options: Mapping[int, str] = field(default_factory=dict)
    writable: bool = True
    required: bool = False

    @property
    def edm_type(self) -> str:
        """The OData type of its values."""
        return EDM_TYPES[self.kind]


@dataclass(frozen=True)
class Lookup:
    """A reference to a row of `target` (logical name).

    Written through `navigation` (case-sensitive), read as `_<attribute>_value`. A lookup that may point to several
    tables is several of these with one attribute.
    """

    navigation: str
    attribute: str
    target: str

    @property
    def value_name(self) -> str:
        """The property under which the id of the target is read."""
        return f"_{self.attribute}_value"


@dataclass(frozen=True)
class AlternateKey:
    """Columns whose values together name at most one row. Rows where all are null are not held to it."""

    name: str
    columns: tuple[str, ...]


@dataclass(frozen=True)
class Table:
    """One table. `states` gives the status reasons that each state allows, its default first."""

    set_name: str
    logical: str
    schema_name: str
    primary_id: str
    primary_name: str
    own_attributes: tuple[Attribute, ...]
    lookups: tuple[Lookup, ...] = ()
    keys: tuple[AlternateKey, ...] = ()
    states: Mapping[int, tuple[int, ...]] = field(default_factory=lambda: {0: (1,), 1: (2,)})

    @cached_property
    def attributes(self) -> Mapping[str, Attribute]:
        """All columns but the lookups, by name: primary id, own, state, status and those the server keeps."""
        system = (
            Attribute("statecode", "state", options={state: _STATE_LABELS[state] for state in self.states}),
            Attribute(
                "statuscode",
                "status",
                options={s: _STATE_LABELS[state] for state, all_ in self.states.items() for s in all_},
            ),
            Attribute("createdon", "datetime", writable=False),
            Attribute("modifiedon", "datetime", writable=False),
            Attribute("versionnumber", "bigint", writable=False),
        )
        primary = Attribute(self.primary_id, "guid", required=True)
        return {attribute.name: attribute for attribute in (primary, *self.own_attributes, *system)}

    @cached_property
    def navigations(self) -> Mapping[str, Lookup]:
        """Lookups by their navigation property."""
        return {lookup.navigation: lookup for lookup in self.lookups}

    @cached_property
    def properties(self) -> Mapping[str, Kind]:
        """Everything that a query may name, with its kind: columns and `_<lookup>_value`, in the order of answers."""
        kinds: dict[str, Kind] = {name: attribute.kind for name, attribute in self.attributes.items()}
        kinds.update({lookup.value_name: "guid" for lookup in self.lookups})
        return kinds

    def key(self, columns: frozenset[str]) -> AlternateKey | None:
        """The alternate key over exactly these columns."""
        return next((key for key in self.keys if frozenset(key.columns) == columns), None)

    @property
    def type_name(self) -> str:
        """The qualified name of the entity type."""
        return f"Microsoft.Dynamics.CRM.{self.logical}"


@dataclass(frozen=True)
class ManyToMany:
    """A many-to-many relationship; the navigation property is called `name` on both tables."""

    name: str
    first: str
    second: str

    def partner(self, set_name: str) -> str | None:
        """The entity set on the other side, or None when `set_name` takes no part."""
        return {self.first: self.second, self.second: self.first}.get(set_name)


_STATE_LABELS = {0: "Active", 1: "Inactive", 2: "Canceled"}


def _text(name: str, max_length: int = 100) -> Attribute:
    return Attribute(name, "string", max_length)


def _choice(name: str, options: Mapping[int, str]) -> Attribute:
    return Attribute(name, "picklist", options=options)


_CONTACT = Table(
    "contacts",
    "contact",
    "Contact",
    "contactid",
    "fullname",
    (
        _text("firstname", 150),
        _text("middlename", 80),
        _text("lastname", 100),
        Attribute("fullname", "string", 260, writable=False),
        _text("emailaddress1", 100),
        _text("telephone1", 50),
        _choice("gendercode", _GENDERS),
        _text("ava_cpr_nummer"),
        _text("ava_cvr_nummer"),
        _text("ava_virksomhedsform"),
        Attribute("ava_eradressebeskyttet", "boolean"),
        Attribute("ava_modtag_sms_notifikation", "boolean"),
        _text("ava_kmdeemasterid"),
        _text("ava_mobilkmdee"),
        _text("ava_fastnetkmdee"),
        _text("ava_emailkmdee"),
    ),
    (Lookup("ava_adresse", "ava_adresse", "ava_adresse"),),
)
_ACCOUNT = Table(
    "accounts",
    "account",
    "Account",
    "accountid",
    "name",
    (_text("name", 160), _text("ava_kundenummer"), _choice("ava_kundetype", _UTILITIES)),
    (Lookup("ava_adresse", "ava_adresse", "ava_adresse"),),
    (AlternateKey("ava_kundenummer_key", ("ava_kundenummer",)),),
)
_ROLE = Table(
    "ava_kunderolles",
    "ava_kunderolle",
    "ava_kunderolle",
    "ava_kunderolleid",
    "ava_name",
    (_text("ava_name", 200), _choice("ava_rolle", _ROLES)),
    (Lookup("ava_aktoer", "ava_aktoer", "contact"), Lookup("ava_kundeforhold", "ava_kundeforhold", "account")),
)
_AGREEMENT = Table(
    "ava_aftales",
    "ava_aftale",
    "ava_aftale",
    "ava_aftaleid",
    "ava_name",
    (
        _text("ava_name", 200),
        _choice("ava_aftaletype", _UTILITIES),
        Attribute("ava_antal_produkter", "integer"),
        Attribute("ava_startdato", "date"),
        Attribute("ava_slutdato", "date"),
    ),
    (
        Lookup("ava_kundeforhold", "ava_kundeforhold", "account"),
        Lookup("ava_faktureringsadresse", "ava_faktureringsadresse", "ava_adresse"),
    ),
)
_INSTALLATION = Table(
    "ava_installations",
    "ava_installation",
    "ava_installation",
    "ava_installationid",
    "ava_name",
    (
        _text("ava_name", 200),
        _text("ava_identifikation"),
        _choice("ava_installationstype", _UTILITIES),
        _text("ava_maalernummer"),
        _text("ava_maalertype"),
        _text("ava_kundenummer"),
    ),
    (Lookup("ava_aftale", "ava_aftale", "ava_aftale"), Lookup("ava_adresse", "ava_adresse", "ava_adresse")),
    (AlternateKey("ava_identifikation_key", ("ava_identifikation",)),),
)
_ADDRESS = Table(
    "ava_adresses",
    "ava_adresse",
    "ava_adresse",
    "ava_adresseid",
    "ava_name",
    (
        _text("ava_name", 200),
        *(
            _text(name)
            for name in (
                "ava_dawaadgangsadresseid",
                "ava_gadenavn",
                "ava_vejkode",
                "ava_husnummer",
                "ava_bogstav",
                "ava_etage",
                "ava_doer",
                "ava_postnummer",
                "ava_by",
                "ava_kommunenummer",
                "ava_kvhx",
                "ava_land",
                "ava_koordinat_nord",
                "ava_koordinat_oest",
                "ava_laengdegrad",
                "ava_breddegrad",
            )
        ),
    ),
)
_INCIDENT = Table(
    "incidents",
    "incident",
    "Incident",
    "incidentid",
    "title",
    (_text("title", 200), _text("ticketnumber"), _text("description", 2000)),
    (
        Lookup("customerid_account", "customerid", "account"),
        Lookup("customerid_contact", "customerid", "contact"),
        Lookup("ava_kundeforhold", "ava_kundeforhold", "account"),
        Lookup("ava_aktoer", "ava_aktoer", "contact"),
        Lookup("ava_installation", "ava_installation", "ava_installation"),
    ),
    states={0: (1, 2, 3, 4), 1: (5, 1000), 2: (6, 2000)},
)

TABLES: Mapping[str, Table] = MappingProxyType(
    {table.set_name: table for table in (_CONTACT, _ACCOUNT, _ROLE, _AGREEMENT, _INSTALLATION, _ADDRESS, _INCIDENT)}
)
"""The tables by entity set name."""

BY_LOGICAL_NAME: Mapping[str, Table] = MappingProxyType({table.logical: table for table in TABLES.values()})

MANY_TO_MANY: Mapping[str, ManyToMany] = MappingProxyType(
    {"ava_aktoerens_aftaler": ManyToMany("ava_aktoerens_aftaler", "ava_aftales", "contacts")}
)
"""Many-to-many relationships by navigation property."""


def many_to_many(set_name: str, navigation: str) -> ManyToMany | None:
    """The relationship that `navigation` names on rows of `set_name`, if any."""
    relationship = MANY_TO_MANY.get(navigation)
    return relationship if relationship and relationship.partner(set_name) else None
