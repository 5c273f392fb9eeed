"""A small outside world of a test module: a sandbox with a town, and the definitions that look at it."""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import dagster as dg
import sqlalchemy as sa

from integration_assets.cache.server import embedded_server
from integration_assets.definitions import build_definitions
from integration_assets.partitions import SUPPLY_AREAS
from integration_assets.sandbox.background import RunningSandbox, start_in_background
from integration_assets.sandbox.systems import SandboxOptions
from integration_assets.settings import Settings

QUIET = {"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}}
CUSTOMERS = 40
AREAS = ["2", "4", "5"]
"""The town's supply areas by the first digit of the postal code."""


@dataclass
class World:
    """A town on its first day, three supply areas, and an instance without history."""

    sandbox: RunningSandbox
    settings: Settings
    instance: dg.DagsterInstance

    @property
    def definitions(self) -> dg.Definitions:
        """The project's definitions over this world."""
        return build_definitions(self.settings)

    def on(self, business_day: str) -> "World":
        """The same world on another day."""
        return World(self.sandbox, self.settings.model_copy(update={"business_day": business_day}), self.instance)

    def tick(self, sensor: str, cursor: str | None = None) -> Any:
        """What one evaluation of the sensor asks for; registers the partitions that it wants."""
        definitions = self.definitions
        with dg.build_sensor_context(
            instance=self.instance, cursor=cursor, resources=definitions.resources, definitions=definitions
        ) as context:
            result = definitions.resolve_sensor_def(sensor).evaluate_tick(context)
        for request in result.dynamic_partitions_requests or []:
            self.instance.add_dynamic_partitions(request.partitions_def_name, list(request.partition_keys))
        return result

    def run(self, request: dg.RunRequest) -> dg.ExecuteInProcessResult:
        """Carries out a run request."""
        job = self.definitions.resolve_job_def(str(request.job_name))
        return job.execute_in_process(
            instance=self.instance, run_config=QUIET, tags=dict(request.tags), raise_on_error=False
        )

    def note_run(self, request: dg.RunRequest, status: dg.DagsterRunStatus) -> dg.DagsterRun:
        """Writes a run of this request into the history, without carrying it out."""
        run = dg.DagsterRun(job_name=str(request.job_name), status=status, tags=dict(request.tags))
        return self.instance.add_run(run)

    def registered(self) -> list[str]:
        """The supply areas that are registered."""
        return list(self.instance.get_dynamic_partitions(str(SUPPLY_AREAS.name)))

    def kmd_ee(self, statement: str, **values: object) -> None:
        """Changes the billing system."""
        engine = sa.create_engine(self.settings.need("kmd_ee_url"))
        with engine.begin() as connection:
            assert connection.execute(sa.text(statement), values).rowcount
        engine.dispose()


@contextmanager
def small_world() -> Iterator[World]:
    """A world with a town of its own, gone afterwards."""
    with tempfile.TemporaryDirectory(prefix="integration-world-", ignore_cleanup_errors=True) as folder:
        sandbox = start_in_background(SandboxOptions(data_dir=Path(folder), customers=CUSTOMERS))
        try:
            town = sandbox.post("/town", {"customers": CUSTOMERS, "seed": 1})
            settings = Settings(
                **{**sandbox.settings, "supply_area_digits": 1, "business_day": town["base_day"]}  # pyright: ignore[reportArgumentType]
            )
            with dg.DagsterInstance.ephemeral() as instance:
                yield World(sandbox, settings, instance)
        finally:
            sandbox.stop()
            embedded_server(Path(folder)).close()
