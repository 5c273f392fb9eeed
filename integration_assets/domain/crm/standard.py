"""The standard mapping to Dynamics CRM 365, one table per entity: which column is filled from what, and whose it is.

Names of columns and navigation properties are exact (Dataverse is case-sensitive for navigation properties). What
another utility has otherwise stands in its own file (`domain.crm.tables`); `docs/crm_mapping.md` shows all of it.

Not mapped on purpose: `ava_modtag_sms_notifikation` (the billing system has no source for it; sending a blank would
clear what CRM users entered) and the business code of a company (branchekode, which the CRM does not hold).
"""

from typing import Final

from integration_assets.domain.crm.field import Field

UTILITY_OPTIONS: Final = {"Affald": 915240000, "Varme": 915240001}
"""Option set of ava_kundetype, ava_aftaletype and ava_installationstype, by utility (forsyningsart)."""

ROLE_OPTIONS: Final = {str(code): code for code in range(915240000, 915240007)}
"""Option set of ava_rolle, by the registry's role code: Hovedejer, Ligestillingsejer, Administrator, Vicevært, Kunde,
Medejer, Ligestillingskunde."""

GENDER_OPTIONS: Final = {"M": 1, "K": 2}
"""Option set of gendercode, by the gender letter of the civil registration system (CPR)."""


def of(asset: str, *columns: str) -> tuple[str, ...]:
    """Columns of an asset, as a field names its sources."""
    return tuple(f"{asset}.{column}" for column in columns)


def _state(asset: str, column: str = "valid_to") -> tuple[Field, Field]:
    sources = of(asset, column)
    return (
        Field(
            "statecode",
            "option",
            sources,
            "0 active, 1 inactive: ended by the business day",
            owner="status",
            value="ended",
            rule="state",
        ),
        Field(
            "statuscode",
            "option",
            sources,
            "1 active, 2 inactive; always the pair of statecode",
            owner="status",
            value="ended",
            rule="status",
        ),
    )


def _utility(name: str, asset: str) -> Field:
    return Field(
        name,
        "option",
        of(asset, "utility"),
        "915240001 Varme, 915240000 Affald",
        options=UTILITY_OPTIONS,
        misfit="reject",
    )


CUSTOMER = "lora/customers"
RELATION = "lora/customer_relations"
ROLE = "lora/customer_roles"
AGREEMENT = "lora/agreements"
INSTALLATION = "lora/installations"
ADDRESS = "addresses/register"
ACCOUNT = "billing/installation_accounts"

