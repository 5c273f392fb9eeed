"""What an installation account shows: fields derived from the linked entities as they are on a day, on frames.

Fields that come from the billing side mirror it, emptiness included. Fields that people keep are none of these and are
never written. Days come half-open here: `end` and `to` are the first day after, null is an open end.
"""

from collections.abc import Sequence
from datetime import date
from enum import StrEnum
from typing import Final, NamedTuple

import polars as pl

from integration_assets.domain.accounts.market_locations import scheme_of
from integration_assets.domain.registry.meters import DISTANT_FUTURE, DISTANT_PAST

FIELDS: Final = pl.Schema(
    {
        "supply_area": pl.String,
        "status": pl.String,
        "customer_number": pl.String,
        "contract_start": pl.Date,
        "contract_end": pl.Date,
        "utility": pl.String,
        "address_line": pl.String,
        "address_id": pl.String,
        "meter_number": pl.String,
        "meter_type": pl.String,
        "product": pl.String,
        "tariff_facts": pl.String,
        "billing_line": pl.String,
        "billing_address_id": pl.String,
        "open_collection": pl.Boolean,
    }
)
"""The derived fields. `customer_number` is that of the contract that counts: contract account, payment account and
billing contract in one; `tariff_facts` the facts of the day as a JSON object by operand."""

ACCOUNTS: Final = pl.Schema({"account_id": pl.String, "supply_area": pl.String, "installation": pl.String})
CONTRACTS: Final = pl.Schema(
    {
        "account_id": pl.String,
        "customer_number": pl.String,
        "installation": pl.String,
        "supply_area": pl.String,
        "market_location": pl.String,
        "start": pl.Date,
        "end": pl.Date,
        "address_line": pl.String,
        "address_id": pl.String,
        "billing_line": pl.String,
        "billing_address_id": pl.String,
    }
)
METERS: Final = pl.Schema(
    {"installation": pl.String, "meter_number": pl.String, "meter_type": pl.String, "from": pl.Date, "to": pl.Date}
)
PLACES: Final = pl.Schema({"installation": pl.String, "alternative_line": pl.String, "alternative_id": pl.String})
FACTS: Final = pl.Schema(
    {"installation": pl.String, "tariff_facts": pl.String, "fact_begins_on": pl.Date, "fact_ended_on": pl.Date}
)
"""The facts of the day, and the first days after it on which one begins, or has ended."""
PRODUCTS: Final = pl.Schema(
    {"installation": pl.String, "customer_number": pl.String, "product": pl.String, "from": pl.Date}
)
COLLECTIONS: Final = pl.Schema({"customer_number": pl.String, "installation": pl.String})
"""Customers with claims under collection: on one installation, or (null) on all of theirs."""

UPDATES: Final = pl.Schema(
    {
        "account_id": pl.String,
        **FIELDS,
        "issues": pl.List(pl.String),
        "is_left": pl.Boolean,
        "next_begins_on": pl.Date,
        "next_ended_on": pl.Date,
    }
)
"""An account as it is to be. Where `is_left`, its rows contradict each other: it stays as it is, marked, with issues.
`next_begins_on` and `next_ended_on` are the first days after this one on which a row begins, or has ended."""


class Status(StrEnum):
    """How the account stands, by the billing contract that counts."""

    PROSPECT = "PROSPECT"
    FUTURE = "FUTURE"
    ACTIVE = "ACTIVE"
    ENDED = "ENDED"


class Linked(NamedTuple):
    """All that accounts show something of, as it is now: frames of the schemas of the same names."""

    contracts: pl.DataFrame
    meters: pl.DataFrame
    places: pl.DataFrame
    facts: pl.DataFrame
    products: pl.DataFrame
    collections: pl.DataFrame


class Issue(StrEnum):
    """What is wrong with the data of an account; an issue is told as `<issue>: <sentence>`."""

    OVERLAPPING_METERS = "overlapping_meters"
    NO_METER = "no_meter"
    INVALID_MARKET_LOCATION = "invalid_market_location"


