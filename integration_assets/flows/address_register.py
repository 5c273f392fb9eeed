"""Keeping our copy of the address register as new as the one on offer, and reading one from downloaded files."""

import logging
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import closing, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import polars as pl

from integration_assets.cache.register_checks import RegisterRefused
from integration_assets.cache.register_store import Manifest, RegisterStore
from integration_assets.clients.address_files import entity_changes, entity_rows
from integration_assets.clients.address_listing import totals_in
from integration_assets.clients.address_register import AddressRegister, FetchedSet, Progress
from integration_assets.domain.addresses.dar_tables import DAR_TABLES, Kind
from integration_assets.domain.addresses.register import RegisterFrames

_LOG = logging.getLogger(__name__)


@dataclass(frozen=True)
class Loaded:
    """How a load went: the register now in use and the way to it.

    `way`: unchanged (it was in use before), delta (changes were applied) or total (everything was read). `steps` is
    the number of deltas. `why_total` says why deltas could not be used where they were tried.
    """

    manifest: Manifest
    way: Literal["unchanged", "delta", "total"]
    steps: int = 0
    why_total: str | None = None


def load_register(
    register: AddressRegister,
    store: RegisterStore,
    downloads: Path,
    kind: Kind = "current",
    progress: Progress | None = None,
) -> Loaded:
    """Brings the store to the generation on offer: by deltas where they lead to it, else by the whole register.

    Files are fetched into the folder `downloads` and removed once the register is in use; after a failure they stay,
    so that the next try fetches only what is missing. Raises TransientError and PermanentError of the service and
    RegisterRefused of the store; the register in use stays in use.
    """
    current = store.current()
    why_total: str | None = None
    if current is not None and current.kind == kind:
        if register.generation(kind) == current.generation:
            return Loaded(current, "unchanged")
        steps = register.fetch_deltas(downloads, kind, current.generation, progress)
        if steps:
            try:
                manifest = store.load_delta(steps[-1].generation, _changes(steps), _sources(steps[-1]))
            except RegisterRefused as refusal:
                why_total = str(refusal)
                _LOG.warning("%s The whole register is read instead.", refusal)
            else:
                _clear(downloads)
                return Loaded(manifest, "delta", len(steps))
        else:
            why_total = f"No unbroken line of deltas leads on from generation {current.generation}."
    total = register.fetch_totals(downloads, kind, progress)
    paths = {entity: file.path for entity, file in total.files.items()}
    manifest = _stored(store, total.generation, kind, paths, _sources(total), progress)
    _clear(downloads)
    return Loaded(manifest, "total", why_total=why_total)


def load_folder(folder: Path, store: RegisterStore, progress: Progress | None = None) -> Loaded:
    """Brings the store to the register whose download files lie in a folder, named as the service names them.

    Raises PermanentError when the folder holds no complete set or a file cannot be read, and RegisterRefused.
    """
    kind, generation, paths = totals_in(folder)
    return Loaded(_stored(store, generation, kind, paths, {}, progress), "total")


def frames_of_folder(folder: Path, work_dir: Path | None = None, progress: Progress | None = None) -> RegisterFrames:
    """The register of download files in a folder, by way of a passing store. Raises as `load_folder`."""
    with tempfile.TemporaryDirectory(prefix="address-register-", dir=work_dir) as passing:
        store = RegisterStore(Path(passing))
        load_folder(folder, store, progress)
        return store.frames()


def _stored(
    store: RegisterStore,
    generation: int,
    kind: Kind,
    paths: Mapping[str, Path],
    sources: Mapping[str, str],
    progress: Progress | None,
) -> Manifest:
    rows = {entity: _told(entity, path, progress) for entity, path in paths.items()}
    return store.load_total(generation, kind, rows, sources)


def _told(entity: str, path: Path, progress: Progress | None) -> Iterator[pl.DataFrame]:
    """The rows of a total file, with word of how far it has been read."""

    def read(done: int, size: int) -> None:
        if progress is not None:
            progress(f"read {entity}", done, size)

    with closing(entity_rows(entity, path, read)) as rows:
        yield from rows


def _changes(steps: list[FetchedSet]) -> dict[str, pl.DataFrame]:
    """The changes of several steps, in order, by entity."""
    return {
        entity: pl.concat([entity_changes(entity, step.kind, step.files[entity].path) for step in steps])
        for entity in DAR_TABLES
    }


def _clear(downloads: Path) -> None:
    """Removes what was fetched, and the folder unless it holds something else."""
    for path in downloads.glob("DAR_*"):
        path.unlink()
    with suppress(OSError):
        downloads.rmdir()


def _sources(files: FetchedSet) -> dict[str, str]:
    return {entity: file.md5 for entity, file in files.files.items()}
