"""Two supply areas that share a person or company, run at the same moment in two processes: one contact, one bruger."""

import re
from itertools import combinations

import pytest

from integration_assets_tests.end_to_end.conftest import NewWorld
from integration_assets_tests.end_to_end.processes import FORKS, start_area
from integration_assets_tests.end_to_end.world import AREAS, Json, World, shown

CUSTOMERS = 160
SEEDS = (3, *(pytest.param(seed, marks=pytest.mark.slow) for seed in (6, 7)))
"""Towns in which parties live in two areas."""
RUN_SECONDS = 300
EMAIL_DIFFERS = re.compile(
    r": emailaddress1 is 'kunde(\d+)@eksempel\.example' and should be 'kunde(\d+)@eksempel\.example'"
)


@pytest.mark.parametrize("seed", SEEDS)
def test_areas_that_share_a_party_may_run_at_the_same_time(new_world: NewWorld, seed: int) -> None:
    world = new_world()
    world.build(CUSTOMERS, seed)
    pair = _sharing(world.truth())
    world.load_addresses()
    for area in set(AREAS) - set(pair):
        world.run_area(0, area)
    (first_begin, first_end), (second_begin, second_end) = _run_together(world, pair)
    assert max(first_begin, second_begin) < min(first_end, second_end)  # they really overlapped
    # The primary e-mail address is that of the first writer, whichever area it is; all else is the same in any order.
    truth = world.truth()
    differences = [text for text in world.differences() if not _is_that_of_another_row_of_the_party(text, truth)]
    assert not differences, shown(differences)


def _is_that_of_another_row_of_the_party(difference: str, truth: Json) -> bool:
    """Whether a primary e-mail address differs, but both it and the expected one are of rows that name one party."""
    found = EMAIL_DIFFERS.search(difference)
    if found is None:
        return False
    parties = [{role["party"] for role in truth["roles"] if role["customer_number"] == row} for row in found.groups()]
    return bool(parties[0] & parties[1])


def _sharing(truth: Json) -> tuple[str, str]:
    """The two supply areas with most parties that have customer relations in both."""
    area_of = {number: account["name"].rpartition(", ")[2][0] for number, account in truth["accounts"].items()}
    areas_of: dict[str, set[str]] = {}
    for role in truth["roles"]:
        areas_of.setdefault(role["party"], set()).add(area_of[role["customer_number"]])
    shared = {pair: sum(set(pair) <= areas for areas in areas_of.values()) for pair in combinations(AREAS, 2)}
    pair = max(shared, key=lambda each: shared[each])
    assert shared[pair], "the town has no party in two areas"
    return pair


def _run_together(world: World, areas: tuple[str, str]) -> list[tuple[float, float]]:
    """Runs both areas at once; when each began and ended."""
    together, times = FORKS.Barrier(len(areas)), FORKS.SimpleQueue()
    running = [start_area(world, 0, area, together, times) for area in areas]
    for process in running:
        process.join(RUN_SECONDS)
    assert [process.exitcode for process in running] == [0, 0]
    return [(begin, end) for _area, begin, end in (times.get() for _ in areas)]
