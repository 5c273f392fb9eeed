"""Writing many rows to Dynamics CRM 365 at once, and telling the bad ones from the good where a request is refused.

Belongs here: which request carries which rows, and what becomes of each row. What the requests hold is
`dynamics_rows` and `odata_batch`; when they are sent is `dynamics_session`.
"""

from collections.abc import Callable, Sequence
from typing import Literal

from integration_assets.clients import odata_batch
from integration_assets.clients.dynamics_pace import BatchSizes
from integration_assets.clients.dynamics_rows import (
    DUPLICATE,
    OVERLOADED,
    RowOutcome,
    Sendable,
    TableName,
    blames_a_row,
    failed,
    lacks_message,
    outcome_of,
)
from integration_assets.clients.dynamics_session import Session, request_id
from integration_assets.clients.http import NOT_SENT, CallError, TransientError, error_of, json_body
from integration_assets.clients.odata_batch import Operation

Message = Literal["CreateMultiple", "UpdateMultiple", "UpsertMultiple"]

JSON = {"Content-Type": "application/json; charset=utf-8"}

_NO_ANSWER = (None, 408, 502, 503, 504)
"""Statuses, and none at all, of requests that may have taken too long."""
_FEW_ROWS = 50
"""So many rows are told apart one by one: a further halving would cost more in requests than it saves."""


