"""$batch of the CRM sandbox: multipart bodies in, multipart bodies out, change sets that hold together.

Belongs here: taking a multipart body apart (tolerant of bare line feeds and of blanks in a request line, as real
clients send them), running its parts, and writing the answers.
"""

import re
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from email.message import Message
from http import HTTPStatus

from integration_assets.sandbox.dataverse import errors
from integration_assets.sandbox.dataverse.paths import below_root, content_reference
from integration_assets.sandbox.dataverse.rows import Rows
from integration_assets.sandbox.dataverse.service import answer, perform
from integration_assets.sandbox.dataverse.wire import Answer, Exchange, error_answer

_LIMIT = 1000
_CONTENT_REFERENCE = re.compile(r"\$\d")
_METHODS = {"GET", "POST", "PATCH", "PUT", "DELETE"}


@dataclass(frozen=True)
class _Request:
    """One request of a batch."""

    method: str
    url: str
    headers: Mapping[str, str]
    body: bytes
    content_id: str | None


@dataclass(frozen=True)
class _ChangeSet:
    """Requests that succeed or fail together."""

    requests: list[_Request]


@dataclass
class _Work:
    """The rows written so far, what was undone included: the server had the work."""

    bulk_rows: int = 0
    single_rows: int = 0

    def add(self, answer: Answer) -> None:
        self.bulk_rows += answer.bulk_rows
        self.single_rows += answer.single_rows


@dataclass(frozen=True)
class BatchOutcome:
    """The answer to a batch and whether one of its requests was a write."""

    answer: Answer
    writes: bool


def run_batch(rows: Rows, exchange: Exchange, *, nested_errors: bool = True) -> BatchOutcome:
    """Run a batch in order.

    Without `Prefer: odata.continue-on-error` the first failure ends it, and its status is that of the whole answer. A
    failed change set gives one error: inside a changesetresponse (`nested_errors`) or directly in the batch.
    DataverseError 400 when the body cannot be read.
    """
    items = _read_batch(exchange)
    go_on = "odata.continue-on-error" in exchange.preferences
    boundary = f"batchresponse_{uuid.uuid4()}"
    parts: list[bytes] = []
    status = 200
    work = _Work()
    for item in items:
        failed: int | None = None
        if isinstance(item, _ChangeSet):
            part, failed = _run_change_set(rows, exchange, item, nested_errors, work)
            parts.append(part)
        else:
            found = _run_single(rows, exchange, item)
            work.add(found)
            parts.append(_http_part(found, item))
            failed = found.status if found.status >= 400 else None
        if failed is not None and not go_on:
            status = failed
            break
    body = b"".join(b"--%s\r\n%s\r\n" % (boundary.encode(), part) for part in parts) + f"--{boundary}--\r\n".encode()
    requests = [r for item in items for r in (item.requests if isinstance(item, _ChangeSet) else [item])]
    headers = {"OData-Version": "4.0", "Content-Type": f"multipart/mixed; boundary={boundary}"}
    whole = Answer(status, headers, body, bulk_rows=work.bulk_rows, single_rows=work.single_rows)
    return BatchOutcome(whole, any(request.method != "GET" for request in requests))


def _run_single(rows: Rows, exchange: Exchange, request: _Request) -> Answer:
    try:
        inner = _inner(exchange, request, {})
    except errors.DataverseError as error:
        return error_answer(error)
    return answer(rows, inner)


def _run_change_set(
    rows: Rows, exchange: Exchange, change_set: _ChangeSet, nested_errors: bool, work: _Work
) -> tuple[bytes, int | None]:
    """The answer to a change set as a part of the batch, and the status when it failed."""
    boundary = f"changesetresponse_{uuid.uuid4()}"
    created: dict[str, tuple[str, str]] = {}
    parts: list[bytes] = []
    failed: int | None = None
    current = change_set.requests[0] if change_set.requests else None
    try:
        with rows.transaction():
            for current in change_set.requests:
                if current.method == "GET":
                    raise errors.bad_batch("A change set must not contain a GET request.")
                found = perform(rows, _inner(exchange, current, created))
                work.add(found)
                if current.content_id is not None and found.entity is not None:
                    created[current.content_id] = found.entity
                parts.append(_http_part(found, current))
    except errors.DataverseError as error:
        failed = error.status
        parts = [_http_part(error_answer(error), current)]
        if not nested_errors:
            return parts[0], failed
    head = f"Content-Type: multipart/mixed; boundary={boundary}\r\n\r\n".encode()
    inner = b"".join(b"--%s\r\n%s\r\n" % (boundary.encode(), part) for part in parts)
    return head + inner + f"--{boundary}--\r\n".encode(), failed


