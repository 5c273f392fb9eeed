"""The register in the form that washing reads: names of streets by key, houses and units as sorted numbers.

Arrays instead of frames where there are millions of rows, so that they can be opened memory-mapped and shared by
processes. A *street* is a named road within one postal code, with all the names that it has had.

Numbers: a house is ``street << 22 | number << 8 | letter``, a unit ``access << 28 | floor << 20 | door``; versions of
the same house or unit stand side by side. Times are microseconds since 1970, with `BEGINNING` and `END` for open ends.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import polars as pl

from integration_assets.domain.addresses.register import RegisterFrames
from integration_assets.domain.addresses.washing import codes, words
from integration_assets.domain.addresses.washing.large_receivers import large_receivers

Ints = npt.NDArray[np.int64]
Numbers = npt.NDArray[np.uint32]

BEGINNING: Final = np.iinfo(np.int64).min
END: Final = np.iinfo(np.int64).max

Part = npt.NDArray[Any] | pl.DataFrame


@dataclass(frozen=True)
class AccessRows:
    """Versions of access addresses, sorted by `house`."""

    house: Ints
    access: Numbers
    place: Numbers
    id_high: npt.NDArray[np.uint64]
    id_low: npt.NDArray[np.uint64]
    status: npt.NDArray[np.uint8]
    valid_from: Ints
    valid_to: Ints
    last: Numbers
    """By access number (not by row): the row of the version in force, or of the last one."""


@dataclass(frozen=True)
class UnitRows:
    """Versions of unit addresses, sorted by `unit`."""

    unit: Ints
    id_high: npt.NDArray[np.uint64]
    id_low: npt.NDArray[np.uint64]
    status: npt.NDArray[np.uint8]
    valid_from: Ints
    valid_to: Ints
    last: Numbers
    """The row of the version in force of the same unit, or of its last one."""


@dataclass(frozen=True)
class Spellings:
    """The names of the streets of a zone: their distinct keys, beside each the number of a name that has it; and the
    distinct plain names in the order of their keys, `first` the position of the first one of each key."""

    keys: list[str]
    names: Numbers
    plain: list[str]
    first: Numbers


@dataclass(frozen=True)
class WashingIndex:
    """One generation of the register, ready for washing.

    `places` is the register's PLACES with street, district (number) and the numbers of its two names; `names` has one
    row per name of a street (name, street, zone, district_zone, key, plain, text, current, receiver_postcode,
    receiver_district), sorted by zone and key; `districts` zone, key and text of the postal districts; `receivers` the
    houses of large receivers (receiver_postcode, house); `doors` and `floors` the texts of codes that are no numbers.
    """

    generation: int
    places: pl.DataFrame
    names: pl.DataFrame
    districts: pl.DataFrame
    receivers: pl.DataFrame
    vocabulary: codes.Vocabulary
    access: AccessRows
    units: UnitRows
    _spellings: dict[int, Spellings] = field(default_factory=dict, compare=False, repr=False)

    @classmethod
    def build(cls, frames: RegisterFrames) -> "WashingIndex":
        """The index of a register. Access rows whose house number is no number with at most one letter are left out."""
        vocabulary = codes.Vocabulary.of(frames.units)
        places = _places(frames.places)
        names = _names(places)
        access = _access(frames.access, places)
        receivers, receiver_names = _receivers(names)
        names = pl.concat([names, receiver_names]).sort("zone", "key", maintain_order=True)
        names = names.with_columns(pl.int_range(pl.len(), dtype=pl.UInt32).alias("name"))
        return cls(
            generation=frames.generation,
            places=_with_names(places, names),
            names=names,
            districts=_districts(places),
            receivers=receivers,
            vocabulary=vocabulary,
            access=access,
            units=_units(frames.units, vocabulary),
        )

    @classmethod
    def of(cls, parts: Mapping[str, Part]) -> "WashingIndex":
        """The index from its `parts`."""
        frames = {name: part for name, part in parts.items() if isinstance(part, pl.DataFrame)}
        arrays = {name: part for name, part in parts.items() if not isinstance(part, pl.DataFrame)}
        return cls(
            generation=int(arrays["generation"][0]),
            places=frames["places"],
            names=frames["names"],
            districts=frames["districts"],
            receivers=frames["receivers"],
            vocabulary=codes.Vocabulary(frames["doors"]["text"].to_list(), frames["floors"]["text"].to_list()),
            access=AccessRows(**_fields(arrays, "access")),
            units=UnitRows(**_fields(arrays, "units")),
        )

    def parts(self) -> dict[str, Part]:
        """Everything that the index holds, by name: frames, and arrays as ``access.…`` and ``units.…``."""
        frames: dict[str, Part] = {
            "places": self.places,
            "names": self.names,
            "districts": self.districts,
            "receivers": self.receivers,
            "doors": pl.DataFrame({"text": self.vocabulary.doors}, schema={"text": pl.String}),
            "floors": pl.DataFrame({"text": self.vocabulary.floors}, schema={"text": pl.String}),
            "generation": np.array([self.generation], dtype=np.int64),
        }
        access = {f"access.{name}": part for name, part in vars(self.access).items()}
        return frames | access | {f"units.{name}": part for name, part in vars(self.units).items()}

    def spellings_of(self, zone: int) -> Spellings:
        """The names of the streets of a zone as they are compared with a misspelt one."""
        if zone not in self._spellings:
            zones, rows = self._by_zone[zone >= codes.DISTRICT_ZONES]
            first, last = np.searchsorted(zones, [zone, zone + 1])
            own = self.names.select("name", "key", "plain")[pl.Series(rows[first:last])]
            own = own.unique(["key", "plain"], keep="first", maintain_order=True).sort("key", maintain_order=True)
            own = own.with_row_index("position")
            keyed = own.unique("key", keep="first", maintain_order=True)
            self._spellings[zone] = Spellings(
                keyed["key"].to_list(), keyed["name"].to_numpy(), own["plain"].to_list(), keyed["position"].to_numpy()
            )
        return self._spellings[zone]

    @cached_property
    def numbered_zones(self) -> pl.Series:
        """Zones with streets that have a number in their name ("Vej 5")."""
        numbered = self.names.filter(pl.col("key").str.contains(r"\d"))
        return pl.concat([numbered["zone"], numbered["district_zone"]]).unique()

    @cached_property
    def _by_zone(self) -> tuple[tuple[Numbers, Numbers], tuple[Numbers, Numbers]]:
        """For postal codes and for districts: the zones of the names in order, and the rows of the names."""
        both: list[tuple[Numbers, Numbers]] = []
        for column in ("zone", "district_zone"):
            zones = self.names[column].to_numpy()
            rows = np.argsort(zones, kind="stable").astype(np.uint32)
            both.append((zones[rows], rows))
        return both[0], both[1]


def _fields(arrays: Mapping[str, npt.NDArray[Any]], prefix: str) -> dict[str, npt.NDArray[Any]]:
    return {name.removeprefix(f"{prefix}."): part for name, part in arrays.items() if name.startswith(f"{prefix}.")}


def _places(places: pl.DataFrame) -> pl.DataFrame:
    road = pl.coalesce("road_id", "street_name", pl.lit(""))
    keyed = places.with_columns(
        pl.struct(road, "postcode").rank("dense").cast(pl.UInt32).sub(1).alias("street"),
        pl.col("postcode").cast(pl.UInt32, strict=False).fill_null(0).alias("zone"),
        words.key(words.plain(pl.col("district").fill_null(""))).alias("district_key"),
        words.plain(pl.col("district").fill_null("")).alias("district_plain"),
        words.plain(pl.col("supplementary_town")).alias("town_plain"),
        words.key(words.plain(pl.col("supplementary_town"))).alias("town_key"),
    )
    zone = pl.col("district_key").rank("dense").cast(pl.UInt32) + (codes.DISTRICT_ZONES - 1)
    return keyed.with_columns(zone.alias("district_zone"))


def _names(places: pl.DataFrame) -> pl.DataFrame:
    base = ("street", "zone", "district_zone", "valid_to")
    both = pl.concat(
        [
            places.select(*base, pl.col("street_name").alias("text")),
            places.select(*base, pl.col("short_street_name").alias("text")),
        ]
    )
    named = both.filter(pl.col("text").fill_null("") != "").with_columns(words.plain(pl.col("text")).alias("plain"))
    current = pl.col("valid_to").is_null()
    grouped = named.group_by("street", "plain", maintain_order=True).agg(
        pl.col("zone", "district_zone", "text").sort_by(current, descending=True).first(),
        current.any().alias("current"),
    )
    return grouped.select(
        "street", "zone", "district_zone", words.key(pl.col("plain")).alias("key"), "plain", "text", "current",
        pl.lit(None, pl.String).alias("receiver_postcode"), pl.lit(None, pl.String).alias("receiver_district"),
    )  # fmt: skip


def _with_names(places: pl.DataFrame, names: pl.DataFrame) -> pl.DataFrame:
    """The places with the numbers of their full and of their short name."""
    own = names.filter(pl.col("receiver_postcode").is_null()).select("street", "plain", "name")
    for column, number in (("street_name", "full_name"), ("short_street_name", "short_name")):
        plain = places.with_columns(words.plain(pl.col(column)).alias("plain"))
        joined = plain.join(own, on=["street", "plain"], how="left", maintain_order="left")
        places = joined.rename({"name": number}).drop("plain")
    return places


def _districts(places: pl.DataFrame) -> pl.DataFrame:
    rows = places.filter(pl.col("district_key") != "").group_by("district_zone", maintain_order=True)
    return rows.agg(pl.col("district_key").first().alias("key"), pl.col("district").first().alias("text")).rename(
        {"district_zone": "zone"}
    )


def _receivers(names: pl.DataFrame) -> tuple[pl.DataFrame, pl.DataFrame]:
    """The houses of large receivers, and the names of their streets under the receivers' own postal codes."""
    listed = large_receivers().with_columns(
        words.key(words.plain(pl.col("street_name"))).alias("key"),
        pl.col("postcode").cast(pl.UInt32).alias("zone"),
    )
    rows = listed.drop("postcode", "street_name").join(
        names.drop("receiver_postcode", "receiver_district"), on=["zone", "key"]
    )
    house = codes.house_key(pl.col("street"), pl.col("house_number"))
    receivers = rows.select("receiver_postcode", house.alias("house")).unique()
    own = rows.with_columns(pl.col("receiver_postcode").cast(pl.UInt32).alias("zone"))
    return receivers, own.select(names.columns).unique(maintain_order=True)


