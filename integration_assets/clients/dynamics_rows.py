"""Rows of Dynamics CRM 365 as the Web API of Dataverse takes them, and what its answers mean for a row.

Belongs here: names of tables, JSON of rows, key literals, and which error is a row's own. Nothing here sends anything.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any, Final
from urllib.parse import quote

from integration_assets.clients.http import CallError, PermanentError, mask
from integration_assets.clients.odata_batch import Answer

DUPLICATE: Final = "0x80040237"
"""A row with this primary id is there already; two upserts of one key at the same moment are answered so too."""

TAKEN_KEY: Final = "0x80060892"
"""Another row has the value of an alternate key that this one brings."""

STALE: Final = "0x80060882"
"""The row is no longer the version that If-Match named."""

MISSING: Final = frozenset({"0x80040217", "0x80060891"})
"""There is no such row: the one that was to be changed, or one that it points at."""

OVERLOADED: Final = frozenset({"0x80044150", "0x80044151"})
"""The CRM's database failed, or did not answer in time: no fault of a row, and smaller batches may get through."""

_NO_SUCH_MESSAGE: Final = "0x80060888"
_UNSAFE_IN_KEY: Final = re.compile(r"[/<>*%&:\\?+]")


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


@dataclass(frozen=True)
class Sendable:
    """One row ready to be sent: its id and its JSON without the primary key. `etag` is the version it must still be."""

    row_id: str
    payload: dict[str, Any]
    etag: str | None = None


def payload_of(table: TableName, row: Mapping[str, Any], *, clear: bool) -> dict[str, Any]:
    """The row as the Web API reads it, without its primary key (which stands in the address or is added).

    A lookup is bound by its navigation property, and cleared by null under the same name: null under ``@odata.bind``
    is refused by some versions and ignored by others. Without `clear` None is left out.
    """
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


def key_segment(key: str | Mapping[str, str | int]) -> str:
    """What stands in the brackets of a row's address: a primary id, or the columns of an alternate key with values.

    Raises ValueError for a text that Dataverse cannot find by (it holds one of ``/ < > * % & : \\ ? +``).
    """
    if isinstance(key, str):
        return key
    parts: list[str] = []
    for column, value in key.items():
        if isinstance(value, str) and _UNSAFE_IN_KEY.search(value):
            raise ValueError(f"A value of the alternate key column {column} has a character that no key may have.")
        parts.append(f"{column}={value}" if isinstance(value, int) else f"{column}='{_quoted(value)}'")
    return ",".join(parts)


def _quoted(value: str) -> str:
    return quote(value.replace("'", "''"), safe="")


def lacks_message(error: CallError) -> bool:
    """Whether a refused bulk request says that the table does not have the message at all."""
    return error.status in (400, 404, 405) and (
        error.code == _NO_SUCH_MESSAGE or "not supported" in (error.text or "").lower()
    )


def blames_a_row(error: CallError) -> bool:
    """Whether a refused bulk request may be the fault of single rows: any 4xx but tokens, rights and limits.

    A 500 with a Dataverse code counts too: duplicate rules and failing plug-ins answer so. An overloaded database does
    not.
    """
    if error.code in OVERLOADED:
        return False
    if error.status == 500:
        return error.code is not None
    return error.status is not None and 400 <= error.status < 500 and error.status not in (401, 408, 413, 429)


def failed(row_id: str, error: CallError) -> RowOutcome:
    """The outcome of a row whose request failed as a whole."""
    permanent = isinstance(error, PermanentError) and error.code not in {DUPLICATE, STALE, *MISSING}
    code = error.code or (str(error.status) if error.status else "no_answer")
    return RowOutcome(row_id, False, code, error.text or str(error), permanent, error.request_id)


def outcome_of(row_id: str, answer: Answer | None) -> RowOutcome:
    """The outcome of one change set. A lookup's missing target, and a clash of two writers, heal by themselves."""
    if answer is None:
        return RowOutcome(row_id, False, "no_answer", "The CRM stopped before this row.")
    if answer.status < 400:
        return RowOutcome(row_id, True, request_id=answer.request_id)
    passes = answer.status in (401, 408, 429) or answer.status >= 500 or answer.code in {DUPLICATE, STALE, *MISSING}
    return RowOutcome(
        row_id, False, answer.code or str(answer.status), mask(answer.text), not passes, answer.request_id
    )
