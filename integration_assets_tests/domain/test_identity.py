"""Object ids: what RFC 9562 demands, what makes them usable as keys, and the values that must never change."""

import uuid

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from integration_assets.domain.identity import ObjectIds

IDS = ObjectIds("sixteen byte key")
KEYED = st.tuples(st.sampled_from(["person", "company", "agreement", ""]) | st.text(max_size=5), st.text(max_size=12))


@given(KEYED)
def test_every_id_is_a_uuid_of_version_8_and_the_rfc_variant(keyed: tuple[str, str]) -> None:
    made = IDS.of(*keyed)
    assert made.version == 8
    assert made.variant == uuid.RFC_4122
    assert made == IDS.of(*keyed)


@given(st.sets(KEYED, max_size=40))
def test_distinct_classes_and_keys_have_distinct_ids(keyed: set[tuple[str, str]]) -> None:
    assert len({IDS.of(*pair) for pair in keyed}) == len(keyed)


def test_the_border_between_class_and_key_counts() -> None:
    assert IDS.of("ab", "c") != IDS.of("a", "bc")


def test_another_key_gives_other_ids() -> None:
    other = ObjectIds("another key of more bytes")
    assert other.of("person", "0101701234") != IDS.of("person", "0101701234")
    assert other.subject("0101701234") != IDS.subject("0101701234")


def test_ids_are_those_of_openssl() -> None:
    # openssl dgst -sha256 -hmac "sixteen byte key" over the length-prefixed message gives 0edf5cc7c685 073c aabe...;
    # only the version nibble differs from it (the variant bits happen to be right).
    assert str(IDS.of("person", "0101701234")) == "0edf5cc7-c685-873c-aabe-d5c46b65e0b4"
    assert IDS.subject("0101701234") == "bfa197116c21b95776f5b2ab7c78f485e2d7392bfd5ad4230dbfc7931bd2042c"


@given(st.text(max_size=12))
def test_a_subject_is_no_object_id(value: str) -> None:
    assert uuid.UUID(IDS.subject(value)[:32]) != IDS.of("", value)
    assert len(IDS.subject(value)) == 64


def test_a_series_keeps_order_and_nulls() -> None:
    keys = pl.Series("customer_number", ["2", None, "1", "2"])
    ids = IDS.series("agreement", keys)
    assert ids.name == "customer_number"
    assert ids.dtype == pl.String
    assert ids.to_list() == [str(IDS.of("agreement", "2")), None, str(IDS.of("agreement", "1")), ids[0]]


@pytest.mark.parametrize("values", [[], [None, None]])
def test_a_series_of_nothing_is_a_series_of_nothing(values: list[None]) -> None:
    assert IDS.series("agreement", pl.Series(values, dtype=pl.String)).to_list() == values


def test_the_key_is_not_short_and_never_shown() -> None:
    with pytest.raises(ValueError, match="16 bytes"):
        ObjectIds("short")
    assert "sixteen" not in repr(IDS)