def derived(accounts: pl.DataFrame, linked: Linked, today: date, utility: str) -> pl.DataFrame:
    """The accounts (ACCOUNTS) as they are to be on a day: UPDATES, in the order of the accounts.

    The contract that counts is the one that is valid; else the next one; else the one that ended last.
    """
    day = pl.lit(today)
    counting = _counting(linked.contracts, today)
    rows = (
        accounts.select(list(ACCOUNTS))
        .join(counting, on="account_id", how="left", suffix=" of contract")
        .join(_meters_of(linked.meters, today), on="installation", how="left")
        .join(linked.places.unique("installation", keep="first"), on="installation", how="left")
        .join(linked.facts.unique("installation", keep="first"), on="installation", how="left")
        .join(_products_of(counting, linked.products, today), on="account_id", how="left")
        .join(_collected(linked), on="account_id", how="left")
        .join(_contract_days(linked, today), on="account_id", how="left")
        .join(_invalid_numbers(linked.contracts), on=["account_id", "installation"], how="left")
    )
    start, end = pl.col("start"), pl.col("end").fill_null(DISTANT_FUTURE)
    status = (
        pl.when(pl.col("customer_number").is_null())
        .then(pl.lit(Status.PROSPECT))
        .when(start > day)
        .then(pl.lit(Status.FUTURE))
        .when(end <= day)
        .then(pl.lit(Status.ENDED))
        .otherwise(pl.lit(Status.ACTIVE))
    )
    has_alternative = pl.col("alternative_id").is_not_null()
    return rows.with_columns(
        pl.coalesce("supply_area of contract", "supply_area").alias("supply_area"),
        status.alias("status"),
        start.alias("contract_start"),
        pl.col("end").alias("contract_end"),
        pl.lit(utility).alias("utility"),
        *(
            pl.when(has_alternative).then(alternative).otherwise(own).alias(own)
            for own, alternative in (("address_line", "alternative_line"), ("address_id", "alternative_id"))
        ),
        pl.col("tariff_facts").fill_null("{}"),
        pl.col("open_collection").fill_null(False),
        (pl.col("meters_today") > 1).fill_null(False).alias("is_left"),
        _issues(today).alias("issues"),
        pl.min_horizontal("meter_begins_on", "fact_begins_on", "contract_begins_on").alias("next_begins_on"),
        pl.min_horizontal("meter_ended_on", "fact_ended_on", "contract_ended_on").alias("next_ended_on"),
    ).select(pl.col(name).cast(dtype) for name, dtype in UPDATES.items())


def _counting(contracts: pl.DataFrame, today: date) -> pl.DataFrame:
    """The contract that counts of each account: valid, by the latest start; else next; else the last to end."""
    day = pl.lit(today)
    start, end = pl.col("start").fill_null(DISTANT_PAST), pl.col("end").fill_null(DISTANT_FUTURE)
    standing = pl.when(start > day).then(1).when(end <= day).then(0).otherwise(2)
    nearness = pl.when(start > day).then((day - start).dt.total_days()).otherwise(0)
    latest = pl.when(end <= day).then(end).otherwise(start)
    return (
        contracts.with_columns(standing.alias("_standing"), nearness.alias("_nearness"), latest.alias("_latest"))
        .sort("account_id", "_standing", "_nearness", "_latest", "customer_number", "installation")
        .group_by("account_id", maintain_order=True)
        .last()
        .select(
            *("account_id", "customer_number", "supply_area", "start", "end"),
            *("address_line", "address_id", "billing_line", "billing_address_id"),
            pl.col("installation").alias("contract_installation"),
        )
    )


def _meters_of(meters: pl.DataFrame, today: date) -> pl.DataFrame:
    """Per installation the meter of the day, how many there are, and the next days on which one begins or has ended."""
    start, end = pl.col("from").fill_null(DISTANT_PAST), pl.col("to").fill_null(DISTANT_FUTURE)
    holds = (start <= pl.lit(today)) & (end > pl.lit(today))
    ordered = meters.sort("installation", start, "meter_number", nulls_last=True)
    return ordered.group_by("installation", maintain_order=True).agg(
        holds.sum().alias("meters_today"),
        pl.col("meter_number").filter(holds).first().alias("meter_number"),
        pl.col("meter_type").filter(holds).first().alias("meter_type"),
        pl.col("meter_number").filter(holds).fill_null("without number").str.join(", ").alias("meters_named"),
        *_next_days(start, end, today, "meter"),
    )


