"""The daily job: what is over leaves cache and history, and no partition loses its newest run."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import dagster as dg
import pytest

from integration_assets.automation.retention import delete_old_runs, retention, retention_daily
from integration_assets.partitions import PARTITION, SUPPLY_AREAS, range_tags
from integration_assets.resources.business_day import BusinessDay
from integration_assets.resources.cache import CacheResource, open_cache
from integration_assets.settings import Settings


@dg.op
def _work(context: dg.OpExecutionContext) -> None:
    """Leaves captured output behind."""
    print("working on", context.run.tags.get(PARTITION))  # noqa: T201 - captured


@dg.job
def nightly_work() -> None:
    _work()


@pytest.fixture
def instance(tmp_path: Path) -> Iterator[dg.DagsterInstance]:
    """An instance with files that knows three supply areas."""
    with dg.DagsterInstance.local_temp(str(tmp_path)) as made:
        made.add_dynamic_partitions(str(SUPPLY_AREAS.name), ["2", "4", "5"])
        yield made


def run(instance: dg.DagsterInstance, **tags: str) -> str:
    return nightly_work.execute_in_process(instance=instance, tags=tags).run_id


def test_the_newest_run_of_each_partition_stays(instance: dg.DagsterInstance, tmp_path: Path) -> None:
    replaced = run(instance, **{PARTITION: "4"})
    newest_of_5 = run(instance, **{PARTITION: "5"})
    a_range = run(instance, **range_tags("2", "4"))
    logs = tmp_path / "storage" / replaced
    assert logs.exists()
    assert delete_old_runs(instance, datetime.now(UTC) - timedelta(days=1)) == [], "too young"
    assert delete_old_runs(instance, datetime.now(UTC) + timedelta(days=1)) == [replaced]
    assert {each.run_id for each in instance.get_runs()} == {newest_of_5, a_range}
    assert instance.all_logs(replaced) == []
    assert not logs.exists()
    assert instance.all_logs(a_range)


@dg.asset(name="by_hand")
def made_by_hand() -> int:
    return 1


@dg.asset(name="other")
def made_with_others() -> int:
    return 2


def test_the_newest_run_of_an_asset_that_was_made_by_hand_stays(instance: dg.DagsterInstance) -> None:
    """As the web server starts runs of chosen assets: one job for all of them, and the choice on the run."""
    definitions = dg.Definitions(assets=[made_by_hand, made_with_others])
    job = definitions.resolve_implicit_global_asset_job_def()

    def make(*names: str) -> str:
        chosen = [dg.AssetKey(name) for name in names]
        return job.execute_in_process(instance=instance, asset_selection=chosen).run_id

    replaced = make("by_hand")
    newest = make("by_hand")
    newest_of_other = make("other")
    assert delete_old_runs(instance, datetime.now(UTC) + timedelta(days=1)) == [replaced]
    assert {each.run_id for each in instance.get_runs()} == {newest, newest_of_other}
    materialized = instance.get_latest_materialization_event(dg.AssetKey("by_hand"))
    assert materialized is not None
    assert materialized.run_id == newest


def test_the_job_journals_its_counts(instance: dg.DagsterInstance, cache_url: str, tmp_path: Path) -> None:
    settings = Settings(
        cache_url=cache_url,  # pyright: ignore[reportArgumentType]
        data_dir=tmp_path,
        cipher_key="a secret of the tests",  # pyright: ignore[reportArgumentType]
        identity_key="a key for these tests only",  # pyright: ignore[reportArgumentType]
    )
    resources = {"cache": CacheResource(settings=settings), "business_day": BusinessDay(fixed="2026-11-21")}
    result = retention.execute_in_process(instance=instance, resources=resources)
    assert result.success
    cache = open_cache(settings)
    (entry,) = cache.journal.entries(step="retention").to_dicts()
    cache.close()
    assert entry["run_id"] == result.run_id
    assert '"runs_of_history": 0' in entry["counts"]


def test_it_runs_every_day_after_the_nightly_run() -> None:
    assert retention_daily.cron_schedule == "0 6 * * *"
    assert retention_daily.execution_timezone == "Europe/Copenhagen"
    assert retention_daily.job.name == "retention"
