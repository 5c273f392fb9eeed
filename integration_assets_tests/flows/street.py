"""A street in which something of everything lives: the small town of the column tests."""

from datetime import date
from typing import Any

from integration_assets.domain.people.parties import Person
from integration_assets.sandbox.kmd_ee_tables import ALTERNATIV_STED, TREF_INSTALLATION, TREF_MAALER
from integration_assets_tests.flows.village import OPEN, Registers, Source, address, company, person

ANNA, BO, CARL, DORA, EVA = 101701234, 202721111, 303731234, 404741111, 505751111
BAKER = 25052943


def units() -> list[dict[str, Any]]:
    """Every flat and house that a typed address of the village, or one column away from it, can mean."""
    vestergade = [("1", "1", "tv"), ("1", "1", "th"), ("1", "2", "tv"), ("1A", "1", "tv"), ("9", "1", "tv")]
    houses = [("2", None, None), ("3", None, None), ("5", None, None), ("5B", None, None), ("6", None, None)]
    return [
        *(address("Vestergade", *parts) for parts in (*vestergade, *houses, ("7", None, None))),
        address("Vestergade", "1", "1", "tv", postcode="5200"),
        address("Vestergade", "5", postcode="5200"),
        address("Østergade", "1", "1", "tv"),
        address("Østergade", "5"),
        address("Østergade", "7"),
        *(address("Nørregade", house) for house in ("10", "11", "12", "13", "14", "15", "20", "21")),
        address("Nørregade", "20", postcode="5200"),
    ]


def fill(source: Source) -> None:
    """Anna (with Bo) at place 1 with installations 501 and 502, the baker at place 2 without any, Carl gone from 3."""
    source.place(1, 1, Etage="1", Sidedørnr="tv")
    source.place(2, 2)
    source.place(3, 3)
    common = {
        "Telefonnr": 86112233,
        "MobilTlf": "20112233",
        "EmailKunde": "typed@example.dk",
        "VejNavn": "Nørregade 20",
        "Postdistrikt": "5000 Odense C",
        "KundeSagsnr": 7001,
        "Status": 1,
        "FasadministratorID": 0,
        "BoligadminID": 0,
    }
    source.customer(1001, ANNA, LigestPersonnr=BO, KundeNavn="Anna Prøve", ForbrugsstedID=1, **common)
    source.customer(1002, BAKER, KundeNavn="Bager", ForbrugsstedID=2, **common)
    moved_out = {"Tilflytningsdato": date(2019, 1, 1), "Fraflytningsdato": date(2026, 11, 1)}
    source.customer(1003, CARL, KundeNavn="Carl Prøve", ForbrugsstedID=3, **moved_out, **common)
    for key, number, place, alternative in ((11, 501, 1, 0), (12, 502, 1, 7), (13, 503, 3, 8)):
        values = {"InstalNummer": number, "ForbrugsstedID": place, "AlternativStedID": alternative}
        source.put(TREF_INSTALLATION, InstallationID=key, **values)
        meter = {"Målernr": f"M{number}", "MaalerTypeBetegnel": "qp 1,5", "Målertypefabrikat": "Nordlys"}
        source.put(TREF_MAALER, MaalerID=key, InstallationID=key, DatoFra=date(2015, 1, 1), DatoTil=OPEN, **meter)
    shed = {"ForbrStVejnavn": "Vestergade", "Postnr": "5000", "Postdistrikt": "Odense C"}
    source.put(ALTERNATIV_STED, AlternativStedID=7, VejkodeAltern=1111, HusnrAltern=5, **shed)
    # No street code: the name decides.
    source.put(ALTERNATIV_STED, AlternativStedID=8, VejkodeAltern=0, HusnrAltern=7, **shed)


def registers() -> Registers:
    """Everybody who appears in these tests, as the registers know them."""
    known = Registers()
    people = {ANNA: ("Anna Prøve", "10"), BO: ("Bo Prøve", "11"), CARL: ("Carl Prøve", "12"), DORA: ("Dora Ny", "13")}
    people[EVA] = ("Eva Ny", "14")
    known.people = {f"{number:010}": resident_of(number, *facts) for number, facts in people.items()}
    known.companies = {str(BAKER): company(str(BAKER), "Bager & Søn", address("Nørregade", "15")["address_id"])}
    return known


def resident_of(number: int, name: str, house: str) -> Person:
    return person(f"{number:010}", name, address("Nørregade", house)["address_id"])
