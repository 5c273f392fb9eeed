"""An identity provider in small (OpenID Connect): it logs in whoever names one of its people, and keeps nothing.

Belongs here: discovery, keys, the authorization end point with PKCE and its page of names, the token end point, logout.
Codes are good once and for a minute. Switches on `Provider` make it misbehave in the ways that an application must
notice. It is no part of the sandbox that `make run` plays; tests start it.
"""

import base64
import hashlib
import hmac
import html
import json
import secrets
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final
from urllib.parse import parse_qs, urlencode

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, RedirectResponse, Response
from starlette.routing import Route

PEOPLE: Final[Mapping[str, tuple[str, ...]]] = {
    "Vibeke Visning": ("viewer",),
    "Oda Operatør": ("viewer", "operator"),
    "Per Privatliv": ("viewer", "operator", "privacy"),
    "Ulla Udenfor": (),
}
"""Who can log in, with the roles that her token names."""

_CODE_LIVES_S: Final = 60.0


@dataclass
class Grant:
    """What a code is worth: for whom, asked how."""

    person: str
    query: Mapping[str, str]
    ends: float


@dataclass
class Provider:
    """State and switches. `claims` replaces claims of the next tokens (None: leaves one out), `algorithm` says how they
    are signed: RS256, none, HS256 (with the public key as secret, a known attack), or "stranger" (another key)."""

    issuer: str
    client_id: str
    client_secret: str
    claims: dict[str, Any] = field(default_factory=dict)
    algorithm: str = "RS256"
    key: rsa.RSAPrivateKey = field(default_factory=lambda: rsa.generate_private_key(65537, 2048), repr=False)
    key_id: str = "sandbox-1"
    grants: dict[str, Grant] = field(default_factory=dict)

    def turn_key(self) -> None:
        """Another key, as providers do now and then."""
        self.key = rsa.generate_private_key(65537, 2048)
        self.key_id = f"sandbox-{secrets.token_hex(4)}"


def build(provider: Provider) -> Starlette:
    """The provider's application; it is to be served at `provider.issuer`."""
    desk = _Desk(provider)
    return Starlette(
        routes=[
            Route("/.well-known/openid-configuration", desk.description),
            Route("/keys", desk.keys),
            Route("/authorize", desk.authorize),
            Route("/choose", desk.choose, methods=["POST"]),
            Route("/token", desk.token, methods=["POST"]),
            Route("/logout", desk.logout),
        ]
    )


