"""The washing index in a folder: written whole, opened memory-mapped, so that processes share one copy of it."""

import shutil
from pathlib import Path

import numpy as np
import polars as pl

from integration_assets.domain.addresses.washing import RULE_VERSION, WashingIndex
from integration_assets.domain.addresses.washing.index import Part

_COMPLETE = "complete"


class NoWashingIndex(Exception):
    """A folder holds no washing index that this version can read."""


def write_washing_index(index: WashingIndex, folder: Path) -> None:
    """Writes the index into `folder`, in place of one that lies there.

    The new one is written beside it and takes its place when it is whole; a failure leaves the old one.
    """
    fresh = folder.with_name(f"{folder.name}.new")
    shutil.rmtree(fresh, ignore_errors=True)
    fresh.mkdir(parents=True)
    for name, part in index.parts().items():
        if isinstance(part, pl.DataFrame):
            part.write_ipc(fresh / f"{name}.arrow")
        else:
            np.save(fresh / f"{name}.npy", part)
    (fresh / _COMPLETE).write_text(RULE_VERSION)
    shutil.rmtree(folder, ignore_errors=True)
    fresh.rename(folder)


def open_washing_index(folder: Path) -> WashingIndex:
    """The index in `folder`, its large arrays memory-mapped. Raises NoWashingIndex."""
    mark = folder / _COMPLETE
    if not mark.is_file() or mark.read_text() != RULE_VERSION:
        raise NoWashingIndex(
            f"{folder} holds no washing index of rules {RULE_VERSION}. Load the address register to build it."
        )
    parts: dict[str, Part] = {path.stem: pl.read_ipc(path) for path in sorted(folder.glob("*.arrow"))}
    arrays = {path.stem: np.load(path, mmap_mode="r") for path in sorted(folder.glob("*.npy"))}
    return WashingIndex.of(parts | arrays)
