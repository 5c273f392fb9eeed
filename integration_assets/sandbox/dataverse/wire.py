"""One request to the Web API and its answer, apart from HTTP: $batch carries the same exchanges inside one body.

Belongs here: headers, query options, preferences, how a row looks in JSON.
"""

import json
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any
from urllib.parse import parse_qsl

from integration_assets.sandbox.dataverse import errors
from integration_assets.sandbox.dataverse.callers import Caller
from integration_assets.sandbox.dataverse.model import Table
from integration_assets.sandbox.dataverse.rows import Row

_FORMATTED = "@OData.Community.Display.V1.FormattedValue"
_TARGET = "@Microsoft.Dynamics.CRM.lookuplogicalname"
_NAVIGATION = "@Microsoft.Dynamics.CRM.associatednavigationproperty"


@dataclass
class Exchange:
    """One request: `path` decoded below the API root, `query` raw, header names in lower case.

    `api_root` is the absolute URL of the API with a trailing slash; `caller` is the application user that asks;
    `created` maps content ids of a change set to (entity set, id) of the rows that its earlier requests wrote.
    """

    method: str
    path: str
    query: str
    headers: Mapping[str, str]
    body: bytes
    api_root: str
    caller: Caller
    created: Mapping[str, tuple[str, str]] = field(default_factory=dict)

    @cached_property
    def options(self) -> dict[str, str]:
        """Query options by name; parameter aliases keep their `@`."""
        return dict(parse_qsl(self.query, keep_blank_values=True))

    @cached_property
    def json(self) -> dict[str, Any]:
        """The body as a JSON object; DataverseError 400 when it is none."""
        try:
            found = json.loads(self.body)
        except ValueError:
            found = None
        if not isinstance(found, dict):
            raise errors.DataverseError(400, "0x80048d19", "Error identified in Payload provided by the user.")
        return found

    @cached_property
    def preferences(self) -> dict[str, str]:
        """Preferences by name; those without a value have an empty one."""
        found = {}
        for part in self.headers.get("prefer", "").split(","):
            name, _, value = part.strip().partition("=")
            found[name.strip().lower()] = value.strip().strip('"')
        return found

    @property
    def wants_representation(self) -> bool:
        """Whether a write shall answer with the row."""
        return self.preferences.get("return") == "representation"

    @property
    def wants_annotations(self) -> bool:
        """Whether values shall come with their labels."""
        return "odata.include-annotations" in self.preferences

    def condition(self, name: str) -> str | None:
        """If-Match or If-None-Match; the `null` that clients send by default counts as none."""
        value = self.headers.get(name)
        return None if value in (None, "null", "") else value


@dataclass
class Answer:
    """The answer to an exchange. `entity` is the row that a write reached, for references inside a change set.

    `bulk_rows` and `single_rows` are the rows written, by a bulk message and otherwise: what the work costs.
    """

    status: int
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""
    entity: tuple[str, str] | None = None
    bulk_rows: int = 0
    single_rows: int = 0


def json_answer(status: int, body: Mapping[str, Any], headers: Mapping[str, str] | None = None) -> Answer:
    """An answer with a JSON body in UTF-8."""
    text = json.dumps(body, ensure_ascii=False, separators=(",", ":")).encode()
    content = {"Content-Type": "application/json; odata.metadata=minimal"}
    return Answer(status, {"OData-Version": "4.0"} | content | dict(headers or {}), text)


def empty_answer(status: int = 204, headers: Mapping[str, str] | None = None) -> Answer:
    """An answer without a body."""
    return Answer(status, {"OData-Version": "4.0"} | dict(headers or {}))


def error_answer(error: errors.DataverseError) -> Answer:
    """The answer that refuses a request."""
    return json_answer(error.status, error.body(), {"REQ_ID": str(uuid.uuid4()), **error.headers})


def etag(row: Row) -> str:
    """The version of a row as an entity tag."""
    return f'W/"{row["versionnumber"]}"'


def render(table: Table, row: Row, selected: tuple[str, ...] | None, annotate: bool) -> dict[str, Any]:
    """A row as JSON: entity tag, the selected properties (None: all), the primary id always."""
    names = tuple(table.properties) if selected is None else selected
    found: dict[str, Any] = {"@odata.etag": etag(row)}
    for name in names:
        value = row.get(name)
        if annotate and value is not None:
            found.update(_annotations(table, name, value))
        found[name] = value
    found.setdefault(table.primary_id, row[table.primary_id])
    return found


def _annotations(table: Table, name: str, value: Any) -> dict[str, Any]:
    attribute = table.attributes.get(name)
    if attribute is not None:
        if attribute.options:
            return {name + _FORMATTED: attribute.options.get(value)}
        if attribute.kind == "boolean":
            return {name + _FORMATTED: "Yes" if value else "No"}
        return {}
    candidates = [lookup for lookup in table.lookups if lookup.value_name == name]
    if len(candidates) != 1:
        # Which table a lookup with several targets points to is not kept beside its id.
        return {}
    return {name + _NAVIGATION: candidates[0].navigation, name + _TARGET: candidates[0].target}
