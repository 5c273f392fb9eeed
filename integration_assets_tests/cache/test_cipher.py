"""Encryption at rest: rotation, wrong keys, damage; the format is opened here by hand."""

import polars as pl
import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from integration_assets.cache.cipher import Cipher, CipherError

OLD, NEW = b"o" * 32, b"n" * 32


def test_layout_can_be_opened_without_the_class() -> None:
    sealed = Cipher({"k7": NEW}, "k7").seal("Ærø 0101701234".encode())
    assert sealed[:4] == b"\x01\x02k7"
    assert AESGCM(NEW).decrypt(sealed[4:16], sealed[16:], sealed[:4]).decode() == "Ærø 0101701234"


def test_keys_rotate() -> None:
    before = Cipher({"k1": OLD}, "k1").seal(b"value")
    rotated = Cipher({"k1": OLD, "k2": NEW}, "k2")
    assert rotated.open(before) == b"value"
    assert b"k2" in rotated.seal(b"value")[:4]
    with pytest.raises(CipherError, match="'k1', which is unknown"):
        Cipher({"k2": NEW}, "k2").open(before)


def test_same_value_is_sealed_differently_each_time() -> None:
    cipher = Cipher.from_secret("secret")
    assert cipher.seal(b"x") != cipher.seal(b"x")


@pytest.mark.parametrize("position", [2, 8, 18, -1])
def test_damage_is_noticed(position: int) -> None:
    cipher = Cipher.from_secret("secret")
    sealed = bytearray(cipher.seal(b"0101701234"))
    sealed[position] ^= 1
    with pytest.raises(CipherError):
        cipher.open(bytes(sealed))


@pytest.mark.parametrize("value", [b"", b"\x01", b"plain", b"\x01\x02k1", b"\x01\xffk1"])
def test_other_values_are_not_opened(value: bytes) -> None:
    with pytest.raises(CipherError) as failure:
        Cipher.from_secret("secret").open(value)
    assert "plain" not in str(failure.value)


def test_wrong_secret_has_a_clear_sentence_without_the_value() -> None:
    sealed = Cipher.from_secret("one").seal(b"0101701234")
    with pytest.raises(CipherError, match="cannot be opened: the key 'k1' is another one") as failure:
        Cipher.from_secret("two").open(sealed)
    assert failure.value.__cause__ is None
    assert failure.value.__suppress_context__


def test_secrets_are_needed_and_never_shown() -> None:
    assert "secret" not in repr(Cipher.from_secret("secret"))
    with pytest.raises(CipherError):
        Cipher.from_secret("")
    with pytest.raises(CipherError):
        Cipher({"k1": OLD}, "k2")


def test_series_keep_nulls_and_names() -> None:
    cipher = Cipher.from_secret("secret")
    values = pl.Series("number", ["0101701234", None, "", "æ"])
    sealed = cipher.seal_series(values)
    assert sealed.dtype == pl.Binary
    assert sealed.is_null().to_list() == [False, True, False, False]
    opened = cipher.open_series(sealed)
    assert opened.to_list() == values.to_list()
    assert opened.name == "number"
    assert cipher.open_series(sealed.clear()).dtype == pl.String
