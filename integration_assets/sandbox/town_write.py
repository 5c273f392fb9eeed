"""Rows of the billing system for the records of the town: what a clerk's typing leaves in the tables."""

from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import Any

from integration_assets.sandbox import kmd_ee_tables as kmd
from integration_assets.sandbox.town_model import Alternative, Customer, Installation, Place, Town

Json = dict[str, Any]

OPEN_END = datetime(9999, 12, 31)  # noqa: DTZ001 - the billing system's dates have no zone
FIRST_CUSTOMER_NUMBER = 200_000


def moment(day: str | None) -> datetime:
    """Midnight of an ISO day as the billing system stores it; the open end for None."""
    return OPEN_END if day is None else datetime.fromisoformat(day)


def customer_id(number: int) -> int:
    """The internal key (KundeID) of a customer number."""
    return number - FIRST_CUSTOMER_NUMBER


def customer_values(row: Customer) -> Json:
    """The row of Kunde."""
    co = float(row.co_id_number)
    return {
        "KundeID": customer_id(row.number),
        "Kundenr": float(row.number),
        "ForbrugsstedID": row.place,
        "PersonnrSEnr": float(row.id_number),
        "LigestPersonnr": co,
        "KundeSagsnr": float(row.master_id),
        "KundeNavn": row.name,
        "Telefonnr": row.phone,
        "EmailKunde": row.email,
        "MobilTlf": row.mobile,
        "VejNavn": row.billing_street,
        "Postdistrikt": row.billing_district,
        "Tilflytningsdato": moment(row.moved_in),
        "Fraflytningsdato": moment(row.moved_out),
        "Status": 1,
        "FasadministratorID": 0,
        "BoligadminID": 0,
        "AfregningsgrpNr": row.group,
        "KundeCprNr": float(row.id_number),
        "AdresFormKunde": 0,
        "Afregningskode": 2,
        "Regningstekst": "Å conto",
        "StopAfregning": False,
        "Rykkerstatus": 0,
        "PbsAftale": row.number % 3 == 0,
        "KundeAntVoksne": 1 + (co > 0),
    }


def place_values(place: Place) -> Json:
    """The row of Forbrugssted."""
    return {
        "ForbrugsstedID": place.id,
        "ForbrStVejnavn": place.street,
        "Vejkode": place.street_code,
        "Husnr": place.number,
        "Bogstav": place.letter,
        "Etage": place.floor,
        "Sidedørnr": place.door,
        "Postnr": place.postcode,
        "Postdistrikt": place.city,
        "Ejendomsnr": 300_000 + place.id,
        "ViceværtID": 0,
    }


def installation_values(installation: Installation) -> Json:
    """The row of TrefInstallation."""
    return {
        "InstallationID": installation.id,
        "InstalNummer": installation.number,
        "ForbrugsstedID": installation.place,
        "AlternativStedID": installation.alternative,
    }


def meter_values(installation: Installation) -> Iterator[Json]:
    """The rows of TrefMaaler of one installation."""
    for meter_id, number, meter_type, make, first, last in installation.meters:
        yield {
            "MaalerID": meter_id,
            "InstallationID": installation.id,
            "Målernr": number,
            "MaalerTypeBetegnel": meter_type,
            "Målertypefabrikat": make,
            "DatoFra": moment(first),
            "DatoTil": moment(last),
        }


def alternative_values(alternative: Alternative) -> Json:
    """The row of AlternativSted."""
    return {
        "AlternativStedID": alternative.id,
        "ForbrStVejnavn": alternative.street,
        "VejkodeAltern": alternative.street_code,
        "HusnrAltern": alternative.number,
        "Bogstav": alternative.letter,
        "EtageAltAdr": alternative.floor,
        "SidedørnrAltern": alternative.door,
        "Postnr": alternative.postcode,
        "Postdistrikt": alternative.city,
    }


def write_town(town: Town, url: str) -> None:
    """Create the tables anew and fill them with everything."""
    kmd.create_tables(url)
    with kmd.connect(url) as connection:
        kmd.copy_rows(connection, kmd.FORBRUGSSTED, map(place_values, town.places.values()))
        kmd.copy_rows(connection, kmd.KUNDE, map(customer_values, town.customers.values()))
        installations = town.installations.values()
        kmd.copy_rows(connection, kmd.TREF_INSTALLATION, map(installation_values, installations))
        kmd.copy_rows(connection, kmd.TREF_MAALER, (row for each in installations for row in meter_values(each)))
        kmd.copy_rows(connection, kmd.ALTERNATIV_STED, map(alternative_values, town.alternatives.values()))


def write_changes(town: Town, url: str, touched: Iterable[tuple[str, int]]) -> None:
    """Write the touched records, (kind, number), in one transaction: each row is inserted or replaced."""
    touched = sorted(set(touched))
    with kmd.connect(url) as connection:
        for kind, number in touched:
            record = town.records(kind)[number]
            if kind == "customers":
                kmd.replace_row(connection, kmd.KUNDE, customer_values(record))
            elif kind == "places":
                kmd.replace_row(connection, kmd.FORBRUGSSTED, place_values(record))
            else:
                kmd.replace_row(connection, kmd.TREF_INSTALLATION, installation_values(record))
                for row in meter_values(record):
                    kmd.replace_row(connection, kmd.TREF_MAALER, row)
