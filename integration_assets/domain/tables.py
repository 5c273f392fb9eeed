"""The registry of frames: every table that an asset fills, and the rows that the registry (LoRa) receives.

One place names each column, its type, meaning and origin. CRM tables are declared in `domain.crm.fields` (the mapping
is their declaration) and joined in here.
"""

import polars as pl

from integration_assets.domain.crm.fields import CRM_TABLES
from integration_assets.domain.registry.history import HISTORY
from integration_assets.domain.schema import Column, EntityTable

_AREA = Column("supply_area", pl.String, "Supply area (forsyningsområde): the partition, from the place's postal code")

KMD_CUSTOMERS = EntityTable(
    asset=("kmd_ee", "customers"),
    key="customer_number",
    description="One row per customer relation (kundeforhold) of KMD EE, with its consumption place (forbrugssted).",
    columns=(
        Column("customer_number", pl.String, "Customer number (Kundenr): the record key", ("KMD EE.Kunde.Kundenr",)),
        _AREA,
        Column("id_number", pl.String, "CPR or CVR number as read, normalised", ("KMD EE.Kunde.PersonnrSEnr",), True),
        Column("co_id_number", pl.String, "CPR number of the co-customer", ("KMD EE.Kunde.LigestPersonnr",), True),
        Column("master_id", pl.String, "Case number (KundeSagsnr), the CRM's master id", ("KMD EE.Kunde.KundeSagsnr",)),
        Column("name", pl.String, "Name as typed in the billing system", ("KMD EE.Kunde.KundeNavn",)),
        Column("phone", pl.String, "Landline", ("KMD EE.Kunde.Telefonnr",)),
        Column("mobile", pl.String, "Mobile", ("KMD EE.Kunde.MobilTlf",)),
        Column("email", pl.String, "E-mail", ("KMD EE.Kunde.EmailKunde",)),
        Column("consumption_place_id", pl.Int64, "Consumption place", ("KMD EE.Kunde.ForbrugsstedID",)),
        Column("billing_street_line", pl.String, "Billing street line, number and floor", ("KMD EE.Kunde.VejNavn",)),
        Column("billing_district", pl.String, "Billing postal code and city", ("KMD EE.Kunde.Postdistrikt",)),
        Column("moved_in", pl.Date, "Move-in: first day of the agreement", ("KMD EE.Kunde.Tilflytningsdato",)),
        Column("moved_out", pl.Date, "Move-out: first day after it; null = open", ("KMD EE.Kunde.Fraflytningsdato",)),
        Column("street_name", pl.String, "Street of the place", ("KMD EE.Forbrugssted.ForbrStVejnavn",)),
        Column("street_code", pl.String, "Street code, 4 digits", ("KMD EE.Forbrugssted.Vejkode",)),
        Column("house_number", pl.String, "House number without letter", ("KMD EE.Forbrugssted.Husnr",)),
        Column("house_letter", pl.String, "House letter", ("KMD EE.Forbrugssted.Bogstav",)),
        Column("floor", pl.String, "Floor", ("KMD EE.Forbrugssted.Etage",)),
        Column("door", pl.String, "Door", ("KMD EE.Forbrugssted.Sidedørnr",)),
        Column("postcode", pl.String, "Postal code of the place", ("KMD EE.Forbrugssted.Postnr",)),
        Column("city", pl.String, "Postal district of the place", ("KMD EE.Forbrugssted.Postdistrikt",)),
    ),
)

