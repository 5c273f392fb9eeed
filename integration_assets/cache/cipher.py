"""Encryption at rest: AES-GCM with the key's id stored in every value, so that keys can be rotated.

Layout of a sealed value: version (1 byte, 1), length of the key id (1 byte), key id, nonce (12 bytes), ciphertext with
tag. Everything before the nonce is authenticated too. The version byte never starts a JSON text, which lets a reader
tell sealed from plain payloads.
"""

import copy
import os
import re
from collections.abc import Mapping
from typing import Final, cast

import polars as pl
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

_VERSION = 1
_NONCE = 12
_KEY_ID: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,31}")
_FIRST_KEY: Final = "k1"

SHORTEST_SECRET: Final = 16
"""Bytes that a secret must have before a cache is sealed with it for the first time."""

HOW_TO_GIVE_KEYS: Final = (
    "The current key is INTEGRATION_CIPHER_KEY under the id INTEGRATION_CIPHER_KEY_ID; "
    'all others belong into INTEGRATION_CIPHER_FORMER_KEYS, as JSON: {"id": "secret"}.'
)
"""The settings that an operator has to look at when a value does not open."""


def is_sealed(column: str) -> str:
    """The SQL condition that the bytea `column` holds a sealed value: null and plain JSON are none."""
    return f"(length({column}) > 2 AND get_byte({column}, 0) = {_VERSION})"


def key_id_of(column: str) -> str:
    """The SQL expression (bytea) of the key id that the sealed value in `column` names."""
    return f"substring({column} FROM 3 FOR get_byte({column}, 1))"


class CipherError(ValueError):
    """A value cannot be opened: unknown key, wrong key, or not a sealed value. The text never holds the value."""


class Cipher:
    """Seals with the key `current` and opens with whichever of `keys` (id -> 16, 24 or 32 bytes) a value names."""

    def __init__(self, keys: Mapping[str, bytes], current: str) -> None:
        if current not in keys:
            raise CipherError(f"The current key {current!r} is not among the keys {sorted(keys)}.")
        if strange := [key_id for key_id in keys if not _KEY_ID.fullmatch(key_id)]:
            raise CipherError(
                f"{len(strange)} key ids are not usable. A key id has up to 32 letters, digits, dots, hyphens or "
                "underscores, and begins with a letter or a digit."
            )
        self._ciphers = {key_id.encode(): AESGCM(key) for key_id, key in keys.items()}
        self.short: frozenset[str] = frozenset()
        self.current = current
        self._current = self._ciphers[current.encode()]
        self._header = _header(current)

    @classmethod
    def from_secret(cls, secret: str) -> "Cipher":
        """A cipher with one key, id "k1", derived (HKDF-SHA-256) from a long random secret."""
        return cls.from_secrets({_FIRST_KEY: secret}, _FIRST_KEY)

    @classmethod
    def from_secrets(cls, secrets: Mapping[str, str], current: str) -> "Cipher":
        """A cipher with a key for each id, derived (HKDF-SHA-256) from its secret; `current` seals new values.

        `short` names the keys whose secret is shorter than SHORTEST_SECRET: they open, but begin no new use.
        """
        if empty := sorted(key_id for key_id, secret in secrets.items() if not secret):
            raise CipherError(f"The secret of the cache's cipher is empty: key {', '.join(empty)}. {HOW_TO_GIVE_KEYS}")
        cipher = cls({key_id: _derived(key_id, secret) for key_id, secret in secrets.items()}, current)
        cipher.short = frozenset(key_id for key_id, secret in secrets.items() if len(secret.encode()) < SHORTEST_SECRET)
        return cipher

    @property
    def key_ids(self) -> frozenset[str]:
        """The ids of all keys that this cipher opens with."""
        return frozenset(key_id.decode() for key_id in self._ciphers)

    @property
    def header(self) -> bytes:
        """How every value begins that is sealed with the current key."""
        return self._header

    def seal(self, value: bytes) -> bytes:
        """The sealed value; a different one at each call."""
        nonce = os.urandom(_NONCE)
        return self._header + nonce + self._current.encrypt(nonce, value, self._header)

    def with_current(self, key_id: str) -> "Cipher":
        """The same keys with another one as the current. Raises CipherError for a key that is not among them."""
        other = copy.copy(self)
        try:
            other._current = self._ciphers[key_id.encode()]
        except KeyError:
            raise CipherError(f"The key {key_id!r} is not among the keys {sorted(self.key_ids)}.") from None
        other.current, other._header = key_id, _header(key_id)
        return other

    def open(self, value: bytes) -> bytes:
        """The plain value. Raises CipherError when it was sealed with an unknown or another key, or is damaged."""
        if len(value) < 2 or value[0] != _VERSION:
            raise CipherError("The value was not sealed by this system.")
        body = 2 + value[1]
        key_id = value[2:body]
        cipher = self._ciphers.get(key_id)
        if cipher is None:
            raise CipherError(
                f"The value was sealed with the key {key_id.decode(errors='replace')!r}, which is unknown. "
                f"{HOW_TO_GIVE_KEYS}"
            )
        try:
            return cipher.decrypt(value[body : body + _NONCE], value[body + _NONCE :], value[:body])
        except (InvalidTag, ValueError):
            message = (
                f"The value cannot be opened: the key {key_id.decode()!r} is another one, or the value is damaged. "
                f"{HOW_TO_GIVE_KEYS}"
            )
            raise CipherError(message) from None

    def resealed(self, value: bytes | None) -> bytes | None:
        """The same content sealed with the current key; what is no sealed value, or sealed so already, as it is.

        Raises CipherError as `open` does.
        """
        if value is None or len(value) < 2 or value[0] != _VERSION or value.startswith(self._header):
            return value
        return self.seal(self.open(value))

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


def _header(key_id: str) -> bytes:
    return bytes([_VERSION, len(key_id.encode())]) + key_id.encode()


def _derived(key_id: str, secret: str) -> bytes:
    """The key of an id: two ids with the same secret still have different keys."""
    info = f"integration-assets cache {key_id}".encode()
    return HKDF(algorithm=hashes.SHA256(), length=32, salt=None, info=info).derive(secret.encode())
