"""The address register of the sandbox: Danmarks Adresseregister (DAR) as the file downloads of Datafordeler give it.

Belongs here: the list of files, the files, their generation. One zip with one JSON file per entity, whole register
("total"), versions in force ("current"). The answers have the shape that public clients of the service read.
"""

import hashlib
import io
import json
import secrets
import threading
import uuid
import zipfile
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from operator import is_
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from integration_assets.sandbox.store import Store
from integration_assets.sandbox.systems import SandboxOptions

_REGISTER = "DAR"
_GENERATION = "register:generation"
_EXPIRES_AFTER = timedelta(days=7)
_NAMESPACE = uuid.UUID("b5c7a3de-52a4-4f3d-9b6e-0f0a4d7f2c11")
_ROWS_PER_CHUNK = 2000
# A fixed day: the same content makes the same bytes.
_ZIP_DATE = (1980, 1, 1, 0, 0, 0)
_FIRST_DAGI_ID = 389_100
_CURRENT = "3"

Json = dict[str, Any]


def build(store: Store, options: SandboxOptions) -> Starlette:
    """The application, answering from `register:unit` and `register:access`."""
    files = AddressFiles(store)

    def available(request: Request) -> Response:
        asked = _parameters(request)
        return _refused(asked, options) or _listing(files.current(), asked)

    def get_file(request: Request) -> Response:
        asked = _parameters(request)
        return _refused(asked, options) or _download(files.current(), asked)

    # Plain functions: making the files of a large town takes seconds, in a thread beside the event loop.
    return Starlette(
        routes=[
            Route("/FileDownloads/GetAvailableFileDownloads", available, methods=["GET"]),
            Route("/FileDownloads/GetFile", get_file, methods=["GET"]),
        ]
    )


@dataclass(frozen=True)
class DownloadFile:
    """One file on offer; `municipality` is None for the whole country."""

    entity: str
    municipality: str | None
    name: str
    content: bytes
    md5: str


@dataclass(frozen=True)
class Generation:
    """The files of one state of the register, by name."""

    number: int
    made_at: datetime
    files: tuple[DownloadFile, ...]


class AddressFiles:
    """Makes the files of the register, once per content, and numbers the generations.

    The number grows with every change of content and survives the process (collection `register:generation`).
    """

    def __init__(self, store: Store) -> None:
        self._store = store
        self._lock = threading.Lock()
        self._made_from: tuple[list[Json], list[Json]] = ([], [])
        self._generation: Generation | None = None

    def current(self) -> Generation:
        """The generation of what the store holds now."""
        with self._lock:
            units = list(self._store.load("register:unit").values())
            access = list(self._store.load("register:access").values())
            if self._generation is None or not (_same(units, self._made_from[0]) and _same(access, self._made_from[1])):
                self._generation = self._make(units, access)
                self._made_from = (units, access)
            return self._generation

    def _make(self, units: list[Json], access: list[Json]) -> Generation:
        packed = [
            (entity, municipality, _zip(entity, rows()))
            for entity, municipality, rows in _entities(units, {row["id"]: row for row in access})
        ]
        digest = hashlib.md5(usedforsecurity=False)
        for _, _, content in packed:
            digest.update(content)
        number, made_at = self._number(digest.hexdigest())
        files = tuple(
            DownloadFile(
                entity,
                municipality,
                f"DAR_V3_{entity}_{f'{municipality}_' if municipality else ''}TotalDownload_json_Current_{number}.zip",
                content,
                hashlib.md5(content, usedforsecurity=False).hexdigest(),
            )
            for entity, municipality, content in packed
        )
        return Generation(number, made_at, files)

    def _number(self, digest: str) -> tuple[int, datetime]:
        known = self._store.load(_GENERATION).get(_REGISTER)
        if known is not None and known["digest"] == digest:
            return known["number"], datetime.fromisoformat(known["made_at"])
        # A reset of the sandbox forgets the stored number; this process still knows its own.
        last = max(known["number"] if known else 0, self._generation.number if self._generation else 0)
        made_at = datetime.now(UTC)
        body = {"number": last + 1, "digest": digest, "made_at": made_at.isoformat()}
        self._store.put(_GENERATION, _REGISTER, body)
        return last + 1, made_at


def _same(now: list[Json], then: list[Json]) -> bool:
    return len(now) == len(then) and all(map(is_, now, then))


def _zip(entity: str, rows: Iterable[Json]) -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        name = zipfile.ZipInfo(f"DAR_V3_{entity}_TotalDownload_json_Current.json", _ZIP_DATE)
        name.compress_type = zipfile.ZIP_DEFLATED
        with archive.open(name, "w", force_zip64=True) as file:
            file.write(b"[")
            chunk: list[str] = []
            between = ""
            for row in rows:
                chunk.append(between + json.dumps(row, ensure_ascii=False))
                between = ",\n"
                if len(chunk) == _ROWS_PER_CHUNK:
                    file.write("".join(chunk).encode())
                    chunk.clear()
            file.write(("".join(chunk) + "]").encode())
    return packed.getvalue()


Rows = Callable[[], Iterator[Json]]


def _entities(units: list[Json], access: dict[str, Json]) -> list[tuple[str, str | None, Rows]]:
    """Entity, municipality (None: national) and a function that makes the rows, for every file on offer."""
    places = list(access.values())
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
        "registreringFra": "2018-05-31T22:00:00.000000Z",
        "registreringTil": None,
        "virkningFra": "2000-02-05T11:00:00.000000Z",
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


def _parameters(request: Request) -> dict[str, str]:
    # The service reads the names of its parameters in any case.
    return {name.lower(): value for name, value in request.query_params.items()}


def _refused(asked: dict[str, str], options: SandboxOptions) -> Response | None:
    expected = options.settings.get("address_register_key", "")
    if not expected or not secrets.compare_digest(asked.get("apikey", "").encode(), expected.encode()):
        return JSONResponse({"error": "the API key is missing or unknown"}, status_code=401)
    return None


def _listing(generation: Generation, asked: dict[str, str]) -> Response:
    offered = [
        {
            "fileName": file.name,
            "register": _REGISTER,
            "entityName": file.entity,
            "typeOfDownload": "TotalDownload",
            "typeOfData": "Current",
            "version": "3",
            "generationNumber": generation.number,
            "generationTime": generation.made_at.isoformat(),
            "expirationDate": (generation.made_at + _EXPIRES_AFTER).isoformat(),
            "containedFileFormat": "json",
            "outputFileFormat": "zip",
            "municipalityCode": file.municipality,
            "md5Hash": file.md5,
            "fileSizeInBytes": len(file.content),
        }
        for file in generation.files
        if asked.get("register") == _REGISTER
        and asked.get("entity", file.entity) == file.entity
        and asked.get("format", "json").lower() == "json"
    ]
    pages = {"currentPage": 1, "pageSize": 10_000, "totalCount": len(offered), "totalPages": 1}
    return JSONResponse({"paginationMetadata": pages, "availableFileDownloads": offered})


def _download(generation: Generation, asked: dict[str, str]) -> Response:
    by_entity = (
        asked.get("register") == _REGISTER
        and asked.get("type", "").lower() == "current"
        and asked.get("format", "").lower() == "json"
    )
    for file in generation.files:
        if file.name == asked.get("filename") or (
            by_entity
            and file.entity == asked.get("latesttotalforentity")
            and file.municipality == asked.get("municipalitycode")
        ):
            headers = {"content-disposition": f'attachment; filename="{file.name}"'}
            return Response(file.content, media_type="application/zip", headers=headers)
    return JSONResponse({"error": "no such file"}, status_code=404)
