"""How far the event files of the person register have been worked off: a value that is kept as text.

Belongs here: which files count as worked off, and whether a delivery is missing before one. Promises: a file counts as
worked off only if it was, so one that comes late, or second on its day, is still read; a production day that nobody saw
shows as a gap; the text holds days, task numbers, file names and sizes, nothing of a person. Does not promise to tell
apart two files of the same name and size.

A file stays known as long as the server lists it and 60 days beyond, so that neither is a file read twice nor does
the text grow for ever.
"""

import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import Any, Final

from integration_assets.clients.event_records import Start
from integration_assets.clients.http import PermanentError

KEPT: Final = timedelta(days=60)
"""How long a file is known after the server ceased to list it, counted in production days."""

_VERSION: Final = 1

FileKey = tuple[str, int]
"""Name and size in bytes of a file."""


@dataclass(frozen=True)
class Delivery:
    """A file that waits, with what its start record says."""

    key: FileKey
    start: Start

    def order(self) -> tuple[date, date, FileKey]:
        """Sorts files by production day; two of one day by the delivery they follow, then by name."""
        return self.start.produced_on, self.start.previous_on or date.min, self.key


@dataclass(frozen=True)
class Cursor:
    """`last_on` has the latest production day of each task, `done` the production day of each file worked off."""

    last_on: Mapping[str, date] = field(default_factory=dict)
    done: Mapping[FileKey, date] = field(default_factory=dict)

    @staticmethod
    def read(text: str | None) -> "Cursor":
        """The cursor of a text that `text` gave; None is the beginning. Raises PermanentError for any other text."""
        if text is None:
            return Cursor()
        try:
            content: Any = json.loads(text)
            if content["version"] != _VERSION:
                raise ValueError("another version")
            last_on = {str(task): date.fromisoformat(day) for task, day in content["last"].items()}
            files = [(date.fromisoformat(day), names) for day, names in content["files"].items()]
            return Cursor(last_on, {(str(name), int(size)): day for day, names in files for name, size in names})
        except (ValueError, TypeError, KeyError, AttributeError):
            raise PermanentError(
                "The cursor of the event files is unreadable; no file was taken. Without a cursor all files on the"
                " server are read anew.",
                code="cursor",
            ) from None

    def text(self) -> str:
        """The cursor as text; equal cursors give the same text."""
        files: dict[str, list[FileKey]] = {}
        for key, day in sorted(self.done.items(), key=lambda entry: (entry[1], entry[0])):
            files.setdefault(day.isoformat(), []).append(key)
        last = {task: day.isoformat() for task, day in sorted(self.last_on.items())}
        return json.dumps({"version": _VERSION, "last": last, "files": files}, separators=(",", ":"))

    def gap_before(self, delivery: Delivery) -> date | None:
        """The last production day known of the task, if another delivery came between; None without a gap.

        The first file of a task has nothing to be compared with. Where the register names no delivery before, none can
        be ruled out. A file of the last day or an older one is late or second: a gap was told when it was passed.
        """
        last_on = self.last_on.get(delivery.start.task)
        if last_on is None or delivery.start.produced_on <= last_on or delivery.start.previous_on == last_on:
            return None
        return last_on

    def after(self, delivery: Delivery, listed: Collection[FileKey]) -> "Cursor":
        """The cursor once a delivery has been worked off; `listed` are the files on the server."""
        task, day = delivery.start.task, delivery.start.produced_on
        last_on = {**self.last_on, task: max(day, self.last_on.get(task, day))}
        oldest = max(last_on.values()) - KEPT
        done = {**self.done, delivery.key: day}
        return Cursor(last_on, {key: on for key, on in done.items() if on >= oldest or key in listed})
