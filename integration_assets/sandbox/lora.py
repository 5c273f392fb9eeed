"""The registry of the sandbox (LoRa 1.3.0, OIO REST): its routes and the form of its answers.

Belongs here: which method on which path does what, bodies in and out. What the calls mean is in the `lora_*` modules.
Answers are compact JSON with sorted keys, ASCII only, a newline at the end, and every connection is closed after one.
"""

import json
import re
import uuid
from collections.abc import Callable
from email import message_from_bytes
from typing import Any
from urllib.parse import parse_qsl

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from integration_assets.sandbox.lora_classes import LoraClass, classes
from integration_assets.sandbox.lora_errors import (
    Refused,
    ServerFault,
    gone,
    invalid,
    no_body,
    no_route,
    unknown_object,
)
from integration_assets.sandbox.lora_fields import json_schema, site_map, structure
from integration_assets.sandbox.lora_input import Content, read_content
from integration_assets.sandbox.lora_schema import UUID, check_body
from integration_assets.sandbox.lora_search import (
    NEWER,
    check_read_parameters,
    list_or_search,
    read_parameters,
    window,
)
from integration_assets.sandbox.lora_store import Objects
from integration_assets.sandbox.store import Store
from integration_assets.sandbox.systems import SandboxOptions

_METHODS = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"]
_JSON_TYPE = re.compile(r"application/(json|[^;]+\+json)\s*(;|$)", re.IGNORECASE)


def build(store: Store, options: SandboxOptions) -> Starlette:
    """The registry over the collections `lora:<service>/<class>` of the store.

    ValueError when the options name a parameter of newer releases that there is not.
    """
    registry = _Registry(store, options)
    return Starlette(routes=[Route("/{path:path}", registry.answer, methods=_METHODS)])


class _Html(Exception):
    """A call that ends with a page for people."""

    def __init__(self, status: int, title: str) -> None:
        super().__init__(status)
        self.status = status
        self.title = title


class _Registry:
    def __init__(self, store: Store, options: SandboxOptions) -> None:
        self._specs = classes(extended=options.lora_extension_fields)
        self._classes = {path: Objects(spec, store) for path, spec in self._specs.items()}
        self._services = {spec.service for spec in self._specs.values()}
        self._newer = frozenset(options.lora_parameters)
        self._request_line = options.lora_request_line
        if unknown := self._newer - NEWER:
            raise ValueError(f"the registry never had the parameters {', '.join(sorted(unknown))}")

    async def answer(self, request: Request) -> Response:
        """Any request."""
        query = request.scope["query_string"]
        line = len(request.method) + len(request.scope["raw_path"]) + len(query) + bool(query) + len("  HTTP/1.1")
        if self._request_line and line > self._request_line:
            return _page(400, "Bad Request: Request Line is too large")
        try:
            return await self._route(request)
        except Refused as refused:
            return _json(refused.status, refused.body)
        except ServerFault:
            return _page(500, "Internal Server Error")
        except _Html as page:
            return _page(page.status, page.title)

    async def _route(self, request: Request) -> Response:
        path = request.scope["path"].strip("/")
        if path in ("", "site-map"):
            request.state.kind = "other"
            _allow(request, "GET")
            if not path:
                return Response(status_code=308, headers={"Location": "/site-map"})
            return _json(200, site_map(self._specs.values()))
        service, _, rest = path.partition("/")
        if service in self._services and rest == "classes":
            request.state.kind = "other"
            _allow(request, "GET")
            specs = [spec for spec in self._specs.values() if spec.service == service]
            return _json(200, {spec.name: structure(spec) for spec in specs})
        name, _, last = rest.partition("/")
        objects = self._classes.get(f"{service}/{name}")
        if objects is None:
            raise no_route()
        if not last:
            _allow(request, "GET", "POST")
            return await _create(request, objects) if request.method == "POST" else self._list(request, objects)
        if last in ("fields", "schema"):
            request.state.kind = "other"
            _allow(request, "GET")
            _take_no_parameters(request)
            return _json(200, structure(objects.spec) if last == "fields" else json_schema(objects.spec))
        if not UUID.fullmatch(last):
            raise no_route()
        request.state.objects = [last.lower()]
        _allow(request, "GET", "PUT", "PATCH", "DELETE")
        if request.method in ("GET", "HEAD"):
            return self._read(request, objects, last)
        return await _change(request, objects, last)

    def _list(self, request: Request, objects: Objects) -> Response:
        parameters = read_parameters(request.query_params.multi_items())
        request.state.objects = parameters.get("uuid", [])
        return _json(200, list_or_search(objects, parameters, self._newer))

    def _read(self, request: Request, objects: Objects, written_id: str) -> Response:
        parameters = read_parameters(request.query_params.multi_items())
        check_read_parameters(parameters, self._newer)
        found = objects.read(written_id.lower(), window(parameters))
        if found is None:
            raise unknown_object(objects.spec.name, written_id)
        if found["registreringer"][0]["livscykluskode"] == "Slettet":
            raise gone(written_id)
        return _json(200, {written_id: [found]})


