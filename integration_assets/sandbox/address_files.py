"""The address register of the sandbox: Danmarks Adresseregister (DAR) as the file downloads of Datafordeler give it.

Belongs here: the list of files, the files, their generation. One zip with one JSON file per entity: the whole register
("total") or what changed since the generation before ("delta"), the versions in force ("current") or all of them
("bitemporal"). The answers have the shape that public clients of the service read.
"""

import dataclasses
import hashlib
import io
import json
import secrets
import threading
import zipfile
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from operator import is_
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from integration_assets.sandbox.address_changes import MISBEHAVIOUR
from integration_assets.sandbox.address_history import Content, History, changes
from integration_assets.sandbox.address_rows import entities
from integration_assets.sandbox.store import Store
from integration_assets.sandbox.systems import SandboxOptions

_REGISTER = "DAR"
_GENERATION = "register:generation"
_EXPIRES_AFTER = timedelta(days=7)
_DELTAS_KEPT = 7
_ROWS_PER_CHUNK = 2000
# A fixed day: the same content makes the same bytes.
_ZIP_DATE = (1980, 1, 1, 0, 0, 0)
_CURRENT, _BITEMPORAL = "Current", "Bitemporal"
_TOTAL, _DELTA = "TotalDownload", "DeltaDownload"

Json = dict[str, Any]


def build(store: Store, options: SandboxOptions) -> Starlette:
    """The application, answering from `register:unit` and `register:access`."""
    files = AddressFiles(store)

    def available(request: Request) -> Response:
        asked = _parameters(request)
        return _refused(asked, options) or _listing(files.served(), asked)

    def get_file(request: Request) -> Response:
        asked = _parameters(request)
        return _refused(asked, options) or _download(files.served(), asked)

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
    download: str
    kind: str
    number: int
    content: bytes
    md5: str

    @property
    def name(self) -> str:
        """The file's name, unique among all generations."""
        part = f"{self.municipality}_" if self.municipality else ""
        return f"DAR_V3_{self.entity}_{part}{self.download}_json_{self.kind}_{self.number}.zip"


@dataclass(frozen=True)
class Generation:
    """The files of one state of the register, and the deltas that led to it."""

    number: int
    made_at: datetime
    files: tuple[DownloadFile, ...]


class AddressFiles:
    """Makes the files of the register, once per content, and numbers the generations.

    The number grows with every change of content and survives the process (collection `register:generation`), as do
    the former versions of rows. Deltas do not: after a restart, and when the register was made anew, there are none.
    """

    def __init__(self, store: Store) -> None:
        self._store = store
        self._history = History(store)
        self._lock = threading.Lock()
        self._made_from = Content([], [])
        self._generation: Generation | None = None
        self._deltas: list[list[DownloadFile]] = []

    def current(self) -> Generation:
        """The generation of what the store holds now."""
        with self._lock:
            now = Content(
                list(self._store.load("register:unit").values()), list(self._store.load("register:access").values())
            )
            made = self._made_from
            if self._generation is None or not (_same(now.units, made.units) and _same(now.access, made.access)):
                self._generation = self._make(now, self._generation)
                self._made_from = now
            return self._generation

    def served(self) -> Generation:
        """The current generation as it is given out: with what the plan of misbehaviour does to it."""
        plan = self._store.load(MISBEHAVIOUR).get("plan")
        return self.current() if plan is None else _spoiled(self.current(), plan)

    def _make(self, now: Content, earlier: Generation | None) -> Generation:
        made_at = datetime.now(UTC)
        deltas: dict[str, dict[str, list[Json]]] = {}
        if earlier is not None:
            changed = changes(self._made_from, now)
            if changed is None:
                self._history.forget()
                self._deltas.clear()
            else:
                deltas = self._history.record(changed, made_at.strftime("%Y-%m-%dT%H:%M:%S.%fZ"))
        current = self._packed(now)
        digest = hashlib.md5(usedforsecurity=False)
        for _, _, content in current:
            digest.update(content)
        number, made_at = self._number(digest.hexdigest(), made_at)
        if deltas and earlier is not None and number == earlier.number + 1:
            self._deltas = [*self._deltas, _delta_files(deltas, number)][-_DELTAS_KEPT:]
        files = [
            *(_file(entity, part, _TOTAL, _CURRENT, number, content) for entity, part, content in current),
            *self._bitemporal(current, number),
            *(file for step in self._deltas for file in step),
        ]
        return Generation(number, made_at, tuple(files))

    def _packed(self, now: Content) -> list[tuple[str, str | None, bytes]]:
        return [
            (entity, municipality, _zip(entity, (self._history.stamped(entity, row) for row in rows())))
            for entity, municipality, rows in entities(now.units, {row["id"]: row for row in now.access})
        ]

    def _bitemporal(self, current: list[tuple[str, str | None, bytes]], number: int) -> Iterable[DownloadFile]:
        """The totals with all versions; without former ones they are the rows in force."""
        former = self._history.former()
        for entity, municipality, content in current:
            if municipality is None:
                packed = _zip(entity, [*_rows(content), *former[entity]]) if entity in former else content
                yield _file(entity, None, _TOTAL, _BITEMPORAL, number, packed)

    def _number(self, digest: str, made_at: datetime) -> tuple[int, datetime]:
        known = self._store.load(_GENERATION).get(_REGISTER)
        if known is not None and known["digest"] == digest:
            return known["number"], datetime.fromisoformat(known["made_at"])
        # A reset of the sandbox forgets the stored number; this process still knows its own.
        last = max(known["number"] if known else 0, self._generation.number if self._generation else 0)
        body = {"number": last + 1, "digest": digest, "made_at": made_at.isoformat()}
        self._store.put(_GENERATION, _REGISTER, body)
        return last + 1, made_at


