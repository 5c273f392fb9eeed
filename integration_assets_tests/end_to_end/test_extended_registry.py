"""A registry with AVA's own fields holds the same truth as a plain one, and plain content in it is read as well."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from integration_assets.cache.engine import embedded_server_url
from integration_assets.sandbox.background import RunningSandbox, start_in_background
from integration_assets.sandbox.systems import SandboxOptions
from integration_assets.sandbox.verify_read import registry_objects
from integration_assets_tests.end_to_end.conftest import world_of
from integration_assets_tests.end_to_end.world import shown

CUSTOMERS = 100


@pytest.fixture(scope="module")
def extended(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningSandbox]:
    """A sandbox whose registry has the extension fields."""
    folder: Path = tmp_path_factory.mktemp("extended")
    running = start_in_background(SandboxOptions(data_dir=folder, lora_extension_fields=True))
    yield running
    running.stop()


def test_the_truth_stands_in_the_registry_s_own_fields(extended: RunningSandbox, server_dir: Path) -> None:
    world = world_of(extended, embedded_server_url(server_dir, "extended_registry"))
    world.build(CUSTOMERS, seed=12)
    world.run_day(0)
    world.play(1)
    world.run_day(1)
    differences = world.differences()
    assert not differences, shown(differences)
    persons = registry_objects(world.systems["lora"], "organisation/bruger")
    assert sum(person.text("ava_efternavn") is not None for person in persons) > CUSTOMERS / 2
    assert not any("ava_efternavn" in (person.text("integrationsdata") or "") for person in persons)
