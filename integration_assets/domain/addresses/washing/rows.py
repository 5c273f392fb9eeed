"""The rows of WASHED, from hits."""

import polars as pl

from integration_assets.domain.addresses.washing import answers, washed
from integration_assets.domain.addresses.washing.index import WashingIndex
from integration_assets.domain.addresses.washing.judging import FIELDS
from integration_assets.domain.addresses.washing.washed import CANDIDATE, DIFFERENCES, WASHED


def answered(
    lines: pl.DataFrame,
    zoned: pl.DataFrame,
    answer: pl.DataFrame,
    certain_house: pl.DataFrame,
    proposed: pl.DataFrame,
    ambiguous: pl.DataFrame,
    index: WashingIndex,
    kind: str,
) -> pl.DataFrame:
    """t and WASHED of the lines (t, text, normalized): `answer` holds the A and B, `certain_house` the access
    addresses of texts whose unit is not there, `proposed` the candidates, `ambiguous` the texts (t) that several
    addresses answer."""
    found = _found(answer, index, kind).with_columns(pl.lit(kind).alias("outcome"), method(answer).alias("method"))
    access = _access_addresses(certain_house, index)
    several = ambiguous.with_columns(pl.lit(washed.AMBIGUOUS).alias("doubt"))
    asked = lines.join(_parsed(zoned), on="t", how="left", maintain_order="left")
    rows = asked.join(found, on="t", how="left", maintain_order="left")
    rows = rows.join(access, on="t", how="left", maintain_order="left")
    rows = rows.join(several, on="t", how="left", maintain_order="left")
    rows = rows.join(_candidates(proposed, index, kind), on="t", how="left", maintain_order="left")
    unsettled = pl.coalesce(
        pl.when(pl.col("house_id").is_not_null()).then(pl.lit(washed.ACCESS_ADDRESS)),
        "doubt",
        pl.when(pl.col("candidates").is_not_null()).then(pl.lit(washed.CANDIDATE_ONLY)),
        pl.lit(washed.NONE),
    )
    settled = pl.col("outcome").is_not_null()
    return rows.with_columns(
        pl.col("category").fill_null("C"),
        pl.when(settled).then("outcome").otherwise(unsettled).alias("outcome"),
        pl.coalesce("access_id", "house_id").alias("access_id"),
        pl.coalesce("current_text", "house_text").alias("current_text"),
        pl.coalesce("method", "house_method", pl.lit(washed.NONE)).alias("method"),
        pl.col("unknown_tokens").fill_null([]),
        pl.col("candidates").fill_null([]),
        pl.lit(index.generation, pl.Int64).alias("generation"),
        pl.lit(washed.RULE_VERSION).alias("rule_version"),
    ).select("t", *(pl.col(name).cast(dtype) for name, dtype in WASHED.items()))


def method(answer: pl.DataFrame) -> pl.Series:
    """How each answer was found: see the methods of `washed`."""
    same = pl.col("difference.street") == 0
    rows = answer.select(
        pl.when(~pl.col("certain_zone"))
        .then(pl.lit(washed.OTHER_POSTCODE))
        .when(~pl.col("in_force"))
        .then(pl.lit(washed.HISTORICAL))
        .when(pl.col("receiver_postcode").is_not_null())
        .then(pl.lit(washed.LARGE_RECEIVER))
        .when(pl.col("typed_postcode").is_null())
        .then(pl.lit(washed.DISTRICT))
        .when(pl.col("edits") > 0)
        .then(pl.lit(washed.SPELLING))
        .when(same & (pl.col("distance") == 0))
        .then(pl.lit(washed.EXACT))
        .when(~same)
        .then(pl.lit(washed.SYNONYM))
        .otherwise(pl.lit(washed.EXACT))
        .alias("method")
    )
    return rows["method"]


def _parsed(zoned: pl.DataFrame) -> pl.DataFrame:
    def or_none(name: str) -> pl.Expr:
        return pl.when(pl.col(name) != "").then(name).alias(name)

    return zoned.select(
        "t",
        pl.struct(
            or_none("street"), "house_number", "floor", "door",
            or_none("place").alias("supplementary_town"), "postcode", or_none("district"),
        ).alias("parsed"),
    )  # fmt: skip


def _found(hits: pl.DataFrame, index: WashingIndex, kind: str) -> pl.DataFrame:
    """t and what WASHED and CANDIDATE say about an address, one row per hit."""
    access = hits["access_row"].to_numpy()
    present_access = hits["last_access"].to_numpy()
    unit = present_unit = None
    own_ids = answers.uuids(hits["id_high"].to_numpy(), hits["id_low"].to_numpy())
    unit_ids = pl.Series([None], dtype=pl.String).new_from_index(0, len(hits))
    access_ids = own_ids
    if kind == washed.UNIT:
        unit, present_unit = hits["unit_row"].to_numpy(), hits["last_unit"].to_numpy()
        rows = index.access
        access_ids = answers.uuids(rows.id_high[present_access], rows.id_low[present_access])
        unit_ids = own_ids
    former = hits.select(pl.when(~pl.col("fits")).then("name")).to_series()
    matched = answers.addresses(access, unit, former, index)
    current = answers.addresses(present_access, present_unit, None, index)
    return pl.DataFrame(
        {
            "t": hits["t"],
            "category": hits["category"],
            "unit_id": unit_ids,
            "access_id": access_ids,
            "matched_text": matched.select(answers.line()).to_series(),
            "current_text": current.select(answers.line()).to_series(),
            "distance": hits["distance"],
            "differences": differences(hits),
            "unknown_tokens": unknown(hits),
            "matched": matched.to_struct(),
            "current": current.to_struct(),
            "large_receiver_postcode": hits["receiver_postcode"],
            "large_receiver_district": hits["receiver_district"],
        }
    )


def differences(hits: pl.DataFrame) -> pl.Series:
    """DIFFERENCES of judged hits."""
    fields = [pl.col(f"difference.{name}").cast(pl.UInt16).alias(name) for name in FIELDS]
    return hits.select(pl.struct(fields).cast(DIFFERENCES).alias("differences")).to_series()


def unknown(hits: pl.DataFrame) -> pl.Series:
    """The words of judged hits that belong nowhere, as lists."""
    words = pl.col("unknown").str.split(" ")
    return hits.select(pl.when(pl.col("unknown") != "").then(words).otherwise([]).alias("unknown")).to_series()


def _access_addresses(certain_house: pl.DataFrame, index: WashingIndex) -> pl.DataFrame:
    """t, house_id, house_text and house_method of houses whose unit was not found."""
    if certain_house.is_empty():
        return pl.DataFrame(
            schema={"t": pl.UInt32, "house_id": pl.String, "house_text": pl.String, "house_method": pl.String}
        )
    rows = certain_house["last_access"].to_numpy()
    texts = answers.addresses(rows, None, None, index).select(answers.line()).to_series()
    return pl.DataFrame(
        {
            "t": certain_house["t"],
            "house_id": answers.uuids(index.access.id_high[rows], index.access.id_low[rows]),
            "house_text": texts,
            "house_method": method(certain_house),
        }
    )


def _candidates(proposed: pl.DataFrame, index: WashingIndex, kind: str) -> pl.DataFrame:
    """t and candidates (list of CANDIDATE) of proposed hits, in their order."""
    rows = _found(proposed, index, kind).rename({"matched_text": "text"})
    fields = [pl.col(field.name).cast(field.dtype) for field in CANDIDATE.fields]
    listed = rows.select("t", pl.struct(fields).alias("candidates"))
    return listed.group_by("t", maintain_order=True).agg("candidates")
