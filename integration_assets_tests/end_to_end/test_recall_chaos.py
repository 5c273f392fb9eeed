"""Recalls under every fault at random, with processes killed at random: nothing twice, nothing forgotten.

Two small seeds belong to the suite, one with statuses as files and one with posted ones; fifty seeds of some 200
actions each, ten thousand in all, are slow. In every fifth of them the authority dies as well.
"""

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from integration_assets_tests.end_to_end.recall_chaos import Chaos, table
from integration_assets_tests.end_to_end.recall_processes import Outside


@pytest.fixture(scope="module")
def authority(server_dir: Path) -> Iterator[Outside]:
    outside = Outside(server_dir / "recall_chaos")
    yield outside
    outside.stop()


def play(authority: Outside, cache_url: str, folder: Path, seed: int, actions: int, *, mortal: bool = False) -> None:
    outcome = Chaos(authority, cache_url, folder, seed, actions, mortal=mortal).play()
    sys.stdout.write("\n".join(["", *table([outcome])]) + "\n")
    assert outcome.wrong == []
    # The world was as bad as promised.
    assert outcome.kills + sum(count for number, count in outcome.numbers.items() if number) > 0


@pytest.mark.parametrize("seed", [101, 102])
def test_nothing_is_recalled_twice_and_nothing_forgotten(
    authority: Outside, cache_url: str, tmp_path: Path, seed: int
) -> None:
    play(authority, cache_url, tmp_path, seed, 24)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(1, 51))
def test_ten_thousand_recalls(authority: Outside, cache_url: str, tmp_path: Path, seed: int) -> None:
    play(authority, cache_url, tmp_path, seed, 212, mortal=seed % 5 == 0)
