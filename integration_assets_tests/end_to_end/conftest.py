"""Fixtures of the end-to-end tests: sandboxes in processes of their own, and the product set up against them."""

import itertools
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from integration_assets.cache.engine import embedded_server_url
from integration_assets.sandbox.background import RunningSandbox, start_in_background
from integration_assets.sandbox.systems import SandboxOptions
from integration_assets_tests.end_to_end.world import QUICK, World

NewWorld = Callable[[], World]


@pytest.fixture(scope="session")
def sandbox(server_dir: Path) -> Iterator[RunningSandbox]:
    """The sandbox that tests use one after the other; each builds its own town in it."""
    running = start_in_background(SandboxOptions(data_dir=server_dir))
    yield running
    running.stop()


@pytest.fixture(scope="session")
def new_cache(server_dir: Path) -> Callable[[], str]:
    """Gives the URLs of empty databases."""
    numbers = itertools.count(1)
    return lambda: embedded_server_url(server_dir, f"end_to_end_{next(numbers)}")


@pytest.fixture(scope="session")
def new_world(sandbox: RunningSandbox, new_cache: Callable[[], str]) -> NewWorld:
    """Gives the product against the sandbox with an empty cache; the town is still to be built."""
    return lambda: world_of(sandbox, new_cache())


def world_of(sandbox: RunningSandbox, cache_url: str) -> World:
    """The product's side of a sandbox."""
    return World(sandbox.control_url, sandbox.systems, {**sandbox.settings, **QUICK, "cache_url": cache_url})
