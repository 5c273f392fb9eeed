"""One small world per test module."""

from collections.abc import Iterator

import pytest

from integration_assets_tests.automation.world import World, small_world


@pytest.fixture(scope="module")
def world() -> Iterator[World]:
    """A town on its first day that nobody has looked at yet."""
    with small_world() as small:
        yield small
