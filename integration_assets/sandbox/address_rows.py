"""The rows of the address register's entities as the register writes them, made of the sandbox's addresses.

Belongs here: the fields of each entity and how the entities point at each other. What changes over time is
`address_history`.
"""

import uuid
from collections.abc import Callable, Iterable, Iterator
from typing import Any

_NAMESPACE = uuid.UUID("b5c7a3de-52a4-4f3d-9b6e-0f0a4d7f2c11")
_FIRST_DAGI_ID = 389_100
_CURRENT = "3"
SINCE_EVER = {"registreringFra": "2018-05-31T22:00:00.000000Z", "virkningFra": "2000-02-05T11:00:00.000000Z"}
"""Times of rows that have been so since the sandbox began."""

Json = dict[str, Any]
Rows = Callable[[], Iterator[Json]]


def entities(
    units: list[Json], access: dict[str, Json], places: list[Json] | None = None
) -> list[tuple[str, str | None, Rows]]:
    """Entity, municipality (None: national) and a function that makes the rows, for every file on offer.

    `access` are all houses by id; files are made of the houses in `places`, by default of all.
    """
    places = list(access.values()) if places is None else places
    municipalities = sorted({row["municipality_code"] for row in places})
    national: list[tuple[str, str | None, Rows]] = [
        ("Adresse", None, lambda: (_adresse(unit, access[unit["access_id"]]) for unit in units)),
        ("Husnummer", None, lambda: map(_husnummer, places)),
        ("Adressepunkt", None, lambda: map(_adressepunkt, places)),
        ("NavngivenVej", None, lambda: map(_navngiven_vej, _once(places, "road_id"))),
        ("NavngivenVejKommunedel", None, lambda: map(_kommunedel, _once(places, "road_id", "municipality_code"))),
        ("NavngivenVejPostnummer", None, lambda: map(_vej_postnummer, _once(places, "road_id", "postcode"))),
        ("Postnummer", None, lambda: map(_postnummer, _once(places, "postcode"))),
        ("SupplerendeBynavn", None, lambda: map(_supplerende_bynavn, _once(_with_town(places), *_TOWN_KEY))),
    ]

    def points_of(municipality: str) -> Rows:
        return lambda: (_adressepunkt(row) for row in places if row["municipality_code"] == municipality)

    # Address points also come municipality by municipality, beside the national file: a trap for careless choosing.
    return [*national, *(("Adressepunkt", code, points_of(code)) for code in municipalities)]


_TOWN_KEY = ("supplementary_town", "municipality_code")


def _with_town(places: list[Json]) -> list[Json]:
    return [row for row in places if row["supplementary_town"]]


def _once(places: Iterable[Json], *names: str) -> list[Json]:
    """The first access address for every distinct value of the named parts."""
    found: dict[tuple[Any, ...], Json] = {}
    for row in places:
        found.setdefault(tuple(row[name] for name in names), row)
    return list(found.values())


def _id(kind: str, *parts: str) -> str:
    return str(uuid.uuid5(_NAMESPACE, "|".join((kind, *parts))))


def _version(entity: str, local_id: str, status: str, **own: Any) -> Json:
    """A row with what every entity carries: identity, status and both times (from; no end while in force)."""
    return {
        "id_lokalId": local_id,
        "id_namespace": f"http://data.gov.dk/dar/{entity.lower()}",
        "status": status,
        **own,
        **SINCE_EVER,
        "registreringTil": None,
        "virkningTil": None,
        "datafordelerOpdateringstid": "2018-06-01T01:00:00.000000Z",
    }


def _place_text(access: Json) -> str:
    parts = (access["supplementary_town"], f"{access['postcode']} {access['district']}")
    return ", ".join(part for part in parts if part)


def _adresse(unit: Json, access: Json) -> Json:
    floor, door = unit["floor"] or "", unit["door"] or ""
    where = f"{floor}. {door}".strip() if floor else door
    # The designation is made with the short road name: it must not be taken for the full one.
    start = f"{access['addressing_street_name']} {access['house_number']}"
    return _version(
        "Adresse",
        unit["id"],
        str(unit["status"]),
        adressebetegnelse=", ".join(part for part in (start, where, _place_text(access)) if part),
        etagebetegnelse=floor,
        doerbetegnelse=door,
        husnummer=unit["access_id"],
        bygning=None,
        doerpunkt=None,
    )


def _husnummer(access: Json) -> Json:
    town = access["supplementary_town"]
    start = f"{access['addressing_street_name']} {access['house_number']}"
    point = _id("point", access["id"])
    return _version(
        "Husnummer",
        access["id"],
        str(access["status"]),
        husnummertekst=access["house_number"],
        adgangsadressebetegnelse=f"{start}, {_place_text(access)}",
        navngivenVej=access["road_id"],
        postnummer=_id("postcode", access["postcode"]),
        supplerendeBynavn=_id("town", town, access["municipality_code"]) if town else None,
        # An id of the administrative division (DAGI), not the municipality's code.
        kommuneinddeling=str(_FIRST_DAGI_ID + int(access["municipality_code"])),
        adgangspunkt=point,
        vejpunkt=None,
        jordstykke=None,
        vejmidte=None,
    )


def _adressepunkt(access: Json) -> Json:
    position = f"POINT({access['x']} {access['y']})"
    return _version("Adressepunkt", _id("point", access["id"]), _CURRENT, position=position)


def _navngiven_vej(access: Json) -> Json:
    return _version(
        "NavngivenVej",
        access["road_id"],
        _CURRENT,
        vejnavn=access["street_name"],
        vejadresseringsnavn=access["addressing_street_name"],
        udtaltvejnavn=access["street_name"],
    )


def _kommunedel(access: Json) -> Json:
    return _version(
        "NavngivenVejKommunedel",
        _id("part", access["road_id"], access["municipality_code"]),
        _CURRENT,
        kommune=access["municipality_code"],
        vejkode=access["street_code"],
        navngivenVej=access["road_id"],
    )


def _vej_postnummer(access: Json) -> Json:
    return _version(
        "NavngivenVejPostnummer",
        _id("road postcode", access["road_id"], access["postcode"]),
        _CURRENT,
        navngivenVej=access["road_id"],
        postnummer=_id("postcode", access["postcode"]),
    )


def _postnummer(access: Json) -> Json:
    postcode = access["postcode"]
    return _version("Postnummer", _id("postcode", postcode), _CURRENT, postnr=postcode, navn=access["district"])


def _supplerende_bynavn(access: Json) -> Json:
    town = access["supplementary_town"]
    return _version("SupplerendeBynavn", _id("town", town, access["municipality_code"]), _CURRENT, navn=town)


LARGE = ("Adresse", "Husnummer", "Adressepunkt")
"""Entities with a row for each address; the others have a row for each name."""
