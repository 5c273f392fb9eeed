"""Runs killed by SIGKILL at random points: run again, they end where an undisturbed run ends, and nothing is doubled.

Three towns with the same people are played day by day. One is left alone; in the other two each day's run is killed
once, at a point drawn by the seed, and started again. After each day LoRa, CRM and rejections must hold the truth; in
the end, the three must hold the same, object for object and field for field.
"""

import random
import signal
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from integration_assets.sandbox.background import RunningSandbox, start_in_background
from integration_assets.sandbox.systems import SandboxOptions
from integration_assets_tests.end_to_end.conftest import world_of
from integration_assets_tests.end_to_end.processes import cpu_seconds, start_day
from integration_assets_tests.end_to_end.world import World, shown

CUSTOMERS = 35
TOWN = 3
RUN_SECONDS = 300


@dataclass
class Seen:
    """What came of a town: how its killed runs ended (exit codes by seed), differences by seed, content in the end."""

    kills: dict[int, int | None] = field(default_factory=dict)
    differences: dict[int, list[str]] = field(default_factory=dict)
    content: dict[str, object] = field(default_factory=dict, repr=False)


@pytest.fixture(scope="module", params=[4, pytest.param(20, marks=pytest.mark.slow)])
def towns(
    request: pytest.FixtureRequest,
    sandbox: RunningSandbox,
    new_cache: Callable[[], str],
    server_dir: Path,
) -> Iterator[list[Seen]]:
    """The undisturbed town and the two disturbed ones, which share the seeds: so many as the parameter says."""
    seeds: int = request.param
    folder = server_dir / f"killed-{seeds}"
    folder.mkdir()
    with ExitStack() as running, ThreadPoolExecutor(3) as threads:
        sandboxes = [sandbox]
        for name in ("a", "b"):
            sandboxes.append(start_in_background(SandboxOptions(data_dir=folder / name)))
            running.callback(sandboxes[-1].stop)
        worlds = [world_of(each, new_cache()) for each in sandboxes]
        for world in worlds:  # the same ids in all three
            world.given["identity_key"] = worlds[0].given["identity_key"]
        needed: list[Future[float]] = [Future() for _ in range(seeds // 2)]
        jobs = [threads.submit(_undisturbed, worlds[0], folder / "cursors", needed)]
        for number, world in enumerate(worlds[1:]):
            mine = range(number, seeds, 2)
            jobs.append(threads.submit(_disturbed, world, folder / f"cursors{number}", mine, seeds, needed))
        yield [job.result() for job in jobs]


def _undisturbed(world: World, cursors: Path, needed: list[Future[float]]) -> Seen:
    """Plays the town without disturbance and says for each day how much CPU its run needs."""
    seen = Seen()
    try:
        world.build(CUSTOMERS, TOWN)
        for day in range(len(needed)):
            if day:
                world.play(day)
            process = start_day(world, day, cursors)
            used = cpu_seconds(process)
            process.join()
            assert process.exitcode == 0
            needed[day].set_result(used)
        seen.differences[-1] = world.differences() + world.fact_differences() + world.account_differences()
        seen.content = world.content()
    except BaseException as error:
        for each in needed:
            if not each.done():
                each.set_exception(error)
        raise
    return seen


def _disturbed(world: World, cursors: Path, mine: range, seeds: int, needed: list[Future[float]]) -> Seen:
    """Plays the town, killing the run of each day once, at the seed's point, before it is run to its end."""
    seen = Seen()
    world.build(CUSTOMERS, TOWN)
    for day, seed in enumerate(mine):
        if day:
            world.play(day)
        # The points lie spread over the whole run, in an order without pattern: 7 is prime to the number of seeds.
        share = (seed * 7 % seeds + random.Random(seed).random()) / seeds
        # A run of the same day may need a third less processor time than the undisturbed one did.
        limit = needed[day].result() * share * 0.65
        process = start_day(world, day, cursors)
        cpu_seconds(process, limit)
        process.kill()
        process.join()
        seen.kills[seed] = process.exitcode
        process = start_day(world, day, cursors)
        process.join(RUN_SECONDS)
        assert process.exitcode == 0
        seen.differences[seed] = world.differences() + world.fact_differences() + world.account_differences()
    seen.content = world.content()
    return seen


def test_the_seeds_killed_runs(towns: list[Seen]) -> None:
    kills = {**towns[1].kills, **towns[2].kills}
    assert sorted(kills) == list(range(len(kills)))
    ended_before = [seed for seed, code in kills.items() if code == 0]
    killed = [seed for seed, code in kills.items() if code == -signal.SIGKILL]
    assert len(killed) + len(ended_before) == len(kills)
    assert len(ended_before) <= len(kills) // 6, "so many runs were over before they could be killed"


def test_killed_runs_run_again_leave_the_truth_each_time(towns: list[Seen]) -> None:
    for town in towns:
        for seed, differences in town.differences.items():
            assert not differences, f"seed {seed}: {shown(differences)}"


def test_in_the_end_all_is_as_in_the_undisturbed_town(towns: list[Seen]) -> None:
    undisturbed, *disturbed = towns
    assert undisturbed.content["contacts"]
    for town in disturbed:
        for name, objects in undisturbed.content.items():
            assert town.content[name] == objects, name
