"""Dynamics CRM 365: the Web API of Dataverse.

Belongs here: how rows, lookups and links are written and read, and how one bad row is told from its batch. Which
tables and columns exist is `domain.crm`.

Promises: rows are written by upsert on our own primary keys, so repeating a write never makes a duplicate; every row
gets an outcome of its own, also when a whole batch was refused for one row; a refused token is renewed once; the
service-protection limits (429, `Retry-After`) are obeyed. Does not promise: to tell created from updated rows
(UpsertMultiple does not say), nor all-or-nothing over several batches.
"""

import ssl
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any
from urllib.parse import urlsplit

import httpx

from integration_assets.clients import odata_batch
from integration_assets.clients.dynamics_auth import TokenProvider
from integration_assets.clients.http import (
    CallError,
    HttpClient,
    PermanentError,
    RetryPolicy,
    TransientError,
    error_of,
    json_answer,
    json_body,
    mask,
)
from integration_assets.clients.odata_batch import Operation

API = "/api/data/v9.2"
DUPLICATE = "0x80040237"
_MISSING = frozenset({"0x80040217", "0x80060891"})
_BATCH_LIMIT = 1000
_IDS_PER_SELECT = 40
_PATIENT = RetryPolicy(attempts=6, longest_pause_s=300.0)
"""The service-protection limits look back 300 seconds, so a wait of that length may be asked for."""
_HEADERS = {
    "Accept": "application/json",
    "OData-MaxVersion": "4.0",
    "OData-Version": "4.0",
    "If-None-Match": "null",
}


@dataclass(frozen=True)
class TableName:
    """The three names of a CRM table: entity set (``ava_aftales``), logical name and primary key column."""

    set: str
    logical: str
    primary_id: str


@dataclass(frozen=True)
class RowOutcome:
    """What became of one row. `permanent` says that sending the same again is useless until something changes.

    `code` and `text` are the CRM's error, `request_id` its REQ_ID, by which its log is searched.
    """

    row_id: str
    ok: bool
    code: str | None = None
    text: str | None = None
    permanent: bool = False
    request_id: str | None = None


