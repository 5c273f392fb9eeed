"""Deliveries to the CRM through faults drawn by a seed, killed and run again: the end is true all the same.

Each seed draws how often the CRM drops connections, answers 429, 500 and 503, and cuts the connection after it did what
was asked, and after how many requests the process that delivers is killed. Some of the rows stood there before us,
under other ids. Rows are created (or taken over), then changed, ended and unlinked; then people change and delete some,
which is looked for and repaired. Each time a first process is killed and a second one finishes. Then every row must be
there once, as desired.
"""

import random
import time
from collections.abc import Callable, Iterator
from datetime import date
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from integration_assets.cache.store import Cache
from integration_assets.clients.dynamics import DynamicsClient
from integration_assets.clients.http import TransientError
from integration_assets.domain.crm.adoption import ADOPTED_ROWS
from integration_assets.domain.crm.fields import TABLE_FACTS
from integration_assets.domain.crm.tables import STANDARD
from integration_assets.flows.crm import LINKS, SYSTEM, deliver_rows, link_sender, row_sender, table_name
from integration_assets.flows.crm_drift import Means, look_for_changes
from integration_assets.flows.drift import Looked
from integration_assets.resources.cache import open_cache
from integration_assets.resources.dynamics import open_dynamics
from integration_assets.sandbox.background import RunningSandbox, start_in_background
from integration_assets.sandbox.systems import SandboxOptions
from integration_assets.sandbox.verify_read import Crm
from integration_assets.settings import Settings
from integration_assets_tests.end_to_end.processes import FORKS
from integration_assets_tests.flows.crm_city import AREA, CHANGING, ORDER, city, in_crm, row_id, wanted

CUSTOMERS = 16
SEEDS = [*range(2), *(pytest.param(seed, marks=pytest.mark.slow) for seed in range(2, 30))]
FINISHED_WITHIN_S = 120.0
DAY = date(2026, 3, 1)
OLD = "Fra før os"


@pytest.fixture(scope="module")
def crm(server_dir: Path) -> Iterator[RunningSandbox]:
    """A sandbox with the CRM alone."""
    running = start_in_background(SandboxOptions(data_dir=server_dir / "crm_seeds", systems=("dataverse",)))
    yield running
    running.stop()


@pytest.mark.parametrize("seed", SEEDS)
def test_every_row_is_there_once_and_as_desired(crm: RunningSandbox, new_cache: Callable[[], str], seed: int) -> None:
    dice = random.Random(seed)
    crm.post("/reset")
    known: dict[str, Any] = {name: value for name, value in crm.settings.items() if name in Settings.model_fields}
    given = known | {
        "cache_url": new_cache(),
        "crm_batch_rows": 12,
        "retry_base_seconds": 0.01,
        "http_first_pause_seconds": 0.01,
    }
    cache = open_cache(Settings(**given))
    try:
        adopted = _stood_before(given, cache, dice)
        frames: dict[str, pl.DataFrame] = {}
        for frames in (city(range(CUSTOMERS)), _second(dice)):
            for entity, frame in frames.items():
                cache.deliveries.desire(SYSTEM, entity, frame)
            _misbehave(crm, dice)
            _kill_a_delivery(crm, given, requests=dice.randrange(1, 25))
            _finish(given)
        crm.post("/faults", {"dataverse": {}})
        _compare(given, frames, adopted)
        _people_work(given, adopted, dice)
        _misbehave(crm, dice)
        _kill_a_delivery(crm, given, requests=dice.randrange(1, 15), looking=True)
        _finish(given, looking=True)
        crm.post("/faults", {"dataverse": {}})
        _compare(given, frames, adopted)
        _nothing_drifts(given)
    finally:
        cache.close()


def _second(dice: random.Random) -> dict[str, pl.DataFrame]:
    """Another version of the rows, with some roles ended and some links taken away."""
    frames = city(range(CUSTOMERS), 1)
    numbers = dice.sample(range(CUSTOMERS), 10)
    ended = pl.col("object_id").is_in([row_id("customer_roles", number) for number in numbers])
    frames["customer_roles"] = frames["customer_roles"].with_columns(
        statecode=pl.when(ended).then(1).otherwise(0).cast(pl.Int64),
        statuscode=pl.when(ended).then(2).otherwise(1).cast(pl.Int64),
    )
    parted = pl.col("object_id").is_in([row_id(LINKS, number) for number in numbers])
    frames[LINKS] = frames[LINKS].with_columns(linked=~parted)
    # A lookup that is taken away.
    homeless = pl.col("object_id").is_in([row_id("contacts", number) for number in numbers])
    frames["contacts"] = frames["contacts"].with_columns(ava_adresse=pl.when(~homeless).then("ava_adresse"))
    return frames


def _misbehave(crm: RunningSandbox, dice: random.Random) -> None:
    rates = ("rate_429", "rate_500", "rate_503", "rate_drop", "rate_timeout_after_commit")
    plan = {name: dice.uniform(0, 0.12) for name in rates} | {"retry_after_s": 0.02, "seed": dice.randrange(10**6)}
    crm.post("/faults", {"dataverse": plan})
    crm.post("/requests/clear")


