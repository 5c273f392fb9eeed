"""Which installation accounts are to be updated, as time goes on or something they show changes.

Each rule looks at the window since the last calculation, not at today alone: a run that was missed loses nothing.
"""

from collections.abc import Iterable
from datetime import date, datetime
from enum import StrEnum
from typing import NamedTuple


class Reason(StrEnum):
    """Why an account is marked."""

    NEVER_CALCULATED = "NEVER_CALCULATED"
    CHANGED = "CHANGED"
    ROW_BEGINS = "ROW_BEGINS"
    ROW_ENDED = "ROW_ENDED"
    LINKED = "LINKED"
    """A billing contract was linked to it; set by create-or-update, not by time."""


class Calculated(NamedTuple):
    """When an account was calculated last: the business day that counted, and the moment. None: never."""

    on: date | None
    at: datetime | None


class Mark(NamedTuple):
    """What an account is marked for. Setting it anew, for whatever reason, gives another version."""

    reasons: frozenset[Reason] = frozenset()
    version: int = 0

    def marked(self, reasons: Iterable[Reason]) -> "Mark":
        """The mark with more reasons; itself where there are none."""
        more = frozenset(reasons)
        return Mark(self.reasons | more, self.version + 1) if more else self

    def cleared(self, seen: int) -> "Mark":
        """No mark, unless it was set again since version `seen` was read."""
        return Mark(frozenset(), self.version) if self.version == seen else self


def reasons_to_mark(
    calculated: Calculated, changed_at: Iterable[datetime], rows: Iterable[tuple[date, date]], today: date
) -> list[Reason]:
    """Why the account is to be updated today; empty where nothing happened.

    `changed_at` are the moments at which linked entities changed; `rows` first and last days, inclusive, of all that
    depends on time: meters, facts, contracts.
    """
    if calculated.on is None or calculated.at is None:
        return [Reason.NEVER_CALCULATED]
    last, at = calculated.on, calculated.at
    days = list(rows)
    found = {
        Reason.CHANGED: any(moment > at for moment in changed_at),
        Reason.ROW_BEGINS: any(last < first <= today for first, _last in days),
        Reason.ROW_ENDED: any(last <= end < today for _first, end in days),
    }
    return [reason for reason, holds in found.items() if holds]
