"""The multipart format of OData batches (``$batch``) as Dataverse speaks it.

Belongs here: writing a batch in which every operation is its own change set, and reading the answer. Which operations
are sent, and what their errors mean, is `clients.dynamics`.

Promises: answers are given in the order of the operations, whether a failed change set is answered inside its own
boundary or un-nested. Does not promise an answer to every operation: a server may stop early, then the rest is None.
"""

import json
import uuid
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from email import message_from_bytes
from email.message import Message
from typing import Any

from integration_assets.clients.http import json_body


@dataclass(frozen=True)
class Operation:
    """One write: `url` is a whole address, `body` becomes JSON."""

    method: str
    url: str
    body: dict[str, Any] | None = None
    headers: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Answer:
    """The answer to one operation; `code` and `text` are the system's error code and message, `""` without."""

    status: int
    code: str
    text: str
    request_id: str | None


def write(operations: Sequence[Operation]) -> tuple[str, bytes]:
    """Content type and body of a batch with one change set per operation, so that each succeeds or fails alone."""
    batch = f"batch_{uuid.uuid4()}"
    lines: list[bytes] = []
    for number, operation in enumerate(operations, start=1):
        change_set = f"changeset_{uuid.uuid4()}"
        lines += [
            f"--{batch}".encode(),
            f'Content-Type: multipart/mixed; boundary="{change_set}"'.encode(),
            b"",
            f"--{change_set}".encode(),
            b"Content-Type: application/http",
            b"Content-Transfer-Encoding: binary",
            f"Content-ID: {number}".encode(),
            b"",
            f"{operation.method} {operation.url} HTTP/1.1".encode(),
            b"Accept: application/json",
            b"Content-Type: application/json; charset=utf-8",
            *(f"{name}: {value}".encode() for name, value in operation.headers.items()),
            b"",
            b"" if operation.body is None else json_body(operation.body),
            f"--{change_set}--".encode(),
        ]
    lines += [f"--{batch}--".encode(), b""]
    return f'multipart/mixed; boundary="{batch}"', b"\r\n".join(lines)


def read(content_type: str, body: bytes, expected: int) -> list[Answer | None]:
    """The answers to `expected` operations, in order; None where the server gave none."""
    message = message_from_bytes(f"Content-Type: {content_type}\r\n\r\n".encode() + body)
    answers: list[Answer | None] = [None] * expected
    parts = [part for part in _parts(message) if not part.is_multipart() or part.get_payload()]
    for index, part in enumerate(parts[:expected]):
        answers[index] = next(_answers(part), None)
    return answers


def _parts(message: Message) -> list[Message]:
    payload = message.get_payload()
    return [part for part in payload if isinstance(part, Message)] if isinstance(payload, list) else []


def _answers(part: Message) -> Iterator[Answer]:
    """The answers below one part of the batch: one level down for a change set, the part itself otherwise."""
    if part.get_content_maintype() == "multipart":
        for inner in _parts(part):
            yield from _answers(inner)
        return
    payload = part.get_payload(decode=True)
    if isinstance(payload, bytes) and (answer := _http_answer(payload)):
        yield answer


def _http_answer(payload: bytes) -> Answer | None:
    """An embedded HTTP response. None when the part is no such thing."""
    status_line, _, rest = payload.lstrip().partition(b"\n")
    words = status_line.split()
    if len(words) < 2 or not words[0].startswith(b"HTTP/") or not words[1].isdigit():
        return None
    inner = message_from_bytes(rest.lstrip(b"\r\n") if rest.startswith((b"\r\n", b"\n")) else rest)
    code, text = _error(inner.get_payload(decode=True))
    return Answer(int(words[1]), code, text, inner.get("REQ_ID") or inner.get("x-ms-service-request-id"))


def _error(body: Any) -> tuple[str, str]:
    """Code and message of an error body, in Dataverse's usual form or the older one."""
    try:
        content = json.loads(body or b"null")
    except ValueError:
        return "", body.decode("utf-8", "replace")
    if not isinstance(content, dict):
        return "", ""
    error = content.get("error")
    if isinstance(error, dict):
        return str(error.get("code") or ""), str(error.get("message") or "")
    return str(content.get("ErrorCode") or ""), str(content.get("Message") or "")