def _inner(exchange: Exchange, request: _Request, created: Mapping[str, tuple[str, str]]) -> Exchange:
    url = request.url
    if _CONTENT_REFERENCE.match(url):
        content, slash, rest = url.partition("/")
        set_name, row_id = content_reference(content, created)
        url = f"{set_name}({row_id}){slash}{rest}"
    path, query = below_root(url)
    if path == "$batch":
        raise errors.bad_batch("A batch must not contain a batch.")
    return Exchange(
        request.method, path, query, request.headers, request.body, exchange.api_root, exchange.caller, created
    )


def _http_part(found: Answer, request: _Request | None) -> bytes:
    head = ["Content-Type: application/http", "Content-Transfer-Encoding: binary"]
    if request is not None and request.content_id is not None:
        head.append(f"Content-ID: {request.content_id}")
    headers = dict(found.headers)
    if request is not None and request.method == "GET" and "Content-Type" in headers:
        headers["Content-Type"] += "; odata.streaming=true"
    if "OData-EntityId" in headers:
        headers = {"Location": headers["OData-EntityId"]} | headers
    line = f"HTTP/1.1 {found.status} {HTTPStatus(found.status).phrase}"
    lines = [*head, "", line, *(f"{name}: {value}" for name, value in headers.items()), "", ""]
    return "\r\n".join(lines).encode() + found.body


def _read_batch(exchange: Exchange) -> list[_Request | _ChangeSet]:
    items: list[_Request | _ChangeSet] = []
    total = 0
    for headers, content in _parts(exchange.body, exchange.headers.get("content-type", "")):
        if headers.get("content-type", "").lower().startswith("multipart/"):
            requests = [_request(h, c) for h, c in _parts(content, headers["content-type"])]
            items.append(_ChangeSet(requests))
            total += len(requests)
        else:
            items.append(_request(headers, content))
            total += 1
    if total > _LIMIT:
        raise errors.bad_batch(f"The batch contains {total} requests; the limit is {_LIMIT}.")
    return items


def _parts(body: bytes, content_type: str) -> list[tuple[dict[str, str], bytes]]:
    """Headers (lower case) and content of the parts of a multipart body; delimiters stand alone on their lines."""
    boundary = _boundary(content_type)
    delimiter, end = f"--{boundary}".encode(), f"--{boundary}--".encode()
    parts: list[list[bytes]] = []
    closed = False
    for line in body.splitlines(keepends=True):
        bare = line.strip()
        if bare == end:
            closed = True
            break
        if bare == delimiter:
            parts.append([])
        elif parts:
            parts[-1].append(line)
    if not closed:
        raise errors.bad_batch("The batch does not end with its boundary.")
    return [_headers_and_content(b"".join(lines)) for lines in parts]


def _boundary(content_type: str) -> str:
    message = Message()
    message["Content-Type"] = content_type
    boundary = message.get_param("boundary")
    if not content_type.lower().startswith("multipart/mixed") or not isinstance(boundary, str) or not boundary:
        raise errors.bad_batch("The batch has no content type multipart/mixed with a boundary.")
    return boundary


def _headers_and_content(text: bytes) -> tuple[dict[str, str], bytes]:
    headers: dict[str, str] = {}
    rest = text
    while rest:
        line, _, rest = rest.partition(b"\n")
        if not line.strip():
            break
        name, colon, value = line.decode("utf-8", "replace").partition(":")
        if not colon:
            raise errors.bad_batch("A part of the batch has a header without a colon.")
        headers[name.strip().lower()] = value.strip()
    return headers, rest


def _request(part_headers: Mapping[str, str], content: bytes) -> _Request:
    if not part_headers.get("content-type", "").lower().startswith("application/http"):
        raise errors.bad_batch("A part of the batch is not application/http.")
    line, _, rest = content.lstrip(b"\r\n").partition(b"\n")
    # Clients put blanks into the URL: the method ends at the first blank, the version begins at the last.
    method, _, target = line.decode().strip().partition(" ")
    url, _, version = target.rpartition(" ")
    if method not in _METHODS or not version.startswith("HTTP/") or not url:
        raise errors.bad_batch("A part of the batch has no request line.")
    headers, body = _headers_and_content(rest)
    content_id = part_headers.get("content-id") or headers.get("content-id")
    return _Request(method, url.strip(), headers, body.strip(), content_id)
