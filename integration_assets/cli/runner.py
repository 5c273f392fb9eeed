"""Evaluates the production sensors and schedules in this process and carries out the runs they ask for."""

import os
import time
import warnings
from collections.abc import Sequence
from pathlib import Path

import dagster as dg
from rich.console import Console

from integration_assets.automation.jobs import main_flow
from integration_assets.definitions import build_definitions
from integration_assets.settings import Settings

QUIET = {"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}}
ROUNDS = 40
TRIES_PER_RUN = 8


class RunFailed(RuntimeError):
    """A run failed again and again; the message says which and why."""


class DayRunner:
    """Runs one business day. `cursors` holds each sensor's cursor and is updated only after its runs succeeded."""

    def __init__(self, settings: Settings, cursors: dict[str, str], console: Console) -> None:
        warnings.filterwarnings("ignore", module="dagster")
        self.settings = settings
        self._cursors = cursors
        self._console = console
        self._definitions = build_definitions(settings)
        self._instance = _instance(settings.data_dir)

    def until_quiet(self) -> list[str]:
        """Ticks the sensors until none asks for anything more; returns the run ids."""
        run_ids = self._tick("new_address_register") + self._tick("source_changes")
        for _ in range(ROUNDS):
            due = self._tick("due_again")
            if not due and not self._waiting():
                return run_ids
            run_ids += due
            if not due:
                time.sleep(0.2)
        raise RunFailed(f"Deliveries are still due after {ROUNDS} rounds; the next run tries them again.")

    def nightly(self) -> list[str]:
        """Carries out what the nightly schedule asks for; returns the run ids."""
        schedule = self._definitions.resolve_schedule_def("nightly")
        as_of = self.settings.business_day or ""
        from datetime import datetime

        moment = datetime.fromisoformat(f"{as_of}T03:30:00+01:00")
        context = dg.build_schedule_context(instance=self._instance, scheduled_execution_time=moment)
        return self._carry_out(schedule.evaluate_tick(context).run_requests or [])

    def _tick(self, name: str) -> list[str]:
        sensor = self._definitions.resolve_sensor_def(name)
        with dg.build_sensor_context(
            instance=self._instance,
            cursor=self._cursors.get(name),
            resources=self._definitions.resources,
            definitions=self._definitions,
        ) as context:
            result = sensor.evaluate_tick(context)
        for request in result.dynamic_partitions_requests or []:
            if isinstance(request, dg.AddDynamicPartitionsRequest):
                self._instance.add_dynamic_partitions(request.partitions_def_name, list(request.partition_keys))
        run_ids = self._carry_out(result.run_requests or [])
        if result.cursor is not None:
            self._cursors[name] = result.cursor
        return run_ids

    def _carry_out(self, requests: Sequence[dg.RunRequest]) -> list[str]:
        run_ids: list[str] = []
        for request in requests:
            job = self._definitions.resolve_job_def(request.job_name or main_flow.name)
            for attempt in range(1, TRIES_PER_RUN + 1):
                result = job.execute_in_process(
                    instance=self._instance,
                    run_config=QUIET,
                    tags=dict(request.tags),
                    partition_key=request.partition_key,
                    raise_on_error=False,
                )
                run_ids.append(result.run_id)
                if result.success:
                    break
                reasons = _reasons(result)
                self._console.print(f"run {attempt} of {job.name} failed: {reasons}", highlight=False)
                if attempt == TRIES_PER_RUN:
                    raise RunFailed(f"{job.name} failed {attempt} times: {reasons}")
                time.sleep(0.2 * attempt)
        return run_ids

    def _waiting(self) -> bool:
        """Whether deliveries wait for a moment that has not come yet (soon, not the permanent ones of tomorrow)."""
        from datetime import UTC, datetime, timedelta

        from integration_assets.resources.cache import open_cache

        cache = open_cache(self.settings)
        try:
            return not cache.deliveries.due(datetime.now(UTC) + timedelta(minutes=10)).is_empty()
        finally:
            cache.close()


def _reasons(result: dg.ExecuteInProcessResult) -> str:
    failures = [
        f"{event.step_key}: {_root_cause(event)}" for event in result.all_events if event.is_step_failure
    ]
    return "; ".join(failures) or "no step says why"


def _root_cause(event: dg.DagsterEvent) -> str:
    error = event.step_failure_data.error
    while error is not None and error.cause is not None:
        error = error.cause
    return error.message.strip() if error is not None else "unknown"


def _instance(data_dir: Path) -> dg.DagsterInstance:
    """The instance of this project directory (dagster.yaml), or of the data directory where there is none."""
    home = Path.cwd() if (Path.cwd() / "dagster.yaml").exists() else data_dir
    if home != Path.cwd():
        (home / "dagster.yaml").write_text("telemetry: {enabled: false}\n")
    os.environ["DAGSTER_HOME"] = str(home.resolve())
    return dg.DagsterInstance.get()
