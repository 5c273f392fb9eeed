"""Meters over time: which meter an installation had when, and when it had any.

The billing system keeps a row per meter and period. Periods there may overlap or be empty; the registry (LoRa) refuses
overlapping periods of one object, so the rows are turned into one clean line of time per installation here. Periods are
half-open, a null date is an open end.
"""

from datetime import date
from typing import Final

import polars as pl

DISTANT_PAST: Final = date(1, 1, 1)
DISTANT_FUTURE: Final = date(9999, 12, 31)

_METER: Final = ("meter_number", "meter_type", "meter_make")


def meter_line(meters: pl.DataFrame) -> pl.DataFrame:
    """Which meter stood in each installation, period by period, without overlaps.

    `meters` has the columns of kmd_ee/installations. Where two rows cover the same day, the meter set up later counts,
    then the one that stays longer, then the higher number. Rows of zero days are no period. Adjoining periods of the
    same meter become one.

    Columns: installation_number, meter_number, meter_type, meter_make, from, to (ordered, null = open).
    """
    rows = meters.select(
        "installation_number",
        *_METER,
        pl.col("meter_from").fill_null(DISTANT_PAST).alias("from"),
        pl.col("meter_to").fill_null(DISTANT_FUTURE).alias("to"),
    ).filter(pl.col("from") < pl.col("to"))
    pieces = _pieces(rows)
    covered = (
        pieces.join(rows, on="installation_number", how="inner")
        .filter((pl.col("from") <= pl.col("starts")) & (pl.col("to") >= pl.col("ends")))
        .sort("installation_number", "starts", "from", "to", *_METER, nulls_last=False)
        .group_by("installation_number", "starts", maintain_order=True)
        .last()
    )
    return _joined(covered, by=_METER)


def coverage(line: pl.DataFrame) -> pl.DataFrame:
    """When each installation had a meter, whichever it was.

    `line` as from `meter_line`. Columns: installation_number, from, to (ordered, null = open).
    """
    pieces = line.select(
        "installation_number",
        pl.col("from").fill_null(DISTANT_PAST).alias("starts"),
        pl.col("to").fill_null(DISTANT_FUTURE).alias("ends"),
    )
    return _joined(pieces.sort("installation_number", "starts"), by=())


def meter_title(number: pl.Expr, make: pl.Expr, kind: pl.Expr) -> pl.Expr:
    """The title of an installation: "<meter number>, <make> <type>"; what is missing is left out, null if all is."""
    model = pl.concat_str(make, kind, separator=" ", ignore_nulls=True).replace("", None)
    return pl.concat_str(number, model, separator=", ", ignore_nulls=True).replace("", None)


def shown_dates(*names: str) -> list[pl.Expr]:
    """The named date columns with the far ends of time as null again."""
    return [
        pl.when(~pl.col(name).is_in([DISTANT_PAST, DISTANT_FUTURE])).then(pl.col(name)).alias(name) for name in names
    ]


def _pieces(rows: pl.DataFrame) -> pl.DataFrame:
    """The stretches of time between any two neighbouring dates of an installation: columns starts, ends."""
    dates = pl.concat(rows.select("installation_number", pl.col(side).alias("starts")) for side in ("from", "to"))
    return (
        dates.unique()
        .sort("installation_number", "starts")
        .with_columns(pl.col("starts").shift(-1).over("installation_number").alias("ends"))
        .drop_nulls("ends")
    )


def _joined(pieces: pl.DataFrame, by: tuple[str, ...]) -> pl.DataFrame:
    """Ordered pieces with those joined that touch and are equal in `by`; columns from and to."""
    starts_anew = pl.col("starts") != pl.col("ends").shift(1)
    for name in by:
        starts_anew = starts_anew | pl.col(name).ne_missing(pl.col(name).shift(1))
    stretch = starts_anew.fill_null(True).cast(pl.Int64).cum_sum().over("installation_number")
    return (
        pieces.with_columns(stretch.alias("stretch"))
        .group_by("installation_number", "stretch", maintain_order=True)
        .agg(
            *(pl.col(name).first() for name in by),
            pl.col("starts").min().alias("from"),
            pl.col("ends").max().alias("to"),
        )
        .drop("stretch")
        .with_columns(shown_dates("from", "to"))
        .sort("installation_number", "from")
    )
