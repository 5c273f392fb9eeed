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
import polars_hash as plh

_OBJECT_LABEL: Final = "integration-assets/object-id/1"
_SUBJECT_LABEL: Final = "integration-assets/subject/1"
_SHORTEST_KEY: Final = 16

_VARIANT: Final = {digit: "89ab"[int(digit, 16) & 3] for digit in "0123456789abcdef"}
"""A hexadecimal digit with its two upper bits set to those of the variant of RFC 9562."""


class ObjectIds:
    """Computes ids under one secret key.

    Raises ValueError when the key has fewer than 16 bytes: ten digits are quickly tried out, so the key must not be.
    """

    __slots__ = ("_key",)

    def __init__(self, key: str) -> None:
        if len(key.encode()) < _SHORTEST_KEY:
            raise ValueError(f"The identity key needs at least {_SHORTEST_KEY} bytes.")
        self._key = key

    def __repr__(self) -> str:
        """The class only: the key is a secret."""
        return "ObjectIds(...)"

    def of(self, kind: str, business_key: str) -> uuid.UUID:
        """The id of the object of class `kind` with this business key.

        A UUID of version 8 (RFC 9562, section 5.8): 122 bits of HMAC-SHA-256 over class and key.
        """
        digest = bytearray(self._digest(_OBJECT_LABEL, kind, business_key)[:16])
        digest[6] = digest[6] & 0x0F | 0x80
        digest[8] = digest[8] & 0x3F | 0x80
        return uuid.UUID(bytes=bytes(digest))

    def series(self, kind: str, business_keys: pl.Series) -> pl.Series:
        """The ids of many objects as text, in the order of their business keys; null gives null."""
        digest = pl.col("digest").str
        variant = digest.slice(16, 1).replace_strict(_VARIANT, return_dtype=pl.String)
        parts = (
            *(digest.slice(0, 8), pl.lit("-"), digest.slice(8, 4), pl.lit("-8"), digest.slice(13, 3), pl.lit("-")),
            *(variant, digest.slice(17, 3), pl.lit("-"), digest.slice(20, 12)),
        )
        digests = self._digests(_OBJECT_LABEL, kind, business_keys).to_frame("digest")
        return digests.select(pl.concat_str(parts).alias(business_keys.name)).to_series()

    def subject(self, value: str) -> str:
        """A keyed hash of a value, 64 hexadecimal digits, in another domain than the object ids.

        It stands for a personal number wherever equal numbers must be recognised (look-up cache, audit) and the
        number itself has no business. A plain hash would not do: all numbers can be tried out in minutes.
        """
        return self._digest(_SUBJECT_LABEL, "", value).hex()

    def subjects(self, values: pl.Series) -> pl.Series:
        """As `subject`, for many values, in their order; null gives null."""
        return self._digests(_SUBJECT_LABEL, "", values)

    def _digest(self, label: str, kind: str, value: str) -> bytes:
        return hmac.digest(self._key.encode(), (_framed(label) + _framed(kind) + value).encode(), "sha256")

    def _digests(self, label: str, kind: str, values: pl.Series) -> pl.Series:
        """HMACs as `_digest`, in hexadecimal."""
        messages = pl.lit(_framed(label) + _framed(kind)) + values.cast(pl.String)
        hashed = plh.col("message").chash.hmac_sha256(key=self._key)
        return pl.select(messages.alias("message")).select(hashed.alias(values.name)).to_series()


def _framed(text: str) -> str:
    """The text with its length in UTF-8 (four bytes, big endian) before it, so that no two inputs share a message.

    Labels and classes are shorter than 128 bytes: each byte of the length is one character.
    """
    return len(text.encode()).to_bytes(4, "big").decode("ascii") + text
