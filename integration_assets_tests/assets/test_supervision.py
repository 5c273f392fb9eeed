"""Supervision in Dagster: the mark of a run, the state by the clock and by hand, failures; mails that arrive."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import dagster as dg
import pytest

from integration_assets.assets.supervision import COMPLETED_RUN, INTERACTION_STATE
from integration_assets.automation.supervision import failed_runs, succeeded_runs
from integration_assets.cache.store import Cache
from integration_assets.definitions import build_definitions
from integration_assets.domain.supervision.folders import RUN_COMPLETED, RUN_FAILED, Folder
from integration_assets.domain.supervision.windows import Window
from integration_assets.partitions import SUPPLY_AREAS
from integration_assets.resources.cache import open_cache
from integration_assets.sandbox.mail import MailBox, running_mail_server
from integration_assets.settings import Settings

QUIET = {"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}}
MAILING = {**QUIET, "ops": {"supervision__interaction_state": {"config": {"mail": True}}}}
FOLDERS = [
    Folder(name="varme", alert_delay_min=30, frequency_min=15, period_min=10, areas=("8000",)),
    Folder(name="affald", alert_delay_min=60, frequency_min=60, areas=("9000",)),
]


@dataclass
class House:
    """Definitions over a cache and a mail server; runs leave their history in the instance."""

    settings: Settings
    cache: Cache
    box: MailBox
    instance: dg.DagsterInstance

    @property
    def definitions(self) -> dg.Definitions:
        return build_definitions(self.settings)

    def supervise(self, folder: str, config: dict[str, Any]) -> dg.ExecuteInProcessResult:
        job = self.definitions.resolve_job_def("supervise")
        return job.execute_in_process(instance=self.instance, run_config=config, partition_key=folder)

    def completed(self, minutes_ago: float, area: str = "8000") -> None:
        at = datetime.now(UTC) - timedelta(minutes=minutes_ago)
        self.cache.journal.record(f"run {at.isoformat()}", RUN_COMPLETED, [area], {"records": 5}, at, at)


@pytest.fixture
def house(cache_url: str, server_dir: Path) -> Iterator[House]:
    """Nothing has run yet."""
    with running_mail_server() as (box, port), dg.DagsterInstance.ephemeral() as instance:
        settings = Settings(
            data_dir=server_dir,
            cache_url=cache_url,  # pyright: ignore[reportArgumentType]
            cipher_key="a secret of sixteen bytes or more",  # pyright: ignore[reportArgumentType]
            supervision_folders=FOLDERS,
            mail_recipients=["drift@varme.example"],
            mail_sender="integration@varme.example",
            smtp_host="127.0.0.1",
            smtp_port=port,
            smtp_security="none",
        )
        store = open_cache(settings)
        yield House(settings, store, box, instance)
        store.close()


def checks(result: dg.ExecuteInProcessResult) -> dict[str, tuple[bool, str]]:
    found = result.get_asset_check_evaluations()
    return {one.check_name: (one.passed, str(one.metadata["state"].value)) for one in found}


def test_the_mark_of_a_run_adds_its_steps_up(house: House) -> None:
    now, run_id = datetime.now(UTC), "6a2f21a3-8c0f-4c0a-9f2e-3f1d0a5b7c11"
    house.instance.add_dynamic_partitions(str(SUPPLY_AREAS.name), ["8000", "9000"])
    steps = {
        "kmd_ee/customers": {"rows": 100, "rejected": 3},
        "kmd_ee/installations": {"rows": 50, "rejected": 0},
        "resolved/customers": {"rows": 97, "rejected": 4},
        "crm/contacts": {"failed": 2, "desired": 90},
        "lora/customers": {"failed": 1},
    }
    for step, counts in steps.items():
        house.cache.journal.record(run_id, step, ["8000"], counts, now, now)
    house.cache.journal.record("another", "kmd_ee/customers", ["8000"], {"rows": 999}, now, now)
    whole = house.definitions.resolve_implicit_global_asset_job_def()
    result = whole.get_subset(asset_selection={COMPLETED_RUN}).execute_in_process(
        instance=house.instance, run_config=QUIET, partition_key="8000", run_id=run_id
    )
    assert result.success
    entries = house.cache.journal.entries(step=RUN_COMPLETED)
    assert entries["counts"].to_list() == ['{"records": 153, "rejected_records": 7, "undelivered": 3}']
    assert entries["areas"].to_list() == [["8000"]]


def test_the_clock_mails_and_a_hand_does_not(house: House) -> None:
    house.completed(31)
    house.completed(59, area="9000")
    by_hand = house.supervise("varme", QUIET)
    assert checks(by_hand)["varme_is_normal"] == (False, "Alerte > 30")
    assert house.box.mails == []
    by_clock = house.supervise("varme", MAILING)
    (mail,) = house.box.mails
    assert mail.recipients == ("drift@varme.example",)
    assert str(mail.message["Subject"]).startswith("[varme] Alerte > 30: The last synchronisation ended at")
    assert "State of the synchronisation: Alerte > 30" in mail.message.get_content()
    told = by_clock.asset_materializations_for_node("supervision__interaction_state")[0].metadata
    assert (told["state"].value, told["mails"].value, told["open_alarms"].value) == ("Alerte > 30", 1, 1)
    house.supervise("varme", MAILING)
    assert len(house.box.mails) == 1, "not with every run"
    other = house.supervise("affald", MAILING)
    assert checks(other) == {"varme_is_normal": (False, "Alerte > 30"), "affald_is_normal": (True, "Normal")}


def test_a_mail_server_that_is_away_fails_no_run(house: House) -> None:
    house.completed(31)
    house.box.switches.down = True
    assert house.supervise("varme", MAILING).success
    (mail,) = house.cache.mails.latest()
    assert (mail.state, mail.attempts) == ("queued", 1)
    house.box.switches.down = False
    due = house.definitions.resolve_sensor_def("mail_outbox")
    with dg.build_sensor_context(instance=house.instance, resources=house.definitions.resources) as context:
        assert "0 sent" in str(due.evaluate_tick(context).skip_message), "its time has not come"


def test_page_mail_and_dagster_go_by_the_same_thresholds(house: House) -> None:
    specs = {spec.key: spec for spec in house.definitions.resolve_all_asset_specs()}
    mark, state = (specs[key].freshness_policy for key in (COMPLETED_RUN, INTERACTION_STATE))
    assert mark == dg.FreshnessPolicy.time_window(fail_window=timedelta(minutes=30))
    assert state == dg.FreshnessPolicy.time_window(fail_window=timedelta(minutes=20))
    quiet = [Folder(name="stille", alert_delay_min=0, window=Window(weekdays=("mon",), hours=10), period_min=30)]
    others = build_definitions(house.settings.model_copy(update={"supervision_folders": quiet}))
    specs = {spec.key: spec for spec in others.resolve_all_asset_specs()}
    assert specs[COMPLETED_RUN].freshness_policy is None
    assert specs[INTERACTION_STATE].freshness_policy == dg.FreshnessPolicy.time_window(
        fail_window=timedelta(days=7, hours=-10, minutes=60)
    )


def test_each_folder_has_its_schedule(house: House, tmp_path: Path) -> None:
    schedule = house.definitions.resolve_schedule_def("supervise_affald")
    assert schedule.cron_schedule == ["0,20,40 * * * *"]
    assert schedule.execution_timezone == "Europe/Copenhagen"
    with dg.DagsterInstance.local_temp(str(tmp_path)) as instance:
        at = datetime(2026, 3, 10, 8, 20, tzinfo=UTC)
        context = dg.build_schedule_context(
            instance=instance, scheduled_execution_time=at, repository_def=house.definitions.get_repository_def()
        )
        (request,) = schedule.evaluate_tick(context).run_requests or []
    assert request.partition_key == "affald"
    assert request.run_config == {"ops": MAILING["ops"]}


def failing_job(*, fails: bool = True) -> dg.JobDefinition:
    @dg.op
    def reads_a_secret() -> None:
        if fails:
            raise ValueError("Jens Hansen is no customer")

    @dg.job
    def main_flow() -> None:
        reads_a_secret()

    return main_flow


def told_of(house: House, result: dg.ExecuteInProcessResult, tags: dict[str, str] | None = None) -> None:
    """Lets the sensor look at a run, as Dagster's daemon does."""
    run = house.instance.get_run_by_id(result.run_id)
    assert run is not None
    run = run.with_tags({**run.tags, **(tags or {})})
    (event,) = [
        event for event in result.all_events if event.event_type_value in ("PIPELINE_FAILURE", "PIPELINE_SUCCESS")
    ]
    resources = {name: house.definitions.resources[name] for name in ("cache", "mail")}
    context = dg.build_run_status_sensor_context("sensor", event, house.instance, run, resources=resources)
    with context if result.success else context.for_run_failure() as looking:
        (succeeded_runs if result.success else failed_runs)(looking)


