"""The address register of the sandbox as DAWA sees it: rows in DAWA's names, on DAWA's scale of statuses.

Belongs here: joining `register:unit` and `register:access`, keys, coordinates, the washers over them. The sandbox
keeps no history: every address has one version, from the day on which all of them began.
"""

import math
import threading
from collections.abc import Mapping
from functools import cached_property
from operator import is_
from typing import Any

from integration_assets.sandbox.dawa_candidates import Version
from integration_assets.sandbox.dawa_datavask import Datavask
from integration_assets.sandbox.store import Store

Json = dict[str, Any]

DAWA_STATUS = {3: 1, 4: 2, 2: 3, 5: 4}
"""DAWA's status by that of DAR: 1 final, 2 closed, 3 provisional, 4 abandoned. The same digits mean other things."""

LARGE_RECEIVERS = {
    "0a3f507c-f9a0-32b8-e044-0003ba298018": ("0800", "Høje Taastrup"),
    "0a3f507a-8f2e-32b8-e044-0003ba298018": ("1092", "København K"),
}
"""Postcode and name of large receivers (stormodtagere) by access address: those whose address is in the sample."""

SINCE = "2000-02-05T11:00:00.000Z"


class Snapshot:
    """The register at one moment. `units` and `access` are rows by id, with DAWA's names for flat rows."""

    def __init__(self, units: Mapping[str, Json], access: Mapping[str, Json]) -> None:
        self._lock = threading.Lock()
        self.access = {row["id"]: _access_row(row) for row in access.values()}
        self.units = {row["id"]: _unit_row(row, self.access[row["access_id"]]) for row in units.values()}

    def washer(self, units: bool) -> Datavask:
        """Washes against unit addresses, or against access addresses; made when first asked for."""
        # Making one of a large town takes seconds: not once for each of the requests that wait for it.
        with self._lock:
            return self._unit_washer if units else self._access_washer

    @cached_property
    def _unit_washer(self) -> Datavask:
        return Datavask(map(_version, self.units.values()), LARGE_RECEIVERS)

    @cached_property
    def _access_washer(self) -> Datavask:
        return Datavask(map(_version, self.access.values()), LARGE_RECEIVERS)


class DawaRegister:
    """Snapshots of the store's register, made anew when it has changed."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._lock = threading.Lock()
        self._made_from: tuple[list[Json], list[Json]] = ([], [])
        self._snapshot = Snapshot({}, {})

    def current(self) -> Snapshot:
        """What the store holds now."""
        with self._lock:
            units, access = self._store.load("register:unit"), self._store.load("register:access")
            now = list(units.values()), list(access.values())
            if not all(_same(rows, then) for rows, then in zip(now, self._made_from, strict=True)):
                self._snapshot = Snapshot(units, access)
                self._made_from = now
            return self._snapshot


def _same(now: list[Json], then: list[Json]) -> bool:
    return len(now) == len(then) and all(map(is_, now, then))


def _access_row(row: Json) -> Json:
    receiver = LARGE_RECEIVERS.get(row["id"], (None, None))
    shared = {
        "vejkode": row["street_code"],
        "vejnavn": row["street_name"],
        "adresseringsvejnavn": row["addressing_street_name"],
        "husnr": row["house_number"],
        "supplerendebynavn": row["supplementary_town"],
        "postnr": row["postcode"],
        "postnrnavn": row["district"],
        "stormodtagerpostnr": receiver[0],
        "stormodtagerpostnrnavn": receiver[1],
        "kommunekode": row["municipality_code"],
        "navngivenvej_id": row["road_id"],
        "etrs89koordinat_øst": row["x"],
        "etrs89koordinat_nord": row["y"],
    }
    latitude, longitude = degrees(row["x"], row["y"])
    return {
        "id": row["id"],
        "status": DAWA_STATUS[row["status"]],
        "darstatus": row["status"],
        **shared,
        "wgs84koordinat_bredde": round(latitude, 8),
        "wgs84koordinat_længde": round(longitude, 8),
        "kvh": f"{row['municipality_code']}{row['street_code']}{row['house_number']:_>4}",
    }


def _unit_row(row: Json, access: Json) -> Json:
    floor, door = row["floor"] or "", row["door"] or ""
    return {
        **access,
        "id": row["id"],
        "status": DAWA_STATUS[row["status"]],
        "darstatus": row["status"],
        "adgangsadresseid": access["id"],
        "adgangsadresse_status": access["status"],
        "adgangsadresse_darstatus": access["darstatus"],
        "etage": row["floor"],
        "dør": row["door"],
        "kvhx": f"{access['kvh']}{floor:_>3}{door:_>4}",
    }


def _version(row: Json) -> Version:
    return Version(
        id=row["id"],
        access_id=row.get("adgangsadresseid"),
        status=row["status"],
        municipality_code=row["kommunekode"],
        street_code=row["vejkode"],
        vejnavn=row["vejnavn"],
        adresseringsvejnavn=row["adresseringsvejnavn"],
        husnr=row["husnr"],
        etage=row.get("etage"),
        dør=row.get("dør"),
        supplerendebynavn=row["supplerendebynavn"],
        postnr=row["postnr"],
        postnrnavn=row["postnrnavn"],
        starts=SINCE,
        ends=None,
    )


_AXIS, _FLATTENING, _SCALE = 6_378_137.0, 1 / 298.257222101, 0.9996
_E2 = _FLATTENING * (2 - _FLATTENING)
_SECOND_E2 = _E2 / (1 - _E2)


def degrees(easting: float, northing: float) -> tuple[float, float]:
    """Latitude and longitude of a position in UTM zone 32 (EPSG:25832), by the footpoint-latitude series."""
    meridian = northing / _SCALE
    footpoint = meridian / (_AXIS * (1 - _E2 / 4 - 3 * _E2**2 / 64 - 5 * _E2**3 / 256))
    e1 = (1 - math.sqrt(1 - _E2)) / (1 + math.sqrt(1 - _E2))
    footpoint += (
        (3 * e1 / 2 - 27 * e1**3 / 32) * math.sin(2 * footpoint)
        + (21 * e1**2 / 16 - 55 * e1**4 / 32) * math.sin(4 * footpoint)
        + 151 * e1**3 / 96 * math.sin(6 * footpoint)
        + 1097 * e1**4 / 512 * math.sin(8 * footpoint)
    )
    sine, cosine, tangent = math.sin(footpoint), math.cos(footpoint), math.tan(footpoint)
    c, t = _SECOND_E2 * cosine**2, tangent**2
    n = _AXIS / math.sqrt(1 - _E2 * sine**2)
    r = _AXIS * (1 - _E2) / (1 - _E2 * sine**2) ** 1.5
    d = (easting - 500_000) / (n * _SCALE)
    latitude = footpoint - n * tangent / r * (
        d**2 / 2
        - (5 + 3 * t + 10 * c - 4 * c**2 - 9 * _SECOND_E2) * d**4 / 24
        + (61 + 90 * t + 298 * c + 45 * t**2 - 252 * _SECOND_E2 - 3 * c**2) * d**6 / 720
    )
    longitude = (
        d - (1 + 2 * t + c) * d**3 / 6 + (5 - 2 * c + 28 * t - 3 * c**2 + 8 * _SECOND_E2 + 24 * t**2) * d**5 / 120
    ) / cosine
    return math.degrees(latitude), 9 + math.degrees(longitude)
