"""The streets that a typed name can mean, within the postal code or district that was typed."""

from itertools import pairwise
from typing import Final

import numpy as np
import numpy.typing as npt
import polars as pl
from rapidfuzz.distance import OSA, Levenshtein
from rapidfuzz.process import cdist, cpdist

from integration_assets.domain.addresses.washing import codes, words
from integration_assets.domain.addresses.washing.index import Numbers, Spellings, WashingIndex

MOST_EDITS: Final = 3
"""A street name further off than this is no repair."""

Flags = npt.NDArray[np.bool_]
Edits = npt.NDArray[np.uint8]
Found = tuple[npt.NDArray[np.int64], Numbers, Edits, Flags, Flags]

_NO_FLAGS: Final = np.empty(0, np.bool_)
_NOTHING: Final[Found] = (np.empty(0, np.int64), np.empty(0, np.uint32), np.empty(0, np.uint8), _NO_FLAGS, _NO_FLAGS)

ROADS: Final = pl.Schema(
    {
        "t": pl.UInt32,
        "name": pl.UInt32,  # WashingIndex.names
        "street": pl.UInt32,
        "edits": pl.UInt8,  # see `_within_zone`; 0 for the same key
        "nearest": pl.Boolean,  # the only nearest street of the zone
        "certain_zone": pl.Boolean,  # the zone is the one that was typed
        "front": pl.String,  # words before the street name that belong nowhere; "" for none
    }
)
"""Streets that a text may mean."""

_MOST_NATIONAL: Final = 10


def zones(parsed: pl.DataFrame, index: WashingIndex) -> pl.DataFrame:
    """The rows of PARSED with zone (by postal code, else by district; null for neither) and district_zone (where the
    typed district is one, null otherwise); what stands behind the house number is taken apart into place and district
    where no postal code was typed."""
    districts = index.districts.select(pl.col("key").alias("district_key"), pl.col("zone").alias("district_zone"))
    with_tail = _with_district_from_place(parsed, districts)
    postcodes = index.names.select(pl.col("zone").unique()).with_columns(pl.lit(True).alias("known"))
    keyed = with_tail.with_columns(
        words.key(pl.col("district")).alias("district_key"),
        pl.col("postcode").cast(pl.UInt32, strict=False).alias("zone"),
    )
    joined = keyed.join(districts, on="district_key", how="left", maintain_order="left")
    joined = joined.join(postcodes, on="zone", how="left", maintain_order="left")
    zone = pl.when(pl.col("known")).then("zone").when(pl.col("postcode").is_null()).then("district_zone")
    return _with_town_for_unit(joined.with_columns(zone.alias("zone")).drop("known", "district_key"), index)


def _with_town_for_unit(zoned: pl.DataFrame, index: WashingIndex) -> pl.DataFrame:
    """What was read as floor or door and a place is a supplementary town where the postal code has one of all these
    words, and none of the place alone: behind a house number "St. Rise" is the town Store Rise."""
    one_of_both = pl.col("floor").is_null() ^ pl.col("door").is_null()
    two = zoned.filter((pl.col("place") != "") & one_of_both)
    towns = index.places.select("zone", pl.col("town_key").alias("key")).drop_nulls().unique()
    whole = two.select("t", "zone", words.key(pl.col("behind")).alias("key")).join(towns, on=["zone", "key"])
    alone = two.select("t", "zone", words.key(pl.col("place")).alias("key")).join(towns, on=["zone", "key"])
    towns_only = whole.join(alone, on="t", how="anti")
    if towns_only.is_empty():
        return zoned
    named = pl.col("t").is_in(towns_only["t"].implode())
    return zoned.with_columns(
        pl.when(~named).then(name).alias(name) for name in ("floor", "door", "other_door")
    ).with_columns(pl.when(named).then("behind").otherwise("place").alias("place"))


def _with_district_from_place(parsed: pl.DataFrame, districts: pl.DataFrame) -> pl.DataFrame:
    """Without a postal code the last words may be a district: the longest run of them that is one."""
    bare = parsed.filter(pl.col("postcode").is_null() & (pl.col("place") != ""))
    if bare.is_empty():
        return parsed
    distinct = bare.select("place").unique().with_columns(pl.col("place").str.split(" ").alias("words"))
    runs = distinct.with_columns(pl.int_ranges(0, pl.col("words").list.len()).alias("start")).explode("start")
    runs = runs.with_columns(
        pl.col("words").list.slice(pl.col("start")).list.join(" ").alias("tail"),
        pl.col("words").list.head(pl.col("start")).list.join(" ").alias("town"),
    )
    hits = runs.with_columns(words.key(pl.col("tail")).alias("district_key")).join(
        districts, on="district_key", how="semi"
    )
    longest = hits.sort("start").unique("place", keep="first").select("place", "tail", "town")
    joined = parsed.join(longest, on="place", how="left", maintain_order="left")
    found = pl.col("postcode").is_null() & pl.col("tail").is_not_null()
    return joined.with_columns(
        pl.when(found).then("tail").otherwise("district").alias("district"),
        pl.when(found).then("town").otherwise("place").alias("place"),
    ).drop("tail", "town")


