"""Accounts of a town that clerks change day by day, refreshed on some nights only: each time they are the plain truth.

The town is that of the installation facts; what its accounts must show is told here by loops over its records.
"""

import json
import random
from datetime import UTC, date, datetime
from typing import Any

import polars as pl
import pytest
import sqlalchemy as sa

from integration_assets.cache.merge import merge_partition
from integration_assets.cache.store import Cache
from integration_assets.domain.identity import ObjectIds
from integration_assets.domain.schema import EntityTable
from integration_assets.domain.tables import KMD_CUSTOMERS, KMD_INSTALLATIONS, RESOLVED_CUSTOMERS
from integration_assets.flows.accounts import Refreshed, refresh_accounts
from integration_assets_tests.domain.accounts.account_model import FAR, Contract, contract_that_counts
from integration_assets_tests.flows.account_street import at_five
from integration_assets_tests.flows.billing_town import AREA, DAY, FIRST, PRODUCT, Agreement, BillingTown

Key = tuple[str, str]


def party_of(agreement: Agreement) -> str:
    """Two parties have a place by turns, so that they come back to their account."""
    return f"party {int(agreement.number) % 2} of place {agreement.place}"


def keep(store: Cache, town: BillingTown) -> None:
    """The rows of the day, as the assets before keep them."""
    living = {one.number: one for one in town.agreements}
    rows = town.resolved().with_columns(
        pl.col("customer_number")
        .replace_strict({number: party_of(one) for number, one in living.items()})
        .alias("party_id")
    )
    for table, frame in (
        (KMD_CUSTOMERS, rows), (RESOLVED_CUSTOMERS, rows), (KMD_INSTALLATIONS, town.meter_rows()),
    ):  # fmt: skip
        merge_partition(
            store.engine, table, [AREA], whole(table, frame), cipher=store.cipher, as_of_now=datetime.now(UTC)
        )


def whole(table: EntityTable, frame: pl.DataFrame) -> pl.DataFrame:
    missing = [pl.lit(None, dtype).alias(name) for name, dtype in table.schema.items() if name not in frame.columns]
    return frame.with_columns(missing).select(table.schema.names())


def night(store: Cache, ids: ObjectIds, town: BillingTown, today: date) -> Refreshed:
    keep(store, town)
    return refresh_accounts(store, ids, [AREA], today, at_five(today), utility="Varme")


def expected(town: BillingTown, ever: set[Key], today: date) -> dict[Key, dict[str, Any]]:
    """What the accounts show today; `ever` are those that there have been before, and gets those of today."""
    held: dict[Key, list[Contract]] = {}
    for one in town.agreements:
        if one.annulled:
            continue
        for installation in (name for name, place in town.place_of.items() if place == one.place):
            last = FAR if one.moved_out is None else one.moved_out - DAY
            held.setdefault((party_of(one), installation), []).append(Contract(one.number, one.moved_in, last))
    ever.update(held)
    found: dict[Key, dict[str, Any]] = {}
    for party, installation in ever:
        contract = contract_that_counts(held.get((party, installation), []), today)
        meters = town.meters[installation]
        holding = [
            (number, kind)
            for number, (kind, first, last) in enumerate(meters)
            if first <= today and (last is None or today < last)  # type: ignore[operator]
        ]
        ((number, kind),) = holding
        shown = {"status": "PROSPECT", "customer_number": None, "contract_start": None, "contract_end": None,
                 "meter_number": f"{installation}-{number}"}  # fmt: skip
        if contract is not None:
            status = "FUTURE" if contract.first > today else "ENDED" if contract.last < today else "ACTIVE"
            end = None if contract.last == FAR else contract.last + DAY
            shown |= {"status": status, "customer_number": contract.number, "contract_start": contract.first,
                      "contract_end": end}  # fmt: skip
            undisputed = not any(one.place == town.place_of[installation] for one, _ in town.overlapping)
            if status == "ACTIVE" and undisputed:
                shown |= {"product": PRODUCT[str(kind)], "tariff_facts": town.truth(installation, today)}
        found[(party, installation)] = shown
    return found


def differences(store: Cache, wanted: dict[Key, dict[str, Any]]) -> list[str]:
    rows = {(row["party_id"], row["installation"]): row for row in store.accounts.rows([AREA]).to_dicts()}
    found = [f"{key}: {'missing' if key in wanted else 'too much'}" for key in rows.keys() ^ wanted.keys()]
    for key in rows.keys() & wanted.keys():
        told = {**rows[key], "tariff_facts": json.loads(rows[key]["tariff_facts"])}
        found += [
            f"{key} {name}: {told[name]} and not {value}" for name, value in wanted[key].items() if told[name] != value
        ]
    return found


def lived(store: Cache, ids: ObjectIds, town: BillingTown, days: int, *, timer: random.Random, runs: float) -> int:
    """Plays the days; facts follow every night, accounts on a share of the nights (`runs`). How many refreshes."""
    ever: set[Key] = set()
    refreshed = 0
    for day in range(days + 1):
        today = FIRST + day * DAY
        if day:
            town.play(today)
        town.night(store, ids, today)
        if day < days and timer.random() > runs:
            continue
        refreshed += 1
        night(store, ids, town, today)
        assert differences(store, expected(town, ever, today)) == [], f"on {today}"
    return refreshed


def test_the_accounts_of_a_town_are_the_truth_whatever_nights_are_missed(store: Cache, ids: ObjectIds) -> None:
    town = BillingTown(12, random.Random("a town with accounts"))
    assert lived(store, ids, town, 40, timer=random.Random("some nights"), runs=0.4) < 30
    last = FIRST + 40 * DAY
    counts = night(store, ids, town, last).counts
    assert {name: number for name, number in counts.items() if number} == {}


def test_an_account_that_is_not_the_truth_is_found(store: Cache, ids: ObjectIds) -> None:
    """The comparison can fail."""
    town = BillingTown(2, random.Random("a small one"))
    town.night(store, ids, FIRST)
    night(store, ids, town, FIRST)
    assert differences(store, expected(town, set(), FIRST)) == []
    with store.engine.begin() as connection:
        connection.execute(
            sa.text("UPDATE installation_account SET meter_number = 'x', status = NULL WHERE installation = '00'")
        )
        connection.execute(sa.text("UPDATE installation_account SET tariff_facts = '{}' WHERE installation = '10'"))
    told = differences(store, expected(town, set(), FIRST))
    assert ["missing" in told[0], "tariff_facts" in told[1], len(told)] == [True, True, 2]


@pytest.mark.slow
def test_after_400_days_the_accounts_of_a_town_are_the_truth(store: Cache, ids: ObjectIds) -> None:
    town = BillingTown(60, random.Random("a long life with accounts"))
    lived(store, ids, town, 400, timer=random.Random("most nights"), runs=0.7)
    assert {"annul", "not_annulled", "too_early", "meter_was_wrong", "vanish"} <= town.happened
