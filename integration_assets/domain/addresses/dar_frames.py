"""From the typed tables of the address register's entities to the compact register: places, access and unit addresses.

Names of roads, postal districts and supplementary towns have their own times. A place is what they were together
during one time; a version of an access address that outlives a name becomes one row for each name.
"""

from collections.abc import Sequence
from typing import Final

import polars as pl

from integration_assets.domain.addresses.dar_places import named_kinds
from integration_assets.domain.addresses.dar_tables import LIVE_STATUSES, Table
from integration_assets.domain.addresses.register import ACCESS, PLACES, UNITS, RegisterFrames

_ID: Final = ["id_high", "id_low"]
_SHARED: Final = ["road", "postcode_id", "town", "division"]
_CODES: Final = [f"{name}_code" for name in _SHARED]
# House numbers are an enumeration in their order here. One number sorts several times faster than two columns.
_PLACE_AND_NUMBER: Final = (
    pl.col("place").cast(pl.UInt64) * 2**32 + pl.col("house_number").to_physical().cast(pl.UInt64).fill_null(2**32 - 1)
).alias("order")
_CLOSED: Final = 4


def register_frames(generation: int, table: Table) -> tuple[RegisterFrames, int]:
    """The compact register of the entities' tables, and how many versions of units have no access address.

    Such units are left out. Equal tables give equal frames, whatever the order of their rows. The last version of an
    address has no end; where the register ended it without saying more, it counts as closed.
    """
    houses = _coded(_last_without_end(table("Husnummer")))
    kinds = houses.group_by(_CODES).agg(pl.len().alias("houses"))
    texts = (pl.col(code).cast(pl.String).alias(name) for name, code in zip(_SHARED, _CODES, strict=True))
    named = named_kinds(kinds.with_columns(texts), table)
    places, named = _numbered_places(named)
    access = _access(houses, named, table("Adressepunkt"))
    del houses
    units, homeless = _units(table("Adresse"), access)
    return RegisterFrames(generation, places, access, units), homeless


def _coded(houses: pl.DataFrame) -> pl.DataFrame:
    """The houses with small numbers in the place of long texts: what they share, and house numbers in their order."""
    numbers = houses["house_number"].unique().drop_nulls().sort()
    return houses.select(
        *_ID,
        pl.col("house_number").cast(pl.Enum(numbers)),
        *(pl.col(name).cast(pl.Categorical).alias(code) for name, code in zip(_SHARED, _CODES, strict=True)),
        "point_high",
        "point_low",
        "status",
        "valid_from",
        "valid_to",
    )


def _numbered_places(named: pl.DataFrame) -> tuple[pl.DataFrame, pl.DataFrame]:
    """PLACES, and for each kind of house and time the number of its place."""
    columns = [name for name in PLACES if name != "place"]
    order = ["postcode", "street_name", "road_id"]
    places = (
        named.select(columns)
        .unique()
        .sort(*order, *(name for name in columns if name not in order), nulls_last=False)
        .with_row_index("place")
        .select(pl.col(name).cast(dtype) for name, dtype in PLACES.items())
    )
    numbered = named.join(places, on=columns, nulls_equal=True)
    return places, numbered.select(
        *_CODES, "place", pl.col("valid_from").alias("named_from"), pl.col("valid_to").alias("named_to")
    )


def _access(houses: pl.DataFrame, named: pl.DataFrame, points: pl.DataFrame) -> pl.DataFrame:
    """ACCESS of the versions of houses, each within the times of its place."""
    rows = houses.join(named, on=_CODES, nulls_equal=True).drop(_CODES)
    rows = rows.with_columns(
        pl.max_horizontal("valid_from", "named_from").alias("valid_from"),
        pl.min_horizontal("valid_to", "named_to").alias("valid_to"),
    ).drop("named_from", "named_to")
    rows = _placed(rows.filter(_some_time()), points).sort(*_ID, "valid_from", "place")
    rows = _joined_versions(rows, _ID, ["place", "house_number", "status"])
    ends = _thing_ends()
    last = rows.filter(ends).select(_PLACE_AND_NUMBER).with_row_index("thing")
    ranked = last.sort("order", maintain_order=True).with_row_index("access").sort("thing")
    thing = rows.select(ends.cast(pl.UInt32).cum_sum() - ends)["id_high"]
    rows = rows.with_columns(ranked["access"].gather(thing).alias("access"))
    return rows.sort(_PLACE_AND_NUMBER, "access", "valid_from").select(
        pl.col(name).cast(dtype) for name, dtype in ACCESS.items()
    )


