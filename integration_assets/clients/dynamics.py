"""Dynamics CRM 365: the Web API of Dataverse.

Belongs here: how rows, lookups and links are written and read, and how one bad row is told from its batch. Which
tables and columns exist is `domain.crm`; tokens, turns and retries are `dynamics_session`.

Promises: rows are written by our own primary keys, so repeating a write never makes a duplicate; every row gets an
outcome of its own, also when a whole batch was refused for one row; where a table lacks a bulk message, or a request
is too large, its rows go by batches and in smaller ones. Does not promise: to tell created from updated rows
(UpsertMultiple does not say), nor all-or-nothing over several batches.
"""

import ssl
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from integration_assets.clients.dynamics_auth import TokenProvider
from integration_assets.clients.dynamics_bulk import JSON, BulkWriter
from integration_assets.clients.dynamics_pace import BatchSizes
from integration_assets.clients.dynamics_rows import (
    DUPLICATE,
    MISSING,
    RowOutcome,
    Sendable,
    TableName,
    failed,
    key_segment,
    payload_of,
)
from integration_assets.clients.dynamics_session import Session, same_host
from integration_assets.clients.http import (
    CallError,
    RetryPolicy,
    TransientError,
    json_answer,
    json_body,
)
from integration_assets.clients.odata_batch import Operation

__all__ = ["Changes", "DynamicsClient", "RowOutcome", "TableName"]

_IDS_PER_SELECT = 40
_PATIENT = RetryPolicy(attempts=6)


@dataclass(frozen=True)
class Changes:
    """What changed in a table since a delta link was given: whole rows, ids of deleted rows, the next delta link."""

    rows: list[dict[str, Any]]
    deleted: list[str]
    delta_link: str


