"""What every answer tells the browser about itself, and which requests are not answered at all."""

from collections.abc import Collection, Mapping
from typing import Final

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

_POLICY: Final = (
    "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; connect-src 'self'; "
    "form-action 'self'; frame-ancestors 'none'; base-uri 'none'"
)
"""Only what this server sends; no script or style inside a page, and no frame around one."""

HEADERS: Final[Mapping[str, str]] = {
    "Content-Security-Policy": _POLICY,
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=(), payment=()",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
}
_ONE_YEAR: Final = "max-age=31536000"


class Guarded:
    """An application behind the headers; requests for a host that is not ours are refused."""

    def __init__(self, app: ASGIApp, *, hosts: Collection[str], https: bool) -> None:
        self._app = app
        self._hosts = frozenset(hosts)
        self._headers = {**HEADERS, **({"Strict-Transport-Security": _ONE_YEAR} if https else {})}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answers one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in self._headers.items():
                    headers[name] = value
                headers.setdefault("Cache-Control", "no-store")
            await send(message)

        if _host(Headers(scope=scope).get("host", "")) not in self._hosts and scope["path"] != "/health":
            refusal = PlainTextResponse("This server does not answer for that host.\n", 421)
            await refusal(scope, receive, send_with_headers)
            return
        await self._app(scope, receive, send_with_headers)


def _host(value: str) -> str:
    """A Host header without its port, in small letters."""
    name, separator, port = value.lower().rpartition(":")
    return name if separator and port.isdecimal() else value.lower()