class DynamicsClient:
    """One CRM organisation. Safe for use by several threads."""

    def __init__(
        self,
        org_url: str,
        token_provider: TokenProvider,
        *,
        batch_size: int = 500,
        timeout_s: float = 240.0,
        tls: ssl.SSLContext | bool = True,
        policy: RetryPolicy | None = None,
    ) -> None:
        if not 1 <= batch_size <= _BATCH_LIMIT:
            raise ValueError(f"A batch holds 1 to {_BATCH_LIMIT} rows, not {batch_size}.")
        self._root = org_url.rstrip("/") + API
        self._tokens = token_provider
        self._batch_size = batch_size
        self._http = HttpClient(
            self._root, read_timeout_s=timeout_s, headers=_HEADERS, tls=tls, policy=policy or _PATIENT
        )

    def upsert(
        self, table: TableName, rows: Sequence[Mapping[str, Any]], *, known: Collection[str] = ()
    ) -> list[RowOutcome]:
        """Create or update rows by their primary key and return one outcome per row, in order.

        A row maps CRM columns to values; a lookup is given by its navigation property as (entity set, id) or None.
        None clears a column only in rows whose id is in `known`: a row that the CRM has not yet has nothing to clear.
        After a failure that may pass, the remaining batches are not tried and come back as ``not_sent``.

        Raises ValueError when two rows have the same id (the CRM does not define what would happen).
        """
        ids = [str(row[table.primary_id]) for row in rows]
        if len(set(ids)) != len(ids):
            raise ValueError(f"Two rows for {table.set} have the same {table.primary_id}.")
        known_ids = frozenset(known)
        payloads = [_payload(table, row, clear=row_id in known_ids) for row_id, row in zip(ids, rows, strict=True)]
        outcomes: list[RowOutcome] = []
        for start in range(0, len(ids), self._batch_size):
            end = start + self._batch_size
            try:
                outcomes += self._upsert_batch(table, ids[start:end], payloads[start:end])
            except CallError as error:
                outcomes += [_failed(row_id, error) for row_id in ids[start:end]]
                outcomes += [
                    RowOutcome(row_id, False, "not_sent", "Not tried after an earlier batch failed.")
                    for row_id in ids[end:]
                ]
                break
        return outcomes

    def link(
        self, set_name: str, navigation: str, target_set: str, pairs: Sequence[tuple[str, str]]
    ) -> list[RowOutcome]:
        """Join rows of a many-to-many relation: (row id, target id) each. A link that exists already is a success."""
        return self._change_links(
            [
                Operation(
                    "POST",
                    f"{self._root}/{set_name}({row_id})/{navigation}/$ref",
                    {"@odata.id": f"{self._root}/{target_set}({target_id})"},
                )
                for row_id, target_id in pairs
            ],
            pairs,
            done_already=frozenset({DUPLICATE}),
        )

    def unlink(
        self, set_name: str, navigation: str, target_set: str, pairs: Sequence[tuple[str, str]]
    ) -> list[RowOutcome]:
        """Part rows of a many-to-many relation: (row id, target id) each. A link that is gone already is a success."""
        return self._change_links(
            [
                Operation(
                    "DELETE",
                    f"{self._root}/{set_name}({row_id})/{navigation}/$ref?$id={self._root}/{target_set}({target_id})",
                )
                for row_id, target_id in pairs
            ],
            pairs,
            done_already=_MISSING,
        )

    def select(self, table: TableName, columns: Sequence[str], ids: Iterable[str]) -> dict[str, dict[str, Any]]:
        """The named columns of the rows that exist, by id."""
        wanted = sorted(set(ids))
        found: dict[str, dict[str, Any]] = {}
        for start in range(0, len(wanted), _IDS_PER_SELECT):
            chunk = wanted[start : start + _IDS_PER_SELECT]
            condition = " or ".join(f"{table.primary_id} eq {row_id}" for row_id in chunk)
            for row in self.query(table.set, [table.primary_id, *columns], condition):
                found[str(row[table.primary_id])] = row
        return found

    def query(
        self, set_name: str, select: Sequence[str], filter: str | None = None, page_size: int = 5000
    ) -> Iterator[dict[str, Any]]:
        """All rows of an entity set that meet the OData filter, read page by page."""
        params = {"$select": ",".join(dict.fromkeys(select))} | ({} if filter is None else {"$filter": filter})
        url: str | None = f"{self._root}/{set_name}"
        while url is not None:
            response = self._send("GET", url, params=params, headers={"Prefer": f"odata.maxpagesize={page_size}"})
            page = json_answer(response, f"GET {set_name}")
            yield from page["value"]
            url, params = page.get("@odata.nextLink"), None
            if url is not None and urlsplit(url)[:2] != urlsplit(self._root)[:2]:
                raise PermanentError(f"The next page of {set_name} is on another host; the token stays here.")

    def read(self, path: str, params: Mapping[str, str] | None = None) -> Any:
        """The JSON answer to a GET of `path`, below the root of the API."""
        return json_answer(self._send("GET", f"{self._root}/{path}", params=params), f"GET {path}")

    def who_am_i(self) -> dict[str, Any]:
        """The application user's ids: the cheapest proof that address, token and rights are in order."""
        return json_answer(self._send("GET", f"{self._root}/WhoAmI"), "GET WhoAmI")

    def close(self) -> None:
        """Close the pooled connections."""
        self._http.close()

    def _send(
        self,
        method: str,
        url: str,
        *,
        params: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
        content: bytes | None = None,
        accept: Collection[int] = (),
    ) -> httpx.Response:
        """A request with a token; a refused token is renewed once. All our writes are idempotent by design."""
        for renew in (False, True):
            bearer = {"Authorization": f"Bearer {self._tokens.token(renew=renew)}"}
            try:
                return self._http.request(
                    method,
                    url,
                    params=params,
                    headers={**(headers or {}), **bearer},
                    content=content,
                    idempotent=True,
                    accept=accept,
                )
            except PermanentError as error:
                if error.status != 401 or renew:
                    raise
        raise AssertionError("the second try returns or raises")

    def _upsert_batch(
        self, table: TableName, ids: Sequence[str], payloads: Sequence[dict[str, Any]]
    ) -> list[RowOutcome]:
        """UpsertMultiple is all or nothing and names no row, so a refused batch is sent again row by row.

        Raises CallError when no row can have gone through.
        """
        targets = [
            {"@odata.type": f"Microsoft.Dynamics.CRM.{table.logical}", table.primary_id: row_id} | payload
            for row_id, payload in zip(ids, payloads, strict=True)
        ]
        url = f"{self._root}/{table.set}/Microsoft.Dynamics.CRM.UpsertMultiple"
        for attempt in (1, 2):
            try:
                response = self._send(
                    "POST",
                    url,
                    content=json_body({"Targets": targets}),
                    headers={"Content-Type": "application/json; charset=utf-8"},
                )
            except CallError as error:
                if error.code == DUPLICATE and attempt == 1:
                    continue  # two upserts of one key at the same moment: now it is an update
                if not _blames_a_row(error):
                    raise
                if error.status == 413 and len(ids) > 1:
                    middle = len(ids) // 2
                    return self._upsert_batch(table, ids[:middle], payloads[:middle]) + self._upsert_batch(
                        table, ids[middle:], payloads[middle:]
                    )
                break
            request_id = response.headers.get("REQ_ID") or response.headers.get("x-ms-service-request-id")
            return [RowOutcome(row_id, True, request_id=request_id) for row_id in ids]
        return self._upsert_singly(table, ids, payloads)

    def _upsert_singly(
        self, table: TableName, ids: Sequence[str], payloads: Sequence[dict[str, Any]]
    ) -> list[RowOutcome]:
        operations = [
            Operation("PATCH", f"{self._root}/{table.set}({row_id})", payload)
            for row_id, payload in zip(ids, payloads, strict=True)
        ]
        outcomes = self._run_batch(operations, ids)
        again = [index for index, outcome in enumerate(outcomes) if outcome.code == DUPLICATE]
        if again:
            second = self._run_batch([operations[index] for index in again], [ids[index] for index in again])
            for index, outcome in zip(again, second, strict=True):
                outcomes[index] = outcome
        return outcomes

    def _change_links(
        self, operations: Sequence[Operation], pairs: Sequence[tuple[str, str]], *, done_already: Collection[str]
    ) -> list[RowOutcome]:
        outcomes: list[RowOutcome] = []
        for start in range(0, len(pairs), self._batch_size):
            end = start + self._batch_size
            ids = [row_id for row_id, _ in pairs[start:end]]
            try:
                outcomes += self._run_batch(operations[start:end], ids)
            except CallError as error:
                outcomes += [_failed(row_id, error) for row_id in ids]
        return [
            RowOutcome(outcome.row_id, True, request_id=outcome.request_id) if outcome.code in done_already else outcome
            for outcome in outcomes
        ]

    def _run_batch(self, operations: Sequence[Operation], ids: Sequence[str]) -> list[RowOutcome]:
        """One $batch with a change set per operation. Raises CallError when the batch as a whole got no answer."""
        content_type, body = odata_batch.write(operations)
        response = self._send(
            "POST",
            f"{self._root}/$batch",
            content=body,
            headers={"Content-Type": content_type, "Prefer": "odata.continue-on-error"},
            accept=(400, 403, 404, 412),
        )
        answer_type = response.headers.get("Content-Type", "")
        if not answer_type.startswith("multipart/"):
            if response.status_code >= 400:
                raise error_of(response, "POST $batch")
            raise TransientError("The CRM answered a batch with no multipart.", status=response.status_code)
        answers = odata_batch.read(answer_type, response.content, len(operations))
        return [_outcome(row_id, answer) for row_id, answer in zip(ids, answers, strict=True)]


