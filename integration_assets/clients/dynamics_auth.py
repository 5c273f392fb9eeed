"""Access tokens for Dynamics CRM 365: Microsoft Entra ID, a plain OAuth 2.0 token end point, or a fixed token.

Belongs here: getting and renewing tokens, by secret or certificate. Which of the three is used is configuration; an
on-premises CRM may need a fourth, so the CRM client knows only the `TokenProvider` protocol.

Promises: tokens are kept in memory only, are fetched once for all threads and again shortly before they expire;
secrets are in no error text. Does not promise: that the CRM accepts the token (that needs an application user there).
"""

import threading
import time
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import urlencode

import msal
from cryptography import x509
from cryptography.hazmat.primitives.hashes import SHA1
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, load_pem_private_key

from integration_assets.clients.http import HttpClient, PermanentError, RetryPolicy, TransientError, json_answer, mask

_EARLY_S = 60.0


class TokenProvider(Protocol):
    """Gives bearer tokens. `renew` asks for a new one because the last was refused (401)."""

    def token(self, *, renew: bool = False) -> str: ...


class StaticTokens:
    """Always the same token: for tests, and for tokens that somebody else keeps fresh."""

    def __init__(self, token: str) -> None:
        self._token = token

    def token(self, *, renew: bool = False) -> str:  # noqa: ARG002 - there is no other token
        """The token given."""
        return self._token


class FormTokens:
    """Client credentials posted as a form to any OAuth 2.0 token end point, http as well as https."""

    def __init__(self, url: str, client_id: str, secret: str, scope: str, *, policy: RetryPolicy | None = None) -> None:
        self._http = HttpClient(url, policy=policy)
        self._url = url
        self._form = {
            "grant_type": "client_credentials",
            "client_id": client_id,
            "client_secret": secret,
            "scope": scope,
        }
        self._lock = threading.Lock()
        self._token: str | None = None
        self._expires = 0.0

    def token(self, *, renew: bool = False) -> str:
        """A valid token. Raises TransientError or PermanentError (wrong id, secret or scope)."""
        with self._lock:
            if renew or self._token is None or time.monotonic() >= self._expires:
                response = self._http.request(
                    "POST",
                    self._url,
                    content=urlencode(self._form).encode(),
                    headers={"Content-Type": "application/x-www-form-urlencoded", "Accept": "application/json"},
                    idempotent=True,
                )
                answer = json_answer(response, "The token request")
                if "access_token" not in answer:
                    raise PermanentError("The token end point answered without a token.", status=response.status_code)
                self._token = str(answer["access_token"])
                life_s = float(answer.get("expires_in", 3600))
                self._expires = time.monotonic() + max(life_s - _EARLY_S, life_s / 2)
            return self._token


def certificate_credential(path: Path, password: str | None = None, *, adfs: bool = False) -> dict[str, str]:
    """What msal needs of a certificate with its key: a PFX file (.pfx, .p12), or one PEM file with both.

    Of a PEM file the key is opened here. AD FS knows a certificate by its SHA-1 thumbprint only, Entra by SHA-256.
    Raises ValueError, without anything secret in it, when the file does not hold both or the password is wrong.
    """
    if path.suffix.lower() in (".pfx", ".p12"):
        return {"private_key_pfx_path": str(path)} | ({"passphrase": password} if password else {})
    content = path.read_bytes()
    try:
        certificate = x509.load_pem_x509_certificates(content)[0]
        key = load_pem_private_key(content, password.encode() if password else None)
    except (ValueError, TypeError, IndexError):
        raise ValueError(
            f"{path.name} does not hold a PEM certificate with its private key, or its password is another."
        ) from None
    opened = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
    if adfs:
        return {"private_key": opened, "thumbprint": certificate.fingerprint(SHA1()).hex()}
    return {"private_key": opened, "public_certificate": certificate.public_bytes(Encoding.PEM).decode()}


class MsalTokens:
    """Client credentials from Microsoft Entra ID by Microsoft's own library, which keeps and refreshes the token.

    `credential` is a secret, or msal's mapping that names a certificate. `http_client` replaces msal's own.
    """

    def __init__(
        self,
        authority: str,
        client_id: str,
        credential: str | dict[str, str],
        scope: str,
        *,
        http_client: Any = None,
    ) -> None:
        self._authority = authority
        self._client_id = client_id
        self._credential = credential
        self._scope = scope
        self._http_client = http_client
        self._lock = threading.Lock()
        self._app: msal.ConfidentialClientApplication | None = None

    def token(self, *, renew: bool = False) -> str:
        """A valid token. Raises TransientError or PermanentError (wrong tenant, id, secret or scope)."""
        with self._lock:
            try:
                app = self._application()
                if renew:
                    app.remove_tokens_for_client()
                answer = app.acquire_token_for_client([self._scope]) or {}
            except OSError as failure:  # msal lets the connection errors of its HTTP library through
                raise TransientError(f"The identity provider is unreachable: {type(failure).__name__}.") from None
            except ValueError as failure:
                raise PermanentError(f"The identity provider's address is refused: {mask(str(failure))}") from None
        if "access_token" in answer:
            return str(answer["access_token"])
        code = str(answer.get("error", "no_token"))
        text = mask(str(answer.get("error_description", "")).split("\n", 1)[0])
        kind = TransientError if code in ("temporarily_unavailable", "server_error") else PermanentError
        raise kind(f"The identity provider gave no token: {code}: {text}", code=code, text=text)

    def _application(self) -> msal.ConfidentialClientApplication:
        """Made at first use, because making it already calls the network."""
        if self._app is None:
            self._app = msal.ConfidentialClientApplication(
                self._client_id,
                client_credential=self._credential,
                authority=self._authority,
                http_client=self._http_client,
                instance_discovery=False if self._http_client is not None else None,
            )
        return self._app
