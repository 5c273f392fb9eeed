"""The answer to a text as it is kept: what the flow goes on with, and beside it the evidence for those who ask why."""

from typing import Final

import polars as pl

from integration_assets.domain.addresses.washing.washed import ACCESS

ANSWERS: Final = pl.Schema(
    {
        "text": pl.String,
        "normalized": pl.String,
        "category": pl.String,
        "outcome": pl.String,
        "method": pl.String,
        "unit_id": pl.String,
        "access_id": pl.String,
        "evidence": pl.String,  # JSON object with the names of EVIDENCE
    }
)
"""One row per text; the columns mean what they mean in WASHED."""

EVIDENCE: Final = pl.Struct(
    {
        "status": pl.Int64,  # DAR status of the address today
        "distance": pl.Int64,
        "differences": pl.Struct(
            dict.fromkeys(
                ("street", "house_number", "floor", "door", "supplementary_town", "postcode", "district"), pl.Int64
            )
        ),
        "unknown_tokens": pl.List(pl.String),
        "matched_text": pl.String,
        "current_text": pl.String,
        "candidates": pl.List(
            pl.Struct({"address_id": pl.String, "text": pl.String, "category": pl.String, "distance": pl.Int64})
        ),
    }
)
"""Why the answer is what it is; of C the addresses that may have been meant, nearest first."""


def answers(washed: pl.DataFrame, kind: str) -> pl.DataFrame:
    """ANSWERS of rows of WASHED that came of washing as `kind`."""
    own_id = "access_id" if kind == ACCESS else "unit_id"
    candidate = pl.element().struct
    told = pl.struct(
        pl.col("current").struct.field("status").cast(pl.Int64).alias("status"),
        "distance",
        "differences",
        "unknown_tokens",
        "matched_text",
        "current_text",
        pl.col("candidates")
        .list.eval(
            pl.struct(
                candidate.field(own_id).alias("address_id"),
                candidate.field("text"),
                candidate.field("category"),
                candidate.field("distance"),
            )
        )
        .alias("candidates"),
    )
    return washed.with_columns(told.cast(EVIDENCE).struct.json_encode().alias("evidence")).select(list(ANSWERS))


def opened(kept: pl.DataFrame) -> pl.DataFrame:
    """ANSWERS with the fields of EVIDENCE as columns in place of `evidence`."""
    return kept.with_columns(pl.col("evidence").str.json_decode(EVIDENCE)).unnest("evidence")
