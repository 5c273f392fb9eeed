"""DAWA, the web service of Danish addresses, as it was until its closing and as some hosts still offer it.

Belongs here: its paths, answers, errors and limits. What a search means is in `dawa_parameters`, how an address looks
in `dawa_shapes`, how texts are washed in `dawa_datavask`. With the option `dawa_closed` every request is answered
410 Gone, as by the original service since 1 October 2026.
"""

import csv
import io
import json
import time
import uuid
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from integration_assets.sandbox import dawa_parameters
from integration_assets.sandbox.dawa_candidates import Candidates
from integration_assets.sandbox.dawa_parameters import Asked, IllFormed, house_key
from integration_assets.sandbox.dawa_register import DawaRegister, Snapshot
from integration_assets.sandbox.dawa_shapes import link, shown
from integration_assets.sandbox.store import Store
from integration_assets.sandbox.systems import SandboxOptions

Json = dict[str, Any]

REQUESTS_PER_SECOND = 30
OPEN_REQUESTS = 10
_FOUND_BY_TEXT = 1000
_GONE = (2, 4)
_TITLES = {
    "QueryParameterFormatError": "One or more query parameters was ill-formed.",
    "ResourcePathFormatError": "The URI path was ill-formed.",
    "ResourceNotFoundError": "The resource was not found",
    "TooManyRequestsError": "Too many requests: at most 30 per second, and 10 at a time.",
    "InternalServerError": "Something unexpected happened inside the server.",
    "Gone": "This service has been closed.",
}


def build(store: Store, options: SandboxOptions) -> Starlette:
    """The application, answering from `register:unit` and `register:access`."""
    service = _Service(DawaRegister(store), options.dawa_closed)
    routes = [
        Route(path, service.answering(units, answer), methods=["GET"])
        for units, kind in ((True, "adresser"), (False, "adgangsadresser"))
        for path, answer in (
            (f"/{kind}", _search),
            (f"/{kind}/{{id}}", _one),
            (f"/datavask/{kind}", _wash),
        )
    ]
    application = Starlette(routes=routes, exception_handlers={404: lambda _request, _error: _no_such_path(options)})
    application.state.fault_body = _fault_body
    return application


def settings(url: str, _options: SandboxOptions) -> dict[str, str]:
    """The product setting that leads here."""
    return {"dawa_url": url}


class _Service:
    """What all paths share: closing, the limits on requests, caching and errors."""

    def __init__(self, register: DawaRegister, closed: bool) -> None:
        self._register = register
        self._closed = closed
        self._open = 0
        self._arrivals: deque[float] = deque(maxlen=REQUESTS_PER_SECOND)

    def answering(self, units: bool, answer: Any) -> Any:
        """The handler of a path: `answer` gives the response of one snapshot to one request."""

        async def handle(request: Request) -> Response:
            request.state.kind = "lookup"
            if self._closed:
                return _error(410, "Gone", {})
            if self._too_many():
                return _error(429, "TooManyRequestsError", {})
            with self._counted():
                # Washing takes its time, beside the event loop.
                response = await run_in_threadpool(lambda: answer(self._register.current(), request, units))
            cached = request.query_params.get("cache") != "no-cache"
            if response.status_code == 200:
                response.headers["cache-control"] = "public, max-age=86400" if cached else "no-cache"
            return response

        return handle

    def _too_many(self) -> bool:
        """Whether this request is one too many; refused ones do not count."""
        now = time.monotonic()
        full = len(self._arrivals) == REQUESTS_PER_SECOND and now - self._arrivals[0] < 1
        if full or self._open >= OPEN_REQUESTS:
            return True
        self._arrivals.append(now)
        return False

    @contextmanager
    def _counted(self) -> Iterator[None]:
        self._open += 1
        try:
            yield
        finally:
            self._open -= 1