KMD_INSTALLATIONS = EntityTable(
    asset=("kmd_ee", "installations"),
    key="meter_period",
    description="One row per installation and meter (TrefInstallation × TrefMaaler), all periods that have begun.",
    columns=(
        Column("meter_period", pl.String, "Key: installation number, meter number and first day"),
        _AREA,
        Column("installation_number", pl.String, "Installation", ("KMD EE.TrefInstallation.InstalNummer",)),
        Column("consumption_place_id", pl.Int64, "Place it stands at", ("KMD EE.TrefInstallation.ForbrugsstedID",)),
        Column("meter_number", pl.String, "Meter number", ("KMD EE.TrefMaaler.Målernr",)),
        Column("meter_type", pl.String, "Meter type designation", ("KMD EE.TrefMaaler.MaalerTypeBetegnel",)),
        Column("meter_make", pl.String, "Meter manufacturer", ("KMD EE.TrefMaaler.Målertypefabrikat",)),
        Column("meter_from", pl.Date, "First day of the meter", ("KMD EE.TrefMaaler.DatoFra",)),
        Column("meter_to", pl.Date, "First day after the meter; null = open", ("KMD EE.TrefMaaler.DatoTil",)),
        Column("alternative_place_id", pl.Int64, "Alternative place", ("KMD EE.TrefInstallation.AlternativStedID",)),
        Column("alt_street_name", pl.String, "Its street", ("KMD EE.AlternativSted.ForbrStVejnavn",)),
        Column("alt_street_code", pl.String, "Its street code", ("KMD EE.AlternativSted.VejkodeAltern",)),
        Column("alt_house_number", pl.String, "Its house number", ("KMD EE.AlternativSted.HusnrAltern",)),
        Column("alt_house_letter", pl.String, "Its house letter", ("KMD EE.AlternativSted.Bogstav",)),
        Column("alt_floor", pl.String, "Its floor", ("KMD EE.AlternativSted.EtageAltAdr",)),
        Column("alt_door", pl.String, "Its door", ("KMD EE.AlternativSted.SidedørnrAltern",)),
        Column("alt_postcode", pl.String, "Its postal code", ("KMD EE.AlternativSted.Postnr",)),
        Column("alt_city", pl.String, "Its postal district", ("KMD EE.AlternativSted.Postdistrikt",)),
    ),
)

ADDRESS_REGISTER = EntityTable(
    asset=("addresses", "register"),
    key="address_id",
    partition="municipality_code",
    description="Danmarks Adresseregister: unit addresses (adresser) and access addresses (husnumre).",
    columns=(
        Column("address_id", pl.String, "Uuid in the register", ("DAR.Adresse.id_lokalId", "DAR.Husnummer.id_lokalId")),
        Column("municipality_code", pl.String, "Municipality, 4 digits", ("DAR.NavngivenVejKommunedel.kommune",)),
        Column("kind", pl.String, "unit (adresse) or access (husnummer)"),
        Column("access_id", pl.String, "Uuid of the access address; its own for access", ("DAR.Adresse.husnummer",)),
        Column("street_name", pl.String, "Road", ("DAR.NavngivenVej.vejnavn",)),
        Column("short_street_name", pl.String, "Addressing name", ("DAR.NavngivenVej.vejadresseringsnavn",)),
        Column("street_code", pl.String, "Street code, 4 digits", ("DAR.NavngivenVejKommunedel.vejkode",)),
        Column("house_number", pl.String, "House number and letter", ("DAR.Husnummer.husnummertekst",)),
        Column("floor", pl.String, "Floor; null for none", ("DAR.Adresse.etagebetegnelse",)),
        Column("door", pl.String, "Door; null for none", ("DAR.Adresse.doerbetegnelse",)),
        Column("supplementary_town", pl.String, "Supplementary town name", ("DAR.SupplerendeBynavn.navn",)),
        Column("postcode", pl.String, "Postal code", ("DAR.Postnummer.postnr",)),
        Column("district", pl.String, "Postal district", ("DAR.Postnummer.navn",)),
        Column(
            "status", pl.Int64, "DAR status: 2 provisional, 3 current, 4 closed, 5 abandoned", ("DAR.Adresse.status",)
        ),
        Column("easting", pl.Float64, "Easting in metres, EPSG:25832", ("DAR.Adressepunkt.position",)),
        Column("northing", pl.Float64, "Northing in metres, EPSG:25832", ("DAR.Adressepunkt.position",)),
    ),
)

