"""What it costs to load a national address register: 4,000,000 unit addresses, 2,500,000 access addresses.

``python -m integration_assets_tests.benchmarks.register_load [--units N] [--history] [--dir FOLDER]``

Writes the download files of an invented register, then loads them, reads the register, and applies deltas of 0.1 % and
1 % of the units. Each line is a process of its own, so that "peak MB" is that process's highest memory; "cpu s" is its
processor time, to be compared where the machine is shared.
"""

import argparse
import multiprocessing
import resource
import shutil
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

import polars as pl

from integration_assets.cache.register_store import RegisterStore
from integration_assets.clients.address_files import entity_changes
from integration_assets.domain.addresses.dar_tables import DAR_TABLES
from integration_assets.domain.addresses.flat_register import flat
from integration_assets.flows.address_register import load_folder
from integration_assets_tests.benchmarks.dar_files import access_ids, address_rows, write_file, write_totals
from integration_assets_tests.benchmarks.synthetic_register import synthetic_register

_GENERATION: Final = 100
_SHARES: Final = (0.001, 0.01)
_MEGABYTE: Final = 1 << 20


def write(folder: Path, units: int, history: bool) -> str:
    """Writes the total files, and the delta files that follow on them."""
    frames = replace(synthetic_register(units), generation=_GENERATION)
    size = write_totals(folder, frames, history=history)
    kind = "Bitemporal" if history else "Current"
    ids = access_ids(frames)
    current = frames.units.filter(pl.col("valid_to").is_null())
    for step, share in enumerate(_SHARES, start=1):
        generation = _GENERATION + step
        changed = current.sample(int(current.height * share), seed=step).with_columns(pl.lit("99").alias("door"))
        for entity in DAR_TABLES:
            rows = [address_rows(changed, ids)] if entity == "Adresse" else []
            write_file(folder / f"DAR_V3_{entity}_DeltaDownload_json_{kind}_{generation}.zip", entity, iter(rows))
    return f"{size / _MEGABYTE:,.0f} MB of JSON, {current.height:,} units, {frames.access.height:,} access rows"


def load(folder: Path, store: Path) -> str:
    """Loads the whole register."""
    loaded = load_folder(folder, RegisterStore(store))
    return f"{_size(store / loaded.manifest.folder):,.0f} MB of parquet"


def read(store: Path) -> str:
    """Reads the register as compact frames."""
    frames = RegisterStore(store).frames()
    size = sum(frame.estimated_size() for frame in (frames.places, frames.access, frames.units)) / _MEGABYTE
    heights = (frames.places.height, frames.access.height, frames.units.height)
    return "{:,} places, {:,} access, {:,} units, {:,.0f} MB".format(*heights, size)


def read_municipality(store: Path) -> str:
    """Makes the flat frame of the largest municipality, register included."""
    frames = RegisterStore(store).frames()
    counted = frames.access.join(frames.places, on="place")["municipality_code"].value_counts(sort=True)
    started = time.perf_counter()
    rows = flat(frames, [counted["municipality_code"][0]])
    return f"{rows.height:,} rows, the frame itself in {time.perf_counter() - started:.1f} s"


def change(folder: Path, store: Path, step: int) -> str:
    """Applies one delta."""
    target = RegisterStore(store)
    before = target.current()
    assert before is not None
    kind = before.kind.capitalize()
    generation = _GENERATION + step
    changes = {
        entity: entity_changes(
            entity, before.kind, folder / f"DAR_V3_{entity}_DeltaDownload_json_{kind}_{generation}.zip"
        )
        for entity in DAR_TABLES
    }
    target.load_delta(generation, changes)
    return f"{changes['Adresse'].height:,} rows"


def main() -> None:
    """Prints a line per step."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--units", type=int, default=4_000_000)
    parser.add_argument("--history", action="store_true", help="bitemporal files, each address registered twice")
    parser.add_argument("--dir", type=Path, default=None, help="where the files go (kept); default a passing folder")
    options = parser.parse_args()
    folder = options.dir or Path(tempfile.mkdtemp(prefix="register-load-"))
    files, store = folder / "files", folder / "register"
    shutil.rmtree(store, ignore_errors=True)
    files.mkdir(parents=True, exist_ok=True)
    print(f"{'step':<28}{'s':>8}{'cpu s':>8}{'peak MB':>9}  result")
    try:
        if not any(files.iterdir()):
            _measured("write the files", write, files, options.units, options.history)
        _measured("load the whole register", load, files, store)
        _measured("read it", read, store)
        for step, share in enumerate(_SHARES, start=1):
            _measured(f"apply a delta of {share:.1%}", change, files, store, step)
        _measured("read it again", read, store)
        _measured("read one municipality", read_municipality, store)
        _measured("load it all again", load, files, store)
    finally:
        if options.dir is None:
            shutil.rmtree(folder, ignore_errors=True)


def _measured(name: str, step: Callable[..., str], *arguments: Any) -> None:
    context = multiprocessing.get_context("spawn")
    answers: multiprocessing.Queue[tuple[float, float, float, str]] = context.Queue()
    process = context.Process(target=_run, args=(answers, step, arguments))
    process.start()
    seconds, cpu, peak, result = answers.get()
    process.join()
    print(f"{name:<28}{seconds:>8.1f}{cpu:>8.1f}{peak:>9,.0f}  {result}", flush=True)


def _run(answers: Any, step: Callable[..., str], arguments: tuple[Any, ...]) -> None:
    started, cpu = time.perf_counter(), time.process_time()
    try:
        result = step(*arguments)
    except Exception as failure:
        result = f"failed: {failure}"
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    answers.put((time.perf_counter() - started, time.process_time() - cpu, peak, result))


def _size(folder: Path) -> float:
    return sum(path.stat().st_size for path in folder.iterdir()) / _MEGABYTE


if __name__ == "__main__":
    main()
