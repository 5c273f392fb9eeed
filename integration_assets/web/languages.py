"""The languages of the pages: one plain catalogue file each, and how each writes days, moments and numbers."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Final
from zoneinfo import ZoneInfo

CODES: Final = ("da", "en", "de", "fr")
"""Danish first: it is the language of those who use the pages."""

_FOLDER: Final = Path(__file__).parent / "texts"
COPENHAGEN: Final = ZoneInfo("Europe/Copenhagen")
_DAYS: Final = {"da": "%d.%m.%Y", "en": "%d %b %Y", "de": "%d.%m.%Y", "fr": "%d/%m/%Y"}
_SHORT_DAYS: Final = {"da": "%d.%m.", "en": "%d %b", "de": "%d.%m.", "fr": "%d/%m"}
_THOUSANDS: Final = {"da": ".", "en": ",", "de": ".", "fr": "\u202f"}
LIST_SEPARATORS: Final = {"da": ";", "en": ",", "de": ";", "fr": ";"}
"""What spreadsheets of these languages expect between the values of a line."""


@dataclass(frozen=True)
class Language:
    """One language: `t` gives its texts, the others write values."""

    code: str
    texts: Mapping[str, str]

    def t(self, key: str, **values: object) -> str:
        """The text of a key, with values in its places. Raises KeyError for a key that no catalogue has."""
        text = self.texts[key]
        return text.format_map(values) if values else text

    def named(self, group: str, name: str) -> str:
        """The text of `group.name` where there is one, else the name as it is: reasons and fields come and go."""
        return self.texts.get(f"{group}.{name}", name)

    def day(self, value: date | None) -> str:
        """A day, or a dash."""
        if isinstance(value, datetime):
            value = value.astimezone(COPENHAGEN).date()
        return "–" if value is None else value.strftime(_DAYS[self.code])

    def short_day(self, value: date) -> str:
        """A day without its year."""
        return value.strftime(_SHORT_DAYS[self.code])

    def moment(self, value: datetime | date | None) -> str:
        """A moment in Danish time, or a dash; a day as a day."""
        if not isinstance(value, datetime):
            return self.day(value)
        local = value.astimezone(COPENHAGEN)
        return f"{local.strftime(_DAYS[self.code])} {local:%H:%M}"

    def number(self, value: float | None) -> str:
        """A whole number with separators, or a dash."""
        return "–" if value is None else f"{round(value):,}".replace(",", _THOUSANDS[self.code])

    def age(self, passed: timedelta) -> str:
        """How long something is ago, in the largest unit that fits."""
        minutes = max(0, int(passed.total_seconds() // 60))
        if minutes // 1440 == 1:
            return self.t("age.day")
        for unit, size in (("days", 1440), ("hours", 60)):
            if minutes >= 2 * size:
                return self.t(f"age.{unit}", number=minutes // size)
        return self.t("age.minutes", number=minutes)


@cache
def language(code: str) -> Language:
    """The language of a code of CODES."""
    texts: dict[str, str] = json.loads((_FOLDER / f"{code}.json").read_text(encoding="utf-8"))
    return Language(code, texts)


def chosen(asked: str | None, remembered: str | None, accepted: str) -> str:
    """The code of the language to use: the one just asked for, else the one remembered, else what the browser accepts
    most (an Accept-Language header), else Danish."""
    for code in (asked, remembered):
        if code in CODES:
            return str(code)
    wishes: list[tuple[float, int, str]] = []
    for place, part in enumerate(accepted.split(",")[:20]):
        name, _, parameters = part.strip().lower().partition(";")
        code = name.split("-")[0]
        # Norwegian and Swedish readers are better off with Danish than with English.
        code = "da" if code in ("nb", "nn", "no", "sv") else code
        if code in CODES:
            wishes.append((-_weight(parameters), place, code))
    return min(wishes)[2] if wishes else CODES[0]


def _weight(parameters: str) -> float:
    try:
        return float(parameters.strip().removeprefix("q=")) if parameters else 1.0
    except ValueError:
        return 0.0
