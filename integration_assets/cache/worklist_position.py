"""A place in the worklist, as a text that may stand in an address and that nobody trusts when it comes back."""

import base64
import binascii
import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

LONGEST = 500


@dataclass(frozen=True)
class Position:
    """The last item that lies before the place, of rejections (first day, id) and of deliveries (moment, key).

    None: no item of that kind lies before it.
    """

    rejection: tuple[date, int] | None = None
    delivery: tuple[datetime, str] | None = None

    def text(self) -> str:
        """The place in letters that need no escaping in an address."""
        content: dict[str, Any] = {}
        if self.rejection is not None:
            content["r"] = [self.rejection[0].isoformat(), self.rejection[1]]
        if self.delivery is not None:
            content["d"] = [self.delivery[0].isoformat(), self.delivery[1]]
        return base64.urlsafe_b64encode(json.dumps(content, separators=(",", ":")).encode()).decode().rstrip("=")

    @classmethod
    def parse(cls, text: str) -> "Position":
        """The place that `text` gives. Raises ValueError for anything that `text()` did not make."""
        if len(text) > LONGEST:
            raise ValueError("The place in the list is too long.")
        try:
            content: Mapping[str, Any] = json.loads(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)))
            rejection, delivery = content.get("r"), content.get("d")
            return cls(
                None if rejection is None else (date.fromisoformat(rejection[0]), _whole(rejection[1])),
                None if delivery is None else (_instant(delivery[0]), str(delivery[1])),
            )
        except (binascii.Error, ValueError, TypeError, AttributeError, IndexError, KeyError, RecursionError) as error:
            raise ValueError("This is no place in the list.") from error


def _whole(value: object) -> int:
    if type(value) is not int or not 0 <= value < 2**63:
        raise ValueError("an id is a whole number")
    return value


def _instant(text: str) -> datetime:
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        raise ValueError("a moment needs a time zone")
    return moment