def _stood_before(given: dict[str, Any], cache: Cache, dice: random.Random) -> dict[str, str]:
    """Rows that others made, under ids of their own, and that are adopted: their ids by ours."""
    numbers = dice.sample(range(CUSTOMERS), 6)
    adopted = {row_id(entity, number): _theirs(entity, number) for entity in TABLE_FACTS for number in numbers[:4]}
    adopted |= {row_id("contacts", number): _theirs("contacts", number) for number in numbers[4:]}
    rows: list[tuple[str, str, str, str | None, bool]] = []
    client = open_dynamics(Settings(**given))
    try:
        for entity in TABLE_FACTS:
            here = {ours: theirs for ours, theirs in adopted.items() if ours.startswith(row_id(entity, 0)[:8])}
            rows += [(entity, theirs, ours, None, True) for ours, theirs in here.items()]
            primary_id = TABLE_FACTS[entity].primary_id
            name = {"contacts": "telephone1", "accounts": "name"}.get(entity, "ava_name")
            made = client.create(table_name(entity), [{primary_id: theirs, name: OLD} for theirs in here.values()])
            assert all(outcome.ok for outcome in made)
    finally:
        client.close()
    cache.row_adoptions.record(pl.DataFrame(rows, schema=ADOPTED_ROWS, orient="row"), DAY)
    return adopted


def _theirs(entity: str, number: int) -> str:
    return f"e{row_id(entity, number)[1:]}"


def _people_work(given: dict[str, Any], adopted: dict[str, str], dice: random.Random) -> None:
    """People change columns of ours and of theirs, and delete rows."""
    client = open_dynamics(Settings(**given))
    try:
        for entity in TABLE_FACTS:
            primary_id = TABLE_FACTS[entity].primary_id
            ids = [adopted.get(key, key) for key in (row_id(entity, number) for number in range(CUSTOMERS))]
            changed, deleted = dice.sample(ids, 3), dice.sample(ids, 2)
            rows = [{primary_id: key, CHANGING[entity]: None} for key in changed]
            assert all(outcome.ok for outcome in client.update(table_name(entity), rows))
            with Crm(given) as crm:
                for key in deleted:
                    crm.delete(TABLE_FACTS[entity].set_name, key)
    finally:
        client.close()


def _look(given: dict[str, Any], cache: Cache, client: DynamicsClient) -> Looked:
    """What changed in the CRM since the last look."""
    means = Means.of(Settings(**given), cache, client, STANDARD, DAY)
    total = Looked()
    for entity in TABLE_FACTS:
        total.kinds.update(look_for_changes(means, entity).kinds)
    return total


def _nothing_drifts(given: dict[str, Any]) -> None:
    cache, client = open_cache(Settings(**given)), open_dynamics(Settings(**given))
    try:
        assert _look(given, cache, client).kinds == {}
        assert cache.drifts.open(SYSTEM).is_empty()
    finally:
        client.close()
        cache.close()


def _kill_a_delivery(crm: RunningSandbox, given: dict[str, Any], *, requests: int, looking: bool = False) -> None:
    process = FORKS.Process(target=_finish, args=(given,), kwargs={"looking": looking}, daemon=True)
    process.start()
    deadline = time.monotonic() + FINISHED_WITHIN_S
    while process.is_alive() and time.monotonic() < deadline:
        if crm.get("/requests/summary").get("dataverse", {}).get("total", 0) >= requests:
            break
        time.sleep(0.005)
    process.kill()
    process.join()


def _finish(given: dict[str, Any], *, looking: bool = False) -> None:
    """Delivers until nothing is left to deliver; `looking` for what people changed before that."""
    settings = Settings(**given)
    cache, client = open_cache(settings), open_dynamics(settings)
    deadline = time.monotonic() + FINISHED_WITHIN_S
    try:
        while time.monotonic() < deadline:
            if looking:
                try:
                    _look(given, cache, client)
                    looking = False
                except TransientError:
                    continue
            for entity in ORDER:
                send = (
                    link_sender(client, adoptions=cache.row_adoptions)
                    if entity == LINKS
                    else row_sender(client, entity, adoptions=cache.row_adoptions)
                )
                deliver_rows(cache.deliveries, client, entity, send, [AREA])
            if all(set(cache.deliveries.counts(SYSTEM, entity)) == {"delivered"} for entity in ORDER):
                return
            time.sleep(0.02)
        raise AssertionError({entity: cache.deliveries.counts(SYSTEM, entity) for entity in ORDER})
    finally:
        client.close()
        cache.close()


def _compare(given: dict[str, Any], frames: dict[str, pl.DataFrame], adopted: dict[str, str]) -> None:
    def there(value: Any) -> Any:
        return adopted.get(value, value) if isinstance(value, str) else value

    client = open_dynamics(Settings(**given))
    try:
        for entity in ORDER[:-1]:
            should = {
                there(key): {name: there(value) for name, value in row.items()}
                for key, row in wanted(frames[entity]).items()
            }
            assert in_crm(client, entity) == should, entity
    finally:
        client.close()
    agreements = [there(row_id("agreements", number)) for number in range(CUSTOMERS)]
    with Crm(given) as crm:
        linked = crm.linked("ava_aftales", "ava_aktoerens_aftaler", agreements, "contactid")
    pairs = {(agreement, contact) for agreement, contacts in linked.items() for contact in contacts}
    desired = frames[LINKS].filter("linked").select("agreement_id", "contact_id").iter_rows()
    assert pairs == {(there(agreement), there(contact)) for agreement, contact in desired}
