"""How near a delivery to the CRM comes to what its service protection allows, and what rows cost that the CRM refuses.

``python -m integration_assets_tests.benchmarks.crm_throughput [--rows 100000] [--row-ms 10] [--data-dir DIR]``

A city of customers with all entities (`flows.crm_city`) is desired in the delivery table and delivered by one
application user to the sandbox, whose service protection is Dataverse's with its window of 300 seconds scaled to 60:
240 seconds of work in 60 seconds, 1200 requests, 4 requests at a time recommended. A row of a bulk message costs 10 ms
of work, a row written otherwise (a link, a row of a change set) 4 times that.

1. Half of the customers are new, the others, loaded before without limits, are changed. Bars: 90 % of the rate that
   the limits allow, at most 1 % of the requests answered 429, memory flat.
2. All are changed, one row in a thousand to something that the CRM refuses. Bars: exactly those rows are recorded as
   refused, all others stand in the CRM, at most 20 requests more for each of them.
3. Nothing is changed. Bar: no request.

Exit code 1 where a bar is missed.
"""

import argparse
import os
import random
import shutil
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import polars as pl
import psutil

from integration_assets.cache.deliveries import Delivery, Outcome
from integration_assets.cache.engine import embedded_server_url
from integration_assets.cache.refused import refused
from integration_assets.cache.store import Cache
from integration_assets.clients.dynamics import DynamicsClient
from integration_assets.domain.crm.fields import TABLE_FACTS
from integration_assets.flows.crm import LINKS, SYSTEM, deliver_rows, link_sender, row_sender
from integration_assets.flows.delivery import DeliveryReport, Send
from integration_assets.resources.cache import open_cache
from integration_assets.resources.dynamics import open_dynamics
from integration_assets.sandbox.background import RunningSandbox, start_in_background
from integration_assets.sandbox.systems import SandboxOptions
from integration_assets.settings import Settings
from integration_assets_tests.flows.crm_city import AREA, CHANGING, ORDER, TOO_LONG, city, in_crm, wanted

WINDOW_S = 60.0
WORK_S = 240.0
"""Seconds of work that the CRM does for a user within the window: 1200 in 300, scaled."""
SINGLE = 4
POISON_SHARE = 0.001
POISONED = ("addresses", "contacts", "accounts", "agreements", "installations")
"""Entities with a text that can be too long."""