RESOLVED_CUSTOMERS = EntityTable(
    asset=("resolved", "customers"),
    key="customer_number",
    description="Customer relations whose parties are known: numbers completed, parties identified.",
    columns=(
        Column("customer_number", pl.String, "Customer number (Kundenr)", ("kmd_ee/customers.customer_number",)),
        _AREA,
        Column("party_id", pl.String, "Uuid of the main customer", ("resolved/customers.number",)),
        Column("party_kind", pl.String, "person or company", ("kmd_ee/customers.id_number",)),
        Column("number", pl.String, "Complete CPR or CVR number", ("kmd_ee/customers.id_number", "CPR.ADRSOG1"), True),
        Column("number_origin", pl.String, "source, or where it was found: consumption_address, billing_address"),
        Column(
            "co_party_id", pl.String, "Uuid of the co-customer (ligestillingskunde)", ("resolved/customers.co_number",)
        ),
        Column(
            "co_number", pl.String, "Her complete CPR number", ("kmd_ee/customers.co_id_number", "CPR.ADRSOG1"), True
        ),
        Column("co_number_origin", pl.String, "As number_origin; inferred where only date and address matched"),
        Column("name", pl.String, "Name as typed in the billing system", ("kmd_ee/customers.name",)),
        Column("master_id", pl.String, "Master id", ("kmd_ee/customers.master_id",)),
        Column("phone", pl.String, "Landline", ("kmd_ee/customers.phone",)),
        Column("mobile", pl.String, "Mobile", ("kmd_ee/customers.mobile",)),
        Column("email", pl.String, "E-mail", ("kmd_ee/customers.email",)),
        Column("consumption_place_id", pl.Int64, "Consumption place", ("kmd_ee/customers.consumption_place_id",)),
        Column("moved_in", pl.Date, "First day", ("kmd_ee/customers.moved_in",)),
        Column("moved_out", pl.Date, "First day after; null = open", ("kmd_ee/customers.moved_out",)),
    ),
)

_CATEGORY = Column(
    "category", pl.String, "A, B: the address that is meant; H: only its house is certain; C: unresolved"
)
_METHOD = Column(
    "method",
    pl.String,
    "components, exact, synonym, spelling, district, large_receiver, historical, access_address, registered_address, "
    "decision or none",
)
_CUSTOMER_KEY = Column("customer_number", pl.String, "Customer number", ("kmd_ee/customers.customer_number",))
_PLACE_COLUMNS = tuple(
    f"kmd_ee/customers.{name}"
    for name in ("street_name", "street_code", "house_number", "house_letter", "floor", "door", "postcode", "city")
)

RESOLVED_CONSUMPTION_ADDRESSES = EntityTable(
    asset=("resolved", "consumption_addresses"),
    key="customer_number",
    description="The one Danish address of each consumption place (forbrugsstedsadresse).",
    columns=(
        _CUSTOMER_KEY,
        _AREA,
        Column("address_line", pl.String, "Street no+letter floor+door, postcode city, as typed", _PLACE_COLUMNS),
        Column("address_id", pl.String, "Uuid of unit or access address; null unresolved", _PLACE_COLUMNS),
        _CATEGORY,
        _METHOD,
    ),
)

RESOLVED_BILLING_ADDRESSES = EntityTable(
    asset=("resolved", "billing_addresses"),
    key="customer_number",
    description="The one Danish address behind each billing line (faktureringsadresse).",
    columns=(
        _CUSTOMER_KEY,
        _AREA,
        Column(
            "address_line",
            pl.String,
            "Billing line as typed",
            ("kmd_ee/customers.billing_street_line", "kmd_ee/customers.billing_district"),
        ),
        Column(
            "address_id",
            pl.String,
            "Uuid of the unit address; null unresolved",
            (
                "kmd_ee/customers.billing_street_line",
                "kmd_ee/customers.billing_district",
                "resolved/customers.party_id",
            ),
        ),
        _CATEGORY,
        _METHOD,
    ),
)

