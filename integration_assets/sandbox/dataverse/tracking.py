"""Change tracking of the CRM sandbox: what changed in a table since a token was given out.

Belongs here: tokens, their age, and the list of changes. How a page of them looks is in `query`.
"""

import datetime as dt
import re
from dataclasses import dataclass
from urllib.parse import parse_qsl, quote

from integration_assets.sandbox.dataverse import errors
from integration_assets.sandbox.dataverse.model import Table
from integration_assets.sandbox.dataverse.rows import Row, RowSource
from integration_assets.sandbox.dataverse.wire import Exchange

KEPT = dt.timedelta(days=7)
"""How long a token is good for (Dataverse's default)."""

PREFERENCE = "odata.track-changes"
_STAMP = "%m/%d/%Y %H:%M:%S"
_TOKEN = re.compile(r"(\d+)!(.+)$")
_COOKIE = re.compile(r'istracking="True" version="(\d+)"')
_REFUSED = ("$filter", "$orderby", "$expand", "$top")


@dataclass(frozen=True)
class Change:
    """A row as it is now, or (`row` None) the id of one that was deleted; `version` orders changes."""

    version: int
    row_id: str
    row: Row | None


def tracked_from(rows: RowSource, exchange: Exchange, table: Table) -> int | None:
    """The version from which a listing is tracked: that of its first page. None where the client did not ask for it.

    DataverseError where the table or the user's role does not allow it, or options stand in the way.
    """
    page = _COOKIE.search(exchange.options.get("$skiptoken", ""))
    if PREFERENCE not in exchange.preferences and "$deltatoken" not in exchange.options and page is None:
        return None
    if not table.change_tracking:
        # The code and text are not documented.
        raise errors.invalid_argument(f"Change tracking is not enabled for entity '{table.logical}'.")
    if exchange.caller.user.depth != "Global":
        exchange.caller.refuse("Read", table)
    for name in _REFUSED:
        if name in exchange.options:
            raise errors.query(f"The {name} query parameter is not supported when tracking changes.")
    return int(page[1]) if page else rows.version


def cookie_mark(version: int | None) -> str:
    """What the cookie of a page says of tracking."""
    return 'istracking="False"' if version is None else f'istracking="True" version="{version}"'


def delta_link(exchange: Exchange, version: int) -> str:
    """The address that gives the changes after `version`."""
    stamp = dt.datetime.now(dt.UTC).strftime(_STAMP)
    kept = [
        (name, value)
        for name, value in parse_qsl(exchange.query, keep_blank_values=True)
        if name not in ("$skiptoken", "$deltatoken")
    ]
    pairs = [*kept, ("$deltatoken", f"{version}!{stamp}")]
    query = "&".join(f"{quote(name, safe='$@')}={quote(value)}" for name, value in pairs)
    return f"{exchange.api_root}{quote(exchange.path)}?{query}"


def changes(rows: RowSource, exchange: Exchange, table: Table) -> list[Change]:
    """What changed after the token of the request, oldest first. DataverseError for a token that is not good."""
    match = _TOKEN.match(exchange.options["$deltatoken"])
    try:
        given = dt.datetime.strptime(match[2], _STAMP).replace(tzinfo=dt.UTC) if match else None
    except ValueError:
        given = None
    if match is None or given is None or int(match[1]) > rows.version:
        raise errors.invalid_argument("The delta token is invalid.")
    if dt.datetime.now(dt.UTC) - given > KEPT:
        text = "Version stamp associated with the client has expired. Please perform a full sync."
        raise errors.DataverseError(400, "0x80044352", text)
    since = int(match[1])
    found = [Change(row["versionnumber"], row_id, row) for row_id, row in rows.all(table)]
    found += [Change(version, row_id, None) for row_id, version in rows.deleted(table)]
    return sorted((change for change in found if change.version > since), key=lambda change: change.version)
