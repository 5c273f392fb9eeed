"""How far a found address is from what was typed, and the category that follows.

The rules are those of the Danish address web service DAWA (datavask): A, nothing differs and no word is left over; B,
no word is left over, house number, floor and door are equal, the postal code is equal (or absent, with the district's
name equal), and the street's name differs by at most three edits from the only nearest street; C, everything else.
DAWA counts these edits on the names as they are; here a name of the same words in another writing is B however long
its abbreviations, and a misspelt one may be counted with its words written out (`roads`).
"""

from typing import Final

import numpy as np
import polars as pl
from rapidfuzz.distance import Levenshtein
from rapidfuzz.process import cpdist

from integration_assets.domain.addresses.washing import codes, words
from integration_assets.domain.addresses.washing.index import WashingIndex

FIELDS: Final = ("street", "house_number", "floor", "door", "supplementary_town", "postcode", "district")

_POSTCODE_LENGTH: Final = 4
_MOST_TOWN_EDITS: Final = 3


def judged(hits: pl.DataFrame, zoned: pl.DataFrame, index: WashingIndex, units: bool | None = True) -> pl.DataFrame:
    """`hits` (t, name, edits, nearest, certain_zone, front, access_row, unit_row, null where an access address was
    asked for, as_door) with the differences (columns `difference.…`), distance, unknown (words that belong nowhere),
    fits (the name that was typed is one that the version itself has) and category. With `units` false, floor and door
    that were typed are words that belong nowhere; with None, they are not looked at.
    """
    place = index.places.select("district_plain", "postcode", "town_plain", "town_key", "full_name", "short_name")
    rows = hits.with_columns(place[pl.Series(index.access.place[hits["access_row"].to_numpy()])])
    names = index.names.select(pl.col("plain").alias("name_plain"), "receiver_postcode", "receiver_district")
    rows = rows.with_columns(names[hits["name"]])
    typed = zoned.select(
        "t", pl.col("street").alias("typed_street"), "house_number", "stray", "floor", "door", "other_door",
        pl.col("place").alias("town"), "surplus",
        pl.col("postcode").alias("typed_postcode"), pl.col("district").alias("typed_district"),
    )  # fmt: skip
    rows = rows.join(typed, on="t", how="left", maintain_order="left")
    receiver = words.plain(pl.col("receiver_district"))
    rows = rows.with_columns(
        pl.coalesce(receiver, "district_plain").alias("district_plain"),
        pl.coalesce("receiver_postcode", "postcode").alias("postcode"),
        pl.when(pl.col("front") == "")
        .then("typed_street")
        .otherwise(pl.col("typed_street").str.slice(pl.col("front").str.len_chars() + 1))
        .alias("typed_street"),
    )
    if units is False:
        unit = pl.concat_str("floor", "door", separator=" ", ignore_nulls=True)
        rows = rows.with_columns(pl.concat_str("surplus", unit, separator=" ").str.strip_chars().alias("surplus"))
    return _categorised(_with_differences(rows, index))


def _with_differences(rows: pl.DataFrame, index: WashingIndex) -> pl.DataFrame:
    postcode = pl.col("typed_postcode")
    town_is_other = pl.Series(_town_differs(rows))
    no_town = (pl.col("town") == "") | town_is_other
    town_edits = _edits(rows, "town", "town_plain")
    street = _edits(rows, "typed_street", "name_plain")
    floor, door, number = _unit_differences(rows, index)
    rows = rows.with_columns(
        pl.when(pl.col("edits") > 0).then(pl.min_horizontal("edits", pl.lit(street))).otherwise(pl.lit(street))
        .cast(pl.UInt16).alias("difference.street"),
        number.alias("difference.house_number"),
        floor.alias("difference.floor"),
        door.alias("difference.door"),
        pl.when(~no_town).then(pl.lit(town_edits)).otherwise(0).alias("difference.supplementary_town"),
        pl.when(postcode.is_null()).then(_POSTCODE_LENGTH).otherwise(pl.lit(_edits(rows, "typed_postcode", "postcode")))
        .cast(pl.UInt16).alias("difference.postcode"),
        _edits(rows, "typed_district", "district_plain").alias("difference.district"),
        pl.concat_str(
            "front",
            pl.when(pl.col("edits") > 0).then("stray"),
            pl.when(town_is_other).then("town"),
            "surplus", separator=" ", ignore_nulls=True,
        ).str.replace_all("  +", " ").str.strip_chars().alias("unknown"),
    )  # fmt: skip
    return rows.with_columns(
        pl.sum_horizontal(f"difference.{name}" for name in FIELDS).cast(pl.UInt16).alias("distance")
    )


