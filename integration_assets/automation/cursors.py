"""What the source sensor remembers between ticks, and what it concludes: pure functions, tested without Dagster."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field

VERSION = 1


@dataclass(frozen=True)
class SourceCursor:
    """The fingerprint of each supply area at the last tick that asked for runs."""

    areas: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def parse(cls, text: str | None) -> "SourceCursor":
        """Reads a cursor. One that cannot be read, or of another version, counts as empty: every area is looked at again."""
        try:
            content = json.loads(text or "")
            if content["version"] != VERSION:
                return cls()
            return cls({str(area): str(value) for area, value in content["areas"].items()})
        except (ValueError, KeyError, TypeError, AttributeError):
            return cls()

    def text(self) -> str:
        """The cursor as it is stored."""
        return json.dumps({"version": VERSION, "areas": dict(sorted(self.areas.items()))}, separators=(",", ":"))

    def changed(self, current: Mapping[str, str]) -> list[str]:
        """Areas to run, sorted: new ones, those whose fingerprint differs, and those that the source no longer has.

        An area that has vanished from the source is run once, so that the disappearance of its rows is explained.
        """
        gone = self.areas.keys() - current.keys()
        differing = {area for area, fingerprint in current.items() if self.areas.get(area) != fingerprint}
        return sorted(gone | differing)
