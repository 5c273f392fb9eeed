"""What a refresh costs beside a million deliveries, a hundred thousand rejections and a year of journal."""

import time
from datetime import UTC, datetime

import pytest
import sqlalchemy as sa

from integration_assets.cache.store import Cache
from integration_assets.domain.supervision.datasets import STANDARD_CLASSES
from integration_assets.domain.supervision.folders import Folder
from integration_assets.flows.supervision import Means, refresh

NOW = datetime(2026, 3, 10, 10, tzinfo=UTC)
DELIVERIES, NOT_DELIVERED, REJECTIONS, RUNS = 1_000_000, 20_000, 100_000, 4_000
MOST_SECONDS = 2.0
"""Far above what it takes on a quiet machine (see the README), far below a table scan on a loaded one."""

FILL = [
    f"""
    INSERT INTO delivery (system, entity, object_id, business_key, areas, desired, desired_fingerprint, desired_at,
      delivered, delivered_fingerprint, delivered_at, state)
    SELECT (ARRAY['lora', 'crm'])[1 + n % 2], (ARRAY['installations', 'agreements', 'customers'])[1 + n % 3],
      n::text, n::text, ARRAY[(2000 + n % 40)::text], decode(repeat('ab', 200), 'hex'), n,
      timestamptz '2026-03-10 06:00+00' - n * interval '10 seconds', decode(repeat('ab', 200), 'hex'),
      CASE WHEN n % {DELIVERIES // NOT_DELIVERED} > 0 THEN n END, now(),
      CASE WHEN n % {DELIVERIES // NOT_DELIVERED} > 0 THEN 'delivered' ELSE 'failed' END
    FROM generate_series(1, {DELIVERIES}) AS n
    """,
    f"""
    INSERT INTO rejection (asset, supply_area, record_key, reason, text, attempts, next_attempt_on, first_on, closed_on)
    SELECT (ARRAY['kmd_ee/installations', 'resolved/customers', 'notifications/notices'])[1 + n % 3],
      (2000 + n % 40)::text, n::text, 'reason',
      'A sentence for the operator.', 1, date '2026-03-11', date '2026-03-10' - n % 400,
      CASE WHEN n / 40 % 2 = 0 THEN date '2026-03-09' END
    FROM generate_series(1, {2 * REJECTIONS}) AS n
    """,
    f"""
    INSERT INTO journal (run_id, step, areas, counts, started_at, ended_at)
    SELECT 'run ' || n, step, (SELECT array_agg(a::text) FROM generate_series(2000, 2039) AS a),
      '{{"rejected": 3, "rows": 1000, "records": 1000}}', at, at
    FROM generate_series(1, {RUNS}) AS n,
      LATERAL (SELECT timestamptz '2026-03-10 09:50+00' - n * interval '2 hours') AS t (at),
      LATERAL (SELECT 'step ' || s FROM generate_series(1, 25) AS s UNION ALL SELECT 'run_completed') AS steps (step)
    """,
    "ANALYZE",
]


@pytest.mark.slow
@pytest.mark.parametrize("areas", [(), ("2010", "2020")], ids=["all areas", "two areas"])
def test_a_refresh_beside_a_million_deliveries(cache: sa.Engine, areas: tuple[str, ...]) -> None:
    with cache.begin() as connection:
        for statement in FILL:
            connection.execute(sa.text(statement))
    means = Means(Cache(cache, "tests"), STANDARD_CLASSES, [], None, "crm")
    folder, taken = Folder(areas=areas), []
    for _ in range(3):
        began = time.perf_counter()
        row = refresh(means, folder, NOW, mail=False).row
        taken.append(time.perf_counter() - began)
    print(f"refresh with {len(areas) or 'all'} areas: {' '.join(f'{one:.3f}' for one in taken)} s")
    chosen = {10, 20} if areas else set(range(40))
    failed = range(0, DELIVERIES + 1, DELIVERIES // NOT_DELIVERED)[1:]
    expected = sum(n % 3 == 0 and n % 40 in chosen for n in failed)
    expected += sum(n % 3 == 0 and n // 40 % 2 == 1 and n % 40 in chosen for n in range(1, 2 * REJECTIONS + 1))
    assert row.installations_not_ok == expected
    assert min(taken) < MOST_SECONDS
