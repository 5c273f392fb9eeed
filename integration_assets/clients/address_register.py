"""DAR, the Danish address register (Danmarks Adresseregister), by the file downloads of Datafordeler.

Belongs here: choosing, fetching and joining the files into the one flat frame of `domain.tables.ADDRESS_REGISTER`.
Finding an address in it is `domain.addresses`.

Promises: all files are national, current and of one generation, each checked by its MD5; a frame holds every unit and
access address that the files hold, of any status. Does not promise the history of names and addresses (that is the
bitemporal download), nor low memory for the whole country: about 16 columns of six million rows.
"""

import logging
import tempfile
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl

from integration_assets.clients.address_files import ENTITIES, joined, read_entity
from integration_assets.clients.http import HttpClient, PermanentError, RetryPolicy, TransientError, json_answer

_LOG = logging.getLogger(__name__)
_LISTING = "/FileDownloads/GetAvailableFileDownloads"
_FILE = "/FileDownloads/GetFile"
_PAGES_LIMIT = 1000


@dataclass(frozen=True)
class _File:
    """A file on offer: its entity, generation and MD5 (None where the list has none)."""

    entity: str
    generation: int
    md5: str | None


class AddressRegister:
    """The download service, e.g. ``https://api.datafordeler.dk``. The key travels in addresses and is never shown."""

    def __init__(
        self,
        base_url: str,
        api_key: str,
        *,
        timeout_s: float = 300.0,
        work_dir: Path | None = None,
        policy: RetryPolicy | None = None,
    ) -> None:
        root = base_url.rstrip("/").removesuffix("/FileDownloads")
        self._http = HttpClient(root, read_timeout_s=timeout_s, policy=policy)
        self._api_key = api_key
        self._work_dir = work_dir

    def generation(self) -> int:
        """The number of the generation on offer; it grows whenever the register is published anew.

        Raises TransientError while the entities are of different generations (publishing is under way) or a file is
        missing, PermanentError when the key is refused.
        """
        return _one_generation(self._files())

    def download(self, municipalities: Collection[str] | None = None) -> pl.DataFrame:
        """The register as one frame (schema of ADDRESS_REGISTER), all municipalities or those named (four digits).

        Units whose access address is not in the files are left out and counted in the log. Raises as `generation`,
        and TransientError when a file does not match its MD5, PermanentError when it has not the known form.
        """
        files = self._files()
        generation = _one_generation(files)
        with tempfile.TemporaryDirectory(prefix="address-register-", dir=self._work_dir) as folder:
            frames: dict[str, pl.DataFrame] = {}
            for file in files:
                path = Path(folder) / f"{file.entity}.zip"
                self._fetch(file, path)
                frames[file.entity] = read_entity(file.entity, path)
                path.unlink()
        if _one_generation(self._files()) != generation:
            raise TransientError("The address register was published anew during the download.", code="generation")
        register, homeless = joined(frames)
        if homeless:
            _LOG.warning("%d unit addresses have no access address in generation %d.", homeless, generation)
        if municipalities is not None:
            register = register.filter(pl.col("municipality_code").is_in(sorted(set(municipalities))))
        return register

    def close(self) -> None:
        """Close the pooled connections."""
        self._http.close()

    def _fetch(self, file: _File, target: Path) -> None:
        params = {
            "Register": "DAR",
            "LatestTotalForEntity": file.entity,
            "type": "current",
            "format": "JSON",
            "apiKey": self._api_key,
        }
        md5 = self._http.download(_FILE, target, params=params)
        if file.md5 is not None and md5 != file.md5.lower():
            raise TransientError(f"The file of {file.entity} does not match its MD5.", code="md5")

    def _files(self) -> list[_File]:
        """The national current JSON total of each entity, the newest where several are on offer."""
        chosen: dict[str, _File] = {}
        for row in self._listing():
            if not _is_national_total(row):
                continue
            try:
                file = _File(row["entityname"], int(row["generationnumber"]), row.get("md5hash") or None)
            except (KeyError, TypeError, ValueError):
                raise PermanentError("The list of address files has not the known form.", code="listing") from None
            if file.entity not in chosen or chosen[file.entity].generation < file.generation:
                chosen[file.entity] = file
        missing = [entity for entity in ENTITIES if entity not in chosen]
        if missing:
            message = f"The address register offers no national current file of {', '.join(missing)}."
            raise TransientError(message, code="missing_file")
        return [chosen[entity] for entity in ENTITIES]

    def _listing(self) -> list[dict[str, Any]]:
        """All files on offer, page by page, with lower-case names."""
        rows: list[dict[str, Any]] = []
        for page in range(1, _PAGES_LIMIT + 1):
            params = {"Register": "DAR", "apiKey": self._api_key} | ({"PageNumber": str(page)} if page > 1 else {})
            answer = json_answer(self._http.request("GET", _LISTING, params=params), f"GET {_LISTING}")
            body = {str(name).lower(): value for name, value in answer.items()} if isinstance(answer, dict) else {}
            found = body.get("availablefiledownloads", []) if body else answer
            rows += [{str(name).lower(): value for name, value in row.items()} for row in found]
            if page >= int((body.get("paginationmetadata") or {}).get("totalPages") or 1):
                return rows
        raise PermanentError("The list of address files does not end.", code="listing")


def _is_national_total(row: dict[str, Any]) -> bool:
    """Whether a listed file is a current JSON total of the whole country, of an entity that is needed.

    Files of single municipalities carry the same entity, and names begin alike (Adresse, Adressepunkt), so entity and
    municipality are compared as fields, never by the start of the file's name.
    """
    entity = row.get("entityname")
    return (
        entity in ENTITIES
        and not row.get("municipalitycode")
        and f"_{entity}_TotalDownload_" in str(row.get("filename", f"_{entity}_TotalDownload_"))
        and str(row.get("typeofdownload", "")).lower() == "totaldownload"
        and str(row.get("typeofdata", "")).lower() == "current"
        and str(row.get("containedfileformat", "")).lower() == "json"
    )


def _one_generation(files: list[_File]) -> int:
    generations = {file.entity: file.generation for file in files}
    if len(set(generations.values())) != 1:
        lowest, highest = min(generations.values()), max(generations.values())
        message = f"The address files are of generations {lowest} to {highest}; a set is loaded only when they agree."
        raise TransientError(message, code="generation")
    return files[0].generation
