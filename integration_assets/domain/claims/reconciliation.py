"""The collection base month by month: what should lie with the authority, to compare with its own reports."""

from typing import Final

import polars as pl

MONTHS: Final = pl.Schema(
    {
        "month": pl.Date,
        "received": pl.Decimal(15, 2),
        "recalled": pl.Decimal(15, 2),
        "written_down": pl.Decimal(15, 2),
        "written_up": pl.Decimal(15, 2),
        "expected_base": pl.Decimal(15, 2),
    }
)
"""A month by its first day, sums in DKK; `expected_base` is what should be left at the end of it."""

ENTRIES: Final = pl.Schema({"day": pl.Date, "kind": pl.String, "amount": pl.Decimal(15, 2)})
"""What changed the base: kind is one of received, recalled, written_down, written_up; amounts are not negative."""

_KINDS: Final = ("received", "recalled", "written_down", "written_up")


def monthly_base(entries: pl.DataFrame) -> pl.DataFrame:
    """Months (MONTHS) in which entries (ENTRIES) lie, in order: received - recalled - written down + written up."""
    month = pl.col("day").dt.month_start().alias("month")
    sums = [pl.col("amount").filter(pl.col("kind") == kind).sum().alias(kind) for kind in _KINDS]
    change = pl.col("received") - pl.col("recalled") - pl.col("written_down") + pl.col("written_up")
    return (
        entries.group_by(month)
        .agg(sums)
        .sort("month")
        .with_columns(change.cum_sum().alias("expected_base"))
        .select(pl.col(name).cast(dtype) for name, dtype in MONTHS.items())
    )
