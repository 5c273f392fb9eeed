"""Access to the CRM sandbox: client credentials against bearer tokens that expire.

Belongs here: the token end point's rules and answers (in the style of Entra ID) and the check of a request's token.
"""

import secrets
import time
import uuid
from collections.abc import Mapping
from typing import Any

from integration_assets.sandbox.dataverse.behaviour import Behaviour


class Tokens:
    """Issues and checks tokens, for the application of the settings and for those that are switched on.

    An empty `client_id` accepts every application and secret.
    """

    def __init__(self, client_id: str, client_secret: str) -> None:
        self._client_id = client_id
        self._client_secret = client_secret
        self._issued: dict[str, tuple[float, str]] = {}

    def issue(self, form: Mapping[str, str], rules: Behaviour) -> tuple[int, dict[str, Any]]:
        """HTTP status and JSON body of the answer to a token request."""
        if form.get("grant_type") != "client_credentials":
            return 400, _refusal("unsupported_grant_type", 70003, "The app requested an unsupported grant type.")
        client_id = form.get("client_id", "")
        secret = self._secret(client_id, rules)
        if secret is None:
            text = f"Application with identifier '{client_id}' was not found in the directory."
            return 400, _refusal("unauthorized_client", 700016, text)
        if self._client_id and not secrets.compare_digest(form.get("client_secret", ""), secret):
            text = (
                "Invalid client secret provided. Ensure the secret being sent in the request is the client secret "
                "value, not the client secret ID."
            )
            return 401, _refusal("invalid_client", 7000215, text)
        if not form.get("scope", "").endswith("/.default"):
            text = "The provided value for the input parameter 'scope' is not valid."
            return 400, _refusal("invalid_scope", 70011, text)
        now = time.monotonic()
        self._issued = {token: issued for token, issued in self._issued.items() if issued[0] > now}
        token = secrets.token_urlsafe(32)
        self._issued[token] = (now + rules.token_lifetime_s, client_id)
        seconds = int(rules.token_lifetime_s)
        return 200, {"token_type": "Bearer", "expires_in": seconds, "ext_expires_in": seconds, "access_token": token}

    def client(self, authorization: str) -> str | None:
        """The client id of the valid token that an Authorization header carries; None when it carries none."""
        scheme, _, token = authorization.partition(" ")
        ends, client_id = self._issued.get(token, (0.0, ""))
        return client_id if scheme.lower() == "bearer" and ends > time.monotonic() else None

    def revoke(self) -> None:
        """Make all issued tokens invalid at once."""
        self._issued.clear()

    def _secret(self, client_id: str, rules: Behaviour) -> str | None:
        """The secret of an application; None when the directory does not know it."""
        further = rules.user(client_id).secret
        if further is not None:
            return further
        return self._client_secret if client_id == self._client_id or not self._client_id else None


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
