"""Who is to be looked up again: the register told of a change, or the party's turn in the rolling sweep has come.

The sweep asks for everybody once in so many days, the same number each day, so that the cost of a day follows the
number of parties and not the calendar. Of the changes of those who are subscribed to the register tells: they are swept
much more seldom, in case that an event went astray.
"""

from datetime import date
from typing import Final

import polars as pl

from integration_assets.domain.rolling import turn

CHECKS: Final = pl.Schema({"subject": pl.String, "as_of": pl.Date, "recheck": pl.Boolean, "again_until": pl.Date})
"""When each subject was asked last, whether the register told of a change since, and until when to ask daily."""


def to_check(
    checks: pl.DataFrame, as_of: date, *, sweep_days: int, watched: pl.Series, watched_sweep_days: int | None = None
) -> pl.DataFrame:
    """The subjects to ask again on `as_of`: columns subject, reason (event or sweep), the longest unasked first.

    `checks` has CHECKS, one row per party that is to be kept true; `watched` are the subjects subscribed to, who are
    swept in `watched_sweep_days` (None: never). But for those told of anew nobody is asked twice on one day. Each day's
    sweep takes the parties divided by the days; where days were missed, those overdue too, up to four times as many.
    """
    lagging = (pl.col("again_until") >= as_of).fill_null(False) & (pl.col("as_of") < as_of)
    told = pl.col("recheck") | lagging
    is_watched = pl.col("subject").is_in(watched.implode())
    turns = [
        checks.filter(told).select("subject", reason=pl.lit("event")),
        _turn(checks.filter(~told & ~is_watched), as_of, sweep_days),
    ]
    if watched_sweep_days is not None:
        turns.append(_turn(checks.filter(~told & is_watched), as_of, watched_sweep_days))
    return pl.concat(turns)


def _turn(parties: pl.DataFrame, as_of: date, sweep_days: int) -> pl.DataFrame:
    subjects = turn(parties, "subject", as_of, sweep_days)
    return pl.DataFrame({"subject": subjects}).with_columns(reason=pl.lit("sweep"))
