"""Agreements that change day by day, and facts that follow them: at the end they are what a plain loop says."""

import random

import pytest

from integration_assets.cache.store import Cache
from integration_assets.domain.identity import ObjectIds
from integration_assets_tests.flows.billing_town import AREA, DAY, FIRST, BillingTown, differences

EVENTS = {
    "out", "in", "succeeded", "too_early", "other_end", "no_end", "earlier", "later", "annul", "not_annulled", "meter",
    "meter_was_wrong", "vanish",
}  # fmt: skip
KINDS = {
    "new_contract", "move_out", "change_move_out_date", "cancel_contract_end", "change_move_in_date",
    "cancel_contract_start", "product_change", "product_change_cancel", "contract_change",
}  # fmt: skip


def lived(town: BillingTown, store: Cache, ids: ObjectIds, days: int) -> int:
    """Plays the days, a night's run after each; how many calls were refused for a night."""
    refused = town.night(store, ids, FIRST)
    for day in range(1, days + 1):
        town.play(FIRST + day * DAY)
        refused += town.night(store, ids, FIRST + day * DAY)
    town.end_overlaps()
    return refused + town.night(store, ids, FIRST + (days + 1) * DAY)


@pytest.mark.parametrize("seed", range(2))
def test_the_facts_of_a_town_are_the_truth(store: Cache, ids: ObjectIds, seed: int) -> None:
    town = BillingTown(12, random.Random(f"billing town {seed}"))
    lived(town, store, ids, 50)
    assert differences(town, store, FIRST + 120 * DAY) == []
    assert store.agreement_events.open([AREA]) == []


@pytest.mark.slow
def test_after_400_days_the_facts_of_a_town_are_the_truth(store: Cache, ids: ObjectIds) -> None:
    town = BillingTown(60, random.Random("a long life"))
    refused = lived(town, store, ids, 400)
    assert town.happened == EVENTS
    assert set(store.agreement_events.read()["kind"]) == KINDS
    assert refused, "a successor who was typed too early waited for the move-out"
    assert store.agreement_events.open([AREA]) == []
    assert differences(town, store, FIRST + 460 * DAY) == []


def test_a_fact_that_is_not_the_truth_is_found(store: Cache, ids: ObjectIds) -> None:
    """The comparison can fail."""
    town = BillingTown(2, random.Random("a small one"))
    town.night(store, ids, FIRST)
    assert differences(town, store, FIRST) == []
    name = next(iter(town.meters))
    town.meters[name].append(["qp 2,5" if town.meters[name][0][0] == "qp 0,6" else "qp 0,6", FIRST, None])
    town.meters[name][0][2] = FIRST
    assert len(differences(town, store, FIRST)) == 1
