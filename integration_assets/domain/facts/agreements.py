"""Agreements (aftaler) on installations as frames: which state each of them should be followed to.

KMD EE names no tariff of an agreement. The product is told by the installation: its meter type, its supply area or its
number, by the rules of the tariff book, so that a replaced meter may be another product from its first day on.

A state is told as one text, `party|moved in|moved out|day=product=edition;…`, so that frames of states are compared
quickly and only what differs is looked at: see `state_of`.
"""

from datetime import date
from typing import Final

import polars as pl

from integration_assets.domain.facts.events import AgreementState, ProductPeriod
from integration_assets.domain.facts.tariffs import TariffBook
from integration_assets.domain.registry.meters import DISTANT_FUTURE, DISTANT_PAST, coverage, meter_line

STATES: Final = pl.Schema(
    {
        "customer_number": pl.String,
        "installation": pl.String,
        "supply_area": pl.String,
        "told": pl.String,
    }
)
"""An agreement on an installation and its state; no state (null) where no product is assigned to the installation."""

_PAIR: Final = ["customer_number", "installation"]


def desired_states(
    resolved: pl.DataFrame, meters: pl.DataFrame, known: pl.DataFrame, annulled: pl.Series, book: TariffBook
) -> pl.DataFrame:
    """The state of each agreement on each of its installations (STATES).

    `resolved` has customer_number, supply_area, party_id, moved_in, moved_out and consumption_place_id of
    resolved/customers, `meters` the rows of kmd_ee/installations. An agreement is on the installations of its place
    that had a meter while it was valid, and stays on those that it was followed on (`known`: customer_number,
    installation). The customer numbers in `annulled` are agreements whose move-in was annulled: they end on the day on
    which they began.
    """
    agreements = resolved.select(
        "customer_number",
        "supply_area",
        "consumption_place_id",
        pl.col("party_id").fill_null(""),
        "moved_in",
        pl.when(pl.col("customer_number").is_in(annulled.implode()))
        .then("moved_in")
        .otherwise("moved_out")
        .alias("moved_out"),
    )
    line = meter_line(meters)
    pairs = pl.concat([_standing(agreements, meters, line), known.select(_PAIR)]).unique(_PAIR)
    return _told(
        agreements.join(pairs, on="customer_number", how="inner").sort(_PAIR), _product_starts(line, meters, book)
    )


def state_of(installation: str, customer_number: str, told: str, book: TariffBook) -> AgreementState:
    """The state that a text of `desired_states` tells; values of editions that the book has no more are left out."""
    partner, moved_in, moved_out, periods = told.split("|")
    products: list[ProductPeriod] = []
    for period in periods.split(";"):
        first, product, edition = period.split("=")
        values = book.values_of(product, edition)
        products.append(ProductPeriod(date.fromisoformat(first), product, edition, values))
    return AgreementState(
        installation,
        customer_number,
        partner,
        date.fromisoformat(moved_in),
        date.fromisoformat(moved_out) if moved_out else None,
        tuple(products),
    )


def moved_out_of(told: str) -> pl.Expr:
    """The first day after the agreement that a column of texts of `desired_states` tells; null without end."""
    return pl.col(told).str.split("|").list.get(2).str.to_date("%Y-%m-%d", strict=False)


def _standing(agreements: pl.DataFrame, meters: pl.DataFrame, line: pl.DataFrame) -> pl.DataFrame:
    """Agreements and the installations of their place that had a meter on a day of theirs."""
    place = meters.select("installation_number", "consumption_place_id").drop_nulls().unique()
    had_meter = coverage(line).join(place, on="installation_number", how="inner")
    return (
        agreements.join(had_meter, on="consumption_place_id", how="inner")
        .filter(
            pl.col("moved_in") < pl.col("to").fill_null(DISTANT_FUTURE),
            pl.col("from").fill_null(DISTANT_PAST) < pl.col("moved_out").fill_null(DISTANT_FUTURE),
        )
        .select("customer_number", pl.col("installation_number").alias("installation"))
    )


