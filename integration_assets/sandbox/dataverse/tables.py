"""The tables of the CRM sandbox as a healthy organisation has them.

Belongs here: names, types, lengths and option sets of the customer service solution ("ava_") on top of Dataverse's own
contact, account and incident. What a table is says `model`; what an administrator may have got wrong, `schema_changes`.
"""

from collections.abc import Mapping

from integration_assets.sandbox.dataverse.model import AlternateKey, Attribute, Lookup, ManyToMany, Schema, Table

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
        Attribute("ava_antal_produkter", "integer", minimum=0, maximum=1000),
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
_INSTALLATION_ACCOUNT = Table(
    "ava_installationskontos",
    "ava_installationskonto",
    "ava_installationskonto",
    "ava_installationskontoid",
    "ava_name",
    (
        _text("ava_name", 200),
        *(
            _text(name)
            for name in (
                *("ava_kundenummer", "ava_identifikation", "ava_maalepunkt", "ava_kontostatus"),
                *("ava_maalernummer", "ava_maalertype", "ava_produkt"),
            )
        ),
        _text("ava_tariffakta", 2000),
        _text("ava_noter", 2000),
        Attribute("ava_startdato", "date"),
        Attribute("ava_slutdato", "date"),
        Attribute("ava_inddrivelse", "boolean"),
    ),
    (
        Lookup("ava_aktoer", "ava_aktoer", "contact"),
        Lookup("ava_kundeforhold", "ava_kundeforhold", "account"),
        Lookup("ava_aftale", "ava_aftale", "ava_aftale"),
        Lookup("ava_installation", "ava_installation", "ava_installation"),
        Lookup("ava_adresse", "ava_adresse", "ava_adresse"),
        Lookup("ava_faktureringsadresse", "ava_faktureringsadresse", "ava_adresse"),
    ),
)
_INCIDENT = Table(
    "incidents",
    "incident",
    "Incident",
    "incidentid",
    "title",
    (_text("title", 200), _text("ticketnumber"), Attribute("description", "memo", 2000)),
    (
        Lookup("customerid_account", "customerid", "account"),
        Lookup("customerid_contact", "customerid", "contact"),
        Lookup("ava_kundeforhold", "ava_kundeforhold", "account"),
        Lookup("ava_aktoer", "ava_aktoer", "contact"),
        Lookup("ava_installation", "ava_installation", "ava_installation"),
    ),
    states={0: (1, 2, 3, 4), 1: (5, 1000), 2: (6, 2000)},
)

ORGANISATION = Schema(
    (_CONTACT, _ACCOUNT, _ROLE, _AGREEMENT, _INSTALLATION, _ADDRESS, _INSTALLATION_ACCOUNT, _INCIDENT),
    (ManyToMany("ava_aktoerens_aftaler", "ava_aftales", "contacts"),),
)
"""The healthy organisation."""
