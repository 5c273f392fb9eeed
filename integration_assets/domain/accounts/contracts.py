"""Billing contracts (aftaler) on installations: what makes accounts, compared with what was linked before.

One row of KMD EE's customers is one contract account (kundeforhold) with one billing contract; it names the
installations of its consumption place that had a meter while it was valid, as the registry's agreement does.
"""

from typing import Final, NamedTuple

import polars as pl

from integration_assets.domain.registry.desired import installations_held

LINKS: Final = pl.Schema(
    {
        "customer_number": pl.String,
        "installation": pl.String,
        "supply_area": pl.String,
        "party_id": pl.String,
        "consumption_place": pl.Int64,
        "market_location": pl.String,
        "start": pl.Date,
        "end": pl.Date,
        "address_line": pl.String,
        "address_id": pl.String,
        "billing_line": pl.String,
        "billing_address_id": pl.String,
    }
)
"""A contract on an installation. `party_id` is the main customer; `end` the first day after, null without end;
`market_location` the MaLo-ID or GSRN as told."""

NAMED: Final = pl.Schema({**LINKS, "has_relation": pl.Boolean, "is_delivered": pl.Boolean, "held_from": pl.Date})
"""LINKS, whether the customer relation and the installation are there, and the first day on which they meet."""

KEY: Final = ("customer_number", "installation")
DECIDING: Final = ("party_id", "consumption_place", "market_location")
"""What a link hangs on: when one of these is another, create-or-update decides anew."""


class Entities(NamedTuple):
    """Rows of the entities that contracts are made of.

    `customers` and `meters` of kmd_ee/customers and kmd_ee/installations, `relations` of resolved/customers, `places`
    and `bills` of the resolved addresses, `market_locations` installation_number and market_location.
    """

    customers: pl.DataFrame
    meters: pl.DataFrame
    relations: pl.DataFrame
    places: pl.DataFrame
    bills: pl.DataFrame
    market_locations: pl.DataFrame


class Changes(NamedTuple):
    """What became of contracts: those to be decided (NAMED), those of which only what they show is different (LINKS),
    and those that are no longer there (KEY and account_id)."""

    to_decide: pl.DataFrame
    revised: pl.DataFrame
    gone: pl.DataFrame


def contract_links(entities: Entities, known: pl.DataFrame) -> pl.DataFrame:
    """The contracts of these customers on installations: NAMED, by the day on which they meet, then by number.

    `known` are the links of before (LINKS). An installation that has no row any more stays named by those contracts
    whose consumption place is the same: a row that is rejected today says nothing about the link.
    """
    customers = entities.customers.unique("customer_number", keep="first", maintain_order=True)
    held = (
        installations_held(customers, entities.meters)
        .group_by("customer_number", pl.col("installation_number").alias("installation"))
        .agg(pl.col("from").min().alias("held_from"))
        .with_columns(is_delivered=True)
    )
    place = customers.select("customer_number", pl.col("consumption_place_id").alias("consumption_place"))
    lost = (
        known.join(place, on=["customer_number", "consumption_place"], how="semi")
        .join(entities.meters.select(installation="installation_number"), on="installation", how="anti")
        .select(*KEY, pl.col("start").alias("held_from"), is_delivered=False)
    )
    numbers = entities.market_locations.select(pl.col("installation_number").alias("installation"), "market_location")
    relations = entities.relations.select("customer_number", "party_id", has_relation=True)
    places = entities.places.select("customer_number", "address_line", "address_id")
    bills = entities.bills.select(
        "customer_number",
        pl.col("address_line").alias("billing_line"),
        pl.col("address_id").alias("billing_address_id"),
    )
    contracts = customers.select(
        "customer_number",
        "supply_area",
        pl.col("consumption_place_id").alias("consumption_place"),
        pl.col("moved_in").alias("start"),
        pl.col("moved_out").alias("end"),
    )
    named = pl.concat([held.select(lost.columns), lost]).join(contracts, on="customer_number")
    for more, key in ((relations, "customer_number"), (places, "customer_number"), (bills, "customer_number"),
                      (numbers, "installation")):  # fmt: skip
        named = named.join(more.unique(key, keep="first"), on=key, how="left")
    rows = named.with_columns(pl.col("has_relation").fill_null(False))
    return rows.select(NAMED.names()).cast(NAMED).sort("held_from", "installation", "customer_number")


def changes(named: pl.DataFrame, known: pl.DataFrame, customers: pl.Series) -> Changes:
    """What is different from the links of before (LINKS and account_id); of `customers` (numbers), all was named.

    Where something is missing the contract is always to be decided: it waits; what it shows is revised all the same.
    Rows that are equal are nowhere.
    """
    before = known.rename({name: f"{name} before" for name in known.columns if name not in KEY})
    compared = named.join(before, on=list(KEY), how="left")

    def same(name: str) -> pl.Expr:
        return pl.col(name).eq_missing(pl.col(f"{name} before"))

    is_there = pl.all_horizontal(
        "has_relation", "is_delivered", pl.col("party_id").is_not_null(), pl.col("consumption_place").is_not_null()
    )
    is_linked_so = pl.all_horizontal(pl.col("account_id before").is_not_null(), *(same(name) for name in DECIDING))
    decided = compared.filter(~(is_there & is_linked_so))
    shown = [name for name in LINKS if name not in KEY]
    revised = compared.filter(is_linked_so & ~pl.all_horizontal(same(name) for name in shown))
    gone = known.filter(pl.col("customer_number").is_in(customers.implode())).join(named, on=list(KEY), how="anti")
    return Changes(decided.select(NAMED.names()), revised.select(LINKS.names()), gone.select(*KEY, "account_id"))
