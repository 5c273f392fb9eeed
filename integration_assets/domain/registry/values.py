"""Single values in OIO objects: urns, flags as texts, and the JSON of fields that plain LoRa does not have."""

import json
from collections.abc import Mapping
from typing import Any, Final, cast
from urllib.parse import quote, unquote

LARGEST_TEXT: Final = 2_600
"""Bytes of an attribute from which on LoRa may refuse the text: it stands in an index."""

_URN_CHARACTERS: Final = "!$&'()*+,;=:@/"
"""What RFC 8141 allows in the name part of a urn beside letters, digits and - . _ ~"""


def urn(value: str, scheme: str = "") -> str:
    """A value as urn, e.g. ``urn:tel:86123456``. Characters that a urn may not hold are percent-encoded (UTF-8)."""
    return f"urn:{scheme}{quote(value, safe=_URN_CHARACTERS)}"


def urn_value(text: str | None, scheme: str = "") -> str | None:
    """The value of a urn of this scheme; None when it is none or of another scheme."""
    prefix = f"urn:{scheme}"
    return unquote(text[len(prefix) :]) if text is not None and text.startswith(prefix) else None


def as_text(value: str | bool | None) -> str | None:
    """A value as an attribute of its own has it: flags are ``true`` or ``false``."""
    return str(value).lower() if isinstance(value, bool) else value


def as_flag(value: str | bool | None) -> bool | None:
    """The flag of `as_text`, also one that is none yet; None for any other text."""
    return {"true": True, "false": False}.get(str(value).lower())


def packed(fields: Mapping[str, str | bool | None]) -> str | None:
    """Extension fields as compact JSON with sorted keys, blanks left out; None when nothing is left."""
    filled = {name: value for name, value in fields.items() if value is not None and value != ""}
    if not filled:
        return None
    return json.dumps(filled, ensure_ascii=False, sort_keys=True, separators=(",", ":"))


def unpacked(text: str | None) -> dict[str, Any]:
    """The extension fields of `packed`; none when the text is missing or somebody else's."""
    if not text:
        return {}
    try:
        fields = json.loads(text)
    except ValueError:
        return {}
    return cast("dict[str, Any]", fields) if isinstance(fields, dict) else {}
