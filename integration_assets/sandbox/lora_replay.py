"""Recorded exchanges with a registry, played again against another one and compared.

Belongs here: reading a folder of exchanges, sending them, and what counts as the same answer. An exchange is a file of
JSON, `{"request": {"method", "path", "headers", "body" or "raw_body"}, "response": {"status", "headers", "body"}}`.
Folders and their files are played in the order of their names against one registry that is empty at the start.

Equal means: the same status, the same media type, the same JSON. What a registry makes up itself is translated and not
compared: ids that it chose, times of registration, the moment of the call where a body said `now` or `today`. Texts
for people (recorded as `<text>`, and what names the place of a fault) may differ. Lists have no order, except that of
the registrations of an object, newest first.
"""

import http.client
import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit

from integration_assets.sandbox.bitemporal import UnreadableInstant, read_instant

BLANKED = "<text>"
_TIMEOUT_SECONDS = 60
_CALL_MICROSECONDS = 5_000_000
_DAY_MICROSECONDS = 86_400_000_000
_PERSONAL_NUMBER = re.compile(r"\d{6}-?\d{4}(?!\d)")


@dataclass(frozen=True)
class Exchange:
    """One recorded call: its name (`folder/file`), what was sent and what came back."""

    name: str
    method: str
    path: str
    headers: dict[str, str]
    sent: str | None
    status: int
    media_type: str
    answer: Any


@dataclass(frozen=True)
class Outcome:
    """How an exchange went: `difference` is None when the answer was equal, else where and how it differs."""

    name: str
    difference: str | None


def read_exchanges(folder: Path) -> list[Exchange]:
    """All exchanges below a folder, by folder and file name. ValueError for a file that is none."""
    return [_exchange(folder, path) for path in sorted(folder.rglob("*.json"))]


def replay(exchanges: Sequence[Exchange], url: str) -> Iterator[Outcome]:
    """Play the exchanges in their order against the registry at `url`, which must be empty. OSError: no answer."""
    names = _Names()
    for exchange in exchanges:
        status, media_type, text = _call(exchange, url, names)
        yield Outcome(exchange.name, _difference(exchange, status, media_type, text, names))


@dataclass
class _Names:
    """What the recorded server made up, and what the one asked now made up instead."""

    answered: dict[str, str] = field(default_factory=dict)

    def add(self, recorded: str, answered: str) -> None:
        """Remember a pair in every way in which a path may write it."""
        for write in (str, str.upper, _quoted, _quoted_wholly):
            self.answered.setdefault(write(recorded), write(answered))

    def translated(self, text: str) -> str:
        """A recorded path or body in the words of the server asked now."""
        for recorded, answered in self.answered.items():
            text = text.replace(recorded, answered)
        return text


def _quoted(text: str) -> str:
    return quote(text, safe=":")


def _quoted_wholly(text: str) -> str:
    return quote(text, safe="")


def _exchange(folder: Path, path: Path) -> Exchange:
    name = path.relative_to(folder).with_suffix("").as_posix()
    try:
        found = json.loads(path.read_text())
        request, response = found["request"], found["response"]
        sent = request.get("raw_body")
        if "body" in request:
            sent = json.dumps(request["body"])
        media_type = response.get("headers", {}).get("Content-Type", "")
        return Exchange(
            name,
            request["method"],
            request["path"],
            request.get("headers", {}),
            sent,
            response["status"],
            media_type.partition(";")[0],
            response.get("body", BLANKED),
        )
    except (ValueError, KeyError, TypeError, AttributeError):
        raise ValueError(f"{name} holds no exchange: it needs request (method, path) and response (status)") from None


def _call(exchange: Exchange, url: str, names: _Names) -> tuple[int, str, str]:
    """Status, media type and text of the answer. The path goes out as it was written, nothing is encoded anew."""
    place = urlsplit(url)
    secure = place.scheme == "https"
    connection = (http.client.HTTPSConnection if secure else http.client.HTTPConnection)(
        place.hostname or "", place.port, timeout=_TIMEOUT_SECONDS
    )
    try:
        body = None if exchange.sent is None else names.translated(exchange.sent).encode()
        target = place.path.rstrip("/") + names.translated(exchange.path)
        connection.request(exchange.method, target, body, exchange.headers)
        answer = connection.getresponse()
        media_type = answer.headers.get("Content-Type", "").partition(";")[0]
        return answer.status, media_type, answer.read().decode(errors="replace")
    finally:
        connection.close()