def _thing_ends() -> pl.Expr:
    """Of rows sorted by id: whether a row is the last one of its thing."""
    differs = pl.any_horizontal(*(pl.col(name) != pl.col(name).shift(-1) for name in _ID))
    return differs.fill_null(value=True).alias("id_high")


def _placed(rows: pl.DataFrame, points: pl.DataFrame) -> pl.DataFrame:
    """Adds easting and northing: where the access point lies by its last version."""
    last = points
    if last["valid_to"].null_count() < last.height:
        last = points.sort(*_ID, "valid_from", "easting", "northing").filter(_thing_ends())
    return rows.join(
        last.select(pl.col("id_high").alias("point_high"), pl.col("id_low").alias("point_low"), "easting", "northing"),
        on=["point_high", "point_low"],
        how="left",
    ).drop("point_high", "point_low")


def _units(units: pl.DataFrame, access: pl.DataFrame) -> tuple[pl.DataFrame, int]:
    """UNITS of the versions of units, and how many have no access address."""
    houses = access.select(pl.col("id_high").alias("house_high"), pl.col("id_low").alias("house_low"), "access")
    rows = _last_without_end(units)
    del units
    given = rows.height
    rows = rows.join(houses.unique("access"), on=["house_high", "house_low"]).select(list(UNITS))
    homeless = given - rows.height
    rows = rows.sort("access", *_ID, "valid_from")
    return _joined_versions(rows, ["access", *_ID], ["floor", "door", "status"]), homeless


def _some_time() -> pl.Expr:
    return (pl.col("valid_from") < pl.col("valid_to")).fill_null(value=True)


def _last_without_end(versions: pl.DataFrame) -> pl.DataFrame:
    """The versions, where the last one of each thing has no end: without successor it is what is left to know."""
    ended = versions.filter(pl.col("valid_to").is_not_null())
    if ended.is_empty():
        return versions
    lasting = versions.filter(pl.col("valid_to").is_null())
    left = ended.join(lasting.select(_ID), on=_ID, how="anti")
    left = left.sort(*_ID, "valid_from", "registered_from").unique(_ID, keep="last", maintain_order=True)
    names = [*_ID, "valid_from", "registered_from"]
    others = ended.join(left.select(names), on=names, how="anti", nulls_equal=True)
    closed = pl.when(pl.col("status").is_in(LIVE_STATUSES)).then(_CLOSED).otherwise("status").cast(pl.UInt8)
    left = left.with_columns(closed.alias("status"), pl.lit(None, pl.Datetime("us", "UTC")).alias("valid_to"))
    return pl.concat([lasting, others.filter(_some_time()), left])


def _joined_versions(rows: pl.DataFrame, thing: Sequence[str], content: Sequence[str]) -> pl.DataFrame:
    """Rows sorted by thing and time, where a version that says what the one before it said is joined to that one."""
    same = pl.all_horizontal(
        *(pl.col(name).eq_missing(pl.col(name).shift(1)) for name in (*thing, *content)),
        pl.col("valid_from") <= pl.col("valid_to").shift(1),
    ).fill_null(value=False)
    starts = rows.select(pl.arg_where(~same).alias("start"))["start"]
    if starts.len() == rows.height:
        return rows
    ends = (starts.shift(-1) - 1).fill_null(rows.height - 1)
    return rows[starts].with_columns(rows["valid_to"].gather(ends).alias("valid_to"))
