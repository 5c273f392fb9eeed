"""How fast the cache finds and keeps the differences of one partition: 1,000,000 rows of 20 columns.

``python -m integration_assets_tests.benchmarks.cache_merge [--rows N] [--sealed] [--dlt]``

Each line is one merge into an embedded PostgreSQL (fsync on), in a process of its own, so that "peak MB" is that
process's highest memory, including the frame to merge; PostgreSQL's own memory (512 MB shared) is not in it. "cpu s" is
the time of that process without PostgreSQL. The frame comes in another order than the stored one.
"""

import argparse
import importlib.util
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path

import polars as pl

from integration_assets.cache.cipher import Cipher
from integration_assets.domain.schema import Column, EntityTable

_SHARES = (("first load", 0.0), ("0 %", 0.0), ("1 %", 0.01), ("10 %", 0.1), ("100 %", 1.0))


def table(sealed: bool) -> EntityTable:
    """A table like those of the billing system: 11 texts, 5 numbers, 3 dates, and the partition."""
    texts = tuple(Column(f"text_{n}", pl.String, "", sealed=sealed and n < 2) for n in range(10))
    numbers = tuple(Column(f"number_{n}", pl.Int64, "") for n in range(4))
    others = (Column("amount", pl.Float64, ""), *(Column(f"day_{n}", pl.Date, "") for n in range(3)))
    identity = (Column("record_key", pl.String, ""), Column("supply_area", pl.String, ""))
    return EntityTable(("benchmark", "rows"), "record_key", "", (*identity, *texts, *numbers, *others))


def source(rows: int, share: float, salt: int) -> pl.DataFrame:
    """`rows` rows; against salt 0 a share is changed in one column, a tenth of that is new and as many are gone."""
    number = pl.col("number")
    moved = int(rows * share / 10) if share < 1 else 0
    touched = (number * 7919 % rows) < int(rows * share)
    base = pl.DataFrame({"number": pl.int_range(moved, rows + moved, eager=True)})
    texts = {f"text_{n}": pl.lit(f"Storegade {n} ") + (number * (n + 3) % 9973).cast(pl.String) for n in range(10)}
    frame = base.select(
        number,
        (pl.lit("K") + number.cast(pl.String).str.zfill(9)).alias("record_key"),
        pl.lit("5000").alias("supply_area"),
        *(text.alias(name) for name, text in texts.items()),
        *((number * (n + 1)).alias(f"number_{n}") for n in range(4)),
        (number / 7).alias("amount"),
        *((number % 20_000 + n).cast(pl.Int32).cast(pl.Date).alias(f"day_{n}") for n in range(3)),
    )
    changed = pl.when(touched).then(pl.lit(f"moved {salt}")).otherwise(pl.col("text_5"))
    return frame.with_columns(changed.alias("text_5")).sort(number * 7 % rows).drop("number")


def measure_merge(data_dir: Path, rows: int, salt: int, sealed: bool) -> str:
    """Merge once and return the line to print."""
    from integration_assets.cache.engine import cache_engine
    from integration_assets.cache.merge import merge_partition

    frame = pl.read_parquet(data_dir / f"{salt}.parquet", memory_map=False)
    engine = cache_engine(None, data_dir)
    engine.connect().close()
    cipher = Cipher.from_secret("benchmark")
    before = time.perf_counter(), time.process_time()
    counts = merge_partition(
        engine, table(sealed), ["5000"], frame, cipher=cipher, as_of_now=datetime(2024, 1, 1, tzinfo=UTC)
    )
    seconds, cpu = time.perf_counter() - before[0], time.process_time() - before[1]
    changes = f"{counts.new} new, {counts.changed} changed, {counts.vanished} vanished"
    return line(seconds, cpu, rows, changes)


def measure_dlt(data_dir: Path, rows: int, salt: int) -> str:
    """The same rows through dlt's merge (upsert) into DuckDB, as a yardstick."""
    import dlt  # pyright: ignore[reportMissingImports]

    frame = pl.read_parquet(data_dir / f"{salt}.parquet", memory_map=False).to_arrow()
    pipeline = dlt.pipeline(
        "cache_merge",
        pipelines_dir=str(data_dir / "dlt"),
        destination=dlt.destinations.duckdb(str(data_dir / "dlt.duckdb")),
        dataset_name="benchmark",
    )
    before = time.perf_counter(), time.process_time()
    pipeline.run(
        [frame],
        table_name="rows",
        write_disposition={"disposition": "merge", "strategy": "upsert"},
        primary_key="record_key",
    )
    return line(time.perf_counter() - before[0], time.process_time() - before[1], rows, "not counted by dlt")


def line(seconds: float, cpu: float, rows: int, changes: str) -> str:
    """One line of the table, without its first cell."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return f"{seconds:8.2f} {cpu:7.2f} {rows / seconds:12,.0f} {peak:8,.0f}   {changes}"


def main() -> None:
    """Print the table; with --step (internal) one measurement."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--sealed", action="store_true", help="encrypt two of the columns")
    parser.add_argument("--dlt", action="store_true", help="measure dlt (upsert into DuckDB) as well, if installed")
    parser.add_argument("--step", nargs=3, metavar=("WAY", "FOLDER", "SALT"), help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.step:
        way, folder, salt = options.step
        if way == "dlt":
            print(measure_dlt(Path(folder), options.rows, int(salt)))
        else:
            print(measure_merge(Path(folder), options.rows, int(salt), options.sealed))
        return
    ways = ["cache"]
    if options.dlt and importlib.util.find_spec("dlt") is None:
        print("dlt is not installed: only the cache is measured.")
    elif options.dlt:
        ways.append("dlt")
    folder = Path(tempfile.mkdtemp(prefix="cache-merge-"))
    try:
        _run(folder, ways, options.rows, options.sealed)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _run(folder: Path, ways: list[str], rows: int, sealed: bool) -> None:
    from integration_assets.cache.engine import cache_engine, migrate
    from integration_assets.cache.server import embedded_server

    engine = cache_engine(None, folder)
    migrate(engine)
    types = {pl.String: "text", pl.Int64: "bigint", pl.Float64: "double precision", pl.Date: "date"}
    columns = ", ".join(
        f"{column.name} {'bytea' if column.sealed else types[column.dtype]}"  # pyright: ignore[reportArgumentType]
        for column in table(sealed).columns
    )
    with engine.begin() as connection:
        connection.exec_driver_sql(
            f"CREATE TABLE {table(sealed).name} ({columns}, fingerprint bigint NOT NULL, "
            "first_seen_at timestamptz NOT NULL, "
            "changed_at timestamptz NOT NULL, vanished_at timestamptz, PRIMARY KEY (supply_area, record_key)) "
            "WITH (fillfactor = 50)"
        )
    engine.dispose()
    print(f"{rows:,} rows, 20 columns{', 2 sealed' if sealed else ''}")
    print(f"{'way':6} {'changed':11} {'seconds':>8} {'cpu s':>7} {'rows/s':>12} {'peak MB':>8}   differences")
    for salt, (_, share) in enumerate(_SHARES):
        source(rows, share, salt).select(table(sealed).schema.names()).write_parquet(folder / f"{salt}.parquet")
    for way in ways:
        for salt, (name, _) in enumerate(_SHARES):
            command = [sys.executable, "-m", "integration_assets_tests.benchmarks.cache_merge", "--rows", str(rows)]
            command += ["--sealed"] * sealed + ["--step", way, str(folder), str(salt)]
            result = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
            print(f"{way:6} {name:11} {result.stdout.rstrip()}", flush=True)
    embedded_server(folder).close()


if __name__ == "__main__":
    main()
