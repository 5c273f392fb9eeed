"""Whose turn it is when everybody is to be looked at once in so many days, the same number each day.

So the cost of a day follows the number there is, not the calendar. What was looked at longest ago comes first; a day
that was missed loses nothing.
"""

import math
from datetime import date
from typing import Final

import polars as pl

_CATCH_UP: Final = 4
"""Missed days are made up for with so many times the daily number at most."""


def turn(looked_at: pl.DataFrame, key: str, as_of: date, days: int) -> pl.Series:
    """The keys whose turn it is on `as_of`, the longest unseen first (never: null, before all others).

    `looked_at` has the column `key`, each once, and `as_of`: the day on which it was looked at last. What was looked at
    today counts for today's number, and is not looked at again.
    """
    daily = math.ceil(looked_at.height / days)
    waiting = looked_at.filter((pl.col("as_of") < as_of).fill_null(True)).sort("as_of", key, nulls_last=False)
    since = (pl.lit(as_of) - pl.col("as_of")).dt.total_days()
    overdue = waiting.filter((since >= days).fill_null(True)).height
    seen_today = looked_at.height - waiting.height
    return waiting.head(min(max(daily - seen_today, overdue), _CATCH_UP * daily)).get_column(key)
