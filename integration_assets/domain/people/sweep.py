"""Who is to be looked up again: the register told of a change, or the party's turn in the rolling sweep has come.

The sweep asks for everybody once in so many days, the same number each day, so that the cost of a day follows the
number of parties and not the calendar. Who is subscribed to is left out: of her changes the register tells.
"""

import math
from datetime import date
from typing import Final

import polars as pl

CHECKS: Final = pl.Schema({"subject": pl.String, "as_of": pl.Date, "recheck": pl.Boolean})
"""When each subject was asked last, and whether the register told of a change since."""

_CATCH_UP: Final = 4
"""Days of missed sweeps are made up for with so many times the daily number at most."""


def to_check(checks: pl.DataFrame, as_of: date, *, sweep_days: int, watched: pl.Series) -> pl.DataFrame:
    """The subjects to ask again on `as_of`: columns subject, reason (event or sweep), the longest unasked first.

    `checks` has CHECKS, one row per party that is to be kept true; `watched` are the subjects subscribed to. Nobody is
    asked twice on one day. Each day's sweep takes the parties not watched, divided by `sweep_days`; where days were
    missed, those overdue too, up to four times as many.
    """
    told = checks.filter("recheck").select("subject", reason=pl.lit("event"))
    swept = checks.filter(~pl.col("recheck") & ~pl.col("subject").is_in(watched.implode()))
    daily = math.ceil(swept.height / sweep_days)
    waiting = swept.filter(pl.col("as_of") < as_of).sort("as_of", "subject")
    overdue = waiting.filter((pl.lit(as_of) - pl.col("as_of")).dt.total_days() >= sweep_days).height
    asked_today = swept.height - waiting.height
    turn = waiting.head(min(max(daily - asked_today, overdue), _CATCH_UP * daily))
    return pl.concat([told, turn.select("subject", reason=pl.lit("sweep"))])
