"""A town whose incomplete numbers are completed over HTTP, and the judgement on what came out.

What is right comes from the town's own records, which say of each row whom it means, or why nobody can know. Used by
the test and by the command that does the same in large.
"""

import time
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

import dagster as dg

from integration_assets.automation.jobs import address_register, main_flow
from integration_assets.definitions import build_definitions
from integration_assets.domain.tables import KMD_CUSTOMERS, RESOLVED_CONSUMPTION_ADDRESSES, RESOLVED_CUSTOMERS
from integration_assets.partitions import ALL_MUNICIPALITIES, SUPPLY_AREAS, range_tags
from integration_assets.resources.business_day import AS_OF_TAG
from integration_assets.resources.cache import open_cache
from integration_assets.sandbox.store import Store
from integration_assets.sandbox.town_model import load
from integration_assets.sandbox.town_rules import as_of, is_visible
from integration_assets.settings import Settings

ASSETS = (KMD_CUSTOMERS, RESOLVED_CONSUMPTION_ADDRESSES, RESOLVED_CUSTOMERS)
QUIET = {"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}}
_REJECTING = "resolved/customers"
_UNKNOWN = "0000"

Json = dict[str, Any]


@dataclass(frozen=True)
class Case:
    """A number without serial in the billing system: whose it is, or why nobody can know."""

    record_key: str
    kind: str
    number: str | None = field(repr=False)
    reason: str | None


@dataclass(frozen=True)
class Verdict:
    """Record keys and kinds of what came out otherwise than planted, and how many cases there were."""

    unique: Counter[str]
    refused: Counter[str]
    wrong: list[Case]
    missed: list[tuple[Case, str | None]]
    other_reason: list[tuple[Case, str | None]]

    @property
    def recall(self) -> float:
        """The share completed of those that a unique correct answer exists for."""
        return 1 - len(self.missed) / self.unique.total()


def planted_cases(kmd_ee_url: str) -> list[Case]:
    """Every number without serial that the source shows on the town's day, by the town's own records.

    The co-customer of a row that is refused as a whole is none: nothing is made of such a row.
    """
    store = Store(kmd_ee_url.replace("/kmd_ee?", "/sandbox?"))
    try:
        town = load(store)
    finally:
        store.close()
    rows = [row for row in town.customers.values() if is_visible(row, as_of(town))]
    mains = [Case(str(row.number), row.kind, row.party, row.reason) for row in rows if row.id_number.endswith(_UNKNOWN)]
    cos = [
        Case(f"{row.number}/co", row.kind, row.co, row.co_reason)
        for row in rows
        if row.co_id_number.endswith(_UNKNOWN) and row.reason is None
    ]
    return mains + cos


def complete(settings: Settings, areas: tuple[str, ...]) -> float:
    """Loads the addresses, then runs the assets up to the completed customers; seconds of the latter."""
    definitions = build_definitions(settings)
    as_of_day = {AS_OF_TAG: str(settings.business_day)}
    with dg.DagsterInstance.ephemeral() as instance:
        instance.add_dynamic_partitions(str(SUPPLY_AREAS.name), list(areas))
        definitions.resolve_job_def(address_register.name).execute_in_process(
            instance=instance, run_config=QUIET, tags={**ALL_MUNICIPALITIES, **as_of_day}
        )
        began = time.monotonic()
        definitions.resolve_job_def(main_flow.name).execute_in_process(
            instance=instance,
            run_config=QUIET,
            tags={**range_tags(areas[0], areas[-1]), **as_of_day},
            asset_selection=[dg.AssetKey(table.asset) for table in ASSETS],
        )
        return time.monotonic() - began


def judged(settings: Settings, cases: list[Case]) -> Verdict:
    """What the cache holds after a run, against what was planted."""
    cache = open_cache(settings)
    try:
        rows = cache.read(RESOLVED_CUSTOMERS, columns=("customer_number", "number", "co_number"))
        open_rejections = cache.rejections.open(_REJECTING)
    finally:
        cache.close()
    found = dict(rows.select("customer_number", "number").iter_rows())
    found |= {f"{key}/co": number for key, number in rows.select("customer_number", "co_number").iter_rows()}
    reasons = dict(open_rejections.select("record_key", "reason").iter_rows())
    verdict = Verdict(
        Counter(case.kind for case in cases if case.number),
        Counter(case.kind for case in cases if not case.number),
        [],
        [],
        [],
    )
    for case in cases:
        number, reason = found.get(case.record_key), reasons.get(case.record_key)
        if number is not None and number != case.number:
            verdict.wrong.append(case)
        elif case.number is not None and number is None:
            verdict.missed.append((case, reason))
        elif case.number is None and reason != case.reason:
            verdict.other_reason.append((case, reason))
    return verdict
