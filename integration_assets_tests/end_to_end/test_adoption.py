"""A registry that the first integration filled is adopted: the next run repairs it, and nobody else is touched."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from integration_assets.cache.engine import embedded_server_url
from integration_assets.cli.adopt import means_of
from integration_assets.flows.adoption import Adoption, adopt
from integration_assets.resources.cache import open_cache
from integration_assets.sandbox.background import RunningSandbox, start_in_background
from integration_assets.sandbox.systems import SandboxOptions
from integration_assets.sandbox.verify import compare_rejections
from integration_assets.sandbox.verify_adoption import additions_lost, answers, compare_adopted, created_and_gone
from integration_assets.sandbox.verify_crm import compare_crm
from integration_assets_tests.end_to_end.conftest import NewWorld, world_of
from integration_assets_tests.end_to_end.world import Json, World, shown, writes

CUSTOMERS = 120


@dataclass
class Adopted:
    """What was seen of one registry: filled, adopted (dry first), run, run again."""

    world: World = field(repr=False)
    planted: Json = field(repr=False)
    strangers: dict[str, str] = field(repr=False)
    plan: Adoption = field(repr=False)
    adoption: Adoption = field(repr=False)
    written_by_adoption: list[Json] = field(default_factory=list, repr=False)
    requests: list[Json] = field(default_factory=list, repr=False)
    differences: list[str] = field(default_factory=list, repr=False)
    again: list[Json] = field(default_factory=list, repr=False)

    @property
    def lora_url(self) -> str:
        return self.world.systems["lora"]


def adopted_town(world: World, customers: int, seed: int) -> Adopted:
    """A town whose registry the first integration filled, adopted and run twice."""
    world.build(customers, seed)
    planted = world.post("/original", {"seed": seed})
    strangers = answers(world.systems["lora"], planted["strangers"])
    mark = world.mark()
    plan, adoption = (adopt_now(world, dry_run=dry_run) for dry_run in (True, False))
    seen = Adopted(world, planted, strangers, plan, adoption, written_by_adoption=writes(world.requests(mark)))
    mark = world.mark()
    world.run_day(0)
    seen.requests = world.requests(mark)
    seen.differences = differences(world, planted)
    mark = world.mark()
    world.run_nightly(0)
    seen.again = world.requests(mark)
    return seen


def adopt_now(world: World, *, dry_run: bool) -> Adoption:
    """An adoption on the first day."""
    settings = world.settings(0)
    cache = open_cache(settings)
    try:
        with means_of(settings, cache) as means:
            return adopt(means, world.base_day, dry_run=dry_run)
    finally:
        cache.close()


def differences(world: World, planted: Json) -> list[str]:
    """What registry, CRM and rejections hold otherwise than the truth."""
    truth = world.truth()
    found = compare_adopted(world.systems["lora"], truth, planted, world.base_day.isoformat())
    found += compare_crm(world.given, truth) + compare_rejections(truth, world.open_rejections())
    return [str(each) for each in found]


@pytest.fixture(scope="module")
def plain(new_world: NewWorld) -> Adopted:
    """A plain registry."""
    return adopted_town(new_world(), CUSTOMERS, seed=21)


def test_registry_and_crm_hold_the_truth_after_the_next_run(plain: Adopted) -> None:
    assert not plain.differences, shown(plain.differences)
