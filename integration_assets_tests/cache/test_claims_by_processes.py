"""Claims of real processes: no row twice, and a killed process gives its rows back."""

import signal
import subprocess
import sys
import time

import polars as pl
import sqlalchemy as sa

from integration_assets.cache.cipher import Cipher
from integration_assets.cache.deliveries import Deliveries
from integration_assets_tests.cache.test_deliveries import NOW

_WORKER = """
import sys, time
from datetime import datetime, UTC
from pathlib import Path
from integration_assets.cache.cipher import Cipher
from integration_assets.cache.deliveries import Deliveries, Outcome
from integration_assets.cache.engine import cache_engine

deliveries = Deliveries(cache_engine(sys.argv[1], Path()), Cipher.from_secret("tests"))
while True:
    with deliveries.claim("lora", "agreements", 7, datetime(2024, 5, 1, 6, tzinfo=UTC)) as claim:
        if not claim.rows:
            break
        print(*(row.business_key for row in claim.rows), flush=True)
        time.sleep(float(sys.argv[2]))
        claim.record([Outcome(row.object_id, True) for row in claim.rows])
"""


def _deliveries(cache: sa.Engine, count: int) -> Deliveries:
    deliveries = Deliveries(cache, Cipher.from_secret("tests"))
    names = [f"n{number:03}" for number in range(count)]
    frame = pl.DataFrame({"object_id": names, "business_key": names, "supply_area": ["5000"] * count, "name": names})
    deliveries.desire("lora", "agreements", frame)
    return deliveries


def _start(cache_url: str, pause: float) -> "subprocess.Popen[str]":
    return subprocess.Popen([sys.executable, "-c", _WORKER, cache_url, str(pause)], stdout=subprocess.PIPE, text=True)


def test_two_processes_share_the_rows(cache: sa.Engine, cache_url: str) -> None:
    deliveries = _deliveries(cache, 100)
    workers = [_start(cache_url, 0.01) for _ in range(2)]
    handed_out = [key for worker in workers for key in worker.communicate(timeout=60)[0].split()]
    assert sorted(handed_out) == [f"n{number:03}" for number in range(100)]
    assert deliveries.counts("lora", "agreements") == {"delivered": 100}


def test_a_killed_process_gives_its_rows_back(cache: sa.Engine, cache_url: str) -> None:
    deliveries = _deliveries(cache, 5)
    worker = _start(cache_url, 60)
    assert worker.stdout is not None
    assert worker.stdout.readline().split() == [f"n{number:03}" for number in range(5)]
    with deliveries.claim("lora", "agreements", 9, NOW) as claim:
        assert claim.rows == []
    worker.send_signal(signal.SIGKILL)
    worker.communicate()
    deadline = time.monotonic() + 10
    freed: list[str] = []
    while not freed and time.monotonic() < deadline:
        with deliveries.claim("lora", "agreements", 9, NOW) as claim:
            freed = [row.business_key for row in claim.rows]
        time.sleep(0.05)
    assert freed == [f"n{number:03}" for number in range(5)]
    assert deliveries.counts("lora", "agreements") == {"waiting": 5}
