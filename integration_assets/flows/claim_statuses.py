"""Taking in what the debt authority says of recalls: posted messages, and files dropped into a folder."""

from collections import Counter
from collections.abc import Iterator, Sequence
from datetime import datetime, time
from itertools import islice
from pathlib import Path
from typing import Final
from zoneinfo import ZoneInfo

import polars as pl

from integration_assets.cache.recall_statuses import Message, RecallStatuses
from integration_assets.cache.recalls import Decided, Decision, Recalls
from integration_assets.clients.debt_authority_xml import status_update_of
from integration_assets.domain.claims.messages import InvalidMessage
from integration_assets.domain.claims.working_days import working_days_before

FILES_AT_ONCE: Final = 200
"""Files of one transaction."""
_DANISH_TIME: Final = ZoneInfo("Europe/Copenhagen")


def message_of(source: str, content: bytes) -> Message:
    """The message in these bytes; what cannot be read is kept too, with the reason."""
    try:
        return Message(source, content, status_update_of(content))
    except InvalidMessage as error:
        return Message(source, content, unreadable=str(error))


def take_in_folder(statuses: RecallStatuses, folder: Path, now: datetime) -> dict[str, int]:
    """Takes in all files `*.xml` of a folder in the order of their names, and removes those that are committed.

    Counts as `RecallStatuses.take_in`. A file that is written under another name and renamed is never read in part.
    """
    counts: Counter[str] = Counter({"messages": 0})
    for paths in _parts(sorted(folder.glob("*.xml")), FILES_AT_ONCE):
        counts.update(statuses.take_in([message_of(f"file:{path.name}", path.read_bytes()) for path in paths], now))
        for path in paths:
            path.unlink(missing_ok=True)
    return dict(counts)


def overdue(recalls: Recalls, working_days: int, now: datetime) -> pl.DataFrame:
    """Recalls without final status that were sent so many Danish working days ago (cache.recall_lists.LISTED)."""
    last = working_days_before(now.astimezone(_DANISH_TIME).date(), working_days)
    return recalls.overdue(datetime.combine(last, time.max, _DANISH_TIME))


def ask_again(
    recalls: Recalls, action_ids: Sequence[int], working_days: int, by: str, now: datetime, note: str | None = None
) -> list[Decided]:
    """Has overdue recalls (see `overdue`) sent once more under another transaction id; what is not overdue stays."""
    late = set(overdue(recalls, working_days, now)["action_id"])
    done = recalls.decide(Decision.ASK_AGAIN, [each for each in action_ids if each in late], by, now, note)
    return done + [
        Decided(each, None, f"It is not overdue: it was not sent {working_days} working days ago, or is settled.")
        for each in action_ids
        if each not in late
    ]


def _parts(paths: Sequence[Path], size: int) -> Iterator[list[Path]]:
    rest = iter(paths)
    while part := list(islice(rest, size)):
        yield part