def _edits(rows: pl.DataFrame, left: str, right: str) -> pl.Series:
    """Levenshtein distance of two columns, null taken as empty; counted once where the texts differ."""
    one, two = rows[left].fill_null(""), rows[right].fill_null("")
    edits = np.zeros(len(rows), dtype=np.uint16)
    differ = (one != two).to_numpy()
    if differ.any():
        edits[differ] = cpdist(
            one.filter(pl.Series(differ)).to_list(),
            two.filter(pl.Series(differ)).to_list(),
            scorer=Levenshtein.distance,
            dtype=np.uint16,
        )
    return pl.Series(edits)


def _town_differs(rows: pl.DataFrame) -> np.ndarray:
    """Whether words behind the unit are not the supplementary town of the hit."""
    differs = np.zeros(len(rows), dtype=bool)
    asked = ((rows["town"] != "") & ~rows["town"].eq_missing(rows["town_plain"])).to_numpy()
    if not asked.any():
        return differs
    some = rows.filter(pl.Series(asked)).select(
        "town_plain", "town_key", "town", words.key(pl.col("town")).alias("typed_key")
    )
    edits = _edits(some, "typed_key", "town_key").to_numpy()
    long_enough = 2 * edits <= some["typed_key"].str.len_chars().to_numpy()
    same = (edits <= _MOST_TOWN_EDITS) & long_enough & some["town_plain"].is_not_null().to_numpy()
    differs[asked] = ~same
    return differs


def _unit_differences(rows: pl.DataFrame, index: WashingIndex) -> tuple[pl.Series, pl.Series, pl.Series]:
    """Differences of floor, door and house number."""
    house = codes.house_text(pl.Series(index.access.house[rows["access_row"].to_numpy()]))
    number = _edits(pl.DataFrame({"typed": rows["house_number"], "found": house}), "typed", "found")
    if rows["unit_row"].null_count() == len(rows):
        none = pl.zeros(len(rows), pl.UInt16, eager=True)
        return none, none, number
    unit = pl.Series(index.units.unit[rows["unit_row"].to_numpy()])
    read = rows.select(
        pl.when(~pl.col("as_door")).then("floor").alias("floor"),
        pl.when("as_door").then("other_door").otherwise("door").alias("door"),
        index.vocabulary.floor_text(unit).alias("found_floor"),
        index.vocabulary.door_text(unit).alias("found_door"),
    )
    return _edits(read, "floor", "found_floor"), _edits(read, "door", "found_door"), number


def _categorised(rows: pl.DataFrame) -> pl.DataFrame:
    nothing_left = (pl.col("unknown") == "") & pl.col("certain_zone")
    numbers_equal = pl.all_horizontal(pl.col(f"difference.{name}") == 0 for name in ("house_number", "floor", "door"))
    postcode_known = (pl.col("difference.postcode") == 0) | pl.col("typed_postcode").is_null()
    b = nothing_left & numbers_equal & postcode_known & pl.col("nearest")
    a = nothing_left & (pl.col("distance") == 0)
    fits = (pl.col("name") == pl.col("full_name")) | (pl.col("name") == pl.col("short_name"))
    return rows.with_columns(
        pl.when(a).then(pl.lit("A")).when(b).then(pl.lit("B")).otherwise(pl.lit("C")).alias("category"),
        (fits.fill_null(False) | pl.col("receiver_postcode").is_not_null()).alias("fits"),
    )
