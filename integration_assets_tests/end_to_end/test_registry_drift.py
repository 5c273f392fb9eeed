"""Another writer in the registry of a town: the daily reconciliation finds what it did, and the next run repairs it."""

import json
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import dagster as dg
import httpx
import pytest

from integration_assets.cache.store import Cache
from integration_assets.resources.cache import open_cache
from integration_assets.sandbox.verify_read import registry_objects
from integration_assets_tests.end_to_end.conftest import NewWorld
from integration_assets_tests.end_to_end.world import World, played, shown

CUSTOMERS = 25
PERSONS, RELATIONS, AGREEMENTS = "organisation/bruger", "organisation/interessefaellesskab", "indsats/indsats"
pytestmark = pytest.mark.slow

RULES: dict[str, Any] = {"lora_reconcile_days": 1, "lora_drift": {"agreements": "leave"}}
STRANGER = {"from": "1990-01-01T00:00:00+01:00", "to": "infinity"}


@dataclass
class Seen:
    """What was seen: ids that others spoiled by kind, drift found by id, counts of the journal, and what stood then."""

    spoiled: dict[str, str] = field(default_factory=dict)
    left: str = ""
    found: dict[str, str] = field(default_factory=dict)
    first_load: Counter[str] = field(default_factory=Counter)
    sent: Counter[str] = field(default_factory=Counter)
    after: list[str] = field(default_factory=list)
    still_open: dict[str, str] = field(default_factory=dict)


@pytest.fixture(scope="module")
def seen(new_world: NewWorld) -> Seen:
    """A town after day 0, spoiled in the night, looked through by the schedule under faults, and repaired on day 1."""
    world, seen = new_world(), Seen()
    world.given |= RULES
    world.build(CUSTOMERS, seed=5)
    mark = world.mark()
    world.run_day(0)
    seen.sent = Counter(each["method"].lower() for each in world.requests(mark) if each["system"] == "lora")
    with cache_of(world) as cache:
        for counts in cache.journal.entries()["counts"]:
            seen.first_load.update(json.loads(counts))
    seen.spoiled = spoil(world)
    seen.left = next(iter(seen.spoiled))
    world.play(1)
    world.post("/faults", {"lora": {"rate_503": 0.1, "rate_drop": 0.05, "retry_after_s": 0.02, "seed": 2}})
    with dg.DagsterInstance.local_temp() as instance, played(world.settings(1), world.cursors, instance) as runner:
        runner.scheduled("registry_drift_daily")
    seen.found = open_drift(world)
    world.run_day(1)
    world.post("/faults", {"lora": None})
    seen.after, seen.still_open = world.differences(), open_drift(world)
    return seen


def spoil(world: World) -> dict[str, str]:
    """Changes an agreement (which is left) and a person, deletes one, makes one passive, renames a relation."""
    persons = [each.id for each in registry_objects(world.systems["lora"], PERSONS)]
    relations = [each.id for each in registry_objects(world.systems["lora"], RELATIONS)]
    agreements = [each.id for each in registry_objects(world.systems["lora"], AGREEMENTS)]
    change(world, AGREEMENTS, agreements[-1], egenskaber(AGREEMENTS, beskrivelse="99"))
    change(world, PERSONS, persons[0], egenskaber(PERSONS, brugernavn="Somebody Else"))
    change(world, PERSONS, persons[1], {"livscyklus": "Passiv"})
    httpx.delete(f"{world.systems['lora']}/{PERSONS}/{persons[2]}").raise_for_status()
    change(world, RELATIONS, relations[0], egenskaber(RELATIONS, interessefaellesskabsnavn="Elsewhere"))
    kinds = ("changed", "changed", "passive", "deleted", "changed")
    return dict(zip((agreements[-1], *persons[:3], relations[0]), kinds, strict=True))


def egenskaber(lora_class: str, **fields: str) -> dict[str, Any]:
    name = lora_class.partition("/")[2]
    return {"attributter": {f"{name}egenskaber": [{"brugervendtnoegle": "x", **fields, "virkning": STRANGER}]}}


def change(world: World, lora_class: str, object_id: str, body: Mapping[str, Any]) -> None:
    httpx.patch(f"{world.systems['lora']}/{lora_class}/{object_id}", json=dict(body)).raise_for_status()


@contextmanager
def cache_of(world: World) -> Iterator[Cache]:
    cache = open_cache(world.settings(0))
    try:
        yield cache
    finally:
        cache.close()


def open_drift(world: World) -> dict[str, str]:
    with cache_of(world) as cache:
        return dict(cache.drifts.open("lora").select("object_id", "kind").iter_rows())


def test_a_first_load_counts_what_the_registry_saw(seen: Seen) -> None:
    counted = Counter(
        {name.removeprefix("requests_lora_"): n for name, n in seen.first_load.items() if "_lora_" in name}
    )
    assert counted["put"] == seen.sent["put"] > CUSTOMERS * 4
    assert counted["patch"] == seen.sent["patch"]
    assert counted["list"] + counted["describe"] == seen.sent["get"]
    assert seen.first_load["requests_lora"] == seen.sent.total()
    assert seen.first_load["created"] >= counted["put"]  # the CRM's rows are among them


def test_the_reconciliation_finds_exactly_what_others_did(seen: Seen) -> None:
    assert seen.found == seen.spoiled


def test_the_next_run_repairs_it_but_for_what_is_left(seen: Seen) -> None:
    assert seen.still_open == {seen.left: "changed"}
    assert seen.after, "the agreement says what others wrote"
    assert all("agreement" in text or "aftale" in text for text in seen.after), shown(seen.after)
