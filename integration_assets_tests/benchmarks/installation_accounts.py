"""How long installation accounts take: the first night, one without changes, one on which some contracts change.

``python -m integration_assets_tests.benchmarks.installation_accounts [--customers 100000] [--facts]``

Every customer has one contract on one installation, in ten supply areas that are refreshed as one. With ``--facts``
each installation has three slices, one of which begins on the last night. Counted is the time on the clock, on an
embedded PostgreSQL, everything stored durably.
"""

import argparse
import tempfile
import time
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import polars as pl
import sqlalchemy as sa

from integration_assets.cache.engine import cache_engine, migrate
from integration_assets.cache.merge import merge_partition
from integration_assets.cache.store import Cache
from integration_assets.domain.identity import ObjectIds
from integration_assets.domain.schema import EntityTable
from integration_assets.domain.tables import (
    KMD_CUSTOMERS,
    KMD_INSTALLATIONS,
    RESOLVED_BILLING_ADDRESSES,
    RESOLVED_CONSUMPTION_ADDRESSES,
    RESOLVED_CUSTOMERS,
)
from integration_assets.flows.accounts import refresh_accounts

DAY = date(2026, 3, 1)
AREAS = [str(5000 + number) for number in range(10)]
UNCHANGED_BAR = 5.0
"""Seconds for 100,000 accounts of which none has changed."""


def keep(cache: Cache, table: EntityTable, rows: pl.DataFrame, **columns: Any) -> None:
    """Fills a table; columns that are not named are empty."""
    frame = rows.with_columns(**columns)
    frame = frame.with_columns(
        pl.lit(None, dtype).alias(name) for name, dtype in table.schema.items() if name not in frame.columns
    )
    merge_partition(
        cache.engine, table, AREAS, frame.select(table.schema.names()), cipher=cache.cipher, as_of_now=datetime.now(UTC)
    )


def fill(cache: Cache, customers: int) -> None:
    """One customer, one place, one installation each."""
    number = pl.int_range(customers)
    rows = pl.select(
        (number + 100_000).cast(pl.String).alias("customer_number"),
        (number % 10 + 5000).cast(pl.String).alias("supply_area"),
        number.alias("consumption_place_id"),
        pl.format("party {}", number).alias("party_id"),
        (number + 900_000).cast(pl.String).alias("installation_number"),
        pl.lit(date(2020, 1, 1)).alias("moved_in"),
    )
    keep(cache, KMD_CUSTOMERS, rows)
    keep(cache, RESOLVED_CUSTOMERS, rows)
    for table in (RESOLVED_CONSUMPTION_ADDRESSES, RESOLVED_BILLING_ADDRESSES):
        keep(cache, table, rows, address_line=pl.format("Vej {}", "consumption_place_id"))
    since = pl.lit(date(2019, 1, 1))
    keep(
        cache, KMD_INSTALLATIONS, rows, meter_period="installation_number", meter_from=since,
        meter_number="installation_number",
    )  # fmt: skip


def fill_facts(cache: Cache) -> None:
    """Three slices for each installation, in the compact form; the last begins three nights from now."""
    later = DAY + timedelta(days=3)
    lines = f"""[["ENERGIPRIS", "", [["2020-01-01", "{later - timedelta(days=1)}", 0.5, 0], ["{later}", null, 0.6, 0]]],
               ["RABAT", "", [["2020-01-01", null, 0.1, 0]]]]"""
    with cache.engine.begin() as connection:
        connection.execute(
            sa.text(
                "INSERT INTO installation_fact (installation, slices) SELECT installation_number, jsonb_build_object("
                "'by', '[[\"CONSTANT\", null, null, null]]'::jsonb, 'lines', CAST(:lines AS jsonb)) "
                "FROM kmd_ee_installations"
            ),
            {"lines": lines},
        )


def timed(what: str, act: Callable[[], Any]) -> float:
    """Does it, prints how long it took and what was counted; the seconds."""
    before, processor = time.perf_counter(), time.process_time()
    counts = {name: number for name, number in act().counts.items() if number}
    seconds = time.perf_counter() - before
    cpu = time.process_time() - processor
    print(f"{what:40} {seconds:8.2f} s, of them {cpu:.2f} s of this process's processor  {counts}", flush=True)
    return seconds


def main() -> None:
    """Measures and prints; exits with 1 when the bar of the unchanged night is missed."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--customers", type=int, default=100_000)
    parser.add_argument("--facts", action="store_true")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        engine = cache_engine(None, Path(folder))
        migrate(engine)
        cache, ids = Cache(engine, "a secret of the benchmarks"), ObjectIds("a key for benchmarks only")

        def refreshed(day: date) -> Any:
            return refresh_accounts(cache, ids, AREAS, day, datetime.now(UTC), utility="Varme")

        fill(cache, arguments.customers)
        if arguments.facts:
            fill_facts(cache)
        with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            connection.exec_driver_sql("VACUUM ANALYZE")
        timed("first night", lambda: refreshed(DAY))
        unchanged = timed("a night without changes", lambda: refreshed(DAY + timedelta(days=1)))
        with engine.begin() as connection:
            moved = "moved_out = '2026-03-20', changed_at = now() WHERE customer_number LIKE '%00'"
            connection.exec_driver_sql(f"UPDATE kmd_ee_customers SET {moved.replace('%', '%%')}")
        timed("1 % of the contracts get an end", lambda: refreshed(DAY + timedelta(days=2)))
        timed("a night on which facts or nothing begin", lambda: refreshed(DAY + timedelta(days=3)))
        cache.close()
    if unchanged > UNCHANGED_BAR * arguments.customers / 100_000:
        print(f"The bar of {UNCHANGED_BAR} s for 100,000 accounts is missed.")
        raise SystemExit(1)


if __name__ == "__main__":
    main()
