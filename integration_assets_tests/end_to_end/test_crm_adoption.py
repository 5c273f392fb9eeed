"""A CRM that was filled before us is adopted: the next run takes its rows over, makes none twice, leaves others."""

import io
import json
from dataclasses import dataclass, field
from pathlib import Path

import polars as pl
import pytest
from rich.console import Console

from integration_assets.cli.adopt_crm import as_data, means_of, print_adoption, write_report
from integration_assets.domain.crm.fields import TABLE_FACTS
from integration_assets.flows.crm_adoption import RowAdoption, adopt_rows
from integration_assets.flows.crm_drift import Means, look_for_changes
from integration_assets.resources.cache import open_cache
from integration_assets.resources.dynamics import DynamicsResource
from integration_assets.sandbox.original_crm import PlantedRows, fill
from integration_assets.sandbox.verify_adopted_crm import PRIMARY_IDS, compare_adopted_crm, lost, versions
from integration_assets.sandbox.verify_read import Crm
from integration_assets_tests.end_to_end.conftest import NewWorld
from integration_assets_tests.end_to_end.world import CRM_SETS, Json, World, shown, writes

CUSTOMERS = 40


@dataclass
class Adopted:
    """What was seen of one CRM: filled, adopted (dry first), run, looked at, run again, adopted once more."""

    world: World = field(repr=False)
    planted: PlantedRows = field(repr=False)
    before: dict[tuple[str, str], str | None] = field(repr=False)
    dry: RowAdoption = field(repr=False)
    adoption: RowAdoption = field(repr=False)
    adopting: list[Json] = field(repr=False)
    run: list[Json] = field(default_factory=list, repr=False)
    differences: list[str] = field(default_factory=list, repr=False)
    drift: dict[str, int] = field(default_factory=dict)
    again: list[Json] = field(default_factory=list, repr=False)
    quiet_look: list[Json] = field(default_factory=list, repr=False)
    later: RowAdoption | None = field(default=None, repr=False)


def adopted_crm(world: World, customers: int, seed: int) -> Adopted:
    """A town whose CRM was filled before us, adopted and run."""
    world.build(customers, seed)
    planted = fill(world.given, world.truth(), seed)
    before = versions(world.given, planted.left | planted.strangers)
    world.load_addresses()
    mark = world.mark()
    dry, adoption = (adopt_now(world, dry_run=dry_run) for dry_run in (True, False))
    seen = Adopted(world, planted, before, dry, adoption, world.requests(mark))
    mark = world.mark()
    world.run_all_areas()
    seen.run = world.requests(mark)
    seen.differences = [str(each) for each in compare_adopted_crm(world.given, world.truth(), planted)]
    seen.drift = look(world)
    mark = world.mark()
    world.run_all_areas()
    seen.again = world.requests(mark)
    mark = world.mark()
    look(world)
    seen.quiet_look = world.requests(mark)
    seen.later = adopt_now(world, dry_run=False)
    return seen


def adopt_now(world: World, *, dry_run: bool) -> RowAdoption:
    """An adoption on the first day."""
    settings = world.settings(0)
    cache = open_cache(settings)
    try:
        means = means_of(settings, cache)
        try:
            return adopt_rows(means, world.base_day, dry_run=dry_run)
        finally:
            means.client.close()
    finally:
        cache.close()


def look(world: World) -> dict[str, int]:
    """What changed in the CRM since the last look, by kind of drift."""
    settings = world.settings(0)
    cache = open_cache(settings)
    try:
        means: Means = DynamicsResource(settings=settings).means(cache, world.base_day)
        try:
            kinds = [look_for_changes(means, entity).kinds for entity in TABLE_FACTS]
        finally:
            means.client.close()
    finally:
        cache.close()
    return {kind: sum(each[kind] for each in kinds) for kind in {kind for each in kinds for kind in each}}


@pytest.fixture(scope="module")
def adopted(new_world: NewWorld) -> Adopted:
    return adopted_crm(new_world(), CUSTOMERS, seed=11)


def verify(adopted: Adopted) -> None:
    """What must be so of every adopted CRM."""
    planted, given = adopted.planted, adopted.world.given
    assert not adopted.differences, shown(adopted.differences)
    assert not lost(given, planted), "what people wrote stays"
    assert versions(given, adopted.before) == adopted.before, "nobody else is touched"
    assert None not in versions(given, planted.ours).values(), "nothing is gone"
    assert adopted.drift == {}, "no row is otherwise than it was delivered"
    assert not writes(adopted.again)