def _search(snapshot: Snapshot, request: Request, units: bool) -> Response:
    try:
        asked = dawa_parameters.read(request.query_params, units)
    except IllFormed as error:
        return _error(400, "QueryParameterFormatError", error.details)
    rows = _found(snapshot, asked, units)
    root = str(request.base_url).rstrip("/")
    objects = [shown(row, asked.structure, asked.srid, root) for row in rows[asked.first : asked.last]]
    if asked.form == "csv":
        return _csv(objects)
    if asked.form == "ndjson":
        lines = "".join(json.dumps(entry, ensure_ascii=False) + "\r\n" for entry in objects)
        return Response(lines, media_type="application/x-ndjson; charset=UTF-8")
    return _json(objects)


def _one(snapshot: Snapshot, request: Request, units: bool) -> Response:
    path = request.path_params
    try:
        wanted = str(uuid.UUID(path["id"]))
    except ValueError:
        return _error(404, "ResourcePathFormatError", [["id", f"not a uuid: {path['id']}"]])
    try:
        asked = dawa_parameters.read(request.query_params, units)
    except IllFormed as error:
        return _error(400, "QueryParameterFormatError", error.details)
    row = (snapshot.units if units else snapshot.access).get(wanted)
    if row is None or (row["status"] in _GONE and not asked.with_closed):
        return _error(404, "ResourceNotFoundError", {"id": wanted})
    request.state.objects = [wanted]
    return _json(shown(row, asked.structure, asked.srid, str(request.base_url).rstrip("/")))


def _wash(snapshot: Snapshot, request: Request, units: bool) -> Response:
    try:
        text = dawa_parameters.typed_text(request.query_params)
    except IllFormed as error:
        return _error(400, "QueryParameterFormatError", error.details)
    answer = snapshot.washer(units).wash(text)
    root = str(request.base_url).rstrip("/")
    for result in answer["resultater"]:
        # The sandbox has one version of each address, so there is always a current one.
        result["aktueladresse"]["href"] = link(result["aktueladresse"], root)
    return _json(answer)


def _found(snapshot: Snapshot, asked: Asked, units: bool) -> list[Json]:
    rows = snapshot.units if units else snapshot.access
    if asked.text is None:
        chosen = list(rows.values())
    else:
        chosen = [rows[found] for found in _by_text(snapshot.washer(units).candidates, asked)]
    fits = [
        row
        for row in chosen
        if (asked.with_closed or row["status"] not in _GONE)
        and all(row[name] in values for name, values in asked.filters.items())
        and (asked.house_from is None or house_key(row["husnr"]) >= house_key(asked.house_from))
        and (asked.house_to is None or house_key(row["husnr"]) <= house_key(asked.house_to))
    ]
    return fits if asked.text is not None or asked.last is None else sorted(fits, key=lambda row: row["id"])


def _by_text(candidates: Candidates, asked: Asked) -> list[str]:
    text = asked.text or ""
    if asked.autocomplete and text[-1:].isalnum():
        text += "*"
    found = candidates.with_words(text, _FOUND_BY_TEXT)
    return found or (candidates.of(text) if asked.fuzzy else [])


def _json(content: Any, status: int = 200) -> Response:
    body = json.dumps(content, ensure_ascii=False, indent=2)
    return Response(body, status_code=status, media_type="application/json; charset=UTF-8")


def _csv(objects: list[Json]) -> Response:
    text = io.StringIO()
    if objects:
        writer = csv.DictWriter(text, fieldnames=list(objects[0]), lineterminator="\r\n")
        writer.writeheader()
        writer.writerows(objects)
    return Response(text.getvalue(), media_type="text/csv; charset=UTF-8")


def _error_body(kind: str, details: Any) -> Json:
    return {"type": kind, "title": _TITLES[kind], "details": details}


def _error(status: int, kind: str, details: Any) -> Response:
    return _json(_error_body(kind, details), status)


def _no_such_path(options: SandboxOptions) -> Response:
    return _error(410, "Gone", {}) if options.dawa_closed else _error(404, "ResourcePathFormatError", [])


def _fault_body(status: int) -> Json:
    return _error_body("TooManyRequestsError" if status == 429 else "InternalServerError", {})
