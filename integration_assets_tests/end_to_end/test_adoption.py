"""A registry that the first integration filled is adopted: the next run repairs it, and nobody else is touched."""

import io
import json
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import polars as pl
import pytest
from rich.console import Console

from integration_assets.cache.engine import embedded_server_url
from integration_assets.cli.adopt import as_data, means_of, print_adoption, write_report
from integration_assets.flows.adoption import Adoption, adopt
from integration_assets.resources.cache import open_cache
from integration_assets.sandbox.background import RunningSandbox, start_in_background
from integration_assets.sandbox.systems import SandboxOptions
from integration_assets.sandbox.verify import compare_rejections
from integration_assets.sandbox.verify_adoption import additions_lost, answers, compare_adopted, created_and_gone
from integration_assets.sandbox.verify_crm import compare_crm
from integration_assets_tests.end_to_end.conftest import NewWorld, world_of
from integration_assets_tests.end_to_end.world import Json, World, shown, writes

CUSTOMERS = 60


@dataclass
class Adopted:
    """What was seen of one registry: filled, adopted (dry first), run, run again, adopted once more."""

    world: World = field(repr=False)
    planted: Json = field(repr=False)
    strangers: dict[str, str] = field(repr=False)
    dry: Adoption = field(repr=False)
    adoption: Adoption = field(repr=False)
    adopting: list[Json] = field(repr=False)
    differences: list[str] = field(default_factory=list, repr=False)
    again: list[Json] = field(default_factory=list, repr=False)
    later: Adoption | None = field(default=None, repr=False)

    @property
    def lora_url(self) -> str:
        return self.world.systems["lora"]


def adopted_town(world: World, customers: int, seed: int) -> Adopted:
    """A town whose registry the first integration filled, adopted and run."""
    world.build(customers, seed)
    planted = world.post("/original", {"seed": seed})
    strangers = answers(world.systems["lora"], planted["strangers"])
    mark = world.mark()
    dry, adoption = (adopt_now(world, dry_run=dry_run) for dry_run in (True, False))
    seen = Adopted(world, planted, strangers, dry, adoption, world.requests(mark))
    world.load_addresses()
    world.run_all_areas()
    seen.differences = differences(world, planted)
    mark = world.mark()
    world.run_all_areas()
    seen.again = world.requests(mark)
    seen.later = adopt_now(world, dry_run=False)
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
def adopted(new_world: NewWorld) -> Adopted:
    """A plain registry."""
    return adopted_town(new_world(), CUSTOMERS, seed=21)


def verify(adopted: Adopted) -> None:
    """What must be so of every adopted registry."""
    assert not adopted.differences, shown(adopted.differences)
    assert not created_and_gone(adopted.lora_url, adopted.planted), "nothing is deleted"
    assert not additions_lost(adopted.lora_url, adopted.planted), "what others added stays"
    assert answers(adopted.lora_url, adopted.planted["strangers"]) == adopted.strangers, "byte for byte"
    told = set(adopted.adoption.faults.select("kind", "registry_id").iter_rows())
    silent = [fault for fault in adopted.planted["faults"] if (fault[0], fault[2]) not in told]
    assert not silent, "each planted fault is told before anything is written"
    assert not writes(adopted.again)


def test_the_next_run_repairs_the_registry_and_touches_nobody_else(adopted: Adopted) -> None:
    verify(adopted)


def test_every_kind_of_fault_that_the_first_integration_had_was_planted(adopted: Adopted) -> None:
    """So that the test above can fail for each."""
    planted = Counter(kind for kind, _, _ in adopted.planted["faults"])
    assert set(planted) >= {
        *("landline_as_mobile", "co_customer_as_main", "master_id", "contact_data", "process_time", "address_line"),
        *("role_code", "without_party", "without_role", "without_agreement", "billing_addresses"),
    }
    copied = {lora_class for lora_class, _ in adopted.planted["copies"]}
    assert len(copied) == 5, "parties, relations, roles, installations, agreements"
    assert all(adopted.planted[name] for name in ("ending", "unknown", "waiting", "strangers", "added"))


def test_adopting_writes_nothing_outside_and_a_dry_run_nothing_at_all(adopted: Adopted) -> None:
    assert not writes(adopted.adopting)
    assert adopted.dry.counts.equals(adopted.adoption.counts), "the dry run left no trace in the cross reference"
    assert adopted.adoption.counts["new"].sum() == adopted.adoption.adopted.height


def test_adopting_again_finds_everything_in_order(adopted: Adopted) -> None:
    assert adopted.later is not None
    waiting = adopted.later.faults.filter(pl.col("registry_id").is_in(adopted.planted["waiting"]))
    assert adopted.later.faults.equals(waiting), "but for co-customers whom nobody can tell"
    assert adopted.later.counts["new"].sum() == 0


def test_whom_the_billing_system_does_not_know_is_listed_and_stays(adopted: Adopted) -> None:
    assert set(adopted.planted["unknown"]) <= set(adopted.adoption.left["registry_id"])


def test_what_is_shown_and_written_holds_no_personal_number(adopted: Adopted, tmp_path: Path) -> None:
    text = io.StringIO()
    print_adoption(Console(file=text, width=200), adopted.adoption, dry_run=False)
    write_report(tmp_path, adopted.adoption, adopted.world.base_day, dry_run=False)
    texts = [text.getvalue(), *(path.read_text() for path in tmp_path.iterdir())]
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        *("adoption.json", "cross_reference.csv", "faults.csv", "unknown_to_kmd_ee.csv")
    ]
    data = json.loads((tmp_path / "adoption.json").read_text())
    assert data == as_data(adopted.adoption, adopted.world.base_day, dry_run=False)
    assert "landline_as_mobile" in text.getvalue()
    numbers = [number for number in adopted.world.truth()["contacts"] if len(number) == 10]
    assert not [number for number in numbers if any(number in each for each in texts)]


@pytest.fixture(scope="module")
def extended(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningSandbox]:
    """A sandbox whose registry has the extension fields."""
    running = start_in_background(
        SandboxOptions(data_dir=tmp_path_factory.mktemp("extended"), lora_extension_fields=True)
    )
    yield running
    running.stop()


@pytest.mark.slow
def test_a_registry_with_ava_s_own_fields(extended: RunningSandbox, server_dir: Path) -> None:
    verify(adopted_town(world_of(extended, embedded_server_url(server_dir, "extended_adoption")), 250, seed=5))


@pytest.mark.slow
def test_two_thousand_customers(new_world: NewWorld) -> None:
    verify(adopted_town(new_world(), 2000, seed=3))
