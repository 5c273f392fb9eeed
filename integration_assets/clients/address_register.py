"""DAR, the Danish address register (Danmarks Adresseregister), by the file downloads of Datafordeler.

Belongs here: the service's list and its files on our disk. What a file holds is `clients.address_files`, which files
belong together `clients.address_listing`, and what the register becomes `domain.addresses.dar_frames`.

Promises: all files of a set are national, of one kind and one generation, each checked by its MD5; a file that lies on
the disk with the right MD5 is not fetched again.
"""

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from integration_assets.clients.address_listing import (
    DELTA,
    TOTAL,
    OfferedFile,
    delta_chain,
    latest_totals,
    offered,
)
from integration_assets.clients.http import HttpClient, PermanentError, RetryPolicy, TransientError, json_answer
from integration_assets.domain.addresses.dar_tables import Kind

_LISTING: Final = "/FileDownloads/GetAvailableFileDownloads"
_FILE: Final = "/FileDownloads/GetFile"
_PAGES_LIMIT: Final = 1000
_PIECE_BYTES: Final = 1 << 20

Progress = Callable[[str, int, int], None]
"""Told what is being done ("fetch Adresse"), how much of it is done and how much there is (bytes)."""


@dataclass(frozen=True)
class FetchedFile:
    """A file on our disk, with its MD5 as lower-case hex."""

    path: Path
    md5: str


@dataclass(frozen=True)
class FetchedSet:
    """Files of all entities, of one kind and generation: the whole register, or what changed since the one before."""

    kind: Kind
    generation: int
    files: Mapping[str, FetchedFile]


class AddressRegister:
    """The download service, e.g. ``https://api.datafordeler.dk``. The key travels in addresses and is never shown."""

    def __init__(
        self,
        base_url: str,
        api_key: str,
        *,
        timeout_s: float = 300.0,
        policy: RetryPolicy | None = None,
    ) -> None:
        root = base_url.rstrip("/").removesuffix("/FileDownloads")
        self._http = HttpClient(root, read_timeout_s=timeout_s, policy=policy)
        self._api_key = api_key

    def generation(self, kind: Kind = "current") -> int:
        """The number of the generation on offer; it grows whenever the register is published anew.

        Raises TransientError while the entities are of different generations (publishing is under way) or a file is
        missing, PermanentError when the key is refused.
        """
        return self._totals(kind)[0].generation

    def fetch_totals(self, folder: Path, kind: Kind, progress: Progress | None = None) -> FetchedSet:
        """The files of the whole register in `folder` (made where it is missing).

        Raises as `generation`, and TransientError when a file does not match its MD5 or when the register was
        published anew meanwhile; what was fetched stays for the next try.
        """
        files = self._totals(kind)
        paths = {file.entity: self._fetched(file, folder, _total_query(file, kind), progress) for file in files}
        if self.generation(kind) != files[0].generation:
            raise TransientError("The address register was published anew during the download.", code="generation")
        return FetchedSet(kind, files[0].generation, paths)

    def fetch_deltas(
        self, folder: Path, kind: Kind, since: int, progress: Progress | None = None
    ) -> list[FetchedSet] | None:
        """The steps in `folder` that lead from generation `since` to the one on offer, in order.

        None when the chain has a gap: then a total is needed. Raises as `fetch_totals`.
        """
        rows = self._listing()
        until = latest_totals(offered(rows, TOTAL, kind), kind)[0].generation
        chain = delta_chain(offered(rows, DELTA, kind), since, until)
        if chain is None:
            return None
        return [
            FetchedSet(
                kind,
                step[0].generation,
                {file.entity: self._fetched(file, folder, {"Filename": file.name}, progress) for file in step},
            )
            for step in chain
        ]

    def close(self) -> None:
        """Close the pooled connections."""
        self._http.close()

    def _totals(self, kind: Kind) -> list[OfferedFile]:
        return latest_totals(offered(self._listing(), TOTAL, kind), kind)

    def _fetched(
        self, file: OfferedFile, folder: Path, query: Mapping[str, str], progress: Progress | None
    ) -> FetchedFile:
        """The file on our disk, fetched unless it is there already."""
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / Path(file.name).name
        tell = progress or (lambda _what, _done, _all: None)
        size = file.size or 0
        if file.md5 is not None and path.exists() and _md5(path) == file.md5.lower():
            tell(f"kept {file.entity}", size, size)
            return FetchedFile(path, file.md5.lower())
        tell(f"fetch {file.entity}", 0, size)
        unfinished = path.with_name(f"{path.name}.part")
        md5 = self._http.download(_FILE, unfinished, params={**query, "apiKey": self._api_key})
        if file.md5 is not None and md5 != file.md5.lower():
            unfinished.unlink()
            raise TransientError(f"The file of {file.entity} does not match its MD5.", code="md5")
        unfinished.replace(path)
        tell(f"fetch {file.entity}", size, size)
        return FetchedFile(path, md5)

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


def _total_query(file: OfferedFile, kind: Kind) -> dict[str, str]:
    return {"Register": "DAR", "LatestTotalForEntity": file.entity, "type": kind, "format": "JSON"}


def _md5(path: Path) -> str:
    digest = hashlib.md5(usedforsecurity=False)
    with path.open("rb") as file:
        while piece := file.read(_PIECE_BYTES):
            digest.update(piece)
    return digest.hexdigest()