def _micros(frame: pl.DataFrame, column: str, unbounded: int) -> Ints:
    return frame[column].dt.epoch("us").fill_null(unbounded).to_numpy().astype(np.int64, copy=False)


def _access(access: pl.DataFrame, places: pl.DataFrame) -> AccessRows:
    street = places["street"].gather(access["place"])
    house = access.select(codes.house_key(pl.lit(street), pl.col("house_number")).fill_null(-1)).to_series()
    keys = house.to_numpy()
    order = np.argsort(keys, kind="stable")
    order = order[np.searchsorted(keys[order], 0) :]
    rows = access[order]
    number = rows["access"].to_numpy()
    ends = _micros(rows, "valid_to", END)
    starts = _micros(rows, "valid_from", BEGINNING)
    last = np.zeros(int(number.max(initial=0)) + 1, dtype=np.uint32)
    by_time = np.lexsort((starts, ends))
    last[number[by_time]] = by_time.astype(np.uint32)
    return AccessRows(
        house=keys[order],
        access=number,
        place=rows["place"].to_numpy(),
        id_high=rows["id_high"].to_numpy(),
        id_low=rows["id_low"].to_numpy(),
        status=rows["status"].to_numpy(),
        valid_from=starts,
        valid_to=ends,
        last=last,
    )


def _units(units: pl.DataFrame, vocabulary: codes.Vocabulary) -> UnitRows:
    unit = units.select(vocabulary.unit_key(pl.col("access"), pl.col("floor"), pl.col("door"))).to_series().to_numpy()
    order = np.argsort(unit, kind="stable")
    rows = units.select("id_high", "id_low", "status", "valid_from", "valid_to")[order]
    high, low = rows["id_high"].to_numpy(), rows["id_low"].to_numpy()
    starts, ends = _micros(rows, "valid_from", BEGINNING), _micros(rows, "valid_to", END)
    by_id = np.lexsort((starts, ends, low, high))
    ends_group = np.ones(len(by_id), dtype=bool)
    ends_group[:-1] = (high[by_id[1:]] != high[by_id[:-1]]) | (low[by_id[1:]] != low[by_id[:-1]])
    group = np.cumsum(ends_group) - ends_group
    last = np.empty(len(by_id), dtype=np.uint32)
    last[by_id] = by_id[ends_group][group]
    return UnitRows(
        unit=unit[order],
        id_high=high,
        id_low=low,
        status=rows["status"].to_numpy(),
        valid_from=starts,
        valid_to=ends,
        last=last,
    )
