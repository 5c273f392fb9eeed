"""Our copy of the address register on the disk, one folder per generation.

    <folder>/current            the name of the folder in use, one line
    <folder>/<generation>/      manifest.json, and the parquet files of each entity

A generation made of the whole register holds one file per entity. One made of changes takes over the files of the
generation before it (as hard links) and adds a small file per entity with what changed, so that it costs what the
changes cost; the pieces are put together when the register is read, and become one file again when they have grown.

Belongs here: files, the swap, and the checks before it. What the files hold is `domain.addresses.dar_tables`.

Promises: the pointer is swapped by a rename after everything is written and checked, so a reader sees the old or the
new generation and a failed load leaves the old one in use; the generation in use and the one before it are kept; one
load at a time. Does not promise that a reader of a generation two swaps old still finds it.
"""

import fcntl
import json
import os
import re
import shutil
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import polars as pl

from integration_assets.cache.register_checks import Limits, RegisterRefused, Vanished, check_delta, check_total
from integration_assets.cache.register_files import compacted, linked, table, written
from integration_assets.domain.addresses.dar_frames import register_frames
from integration_assets.domain.addresses.dar_tables import DAR_TABLES, Kind
from integration_assets.domain.addresses.register import RegisterFrames

_POINTER: Final = "current"
_MANIFEST: Final = "manifest.json"
_UNFINISHED: Final = ".unfinished"
_GENERATION: Final = re.compile(r"^\d+(?:\.\d+)?$")
# Pieces that hold more than this share of the first file's rows, or are more than so many, become one file.
_PIECES_SHARE: Final = 0.2
_PIECES: Final = 30


@dataclass(frozen=True)
class Piece:
    """A parquet file of an entity: its name and rows. The first one is the table, the others change it in turn."""

    name: str
    rows: int


@dataclass(frozen=True)
class Manifest:
    """What a stored generation is: kind, when and from what it was made, and its files.

    `folder` is its folder's name, `previous` that of the generation that it replaced. `sources` are the MD5s of the
    files that were read, by entity (the last step's where there were several). `vanished` are live units of the
    generation before that are no longer live, `homeless` rows of units without access address.
    """

    folder: str
    generation: int
    kind: Kind
    made_by: str
    loaded_at: str
    pieces: Mapping[str, tuple[Piece, ...]]
    previous: str | None = None
    sources: Mapping[str, str] = field(default_factory=dict)
    live_units: int = 0
    vanished: int = 0
    homeless: int = 0