RESOLVED_INSTALLATION_ADDRESSES = EntityTable(
    asset=("resolved", "installation_addresses"),
    key="installation_number",
    description="The access address of each installation's alternative place (alternativt sted), where it has one.",
    columns=(
        Column("installation_number", pl.String, "Installation", ("kmd_ee/installations.installation_number",)),
        _AREA,
        Column("address_line", pl.String, "Alternative place as typed", ("kmd_ee/installations.alt_street_name",)),
        Column("address_id", pl.String, "Uuid of the access address", ("kmd_ee/installations.alt_street_code",)),
        _CATEGORY,
        _METHOD,
    ),
)

ENTITY_TABLES: dict[tuple[str, str], EntityTable] = {
    table.asset: table
    for table in (
        KMD_CUSTOMERS,
        KMD_INSTALLATIONS,
        ADDRESS_REGISTER,
        RESOLVED_CUSTOMERS,
        RESOLVED_CONSUMPTION_ADDRESSES,
        RESOLVED_BILLING_ADDRESSES,
        RESOLVED_INSTALLATION_ADDRESSES,
        *CRM_TABLES.values(),
    )
}
"""Every table that the IO manager fills, by asset key."""

METER_PERIODS = pl.List(
    pl.Struct(
        {"meter_number": pl.String, "meter_type": pl.String, "meter_make": pl.String, "from": pl.Date, "to": pl.Date}
    )
)
INSTALLATION_PERIODS = pl.List(pl.Struct({"installation_id": pl.String, "from": pl.Date, "to": pl.Date}))

REGISTRY_ROWS: dict[str, pl.Schema] = {
    "customers": pl.Schema(
        {
            "party_kind": pl.String,  # person | company
            "number": pl.String,  # CPR or CVR in force: payloads of this entity are encrypted at rest
            "user_key": pl.String,  # brugervendtnoegle: lowest customer number that names the party
            "name": pl.String,  # brugernavn | organisationsnavn
            "kmd_name": pl.String,  # as typed in the billing system
            "first_name": pl.String,
            "middle_name": pl.String,
            "last_name": pl.String,
            "gender": pl.String,  # M | K
            "civil_status": pl.String,
            "address_protected": pl.Boolean,
            "business_code": pl.String,  # branchekode
            "company_form": pl.String,  # virksomhedsform
            "master_id": pl.String,
            "phone": pl.String,
            "mobile": pl.String,
            "email": pl.String,
            "address_id": pl.String,  # registered address
            "ended_on": pl.Date,  # day of death, day on which a company ceased
            "history": HISTORY,  # of the fields that changed; the fields themselves have the last value
        }
    ),
    "customer_relations": pl.Schema(
        {
            "customer_number": pl.String,
            "name": pl.String,  # "Varme, " + address line
            "utility": pl.String,  # Varme
            "address_id": pl.String,
            "valid_from": pl.Date,
            "valid_to": pl.Date,
            "history": HISTORY,
        }
    ),
    "customer_roles": pl.Schema(
        {
            "customer_number": pl.String,
            "role_code": pl.String,  # 915240004 Kunde | 915240006 Ligestillingskunde
            "role_name": pl.String,
            "party_id": pl.String,
            "party_kind": pl.String,
            "relation_id": pl.String,
            "valid_from": pl.Date,
            "valid_to": pl.Date,
        }
    ),
    "installations": pl.Schema(
        {
            "installation_number": pl.String,
            "utility": pl.String,
            "address_id": pl.String,  # alternative place, access address
            "meters": METER_PERIODS,  # by first day
            "valid_from": pl.Date,
            "valid_to": pl.Date,
            "history": HISTORY,
        }
    ),
    "agreements": pl.Schema(
        {
            "customer_number": pl.String,
            "name": pl.String,
            "utility": pl.String,
            "relation_id": pl.String,
            "billing_address_id": pl.String,
            "installations": INSTALLATION_PERIODS,  # by installation id and first day
            "valid_from": pl.Date,
            "valid_to": pl.Date,
            "history": HISTORY,
        }
    ),
}
"""The flat rows of the registry's entities: what `lora/*` desires, delivers and reads back.

Dates are half-open; null is an open end.
"""
