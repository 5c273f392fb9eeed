"""Addresses of the register as answers: ids, versions and lines."""

import numpy as np
import numpy.typing as npt
import polars as pl

from integration_assets.domain.addresses.washing import codes
from integration_assets.domain.addresses.washing.index import BEGINNING, END, Ints, WashingIndex
from integration_assets.domain.addresses.washing.washed import ADDRESS

Positions = npt.NDArray[np.int64] | npt.NDArray[np.uint32]

_HEX = np.frombuffer("".join(f"{byte:02x}" for byte in range(256)).encode(), dtype=np.uint8).reshape(256, 2)
_GROUPS = ((0, 4, 0), (4, 6, 9), (6, 8, 14), (8, 10, 19), (10, 16, 24))
_LENGTH = 36


def uuids(high: npt.NDArray[np.uint64], low: npt.NDArray[np.uint64]) -> pl.Series:
    """Ids as text, from their halves."""
    halves = np.stack([high, low], axis=1).astype(">u8").view(np.uint8).reshape(len(high), 16)
    text = np.full((len(high), _LENGTH), ord("-"), dtype=np.uint8)
    for first, last, at in _GROUPS:
        text[:, at : at + 2 * (last - first)] = _HEX[halves[:, first:last]].reshape(len(high), 2 * (last - first))
    return pl.Series(text.view(f"S{_LENGTH}").ravel().tolist(), dtype=pl.Binary).cast(pl.String)


def _times(values: Ints, unbounded: int) -> pl.Series:
    missing = pl.Series(values == unbounded)
    return pl.Series(values).set(missing, None).cast(pl.Datetime("us")).dt.replace_time_zone("UTC")


def addresses(access: Positions, unit: Positions | None, names: pl.Series | None, index: WashingIndex) -> pl.DataFrame:
    """The fields of ADDRESS, one row per version of a house (row `access`) and, where units are asked for, of a unit.

    `names` are numbers of former street names to stand in for the version's own; null keeps its own.
    """
    houses, units = index.access, index.units
    columns = ("street_name", "short_street_name", "supplementary_town", "postcode", "district")
    place = index.places.select(columns)[pl.Series(houses.place[access])]
    start, end, status = houses.valid_from[access], houses.valid_to[access], houses.status[access]
    floor = door = pl.Series([None], dtype=pl.String).new_from_index(0, len(access))
    if unit is not None:
        key = pl.Series(units.unit[unit])
        floor, door = index.vocabulary.floor_text(key), index.vocabulary.door_text(key)
        start, end = np.maximum(start, units.valid_from[unit]), np.minimum(end, units.valid_to[unit])
        status = units.status[unit]
    frame = place.with_columns(
        codes.house_text(pl.Series(houses.house[access])).alias("house_number"),
        floor.alias("floor"),
        door.alias("door"),
        pl.Series("status", status, dtype=pl.UInt8),
        _times(start, BEGINNING).alias("valid_from"),
        _times(end, END).alias("valid_to"),
    )
    if names is not None and names.null_count() < len(names):
        former = index.names["text"].gather(names.fill_null(0)).set(names.is_null(), None)
        frame = frame.with_columns(
            pl.coalesce(former, "street_name").alias("street_name"),
            pl.coalesce(former, "short_street_name").alias("short_street_name"),
        )
    return frame.select(field.name for field in ADDRESS.fields)


def line(street: str = "street_name") -> pl.Expr:
    """The line of ADDRESS fields as people write it: "Vestergade 4, 2. tv, Bred, 5492 Vissenbjerg"."""
    floor = pl.when(pl.col("floor").is_not_null()).then(pl.col("floor") + ".")
    unit = pl.concat_str(floor, "door", separator=" ", ignore_nulls=True)
    return pl.concat_str(
        pl.concat_str(street, "house_number", separator=" "),
        pl.when(unit != "").then(unit),
        "supplementary_town",
        pl.concat_str("postcode", "district", separator=" "),
        separator=", ",
        ignore_nulls=True,
    )
