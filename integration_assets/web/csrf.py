"""Tokens that show that a form was sent from a page of ours: a keyed hash of what only this browser has."""

import hmac

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

FIELD = "csrf"


class CsrfTokens:
    """Makes and checks tokens with a key derived from a secret of the settings."""

    def __init__(self, secret: str) -> None:
        derived = HKDF(algorithm=hashes.SHA256(), length=32, salt=None, info=b"integration-assets web csrf")
        self._key = derived.derive(secret.encode())

    def of(self, browser: str, user_name: str) -> str:
        """The token of a browser (what its cookie says) and the user at it."""
        return hmac.digest(self._key, f"{browser}\n{user_name}".encode(), "sha256").hex()

    def fits(self, token: str | None, browser: str, user_name: str) -> bool:
        """Whether a form's token is that of the browser and user; a browser without a cookie has none."""
        return bool(browser) and hmac.compare_digest((token or "").encode(), self.of(browser, user_name).encode())
