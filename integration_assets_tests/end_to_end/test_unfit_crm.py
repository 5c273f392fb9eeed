"""A CRM that cannot take our rows: the run says why and writes nothing there; put right, the next run delivers."""

import dagster as dg
import httpx
import pytest

from integration_assets.automation.sensors import range_requests
from integration_assets.definitions import build_definitions
from integration_assets.partitions import SUPPLY_AREAS
from integration_assets_tests.end_to_end.conftest import NewWorld
from integration_assets_tests.end_to_end.world import AREAS, Json, World, shown, writes

FAULTS = {
    "ava_installation": {"columns": {"ava_maalernummer": None}},
    "contact": {"columns": {"firstname": {"max_length": 50}}},
}


@pytest.mark.slow
def test_nothing_is_written_before_the_crm_is_put_right(new_world: NewWorld) -> None:
    world = new_world()
    world.build(20, seed=5)
    world.load_addresses()
    _administer(world, FAULTS)
    try:
        mark = world.mark()
        errors = _run(world)
        sent = writes(world.requests(mark))
    finally:
        _administer(world, None)
    # The first table in the order of lookups tells of the last one's fault too.
    assert set(errors) == {"crm__addresses"}
    assert "contact.firstname: The column takes 50 characters; values have up to 150." in errors["crm__addresses"]
    assert "ava_installation.ava_maalernummer: The column does not exist" in errors["crm__addresses"]
    assert {each["system"] for each in sent} == {"lora"}
    assert _run(world) == {}
    differences = world.differences()
    assert not differences, shown(differences)


def _administer(world: World, schema: Json | None) -> None:
    httpx.post(f"{world.systems['dataverse']}/_behaviour", json={"schema": schema}).raise_for_status()


def _run(world: World) -> dict[str, str]:
    """Runs all supply areas once; the errors of the steps by name."""
    settings = world.settings(0)
    (request,) = range_requests(AREAS, AREAS, world.base_day, run_key="once")
    with dg.DagsterInstance.ephemeral() as instance:
        instance.add_dynamic_partitions(str(SUPPLY_AREAS.name), list(AREAS))
        ended = (
            build_definitions(settings)
            .resolve_job_def(str(request.job_name))
            .execute_in_process(instance=instance, tags=request.tags, raise_on_error=False)
        )
    failures = {event.step_key: event.step_failure_data.error for event in ended.all_events if event.is_step_failure}
    return {str(step): _whole_text(error) for step, error in failures.items()}


def _whole_text(error: object) -> str:
    """The error and what it was raised from."""
    cause = getattr(error, "cause", None)
    return getattr(error, "message", "") + ("" if cause is None else _whole_text(cause))
