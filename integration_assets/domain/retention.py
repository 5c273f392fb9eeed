"""How long things may and must be kept: rules that need nothing but dates and what is asked about.

The accounting rule is that of the Danish bookkeeping act (bogføringsloven, section 12): records are kept for five years
from the end of the accounting year (regnskabsår) that they concern. Storage limitation is GDPR, article 5(1)(e).
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from itertools import product
from typing import Final

import polars as pl

ACCOUNTING_YEARS: Final = 5


def kept_for_the_books_until(ended_on: date, first_month: int) -> date:
    """The first day on which nothing of a customer relation that ended on that day is needed for the books any more.

    `first_month` is the month in which the accounting year begins. The final bill is written when the relation has
    ended, so its accounting year is the one that counts.
    """
    start = _accounting_year(ended_on, first_month)
    return date(start.year + 1 + ACCOUNTING_YEARS, start.month, 1)


def not_needed_if_ended_before(as_of: date, first_month: int) -> date:
    """What ended before this day is not needed for the books on `as_of`; the inverse of the rule above."""
    start = _accounting_year(as_of, first_month)
    return date(start.year - ACCOUNTING_YEARS, start.month, 1)


def _accounting_year(day: date, first_month: int) -> date:
    return date(day.year if day.month >= first_month else day.year - 1, first_month, 1)


def ended_parties(roles: pl.DataFrame, parties: pl.DataFrame, living: pl.Series, *, before: date) -> pl.Series:
    """Ids, sorted, of the parties whose last customer relation ended before a day.

    `roles` are registry rows of customer roles (party_id, valid_to; null is open), `parties` the delivered parties
    (party_id, known_on: the day of what was last known, which stands for the end of those that have no role), `living`
    the ids of parties that a customer relation of today names: they have not ended, whatever their roles say.
    """
    ends = roles.group_by("party_id").agg(
        pl.col("valid_to").max().alias("end"), pl.col("valid_to").is_null().any().alias("open")
    )
    return (
        parties.join(ends, on="party_id", how="left")
        .filter(
            ~pl.col("open").fill_null(False),
            pl.coalesce("end", "known_on") < before,
            ~pl.col("party_id").is_in(living.unique().implode()),
        )
        .get_column("party_id")
        .unique()
        .sort()
    )


def unneeded_answers(answers: pl.DataFrame, subjects: pl.Series, numbers: pl.Series) -> pl.DataFrame:
    """The rows of `answers` (subject, answer as JSON text, any others) that nobody needs.

    Needed are those under one of `subjects`, and those that mention one of the personal `numbers`: a completion is kept
    under a hash of its question, and says whom it found.
    """
    mentioned = pl.col("answer").str.extract_all(r"[0-9]{10}").list.set_intersection(numbers.unique().implode())
    return answers.filter(~pl.col("subject").is_in(subjects.unique().implode()), mentioned.list.len() == 0)


@dataclass(frozen=True)
class PastRun:
    """A run of the history: what it made (its job, or the assets that were chosen), the partitions it worked on (none:
    it has no partitions), when it ended (None: it has not) and whether it succeeded."""

    run_id: str
    made: tuple[str, ...]
    partitions: tuple[str, ...]
    ended_at: datetime | None
    succeeded: bool


def deletable_runs(runs: Iterable[PastRun], before: datetime) -> Sequence[str]:
    """Ids of the runs that ended before an instant and that nobody will ask for, the oldest first.

    Of each job (of each asset, where assets were chosen) and partition the newest run stays, and the newest that
    succeeded: what an asset's page says of a partition is told by the events of these runs, and goes when they go.
    """
    needed: set[str] = set()
    seen: set[tuple[str, str, bool]] = set()
    finished = [(run.ended_at, run) for run in runs if run.ended_at is not None]
    finished.sort(key=lambda each: (each[0], each[1].run_id), reverse=True)
    for _, run in finished:
        told = set(product(run.made, run.partitions or ("",), {False, run.succeeded}))
        if told - seen:
            needed.add(run.run_id)
        seen |= told
    return [run.run_id for ended_at, run in reversed(finished) if ended_at < before and run.run_id not in needed]
