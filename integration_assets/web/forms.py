"""What people type and browsers send: fields of forms and addresses, checked before anything is done with them."""

from collections.abc import Mapping
from datetime import date
from typing import Final
from urllib.parse import parse_qsl

from integration_assets.domain.people.numbers import masked_numbers

LARGEST_BODY: Final = 64 * 1024
LONGEST_REMARK: Final = 500
"""Characters of a remark; the fields of the pages take fewer."""
_MOST_FIELDS: Final = 200
_LONGEST: Final = 200


class BadForm(ValueError):
    """A form that no page of ours has sent."""


def fields(body: bytes) -> dict[str, str]:
    """The fields of a urlencoded body; of several of one name the last. Raises BadForm."""
    try:
        pairs = parse_qsl(body.decode("utf-8"), keep_blank_values=True, max_num_fields=_MOST_FIELDS)
    except ValueError as error:
        raise BadForm("The form cannot be read.") from error
    return dict(pairs)


def line(values: Mapping[str, str], name: str, longest: int = _LONGEST) -> str | None:
    """A field as one line of printable characters without blanks around it; None where it is empty or left out."""
    text = "".join(" " if character.isspace() else character for character in values.get(name, ""))
    text = "".join(character for character in text if character.isprintable()).strip()
    return text[:longest] or None


def remark(values: Mapping[str, str], name: str) -> str | None:
    """A field as a remark that is kept: one line, where people write more than they should without personal numbers."""
    text = line(values, name, LONGEST_REMARK)
    return None if text is None else masked_numbers(text)


def day(values: Mapping[str, str], name: str) -> date | None:
    """A field as a day; None where it is none."""
    try:
        return date.fromisoformat(values.get(name, ""))
    except ValueError:
        return None


def is_personal(text: str | None) -> bool:
    """Whether a text may hold a personal number. Such a text is never put into an address."""
    return text is not None and masked_numbers(text) != text