async def _create(request: Request, objects: Objects) -> Response:
    _take_no_parameters(request)
    body = await _body(request)
    if not body:
        raise no_body()
    object_id = str(uuid.uuid4())
    objects.create(object_id, _complete(objects.spec, body), body.get("note", ""))
    request.state.objects = [object_id]
    return _json(201, {"uuid": object_id})


async def _change(request: Request, objects: Objects, written_id: str) -> Response:
    object_id = written_id.lower()
    if request.method == "PATCH":
        # Whether there is such an object is looked up before the body is; parameters are not looked at.
        objects.current(object_id)
    else:
        _take_no_parameters(request)
    change: Callable[[Objects, str, Any], int]
    change = {"PUT": _put, "PATCH": _patch, "DELETE": _delete}[request.method]
    status = change(objects, object_id, await _body(request))
    return _json(status, {"uuid": written_id})


def _complete(spec: LoraClass, body: Any) -> Content:
    """Content of a POST or PUT body. Raises Refused (400) where the schema forbids, ServerFault where it does not."""
    check_body(spec, body)
    return read_content(spec, body)


def _put(objects: Objects, object_id: str, body: Any) -> int:
    if not body:
        raise no_body()
    objects.import_or_replace(object_id, _complete(objects.spec, body), body.get("note", ""))
    return 200


def _patch(objects: Objects, object_id: str, body: Any) -> int:
    if not body:
        raise no_body()
    note = _text(body, "note")
    for group in ("attributter", "tilstande", "relationer"):
        if not isinstance(body.get(group), dict | None):
            raise invalid(f"expected dict for '{group}'")
    if _text(body, "livscyklus").lower() == "passiv":
        objects.passivate(object_id, note)
    else:
        objects.update(object_id, read_content(objects.spec, body), note)
    return 200


def _delete(objects: Objects, object_id: str, body: Any) -> int:
    objects.delete(object_id, _text(body or {}, "note"))
    return 202


def _text(body: Any, key: str) -> str:
    """A text of a body that no schema checked; empty when it has none."""
    if not isinstance(body, dict):
        raise ServerFault("a body that is no object")
    value = body.get(key)
    if not isinstance(value, str | None):
        raise invalid(f"expected str for '{key}'")
    return value or ""


async def _body(request: Request) -> Any:
    """The JSON of a request: its body, or the field `json` of a form; None without either. Raises for broken JSON."""
    raw = await request.body()
    content_type = request.headers.get("content-type", "")
    if content_type.lower().startswith("multipart/form-data"):
        raw = _form_field(content_type, raw, "json")
    elif content_type.lower().startswith("application/x-www-form-urlencoded"):
        raw = dict(parse_qsl(raw)).get(b"json", b"")
    elif not _JSON_TYPE.match(content_type):
        return None
    if not raw:
        return None
    try:
        return json.loads(raw)
    except ValueError:
        raise _Html(400, "Bad Request") from None


def _form_field(content_type: str, raw: bytes, name: str) -> bytes:
    form = message_from_bytes(b"Content-Type: " + content_type.encode() + b"\r\n\r\n" + raw)
    for part in form.walk():
        if part.get_param("name", header="content-disposition") == name:
            value = part.get_payload(decode=True)
            return value if isinstance(value, bytes) else b""
    return b""


def _allow(request: Request, *methods: str) -> None:
    if request.method not in methods and not (request.method == "HEAD" and "GET" in methods):
        raise _Html(405, "Method Not Allowed")


def _take_no_parameters(request: Request) -> None:
    if request.scope["query_string"]:
        raise invalid("Unsupported argument(s)")


def _json(status: int, body: Any) -> Response:
    text = json.dumps(body, sort_keys=True, separators=(",", ":")) + "\n"
    return Response(text, status, {"Connection": "close"}, "application/json")


def _page(status: int, title: str) -> Response:
    text = f"<!doctype html><html><head><title>{status} {title}</title></head><body><h1>{title}</h1></body></html>\n"
    return Response(text, status, {"Connection": "close"}, "text/html")
