"""The forms in which CPR and CVR write codes, house numbers, days and truths, brought into ours.

Belongs here: what both registers' answers need, so that an address reads alike whichever service it came from. Promises
None for what is absent, uncertain or unreadable: a form that nobody expected never stops an answer from being read.
"""

import re
from datetime import date, datetime
from zoneinfo import ZoneInfo

from integration_assets.clients.soap_xml import Element, child, text

_DENMARK = ZoneInfo("Europe/Copenhagen")
_CODE_DIGITS = 4
_ZONED = re.compile(r"T.*(Z|[+-]\d{2}:?\d{2})$")
_NO = ("false", "0")


def code(value: str | None) -> str | None:
    """A municipality or street code with the leading zeros that an integer has lost: "851" -> "0851"."""
    return value.strip().zfill(_CODE_DIGITS) if value and value.strip() else None


def personal_number(value: str | None) -> str | None:
    """A CPR number with the leading zero that it lost on the way, where it lost one."""
    value = (value or "").strip()
    return (f"0{value}" if len(value) == 9 and value.isdecimal() else value) or None


def house_number(value: str | None) -> str | None:
    """A house number with its letter and without leading zeros: "095b" -> "95B"."""
    return _unpadded(value).upper() or None


def floor(value: str | None) -> str | None:
    """A floor without leading zeros, in lower case: "01" -> "1", "ST" -> "st"."""
    return _unpadded(value).lower() or None


def door(value: str | None) -> str | None:
    """A door without leading zeros and blanks, in lower case: "00mf" -> "mf", "  tv" -> "tv"."""
    return _unpadded(value).lower() or None


def day(value: str | None) -> date | None:
    """The Danish day of an xsd:date or xsd:dateTime; None when there is none or it is no date.

    A moment with a time zone is a day in Copenhagen: 2020-05-05T22:00:00Z is 6 May. The zone of a mere date says
    nothing about its day. The first and the last year that a date can have stand for no date at all.
    """
    value = (value or "").strip()
    try:
        zoned = _ZONED.search(value)
        read = datetime.fromisoformat(value).astimezone(_DENMARK).date() if zoned else date.fromisoformat(value[:10])
    except (ValueError, OverflowError):
        return None
    return read if date.min.year < read.year < date.max.year else None


def certain_day(element: Element | None, *path: str) -> date | None:
    """The day of CPR's pair of `dato` and `usikkerhedsmarkering`; None when the register marks it as uncertain."""
    dated = child(element, *path)
    return None if text(dated, "usikkerhedsmarkering") else day(text(dated, "dato"))


def compact_day(value: str) -> date | None:
    """The day of GCTP's yyyymmdd or yyyymmddhhmm; None for zeros and anything that is no date."""
    try:
        return datetime.strptime(value[:8], "%Y%m%d").date()  # noqa: DTZ007 - a day without a zone
    except ValueError:
        return None


def truth(value: str | None) -> bool:
    """An xsd:boolean. What is neither false nor 0 counts as true: a protection is not overlooked for its spelling."""
    value = (value or "").strip().lower()
    return bool(value) and value not in _NO


def _unpadded(value: str | None) -> str:
    return "".join((value or "").split()).lstrip("0")