class BulkWriter:
    """Writes rows of one organisation, in batches of the sizes that suit it. Safe for use by several threads."""

    def __init__(self, session: Session, sizes: BatchSizes) -> None:
        self.sizes = sizes
        self._session = session
        self._lacking: set[tuple[str, Message]] = set()

    def write(self, message: Message, table: TableName, rows: Sequence[Sendable]) -> list[RowOutcome]:
        """Sends rows by bulk messages, batch after batch; one outcome per row, in order.

        After a batch that failed as a whole, for a reason that may pass, the others come back as ``not_sent``.
        """
        return self._in_batches(table, rows, lambda some: self._bulk(message, table, some))

    def one_by_one(self, message: Message, table: TableName, rows: Sequence[Sendable]) -> list[RowOutcome]:
        """As `write`, with a change set for each row, which may ask for a version of it (etag)."""
        return self._in_batches(table, rows, lambda some: self._one_by_one(message, table, some))

    def _in_batches(
        self,
        table: TableName,
        rows: Sequence[Sendable],
        send: Callable[[Sequence[Sendable]], list[RowOutcome]],
    ) -> list[RowOutcome]:
        """Sends rows batch after batch until a batch fails as a whole."""
        outcomes: list[RowOutcome] = []
        while len(outcomes) < len(rows):
            start = len(outcomes)
            batch = rows[start : start + self.sizes.of(table.set)]
            try:
                outcomes += send(batch)
            except CallError as error:
                outcomes += [failed(row.row_id, error) for row in batch]
                outcomes += [
                    RowOutcome(row.row_id, False, NOT_SENT, "Not tried after an earlier batch failed.")
                    for row in rows[len(outcomes) :]
                ]
        return outcomes

    def _bulk(self, message: Message, table: TableName, rows: Sequence[Sendable]) -> list[RowOutcome]:
        """A bulk message, all or nothing; the rows of a refused one are told apart.

        Raises CallError when no row can have gone through.
        """
        if (table.set, message) in self._lacking:
            return self._one_by_one(message, table, rows)
        for attempt in (1, 2):
            try:
                answered = self._send_bulk(message, table, rows)
            except CallError as error:
                if error.status == 413 and len(rows) > 1:
                    return self._halved(table, rows, lambda some: self._bulk(message, table, some))
                if lacks_message(error):
                    self._lacking.add((table.set, message))
                elif error.code == DUPLICATE and message == "UpsertMultiple" and attempt == 1:
                    continue  # two upserts of one key at the same moment: now it is an update
                elif not blames_a_row(error) and error.status != 413:
                    if error.status in _NO_ANSWER or error.code in OVERLOADED:
                        self.sizes.failed(table.set, len(rows), too_large=False)
                    raise
                elif len(rows) == 1:
                    return [failed(rows[0].row_id, error)]
                break
            return [RowOutcome(row.row_id, True, request_id=answered) for row in rows]
        return self._told_apart(message, table, rows)

    def _told_apart(self, message: Message, table: TableName, rows: Sequence[Sendable]) -> list[RowOutcome]:
        """The rows of a refused bulk message, which names none of them: the good ones sent, the bad ones found.

        A row in a change set of its own costs the CRM several times what it costs in a bulk message, so a half that
        may be good is tried whole. Where few rows are left, or both halves are bad, one batch with a change set for
        each tells all apart. So a bad row costs at most 2 requests for each halving and one more: 11 of 1000 rows.
        """
        if len(rows) <= _FEW_ROWS or (table.set, message) in self._lacking:
            return self._one_by_one(message, table, rows)
        middle = len(rows) // 2
        halves = (rows[:middle], rows[middle:])
        tried = [self._tried(message, table, half) for half in halves]
        apart = self._one_by_one if tried == [None, None] else self._told_apart
        return [
            outcome
            for half, outcomes in zip(halves, tried, strict=True)
            for outcome in (apart(message, table, half) if outcomes is None else outcomes)
        ]

    def _tried(self, message: Message, table: TableName, rows: Sequence[Sendable]) -> list[RowOutcome] | None:
        """The outcomes of a bulk message, or None where it was refused for some of its rows."""
        try:
            answered = self._send_bulk(message, table, rows)
        except CallError as error:
            return None if blames_a_row(error) else [failed(row.row_id, error) for row in rows]
        return [RowOutcome(row.row_id, True, request_id=answered) for row in rows]

    def _send_bulk(self, message: Message, table: TableName, rows: Sequence[Sendable]) -> str | None:
        """Sends a bulk message; the id of the request."""
        of_type = {"@odata.type": f"Microsoft.Dynamics.CRM.{table.logical}"}
        targets = [of_type | {table.primary_id: row.row_id} | row.payload for row in rows]
        body = json_body({"Targets": targets})
        url = f"{self._session.root}/{table.set}/Microsoft.Dynamics.CRM.{message}"
        kind = message.removesuffix("Multiple").lower()
        response = self._session.send("POST", url, content=body, headers=JSON, kind=kind)
        self.sizes.took(table.set, len(rows), response.elapsed.total_seconds())
        return request_id(response)

    def _halved(
        self,
        table: TableName,
        rows: Sequence[Sendable],
        send: Callable[[Sequence[Sendable]], list[RowOutcome]],
    ) -> list[RowOutcome]:
        """Sends rows in two halves, because together they were too large."""
        self.sizes.failed(table.set, len(rows), too_large=True)
        middle = len(rows) // 2
        return send(rows[:middle]) + send(rows[middle:])

    def _one_by_one(self, message: Message, table: TableName, rows: Sequence[Sendable]) -> list[RowOutcome]:
        """Rows in one batch with a change set for each. Raises CallError when the batch as a whole got no answer."""
        operations = [self._operation(message, table, row) for row in rows]
        ids = [row.row_id for row in rows]
        try:
            outcomes = self.run_batch(operations, ids)
        except CallError as error:
            if error.status != 413 or len(rows) == 1:
                raise
            return self._halved(table, rows, lambda some: self._one_by_one(message, table, some))
        again = [index for index, outcome in enumerate(outcomes) if outcome.code == DUPLICATE]
        if again and message == "UpsertMultiple":
            second = self.run_batch([operations[index] for index in again], [ids[index] for index in again])
            for index, outcome in zip(again, second, strict=True):
                outcomes[index] = outcome
        return outcomes

    def _operation(self, message: Message, table: TableName, row: Sendable) -> Operation:
        """What does to one row what the bulk message does to many; an update must not create."""
        if message == "CreateMultiple":
            return Operation("POST", f"{self._session.root}/{table.set}", {table.primary_id: row.row_id} | row.payload)
        condition = {"If-Match": row.etag or "*"} if message == "UpdateMultiple" else {}
        return Operation("PATCH", f"{self._session.root}/{table.set}({row.row_id})", row.payload, condition)

    def run_batch(
        self, operations: Sequence[Operation], ids: Sequence[str], *, sized_by: str | None = None
    ) -> list[RowOutcome]:
        """One $batch with a change set per operation. Raises CallError when the batch as a whole got no answer.

        `sized_by` names what batches of this kind are sized by, as a table's are.
        """
        content_type, body = odata_batch.write(operations)
        response = self._session.send(
            "POST",
            f"{self._session.root}/$batch",
            content=body,
            headers={"Content-Type": content_type, "Prefer": "odata.continue-on-error"},
            accept=(400, 403, 404, 412),
            kind="batch",
        )
        answer_type = response.headers.get("Content-Type", "")
        if not answer_type.startswith("multipart/"):
            if response.status_code >= 400:
                raise error_of(response, "POST $batch")
            raise TransientError("The CRM answered a batch with no multipart.", status=response.status_code)
        if sized_by is not None:
            self.sizes.took(sized_by, len(operations), response.elapsed.total_seconds())
        answers = odata_batch.read(answer_type, response.content, len(operations))
        return [outcome_of(row_id, answer) for row_id, answer in zip(ids, answers, strict=True)]