def _same(now: list[Json], then: list[Json]) -> bool:
    return len(now) == len(then) and all(map(is_, now, then))


def _file(entity: str, municipality: str | None, download: str, kind: str, number: int, content: bytes) -> DownloadFile:
    md5 = hashlib.md5(content, usedforsecurity=False).hexdigest()
    return DownloadFile(entity, municipality, download, kind, number, content, md5)


def _delta_files(deltas: dict[str, dict[str, list[Json]]], number: int) -> list[DownloadFile]:
    """The deltas of one step: a file for every entity, without rows where nothing changed."""
    names = [entity for entity, municipality, _ in entities([], {}) if municipality is None]
    return [
        _file(entity, None, _DELTA, kind, number, _zip(entity, by_entity.get(entity, [])))
        for kind, by_entity in deltas.items()
        for entity in names
    ]


def _spoiled(generation: Generation, plan: dict[str, list[str]]) -> Generation:
    """The generation with what is wrong by plan."""
    number = generation.number + bool(plan["halved"])
    files: list[DownloadFile] = []
    for file in generation.files:
        if file.download == _DELTA or file.municipality is not None:
            files.append(file)
            continue
        content = _zip(file.entity, _rows(file.content)[::2]) if file.entity in plan["halved"] else file.content
        content = content[: len(content) // 2] if file.entity in plan["truncated"] else content
        own = _file(file.entity, None, _TOTAL, file.kind, number - (file.entity in plan["older"]), content)
        files.append(dataclasses.replace(own, md5="0" * 32) if file.entity in plan["wrong_md5"] else own)
    return Generation(number, generation.made_at, tuple(files))


def _rows(content: bytes) -> list[Json]:
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        return json.loads(archive.read(archive.namelist()[0]))


def _zip(entity: str, rows: Iterable[Json]) -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        name = zipfile.ZipInfo(f"DAR_V3_{entity}.json", _ZIP_DATE)
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
            "typeOfDownload": file.download,
            "typeOfData": file.kind,
            "version": "3",
            "generationNumber": file.number,
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
    by_entity = asked.get("register") == _REGISTER and asked.get("format", "").lower() == "json"
    for file in generation.files:
        if file.name == asked.get("filename") or (
            by_entity
            and file.download == _TOTAL
            and file.kind.lower() == asked.get("type", "").lower()
            and file.entity == asked.get("latesttotalforentity")
            and file.municipality == asked.get("municipalitycode")
        ):
            headers = {"content-disposition": f'attachment; filename="{file.name}"'}
            return Response(file.content, media_type="application/zip", headers=headers)
    return JSONResponse({"error": "no such file"}, status_code=404)