class _Desk:
    def __init__(self, provider: Provider) -> None:
        self._provider = provider

    async def description(self, _request: Request) -> Response:
        """What the provider says of itself."""
        issuer = self._provider.issuer
        return JSONResponse(
            {
                "issuer": issuer,
                "authorization_endpoint": f"{issuer}/authorize",
                "token_endpoint": f"{issuer}/token",
                "jwks_uri": f"{issuer}/keys",
                "end_session_endpoint": f"{issuer}/logout",
                "response_types_supported": ["code"],
                "subject_types_supported": ["public"],
                "id_token_signing_alg_values_supported": ["RS256"],
                "code_challenge_methods_supported": ["S256"],
            }
        )

    async def keys(self, _request: Request) -> Response:
        """The public key."""
        numbers = self._provider.key.public_key().public_numbers()
        size = (numbers.n.bit_length() + 7) // 8
        key = {"kty": "RSA", "use": "sig", "alg": "RS256", "kid": self._provider.key_id}
        return JSONResponse(
            {"keys": [{**key, "n": _encoded(numbers.n.to_bytes(size)), "e": _encoded(numbers.e.to_bytes(3))}]}
        )

    async def authorize(self, request: Request) -> Response:
        """A page on which one says who one is."""
        query = dict(request.query_params)
        needed = {"client_id", "redirect_uri", "state", "nonce", "code_challenge"}
        if query.get("client_id") != self._provider.client_id or needed - query.keys():
            return _refusal("invalid_request")
        if query.get("response_type") != "code" or query.get("code_challenge_method") != "S256":
            return _refusal("unsupported_response_type")
        buttons = "".join(
            f'<p><button name="person" value="{html.escape(name)}">{html.escape(name)}</button></p>' for name in PEOPLE
        )
        kept = html.escape(json.dumps(query))
        return HTMLResponse(
            '<!doctype html><html lang="en"><title>Sandbox login</title><h1>Who are you?</h1>'
            f'<form method="post" action="/choose"><input type="hidden" name="query" value="{kept}">{buttons}</form>'
        )

    async def choose(self, request: Request) -> Response:
        """Sends the browser back with a code."""
        form = await _form(request)
        query = json.loads(form["query"])
        code = secrets.token_urlsafe(24)
        self._provider.grants[code] = Grant(form["person"], query, time.monotonic() + _CODE_LIVES_S)
        return RedirectResponse(f"{query['redirect_uri']}?{urlencode({'code': code, 'state': query['state']})}", 303)

    async def token(self, request: Request) -> Response:
        """Exchanges a code for an id token."""
        form = await _form(request)
        if form.get("client_id") != self._provider.client_id or not secrets.compare_digest(
            form.get("client_secret", ""), self._provider.client_secret
        ):
            return _refusal("invalid_client", 401)
        grant = self._provider.grants.pop(form.get("code", ""), None)
        if grant is None or grant.ends < time.monotonic() or grant.query["redirect_uri"] != form.get("redirect_uri"):
            return _refusal("invalid_grant")
        hashed = _encoded(hashlib.sha256(form.get("code_verifier", "").encode()).digest())
        if hashed != grant.query["code_challenge"]:
            return _refusal("invalid_grant")
        return JSONResponse(
            {"token_type": "Bearer", "expires_in": 300, "access_token": "-", "id_token": self._id_token(grant)}
        )

    async def logout(self, request: Request) -> Response:
        """Forgets the browser (there is nothing to forget) and sends it back."""
        return RedirectResponse(request.query_params.get("post_logout_redirect_uri", "/"), 303)

    def _id_token(self, grant: Grant) -> str:
        now = int(time.time())
        claims = {
            "iss": self._provider.issuer,
            "sub": hashlib.sha256(grant.person.encode()).hexdigest()[:24],
            "aud": self._provider.client_id,
            "iat": now,
            "exp": now + 300,
            "nonce": grant.query["nonce"],
            "name": grant.person,
            "roles": list(PEOPLE.get(grant.person, ())),
            **self._provider.claims,
        }
        return self._signed({name: value for name, value in claims.items() if value is not None})

    def _signed(self, claims: Mapping[str, Any]) -> str:
        algorithm = self._provider.algorithm
        named = "RS256" if algorithm == "stranger" else algorithm
        header = {"alg": named, "typ": "JWT", "kid": self._provider.key_id}
        content = f"{_encoded(json.dumps(header).encode())}.{_encoded(json.dumps(claims).encode())}"
        return f"{content}.{_encoded(self._signature(algorithm, content.encode()))}"

    def _signature(self, algorithm: str, content: bytes) -> bytes:
        if algorithm == "none":
            return b""
        if algorithm == "HS256":
            public = self._provider.key.public_key().public_bytes(
                serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
            )
            return hmac.digest(public, content, "sha256")
        key = rsa.generate_private_key(65537, 2048) if algorithm == "stranger" else self._provider.key
        return key.sign(content, padding.PKCS1v15(), hashes.SHA256())


async def _form(request: Request) -> dict[str, str]:
    return {name: values[0] for name, values in parse_qs((await request.body()).decode()).items()}


def _refusal(error: str, status: int = 400) -> Response:
    return JSONResponse({"error": error}, status)


def _encoded(value: bytes) -> str:
    return base64.urlsafe_b64encode(value).decode().rstrip("=")
