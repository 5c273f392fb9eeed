"""Object ids that are computed and never looked up.

The id of every object the integration owns follows from its class and its business key by a keyed hash. So creating is
idempotent, needs no search, and two workers cannot make duplicates; without the key nobody can tell from an id which
personal number stands behind it. The same key, under another label, hashes what may not be written down in clear, e.g.
the subject of a register look-up.
"""

import hashlib
import hmac
import uuid
from collections.abc import Sequence
from typing import Final

import polars as pl

_OBJECT_LABEL: Final = b"integration-assets/object-id/1"
_SUBJECT_LABEL: Final = b"integration-assets/subject/1"
_SHORTEST_KEY: Final = 16


class ObjectIds:
    """Computes ids under one secret key.

    Raises ValueError when the key has fewer than 16 bytes: ten digits are quickly tried out, so the key must not be.
    """

    __slots__ = ("_keyed",)

    def __init__(self, key: bytes) -> None:
        if len(key) < _SHORTEST_KEY:
            raise ValueError(f"The identity key needs at least {_SHORTEST_KEY} bytes.")
        self._keyed = hmac.new(key, digestmod=hashlib.sha256)

    def __repr__(self) -> str:
        """The class only: the key is a secret."""
        return "ObjectIds(...)"

    def of(self, kind: str, business_key: str) -> uuid.UUID:
        """The id of the object of class `kind` with this business key.

        A UUID of version 8 (RFC 9562, section 5.8): 122 bits of HMAC-SHA-256 over class and key.
        """
        return uuid.UUID(bytes=_as_uuid(self._digests(_OBJECT_LABEL, kind, [business_key])[0]))

    def series(self, kind: str, business_keys: pl.Series) -> pl.Series:
        """The ids of many objects as text, in the order of their business keys; null gives null."""
        distinct = business_keys.cast(pl.String).unique().drop_nulls()
        digests = self._digests(_OBJECT_LABEL, kind, distinct.to_list())
        hexadecimal = pl.Series([_as_uuid(digest).hex() for digest in digests], dtype=pl.String)
        ids = hexadecimal.str.replace("^(.{8})(.{4})(.{4})(.{4})", "$1-$2-$3-$4-")
        return business_keys.cast(pl.String).replace_strict(distinct, ids, default=None, return_dtype=pl.String)

    def subject(self, value: str) -> str:
        """A keyed hash of a value, 64 hexadecimal digits, in another domain than the object ids.

        It stands for a personal number wherever equal numbers must be recognised (look-up cache, audit) and the
        number itself has no business. A plain hash would not do: all numbers can be tried out in minutes.
        """
        return self.subjects([value])[0]

    def subjects(self, values: Sequence[str]) -> list[str]:
        """As `subject`, for many values, in their order."""
        return [digest.hex() for digest in self._digests(_SUBJECT_LABEL, "", values)]

    def _digests(self, label: bytes, kind: str, values: Sequence[str]) -> list[bytes]:
        """HMAC over label, class and value; lengths stand before label and class, so no two inputs share a message."""
        encoded = kind.encode()
        begun = self._keyed.copy()  # continued from a copy, each id saves hashing the key and its class
        begun.update(b"".join((len(label).to_bytes(4, "big"), label, len(encoded).to_bytes(4, "big"), encoded)))
        digests: list[bytes] = []
        for value in values:
            digest = begun.copy()
            digest.update(value.encode())
            digests.append(digest.digest())
        return digests


def _as_uuid(digest: bytes) -> bytes:
    """The first 16 bytes of a digest with version 8 and the variant of RFC 9562 set."""
    return digest[:6] + bytes((digest[6] & 0x0F | 0x80, digest[7], digest[8] & 0x3F | 0x80)) + digest[9:16]
