"""Installation accounts by the clock: the marking timer, and the one that looks for marks."""

from collections.abc import Iterator
from datetime import date, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import dagster as dg
import pytest
import sqlalchemy as sa

from integration_assets.automation.accounts import accounts_marked_daily, accounts_updated
from integration_assets.cache.store import Cache
from integration_assets.definitions import build_definitions
from integration_assets.domain.tables import KMD_INSTALLATIONS
from integration_assets.partitions import RANGE_END, RANGE_START, SUPPLY_AREAS
from integration_assets.resources.business_day import AS_OF_TAG
from integration_assets.settings import Settings
from integration_assets_tests.flows.account_street import Street

COPENHAGEN = ZoneInfo("Europe/Copenhagen")
DAY = date(2026, 3, 7)
AREAS = ("4130", "2791", "5000")
QUIET = {"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}}


@pytest.fixture
def instance(tmp_path: Path) -> Iterator[dg.DagsterInstance]:
    """An instance with files: a schedule's context takes no other."""
    with dg.DagsterInstance.local_temp(str(tmp_path)) as made:
        made.add_dynamic_partitions(str(SUPPLY_AREAS.name), list(AREAS))
        yield made


@pytest.fixture
def definitions(cache_url: str, tmp_path: Path) -> dg.Definitions:
    settings = {
        "cache_url": cache_url, "cipher_key": "a secret of the tests", "identity_key": "a key for these tests only",
        "data_dir": tmp_path,
    }  # fmt: skip
    return build_definitions(Settings.model_validate(settings))


@pytest.fixture
def street(cache: sa.Engine) -> Street:
    """Two customers in two areas; the meter of one is changed on the tenth."""
    street = Street(Cache(cache, "a secret of the tests"))
    street.customer("100", "Anna", 1, date(2024, 1, 1), area="2791")
    street.meter("7", 1, date(2024, 1, 1), date(2026, 3, 10), meter="old", area="2791")
    street.meter("7", 1, date(2026, 3, 10), meter="new", area="2791")
    street.customer("200", "Bent", 2, date(2024, 1, 1), area="5000")
    street.meter("8", 2, date(2024, 1, 1), area="5000")
    street.refresh(DAY, *AREAS)
    return street


def asked(
    instance: dg.DagsterInstance, definitions: dg.Definitions, schedule: dg.ScheduleDefinition, moment: datetime
) -> list[dg.RunRequest]:
    with dg.build_schedule_context(
        instance=instance, scheduled_execution_time=moment, resources=definitions.resources
    ) as context:
        return list(schedule.evaluate_tick(context).run_requests or [])


def carried_out(instance: dg.DagsterInstance, definitions: dg.Definitions, request: dg.RunRequest) -> None:
    job = definitions.resolve_job_def(str(request.job_name))
    assert job.execute_in_process(instance=instance, run_config=QUIET, tags=dict(request.tags)).success


def test_marks_are_set_at_midnight_and_taken_off_by_the_next_update(
    street: Street, instance: dg.DagsterInstance, definitions: dg.Definitions
) -> None:
    """The timers were down from the seventh to the seventeenth."""
    assert asked(instance, definitions, accounts_updated, datetime(2026, 3, 8, 12, 15, tzinfo=COPENHAGEN)) == []
    (marking,) = asked(instance, definitions, accounts_marked_daily, datetime(2026, 3, 17, 0, 10, tzinfo=COPENHAGEN))
    assert marking.tags[AS_OF_TAG] == "2026-03-17"
    carried_out(instance, definitions, marking)
    entry = street.store.journal.entries(step="mark_installation_accounts")["counts"].to_list()
    assert entry == ['{"marked_row_begins": 1, "marked_row_ended": 1}']
    (update,) = asked(instance, definitions, accounts_updated, datetime(2026, 3, 17, 0, 15, tzinfo=COPENHAGEN))
    assert (update.tags[RANGE_START], update.tags[RANGE_END]) == ("2791", "2791")
    carried_out(instance, definitions, update)
    assert street.account("Anna", "7")["meter_number"] == "new"
    assert asked(instance, definitions, accounts_updated, datetime(2026, 3, 17, 0, 30, tzinfo=COPENHAGEN)) == []


def test_an_account_that_was_left_as_it_is_does_not_ask_again_and_again(
    street: Street, instance: dg.DagsterInstance, definitions: dg.Definitions
) -> None:
    street.meter("8", 2, date(2026, 1, 1), meter="M2", area="5000")
    street.keep(*AREAS)
    store = street.store
    store.accounts.mark(None, DAY, street.collections)
    (update,) = asked(instance, definitions, accounts_updated, datetime(2026, 3, 7, 6, 0, tzinfo=COPENHAGEN))
    carried_out(instance, definitions, update)
    assert store.rejections.open().select("record_key", "reason").rows() == [("8", "overlapping_meters")]
    assert asked(instance, definitions, accounts_updated, datetime(2026, 3, 7, 6, 15, tzinfo=COPENHAGEN)) == []
    street.remove(KMD_INSTALLATIONS, "8|M2|2026-01-01")
    street.keep(*AREAS)
    store.accounts.mark(None, DAY, street.collections)
    assert len(asked(instance, definitions, accounts_updated, datetime(2026, 3, 7, 6, 30, tzinfo=COPENHAGEN))) == 1