def _payload(table: TableName, row: Mapping[str, Any], *, clear: bool) -> dict[str, Any]:
    """The row as the Web API reads it, without its primary key (which stands in the address or is added)."""
    payload: dict[str, Any] = {}
    for column, value in row.items():
        if column == table.primary_id:
            continue
        if value is None:
            if clear:
                payload[column] = None
        elif isinstance(value, tuple):
            target_set, target_id = value
            payload[f"{column}@odata.bind"] = f"/{target_set}({target_id})"
        elif isinstance(value, datetime):
            moment = value if value.tzinfo else value.replace(tzinfo=UTC)
            payload[column] = moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        elif isinstance(value, date):
            payload[column] = value.isoformat()
        else:
            payload[column] = value
    return payload


def _blames_a_row(error: CallError) -> bool:
    """Whether a refused UpsertMultiple may be the fault of single rows: any 4xx but tokens and limits.

    A 500 with a Dataverse code counts too: duplicate rules and failing plug-ins answer so.
    """
    if error.status == 500:
        return error.code is not None
    return error.status is not None and 400 <= error.status < 500 and error.status not in (401, 408, 429)


def _failed(row_id: str, error: CallError) -> RowOutcome:
    permanent = isinstance(error, PermanentError)
    code = error.code or (str(error.status) if error.status else "no_answer")
    return RowOutcome(row_id, False, code, error.text or str(error), permanent, error.request_id)


def _outcome(row_id: str, answer: odata_batch.Answer | None) -> RowOutcome:
    """The outcome of one change set. A lookup's missing target, and a clash of two upserts, heal by themselves."""
    if answer is None:
        return RowOutcome(row_id, False, "no_answer", "The CRM stopped before this row.")
    if answer.status < 400:
        return RowOutcome(row_id, True, request_id=answer.request_id)
    passes = answer.status in (401, 408, 429) or answer.status >= 500 or answer.code in {DUPLICATE, *_MISSING}
    return RowOutcome(
        row_id, False, answer.code or str(answer.status), mask(answer.text), not passes, answer.request_id
    )
