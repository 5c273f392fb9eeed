"""The washing index in a folder: written whole, opened memory-mapped, so that processes share one copy of it.

    <folder>/current     the name of the version in use, one line
    <folder>/<version>/  frames as .arrow, arrays as .npy

A version is never changed. The pointer moves to a new one when that is whole, and the version before it stays for
readers that are opening it at that moment.
"""

import shutil
import uuid
from pathlib import Path

import numpy as np
import polars as pl

from integration_assets.domain.addresses.washing import RULE_VERSION, WashingIndex
from integration_assets.domain.addresses.washing.index import Part

_POINTER = "current"
_RULES = "rules"


class NoWashingIndex(Exception):
    """A folder holds no washing index that this version can read."""


def index_folder(data_dir: Path) -> Path:
    """Where a data directory keeps the index of its register."""
    return data_dir / "register" / "washing"


def write_washing_index(index: WashingIndex, folder: Path) -> None:
    """Writes the index into `folder` and puts it in use there; a failure leaves the one in use before."""
    before = _in_use(folder)
    fresh = folder / uuid.uuid4().hex
    fresh.mkdir(parents=True)
    try:
        for name, part in index.parts().items():
            if isinstance(part, pl.DataFrame):
                part.write_ipc(fresh / f"{name}.arrow")
            else:
                np.save(fresh / f"{name}.npy", part)
        (fresh / _RULES).write_text(RULE_VERSION)
        pointer = folder / f"{fresh.name}.pointer"
        pointer.write_text(fresh.name)
        pointer.replace(folder / _POINTER)
    except BaseException:
        shutil.rmtree(fresh, ignore_errors=True)
        raise
    for version in folder.iterdir():
        if version.is_dir() and version not in (fresh, before):
            shutil.rmtree(version, ignore_errors=True)


def has_washing_index(folder: Path) -> bool:
    """Whether `open_washing_index` finds one."""
    version = _in_use(folder)
    return version is not None and (version / _RULES).is_file() and (version / _RULES).read_text() == RULE_VERSION


def version_in_use(folder: Path) -> str | None:
    """The name of the index in use in `folder`, another one for each; None where there is none."""
    version = _in_use(folder)
    return None if version is None else version.name


def open_washing_index(folder: Path) -> WashingIndex:
    """The index in use in `folder`, its large arrays memory-mapped. Raises NoWashingIndex."""
    version = _in_use(folder)
    if version is None or not has_washing_index(folder):
        raise NoWashingIndex(
            f"{folder} holds no washing index of rules {RULE_VERSION}. Load the address register to build it: "
            "materialize addresses/washing_index, or let the sensor new_address_register do it."
        )
    parts: dict[str, Part] = {path.stem: pl.read_ipc(path) for path in sorted(version.glob("*.arrow"))}
    arrays = {path.stem: np.load(path, mmap_mode="r") for path in sorted(version.glob("*.npy"))}
    return WashingIndex.of(parts | arrays)


def _in_use(folder: Path) -> Path | None:
    try:
        return folder / (folder / _POINTER).read_text().strip()
    except FileNotFoundError:
        return None