def _contract_days(linked: Linked, today: date) -> pl.DataFrame:
    """The next days on which contracts and their products begin, or have ended, by account."""
    products = linked.contracts.select("account_id", "customer_number", "installation").join(
        linked.products, on=["customer_number", "installation"]
    )
    days = pl.concat(
        [
            linked.contracts.select("account_id", pl.col("start").fill_null(DISTANT_PAST), pl.col("end")),
            products.select("account_id", pl.col("from").alias("start"), pl.lit(None, pl.Date).alias("end")),
        ]
    )
    start, end = pl.col("start"), pl.col("end").fill_null(DISTANT_FUTURE)
    return days.group_by("account_id").agg(_next_days(start, end, today, "contract"))


def _next_days(start: pl.Expr, end: pl.Expr, today: date, what: str) -> list[pl.Expr]:
    later_end = end.filter((end > pl.lit(today)) & (end < pl.lit(DISTANT_FUTURE)))
    return [
        start.filter(start > pl.lit(today)).min().alias(f"{what}_begins_on"),
        later_end.min().alias(f"{what}_ended_on"),
    ]


def _products_of(counting: pl.DataFrame, products: pl.DataFrame, today: date) -> pl.DataFrame:
    """The product of the contract that counts: the last that has begun, else the first."""
    held = counting.select("account_id", "customer_number", installation="contract_installation")
    begun = (pl.col("from") <= pl.lit(today)).fill_null(True)
    return (
        held.join(products, on=["customer_number", "installation"])
        .with_columns(begun.alias("_begun"))
        .with_columns(pl.when("_begun").then(pl.col("from")).alias("_first"))
        .sort("account_id", "_begun", "_first", pl.col("from"), descending=[False, False, False, True])
        .group_by("account_id", maintain_order=True)
        .last()
        .select("account_id", "product")
    )


def _collected(linked: Linked) -> pl.DataFrame:
    """The accounts with an open collection on a contract of theirs."""
    held = linked.contracts.select("account_id", "customer_number", "installation")
    everywhere = linked.collections.filter(pl.col("installation").is_null())
    found = [
        held.join(everywhere, on="customer_number", how="semi"),
        held.join(linked.collections.drop_nulls("installation"), on=["customer_number", "installation"], how="semi"),
    ]
    return pl.concat(found).select("account_id", open_collection=True).unique("account_id")


def _invalid_numbers(contracts: pl.DataFrame) -> pl.DataFrame:
    """The market locations that no scheme knows, by account and installation."""
    told = contracts.drop_nulls("market_location").unique(["account_id", "installation"], keep="first")
    valid = told["market_location"].map_elements(lambda number: scheme_of(number) is not None, return_dtype=pl.Boolean)
    return told.filter(~valid).select("account_id", "installation", pl.col("market_location").alias("invalid_number"))


def _issues(today: date) -> pl.Expr:
    """The issues of an account, as a list of texts; none is null."""
    meters = pl.col("meters_today").fill_null(0)
    installation = pl.col("installation")
    found: Sequence[pl.Expr] = (
        pl.when(meters > 1).then(
            pl.format(
                "{}: Installation {} has several meters on {} ({}); the account was left as it is.",
                *(pl.lit(Issue.OVERLAPPING_METERS), installation, pl.lit(str(today)), "meters_named"),
            )
        ),
        pl.when((meters == 0) & installation.is_not_null()).then(
            pl.format(
                "{}: Installation {} has no meter on {}.", pl.lit(Issue.NO_METER), installation, pl.lit(str(today))
            )
        ),
        pl.when(pl.col("invalid_number").is_not_null()).then(
            pl.format(
                "{}: {} of installation {} is no valid MaLo-ID or GSRN; it is not matched by.",
                *(pl.lit(Issue.INVALID_MARKET_LOCATION), "invalid_number", installation),
            )
        ),
    )
    return pl.concat_list(found).list.drop_nulls()
