"""How fast the pages answer over a large cache in which a run writes: p50 and p95 of each page, in milliseconds.

``python -m integration_assets_tests.benchmarks.pages [--deliveries N] [--rejections N] [--requests N] [--quiet]``

Bar: 50 ms at p95 with 1,000,000 deliveries and 100,000 rejections while a run writes. The server, the run and the
asking browser are processes of their own, on one machine.
"""

import argparse
import multiprocessing
import os
import re
import statistics
import tempfile
import time
from collections.abc import Callable
from datetime import UTC, date, datetime
from pathlib import Path

import httpx
import polars as pl
import sqlalchemy as sa

from integration_assets.cache.deliveries import Outcome
from integration_assets.cache.engine import cache_engine, embedded_server_url, migrate
from integration_assets.cache.rejections import FOUND
from integration_assets.cache.store import Cache
from integration_assets.settings import Settings
from integration_assets.web.serving import server
from integration_assets.web.site import Site
from integration_assets_tests.web.conftest import free_port

SECRET = "a secret of the benchmark"
BAR_MS = 50.0
AREAS = 40
FAILED_SHARE = 0.02
WRITTEN_AT_ONCE = 2000
TODAY = date(2026, 3, 2)
FORKS = multiprocessing.get_context("spawn")

_FILL = {
    "deliveries": """
    INSERT INTO delivery (system, entity, object_id, business_key, areas, desired, desired_fingerprint, desired_at,
      delivered, delivered_fingerprint, delivered_at, state, attempts, next_attempt_at, error_code, error_text)
    SELECT CASE n % 2 WHEN 0 THEN 'lora' ELSE 'crm' END,
      (ARRAY['customer_relations', 'customer_roles', 'agreements', 'installations', 'accounts'])[1 + n % 5],
      md5(n::text)::uuid::text, (200000 + n / 5)::text, ARRAY[(5000 + n % :areas)::text],
      convert_to(jsonb_build_object('customer_number', n, 'name', 'Varme, Vestergade ' || n % 300)::text, 'UTF8'), n,
      now() - make_interval(mins => n % 500000),
      CASE WHEN n % 50 > 0 THEN convert_to(jsonb_build_object('name', 'Varme')::text, 'UTF8') END,
      CASE WHEN n % 50 > 0 THEN n END, now(),
      CASE n % 50 WHEN 0 THEN (ARRAY['failed', 'refused'])[1 + n / 50 % 2] ELSE 'delivered' END, n % 4,
      CASE n % 50 WHEN 0 THEN now() END,
      CASE n % 50 WHEN 0 THEN (ARRAY['429', '503', '0x80048544'])[1 + n / 50 % 3] END,
      CASE n % 50 WHEN 0 THEN 'The system said no.' END
    FROM generate_series(1, :rows) AS n
    """,
    "rejections": """
    INSERT INTO rejection (asset, supply_area, record_key, reason, text, customer_number, attempts, next_attempt_on,
      first_on)
    SELECT 'resolved/customers', (5000 + n % :areas)::text, (200000 + n)::text,
      (ARRAY['completion_no_match', 'completion_ambiguous', 'no_id_number', 'person_not_in_register'])[1 + n % 4],
      'Nobody at the known addresses has this name and date of birth; asked again later.', (200000 + n)::text, 3,
      DATE '2026-03-02' + n % 30, DATE '2026-03-01' - n % 400
    FROM generate_series(1, :rows) AS n
    """,
    "customers": """
    INSERT INTO kmd_ee_customers (customer_number, supply_area, name, consumption_place_id, fingerprint, first_seen_at,
      changed_at)
    SELECT (200000 + n)::text, (5000 + n % :areas)::text, 'Navn ' || n, n, n, now(), now()
    FROM generate_series(1, :rows / 5) AS n
    """,
    "meters": """
    INSERT INTO kmd_ee_installations (meter_period, supply_area, installation_number, consumption_place_id,
      meter_number, meter_from, fingerprint, first_seen_at, changed_at)
    SELECT (5000000 + n) || '|M' || n || '|2010-01-01', (5000 + n % :areas)::text, (5000000 + n)::text, n, 'M' || n,
      DATE '2010-01-01', n, now(), now() FROM generate_series(1, :rows / 5) AS n
    """,
    "journal": """
    INSERT INTO journal (run_id, step, areas, counts, started_at, ended_at)
    SELECT 'run ' || day || '-' || run, (ARRAY['lora', 'crm', 'resolved', 'cache'])[1 + step % 4] || '/step' || step,
      ARRAY['5000'], jsonb_build_object('created', 3, 'updated', 2, 'failed', 1, 'rejected', 4),
      now() - make_interval(days => day, mins => run * 40 + 1), now() - make_interval(days => day, mins => run * 40)
    FROM generate_series(0, 89) AS day, generate_series(0, 29) AS run, generate_series(0, 29) AS step
    """,
    "interactions": """
    INSERT INTO interactions_erpcrm (folder, crm_project, created_at, refreshed_at, stale_at, period_minutes,
      frequency_min, alert_delay_min, last_sync_at, state, syncs_today, installations_today_not_ok,
      installations_not_ok, notifications_not_ok, runs_with_rejections, documents_not_ok, severity, open_alarms,
      consecutive_failures, entities)
    SELECT 'folder ' || n, 'CRM', now(), now(), now() + interval '1 hour', 10, 30, 45, now(), 'Normal', 1, 2, 3, 4, 5,
      6, 'ok', 0, 0, '{}' FROM generate_series(1, 4) AS n
    """,
}


