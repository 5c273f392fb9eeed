"""The names of places: what roads, postal districts, supplementary towns and municipalities were called, and when."""

from collections.abc import Sequence
from typing import Final

import polars as pl

from integration_assets.domain.addresses.dar_tables import LIVE_STATUSES, Table

UNKNOWN_MUNICIPALITY: Final = "unknown"


def named_kinds(kinds: pl.DataFrame, table: Table) -> pl.DataFrame:
    """The names of kinds of houses: those that share road, postcode_id, town and division (and `houses`, how many).

    Returns one row per kind and time during which its names held, with those four columns and all of PLACES but the
    number. What is named only later is taken to have had its first name before.
    """
    by_road = _only_postcodes(table("NavngivenVejPostnummer"))
    kinds = kinds.join(by_road, on="road", how="left").with_columns(
        pl.coalesce("postcode_id", "only_postcode_id").alias("postal_id")
    )
    posts = _timeline(table("Postnummer"), ["postcode", "district"])
    newest = posts.filter(pl.col("named_to").is_null()).select(pl.col("id").alias("postal_id"), "postcode")
    kinds = _with_municipality(kinds.join(newest, on="postal_id", how="left"), table("NavngivenVejKommunedel"))
    kinds = kinds.drop("postcode").with_columns(
        pl.lit(None, pl.Datetime("us", "UTC")).alias("valid_from"),
        pl.lit(None, pl.Datetime("us", "UTC")).alias("valid_to"),
    )
    named = _during(kinds, _timeline(table("NavngivenVej"), ["street_name", "short_street_name"]), "road")
    named = _during(named, posts, "postal_id")
    named = _during(named, _timeline(table("SupplerendeBynavn"), ["supplementary_town"]), "town")
    # The register does not tell the postcodes of large receivers from those of districts.
    return named.with_columns(pl.col("road").alias("road_id"), pl.lit(value=False).alias("large_receiver"))


def _timeline(versions: pl.DataFrame, names: Sequence[str]) -> pl.DataFrame:
    """For each thing its names one after the other without gaps: id, names, named_from and named_to (null: open)."""
    new = pl.any_horizontal(*(pl.col(name).ne_missing(pl.col(name).shift(1)) for name in ("id", *names)))
    changed = versions.sort("id", "valid_from", "registered_from", *names, nulls_last=False).filter(new)
    follows = pl.col("id").eq_missing(pl.col("id").shift(1)).fill_null(value=False)
    followed = pl.col("id").eq_missing(pl.col("id").shift(-1)).fill_null(value=False)
    return changed.select(
        "id",
        *names,
        pl.when(follows).then("valid_from").alias("named_from"),
        pl.when(followed).then(pl.col("valid_from").shift(-1)).alias("named_to"),
    )


def _during(kinds: pl.DataFrame, timeline: pl.DataFrame, on: str) -> pl.DataFrame:
    """The kinds with the names of a timeline, one row for each time in which they met."""
    met = kinds.join(timeline.rename({"id": on}), on=on, how="left").with_columns(
        pl.max_horizontal("valid_from", "named_from").alias("valid_from"),
        pl.min_horizontal("valid_to", "named_to").alias("valid_to"),
    )
    return met.filter((pl.col("valid_from") < pl.col("valid_to")).fill_null(value=True)).drop("named_from", "named_to")


def _in_force(links: pl.DataFrame, thing: str) -> pl.DataFrame:
    """The links that hold now; all those of a thing that has none which holds."""
    holds = pl.col("valid_to").is_null() & pl.col("status").is_in(LIVE_STATUSES).fill_null(value=True)
    return links.with_columns(holds.alias("holds")).filter(pl.col("holds") | ~pl.col("holds").any().over(thing))


def _only_postcodes(links: pl.DataFrame) -> pl.DataFrame:
    """Roads that lie in one postal district, which houses without one of their own take: road and only_postcode_id."""
    return (
        _in_force(links, "road")
        .select("road", "postcode_id")
        .unique()
        .group_by("road")
        .agg(pl.col("postcode_id").first().alias("only_postcode_id"), pl.len().alias("districts"))
        .filter(pl.col("districts") == 1)
        .drop("districts")
    )


def _with_municipality(kinds: pl.DataFrame, road_parts: pl.DataFrame) -> pl.DataFrame:
    """Adds municipality_code and street_code.

    A road's part in a municipality carries both codes. On a road of one part they are certain. A road through several
    municipalities is settled by the house's own municipality, which is only an id of the administrative division
    (DAGI): what it stands for is learnt from houses on roads of one part, and failing that the postal code's.
    """
    parts = (
        _in_force(road_parts, "road")
        .select("road", "municipality_code", "street_code")
        .sort("road", "municipality_code", "street_code")
        .unique(["road", "municipality_code"], keep="first", maintain_order=True)
    )
    single = parts.filter(pl.len().over("road") == 1).select("road", pl.col("municipality_code").alias("sure"))
    certain = kinds.join(single, on="road", how="left")
    return (
        certain.join(_usual(certain, "division", "by_division"), on="division", how="left")
        .join(_usual(certain, "postcode", "by_postcode"), on="postcode", how="left")
        .with_columns(pl.coalesce("sure", "by_division", "by_postcode").alias("municipality_code"))
        .join(parts, on=["road", "municipality_code"], how="left")
        .with_columns(pl.col("municipality_code").fill_null(UNKNOWN_MUNICIPALITY))
    )


def _usual(certain: pl.DataFrame, by: str, name: str) -> pl.DataFrame:
    """For each value of the column `by` the municipality that most of its certain houses are in."""
    counted = certain.drop_nulls([by, "sure"]).group_by(by, "sure").agg(pl.col("houses").sum())
    return (
        counted.sort("houses", "sure", descending=[True, False])
        .unique(by, keep="first", maintain_order=True)
        .select(by, pl.col("sure").alias(name))
    )