def roads(zoned: pl.DataFrame, index: WashingIndex) -> pl.DataFrame:
    """ROADS of the zones that were typed: by key, else repaired, else without the words in front of the name."""
    keyed = zoned.filter(pl.col("zone").is_not_null() & (pl.col("street_key") != ""))
    exact = by_key(keyed, index)
    rest = keyed.join(exact, on="t", how="anti", maintain_order="left")
    repaired = _repaired(rest, index)
    rest = rest.join(repaired, on="t", how="anti", maintain_order="left")
    return pl.concat([exact, repaired, _behind_other_words(rest, index)])


def by_key(zoned: pl.DataFrame, index: WashingIndex) -> pl.DataFrame:
    """ROADS of the zones that were typed, without any repair."""
    keyed = zoned.filter(pl.col("zone").is_not_null() & (pl.col("street_key") != ""))
    return _by_key(keyed.with_columns(front=pl.lit("")), index)


def elsewhere(zoned: pl.DataFrame, index: WashingIndex) -> pl.DataFrame:
    """ROADS outside the typed postal code: in the district that was typed, else streets of this name anywhere when
    there are few. They are candidates, never hits."""
    in_district = zoned.filter(pl.col("district_zone").is_not_null()).with_columns(zone="district_zone")
    first = roads(in_district, index)
    rest = zoned.join(first, on="t", how="anti", maintain_order="left").filter(pl.col("street_key") != "")
    own = index.names.filter(pl.col("receiver_postcode").is_null()).select("name", "street", "key")
    anywhere = rest.select("t", pl.lit("").alias("front"), pl.col("street_key").alias("key")).join(own, on="key")
    few = anywhere.filter(pl.len().over("t") <= _MOST_NATIONAL)
    return pl.concat([first, _roads(few)]).with_columns(certain_zone=pl.lit(False))


def _roads(rows: pl.DataFrame) -> pl.DataFrame:
    """ROADS of rows with t, name, street and front that were found by key."""
    nearest = pl.col("nearest") if "nearest" in rows.columns else pl.lit(True)
    return rows.select(
        "t", "name", "street", pl.lit(0, pl.UInt8).alias("edits"), nearest.alias("nearest"),
        pl.lit(True).alias("certain_zone"), "front",
    )  # fmt: skip


def _by_key(rows: pl.DataFrame, index: WashingIndex) -> pl.DataFrame:
    """Streets with the key of what was typed; where names of several spellings have it, those nearest in spelling."""
    typed = rows.select("t", "zone", pl.col("street_key").alias("key"), pl.col("street").alias("typed"), "front")
    names = index.names.select("name", "street", "key", "zone", "district_zone", "plain")
    in_postcode = typed.filter(pl.col("zone") < codes.DISTRICT_ZONES).join(names, on=["zone", "key"])
    in_district = typed.filter(pl.col("zone") >= codes.DISTRICT_ZONES).join(
        names.drop("zone").rename({"district_zone": "zone"}), on=["zone", "key"]
    )
    hits = pl.concat([in_postcode.drop("district_zone"), in_district.select(in_postcode.drop("district_zone").columns)])
    several = hits.filter(pl.col("plain").n_unique().over("t") > 1)
    if several.is_empty():
        return _roads(hits)
    spelling = cpdist(several["typed"].to_list(), several["plain"].to_list(), scorer=Levenshtein.distance)
    near = several.with_columns(pl.Series("spelling", spelling))
    near = near.filter(pl.col("spelling") == pl.col("spelling").min().over("t"))
    one_name = (pl.col("plain").n_unique().over("t") == 1) | (pl.col("street").n_unique().over("t") == 1)
    single = hits.join(several, on="t", how="anti")
    return pl.concat([_roads(single), _roads(near.with_columns(one_name.alias("nearest")))])


def _repaired(rows: pl.DataFrame, index: WashingIndex) -> pl.DataFrame:
    """The nearest street of the zone, at most MOST_EDITS away and with at least half of its letters right."""
    distinct = rows.select("zone", "street", "street_key").unique().sort("zone", "street", "street_key")
    hits = _nearest(distinct, index)
    per_text = rows.select("t", "zone", "street", "street_key").join(hits, on=["zone", "street", "street_key"])
    named = per_text.drop("street", "street_key").join(index.names.select("name", "key"), on="name").drop("name")
    names = index.names.select("name", "street", "key", "zone", "district_zone")
    in_postcode = named.filter(pl.col("zone") < codes.DISTRICT_ZONES).join(names, on=["zone", "key"])
    in_district = named.filter(pl.col("zone") >= codes.DISTRICT_ZONES).join(
        names.drop("zone").rename({"district_zone": "zone"}), on=["zone", "key"]
    )
    columns = ("t", "name", "street", "edits", "nearest", "rival")
    joined = pl.concat([in_postcode.select(columns), in_district.select(columns)])
    one_street = pl.col("street").n_unique().over("t") == 1
    return joined.with_columns(
        (pl.col("nearest") | one_street) & ~pl.col("rival"),
        pl.lit(True).alias("certain_zone"),
        pl.lit("").alias("front"),
    ).select(list(ROADS))


