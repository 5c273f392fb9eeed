"""Addresses that come as components: codes first, then the text that the components make."""

from typing import Final

import polars as pl

from integration_assets.domain.addresses import texts
from integration_assets.domain.addresses.washing import choosing, exact, houses, text, words
from integration_assets.domain.addresses.washing.index import WashingIndex
from integration_assets.domain.addresses.washing.rows import answered
from integration_assets.domain.addresses.washing.washed import ACCESS, COMPONENTS, UNIT, WASHED
from integration_assets.domain.addresses.washing.washer import best_hits, wash

COLUMNS: Final = (
    "municipality_code", "street_code", "street_name", "house_number", "house_letter", "floor", "door",
    "supplementary_town", "postcode", "city",
)  # fmt: skip
"""Components that are looked at; missing columns count as null."""

_UNIT: Final = pl.concat_str(pl.col("floor") + ".", "door", separator=" ", ignore_nulls=True)
_HOUSE: Final = pl.concat_str(
    "street_name",
    pl.concat_str("house_number", "house_letter", ignore_nulls=True).replace("", None),
    separator=" ",
    ignore_nulls=True,
)
_LINE: Final = pl.concat_str(
    _HOUSE.replace("", None),
    _UNIT.replace("", None),
    "supplementary_town",
    pl.concat_str("postcode", "city", separator=" ", ignore_nulls=True).replace("", None),
    separator=", ",
    ignore_nulls=True,
)
"""The line that washing reads; floor and door stand apart, since "1 1" and "11" mean different things."""


def wash_components(components: pl.DataFrame, index: WashingIndex, kind: str = UNIT, workers: int = 1) -> pl.DataFrame:
    """WASHED, one row per row of `components` (text columns of COLUMNS, any of them missing), in their order.

    First the codes: street code (vejkode) with postal code, or with municipality where no postal code is given, house
    number with letter, floor and door; empty floor and door mean the unit without them. One existing address is an
    answer of category A and method `washed.COMPONENTS`, whatever the names beside the codes say. Else the text that the
    components make is washed. `text` is that line. Of access addresses floor and door are not looked at.
    """
    if kind == ACCESS:
        components = components.drop("floor", "door", strict=False)
    rows = _distinct(components)
    coded = _by_codes(rows, index, kind)
    rest = rows.join(coded, on="t", how="anti", maintain_order="left")
    by_text = wash(rest["text"], index, kind, workers).with_columns(rest["t"])
    answers = pl.concat([coded, by_text.select(coded.columns)], rechunk=True).sort("t")
    return answers[_asked(components, rows)].select(list(WASHED))


def lines(components: pl.DataFrame) -> pl.Series:
    """The text that the components of each row make."""
    return _given(components).select(_LINE.alias("text")).to_series()


def _given(components: pl.DataFrame) -> pl.DataFrame:
    """The components with all columns of COLUMNS, as text."""
    given = components.select(
        (pl.col(name) if name in components.columns else pl.lit(None)).cast(pl.String).alias(name) for name in COLUMNS
    )
    return given.with_columns(texts.floor("floor"), texts.door("door"))


def _distinct(components: pl.DataFrame) -> pl.DataFrame:
    """t, the components and their text, each combination once."""
    given = _given(components).with_columns(_LINE.alias("text"))
    return given.unique(maintain_order=True).with_row_index("t")


def _asked(components: pl.DataFrame, rows: pl.DataFrame) -> pl.Series:
    """The number t of each row of the components."""
    numbers = rows.select("t", *COLUMNS)
    given = _given(components)
    return given.join(numbers, on=COLUMNS, nulls_equal=True, how="left", maintain_order="left").get_column("t")


def _by_codes(rows: pl.DataFrame, index: WashingIndex, kind: str) -> pl.DataFrame:
    """t and WASHED of the rows that codes alone answer."""
    codes = exact.normalized(rows)
    streets = _as_roads(exact.streets(codes, index))
    typed = codes.rename({"row": "t"}).join(streets, on="t", how="semi", maintain_order="left")
    at_house = houses.houses(streets, typed, index)
    zoned = _with_names(typed, streets, index)
    best = best_hits(at_house, zoned, index, kind).filter("active")
    answer = choosing.settled(choosing.chosen(best.with_columns(pl.lit("A").alias("category"))))
    lines = rows.join(answer, on="t", how="semi", maintain_order="left")
    lines = lines.select("t", "text", text.normalized(pl.col("text")).alias("normalized"))
    nobody = pl.DataFrame(schema={"t": pl.UInt32})
    answers = answered(lines, zoned, answer, nobody, answer.clear(), nobody, index, kind)
    return answers.with_columns(pl.lit(COMPONENTS).alias("method"))


def _as_roads(streets: pl.DataFrame) -> pl.DataFrame:
    """ROADS of streets that codes named."""
    return streets.drop_nulls("name").select(
        pl.col("row").alias("t"), "name", "street", pl.lit(0, pl.UInt8).alias("edits"), pl.lit(True).alias("nearest"),
        pl.lit(True).alias("certain_zone"), pl.lit("").alias("front"),
    )  # fmt: skip


def _with_names(typed: pl.DataFrame, streets: pl.DataFrame, index: WashingIndex) -> pl.DataFrame:
    """The fields of `roads.zones` in which the names are those of the street that the codes mean."""
    places = index.places.unique("street", keep="first", maintain_order=True).select(
        pl.col("street").alias("number"), "street_name", pl.col("postcode").alias("own_postcode"), "district_plain"
    )
    first = streets.unique("t", keep="first", maintain_order=True).select("t", pl.col("street").alias("number"))
    rows = typed.join(first, on="t", maintain_order="left").join(places, on="number", how="left", maintain_order="left")
    return rows.select(
        "t",
        words.plain(pl.col("street_name")).alias("street"),
        "house_number",
        pl.lit("").alias("stray"),
        "floor",
        "door",
        pl.lit(None, pl.String).alias("other_door"),
        pl.lit("").alias("place"),
        pl.lit("").alias("surplus"),
        pl.col("own_postcode").alias("postcode"),
        pl.col("district_plain").alias("district"),
    )
