"""Access to the CRM sandbox: client credentials against bearer tokens that expire.

Belongs here: the token end point's rules and answers (in the style of Entra ID) and the check of a request's token.
"""

import secrets
import time
import uuid
from collections.abc import Mapping
from typing import Any

DEFAULT_LIFETIME_S = 3599.0


class Tokens:
    """Issues and checks tokens. `lifetime_s` may be changed while the sandbox runs; it holds for tokens issued later.

    An empty `client_id` accepts every application and secret.
    """

    def __init__(self, client_id: str, client_secret: str) -> None:
        self.lifetime_s = DEFAULT_LIFETIME_S
        self._client_id = client_id
        self._client_secret = client_secret
        self._ends: dict[str, float] = {}

    def issue(self, form: Mapping[str, str]) -> tuple[int, dict[str, Any]]:
        """HTTP status and JSON body of the answer to a token request."""
        if form.get("grant_type") != "client_credentials":
            return 400, _refusal("unsupported_grant_type", 70003, "The app requested an unsupported grant type.")
        client_id = form.get("client_id", "")
        if self._client_id and client_id != self._client_id:
            text = f"Application with identifier '{client_id}' was not found in the directory."
            return 400, _refusal("unauthorized_client", 700016, text)
        if self._client_id and not secrets.compare_digest(form.get("client_secret", ""), self._client_secret):
            text = (
                "Invalid client secret provided. Ensure the secret being sent in the request is the client secret "
                "value, not the client secret ID."
            )
            return 401, _refusal("invalid_client", 7000215, text)
        if not form.get("scope", "").endswith("/.default"):
            text = "The provided value for the input parameter 'scope' is not valid."
            return 400, _refusal("invalid_scope", 70011, text)
        now = time.monotonic()
        self._ends = {token: end for token, end in self._ends.items() if end > now}
        token = secrets.token_urlsafe(32)
        self._ends[token] = now + self.lifetime_s
        seconds = int(self.lifetime_s)
        return 200, {"token_type": "Bearer", "expires_in": seconds, "ext_expires_in": seconds, "access_token": token}

    def accepts(self, authorization: str) -> bool:
        """Whether an Authorization header carries a token that is still valid."""
        scheme, _, token = authorization.partition(" ")
        return scheme.lower() == "bearer" and self._ends.get(token, 0) > time.monotonic()

    def revoke(self) -> None:
        """Make all issued tokens invalid at once."""
        self._ends.clear()


def _refusal(error: str, number: int, text: str) -> dict[str, Any]:
    trace, correlation = str(uuid.uuid4()), str(uuid.uuid4())
    stamp = time.strftime("%Y-%m-%d %H:%M:%SZ", time.gmtime())
    description = f"AADSTS{number}: {text} Trace ID: {trace} Correlation ID: {correlation} Timestamp: {stamp}"
    return {
        "error": error,
        "error_description": description,
        "error_codes": [number],
        "timestamp": stamp,
        "trace_id": trace,
        "correlation_id": correlation,
    }
