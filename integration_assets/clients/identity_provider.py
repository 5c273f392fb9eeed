"""An identity provider that speaks OpenID Connect (Entra ID, Keycloak, AD FS …): who somebody at a browser is.

Belongs here: the provider's own description, the address to send a browser to, exchanging the code that comes back, and
checking the id token that the code is worth. Authorization code with PKCE (RFC 7636); the rules for the id token are
those of OpenID Connect Core 1.0, section 3.1.3.7. Does not belong here: what a person may do, and cookies.

Promises: no code, token, secret or claim in an error text; keys are read anew when a token names one that is not known,
at most once a second. Does not promise: that a person who was locked out there is locked out here before her session
ends.
"""

import base64
import hashlib
import secrets
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import urlencode, urlsplit

import jwt

from integration_assets.clients.http import CallError, HttpClient, PermanentError, RetryPolicy, json_answer

_ALGORITHMS: Final = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA")
"""Signatures with a key pair only: with HS256 whoever knows the public key could sign."""
_CLOCKS_DIFFER_BY_S: Final = 60
_KEYS_AGAIN_S: Final = 1.0
_DESCRIBED_AGAIN_S: Final = 3600.0
_IMPATIENT: Final = RetryPolicy(attempts=2, attempts_500=1, first_pause_s=0.2, longest_pause_s=2)
"""Somebody sits there and waits."""


class LoginRefused(Exception):
    """Nobody was logged in; the message says why, without anything that was received."""


@dataclass(frozen=True)
class Challenge:
    """What one attempt to log in is known by until the browser comes back; secret but for its hash."""

    state: str
    nonce: str
    verifier: str

    @classmethod
    def fresh(cls) -> "Challenge":
        """A new one, that nobody can guess."""
        return cls(secrets.token_urlsafe(32), secrets.token_urlsafe(32), secrets.token_urlsafe(64))

    def __repr__(self) -> str:
        return "Challenge(...)"

    @property
    def code_challenge(self) -> str:
        """The verifier's hash, which the provider keeps beside the code (method S256)."""
        digest = hashlib.sha256(self.verifier.encode()).digest()
        return base64.urlsafe_b64encode(digest).decode().rstrip("=")