def _difference(exchange: Exchange, status: int, media_type: str, text: str, names: _Names) -> str | None:
    if status != exchange.status:
        return f"status: recorded {exchange.status}, answered {status}"
    if exchange.media_type and media_type != exchange.media_type:
        return f"media type: recorded {exchange.media_type}, answered {media_type or 'none'}"
    if exchange.answer == BLANKED:
        return None
    try:
        answered = json.loads(text)
    except ValueError:
        return "body: recorded JSON, answered something else"
    if exchange.method == "POST" and status == 201:
        names.add(exchange.answer["uuid"], answered.get("uuid", ""))
    return _Comparison(names).of(exchange.answer, answered, "$")


@dataclass
class _Comparison:
    """Comparing one answer. `registered` are the recorded and the answered time of the registration looked at."""

    names: _Names
    registered: tuple[str, str] | None = None

    def of(self, recorded: Any, answered: Any, path: str) -> str | None:
        """The first difference, as `path: recorded …, answered …`; None when there is none."""
        if isinstance(recorded, dict) and isinstance(answered, dict):
            return self._of_objects(recorded, answered, path)
        if isinstance(recorded, list) and isinstance(answered, list):
            if path.endswith(".registreringer"):
                return self._of_rows(recorded, answered, path)
            return self._of_bags(recorded, answered, path)
        if isinstance(recorded, str) and isinstance(answered, str) and self._same_text(recorded, answered, path):
            return None
        same = type(recorded) is type(answered) and recorded == answered
        return None if same else f"{path}: recorded {_shown(recorded)}, answered {_shown(answered)}"

    def _of_objects(self, recorded: dict[str, Any], answered: dict[str, Any], path: str) -> str | None:
        recorded = {self.names.answered.get(key, key): value for key, value in recorded.items()}
        for key in sorted(recorded.keys() | answered.keys()):
            if key not in answered:
                return f"{path}.{_shown(key)}: recorded, not answered"
            if key not in recorded:
                return f"{path}.{_shown(key)}: answered, not recorded"
        earlier = self.registered
        if "fratidspunkt" in recorded:
            self.registered = (_registered(recorded), _registered(answered))
        try:
            differences = (self.of(recorded[key], answered[key], f"{path}.{key}") for key in sorted(recorded))
            return next((found for found in differences if found), None)
        finally:
            self.registered = earlier

    def _of_rows(self, recorded: list[Any], answered: list[Any], path: str) -> str | None:
        if len(recorded) != len(answered):
            return f"{path}: recorded {len(recorded)} items, answered {len(answered)}"
        differences = (
            self.of(one, other, f"{path}[{index}]")
            for index, (one, other) in enumerate(zip(recorded, answered, strict=True))
        )
        return next((found for found in differences if found), None)

    def _of_bags(self, recorded: list[Any], answered: list[Any], path: str) -> str | None:
        if len(recorded) != len(answered):
            return f"{path}: recorded {len(recorded)} items, answered {len(answered)}"
        left = list(answered)
        unmatched: list[tuple[int, Any]] = []
        for index, item in enumerate(recorded):
            twin = next((place for place, other in enumerate(left) if self.of(item, other, path) is None), None)
            if twin is None:
                unmatched.append((index, item))
            else:
                del left[twin]
        if not unmatched:
            return None
        # Of the items left the one that differs deepest inside is most likely the one meant.
        index, item = unmatched[0]
        differences = (self.of(item, other, f"{path}[{index}]") or "" for other in left)
        return max(differences, key=lambda difference: difference.partition(":")[0].count("."))

    def _same_text(self, recorded: str, answered: str, path: str) -> bool:
        if recorded in (BLANKED, answered) or path == "$.context":
            return True
        if path.endswith(".tidsstempeldatotid"):
            if "infinity" in (recorded, answered):
                return False
            self.names.add(recorded, answered)
            return True
        if path.endswith((".virkning.from", ".virkning.to")) and self.registered:
            said = _said(recorded, self.registered[0])
            if said and said == _said(answered, self.registered[1]):
                self.names.add(recorded, answered)
        return self.names.translated(recorded) == answered


def _registered(registration: dict[str, Any]) -> str:
    return str(registration.get("fratidspunkt", {}).get("tidsstempeldatotid", ""))


def _said(text: str, registered: str) -> str:
    """The word of a body that became this moment at that registration: now, today, or none (an empty text)."""
    try:
        moment, call = read_instant(text), read_instant(registered)
    except UnreadableInstant:
        return ""
    if abs(call - moment) < _CALL_MICROSECONDS:
        return "now"
    return "today" if moment == call - call % _DAY_MICROSECONDS else ""


def _shown(value: Any) -> str:
    """A value for people, short, without anything that could be a personal number."""
    text = json.dumps(value, ensure_ascii=False, sort_keys=True)
    text = _PERSONAL_NUMBER.sub("**********", text)
    return text if len(text) <= 120 else f"{text[:117]}..."