class RegisterStore:
    """The stored generations below one folder. Any number of readers; loads wait for nobody, they refuse."""

    def __init__(self, folder: Path, limits: Limits | None = None) -> None:
        self.folder = folder
        self._limits = limits or Limits()

    def current(self) -> Manifest | None:
        """The generation in use; None before the first load."""
        try:
            name = (self.folder / _POINTER).read_text(encoding="utf-8").strip()
        except FileNotFoundError:
            return None
        return _manifest(self.folder / name)

    def table(self, manifest: Manifest, entity: str) -> pl.DataFrame:
        """The rows of an entity, schema of DAR_TABLES[entity], in no order."""
        return table(entity, manifest.kind, self._paths(manifest, entity))

    def frames(self) -> RegisterFrames:
        """The register in use as compact frames. Raises LookupError when there is none.

        For the whole country about 12 seconds of processor time and 1.5 GB while it works, 0.3 GB in the end; what is
        derived from it should be kept by generation.
        """
        manifest = self.current()
        if manifest is None:
            raise LookupError(f"No address register has been loaded into {self.folder}.")
        frames, _ = register_frames(manifest.generation, lambda entity: self.table(manifest, entity))
        return frames

    def load_total(
        self,
        generation: int,
        kind: Kind,
        rows: Mapping[str, Iterable[pl.DataFrame]],
        sources: Mapping[str, str] | None = None,
    ) -> Manifest:
        """Stores a whole register, given by portions of each entity's table, and puts it in use.

        Raises RegisterRefused, with the reason, when it fails a check or another load is under way; the register in
        use stays in use. Errors of the portions come through, likewise without effect.
        """
        with self._loading() as target:
            pieces = {
                entity: (Piece(f"{entity}.parquet", written(target / f"{entity}.parquet", entity, rows[entity])),)
                for entity in DAR_TABLES
            }
            before = self.current()
            paths = {entity: [target / piece.name for piece in pieces[entity]] for entity in DAR_TABLES}
            earlier = None if before is None else (before.kind, self._paths(before, "Adresse"))
            checked = check_total(paths, earlier, self._limits)
            return self._put_in_use(target, generation, kind, "total", pieces, sources or {}, before, checked)

    def load_delta(
        self, generation: int, changes: Mapping[str, pl.DataFrame], sources: Mapping[str, str] | None = None
    ) -> Manifest:
        """Stores the register in use with changes (columns of each entity's table and `ended`), and puts that in use.

        The changes of several steps are given as one frame, in order. Raises as `load_total`, and LookupError when
        there is no register to change.
        """
        with self._loading() as target:
            before = self.current()
            if before is None:
                raise LookupError("No address register has been loaded that could be changed.")
            paths = {entity: self._paths(before, entity) for entity in DAR_TABLES}
            checked = check_delta(before.kind, paths, changes, before.live_units, self._limits)
            pieces = {
                entity: self._changed(target, before, entity, generation, changes[entity]) for entity in DAR_TABLES
            }
            return self._put_in_use(target, generation, before.kind, "delta", pieces, sources or {}, before, checked)

    def _paths(self, manifest: Manifest, entity: str) -> list[Path]:
        return [self.folder / manifest.folder / piece.name for piece in manifest.pieces[entity]]

    def _changed(
        self, target: Path, before: Manifest, entity: str, generation: int, changes: pl.DataFrame
    ) -> tuple[Piece, ...]:
        """The pieces of an entity after changes: taken over, and one more, or all of them as one."""
        pieces = before.pieces[entity]
        for piece in pieces:
            linked(self.folder / before.folder / piece.name, target / piece.name)
        if changes.is_empty():
            return pieces
        name = f"{entity}.{generation}.parquet"
        changes.write_parquet(target / name, compression="zstd")
        pieces = (*pieces, Piece(name, changes.height))
        grown = sum(piece.rows for piece in pieces[1:]) > _PIECES_SHARE * pieces[0].rows
        if not grown and len(pieces) <= _PIECES:
            return pieces
        whole = f"{entity}.{generation}.whole.parquet"
        rows = compacted(entity, before.kind, [target / piece.name for piece in pieces], target / whole)
        for piece in pieces:
            (target / piece.name).unlink()
        return (Piece(whole, rows),)

    @contextmanager
    def _loading(self) -> Iterator[Path]:
        """An empty folder for the new generation, gone afterwards unless it was renamed; only one at a time."""
        self.folder.mkdir(parents=True, exist_ok=True)
        with (self.folder / "lock").open("w") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:
                raise RegisterRefused(
                    "Another load of the address register is under way; this one was not made."
                ) from None
            target = self.folder / _UNFINISHED
            shutil.rmtree(target, ignore_errors=True)
            target.mkdir()
            try:
                yield target
            finally:
                shutil.rmtree(target, ignore_errors=True)

    def _put_in_use(
        self,
        target: Path,
        generation: int,
        kind: Kind,
        made_by: str,
        pieces: Mapping[str, tuple[Piece, ...]],
        sources: Mapping[str, str],
        before: Manifest | None,
        checked: Vanished,
    ) -> Manifest:
        """Names the finished folder, points at it, and removes what is older than the one before."""
        manifest = Manifest(
            folder=self._free_name(generation),
            generation=generation,
            kind=kind,
            made_by=made_by,
            loaded_at=datetime.now(UTC).isoformat(),
            pieces=pieces,
            previous=None if before is None else before.folder,
            sources=sources,
            live_units=checked.live_units,
            vanished=checked.vanished,
            homeless=checked.homeless,
        )
        _write(target / _MANIFEST, json.dumps(asdict(manifest), indent=1))
        for path in target.iterdir():
            _synced(path)
        target.rename(self.folder / manifest.folder)
        fresh = self.folder / f"{_POINTER}.new"
        _write(fresh, f"{manifest.folder}\n")
        fresh.replace(self.folder / _POINTER)
        for path in self.folder.iterdir():
            if _GENERATION.match(path.name) and path.name not in {manifest.folder, manifest.previous}:
                shutil.rmtree(path, ignore_errors=True)
        return manifest

    def _free_name(self, generation: int) -> str:
        """The generation's number; with a count behind it where that was loaded before."""
        names = (str(generation), *(f"{generation}.{count}" for count in range(2, 1000)))
        return next(name for name in names if not (self.folder / name).exists())


def _manifest(folder: Path) -> Manifest:
    stored = json.loads((folder / _MANIFEST).read_text(encoding="utf-8"))
    pieces = {entity: tuple(Piece(**piece) for piece in listed) for entity, listed in stored.pop("pieces").items()}
    return Manifest(pieces=pieces, **stored)


def _write(path: Path, text: str) -> None:
    path.write_text(text, encoding="utf-8")
    _synced(path)


def _synced(path: Path) -> None:
    """Waits until a file is on the disk: the pointer must not outlive what it points at."""
    with path.open("rb") as file:
        os.fsync(file.fileno())