def fill(engine: sa.Engine, deliveries: int, rejections: int) -> None:
    """Rows as runs leave them, without running anything."""
    with engine.begin() as connection:
        for what, statement in _FILL.items():
            rows = rejections if what == "rejections" else deliveries
            given = {"rows": rows, "areas": AREAS}
            parameters = {name: value for name, value in given.items() if f":{name}" in statement}
            connection.execute(sa.text(statement), parameters)
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(sa.text("VACUUM ANALYZE"))


def write_on(url: str, folder: str, stop: "multiprocessing.Event", done: "multiprocessing.Value") -> None:  # type: ignore[valid-type]
    """What a run does to the tables that pages read, over and over: desires, deliveries, rejections."""
    cache = Cache(cache_engine(url, Path(folder)), SECRET)
    turn = 0
    while not stop.is_set():
        turn += 1
        area = str(5000 + turn % AREAS)
        keys = [f"{turn}-{number}" for number in range(WRITTEN_AT_ONCE)]
        frame = pl.DataFrame({"object_id": keys, "business_key": keys, "supply_area": area, "value": turn})
        cache.deliveries.desire("crm", "written", frame)
        with cache.deliveries.claim("crm", "written", WRITTEN_AT_ONCE, datetime.now(UTC)) as claim:
            claim.record([Outcome(row.object_id, ok=True) for row in claim.rows])
        found = pl.DataFrame(
            {"record_key": keys[:500], "reason": "written", "text": "t", "customer_number": None, "supply_area": area},
            schema=FOUND,
        )
        cache.rejections.replace("benchmark/written", [area], found, TODAY)
        with done.get_lock():
            done.value += WRITTEN_AT_ONCE + 500


def serve(url: str, folder: str, port: int) -> None:
    """The pages, in a process of their own."""
    settings = Settings(data_dir=Path(folder), cipher_key=SECRET, web_port=port)
    server(Site(settings, Cache(cache_engine(url, Path(folder)), SECRET), lambda: TODAY)).run()


def measured(ask: Callable[[], httpx.Response], requests: int) -> tuple[float, float]:
    """p50 and p95 of a request, in milliseconds."""
    times: list[float] = []
    for _ in range(requests):
        begin = time.perf_counter()
        answer = ask()
        times.append((time.perf_counter() - begin) * 1000)
        assert answer.status_code == 200, (answer.status_code, answer.request.url)
    return statistics.median(times), statistics.quantiles(times, n=20)[-1]


def pages_of(browser: httpx.Client) -> dict[str, str]:
    """The addresses that are asked for, by what they are."""
    address = "/worklist"
    for _ in range(20):
        found = re.search(r'href="(/worklist\?[^"]*after=[^"]*)" rel="next"', browser.get(address).text)
        assert found is not None
        address = found[1].replace("&amp;", "&")
    return {
        "overview": "/",
        "widget": "/widget",
        "worklist, first page": "/worklist",
        "worklist, newest first": "/worklist?order=newest",
        "worklist, 20th page": address,
        "worklist, one reason": "/worklist?kind=rejection&reason=no_id_number",
        "worklist, one error": "/worklist?kind=delivery&reason=503",
        "worklist, area and age": "/worklist?area=5017&older=30",
        "worklist, a number": "/worklist?number=234567",
        "worklist, unknown number": "/worklist?number=%25",
        "item": "/worklist/rejection/5000",
        "customer": "/customers/234567",
        "installation": "/installations/5034567",
        "trends, 30 days": "/trends",
        "trends, 90 days": "/trends?days=90",
    }


def main() -> None:
    """Fills, serves, asks and tells."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--deliveries", type=int, default=1_000_000)
    parser.add_argument("--rejections", type=int, default=100_000)
    parser.add_argument("--requests", type=int, default=100)
    parser.add_argument("--quiet", action="store_true", help="without a run that writes")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="pages-") as folder:
        url = embedded_server_url(Path(folder), "cache")
        engine = cache_engine(url, Path(folder))
        migrate(engine)
        begin = time.monotonic()
        fill(engine, given.deliveries, given.rejections)
        print(f"{given.deliveries:,} deliveries, {given.rejections:,} rejections in {time.monotonic() - begin:.0f} s")
        port, stop, done = free_port(), FORKS.Event(), FORKS.Value("q", 0)
        children = [FORKS.Process(target=serve, args=(url, folder, port), daemon=True)]
        if not given.quiet:
            children.append(FORKS.Process(target=write_on, args=(url, folder, stop, done), daemon=True))
        for child in children:
            child.start()
        try:
            ask_all(port, given.requests)
        finally:
            stop.set()
            children[0].terminate()
            for child in children:
                child.join(30)
        print(f"written meanwhile: {done.value:,} rows; load {os.getloadavg()[0]:.1f}")
        engine.dispose()


def ask_all(port: int, requests: int) -> None:
    """Asks for every page and prints its times."""
    with httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=60, headers={"accept-language": "en"}) as browser:
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline:
            try:
                browser.get("/health")
                break
            except httpx.ConnectError:
                time.sleep(0.2)
        pages = pages_of(browser)
        worst = 0.0
        for name, address in pages.items():
            browser.get(address)
            p50, p95 = measured(lambda address=address: browser.get(address), requests)
            worst = max(worst, p95)
            print(f"{name:<28} p50 {p50:6.1f} ms   p95 {p95:6.1f} ms")
        begin = time.perf_counter()
        with browser.stream("GET", "/worklist.csv") as answer:
            lines = answer.iter_lines()
            next(lines)
            first = (time.perf_counter() - begin) * 1000
            number = sum(1 for _ in lines)
        print(f"{'export':<28} first line after {first:.1f} ms, {number:,} in {time.perf_counter() - begin:.1f} s")
        print(f"largest p95 {worst:.1f} ms (bar {BAR_MS:.0f})")


if __name__ == "__main__":
    main()