FIELDS: Final[dict[str, tuple[Field, ...]]] = {
    "contacts": (
        Field(
            "firstname",
            "text",
            of(CUSTOMER, "first_name", "name"),
            "First name; a company's name",
            150,
            value="shown_first_name",
        ),
        Field(
            "middlename",
            "text",
            of(CUSTOMER, "middle_name"),
            "Middle name; none for a company",
            80,
            value="shown_middle_name",
        ),
        Field(
            "lastname",
            "text",
            of(CUSTOMER, "last_name"),
            "Last name; none for a company",
            100,
            value="shown_last_name",
        ),
        Field(
            "gendercode",
            "option",
            of(CUSTOMER, "gender"),
            "1 male (M), 2 female (K)",
            options=GENDER_OPTIONS,
            misfit="blank",
        ),
        Field(
            "ava_cpr_nummer",
            "text",
            of(CUSTOMER, "number"),
            "CPR number of a person",
            sealed=True,
            value="cpr_number",
            misfit="reject",
        ),
        Field(
            "ava_cvr_nummer",
            "text",
            of(CUSTOMER, "number"),
            "CVR number of a company",
            value="cvr_number",
            misfit="reject",
        ),
        Field("ava_virksomhedsform", "text", of(CUSTOMER, "company_form"), "Company form (virksomhedsform), code"),
        Field(
            "ava_eradressebeskyttet",
            "boolean",
            of(CUSTOMER, "address_protected"),
            "Name and address protection",
        ),
        Field("ava_kmdeemasterid", "text", of(CUSTOMER, "master_id"), "Case number in KMD EE (KundeSagsnr)"),
        Field("ava_mobilkmdee", "text", of(CUSTOMER, "mobile"), "Mobile number in KMD EE"),
        Field("ava_fastnetkmdee", "text", of(CUSTOMER, "phone"), "Landline number in KMD EE"),
        Field("ava_emailkmdee", "text", of(CUSTOMER, "email"), "E-mail address in KMD EE"),
        Field(
            "emailaddress1",
            "text",
            of(CUSTOMER, "email"),
            "Primary e-mail address: written only where the CRM has none",
            100,
            owner="first_writer",
            # Half an e-mail address is none.
            misfit="blank",
        ),
        Field(
            "ava_adresse",
            "lookup",
            of(CUSTOMER, "address_id", "address_protected"),
            "Registered address; none while name and address are protected",
            target="ava_adresses",
            value="shown_address_id",
        ),
    ),
    "accounts": (
        Field("name", "text", of(RELATION, "name"), "Utility and address line of the consumption place", 160),
        Field(
            "ava_kundenummer",
            "text",
            of(RELATION, "customer_number"),
            "Customer number (Kundenr)",
            misfit="reject",
        ),
        _utility("ava_kundetype", RELATION),
        Field(
            "ava_adresse",
            "lookup",
            of(RELATION, "address_id"),
            "Address of the consumption place (forbrugssted)",
            target="ava_adresses",
        ),
        *_state(RELATION),
    ),
    "customer_roles": (
        Field(
            "ava_rolle",
            "option",
            of(ROLE, "role_code"),
            "915240004 Kunde, 915240006 Ligestillingskunde",
            options=ROLE_OPTIONS,
            misfit="reject",
        ),
        Field("ava_aktoer", "lookup", of(ROLE, "party_id"), "The person or company (aktør)", target="contacts"),
        Field(
            "ava_kundeforhold",
            "lookup",
            of(ROLE, "relation_id"),
            "The customer relation (kundeforhold)",
            target="accounts",
        ),
        *_state(ROLE),
    ),
    "agreements": (
        Field("ava_name", "text", of(AGREEMENT, "name"), "Utility and title of the first installation"),
        _utility("ava_aftaletype", AGREEMENT),
        Field(
            "ava_antal_produkter",
            "integer",
            of(AGREEMENT, "installations"),
            "Number of its installations",
            value="installation_count",
        ),
        Field("ava_startdato", "date", of(AGREEMENT, "valid_from"), "First day (Tilflytningsdato)"),
        Field(
            "ava_slutdato",
            "date",
            of(AGREEMENT, "valid_to"),
            "First day after; 9999-12-31 = open",
            rule="open_end",
        ),
        Field(
            "ava_kundeforhold",
            "lookup",
            of(AGREEMENT, "relation_id"),
            "The customer relation (kundeforhold)",
            target="accounts",
        ),
        Field(
            "ava_faktureringsadresse",
            "lookup",
            of(AGREEMENT, "billing_address_id"),
            "Billing address (faktureringsadresse)",
            target="ava_adresses",
        ),
        *_state(AGREEMENT),
    ),
    "installations": (
        Field("ava_name", "text", of(INSTALLATION, "meters"), "Meter number, make and type", value="meter_title"),
        Field(
            "ava_identifikation",
            "text",
            of(INSTALLATION, "installation_number"),
            "Installation (InstalNummer)",
            misfit="reject",
        ),
        _utility("ava_installationstype", INSTALLATION),
        Field(
            "ava_maalernummer",
            "text",
            of(INSTALLATION, "meters"),
            "Number of the meter now in use",
            value="meter_number",
        ),
        Field(
            "ava_maalertype",
            "text",
            of(INSTALLATION, "meters"),
            "Type of the meter now in use",
            value="meter_type",
        ),
        Field(
            "ava_kundenummer",
            "text",
            of(AGREEMENT, "customer_number"),
            "Customer number of the owning agreement",
            value="owner_number",
        ),
        Field(
            "ava_aftale",
            "lookup",
            of(AGREEMENT, "installations", "valid_from", "valid_to"),
            "The agreement in force that lists it, else the latest that did",
            target="ava_aftales",
            value="owner",
        ),
        Field(
            "ava_adresse",
            "lookup",
            (*of(INSTALLATION, "address_id"), *of(RELATION, "address_id")),
            "Alternative place, else the consumption place of the owning agreement",
            target="ava_adresses",
            value="place_id",
        ),
        *_state(INSTALLATION),
    ),
    "addresses": (
        Field(
            "ava_name",
            "text",
            of(ADDRESS, "street_name", "house_number", "floor", "door", "postcode", "district", "kind"),
            "Address in one line; access addresses end in ', adgangsadresse'",
            value="address_text",
        ),
        Field(
            "ava_dawaadgangsadresseid",
            "text",
            of(ADDRESS, "access_id"),
            "Access address of a unit address",
            value="parent_id",
        ),
        Field("ava_gadenavn", "text", of(ADDRESS, "street_name"), "Road"),
        Field("ava_vejkode", "text", of(ADDRESS, "street_code"), "Street code, 4 digits"),
        Field(
            "ava_husnummer",
            "text",
            of(ADDRESS, "house_number"),
            "Digits of the house number",
            value="house_digits",
        ),
        Field(
            "ava_bogstav",
            "text",
            of(ADDRESS, "house_number"),
            "Letter of the house number",
            value="house_letter",
        ),
        Field("ava_etage", "text", of(ADDRESS, "floor"), "Floor; none for an access address", value="unit_floor"),
        Field("ava_doer", "text", of(ADDRESS, "door"), "Door; none for an access address", value="unit_door"),
        Field("ava_postnummer", "text", of(ADDRESS, "postcode"), "Postal code"),
        Field("ava_by", "text", of(ADDRESS, "district"), "Postal district"),
        Field("ava_kommunenummer", "text", of(ADDRESS, "municipality_code"), "Municipality, 4 digits"),
        Field(
            "ava_kvhx",
            "text",
            of(ADDRESS, "municipality_code", "street_code", "house_number", "floor", "door"),
            "KVHX key of a unit address, 19 characters",
            value="kvhx",
        ),
        Field("ava_land", "text", (), "Constant Danmark", value="country"),
        Field(
            "ava_koordinat_nord",
            "text",
            of(ADDRESS, "easting", "northing"),
            "Latitude in degrees, WGS84",
            value="latitude",
            rule="degrees",
        ),
        Field(
            "ava_koordinat_oest",
            "text",
            of(ADDRESS, "easting", "northing"),
            "Longitude in degrees, WGS84",
            value="longitude",
            rule="degrees",
        ),
        # The names say the opposite, on AVA's explicit wish: another utility gives the two the other values.
        Field(
            "ava_laengdegrad",
            "text",
            of(ADDRESS, "northing"),
            "Northing in metres (swapped on AVA's wish)",
            rule="metres",
        ),
        Field(
            "ava_breddegrad",
            "text",
            of(ADDRESS, "easting"),
            "Easting in metres (swapped on AVA's wish)",
            rule="metres",
        ),
    ),
    "installation_accounts": (
        Field(
            "ava_name",
            "text",
            of(ACCOUNT, "customer_number", "installation"),
            "Customer number and installation number",
            value="account_number",
        ),
        Field("ava_kundenummer", "text", of(ACCOUNT, "customer_number"), "Customer number of the contract that counts"),
        Field("ava_identifikation", "text", of(ACCOUNT, "installation"), "Installation (InstalNummer)"),
        Field("ava_maalepunkt", "text", of(ACCOUNT, "market_location"), "MaLo-ID or GSRN (målepunkt), where valid"),
        Field("ava_kontostatus", "text", of(ACCOUNT, "status"), "PROSPECT, FUTURE, ACTIVE or ENDED"),
        Field("ava_startdato", "date", of(ACCOUNT, "contract_start"), "First day of the contract that counts"),
        Field(
            "ava_slutdato",
            "date",
            of(ACCOUNT, "contract_end"),
            "First day after it; 9999-12-31 = open",
            rule="open_end",
        ),
        Field("ava_maalernummer", "text", of(ACCOUNT, "meter_number"), "Number of the meter of the day"),
        Field("ava_maalertype", "text", of(ACCOUNT, "meter_type"), "Its type"),
        Field("ava_produkt", "text", of(ACCOUNT, "product"), "Product of the contract that counts"),
        Field(
            "ava_tariffakta",
            "text",
            of(ACCOUNT, "tariff_facts"),
            "Installation facts of the day, JSON by operand",
            2000,
            # Half a JSON object is none.
            misfit="blank",
        ),
        Field("ava_inddrivelse", "boolean", of(ACCOUNT, "open_collection"), "Whether a claim is under collection"),
        Field("ava_aktoer", "lookup", of(ACCOUNT, "party_id"), "The person or company (aktør)", target="contacts"),
        Field(
            "ava_kundeforhold",
            "lookup",
            of(ACCOUNT, "customer_number"),
            "The customer relation (kundeforhold)",
            target="accounts",
            value="relation_id",
        ),
        Field(
            "ava_aftale",
            "lookup",
            of(ACCOUNT, "customer_number"),
            "The agreement (aftale) that counts",
            target="ava_aftales",
            value="agreement_id",
        ),
        Field(
            "ava_installation",
            "lookup",
            of(ACCOUNT, "installation"),
            "The installation",
            target="ava_installations",
            value="installation_id",
        ),
        Field(
            "ava_adresse",
            "lookup",
            of(ACCOUNT, "address_id"),
            "Alternative place, else the place of the contract",
            target="ava_adresses",
        ),
        Field(
            "ava_faktureringsadresse",
            "lookup",
            of(ACCOUNT, "billing_address_id"),
            "Billing address (faktureringsadresse)",
            target="ava_adresses",
        ),
        *_state(ACCOUNT, "status"),
    ),
}
"""The mapped CRM columns of each entity, without the primary id. Columns that people add to a table are none of them
and never written."""
