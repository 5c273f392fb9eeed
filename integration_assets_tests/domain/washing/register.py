"""The sample register of the washing tests, in compact form."""

from functools import cache
from pathlib import Path

import polars as pl

from integration_assets.domain.addresses.register import ACCESS, PLACES, UNITS, RegisterFrames
from integration_assets.domain.addresses.washing import WashingIndex

DATA = Path(__file__).parent / "data"

_PLACE = ["street_name", "short_street_name", "supplementary_town", "postcode", "district"]
_MUNICIPALITY = "0461"


@cache
def unit_rows() -> pl.DataFrame:
    """All versions of units, as text, with the text of each."""
    return pl.read_csv(DATA / "units.csv.gz", infer_schema=False)


@cache
def access_rows() -> pl.DataFrame:
    """The present versions of access addresses, as text, with the text of each."""
    return pl.read_csv(DATA / "access.csv.gz", infer_schema=False)


def _time(name: str) -> pl.Expr:
    text = pl.col(name).str.replace(r"\.\d+Z$|Z$", "")
    return text.str.to_datetime("%Y-%m-%dT%H:%M:%S", time_unit="us").dt.replace_time_zone("UTC")


def _halves() -> list[pl.Expr]:
    digits = pl.col("id").str.replace_all("-", "")
    return [
        digits.str.slice(start, 16).str.to_integer(base=16, dtype=pl.UInt64).alias(name)
        for name, start in (("id_high", 0), ("id_low", 16))
    ]


@cache
def frames() -> RegisterFrames:
    """The sample as a register. Former versions of houses are those that versions of their units name."""
    present = access_rows().with_columns(valid_from=pl.lit(None, pl.String))
    house = ["id", "street_name", "house_number", "supplementary_town", "postcode"]
    former = unit_rows().with_columns(id=pl.col("access_id"), status=pl.lit("3"))
    former = former.join(present, on=house, how="anti", nulls_equal=True).group_by(
        [*house, "short_street_name", "district"], maintain_order=True
    )
    former = former.agg(pl.col("status").first(), pl.col("valid_from").min(), pl.col("valid_to").max())
    columns = [*house, "short_street_name", "district", "status", "valid_from", "valid_to"]
    versions = pl.concat([present.select(columns), former.select(columns)])
    places = versions.select(_PLACE).unique(maintain_order=True).with_row_index("place")
    numbers = versions.select("id").unique(maintain_order=True).with_row_index("access")
    access = versions.join(places, on=_PLACE, nulls_equal=True, maintain_order="left").join(
        numbers, on="id", maintain_order="left"
    )
    access = access.with_columns(
        *_halves(),
        pl.col("status").cast(pl.UInt8),
        _time("valid_from"),
        _time("valid_to"),
        pl.lit(None, pl.Float64).alias("easting"),
        pl.lit(None, pl.Float64).alias("northing"),
    )
    units = unit_rows().join(numbers.rename({"id": "access_id"}), on="access_id", maintain_order="left")
    units = units.with_columns(*_halves(), pl.col("status").cast(pl.UInt8), _time("valid_from"), _time("valid_to"))
    always = pl.lit(None, pl.Datetime("us", "UTC"))
    named = places.with_columns(
        pl.col("street_name").alias("road_id"),
        pl.lit(_MUNICIPALITY).alias("municipality_code"),
        pl.col("street_name").rank("dense").cast(pl.String).str.zfill(4).alias("street_code"),
        pl.lit(False).alias("large_receiver"),
        always.alias("valid_from"),
        always.alias("valid_to"),
    )
    return RegisterFrames(
        20190401,
        named.select(pl.col(name).cast(dtype) for name, dtype in PLACES.items()),
        access.select(pl.col(name).cast(dtype) for name, dtype in ACCESS.items()).sort("place", "house_number"),
        units.select(pl.col(name).cast(dtype) for name, dtype in UNITS.items()).sort("access"),
    )


@cache
def index() -> WashingIndex:
    """The washing index of the sample."""
    return WashingIndex.build(frames())