class Memory:
    """The resident memory of this process over time, in MB."""

    def __init__(self) -> None:
        self._process = psutil.Process(os.getpid())
        self._seen: list[float] = []
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self._thread.start()

    def _watch(self) -> None:
        while not self._stop.wait(0.25):
            self._seen.append(self._process.memory_info().rss / 1e6)

    def end(self) -> tuple[float, float]:
        """The peaks of the second and of the last quarter: a delivery that grows has another at the end."""
        self._stop.set()
        self._thread.join()
        quarter = max(1, len(self._seen) // 4)
        return max(self._seen[quarter : 2 * quarter] or self._seen), max(self._seen[-quarter:])


class Counting:
    """A sender that counts how often it was called: each call needs one request where no row is bad."""

    def __init__(self, send: Send) -> None:
        self._send = send
        self.calls = 0

    def __call__(self, rows: Sequence[Delivery]) -> list[Outcome]:
        self.calls += 1
        return self._send(rows)


def desire(cache: Cache, frames: dict[str, pl.DataFrame]) -> None:
    """States what the CRM should hold."""
    for entity, frame in frames.items():
        cache.deliveries.desire(SYSTEM, entity, frame)


def deliver(cache: Cache, client: DynamicsClient) -> tuple[DeliveryReport, int]:
    """Delivers all entities in their order; what became of the rows, and the batches that were sent."""
    report, calls = DeliveryReport(), 0
    for entity in ORDER:
        send = Counting(link_sender(client) if entity == LINKS else row_sender(client, entity))
        report.add(deliver_rows(cache.deliveries, client, entity, send, [AREA]))
        calls += send.calls
    return report, calls


def statuses(sandbox: RunningSandbox) -> dict[str, int]:
    """Answers of the CRM by status since the last call."""
    found = sandbox.get("/requests/summary").get("dataverse", {}).get("by_status", {})
    sandbox.post("/requests/clear")
    return found


def throughput(sandbox: RunningSandbox, cache: Cache, client: DynamicsClient, customers: int, row_ms: float) -> bool:
    """Phase 1; whether it holds its bars."""
    old, new = range(1, customers // 2 + 1), range(customers // 2 + 1, customers + 1)
    desire(cache, city(old))
    deliver(cache, client)
    desire(cache, {entity: frame for entity, frame in city(old, 1).items() if entity != LINKS})
    desire(cache, city(new, 1))
    rows = {entity: cache.deliveries.counts(SYSTEM, entity)["waiting"] for entity in ORDER}
    bulk = sum(number for entity, number in rows.items() if entity != LINKS)
    allowed_s = (bulk + SINGLE * rows[LINKS]) * row_ms / 1000 * WINDOW_S / WORK_S
    set_limits(sandbox, row_ms)
    statuses(sandbox)
    memory = Memory()
    began = time.monotonic()
    report, _ = deliver(cache, client)
    seconds = time.monotonic() - began
    early_mb, late_mb = memory.end()
    answers = statuses(sandbox)
    sent, throttled = sum(answers.values()), answers.get("429", 0)
    share = allowed_s / seconds
    total = sum(rows.values())
    print(
        f"{total:,} rows ({report.created:,} new, {report.updated:,} changed, {report.failed} failed) in "
        f"{seconds:.0f} s: {total / seconds:.0f} a second, {share:.1%} of what the limits allow; {sent:,} requests, "
        f"{throttled} answered 429 ({throttled / sent:.2%}); memory {early_mb:.0f} MB early, {late_mb:.0f} MB late",
        flush=True,
    )
    return share >= 0.9 and throttled <= 0.01 * sent and late_mb <= 1.1 * early_mb and report.failed == 0


def poison(sandbox: RunningSandbox, cache: Cache, client: DynamicsClient, customers: int, rows: int) -> bool:
    """Phase 2; whether it holds its bars."""
    frames = {entity: frame for entity, frame in city(range(1, customers + 1), 2).items() if entity != LINKS}
    bad: dict[str, set[str]] = {}
    dice = random.Random(7)
    for _ in range(max(1, round(rows * POISON_SHARE))):
        entity = dice.choice(POISONED)
        bad.setdefault(entity, set()).add(dice.choice(frames[entity]["object_id"]))
    for entity, ids in bad.items():
        column = CHANGING[entity]
        too_long = pl.when(pl.col("object_id").is_in(list(ids))).then(pl.lit(TOO_LONG)).otherwise(column)
        frames[entity] = frames[entity].with_columns(too_long.alias(column))
    desire(cache, frames)
    statuses(sandbox)
    began = time.monotonic()
    report, calls = deliver(cache, client)
    seconds = time.monotonic() - began
    answers = statuses(sandbox)
    number = sum(len(ids) for ids in bad.values())
    extra = sum(answers.values()) - calls
    recorded = {entity: set(refused(cache.engine, SYSTEM, entity, [AREA])["business_key"]) for entity in TABLE_FACTS}
    expected = {
        entity: set(frames[entity].filter(pl.col("object_id").is_in(list(bad.get(entity, ()))))["business_key"])
        for entity in TABLE_FACTS
    }
    wrong = sum(_wrong(client, entity, frame, bad.get(entity, set())) for entity, frame in frames.items())
    print(
        f"{report.updated:,} rows changed, {number} that the CRM refuses: {report.failed} recorded, "
        f"{'exactly those' if recorded == expected else 'OTHERS'}; {wrong} rows otherwise than they should be; "
        f"{extra} requests more ({extra / number:.1f} for each), {seconds:.0f} s",
        flush=True,
    )
    return recorded == expected and not wrong and report.failed == number and extra <= 20 * number


def _wrong(client: DynamicsClient, entity: str, frame: pl.DataFrame, bad: set[str]) -> int:
    """Rows of an entity that the CRM has otherwise than desired; the bad ones must be as they were before."""
    found, desired = in_crm(client, entity), wanted(frame)
    column = CHANGING[entity]
    wrong = len(set(found) ^ set(desired))
    for key in found.keys() & desired.keys():
        if key in bad:
            wrong += found[key][column] == TOO_LONG
        else:
            wrong += found[key] != desired[key]
    return wrong


def set_limits(sandbox: RunningSandbox, row_ms: float) -> None:
    """Switches service protection on, with its window scaled."""
    rules = {
        "window_s": WINDOW_S,
        "max_execution_s": WORK_S,
        "max_requests": int(6000 * WINDOW_S / 300),
        "row_ms": row_ms,
        "single_row_ms": row_ms * SINGLE,
    }
    httpx.post(f"{sandbox.systems['dataverse']}/_behaviour", json=rules, timeout=60).raise_for_status()


@contextmanager
def crm(folder: Path) -> Iterator[tuple[RunningSandbox, Cache, DynamicsClient]]:
    """A sandbox with nothing but the CRM, an empty cache, and the client."""
    sandbox = start_in_background(SandboxOptions(data_dir=folder, systems=("dataverse",)))
    known: dict[str, Any] = {name: value for name, value in sandbox.settings.items() if name in Settings.model_fields}
    settings = Settings(**{**known, "cache_url": embedded_server_url(folder, "crm_throughput")})
    cache, client = open_cache(settings), open_dynamics(settings)
    try:
        yield sandbox, cache, client
    finally:
        client.close()
        cache.close()
        sandbox.stop()


def main() -> None:
    """The three phases."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=100_000)
    parser.add_argument("--row-ms", type=float, default=10.0, help="work of a row in a bulk message")
    parser.add_argument("--data-dir", type=Path, help="default: a folder that is removed")
    options = parser.parse_args()
    folder = (options.data_dir or Path(tempfile.mkdtemp(prefix="crm-throughput-"))).resolve()
    # Of two customers one is new (7 rows) and one is changed (6 rows).
    customers = round(options.rows / 6.5)
    try:
        with crm(folder) as (sandbox, cache, client):
            held = throughput(sandbox, cache, client, customers, options.row_ms)
            held &= poison(sandbox, cache, client, customers, options.rows)
            statuses(sandbox)
            deliver(cache, client)
            asked = sum(statuses(sandbox).values())
            print(f"nothing changed: {asked} requests")
            held &= asked == 0
    finally:
        if options.data_dir is None:
            shutil.rmtree(folder, ignore_errors=True)
    sys.exit(0 if held else 1)


if __name__ == "__main__":
    main()
