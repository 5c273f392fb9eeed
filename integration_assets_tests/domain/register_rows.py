"""Small address registers, written as rows of `addresses/register`, in the form that washing reads."""

from typing import Any
from uuid import UUID, uuid5

import polars as pl

from integration_assets.domain.addresses.ids import halves
from integration_assets.domain.addresses.register import ACCESS, PLACES, UNITS, RegisterFrames
from integration_assets.domain.addresses.washing import WashingIndex
from integration_assets.domain.tables import ADDRESS_REGISTER

_NAMESPACE = UUID("6d2a1f60-9b3e-4c0c-8f55-2f1c40c1a9d7")
_PLACE = (
    *("street_name", "short_street_name", "municipality_code", "street_code", "postcode", "district"),
    "supplementary_town",
)


def id_of(name: str) -> str:
    """The uuid that stands for an address with a name that a reader of tests understands."""
    return str(uuid5(_NAMESPACE, name))


def frames_of(rows: pl.DataFrame, generation: int = 1) -> RegisterFrames:
    """The register of these addresses of today, of any status; a street is one road per municipality and code.

    The access address of each unit must be among the rows.
    """
    places = rows.select(_PLACE).unique(maintain_order=True).with_row_index("place")
    high, low = halves(pl.col("address_id"))
    rows = rows.with_columns(high.alias("id_high"), low.alias("id_low"), pl.col("status").cast(pl.UInt8))
    access = rows.filter(pl.col("kind") == "access").join(places, on=_PLACE, nulls_equal=True, maintain_order="left")
    access = access.sort("place", "house_number").with_row_index("access")
    houses = access.select("access", access_id="address_id")
    units = rows.filter(pl.col("kind") == "unit").join(houses, on="access_id", maintain_order="left").sort("access")
    if units.height + access.height != rows.height:
        raise ValueError("The access address of a unit is not among the rows.")
    roads = places.with_columns(
        (pl.col("municipality_code") + pl.col("street_code")).alias("road_id"), pl.lit(False).alias("large_receiver")
    )
    return RegisterFrames(generation, _as(roads, PLACES), _as(access, ACCESS), _as(units, UNITS))


def index_of(rows: pl.DataFrame, generation: int = 1) -> WashingIndex:
    """What washing reads of these addresses."""
    return WashingIndex.build(frames_of(rows, generation))


def register(*rows: dict[str, Any]) -> pl.DataFrame:
    """Rows of addresses/register as one frame."""
    return pl.DataFrame(rows, schema=ADDRESS_REGISTER.schema)


def _as(frame: pl.DataFrame, schema: pl.Schema) -> pl.DataFrame:
    """The frame in these columns; those it lacks (times, as nothing was ever called otherwise) are null."""
    return frame.select(
        (pl.col(name) if name in frame.columns else pl.lit(None)).cast(dtype).alias(name)
        for name, dtype in schema.items()
    )
