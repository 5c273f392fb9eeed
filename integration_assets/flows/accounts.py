"""Installation accounts (installationskonti) kept as they should be: contracts linked, accounts marked and updated.

Three steps that may run alone, at any time and side by side: `follow_contracts` creates or updates accounts from the
billing contracts of supply areas, `mark_accounts` marks those that time or a change has overtaken, `update_marked`
derives what they show anew.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from pathlib import Path
from typing import Final

import polars as pl

from integration_assets.cache.account_entities import STANDING_METERS, linked_entities, meters_at
from integration_assets.cache.account_links import LinkEvent
from integration_assets.cache.accounts import ACCOUNTS_AT_ONCE
from integration_assets.cache.claim_ledger import ClaimLedger
from integration_assets.cache.parts import Failure
from integration_assets.cache.store import Cache
from integration_assets.domain.accounts.contracts import KEY, LINKS, Entities, changes, contract_links
from integration_assets.domain.accounts.decision import LinkedContract, Order, Outcome, to_decide_again
from integration_assets.domain.accounts.derived import COLLECTIONS, Issue, Status, derived
from integration_assets.domain.crm.fields import TABLE_FACTS
from integration_assets.domain.identity import ObjectIds
from integration_assets.domain.source import REJECTIONS
from integration_assets.domain.tables import (
    KMD_CUSTOMERS,
    KMD_INSTALLATIONS,
    RESOLVED_BILLING_ADDRESSES,
    RESOLVED_CONSUMPTION_ADDRESSES,
    RESOLVED_CUSTOMERS,
)
from integration_assets.flows.agreement_events import annulled_agreements

MARKET_LOCATIONS: Final = pl.Schema({"installation_number": pl.String, "market_location": pl.String})
NO_COLLECTIONS: Final = COLLECTIONS.to_frame()
"""Nobody has a claim under collection."""

FAILED: Final = "account_failed"
"""Reason of the rejection of what the database refused."""

_CONTRACT_COLUMNS: Final = ("customer_number", "supply_area", "consumption_place_id", "moved_in", "moved_out")


class BadMarketLocations(ValueError):
    """The file of market locations cannot be used; the text says why."""


@dataclass
class Refreshed:
    """What was done, as counts by name, and what could not be done (columns of `cache.rejections.FOUND`)."""

    counts: dict[str, int]
    rejections: pl.DataFrame


@dataclass
class Followed:
    """What became of contracts: how many of each outcome, revised and gone, how many wait, and failures."""

    outcomes: Counter[Outcome] = field(default_factory=Counter[Outcome])
    revised: int = 0
    gone: int = 0
    failures: list[Failure] = field(default_factory=list[Failure])

    def counts(self) -> dict[str, int]:
        """The numbers by name, as journal and metadata take them."""
        told = {
            "accounts_created": self.outcomes[Outcome.CREATED],
            "contracts_linked": self.outcomes[Outcome.UPDATED],
            "accounts_reassigned": self.outcomes[Outcome.REASSIGNED],
            "accounts_superseded": self.outcomes[Outcome.REASSIGNED_AND_SUPERSEDED],
            "contracts_waiting": self.outcomes[Outcome.PENDING],
        }
        return {**told, "contracts_revised": self.revised, "contracts_gone": self.gone}


def refresh_accounts(
    cache: Cache,
    ids: ObjectIds,
    areas: Sequence[str],
    today: date,
    now: datetime,
    *,
    utility: str,
    order: Order = Order.PURPOSE,
    market_locations: pl.DataFrame | None = None,
    collections: pl.DataFrame = NO_COLLECTIONS,
) -> Refreshed:
    """All three steps for the supply areas. `market_locations` (MARKET_LOCATIONS) may be None: there are none.

    `collections` (COLLECTIONS) are the customers with claims under collection. `now` is written to what is calculated.
    """
    numbers = MARKET_LOCATIONS.to_frame() if market_locations is None else market_locations
    followed = follow_contracts(cache, ids, areas, today, order=order, market_locations=numbers)
    marked = cache.accounts.mark(areas, today, collections)
    updated = update_marked(cache, areas, today, now, utility=utility, collections=collections)
    failures = [*followed.failures, *updated.failures]
    counts = {
        **followed.counts(),
        **{f"marked_{reason.lower()}": number for reason, number in sorted(marked.items())},
        "accounts_calculated": updated.calculated,
        "accounts_changed": updated.changed,
        "accounts_left": updated.left,
        "accounts_failed": len(failures),
    }
    return Refreshed(counts, worklist(cache, areas, failures))


def follow_contracts(
    cache: Cache,
    ids: ObjectIds,
    areas: Sequence[str],
    today: date,
    *,
    order: Order = Order.PURPOSE,
    market_locations: pl.DataFrame,
) -> Followed:
    """Creates or updates accounts from the billing contracts of the supply areas; what did not change costs nothing.

    Contracts of other areas that wait for an installation that is in these are decided again too. A contract that was
    annulled never had a day: it is shown by no account.
    """
    entities = _entities(cache, areas, market_locations)
    customers = entities.customers["customer_number"].unique()
    annulled = annulled_agreements(cache, areas)
    agreed = entities.customers.filter(~pl.col("customer_number").is_in(annulled.implode()))
    entities = entities._replace(customers=agreed)
    known = cache.account_links.contracts(customers)
    entities = _with_meters_elsewhere(cache, entities, known)
    named = contract_links(entities, known.select(LINKS.names()))
    changed = changes(named, known, customers)
    events = [_event(row) for row in changed.to_decide.iter_rows(named=True)]
    report = cache.account_links.link(events, order, lambda text: str(ids.of("installation_account", text)))
    pending = [(*key, list(each.missing)) for key, each in report.decisions.items() if each.outcome is Outcome.PENDING]
    waiting = pl.DataFrame(
        pending, schema={**dict.fromkeys(KEY, pl.String), "missing": pl.List(pl.String)}, orient="row"
    )
    waiting = waiting.join(named.select(*KEY, "supply_area"), on=list(KEY))
    cache.account_links.wait(areas, customers, waiting, today)
    cache.account_links.unlink(changed.gone)
    return Followed(
        Counter(decision.outcome for decision in report.decisions.values()),
        cache.account_links.revise(changed.revised),
        changed.gone.height,
        list(report.failures),
    )


@dataclass
class Updated:
    """Accounts calculated, those of them that are different now, those left as they were, and those that failed."""

    calculated: int = 0
    changed: int = 0
    left: int = 0
    failures: list[Failure] = field(default_factory=list[Failure])


def update_marked(
    cache: Cache,
    areas: Sequence[str] | None,
    today: date,
    now: datetime,
    *,
    utility: str,
    collections: pl.DataFrame = NO_COLLECTIONS,
) -> Updated:
    """Derives the marked accounts (of these areas) anew and takes their marks off. A failing account stays marked."""
    done = Updated()
    ids = cache.accounts.marked_ids(areas)
    for start in range(0, len(ids), ACCOUNTS_AT_ONCE):
        # The mark before the data: what changes in between is marked anew, and the account is left alone.
        marked = cache.accounts.marked(ids[start : start + ACCOUNTS_AT_ONCE])
        installations = marked["installation"].drop_nulls().to_list()
        linked = linked_entities(cache.engine, marked["account_id"].to_list(), installations, today, collections)
        updates = derived(marked, linked, today, utility).join(
            marked.select("account_id", "mark_version", "linked_stamp"), on="account_id"
        )
        report = cache.accounts.write(updates, today, now)
        done.calculated += report.calculated
        done.changed += report.changed
        done.left += report.left
        shown = {row[0]: row[1:] for row in marked.select("account_id", "installation", "supply_area").iter_rows()}
        done.failures += [
            Failure(shown[failed.key][0] or failed.key, shown[failed.key][1], failed.sentence)
            for failed in report.failures
        ]
    return done


def open_collections(cache: Cache) -> pl.DataFrame:
    """The customers with claims under collection (COLLECTIONS): a claim counts for all of their installations."""
    found = ClaimLedger(cache.engine).open_collections()
    return found.select("customer_number", pl.lit(None, pl.String).alias("installation"))


def delivered_targets(cache: Cache) -> dict[str, pl.Series]:
    """The ids of the rows that were delivered to the CRM and may be pointed at, by entity set."""
    return {
        facts.set_name: pl.Series(cache.deliveries.object_ids("crm", entity, None, delivered=True), dtype=pl.String)
        for entity, facts in TABLE_FACTS.items()
        if entity != "customer_roles"
    }


def read_market_locations(file: Path | None) -> pl.DataFrame:
    """The market locations of installations (MARKET_LOCATIONS), from a CSV file with these columns; none without it.

    Raises BadMarketLocations when it cannot be read, lacks a column or names an installation twice.
    """
    if file is None:
        return MARKET_LOCATIONS.to_frame()
    try:
        rows = pl.read_csv(file, infer_schema=False)
    except (OSError, pl.exceptions.PolarsError) as error:
        raise BadMarketLocations(f"The file of market locations {file} cannot be read: {error}") from None
    if lacking := [name for name in MARKET_LOCATIONS if name not in rows.columns]:
        raise BadMarketLocations(f"The file of market locations {file} has no column {', '.join(lacking)}.")
    told = rows.select(pl.col(name).str.strip_chars() for name in MARKET_LOCATIONS).drop_nulls()
    if told["installation_number"].is_duplicated().any():
        twice = told.filter(pl.col("installation_number").is_duplicated())["installation_number"].unique().sort()
        raise BadMarketLocations(f"The file of market locations {file} names installation {twice[0]} twice.")
    return told


def worklist(cache: Cache, areas: Sequence[str], failures: Sequence[Failure]) -> pl.DataFrame:
    """What a person must look at, as rejections: data that contradict each other, living accounts without a meter,
    numbers of no scheme, and what failed. Their key is the installation number; where linking failed, the customer's.
    """
    issues = cache.accounts.issues(areas).with_columns(
        pl.col("issue").str.split_exact(": ", 1).struct.rename_fields(["reason", "text"])
    )
    told = issues.unnest("issue").filter(
        (pl.col("reason") != Issue.NO_METER) | (pl.col("status") == Status.ACTIVE).fill_null(False)
    )
    found = told.select(pl.col("installation").alias("record_key"), "reason", "text", "customer_number", "supply_area")
    failed = pl.DataFrame(
        [(one.key, FAILED, one.sentence, None, one.area) for one in failures if one.area in areas],
        schema=REJECTIONS,
        orient="row",
    )
    return pl.concat([found.cast(REJECTIONS), failed]).unique(["record_key", "reason", "supply_area"], keep="first")


def _entities(cache: Cache, areas: Sequence[str], market_locations: pl.DataFrame) -> Entities:
    """The entities of the areas; with the customers of other areas who wait for an installation of these."""
    meters = cache.read(KMD_INSTALLATIONS, list(areas), columns=list(STANDING_METERS))
    waiting = cache.account_links.waiting().filter(~pl.col("supply_area").is_in(list(areas)))
    keys = [
        (row["customer_number"], [f"{name}:{row['installation']}" for name in row["missing"]], row["supply_area"])
        for row in waiting.iter_rows(named=True)
    ]
    arrived = {f"installation:{number}" for number in meters["installation_number"].unique()} if keys else set[str]()
    again = set(to_decide_again({customer: missing for customer, missing, _ in keys}, arrived))
    wanted = sorted({*areas, *(area for customer, _, area in keys if customer in again)})
    customers = cache.read(KMD_CUSTOMERS, wanted, columns=_CONTRACT_COLUMNS).filter(
        pl.col("supply_area").is_in(list(areas)) | pl.col("customer_number").is_in(sorted(again))
    )
    number = "customer_number"
    return Entities(
        customers=customers,
        meters=meters,
        relations=cache.read(RESOLVED_CUSTOMERS, wanted, columns=(number, "party_id")),
        places=cache.read(RESOLVED_CONSUMPTION_ADDRESSES, wanted, columns=(number, "address_line", "address_id")),
        bills=cache.read(RESOLVED_BILLING_ADDRESSES, wanted, columns=(number, "address_line", "address_id")),
        market_locations=market_locations,
    )


def _with_meters_elsewhere(cache: Cache, entities: Entities, known: pl.DataFrame) -> Entities:
    """Adds the meters of other supply areas at places, and of installations, of which these areas have none."""
    here = entities.meters
    places = entities.customers["consumption_place_id"].drop_nulls().unique()
    places = places.filter(~places.is_in(here["consumption_place_id"].implode()))
    installations = known["installation"].unique()
    installations = installations.filter(~installations.is_in(here["installation_number"].implode()))
    if places.is_empty() and installations.is_empty():
        return entities
    elsewhere = meters_at(cache.engine, places.to_list(), installations.to_list())
    return entities._replace(meters=pl.concat([here, elsewhere]).unique(maintain_order=True))


def _event(row: dict[str, object]) -> LinkEvent:
    """The contract as create-or-update takes it: what has not arrived is None."""

    def text(name: str) -> str | None:
        return None if row[name] is None else str(row[name])

    contract = LinkedContract(
        installation_number=text("installation"),
        contract_account=text("customer_number") if row["has_relation"] else None,
        partner=text("party_id"),
        installation=text("installation") if row["is_delivered"] else None,
        connection_object=text("consumption_place"),
        market_location=text("market_location"),
        billing_contract=text("customer_number"),
    )
    return LinkEvent(contract, {name: row[name] for name in LINKS})