def test_a_failed_run_is_told_of_once_and_without_what_it_says(house: House) -> None:
    house.instance.add_dynamic_partitions(str(SUPPLY_AREAS.name), ["8000", "9000"])
    job = failing_job()
    tags = {"dagster/partition": "8000"}
    for _ in range(2):
        result = job.execute_in_process(instance=house.instance, run_config=QUIET, tags=tags, raise_on_error=False)
        told_of(house, result)
    (mail,) = house.cache.mails.latest()
    assert mail.subject == "[main_flow] A run of main_flow failed at reads_a_secret."
    assert "Hansen" not in mail.subject + mail.body
    assert house.cache.journal.entries(step=RUN_FAILED)["areas"].to_list() == [["8000"], ["8000"]]
    assert [alarm.subject for alarm in house.cache.alarms.open()] == ["main_flow"]
    told_of(house, failing_job(fails=False).execute_in_process(instance=house.instance, run_config=QUIET))
    assert house.cache.alarms.open() == []


def test_a_run_that_dagster_starts_again_is_not_told_of(house: House) -> None:
    result = failing_job().execute_in_process(instance=house.instance, run_config=QUIET, raise_on_error=False)
    told_of(house, result, {"dagster/will_retry": "true"})
    assert house.cache.alarms.open() == []
    told_of(house, result)
    assert len(house.cache.alarms.open()) == 1
