"""A sandbox town in a process of its own, and the main flow run over it: for tests that compare before and after."""

import dagster as dg

from integration_assets.automation.jobs import address_register, main_flow
from integration_assets.definitions import build_definitions
from integration_assets.partitions import ALL_MUNICIPALITIES, SUPPLY_AREAS, range_tags
from integration_assets.resources.business_day import AS_OF_TAG
from integration_assets.settings import Settings

QUIET = {"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}}


class Runs:
    """Runs the product's jobs in this process, one run over all of the given supply areas at a time."""

    def __init__(self, areas: list[str]) -> None:
        self._areas = areas
        self._instance = dg.DagsterInstance.ephemeral()
        self._instance.add_dynamic_partitions(str(SUPPLY_AREAS.name), areas)

    def load_addresses(self, settings: Settings) -> None:
        """Loads the address register."""
        self._run(settings, address_register.name, ALL_MUNICIPALITIES)

    def main_flow(self, settings: Settings) -> str:
        """Runs the main flow for the settings' business day; returns the run id."""
        return self._run(settings, main_flow.name, range_tags(self._areas[0], self._areas[-1]))

    def _run(self, settings: Settings, job_name: str, tags: dict[str, str]) -> str:
        job = build_definitions(settings).resolve_job_def(job_name)
        tags = {**tags, AS_OF_TAG: str(settings.business_day)}
        return job.execute_in_process(instance=self._instance, run_config=QUIET, tags=tags).run_id
