"""Addresses of the Web API: path segments, keys in parentheses, references from bodies.

Belongs here: reading URLs and parts of them. What stands behind an address is looked up through `Rows`.
"""

import re
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, unquote

from integration_assets.sandbox.dataverse import errors
from integration_assets.sandbox.dataverse.model import AlternateKey, Schema, Table
from integration_assets.sandbox.dataverse.rows import Rows

API_PATH = "/api/data/v9.2/"

_SEGMENT = re.compile(r"([^(/']*)(?:\((.*)\))?$", re.DOTALL)
_KEY_PART = re.compile(r"\s*([A-Za-z_][A-Za-z0-9_]*)\s*=\s*('(?:[^']|'')*'|[^',]*)\s*(?:,|$)")
# Characters in an alternate key with which GET, PATCH and upsert do not work.
_UNSAFE = set("/<>*%&:\\?+")


@dataclass(frozen=True)
class Segment:
    """One step of a path: its name, and the text in its parentheses (None without parentheses)."""

    name: str
    key: str | None = None


@dataclass(frozen=True)
class RowKey:
    """How an address names a row: by primary id, or by an alternate key and its values."""

    primary: str | None = None
    alternate: AlternateKey | None = None
    values: Mapping[str, Any] | None = None

    def find(self, rows: Rows, table: Table) -> str | None:
        """The primary id of the row, or None when there is no such row."""
        if self.primary is not None:
            return self.primary if rows.get(table, self.primary) is not None else None
        assert self.alternate is not None
        assert self.values is not None
        return rows.find(table, self.alternate, self.values)

    def missing(self, table: Table) -> errors.DataverseError:
        """The 404 that tells that there is no such row."""
        return errors.does_not_exist(table, self.primary) if self.primary else errors.no_row_with_key(table)

    def need(self, rows: Rows, table: Table) -> str:
        """The primary id of the row; DataverseError 404 when there is no such row."""
        row_id = self.find(rows, table)
        if row_id is None:
            raise self.missing(table)
        return row_id


def split_path(path: str) -> list[Segment]:
    """The segments of a decoded path below the API root; slashes within quotes and parentheses do not split."""
    pieces, depth, quoted, start = [], 0, False, 0
    for position, character in enumerate(path):
        if character == "'":
            quoted = not quoted
        elif not quoted and character in "()":
            depth += 1 if character == "(" else -1
        elif character == "/" and not quoted and depth == 0:
            pieces.append(path[start:position])
            start = position + 1
    pieces.append(path[start:])
    segments = []
    for piece in filter(None, pieces):
        match = _SEGMENT.match(piece)
        if match is None:
            raise errors.no_segment(piece)
        segments.append(Segment(match[1], match[2]))
    return segments


def below_root(url: str) -> tuple[str, str]:
    """Decoded path below the API root and raw query of an absolute, root-relative or relative URL."""
    raw_path, _, query = url.partition("?")
    if "://" in raw_path:
        raw_path = "/" + raw_path.partition("://")[2].partition("/")[2]
    if raw_path.startswith("/api/data/"):
        raw_path = raw_path[len(API_PATH) :] if raw_path.startswith(API_PATH) else raw_path
    return unquote(raw_path).lstrip("/"), query


def guid(text: str) -> str | None:
    """A GUID in lower case with hyphens, or None when the text is none."""
    try:
        return str(uuid.UUID(text)) if len(text) == 36 else None
    except ValueError:
        return None


def table_of(schema: Schema, segment: Segment) -> Table:
    """The table of an entity set; DataverseError 404 when there is none."""
    table = schema.tables.get(segment.name)
    if table is None:
        raise errors.no_segment(segment.name)
    return table


def row_key(table: Table, text: str) -> RowKey:
    """Read the text in the parentheses after an entity set. DataverseError 400 when it is no key of the table."""
    primary = guid(text.strip())
    if primary is not None:
        return RowKey(primary)
    literals: dict[str, str] = {}
    position = 0
    while position < len(text):
        match = _KEY_PART.match(text, position)
        if match is None or match.end() == position:
            raise errors.not_a_key(table)
        literals[match[1]] = match[2]
        position = match.end()
    if set(literals) == {table.primary_id}:
        primary = guid(literals[table.primary_id])
        if primary is not None:
            return RowKey(primary)
    key = table.key(frozenset(literals))
    if key is None:
        raise errors.not_a_key(table)
    return RowKey(alternate=key, values={name: _key_value(table, literals[name]) for name in key.columns})


def _key_value(table: Table, literal: str) -> Any:
    if not (literal.startswith("'") and literal.endswith("'") and len(literal) >= 2):
        # All alternate keys of this organisation are over text columns.
        raise errors.not_a_key(table)
    value = literal[1:-1].replace("''", "'")
    unsafe = next((character for character in value if character in _UNSAFE), None)
    if unsafe is not None:
        text = f"A potentially dangerous Request.Path value was detected from the client ({unsafe})."
        raise errors.DataverseError(400, "0x0", text)
    return value


def reference(schema: Schema, text: str, created: Mapping[str, tuple[str, str]]) -> tuple[Table, RowKey]:
    """The row that `@odata.bind` or `@odata.id` names: a URL of any form, or `$n` of a change set (`created`)."""
    if text.startswith("$"):
        set_name, row_id = content_reference(text, created)
        return schema.tables[set_name], RowKey(row_id)
    path, _ = below_root(text)
    segments = split_path(path)
    if len(segments) != 1 or segments[0].key is None:
        raise errors.invalid_argument(f"Invalid resource reference '{path}'.")
    table = table_of(schema, segments[0])
    return table, row_key(table, segments[0].key)


def content_reference(text: str, created: Mapping[str, tuple[str, str]]) -> tuple[str, str]:
    """Entity set and id behind `$n`; DataverseError 400 when request n did not come before."""
    target = created.get(text[1:])
    if target is None:
        raise errors.DataverseError(
            400, "0x80048d19", f"Content-ID Reference: '{text}' does not exist in the batch context."
        )
    return target


def entity_url(api_root: str, table: Table, row_id: str) -> str:
    """The canonical URL of a row."""
    return f"{api_root}{table.set_name}({row_id})"


def echoed_url(api_root: str, table: Table, key_text: str) -> str:
    """The URL of a row in the key form that the request used."""
    encoded = quote(key_text, safe="=',()")
    return f"{api_root}{table.set_name}({encoded})"