class DynamicsClient:
    """One CRM organisation, by one application user or several that share the work. Safe for use by several threads."""

    def __init__(
        self,
        org_url: str,
        *users: TokenProvider,
        api_version: str = "v9.2",
        batch_size: int = 500,
        timeout_s: float = 240.0,
        tls: ssl.SSLContext | bool = True,
        policy: RetryPolicy | None = None,
    ) -> None:
        self._root = f"{org_url.rstrip('/')}/api/data/{api_version}"
        self._session = Session(self._root, users, timeout_s=timeout_s, tls=tls, policy=policy or _PATIENT)
        self._writer = BulkWriter(self._session, BatchSizes(batch_size))

    @property
    def users(self) -> int:
        """Application users that share the work."""
        return self._session.users

    def batch_rows(self, set_name: str) -> int:
        """How many rows of an entity set, or links of a navigation property, the next request should hold."""
        return self._writer.sizes.of(set_name)

    def create(self, table: TableName, rows: Sequence[Mapping[str, Any]]) -> list[RowOutcome]:
        """Create rows under the primary ids that they bring; one outcome per row, in order.

        Quicker than `upsert` for the CRM. A row that is there already comes back with the code `DUPLICATE`, unchanged.
        A lookup is given by its navigation property as (entity set, id). Raises as `upsert`.
        """
        return self._writer.write("CreateMultiple", table, _sendable(table, rows, frozenset()))

    def update(
        self, table: TableName, rows: Sequence[Mapping[str, Any]], *, etags: Mapping[str, str] | None = None
    ) -> list[RowOutcome]:
        """Change rows that exist, by primary id; one outcome per row, in order. None clears a column or lookup.

        A row that is missing comes back with a code of `MISSING`: an update never creates. Rows with an etag (by id)
        are changed only while they are that version, else their code is `STALE`. Raises as `upsert`.
        """
        versions = etags or {}
        every = frozenset(str(row[table.primary_id]) for row in rows)
        sendable = [
            replace(row, etag=versions[row.row_id]) if row.row_id in versions else row
            for row in _sendable(table, rows, every)
        ]
        guarded = [row for row in sendable if row.etag is not None]
        outcomes = {
            outcome.row_id: outcome
            for outcome in [
                *self._writer.write("UpdateMultiple", table, [row for row in sendable if row.etag is None]),
                # UpdateMultiple does not look at versions, change sets do.
                *self._writer.one_by_one("UpdateMultiple", table, guarded),
            ]
        }
        return [outcomes[row.row_id] for row in sendable]

    def upsert(
        self, table: TableName, rows: Sequence[Mapping[str, Any]], *, known: Collection[str] = ()
    ) -> list[RowOutcome]:
        """Create or update rows by their primary key and return one outcome per row, in order.

        A row maps CRM columns to values; a lookup is given by its navigation property as (entity set, id) or None.
        None clears a column only in rows whose id is in `known`: a row that the CRM has not yet has nothing to clear.
        After a failure that may pass, the remaining batches are not tried and come back as ``not_sent``.

        Raises ValueError when two rows have the same id (the CRM does not define what would happen).
        """
        return self._writer.write("UpsertMultiple", table, _sendable(table, rows, frozenset(known)))

    def upsert_one(
        self, table: TableName, key: str | Mapping[str, str | int], row: Mapping[str, Any]
    ) -> tuple[str, bool]:
        """Create or update one row by primary id or alternate key; its primary id, and whether it was created.

        The columns of the key are left out of `row`: they stand in the address, which ends up in logs, so nothing
        personal may be a key. Raises CallError, and ValueError for a key that Dataverse cannot find by.
        """
        columns = () if isinstance(key, str) else tuple(key)
        payload = payload_of(table, {name: value for name, value in row.items() if name not in columns}, clear=True)
        response = self._session.send(
            "PATCH",
            f"{self._root}/{table.set}({key_segment(key)})",
            params={"$select": table.primary_id},
            headers={**JSON, "Prefer": "return=representation"},
            content=json_body(payload),
        )
        return str(json_answer(response, f"PATCH {table.set}")[table.primary_id]), response.status_code == 201

    def link(
        self, set_name: str, navigation: str, target_set: str, pairs: Sequence[tuple[str, str]]
    ) -> list[RowOutcome]:
        """Join rows of a many-to-many relation: (row id, target id) each. A link that exists already is a success."""
        operations = [
            Operation(
                "POST",
                f"{self._root}/{set_name}({row_id})/{navigation}/$ref",
                {"@odata.id": f"{self._root}/{target_set}({target_id})"},
            )
            for row_id, target_id in pairs
        ]
        return self._change_links(navigation, operations, pairs, done_already=frozenset({DUPLICATE}))

    def unlink(
        self, set_name: str, navigation: str, target_set: str, pairs: Sequence[tuple[str, str]]
    ) -> list[RowOutcome]:
        """Part rows of a many-to-many relation: (row id, target id) each. A link that is gone already is a success."""
        operations = [
            Operation(
                "DELETE",
                f"{self._root}/{set_name}({row_id})/{navigation}/$ref?$id={self._root}/{target_set}({target_id})",
            )
            for row_id, target_id in pairs
        ]
        return self._change_links(navigation, operations, pairs, done_already=MISSING)

    def select(self, table: TableName, columns: Sequence[str], ids: Iterable[str]) -> dict[str, dict[str, Any]]:
        """The named columns (and ``@odata.etag``) of the rows that exist, by id."""
        found: dict[str, dict[str, Any]] = {}
        for row in self.select_where(table, columns, table.primary_id, ids):
            found[str(row[table.primary_id])] = row
        return found

    def select_where(
        self, table: TableName, columns: Sequence[str], column: str, values: Iterable[str], extra: str = ""
    ) -> Iterator[dict[str, Any]]:
        """Rows whose `column`, an id or a lookup (``_x_value``), is one of the values, and that meet `extra`."""
        wanted = sorted(set(values))
        for start in range(0, len(wanted), _IDS_PER_SELECT):
            chunk = wanted[start : start + _IDS_PER_SELECT]
            condition = " or ".join(f"{column} eq {value}" for value in chunk)
            yield from self.query(
                table.set, [table.primary_id, *columns], f"({condition}) and {extra}" if extra else condition
            )

    def query(
        self, set_name: str, select: Sequence[str], filter: str | None = None, page_size: int = 5000
    ) -> Iterator[dict[str, Any]]:
        """All rows of an entity set that meet the OData filter, read page by page."""
        params = {"$select": ",".join(dict.fromkeys(select))} | ({} if filter is None else {"$filter": filter})
        preference = f"odata.maxpagesize={page_size}"
        for page in self._pages(set_name, f"{self._root}/{set_name}", params, preference):
            yield from page["value"]

    def changes(self, table: TableName, select: Sequence[str], delta_link: str | None = None) -> Changes:
        """What changed since `delta_link` was given, or all rows and the first delta link.

        The table must have change tracking. Raises PermanentError when the link is too old (by default after 7 days).
        """
        pages = list(self.change_pages(table, select, delta_link))
        return Changes(
            [row for page in pages for row in page.rows],
            [row_id for page in pages for row_id in page.deleted],
            pages[-1].delta_link,
        )

    def change_pages(self, table: TableName, select: Sequence[str], delta_link: str | None = None) -> Iterator[Changes]:
        """As `changes`, page by page; only the last page has a delta link."""
        params = {"$select": ",".join(dict.fromkeys([table.primary_id, *select]))} if delta_link is None else None
        url = f"{self._root}/{table.set}" if delta_link is None else same_host(delta_link, self._root)
        following = ""
        for page in self._pages(table.set, url, params, "odata.track-changes,odata.maxpagesize=5000"):
            rows: list[dict[str, Any]] = []
            deleted: list[str] = []
            for row in page["value"]:
                if str(row.get("@odata.context", "")).endswith("/$deletedEntity"):
                    deleted.append(str(row["id"]))
                else:
                    rows.append(row)
            following = str(page.get("@odata.deltaLink", ""))
            yield Changes(rows, deleted, following)
        if not following:
            raise TransientError(f"The CRM gave no delta link for {table.set}: has the table change tracking?")

    def read(self, path: str, params: Mapping[str, str] | None = None, *, as_user: int | None = None) -> Any:
        """The JSON answer to a GET of `path`, below the root of the API; by the application user of that number."""
        response = self._session.send("GET", f"{self._root}/{path}", params=params, kind="metadata", as_user=as_user)
        return json_answer(response, f"GET {path}")

    def who_am_i(self, *, as_user: int | None = None) -> dict[str, Any]:
        """The application user's ids: the cheapest proof that address, token and rights are in order."""
        return json_answer(self._session.send("GET", f"{self._root}/WhoAmI", as_user=as_user), "GET WhoAmI")

    def requests(self) -> Counter[str]:
        """How many requests were sent so far: create, update and upsert (many rows), batch, query, metadata,
        other.
        """
        return self._session.requests()

    def close(self) -> None:
        """Close the pooled connections."""
        self._session.close()

    def _pages(
        self, set_name: str, url: str, params: Mapping[str, str] | None, preference: str
    ) -> Iterator[dict[str, Any]]:
        """The pages of a list, each asked for with the same preference."""
        following: str | None = url
        while following is not None:
            response = self._session.send("GET", following, params=params, headers={"Prefer": preference}, kind="query")
            page = json_answer(response, f"GET {set_name}")
            yield page
            following, params = page.get("@odata.nextLink"), None
            if following is not None:
                following = same_host(following, self._root)

    def _change_links(
        self,
        navigation: str,
        operations: Sequence[Operation],
        pairs: Sequence[tuple[str, str]],
        *,
        done_already: Collection[str],
    ) -> list[RowOutcome]:
        outcomes: list[RowOutcome] = []
        while len(outcomes) < len(pairs):
            start = len(outcomes)
            end = start + self._writer.sizes.of(navigation)
            ids = [row_id for row_id, _ in pairs[start:end]]
            try:
                outcomes += self._writer.run_batch(operations[start:end], ids, sized_by=navigation)
            except CallError as error:
                outcomes += [failed(row_id, error) for row_id in ids]
        return [
            RowOutcome(outcome.row_id, True, request_id=outcome.request_id) if outcome.code in done_already else outcome
            for outcome in outcomes
        ]


def _sendable(table: TableName, rows: Sequence[Mapping[str, Any]], known: frozenset[str]) -> list[Sendable]:
    """Rows ready to be sent; only those of `known` ids clear columns. ValueError when two have the same id."""
    ids = [str(row[table.primary_id]) for row in rows]
    if len(set(ids)) != len(ids):
        raise ValueError(f"Two rows for {table.set} have the same {table.primary_id}.")
    return [
        Sendable(row_id, payload_of(table, row, clear=row_id in known)) for row_id, row in zip(ids, rows, strict=True)
    ]
