"""Days of the person and company registers: whatever way a change comes to us, the outside world holds the truth."""

import dagster as dg
import pytest

from integration_assets_tests.end_to_end.conftest import NewWorld
from integration_assets_tests.end_to_end.world import World, played, shown, writes

CUSTOMERS = 160
SWEPT = {"person_events_source": "none", "person_sweep_days": 1, "company_sweep_days": 1}
FAULTY = ("person_register", "company_register", "person_subscriptions", "lora")
FAULTS = {"rate_503": 0.05, "rate_drop": 0.03, "rate_timeout_after_commit": 0.03, "seed": 3}


def holds_the_truth(world: World) -> None:
    differences = world.differences()
    assert not differences, shown(differences)


def lookups(world: World, mark: int) -> int:
    return sum(each["kind"] == "lookup" and each["system"] == "person_register" for each in world.requests(mark))


def test_a_sweep_alone_finds_every_change_and_writes_nothing_when_there_is_none(new_world: NewWorld) -> None:
    world = new_world()
    world.given = {**world.given, **SWEPT, "person_register_version": "4"}
    world.given["person_register_url"] = world.given["person_register_url"].removesuffix("/5") + "/4"
    world.build(CUSTOMERS, seed=5)
    world.run_day(0)
    world.post("/day", {"day": 1})
    world.run_day(1)
    holds_the_truth(world)
    mark = world.mark()
    with dg.DagsterInstance.local_temp() as instance, played(world.settings(2), world.cursors, instance) as runner:
        runner.scheduled("registers_nightly")
    parties = sum(len(number) == 10 for number in world.truth()["contacts"])
    assert parties * 0.8 < lookups(world, mark), "everybody had her turn"
    assert writes(world.requests(mark)) == []


def test_a_lost_delivery_and_one_that_is_not_complete_lose_nothing(new_world: NewWorld) -> None:
    world = new_world()
    world.build(CUSTOMERS, seed=6)
    world.run_day(0)
    world.post("/day", {"day": 1})
    world.post("/deliver-events", {"skip": True})
    world.run_day(1)
    world.post("/day", {"day": 2})
    world.post("/deliver-events", {"form": "fixed"})
    mark = world.mark()
    world.run_day(2)
    holds_the_truth(world)
    persons = len([number for number in world.truth()["contacts"] if len(number) == 10])
    assert lookups(world, mark) > persons * 0.7, "after the gap everybody was asked"


@pytest.mark.slow
def test_through_faults_the_changes_arrive_all_the_same(new_world: NewWorld) -> None:
    world = new_world()
    world.build(CUSTOMERS, seed=8)
    world.run_day(0)
    world.post("/faults", dict.fromkeys(FAULTY, FAULTS))
    for day in (1, 2):
        world.play(day)
        world.run_day(day)
    world.post("/faults", dict.fromkeys(FAULTY))
    # What a register did not answer yesterday is asked again today.
    world.run_nightly(2)
    world.run_day(2)
    holds_the_truth(world)


@pytest.mark.slow
def test_relatives_and_notes_in_every_answer_change_nothing(new_world: NewWorld) -> None:
    world = new_world()
    world.post("/registers", {"surplus": "all"})
    try:
        world.build(CUSTOMERS // 2, seed=9)
        world.run_day(0)
        holds_the_truth(world)
    finally:
        world.post("/registers", {"surplus": None})