def test_the_run_takes_the_rows_over_and_touches_nobody_else(adopted: Adopted) -> None:
    verify(adopted)


def test_what_is_taken_are_the_planted_rows_and_no_others(adopted: Adopted) -> None:
    sets = {entity: facts.set_name for entity, facts in TABLE_FACTS.items()}
    taken, left = (
        {
            (sets[entity], row_id)
            for entity, row_id in adopted.adoption.adopted.filter(pl.col("taken") == wanted)
            .select("entity", "row_id")
            .iter_rows()
        }
        for wanted in (True, False)
    )
    assert taken == adopted.planted.ours
    assert left == adopted.planted.left
    duplicates = adopted.adoption.duplicates.explode("left")["left"]
    assert sorted(duplicates) == sorted(row_id for _, row_id in adopted.planted.left)


def test_no_row_stands_there_twice(adopted: Adopted) -> None:
    """By plain counting: planted rows and those that the run made are as many as the truth has, and the rest."""
    truth, planted = adopted.world.truth(), adopted.planted
    wanted = {
        "contacts": len(truth["contacts"]),
        "accounts": len(truth["accounts"]),
        "ava_adresses": len(truth["addresses"]),
        "ava_kunderolles": len(truth["roles"]),
        "ava_aftales": len(truth["agreements"]),
        "ava_installations": len(truth["installations"]),
    }
    with Crm(adopted.world.given) as crm:
        there = {name: len(crm.rows(name)) for name in CRM_SETS}
    aside = [name for name, _ in planted.left | planted.strangers]
    assert there == {name: number + aside.count(name) for name, number in wanted.items()}
    assert set(CRM_SETS) <= set(PRIMARY_IDS)


def test_what_was_right_already_is_not_written(adopted: Adopted) -> None:
    """Rows of the first integration that say nothing old keep their version: no audit, no plug-in is woken."""
    right = {each for each in adopted.planted.ours if each[0] == "ava_kunderolles"}
    with Crm(adopted.world.given) as crm:
        written = {
            row["ava_kunderolleid"]: row["modifiedon"] != row["createdon"] for row in crm.rows("ava_kunderolles")
        }
    ended = sum(role["ended"] for role in adopted.world.truth()["roles"])
    assert sum(written[row_id] for _, row_id in right) <= ended + 3, "but for those of the contact that was left"


def test_adopting_writes_nothing_outside_and_a_dry_run_nothing_at_all(adopted: Adopted) -> None:
    assert not writes(adopted.adopting)
    assert adopted.dry.counts.equals(adopted.adoption.counts), "the dry run left no trace in the cross reference"
    assert adopted.adoption.counts["new"].sum() == adopted.adoption.adopted.height > 0


def test_adopting_again_finds_nothing_new(adopted: Adopted) -> None:
    assert adopted.later is not None
    assert adopted.later.counts["new"].sum() == 0
    columns = ("entity", "row_id", "object_id", "taken")
    assert adopted.later.adopted.select(columns).equals(adopted.adoption.adopted.select(columns))


def test_an_unchanged_night_sends_the_crm_one_request_a_table(adopted: Adopted) -> None:
    asked = [each["path"] for each in adopted.quiet_look if each["system"] == "dataverse" and each["kind"] == "read"]
    assert sorted(path.rpartition("/")[2] for path in asked) == sorted(CRM_SETS)
    assert [each for each in adopted.again if each["system"] == "dataverse"] == []


def test_what_is_shown_and_written_holds_no_personal_number(adopted: Adopted, tmp_path: Path) -> None:
    text = io.StringIO()
    print_adoption(Console(file=text, width=200), adopted.adoption, dry_run=False)
    write_report(tmp_path, adopted.adoption, adopted.world.base_day, dry_run=False)
    texts = [text.getvalue(), *(path.read_text() for path in tmp_path.iterdir())]
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        *("adoption.json", "cross_reference.csv", "duplicates.csv")
    ]
    data = json.loads((tmp_path / "adoption.json").read_text())
    assert data == as_data(adopted.adoption, adopted.world.base_day, dry_run=False)
    numbers = [number for number in adopted.world.truth()["contacts"] if len(number) == 10]
    assert not [number for number in numbers if any(number in each for each in texts)]


@pytest.mark.slow
def test_two_thousand_customers(new_world: NewWorld) -> None:
    verify(adopted_crm(new_world(), 2000, seed=3))
