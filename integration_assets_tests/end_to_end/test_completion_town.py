"""A town full of people who are easily mistaken: no wrong number ever, and everybody found who can be found."""

from collections import Counter

import pytest

from integration_assets.sandbox.town_kinds import KINDS
from integration_assets_tests.end_to_end.completion_town import Case, Verdict, complete, judged, planted_cases
from integration_assets_tests.end_to_end.conftest import NewWorld
from integration_assets_tests.end_to_end.world import AREAS, World

CUSTOMERS = 1000
CAPPED_CUSTOMERS = 200
"""The smallest town with every kind."""


def completed(world: World) -> tuple[list[Case], Verdict]:
    """What was planted in the town of a world, and what came out when it was completed."""
    settings = world.settings(0)
    cases = planted_cases(world.given["kmd_ee_url"])
    complete(settings, AREAS)
    return cases, judged(settings, cases)


@pytest.fixture(scope="module")
def world(new_world: NewWorld) -> World:
    world = new_world()
    world.build(CUSTOMERS, seed=5)
    return world


@pytest.fixture(scope="module")
def played(world: World) -> tuple[list[Case], Verdict]:
    return completed(world)


def test_every_kind_of_case_is_planted(played: tuple[list[Case], Verdict]) -> None:
    trying = {kind.name for kind in KINDS if kind.name.startswith(("incomplete_", "co_"))}
    complete_ones = {"co_complete", "co_unknown", "co_unreadable"}
    assert {case.kind for case in played[0]} == trying - complete_ones
    reasons = Counter(case.reason for case in played[0] if case.reason)
    assert set(reasons) == {
        *("completion_no_match", "completion_ambiguous", "completion_inactive_only"),
        *("co_completion_no_match", "co_completion_ambiguous", "co_completion_inactive_only"),
    }


def test_no_number_is_wrong(played: tuple[list[Case], Verdict]) -> None:
    assert played[1].wrong == []


def test_everybody_is_found_who_can_be(played: tuple[list[Case], Verdict]) -> None:
    assert played[1].missed == []


def test_every_refusal_has_the_planted_reason(played: tuple[list[Case], Verdict]) -> None:
    assert played[1].other_reason == []


def test_where_the_register_caps_its_answers_a_block_of_flats_proves_nothing(new_world: NewWorld) -> None:
    world = new_world()
    world.build(CAPPED_CUSTOMERS, seed=5)
    world.post("/registers", {"paging": "hidden"})
    cases, verdict = completed(world)
    assert {case.kind for case in cases} >= {"incomplete_block", "incomplete_block_namesake", "incomplete_block_billed"}
    assert verdict.wrong == []
    assert [(case.kind, reason) for case, reason in verdict.missed] == [
        ("incomplete_block", "completion_incomplete_search")
    ]
    assert [(case.kind, reason) for case, reason in verdict.other_reason] == [
        ("incomplete_block_namesake", "completion_incomplete_search")
    ]
