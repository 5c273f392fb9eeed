"""Templates: found in this package, escaped always; values are shown masked unless a page says otherwise."""

import hashlib
import re
from collections.abc import Mapping
from datetime import date, datetime
from functools import cache
from pathlib import Path
from typing import Any, Final

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from integration_assets.domain.people.numbers import masked_numbers

FOLDER: Final = Path(__file__).parent
_UUID: Final = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)
NOTHING: Final = "–"


@cache
def environment() -> Environment:
    """The templates, compiled once."""
    made = Environment(
        loader=FileSystemLoader(FOLDER / "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters["masked"] = masked
    made.globals["static"] = static_address
    return made


def masked(value: Any) -> str:
    """A value as text without personal numbers; ids of objects stay as they are."""
    text = plain(value)
    return text if _UUID.fullmatch(text) else masked_numbers(text)


def plain(value: Any) -> str:
    """A value as text: nothing as a dash, days and moments as ISO writes them, several with semicolons."""
    if value is None or value == "":
        return NOTHING
    if isinstance(value, bool):
        return "✓" if value else "✗"
    if isinstance(value, date | datetime):
        return value.isoformat()
    if isinstance(value, Mapping):
        return ", ".join(f"{name}: {plain(each)}" for name, each in value.items() if each is not None) or NOTHING
    if isinstance(value, list | tuple):
        return "; ".join(plain(each) for each in value) or NOTHING
    return str(value)


@cache
def static_address(name: str) -> str:
    """The address of a file of `static`, which changes with its content: browsers may keep it for a year."""
    digest = hashlib.sha256((FOLDER / "static" / name).read_bytes()).hexdigest()[:12]
    return f"/static/{name}?v={digest}"