class IdentityProvider:
    """One provider, by its issuer (the address in front of /.well-known/openid-configuration).

    `client_secret` is None for a public client, which PKCE alone protects.
    """

    def __init__(self, issuer: str, client_id: str, client_secret: str | None) -> None:
        self._issuer = issuer
        self._client_id = client_id
        self._client_secret = client_secret
        self._http = HttpClient(issuer, connect_timeout_s=5, read_timeout_s=10, policy=_IMPATIENT)
        self._lock = threading.Lock()
        self._described: tuple[float, Mapping[str, Any]] | None = None
        self._keys: tuple[float, Mapping[str, jwt.PyJWK]] = (float("-inf"), {})

    def login_address(self, challenge: Challenge, back_to: str) -> str:
        """Where to send the browser; it comes back to `back_to` with state and code. Raises LoginRefused."""
        query = {
            "response_type": "code",
            "client_id": self._client_id,
            "redirect_uri": back_to,
            "scope": "openid profile",
            "state": challenge.state,
            "nonce": challenge.nonce,
            "code_challenge": challenge.code_challenge,
            "code_challenge_method": "S256",
        }
        return _with_query(self._endpoint("authorization_endpoint"), query)

    def logout_address(self, back_to: str) -> str | None:
        """Where to send a browser that logs out, so that the provider forgets it too; None where it cannot."""
        try:
            endpoint = self._description().get("end_session_endpoint")
        except LoginRefused:
            return None
        query = {"client_id": self._client_id, "post_logout_redirect_uri": back_to}
        return _with_query(str(endpoint), query) if endpoint else None

    def claims(self, code: str, challenge: Challenge, back_to: str) -> Mapping[str, Any]:
        """What the provider says of the person whom the code is for: the claims of a checked id token.

        Raises LoginRefused when the code is worth nothing, or the token is not for us, not from there, not now, or not
        for this attempt.
        """
        form = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": back_to,
            "client_id": self._client_id,
            "code_verifier": challenge.verifier,
        }
        if self._client_secret is not None:
            form["client_secret"] = self._client_secret
        try:
            answer = self._http.request(
                "POST",
                self._endpoint("token_endpoint"),
                content=urlencode(form).encode(),
                headers={"Content-Type": "application/x-www-form-urlencoded", "Accept": "application/json"},
            )
            token = json_answer(answer, "The token request")["id_token"]
        except (KeyError, TypeError):
            raise LoginRefused("The identity provider gave no id token.") from None
        except PermanentError as error:
            raise LoginRefused(f"The identity provider did not accept the code ({error.status}).") from None
        except CallError:
            raise LoginRefused("The identity provider does not answer.") from None
        return self._checked(str(token), challenge.nonce)

    def _checked(self, token: str, nonce: str) -> Mapping[str, Any]:
        try:
            header = jwt.get_unverified_header(token)
            key = self._key(str(header.get("kid", "")))
            claims: Mapping[str, Any] = jwt.decode(
                token,
                key,
                algorithms=list(_ALGORITHMS),
                audience=self._client_id,
                issuer=self._issuer,
                leeway=_CLOCKS_DIFFER_BY_S,
                options={"require": ["exp", "iat", "iss", "aud", "sub", "nonce"]},
            )
        except jwt.PyJWTError as error:
            raise LoginRefused(f"The id token is not valid ({type(error).__name__}).") from None
        if not secrets.compare_digest(str(claims["nonce"]).encode(), nonce.encode()):
            raise LoginRefused("The id token belongs to another attempt to log in.")
        several = isinstance(claims["aud"], list) and len(claims["aud"]) > 1
        if claims.get("azp", None if several else self._client_id) != self._client_id:
            raise LoginRefused("The id token was issued to another application.")
        return claims

    def _key(self, key_id: str) -> jwt.PyJWK:
        """The provider's key of this id; without an id the only one."""
        with self._lock:
            read_at, keys = self._keys
            if key_id not in keys and time.monotonic() - read_at > _KEYS_AGAIN_S:
                keys = self._read_keys()
                self._keys = (time.monotonic(), keys)
        if not key_id and len(keys) == 1:
            return next(iter(keys.values()))
        try:
            return keys[key_id]
        except KeyError:
            raise LoginRefused(
                "The id token is signed with a key that the identity provider does not publish."
            ) from None

    def _read_keys(self) -> Mapping[str, jwt.PyJWK]:
        address = self._endpoint("jwks_uri")
        try:
            published = json_answer(self._http.request("GET", address), "The request for keys")["keys"]
        except (CallError, KeyError, TypeError):
            raise LoginRefused("The identity provider does not publish its keys.") from None
        found: dict[str, jwt.PyJWK] = {}
        for each in published:
            # Keys of kinds that nobody here knows are for other applications.
            if isinstance(each, dict) and each.get("use", "sig") == "sig" and each.get("kty") in ("RSA", "EC", "OKP"):
                try:
                    found[str(each.get("kid", ""))] = jwt.PyJWK(each)
                except jwt.PyJWTError:
                    continue
        return found

    def _endpoint(self, name: str) -> str:
        address = str(self._description().get(name, ""))
        if urlsplit(address).scheme not in ("https", "http") or (
            urlsplit(self._issuer).scheme == "https" and urlsplit(address).scheme != "https"
        ):
            raise LoginRefused(f"The identity provider names no usable {name}.")
        return address

    def _description(self) -> Mapping[str, Any]:
        described = self._described
        if described is not None and time.monotonic() - described[0] < _DESCRIBED_AGAIN_S:
            return described[1]
        path = f"{self._issuer.rstrip('/')}/.well-known/openid-configuration"
        try:
            content = json_answer(self._http.request("GET", path), "The request for the provider's description")
        except CallError:
            raise LoginRefused("The identity provider does not answer.") from None
        if not isinstance(content, dict) or content.get("issuer") != self._issuer:
            raise LoginRefused("The identity provider calls itself otherwise than the settings do (issuer).")
        self._described = (time.monotonic(), content)
        return content

    def close(self) -> None:
        """Closes the connections."""
        self._http.close()


def _with_query(address: str, query: Mapping[str, str]) -> str:
    return f"{address}{'&' if urlsplit(address).query else '?'}{urlencode(query)}"
