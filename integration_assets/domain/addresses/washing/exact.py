"""Addresses by their codes alone: no names are looked at, nothing is judged, so that it costs next to nothing."""

from typing import Final

import numpy as np
import polars as pl

from integration_assets.domain.addresses import texts
from integration_assets.domain.addresses.dar_tables import LIVE_STATUSES
from integration_assets.domain.addresses.washing import answers, codes
from integration_assets.domain.addresses.washing.houses import expanded
from integration_assets.domain.addresses.washing.index import END, WashingIndex
from integration_assets.domain.addresses.washing.washed import UNIT

COLUMNS: Final = (*("municipality_code", "street_code", "house_number", "house_letter", "floor", "door", "postcode"),)
"""Components that are looked at; missing columns count as null."""

FOUND: Final = pl.Schema({"row": pl.UInt32, "unit_id": pl.String, "access_id": pl.String})
"""The address of a row of components, by the row's number; unit_id null where access addresses were asked for."""


def by_codes(components: pl.DataFrame, index: WashingIndex, kind: str = UNIT) -> pl.DataFrame:
    """FOUND for the rows of `components` (text, COLUMNS) whose codes mean exactly one existing address, in their order.

    Street code (vejkode) with postal code, or with municipality where no postal code is given, and house number with
    letter. Of units, floor and door as well: empty ones mean the unit without them.
    """
    rows = normalized(components)
    at_house = rows.join(streets(rows, index), on="row", maintain_order="left").with_columns(
        codes.house_key(pl.col("street"), pl.col("house_number")).alias("key")
    )
    houses = index.access
    at_house = at_house.filter(pl.col("key").is_not_null())
    key = at_house["key"].to_numpy()
    hits = expanded(at_house, houses.house, key, key, "access_row")
    row = hits["access_row"].to_numpy()
    hits = hits.filter(pl.Series(np.isin(houses.status[row], LIVE_STATUSES) & (houses.valid_to[row] == END)))
    if kind != UNIT:
        return _only(hits, hits["access_row"], None, index)
    access = pl.Series(houses.access[hits["access_row"].to_numpy()])
    unit = hits.select(index.vocabulary.unit_key(pl.lit(access), pl.col("floor"), pl.col("door")))
    key = unit.to_series().to_numpy()
    hits = expanded(hits, index.units.unit, key, key, "unit_row")
    row = hits["unit_row"].to_numpy()
    units = index.units
    hits = hits.filter(pl.Series(np.isin(units.status[row], LIVE_STATUSES) & (units.valid_to[row] == END)))
    return _only(hits, hits["access_row"], hits["unit_row"], index)


def normalized(components: pl.DataFrame) -> pl.DataFrame:
    """Each row's number `row`, and the codes of `components` in the register's form: street_code, municipality_code,
    postcode, house_number (with its letter), floor and door; null for none."""
    given = components.select(
        (pl.col(name) if name in components.columns else pl.lit(None)).cast(pl.String).alias(name) for name in COLUMNS
    )
    return given.select(
        texts.street_code("street_code").alias("street_code"),
        texts.municipality_code("municipality_code").alias("municipality_code"),
        texts.postcode("postcode").alias("postcode"),
        texts.house("house_number", "house_letter").alias("house_number"),
        texts.floor("floor").alias("floor"),
        texts.door("door").alias("door"),
    ).with_row_index("row")


def streets(rows: pl.DataFrame, index: WashingIndex) -> pl.DataFrame:
    """Row, street and name (number of the street's full name) of the street codes of `normalized` rows, each once."""
    places = index.places.filter(pl.col("valid_to").is_null())
    places = places.select("street_code", "municipality_code", "postcode", "street", name="full_name")
    given = rows.select("row", "street_code", "municipality_code", "postcode").drop_nulls("street_code")
    without = pl.col("postcode").is_null()
    in_postcode = given.filter(~without).join(places, on=["street_code", "postcode"])
    in_municipality = given.filter(without).join(places, on=["street_code", "municipality_code"])
    found = pl.concat([frame.select("row", "street", "name") for frame in (in_postcode, in_municipality)])
    return found.unique(maintain_order=True)


def _only(hits: pl.DataFrame, access_rows: pl.Series, unit_rows: pl.Series | None, index: WashingIndex) -> pl.DataFrame:
    """FOUND of the rows with one address (its versions count once), by positions of houses and units in the index."""
    house = access_rows.to_numpy()
    rows, position = (index.access, house) if unit_rows is None else (index.units, unit_rows.to_numpy())
    named = pl.DataFrame(
        {"row": hits["row"], "house": house, "high": rows.id_high[position], "low": rows.id_low[position]}
    )
    distinct = named.unique(["row", "high", "low"], keep="first", maintain_order=True)
    chosen = distinct.filter(pl.len().over("row") == 1).sort("row")
    own_ids = answers.uuids(chosen["high"].to_numpy(), chosen["low"].to_numpy())
    nobody = pl.Series([None], dtype=pl.String).new_from_index(0, chosen.height)
    house = chosen["house"].to_numpy()
    access_ids = answers.uuids(index.access.id_high[house], index.access.id_low[house])
    return pl.DataFrame(
        {
            "row": chosen["row"].cast(pl.UInt32),
            "unit_id": nobody if unit_rows is None else own_ids,
            "access_id": access_ids,
        }
    )
