"""What the sensors remember between ticks, and what they conclude: pure functions, tested without Dagster.

A change counts as dealt with when a run that was asked for it has *succeeded*, not when it was asked for. So a run that
fails, is cancelled or is lost is asked for again, after a pause that grows; and a change that happens while a run is
under way is seen when that run has ended.
"""

import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from datetime import datetime, timedelta

VERSION = 2

PAUSES = tuple(timedelta(minutes=minutes) for minutes in (1, 2, 4, 8, 16, 32, 60))
"""Wait after the first, second, … failed run of the same request; the last one repeats."""

LOST_AFTER = timedelta(minutes=10)
"""A request without any run is taken for lost after this long."""

GONE = ""
"""State of an area that the source no longer has."""


@dataclass(frozen=True)
class Outcome:
    """How the newest run of a request stands; `ended_at` is None while it is under way."""

    succeeded: bool
    ended_at: datetime | None


@dataclass(frozen=True)
class Asked:
    """What was asked for one area: the request's name, the state that made it necessary, when, and which try it was."""

    request: str
    state: str
    at: datetime
    tries: int = 1

    def must_wait(self, outcome: Outcome | None, state: str, now: datetime) -> bool:
        """Whether it is too early to ask again. A failed run is repeated at once where the area has changed since."""
        if outcome is None:
            return now < self.at + LOST_AFTER
        if outcome.ended_at is None:
            return True
        pause = PAUSES[min(self.tries, len(PAUSES)) - 1]
        return state == self.state and now < outcome.ended_at + pause


Outcomes = Mapping[str, Outcome]
"""By request name; a request that no run carries is absent."""


@dataclass(frozen=True)
class Cursor:
    """`done`: the state of each area that a successful run has dealt with. `asked`: what is not dealt with yet."""

    done: Mapping[str, str] = field(default_factory=dict)
    asked: Mapping[str, Asked] = field(default_factory=dict)

    @classmethod
    def parse(cls, text: str | None) -> "Cursor":
        """Reads a cursor. One that cannot be read, or of another version, counts as empty: all areas are run again."""
        try:
            content = json.loads(text or "")
            if content["version"] != VERSION:
                return cls()
            return cls(
                {str(area): str(state) for area, state in content["done"].items()},
                {str(area): _asked(entry) for area, entry in content["asked"].items()},
            )
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
            return cls()

    def text(self) -> str:
        """The cursor as it is stored."""
        asked = {area: {**asdict(entry), "at": entry.at.isoformat()} for area, entry in sorted(self.asked.items())}
        content = {"version": VERSION, "done": dict(sorted(self.done.items())), "asked": asked}
        return json.dumps(content, separators=(",", ":"))

    def settled(self, outcomes: Outcomes) -> "Cursor":
        """The cursor after what was asked for and has succeeded."""
        ended = {
            area: entry
            for area, entry in self.asked.items()
            if (outcome := outcomes.get(entry.request)) is not None and outcome.succeeded
        }
        done = {**self.done, **{area: entry.state for area, entry in ended.items()}}
        return Cursor(
            {area: state for area, state in done.items() if state != GONE},
            {area: entry for area, entry in self.asked.items() if area not in ended},
        )

    def differing(self, current: Mapping[str, str]) -> list[str]:
        """Areas whose state is not the one that was dealt with, sorted; among them those that the source no longer has.

        An area that has vanished from the source is run once more, so that the disappearance of its rows is explained.
        """
        areas = self.done.keys() | current.keys()
        return sorted(area for area in areas if self.done.get(area, GONE) != current.get(area, GONE))

    def to_ask(
        self, current: Mapping[str, str], outcomes: Outcomes, busy: Collection[str], now: datetime
    ) -> list[list[str]]:
        """The areas to ask for now, in groups that want a run of their own.

        Left out: areas that a run is working on (`busy`) and those whose last run failed a short while ago. A group
        that failed comes back in two halves, so that one bad area ends up alone and no longer holds up the others.
        """
        fresh: list[str] = []
        failed: dict[str, list[str]] = {}
        for area in self.differing(current):
            state, before = current.get(area, GONE), self.asked.get(area)
            if area in busy or (before and before.must_wait(outcomes.get(before.request), state, now)):
                continue
            if before is not None and before.state == state:
                failed.setdefault(before.request, []).append(area)
            else:
                fresh.append(area)
        halves = [half for group in failed.values() for half in _halves(group)]
        return [fresh, *halves] if fresh else halves

    def with_request(self, request: str, areas: Sequence[str], current: Mapping[str, str], now: datetime) -> "Cursor":
        """The cursor after `request` was made for these areas in their current state."""
        entries = {area: self._entry(area, request, current.get(area, GONE), now) for area in areas}
        return replace(self, asked={**self.asked, **entries})

    def only(self, areas: Collection[str]) -> "Cursor":
        """The cursor without what was asked for other areas."""
        return replace(self, asked={area: entry for area, entry in self.asked.items() if area in areas})

    def requests(self) -> set[str]:
        """The names of the requests whose outcome is of interest."""
        return {entry.request for entry in self.asked.values()}

    def _entry(self, area: str, request: str, state: str, now: datetime) -> Asked:
        before = self.asked.get(area)
        again = before is not None and before.state == state
        return Asked(request, state, now, before.tries + 1 if before and again else 1)


def _asked(entry: Mapping[str, object]) -> Asked:
    at = datetime.fromisoformat(str(entry["at"]))
    if at.tzinfo is None:
        raise ValueError("an instant needs a time zone")
    return Asked(str(entry["request"]), str(entry["state"]), at, max(1, int(str(entry["tries"]))))


def _halves(areas: Sequence[str]) -> list[list[str]]:
    middle = (len(areas) + 1) // 2
    return [list(half) for half in (areas[:middle], areas[middle:]) if half]
