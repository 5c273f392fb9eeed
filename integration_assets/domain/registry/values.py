"""Single values in OIO objects: urns, and the JSON of fields that plain LoRa does not have."""

import json
from collections.abc import Mapping
from typing import Any, Final, cast
from urllib.parse import quote, unquote

LARGEST_EXTENSION: Final = 2_600
"""Bytes of integrationsdata from which on LoRa may refuse the text: it stands in an index."""

_URN_CHARACTERS: Final = "!$&'()*+,;=:@/"
"""What RFC 8141 allows in the name part of a urn beside letters, digits and - . _ ~"""


def urn(value: str, scheme: str = "") -> str:
    """A value as urn, e.g. ``urn:tel:86123456``. Characters that a urn may not hold are percent-encoded (UTF-8)."""
    return f"urn:{scheme}{quote(value, safe=_URN_CHARACTERS)}"


def urn_value(text: str | None, scheme: str = "") -> str | None:
    """The value of a urn of this scheme; None when it is none or of another scheme."""
    prefix = f"urn:{scheme}"
    return unquote(text[len(prefix) :]) if text is not None and text.startswith(prefix) else None


def packed(fields: Mapping[str, str | bool | None], business_key: str) -> str | None:
    """Extension fields as compact JSON with sorted keys, blanks left out; None when nothing is left.

    Raises ValueError, naming the customer or installation number only, when LoRa would not take the length.
    """
    filled = {name: value for name, value in fields.items() if value is not None and value != ""}
    if not filled:
        return None
    text = json.dumps(filled, ensure_ascii=False, sort_keys=True, separators=(",", ":"))
    size = len(text.encode())
    if size >= LARGEST_EXTENSION:
        raise ValueError(f"The extension fields of {business_key} take {size} bytes; LoRa holds {LARGEST_EXTENSION}.")
    return text


def unpacked(text: str | None) -> dict[str, Any]:
    """The extension fields of `packed`; none when the text is missing or somebody else's."""
    if not text:
        return {}
    try:
        fields = json.loads(text)
    except ValueError:
        return {}
    return cast("dict[str, Any]", fields) if isinstance(fields, dict) else {}
