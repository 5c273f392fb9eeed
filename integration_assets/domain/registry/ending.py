"""The end of a customer relation that no row of the billing system tells of any more."""

from datetime import date

import polars as pl

from integration_assets.domain.tables import INSTALLATION_PERIODS


def ended(rows: pl.DataFrame, on: date) -> pl.DataFrame:
    """Registry rows of customer relations, roles or agreements, ended on a day at the latest; other columns as given.

    None ends before it begins. The installations of an agreement end with it; those that would begin later are left
    out, as in `domain.registry.desired.agreements`.
    """
    end = pl.max_horizontal(pl.lit(on), "valid_from")
    rows = rows.with_columns(pl.min_horizontal("valid_to", end).alias("valid_to"))
    return rows.with_columns(_cut(rows)) if "installations" in rows.columns else rows


def _cut(agreements: pl.DataFrame) -> pl.Series:
    """The installations of each agreement, none beyond its end."""
    periods = agreements.select("valid_to", "installations").with_row_index("row")
    each = periods.explode("installations").drop_nulls("installations").unnest("installations")
    within = each.filter(pl.col("from").is_null() | (pl.col("from") < pl.col("valid_to")))
    within = within.with_columns(pl.min_horizontal("to", "valid_to").alias("to"))
    cut = within.group_by("row", maintain_order=True).agg(pl.struct("installation_id", "from", "to").alias("cut"))
    joined = periods.join(cut, on="row", how="left", maintain_order="left")
    return (
        joined.select(pl.col("cut").fill_null(pl.lit([], dtype=INSTALLATION_PERIODS)).cast(INSTALLATION_PERIODS))
        .to_series()
        .alias("installations")
    )
