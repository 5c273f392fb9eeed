"""Recalls under every fault at random, with processes killed at random: nothing twice, nothing forgotten.

Two small seeds belong to the suite; fifty seeds of 200 actions each, ten thousand in all, are slow.
"""

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from integration_assets.sandbox.background import RunningSandbox, start_in_background
from integration_assets.sandbox.systems import SandboxOptions
from integration_assets_tests.end_to_end.recall_chaos import Chaos, table


@pytest.fixture(scope="module")
def authority(server_dir: Path) -> Iterator[RunningSandbox]:
    running = start_in_background(SandboxOptions(data_dir=server_dir / "recall_chaos", systems=("debt_authority",)))
    yield running
    running.stop()


def play(authority: RunningSandbox, cache_url: str, folder: Path, seed: int, actions: int) -> None:
    outcome = Chaos(authority, cache_url, folder, seed, actions).play()
    sys.stdout.write("\n".join(["", *table([outcome])]) + "\n")
    assert outcome.wrong == []
    # The world was as bad as promised, and every wanted action is still there.
    assert outcome.kills > 0
    assert sum(count for number, count in outcome.numbers.items() if number) > 0


@pytest.mark.parametrize("seed", [101, 102])
def test_nothing_is_recalled_twice_and_nothing_forgotten(
    authority: RunningSandbox, cache_url: str, tmp_path: Path, seed: int
) -> None:
    play(authority, cache_url, tmp_path, seed, 40)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(1, 51))
def test_ten_thousand_recalls(authority: RunningSandbox, cache_url: str, tmp_path: Path, seed: int) -> None:
    play(authority, cache_url, tmp_path, seed, 200)
