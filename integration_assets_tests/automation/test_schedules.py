"""What runs by the clock."""

from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import dagster as dg
import pytest

from integration_assets.automation.schedules import nightly
from integration_assets.partitions import RANGE_END, RANGE_START, SUPPLY_AREAS
from integration_assets.resources.business_day import AS_OF_TAG


@pytest.fixture
def instance(tmp_path: Path) -> Iterator[dg.DagsterInstance]:
    """An instance with files: a schedule's context takes no other."""
    with dg.DagsterInstance.local_temp(str(tmp_path)) as made:
        yield made


def _requests(instance: dg.DagsterInstance, moment: datetime) -> list[dg.RunRequest]:
    context = dg.build_schedule_context(instance=instance, scheduled_execution_time=moment)
    return list(nightly.evaluate_tick(context).run_requests or [])


def test_without_areas_the_night_is_quiet(instance: dg.DagsterInstance) -> None:
    assert _requests(instance, datetime(2026, 3, 7, 3, 30, tzinfo=ZoneInfo("Europe/Copenhagen"))) == []


def test_the_night_takes_all_areas_as_one(instance: dg.DagsterInstance) -> None:
    instance.add_dynamic_partitions(str(SUPPLY_AREAS.name), ["5000", "2791", "4130"])
    (request,) = _requests(instance, datetime(2026, 3, 7, 2, 30, tzinfo=ZoneInfo("UTC")))
    assert (request.tags[RANGE_START], request.tags[RANGE_END]) == ("5000", "4130"), "in the order of registration"
    assert request.tags[AS_OF_TAG] == "2026-03-07"


def test_the_business_day_is_that_of_copenhagen(instance: dg.DagsterInstance) -> None:
    instance.add_dynamic_partitions(str(SUPPLY_AREAS.name), ["5000"])
    (request,) = _requests(instance, datetime(2026, 6, 30, 22, 30, tzinfo=ZoneInfo("UTC")))
    assert request.tags[AS_OF_TAG] == "2026-07-01"