def _nearest(distinct: pl.DataFrame, index: WashingIndex) -> pl.DataFrame:
    """`distinct` (zone, street and street_key as typed, sorted by zone) with name, edits, nearest (the only
    one that near) and rival (`_rivals`), for those that have a street within reach; several rows where several are
    equally near."""
    zones = distinct["zone"].to_numpy()
    keys, plain = distinct["street_key"].to_list(), distinct["street"].to_list()
    bounds = np.flatnonzero(np.diff(zones, prepend=-1, append=-1))
    rows: list[Found] = []
    for first, last in pairwise(bounds.tolist()):
        spellings = index.spellings_of(int(zones[first]))
        if spellings.keys:
            rows.append(_within_zone(keys[first:last], plain[first:last], spellings, first))
    at, names, edits, alone, rival = (np.concatenate(parts) for parts in zip(*rows, strict=True)) if rows else _NOTHING
    return distinct[pl.Series(at, dtype=pl.UInt32)].with_columns(
        pl.Series("name", names, dtype=pl.UInt32),
        pl.Series("edits", edits, dtype=pl.UInt8),
        pl.Series("nearest", alone, dtype=pl.Boolean),
        pl.Series("rival", rival, dtype=pl.Boolean),
    )


def _within_zone(keys: list[str], plain: list[str], spellings: Spellings, offset: int) -> Found:
    """The nearest names by Levenshtein's distance, of the names as typed or of their keys, whichever is less: in a key
    blanks, abbreviations and letters that stand for Danish ones cost nothing, but an error in or beside one of these
    costs many."""
    by_key = _distances(keys, spellings.keys)
    by_name = np.minimum.reduceat(_distances(plain, spellings.plain), spellings.first, axis=1)
    edits = np.minimum(by_key, by_name)
    least = edits.min(axis=1)
    within = (least <= MOST_EDITS) & (2 * least <= np.array([len(key) for key in keys]))
    texts, columns = np.nonzero((edits == least[:, None]) & within[:, None])
    alone = np.bincount(texts, minlength=len(keys))[texts] == 1
    rival = _rivals(keys, spellings.keys, edits, least)
    return texts + offset, spellings.names[columns], least[texts], alone, rival[texts]


def _rivals(typed: list[str], known: list[str], edits: Edits, least: Edits) -> Flags:
    """Whether another name is as near as the nearest one when two swapped letters are one slip and not two edits:
    "Stnelunden" is "Snelunden" with a letter too many, or "Stenlunden" with two letters swapped."""
    further = (edits > least[:, None]) & (edits <= MOST_EDITS)
    doubtful = further.any(axis=1, keepdims=True)
    texts, columns = np.nonzero((edits <= MOST_EDITS) & doubtful)
    found = np.zeros(len(typed), dtype=np.bool_)
    if len(texts):
        slips = cpdist([typed[at] for at in texts], [known[at] for at in columns], scorer=OSA.distance, dtype=np.uint8)
        other = further[texts, columns]
        fewest = least.copy()
        np.minimum.at(fewest, texts[~other], slips[~other])
        found[texts[other & (slips <= fewest[texts])]] = True
    return found


def _distances(typed: list[str], known: list[str]) -> Edits:
    """One row per typed text; what is beyond MOST_EDITS is MOST_EDITS + 1."""
    return cdist(typed, known, scorer=Levenshtein.distance, score_cutoff=MOST_EDITS, dtype=np.uint8)


def _behind_other_words(rows: pl.DataFrame, index: WashingIndex) -> pl.DataFrame:
    """Streets found when words in front of the name ("c/o Jensen, Vestergade") are left out: the longest name
    counts."""
    distinct = rows.select("t", "zone", pl.col("street").str.split(" ").alias("words"))
    starts = pl.int_ranges(1, pl.col("words").list.len().clip(lower_bound=1))
    runs = distinct.with_columns(starts.alias("start")).explode("start").drop_nulls("start")
    runs = runs.with_columns(
        pl.col("words").list.head(pl.col("start")).list.join(" ").alias("front"),
        pl.col("words").list.slice(pl.col("start")).list.join(" ").alias("street"),
    )
    runs = runs.with_columns(words.key(pl.col("street")).alias("street_key")).filter(pl.col("street_key") != "")
    hits = _by_key(runs, index)
    shortest = pl.col("front").str.len_chars()
    return hits.filter(shortest == shortest.min().over("t"))