def _product_starts(line: pl.DataFrame, meters: pl.DataFrame, book: TariffBook) -> pl.DataFrame:
    """From which day on an installation has which product, in which edition: installation, first, product, edition.

    The first meter's product counts before it too, and a meter's product until the next meter stands.
    """
    named = {rule.installation for rule in book.rules if rule.installation is not None}
    areas = meters.group_by("installation_number").agg(pl.col("supply_area").min())
    installation = pl.col("installation_number")
    keyed = line.join(areas, on="installation_number", how="left").select(
        installation.alias("installation"),
        pl.when(installation.is_in(sorted(named))).then(installation).alias("named"),
        "supply_area",
        "meter_type",
        pl.when(installation.is_first_distinct()).then(pl.lit(DISTANT_PAST)).otherwise("from").alias("first"),
    )
    key = ["named", "supply_area", "meter_type"]
    assigned = [
        (*of, since, product)
        for of in keyed.select(key).unique().iter_rows()
        for since, product in book.products_of(*of)
    ]
    editions = [(product, one.first, one.name) for product, several in book.editions.items() for one in several]
    assignment = dict.fromkeys(key, pl.String) | {"since": pl.Date, "product": pl.String}
    edition = {"product": pl.String, "since": pl.Date, "edition": pl.String}
    by_rule = _later(
        keyed.join(pl.DataFrame(assigned, assignment, orient="row"), on=key, how="inner", nulls_equal=True)
    )
    return _later(by_rule.join(pl.DataFrame(editions, edition, orient="row"), on="product", how="left")).select(
        "installation", "first", "product", "edition"
    )


def _later(rows: pl.DataFrame) -> pl.DataFrame:
    """Rows of `first`, each with the days `since` of something: from the later of both on, until the row that follows.

    What is over before its row begins is left out, but for the last of it, which the row begins with.
    """
    piece = ["installation", "first"]
    ends = pl.col("first").unique().sort()
    following = (
        rows.group_by("installation")
        .agg(ends, ends.shift(-1).alias("ends"))
        .explode("first", "ends", empty_as_null=True, keep_nulls=True)
    )
    return (
        rows.join(following, on=piece, how="left")
        .sort("installation", "first", "since")
        .with_columns(pl.col("since").shift(-1).over(piece).alias("over"))
        .filter(
            (pl.col("since") < pl.col("ends").fill_null(DISTANT_FUTURE)).fill_null(True),
            (pl.col("over") > pl.col("first")).fill_null(True),
        )
        .with_columns(pl.max_horizontal("first", "since").alias("first"))
        .drop("since", "over", "ends")
    )


def _told(agreements: pl.DataFrame, starts: pl.DataFrame) -> pl.DataFrame:
    """Agreements on installations with their state as a text."""
    last = pl.max_horizontal(
        pl.col("moved_out").fill_null(DISTANT_FUTURE), pl.col("moved_in") + pl.duration(days=1)
    ).alias("ends")
    periods = (
        agreements.select(*_PAIR, "moved_in", last)
        .join(starts, on="installation", how="inner")
        .filter(pl.col("first") < pl.col("ends"))
        .sort(*_PAIR, "first")
        .with_columns(pl.col("first").shift(-1).over(_PAIR).alias("over"))
        .filter((pl.col("over") > pl.col("moved_in")).fill_null(True))
        .with_columns(pl.max_horizontal("first", "moved_in").alias("first"))
    )
    same = [pl.col(name).eq_missing(pl.col(name).shift(1).over(_PAIR)) for name in ("product", "edition")]
    is_first = pl.int_range(pl.len()).over(_PAIR) == 0
    text = pl.concat_str(pl.col("first").cast(pl.String), "product", "edition", separator="=")
    joined = (
        periods.filter(is_first | ~pl.all_horizontal(same))
        .group_by(_PAIR, maintain_order=True)
        .agg(text.str.join(";", ignore_nulls=False).alias("periods"))
    )
    dates = [pl.col(name).cast(pl.String).fill_null("") for name in ("moved_in", "moved_out")]
    return (
        agreements.join(joined, on=_PAIR, how="left")
        .with_columns(pl.concat_str("party_id", *dates, "periods", separator="|").alias("told"))
        .select(list(STATES))
    )
