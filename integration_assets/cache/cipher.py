"""Encryption at rest: AES-GCM with the key's id stored in every value, so that keys can be rotated.

Layout of a sealed value: version (1 byte, 1), length of the key id (1 byte), key id, nonce (12 bytes), ciphertext with
tag. Everything before the nonce is authenticated too. The version byte never starts a JSON text, which lets a reader
tell sealed from plain payloads.
"""

import os
from collections.abc import Mapping
from typing import cast

import polars as pl
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

_VERSION = 1
_NONCE = 12


class CipherError(ValueError):
    """A value cannot be opened: unknown key, wrong key, or not a sealed value. The text never holds the value."""


class Cipher:
    """Seals with the key `current` and opens with whichever of `keys` (id -> 16, 24 or 32 bytes) a value names."""

    def __init__(self, keys: Mapping[str, bytes], current: str) -> None:
        if current not in keys:
            raise CipherError(f"The current key {current!r} is not among the keys {sorted(keys)}.")
        self._ciphers = {key_id.encode(): AESGCM(key) for key_id, key in keys.items()}
        self._current = self._ciphers[current.encode()]
        self._header = bytes([_VERSION, len(current.encode())]) + current.encode()

    @classmethod
    def from_secret(cls, secret: str) -> "Cipher":
        """A cipher with one key, id "k1", derived (HKDF-SHA-256) from a long random secret."""
        if not secret:
            raise CipherError("The secret of the cache's cipher is empty.")
        derive = HKDF(algorithm=hashes.SHA256(), length=32, salt=None, info=b"integration-assets cache k1")
        return cls({"k1": derive.derive(secret.encode())}, "k1")

    def seal(self, value: bytes) -> bytes:
        """The sealed value; a different one at each call."""
        nonce = os.urandom(_NONCE)
        return self._header + nonce + self._current.encrypt(nonce, value, self._header)

    def open(self, value: bytes) -> bytes:
        """The plain value. Raises CipherError when it was sealed with an unknown or another key, or is damaged."""
        if len(value) < 2 or value[0] != _VERSION:
            raise CipherError("The value was not sealed by this system.")
        body = 2 + value[1]
        key_id = value[2:body]
        cipher = self._ciphers.get(key_id)
        if cipher is None:
            raise CipherError(
                f"The value was sealed with the key {key_id.decode(errors='replace')!r}, which is unknown."
            )
        try:
            return cipher.decrypt(value[body : body + _NONCE], value[body + _NONCE :], value[:body])
        except (InvalidTag, ValueError):
            message = (
                f"The value cannot be opened: the key {key_id.decode()!r} is another one, or the value is damaged."
            )
            raise CipherError(message) from None

    def seal_series(self, values: pl.Series) -> pl.Series:
        """String -> Binary of the same name; null stays null. The cipher takes one value at a time."""
        sealed = [None if value is None else self.seal(value.encode()) for value in values]
        return pl.Series(values.name, sealed, dtype=pl.Binary)

    def open_series(self, values: pl.Series) -> pl.Series:
        """Binary -> String of the same name; null stays null. Raises CipherError as `open` does."""
        opened = [None if value is None else self.open(value).decode() for value in cast("pl.Series", values)]
        return pl.Series(values.name, opened, dtype=pl.String)

    def __repr__(self) -> str:
        return f"Cipher({len(self._ciphers)} keys)"
