"""Which files the download service of the address register offers, and which of them make one whole.

Belongs here: the rows of the service's list, names of downloaded files, and the choice among them. Fetching is
`clients.address_register`.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from integration_assets.clients.address_files import ENTITIES
from integration_assets.clients.http import PermanentError, TransientError
from integration_assets.domain.addresses.dar_tables import Kind

TOTAL: Final = "TotalDownload"
DELTA: Final = "DeltaDownload"
_KINDS: Final[tuple[Kind, ...]] = ("bitemporal", "current")
_FILE_NAME: Final = re.compile(
    rf"(?i)^DAR_V(?P<version>\d+)_(?P<entity>[^_]+)_{TOTAL}_json_(?P<kind>[A-Za-z]+?)(?:_(?P<generation>\d+))?"
    r"\.(?:zip|json)$"
)


@dataclass(frozen=True)
class OfferedFile:
    """A national JSON file on offer: its entity, generation, MD5 (None where the list has none) and size in bytes."""

    entity: str
    generation: int
    name: str
    md5: str | None
    size: int | None


def offered(rows: Iterable[Mapping[str, Any]], download: str, kind: Kind) -> list[OfferedFile]:
    """The national JSON files of the needed entities in rows of the list (names in lower case), of the newest version.

    `download` is TOTAL or DELTA. Generations are counted anew in each version of the register's data model, so only
    the newest version that is on offer counts. Raises PermanentError when the rows have not the known form.
    """
    found: list[tuple[int, OfferedFile]] = []
    for row in rows:
        if not _is_national(row, download, kind):
            continue
        try:
            entity, generation = str(row["entityname"]), int(row["generationnumber"])
            name = str(row.get("filename") or f"DAR_V3_{entity}_{download}_json_{kind.capitalize()}_{generation}.zip")
            size = row.get("filesizeinbytes")
            file = OfferedFile(entity, generation, name, row.get("md5hash") or None, int(size) if size else None)
            found.append((int(row.get("version") or 0), file))
        except (KeyError, TypeError, ValueError):
            raise PermanentError("The list of address files has not the known form.", code="listing") from None
    newest = max((version for version, _ in found), default=0)
    return [file for version, file in found if version == newest]


def latest_totals(files: Iterable[OfferedFile], kind: Kind) -> list[OfferedFile]:
    """The newest file of each entity. Raises TransientError when one is missing, or when generations differ."""
    chosen: dict[str, OfferedFile] = {}
    for file in files:
        if file.entity not in chosen or chosen[file.entity].generation < file.generation:
            chosen[file.entity] = file
    missing = [entity for entity in ENTITIES if entity not in chosen]
    if missing:
        message = f"The address register offers no national {kind} file of {', '.join(missing)}."
        raise TransientError(message, code="missing_file")
    generations = {file.generation for file in chosen.values()}
    if len(generations) != 1:
        message = (
            f"The address files are of generations {min(generations)} to {max(generations)}; "
            "a set is loaded only when they agree."
        )
        raise TransientError(message, code="generation")
    return [chosen[entity] for entity in ENTITIES]


def delta_chain(files: Iterable[OfferedFile], since: int, until: int) -> list[list[OfferedFile]] | None:
    """The deltas that lead from one generation to another: for each step the files of all entities.

    None where a file of a step is no longer (or not yet) on offer: then only a total helps.
    """
    by_step = {(file.generation, file.entity): file for file in files}
    steps = [[by_step.get((step, entity)) for entity in ENTITIES] for step in range(since + 1, until + 1)]
    chain = [[file for file in step if file is not None] for step in steps]
    return chain if all(len(step) == len(ENTITIES) for step in chain) else None


def totals_in(folder: Path) -> tuple[Kind, int, dict[str, Path]]:
    """The downloaded totals in a folder, by the names that the service gives them (``.zip``, or unpacked ``.json``).

    Returns kind, generation (0 where the names hold none) and the file of each entity: the bitemporal ones where they
    are complete, else the current ones, of the newest generation that is complete. Raises PermanentError, which says
    what is missing.
    """
    found: dict[tuple[str, int], dict[str, Path]] = {}
    for path in sorted(folder.iterdir() if folder.is_dir() else ()):
        match = _FILE_NAME.match(path.name)
        if match is not None and match["entity"] in ENTITIES:
            found.setdefault((match["kind"].lower(), int(match["generation"] or 0)), {})[match["entity"]] = path
    for kind in _KINDS:
        complete = [
            generation for (of, generation), files in found.items() if of == kind and len(files) == len(ENTITIES)
        ]
        if complete:
            return kind, max(complete), found[kind, max(complete)]
    raise PermanentError(_incomplete(folder, found), code="missing_file")


def _incomplete(folder: Path, found: Mapping[tuple[str, int], Mapping[str, Path]]) -> str:
    if not found:
        return f"{folder} holds no download files of the address register (DAR_V3_<entity>_{TOTAL}_json_….zip)."
    (kind, generation), files = max(found.items(), key=lambda item: (len(item[1]), item[0][1]))
    missing = ", ".join(entity for entity in ENTITIES if entity not in files)
    return f"{folder} holds no {kind} file of generation {generation} for {missing}; all are needed, of one generation."


def _is_national(row: Mapping[str, Any], download: str, kind: Kind) -> bool:
    """Whether a listed file is a JSON file of the whole country, of this kind and of an entity that is needed.

    Files of single municipalities carry the same entity, and names begin alike (Adresse, Adressepunkt), so entity and
    municipality are compared as fields, never by the start of the file's name.
    """
    entity = row.get("entityname")
    return (
        entity in ENTITIES
        and not row.get("municipalitycode")
        and f"_{entity}_{download}_" in str(row.get("filename", f"_{entity}_{download}_"))
        and str(row.get("typeofdownload", "")).lower() == download.lower()
        and str(row.get("typeofdata", "")).lower() == kind
        and str(row.get("containedfileformat", "")).lower() == "json"
    )
