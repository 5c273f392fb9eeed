"""A load while every outside system misbehaves in one way, and while all are down: the end is true all the same."""

import threading
from collections.abc import Mapping

import pytest

from integration_assets_tests.end_to_end.conftest import NewWorld
from integration_assets_tests.end_to_end.world import Json, World, shown

CUSTOMERS = 35
SYSTEMS = ("lora", "dataverse", "address_files", "person_register", "company_register")

RATE = 0.15
FIRST_HIT = 1
"""With this seed the dice spoil the very first request of a system, also of one that is asked but twice."""

NO_ANSWER = 0
FAULTS: Mapping[str, tuple[Json, int | None]] = {
    "latency": ({"latency_ms": 40}, None),
    "429": ({"rate_429": RATE, "retry_after_s": 0.05}, 429),
    "500": ({"rate_500": RATE}, 500),
    "503": ({"rate_503": RATE, "retry_after_s": 0.05}, 503),
    "dropped connection": ({"rate_drop": RATE}, NO_ANSWER),
    "time-out after commit": ({"rate_timeout_after_commit": RATE}, NO_ANSWER),
}
"""By name: the plan, and the status by which the request log knows the fault."""
SLOW = ("latency", "500", "503")
"""Faults that are left to the slow runs: each is answered by the same rule as one of the others."""

OUTAGE_SECONDS = 3.0


@pytest.mark.parametrize(
    "name", [pytest.param(each, marks=pytest.mark.slow) if each in SLOW else each for each in FAULTS]
)
def test_a_load_through_faults_of_all_systems_leaves_the_truth(new_world: NewWorld, name: str) -> None:
    plan, status = FAULTS[name]
    world = new_world()
    world.build(CUSTOMERS, seed=11)
    _misbehave(world, {**plan, "seed": FIRST_HIT})
    mark = world.mark()
    world.run_day(0)
    requests = world.requests(mark)
    _misbehave(world, None)
    for system in SYSTEMS:
        mine = [each for each in requests if each["system"] == system]
        assert mine, system
        if status is None:
            assert min(each["ms"] for each in mine) >= plan["latency_ms"], system
        else:
            assert status in {each["status"] for each in mine}, system
    differences = world.differences()
    assert not differences, shown(differences)


def test_a_load_begun_while_all_systems_are_down_goes_on_when_they_are_back(new_world: NewWorld) -> None:
    world = new_world()
    world.build(CUSTOMERS, seed=11)
    _misbehave(world, {"rate_drop": 1})
    back = threading.Timer(OUTAGE_SECONDS, _misbehave, (world, None))
    back.start()
    world.run_day(0)
    back.join()
    assert not (differences := world.differences()), shown(differences)


def _misbehave(world: World, plan: Json | None) -> None:
    world.post("/faults", dict.fromkeys(SYSTEMS, plan))
