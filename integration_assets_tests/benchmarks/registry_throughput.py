"""How busy a first load keeps the registry, from claims to records, against a server with a real one's pace.

``python -m integration_assets_tests.benchmarks.registry_throughput [--households 1000] [--workers 4] [--slower 1]``

The sandbox's registry runs in a process of its own, takes 20 ms for a write and 15 ms for each object of a read, and
works on four requests at a time; the others wait. New households (person, customer relation, role, agreement,
installation) go through the delivery that the assets use, and are read back as `cache/*` do. Busy is the share of the
time in which the server's workers had a request: worked time / (workers x wall time). Where other programs want the
same processors, `--slower 5` makes the server five times as slow, so that they matter as much less.

Exit code 1: the server was less than 90 % busy, or a household cost other than five writes and nothing before them.
"""

import argparse
import shutil
import sys
import tempfile
import time
import uuid
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import polars as pl

from integration_assets.cache.engine import cache_engine, embedded_server_url, migrate
from integration_assets.cache.store import Cache
from integration_assets.clients.lora import LoraClient
from integration_assets.domain.registry.dialect import NEEDED, Dialect, dialect_of
from integration_assets.flows.delivery import deliver, registry_sender
from integration_assets.flows.drift import Means
from integration_assets.flows.read_back import read_changed
from integration_assets.flows.registry import SYSTEM
from integration_assets.sandbox.background import RunningSandbox, start_in_background
from integration_assets.sandbox.faults import FaultPlan
from integration_assets.sandbox.systems import SandboxOptions
from integration_assets.settings import Settings
from integration_assets_tests.domain.registry_rows import AGREEMENT, INSTALLATION, PERSON, RELATION, ROLE, TENANT

READ_MS, WRITE_MS = 15, 20
LEAST_BUSY = 0.9
AREA = "5000"
HOUSEHOLD: dict[str, dict[str, Any]] = {
    "customers": PERSON,
    "customer_relations": RELATION,
    "customer_roles": ROLE,
    "installations": INSTALLATION,
    "agreements": AGREEMENT,
}
"""The rows of one household in the order of a run."""


def households(count: int) -> dict[str, pl.DataFrame]:
    """Desired rows of so many households, by entity."""
    return {
        entity: pl.DataFrame(
            [
                {"object_id": str(uuid.uuid4()), "business_key": f"{number:07}", "supply_area": AREA, **row}
                for number in range(count)
            ],
            infer_schema_length=None,
        )
        for entity, row in HOUSEHOLD.items()
    }


class Watched:
    """A registry whose workers are watched."""

    def __init__(self, sandbox: RunningSandbox, workers: int) -> None:
        self._sandbox = sandbox
        self._workers = workers

    def busy(self, what: str, begun: float, objects: int) -> float:
        """Prints and returns how busy the server was since `begun`, and forgets what it did."""
        seconds = time.perf_counter() - begun
        summary = self._sandbox.get("/requests/summary")["lora"]
        self._sandbox.post("/requests/clear")
        share = summary["worked_ms"] / 1000 / (self._workers * seconds)
        methods = ", ".join(f"{number:,} {method}" for method, number in sorted(summary["by_method"].items()))
        print(
            f"{what:20} {objects:7,} objects {seconds:7.1f} s {objects / seconds:6.0f} a second; {methods}; "
            f"busy {share:.1%}",
            flush=True,
        )
        return share


def load(cache: Cache, client: LoraClient, entity: str, dialect: Dialect, workers: int) -> int:
    """Delivers an entity as the asset does; how many objects were created."""
    with ThreadPoolExecutor(workers) as pool:
        send = registry_sender(client, entity, TENANT, pool, dialect=lambda: dialect)
        report = deliver(cache.deliveries, SYSTEM, entity, send, workers=pool)
    return report.created


def measure(data_dir: Path, count: int, workers: int, slower: float) -> list[str]:
    """Loads and reads back; what is not as it should be."""
    plan = FaultPlan(read_ms=READ_MS * slower, write_ms=WRITE_MS * slower, workers=workers)
    sandbox = start_in_background(SandboxOptions(data_dir=data_dir, systems=("lora",), faults={"lora": plan}))
    engine = cache_engine(embedded_server_url(data_dir, "cache"), data_dir)
    migrate(engine)
    cache, client = Cache(engine, "a secret of this benchmark"), LoraClient(sandbox.systems["lora"])
    watched = Watched(sandbox, workers)
    try:
        for entity, rows in households(count).items():
            cache.deliveries.desire(SYSTEM, entity, rows)
        dialect = dialect_of(client.served(NEEDED))
        sandbox.post("/requests/clear")
        before = client.requests()
        begun = time.perf_counter()
        created = sum(load(cache, client, entity, dialect, Settings().lora_workers) for entity in HOUSEHOLD)
        loaded = watched.busy("first load", begun, created)
        sent = client.requests() - before
        begun = time.perf_counter()
        means = Means.of(Settings(), cache, client, TENANT, datetime.now(UTC).date())
        looks = [read_changed(means, entity, [AREA]) for entity in HOUSEHOLD]
        read = watched.busy("read back", begun, sum(look.read for look in looks))
    finally:
        client.close()
        engine.dispose()
        sandbox.stop()
    wrong = [f"the server was {share:.1%} busy" for share in (loaded, read) if share < LEAST_BUSY]
    wrong += [f"what was read back differs: {looked.counts()}" for looked in looks if looked.kinds]
    if sent["put"] != len(HOUSEHOLD) * count or sent["list"]:
        wrong.append(f"{count} households cost {dict(sent)}")
    return wrong


def main() -> None:
    """Load and read back."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--households", type=int, default=1000)
    parser.add_argument("--workers", type=int, default=4)
    parser.add_argument("--slower", type=float, default=1.0)
    options = parser.parse_args()
    data_dir = Path(tempfile.mkdtemp(prefix="registry-throughput-"))
    try:
        wrong = measure(data_dir, options.households, options.workers, options.slower)
    finally:
        shutil.rmtree(data_dir, ignore_errors=True)
    for sentence in wrong:
        print(f"Not as it should be: {sentence}.")
    sys.exit(1 if wrong else 0)


if __name__ == "__main__":
    main()
