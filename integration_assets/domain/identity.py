"""Object ids that are computed and never looked up.

The id of every object the integration owns follows from its class and its business key by a keyed hash. So creating is
idempotent, needs no search, and two workers cannot make duplicates; without the key nobody can tell from an id which
personal number stands behind it. The same key, under another label, hashes what may not be written down in clear, e.g.
the subject of a register look-up.
"""

import hmac
import uuid
from typing import Final

import polars as pl

_OBJECT_LABEL: Final = b"integration-assets/object-id/1"
_SUBJECT_LABEL: Final = b"integration-assets/subject/1"
_SHORTEST_KEY: Final = 16

_VERSION_MASK: Final = 0xF << 76
_VERSION_8: Final = 0x8 << 76
_VARIANT_MASK: Final = 0b11 << 62
_VARIANT_RFC: Final = 0b10 << 62


class ObjectIds:
    """Computes ids under one secret key.

    Raises ValueError when the key has fewer than 16 bytes: ten digits are quickly tried out, so the key must not be.
    """

    __slots__ = ("_key",)

    def __init__(self, key: bytes) -> None:
        if len(key) < _SHORTEST_KEY:
            raise ValueError(f"The identity key needs at least {_SHORTEST_KEY} bytes.")
        self._key = key

    def __repr__(self) -> str:
        """The class only: the key is a secret."""
        return "ObjectIds(...)"

    def of(self, kind: str, business_key: str) -> uuid.UUID:
        """The id of the object of class `kind` with this business key.

        A UUID of version 8 (RFC 9562, section 5.8): 122 bits of HMAC-SHA-256 over class and key.
        """
        number = int.from_bytes(self._digest(_OBJECT_LABEL, kind, business_key)[:16], "big")
        number = (number & ~_VERSION_MASK) | _VERSION_8
        number = (number & ~_VARIANT_MASK) | _VARIANT_RFC
        return uuid.UUID(int=number)

    def series(self, kind: str, business_keys: pl.Series) -> pl.Series:
        """The ids of many objects as text, in the order of their business keys; null gives null."""
        distinct = business_keys.cast(pl.String).unique().drop_nulls()
        ids = pl.Series([str(self.of(kind, key)) for key in distinct.to_list()], dtype=pl.String)
        return business_keys.cast(pl.String).replace_strict(distinct, ids, default=None, return_dtype=pl.String)

    def subject(self, value: str) -> str:
        """A keyed hash of a value, 64 hexadecimal digits, in another domain than the object ids.

        It stands for a personal number wherever equal numbers must be recognised (look-up cache, audit) and the
        number itself has no business. A plain hash would not do: all numbers can be tried out in minutes.
        """
        return self._digest(_SUBJECT_LABEL, "", value).hex()

    def _digest(self, label: bytes, kind: str, value: str) -> bytes:
        """HMAC over label, class and value; lengths stand before label and class, so no two inputs share a message."""
        encoded = kind.encode()
        message = b"".join(
            (len(label).to_bytes(4, "big"), label, len(encoded).to_bytes(4, "big"), encoded, value.encode())
        )
        return hmac.digest(self._key, message, "sha256")
