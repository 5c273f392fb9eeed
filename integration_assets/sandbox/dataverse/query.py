"""Reading rows: $select, $expand, $filter, $orderby, $top, $count and pages with an opaque next link.

Belongs here: query options and the shape of a list. The filter language is in `filter`.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl, quote, unquote

from integration_assets.sandbox.dataverse import errors
from integration_assets.sandbox.dataverse.filter import compile_filter
from integration_assets.sandbox.dataverse.model import Lookup, Table
from integration_assets.sandbox.dataverse.rows import Row, RowSource
from integration_assets.sandbox.dataverse.tracking import PREFERENCE, changes, cookie_mark, delta_link, tracked_from
from integration_assets.sandbox.dataverse.wire import Answer, Exchange, json_answer, render

PAGE_LIMIT = 5000
_LIST_OPTIONS = {"$select", "$filter", "$orderby", "$expand", "$top", "$count", "$skiptoken", "$deltatoken"}
_OTHER_LANGUAGES = {"fetchXml", "sql", "savedQuery", "userQuery"}
_EXPAND = re.compile(r"\s*([A-Za-z_][A-Za-z0-9_]*)\s*(?:\(([^()]*)\))?\s*(?:,|$)")
_LAST_ID = re.compile(r'last="\{([0-9a-fA-F-]{36})\}"')
_PAGE_NUMBER = re.compile(r'pagenumber="(\d+)"')


@dataclass(frozen=True)
class Shape:
    """Which properties an answer shows, and which lookups it shows in full."""

    selected: tuple[str, ...] | None
    expanded: tuple[tuple[Lookup, tuple[str, ...] | None], ...]
    annotate: bool

    def render(self, rows: RowSource, table: Table, row: Row) -> dict[str, Any]:
        """The row as JSON."""
        found = render(table, row, self.selected, self.annotate)
        for lookup, selected in self.expanded:
            target = rows.schema.by_logical_name[lookup.target]
            target_id = row.get(lookup.value_name)
            other = rows.get(target, target_id) if target_id else None
            found[lookup.navigation] = None if other is None else render(target, other, selected, self.annotate)
        return found

    def context(self, api_root: str, table: Table, single: bool) -> str:
        """The `@odata.context` of the answer."""
        columns = f"({','.join(self.selected)})" if self.selected else ""
        return f"{api_root}$metadata#{table.set_name}{columns}{'/$entity' if single else ''}"


def shape(rows: RowSource, exchange: Exchange, table: Table) -> Shape:
    """What `$select` and `$expand` ask for. DataverseError 400 for unknown names and options."""
    expanded = tuple(_expanded(rows, table, exchange.options.get("$expand", "")))
    return Shape(_selected(table, exchange.options.get("$select")), expanded, exchange.wants_annotations)


def row_answer(rows: RowSource, exchange: Exchange, table: Table, row_id: str) -> Answer:
    """One row as the answer to a read."""
    exchange.caller.need("Read", table)
    wanted = shape(rows, exchange, table)
    row = rows.need(table, row_id)
    body = {"@odata.context": wanted.context(exchange.api_root, table, single=True)}
    body |= wanted.render(rows, table, row)
    return json_answer(200, body, {"ETag": body["@odata.etag"]})


def list_answer(rows: RowSource, exchange: Exchange, table: Table, ids: Iterable[str] | None = None) -> Answer:
    """The rows of a table (or those of `ids`) that the query options select, one page of them."""
    exchange.caller.need("Read", table)
    options = exchange.options
    for name in options:
        if name.startswith("$") and name not in _LIST_OPTIONS:
            raise errors.query(f"The query parameter {name} is not supported.")
        if name in _OTHER_LANGUAGES:
            raise errors.out_of_play(f"queries by {name}")
    wanted = shape(rows, exchange, table)
    tracked = tracked_from(rows, exchange, table)
    if "$deltatoken" in options:
        return _delta_answer(rows, exchange, table, wanted)
    found = _ordered(table, _filtered(rows, exchange, table, ids), options.get("$orderby"))
    total = len(found)
    page_size, preferred = _page_size(exchange)
    if "$top" in options and not preferred:
        found = found[: _natural(options, "$top")]
    first, page_number = _continued(options.get("$skiptoken"), table, found, page_size)
    page = found[first : first + page_size]
    body: dict[str, Any] = {"@odata.context": wanted.context(exchange.api_root, table, single=False)}
    if options.get("$count") == "true":
        body["@odata.count"] = min(total, PAGE_LIMIT)
        if exchange.wants_annotations:
            body["@Microsoft.Dynamics.CRM.totalrecordcount"] = total if total <= PAGE_LIMIT else -1
            body["@Microsoft.Dynamics.CRM.totalrecordcountlimitexceeded"] = total > PAGE_LIMIT
    body["value"] = [wanted.render(rows, table, row) for row in page]
    if first + page_size < len(found):
        last_id = page[-1][table.primary_id]
        body["@odata.nextLink"] = _next_link(exchange, table, page_number + 1, last_id, tracked)
    elif tracked is not None:
        body["@odata.deltaLink"] = delta_link(exchange, tracked)
    applied = [f"odata.maxpagesize={page_size}"] if preferred else []
    if tracked is not None:
        applied.append(PREFERENCE)
    if exchange.wants_annotations:
        applied.append(f'odata.include-annotations="{exchange.preferences["odata.include-annotations"]}"')
    return json_answer(200, body, {"Preference-Applied": ",".join(applied)} if applied else None)


def _delta_answer(rows: RowSource, exchange: Exchange, table: Table, wanted: Shape) -> Answer:
    """A page of the rows that changed or were deleted; the last page leads to the changes after these."""
    size, preferred = _page_size(exchange)
    found = changes(rows, exchange, table)
    page = found[:size]
    gone = f"{exchange.api_root}$metadata#{table.set_name}/$deletedEntity"
    body: dict[str, Any] = {
        "@odata.context": f"{wanted.context(exchange.api_root, table, single=False)}/$delta",
        "value": [
            {"@odata.context": gone, "id": change.row_id, "reason": "deleted"}
            if change.row is None
            else wanted.render(rows, table, change.row)
            for change in page
        ],
    }
    if len(found) > size:
        body["@odata.nextLink"] = delta_link(exchange, page[-1].version)
    else:
        body["@odata.deltaLink"] = delta_link(exchange, rows.version)
    return json_answer(200, body, {"Preference-Applied": f"odata.maxpagesize={size}"} if preferred else None)


def count_answer(rows: RowSource, exchange: Exchange, table: Table) -> Answer:
    """How many rows the filter lets through, as plain text, never more than 5000."""
    exchange.caller.need("Read", table)
    number = len(_filtered(rows, exchange, table, None))
    headers = {"OData-Version": "4.0", "Content-Type": "text/plain"}
    return Answer(200, headers, str(min(number, PAGE_LIMIT)).encode())


def _filtered(rows: RowSource, exchange: Exchange, table: Table, ids: Iterable[str] | None) -> list[Row]:
    candidates = (row for _, row in rows.all(table)) if ids is None else (rows.need(table, row_id) for row_id in ids)
    text = exchange.options.get("$filter")
    if text is None:
        return list(candidates)
    aliases = {name: value for name, value in exchange.options.items() if name.startswith("@")}
    test = compile_filter(rows, table, text, aliases)
    return [row for row in candidates if test(row)]


def _selected(table: Table, text: str | None) -> tuple[str, ...] | None:
    if not text or text == "*":
        return None
    names = tuple(name.strip() for name in text.split(","))
    for name in names:
        if name not in table.properties:
            raise errors.query_property(table, name)
    return names


def _expanded(rows: RowSource, table: Table, text: str) -> Iterable[tuple[Lookup, tuple[str, ...] | None]]:
    position = 0
    while position < len(text):
        match = _EXPAND.match(text, position)
        if match is None:
            raise errors.query("Syntax error in $expand.")
        lookup = table.navigations.get(match[1])
        if lookup is None:
            raise errors.query_property(table, match[1])
        inner = (match[2] or "").removeprefix("$select=")
        yield lookup, _selected(rows.schema.by_logical_name[lookup.target], inner)
        position = match.end()


def _ordered(table: Table, found: list[Row], text: str | None) -> list[Row]:
    for clause in reversed([clause.split() for clause in (text or "").split(",") if clause.strip()]):
        name, direction = clause[0], clause[1] if len(clause) > 1 else "asc"
        if name not in table.properties or direction not in ("asc", "desc"):
            raise errors.query_property(table, name)
        found = sorted(found, key=lambda row, name=name: _sort_key(row.get(name)), reverse=direction == "desc")
    return found


def _sort_key(value: Any) -> tuple[bool, Any]:
    # Nulls come first in ascending order; text sorts without regard to case.
    return (value is not None, value.casefold() if isinstance(value, str) else value or 0)


def _page_size(exchange: Exchange) -> tuple[int, bool]:
    preferred = exchange.preferences.get("odata.maxpagesize")
    if preferred is None:
        return PAGE_LIMIT, False
    if not preferred.isdigit() or int(preferred) == 0:
        raise errors.invalid_argument("odata.maxpagesize must be a positive number.")
    return min(int(preferred), PAGE_LIMIT), True


def _natural(options: dict[str, str], name: str) -> int:
    if not options[name].isdigit():
        raise errors.query(f"Invalid value '{options[name]}' for {name} query option found.")
    return int(options[name])


def _continued(token: str | None, table: Table, found: list[Row], page_size: int) -> tuple[int, int]:
    """Index of the first row of the page and its number: behind the last row of the page before, if still there."""
    if token is None:
        return 0, 1
    number, last = _PAGE_NUMBER.search(token), _LAST_ID.search(unquote(unquote(token)))
    if number is None or last is None:
        raise errors.invalid_argument("Malformed paging cookie.")
    page_number = int(number[1])
    behind = next((i + 1 for i, row in enumerate(found) if row[table.primary_id] == last[1]), None)
    return (page_number - 1) * page_size if behind is None else behind, page_number


def _next_link(exchange: Exchange, table: Table, page_number: int, last_id: str, tracked: int | None) -> str:
    inner = f'<cookie page="{page_number - 1}"><{table.primary_id} last="{{{last_id}}}" /></cookie>'
    cookie = f'<cookie pagenumber="{page_number}" pagingcookie="{quote(quote(inner))}" {cookie_mark(tracked)} />'
    pairs = [(n, v) for n, v in parse_qsl(exchange.query, keep_blank_values=True) if n != "$skiptoken"]
    query = "&".join(f"{quote(name, safe='$@')}={quote(value)}" for name, value in [*pairs, ("$skiptoken", cookie)])
    return f"{exchange.api_root}{quote(exchange.path)}?{query}"
