"""How fast and how truly hand-typed texts are washed against a national register.

``python -m integration_assets_tests.benchmarks.addresses [--units 4000000] [--texts 200000] [--folder DIR]``

The register is invented (`synthetic_register`), the texts are lines of its addresses with known ids, with the errors of
`typing_errors` in none, 15 % and all of them. Each figure comes from a process of its own that opens the index
memory-mapped. "wrong" are A and B with another id than the text was made from; "cpu" is the time of all threads.
"""

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import polars as pl

from integration_assets.cache.washing_store import open_washing_index, write_washing_index
from integration_assets.domain.addresses.washing import WashingIndex, wash
from integration_assets_tests.benchmarks.synthetic_register import synthetic_register
from integration_assets_tests.benchmarks.typing_errors import labelled_texts

_SHARES = (("clean", 0.0), ("15 % dirty", 0.15), ("all dirty", 1.0))


def build(folder: Path, units: int, texts: int) -> dict[str, float]:
    """Makes register, index and labelled texts in `folder`; what it took."""
    started = time.perf_counter()
    frames = synthetic_register(units)
    made = time.perf_counter()
    index = WashingIndex.build(frames)
    built = time.perf_counter()
    write_washing_index(index, folder / "index")
    written = time.perf_counter()
    for number, (name, share) in enumerate(_SHARES):
        labelled_texts(index, texts, share, seed=number + 1).write_ipc(folder / f"{name}.arrow")
    return {
        "units": frames.units.height,
        "access": frames.access.height,
        "places": frames.places.height,
        "names": frames.places["street_name"].n_unique(),
        "generate s": round(made - started, 1),
        "build s": round(built - made, 1),
        "write s": round(written - built, 1),
        "peak MB": _peak_mb(),
        "disk MB": round(sum(path.stat().st_size for path in (folder / "index").iterdir()) / 1e6),
    }


def measure(folder: Path, name: str, workers: int) -> dict[str, object]:
    """Washes the texts of one share once, on `workers` cores, and says how fast and how truly."""
    os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:workers])
    started = time.perf_counter()
    index = open_washing_index(folder / "index")
    opened = time.perf_counter() - started
    texts = pl.read_ipc(folder / f"{name}.arrow")
    wash(texts["text"].head(2_000), index, workers=workers)
    wall, cpu = time.perf_counter(), time.process_time()
    washed = wash(texts["text"], index, workers=workers)
    wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    judged = texts.with_columns(washed.select("category", "unit_id"))
    used = pl.col("category") != "C"
    wrong = used & (pl.col("unit_id") != pl.col("expected"))
    figures = [pl.len().alias("texts"), *(((pl.col("category") == c).mean() * 100).alias(c) for c in "ABC")]
    figures += [wrong.sum().alias("wrong"), used.sum().alias("used")]
    return {
        "name": name,
        "cores": workers,
        "open s": round(opened, 2),
        "per s": round(texts.height / wall),
        "per cpu s": round(texts.height / cpu),
        "peak MB": _peak_mb(),
        "all": judged.select(figures).to_dicts()[0],
        "kinds": judged.group_by("kind").agg(figures).sort("kind").to_dicts(),
    }


def _peak_mb() -> int:
    return round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1_000)


def _in_own_process(*arguments: str) -> dict[str, object]:
    command = [sys.executable, "-m", "integration_assets_tests.benchmarks.addresses", *arguments]
    cores = arguments[arguments.index("--measure") + 2] if "--measure" in arguments else str(os.cpu_count())
    environment = os.environ | {"POLARS_MAX_THREADS": cores}
    return json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True, env=environment).stdout)


def _show(figures: dict[str, object]) -> None:
    head = {name: value for name, value in figures.items() if name not in ("all", "kinds")}
    print("  ".join(f"{name}: {value}" for name, value in head.items()))
    rows = figures.get("kinds", [])
    assert isinstance(rows, list)
    for row in [*rows, {"kind": "all", **dict(figures.get("all", {}))}] if rows else []:  # pyright: ignore
        share = 100 * row["wrong"] / row["used"] if row["used"] else 0.0
        print(
            f"    {row['kind']:<18} {row['texts']:>7}  A {row['A']:6.2f} %  B {row['B']:6.2f} %  C {row['C']:6.2f} %"
            f"  wrong {row['wrong']:>5} = {share:.3f} % of A and B"
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--units", type=int, default=4_000_000)
    parser.add_argument("--texts", type=int, default=200_000)
    parser.add_argument("--folder", type=Path)
    parser.add_argument("--build", action="store_true", help=argparse.SUPPRESS)
    parser.add_argument("--measure", nargs=2, metavar=("SHARE", "WORKERS"), help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.build:
        print(json.dumps(build(options.folder, options.units, options.texts)))
    elif options.measure:
        print(json.dumps(measure(options.folder, options.measure[0], int(options.measure[1]))))
    else:
        with tempfile.TemporaryDirectory() as scratch:
            folder = options.folder or Path(scratch)
            size = ("--units", str(options.units), "--texts", str(options.texts), "--folder", str(folder))
            if not (folder / "index").is_dir():
                _show(_in_own_process("--build", *size))
            for name, _ in _SHARES:
                for workers in (1, 2):
                    _show(_in_own_process("--measure", name, str(workers), *size))


if __name__ == "__main__":
    main()
