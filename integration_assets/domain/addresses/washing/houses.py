"""The houses and units of the register behind streets and numbers that were typed."""

from typing import Final

import numpy as np
import numpy.typing as npt
import polars as pl

from integration_assets.domain.addresses.washing import codes
from integration_assets.domain.addresses.washing.index import Ints, WashingIndex

Rows = npt.NDArray[np.int64]

_NEIGHBOURS: Final = 4
"""House numbers to each side that stand as candidates for one that does not exist."""

_HOUSES_PER_STREET: Final = 40
"""Houses of a street that are looked at for candidates."""

_UNITS_PER_HOUSE: Final = 64
"""Units of one house that are looked at for candidates."""


def houses(roads: pl.DataFrame, parsed: pl.DataFrame, index: WashingIndex) -> pl.DataFrame:
    """`roads` with `access_row`, one row for each version of the house with the typed number. Houses under a large
    receiver's postal code are the receiver's only."""
    rows = _with_house(roads, parsed)
    found = expanded(rows, index.access.house, rows["house"].to_numpy(), rows["house"].to_numpy(), "access_row")
    special = found.join(
        index.names.filter(pl.col("receiver_postcode").is_not_null()).select("name", "receiver_postcode"), on="name"
    )
    if special.is_empty():
        return found.drop("house")
    own = special.join(index.receivers, on=["receiver_postcode", "house"], how="semi").select(found.columns)
    ordinary = found.join(special, on=["t", "name"], how="anti", maintain_order="left")
    return pl.concat([ordinary, own]).drop("house")


def neighbours(roads: pl.DataFrame, parsed: pl.DataFrame, index: WashingIndex) -> pl.DataFrame:
    """As `houses`, with the houses whose numbers are next to the typed one; where none is near or no number was typed,
    with the first houses of the street."""
    rows = _with_house(roads, parsed)
    number = rows["house"].to_numpy() >> 8 << 8
    reach = _NEIGHBOURS << 8
    street = rows["street"].to_numpy().astype(np.int64) << 22
    low = np.maximum(number - reach, street)
    near = expanded(rows, index.access.house, low, number + reach + 255, "access_row")
    far = roads.join(near, on="t", how="anti", maintain_order="left")
    first = far["street"].to_numpy().astype(np.int64) << 22
    whole = expanded(far, index.access.house, first, first + (1 << 22) - 1, "access_row", _HOUSES_PER_STREET)
    return pl.concat([near.drop("house"), whole])


def _with_house(roads: pl.DataFrame, parsed: pl.DataFrame) -> pl.DataFrame:
    numbers = parsed.select("t", "house_number").filter(pl.col("house_number").is_not_null())
    rows = roads.join(numbers, on="t", maintain_order="left")
    return rows.with_columns(codes.house_key(pl.col("street"), pl.col("house_number")).alias("house")).drop(
        "house_number"
    )


def units(houses: pl.DataFrame, parsed: pl.DataFrame, index: WashingIndex) -> pl.DataFrame:
    """`houses` with `unit_row`, one row for each version of the typed unit that existed together with the version of
    the house; a number that may be floor or door is looked up as both."""
    asked = houses.join(parsed.select("t", "floor", "door", "other_door"), on="t", maintain_order="left")
    access = pl.lit(pl.Series(index.access.access[asked["access_row"].to_numpy()]))
    floor, door = pl.col("floor"), pl.col("door")
    first = asked.select(index.vocabulary.unit_key(access, floor, door)).to_series().to_numpy()
    columns = houses.columns
    found = [
        expanded(asked.select(columns), index.units.unit, first, first, "unit_row").with_columns(as_door=pl.lit(False))
    ]
    two = asked["other_door"].is_not_null()
    if two.any():
        again = asked.with_columns(access.alias("access")).filter(two)
        key = again.select(index.vocabulary.unit_key(pl.col("access"), pl.lit(None, pl.String), pl.col("other_door")))
        second = key.to_series().to_numpy()
        as_door = expanded(again.select(columns), index.units.unit, second, second, "unit_row")
        found.append(as_door.with_columns(as_door=pl.lit(True)))
    return _together(pl.concat(found), index)


def units_of_house(houses: pl.DataFrame, index: WashingIndex) -> pl.DataFrame:
    """`houses` with `unit_row`, one row for each version of each unit (of the first ones in large houses)."""
    access = index.access.access[houses["access_row"].to_numpy()].astype(np.int64)
    low, high = access << 28, ((access + 1) << 28) - 1
    rows = expanded(houses, index.units.unit, low, high, "unit_row", _UNITS_PER_HOUSE)
    return _together(rows.with_columns(as_door=pl.lit(False)), index)


def _together(rows: pl.DataFrame, index: WashingIndex) -> pl.DataFrame:
    """The rows whose house and unit versions were in force at the same time."""
    access, unit = rows["access_row"].to_numpy(), rows["unit_row"].to_numpy()
    start = np.maximum(index.access.valid_from[access], index.units.valid_from[unit])
    end = np.minimum(index.access.valid_to[access], index.units.valid_to[unit])
    return rows.filter(pl.Series(start < end))


def expanded(
    rows: pl.DataFrame, keys: Ints, low: Ints, high: Ints, column: str, most: int | None = None
) -> pl.DataFrame:
    """One row for each position of the sorted `keys` from `low` to `high`, in `column`."""
    first = np.searchsorted(keys, low, side="left")
    count = np.searchsorted(keys, high, side="right") - first
    if most is not None:
        count = np.minimum(count, most)
    row = np.repeat(np.arange(len(first)), count)
    offset = np.arange(len(row)) - np.repeat(np.cumsum(count) - count, count)
    positions = pl.Series(column, (first[row] + offset).astype(np.uint32))
    return rows[row].with_columns(positions)
