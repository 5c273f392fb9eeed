"""Evaluates the production sensors and schedules in this process and carries out the runs they ask for.

Belongs here: what the daemon does in production (ticks, cursors, runs, trying again), without a daemon. Promises: a
cursor moves on only after the runs it stands for succeeded, so that a killed process loses nothing.
"""

import time
import warnings
from collections.abc import Callable, Sequence
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import dagster as dg
from rich.console import Console

from integration_assets.automation.accounts import update_requests
from integration_assets.automation.jobs import main_flow
from integration_assets.automation.runs import UNFINISHED
from integration_assets.automation.sensors import known_areas
from integration_assets.cli.instance import opened, use_instance
from integration_assets.definitions import build_definitions
from integration_assets.resources.business_day import COPENHAGEN
from integration_assets.resources.cache import open_cache
from integration_assets.settings import Settings

if TYPE_CHECKING:
    from dagster._core.definitions.sensor_definition import SensorExecutionData

QUIET = {"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}}
NIGHTLY = ("registers_nightly", "nightly", "relations_nightly")
"""The schedules of a night, in their order."""
TRIES = 8
FIRST_PAUSE_SECONDS = 0.2
PATIENCE_SECONDS = 900.0
"""How long a day may go on trying again what failed."""
SOON = timedelta(minutes=10)
PLAYED = {"integration/played": "true"}
"""Tag of the runs that a command carried out itself; no daemon looks after them."""

_Answer = TypeVar("_Answer")


class RunFailed(RuntimeError):
    """A run or a tick failed again and again; the message says which and why."""


class DayRunner:
    """Runs one business day in a Dagster instance. `cursors` holds each sensor's cursor.

    When `asked_to_end` says so, the methods raise KeyboardInterrupt at the next occasion. Dagster takes the signals of
    a process for itself while a run is under way, and ends only the run.
    """

    def __init__(
        self,
        settings: Settings,
        cursors: dict[str, str],
        console: Console,
        instance: dg.DagsterInstance,
        asked_to_end: Callable[[], bool] = lambda: False,
    ) -> None:
        warnings.filterwarnings("ignore", module="dagster")
        self.settings = settings
        self._cursors = cursors
        self._console = console
        self._definitions = build_definitions(settings)
        self._instance = instance
        self._asked_to_end = asked_to_end

    def until_quiet(self) -> list[str]:
        """Ticks the sensors until none asks for anything more; returns the run ids. Raises RunFailed."""
        run_ids = self._settle("new_address_register")
        try:
            run_ids += self.scheduled("registers_nightly")
        except RunFailed as failure:  # in production, too, the main flow does not wait for the registers
            self._console.print(str(failure), highlight=False)
        run_ids += self._settle("source_changes") + self._settle("registry_corrected")
        deadline = time.monotonic() + PATIENCE_SECONDS
        while time.monotonic() < deadline:
            self._end_if_asked()
            due = self._settle("due_again")
            run_ids += due
            if not due and not self._waiting():
                return run_ids + self._accounts() + self.scheduled("relations_nightly")
            time.sleep(0 if due else FIRST_PAUSE_SECONDS)
        raise RunFailed("Deliveries are due again and again; the next run tries them once more.")

    def nightly(self) -> list[str]:
        """Carries out what runs every night, changes or not; returns the run ids. Raises RunFailed."""
        return [run for name in NIGHTLY for run in self.scheduled(name)]

    def scheduled(self, name: str) -> list[str]:
        """Carries out what a nightly schedule asks for; returns the run ids. Raises RunFailed."""
        schedule = self._definitions.resolve_schedule_def(name)
        moment = datetime.fromisoformat(f"{self.settings.business_day}T03:30:00").replace(tzinfo=COPENHAGEN)
        context = dg.build_schedule_context(instance=self._instance, scheduled_execution_time=moment)
        return self.carry_out(schedule.evaluate_tick(context).run_requests or [])

    def _accounts(self) -> list[str]:
        """Marks installation accounts and updates those that no run of the day has updated; returns the run ids."""
        run_ids = self.scheduled("accounts_marked_daily")
        cache = open_cache(self.settings)
        try:
            marked = cache.accounts.areas_to_update()
        finally:
            cache.close()
        as_of = date.fromisoformat(str(self.settings.business_day))
        return run_ids + self.carry_out(update_requests(marked, known_areas(self._instance), as_of, as_of.isoformat()))

    def carry_out(self, requests: Sequence[dg.RunRequest]) -> list[str]:
        """Carries the runs out one after the other, each until it succeeds; returns the run ids. Raises RunFailed."""
        run_ids: list[str] = []
        for request in requests:
            job = self._definitions.resolve_job_def(request.job_name or main_flow.name)

            def run(job: dg.JobDefinition = job, request: dg.RunRequest = request) -> None:
                result = job.execute_in_process(
                    instance=self._instance,
                    run_config=QUIET,
                    tags={**request.tags, **PLAYED},
                    partition_key=request.partition_key,
                    raise_on_error=False,
                )
                run_ids.append(result.run_id)
                self._end_if_asked()
                if not result.success:
                    raise RunFailed(_reasons(result))

            self._again_and_again(f"run of {job.name}", run)
        return run_ids

    def _settle(self, name: str) -> list[str]:
        """Ticks a sensor until it asks for nothing, so that its cursor knows that its runs succeeded."""
        run_ids: list[str] = []
        for _ in range(TRIES):
            result = self._again_and_again(f"sensor {name}", lambda: self._evaluated(name))
            for request in result.dynamic_partitions_requests or []:
                if isinstance(request, dg.AddDynamicPartitionsRequest):
                    self._instance.add_dynamic_partitions(request.partitions_def_name, list(request.partition_keys))
            ended = self.carry_out(result.run_requests or [])
            run_ids += ended
            if result.cursor is not None:
                self._cursors[name] = result.cursor
            if not ended:
                break
        return run_ids

    def _evaluated(self, name: str) -> "SensorExecutionData":
        sensor = self._definitions.resolve_sensor_def(name)
        with dg.build_sensor_context(
            instance=self._instance,
            cursor=self._cursors.get(name),
            resources=self._definitions.resources,
            definitions=self._definitions,
        ) as context:
            return sensor.evaluate_tick(context)

    def _again_and_again(self, what: str, act: Callable[[], _Answer]) -> _Answer:
        """Does something that outside systems may spoil, with growing pauses. Raises RunFailed after the last try."""
        for attempt in range(1, TRIES):
            self._end_if_asked()
            try:
                return act()
            except Exception as error:
                self._console.print(f"{what} failed (try {attempt}): {_said(error)}", highlight=False)
                time.sleep(FIRST_PAUSE_SECONDS * attempt)
        try:
            return act()
        except Exception as error:
            raise RunFailed(f"{what} failed {TRIES} times: {_said(error)}") from error

    def _end_if_asked(self) -> None:
        if self._asked_to_end():
            raise KeyboardInterrupt

    def _waiting(self) -> bool:
        """Whether deliveries wait for a moment that comes soon (not for the tomorrow of permanent failures)."""
        cache = open_cache(self.settings)
        try:
            return not cache.deliveries.due(datetime.now(UTC) + SOON).is_empty()
        finally:
            cache.close()


def own_instance(data_dir: Path) -> dg.DagsterInstance:
    """The Dagster instance of a data directory, with the history of earlier commands.

    Runs that a killed command left open are closed as failed: nobody else would, and they hold the sensors back.
    """
    instance = opened(use_instance(data_dir))
    for run in instance.get_runs(dg.RunsFilter(statuses=UNFINISHED, tags=PLAYED)):
        instance.report_run_failed(run, "The command that carried this run out was killed.")
    return instance


def _said(error: Exception) -> str:
    """The first cause of an error, in one line."""
    cause: BaseException = error
    while cause.__cause__ is not None:
        cause = cause.__cause__
    return " ".join(str(cause).split()) or type(cause).__name__


def _reasons(result: dg.ExecuteInProcessResult) -> str:
    failures = [f"{event.step_key}: {_root_cause(event)}" for event in result.all_events if event.is_step_failure]
    return "; ".join(failures) or "no step says why"


def _root_cause(event: dg.DagsterEvent) -> str:
    error = event.step_failure_data.error
    while error is not None and error.cause is not None:
        error = error.cause
    return error.message.strip() if error is not None else "unknown"
