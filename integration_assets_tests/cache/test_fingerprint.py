"""Fingerprints: the documented algorithm, repeated by hand, and tricky rows that must differ."""

import hashlib
import math
import struct
from datetime import UTC, date, datetime, timedelta
from typing import Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from integration_assets.cache.fingerprint import algorithm, row_fingerprints

# XXH3 (64 bits, seed 0) as its authors publish it for the empty input, and for "a" and "abc".
XXH3 = {"": 0x2D06800538D394C2, "a": 0xE6C632B61E964E1F, "abc": 0x78AF5F94892F3950}
NULL = int.from_bytes(b"nullnull", "big")


def weight(signature: str) -> int:
    return int.from_bytes(hashlib.sha256(signature.encode()).digest()[:8], "little") | 1


def fingerprints(**columns: Any) -> list[int]:
    frame = pl.DataFrame(columns)
    return row_fingerprints(frame, frame.columns).to_list()


def test_texts_by_the_documented_steps() -> None:
    expected = [
        (weight("text:x") * XXH3[x] + weight("text:y") * (NULL if y is None else XXH3[y])) % 2**64
        for x, y in [("a", "abc"), ("abc", "a"), ("", None)]
    ]
    assert fingerprints(x=["a", "abc", ""], y=["abc", "a", None]) == expected


@pytest.mark.parametrize(
    ("kind", "value", "same_bytes"),
    [
        ("int", int.from_bytes(b"abcdefgh", "little"), "abcdefgh"),
        ("int", 0, "\0" * 8),
        ("float", struct.unpack("<d", b"abcdefgh")[0], "abcdefgh"),
        ("date", date(1970, 1, 1) + timedelta(days=ord("a") + 256 * ord("b")), "ab" + "\0" * 6),
        ("bool", True, "\1" + "\0" * 7),
        ("instant", datetime(1970, 1, 1, 0, 0, 0, ord("z"), tzinfo=UTC), "z" + "\0" * 7),
    ],
)
def test_other_types_hash_their_eight_bytes(kind: str, value: object, same_bytes: str) -> None:
    as_text = fingerprints(c=[same_bytes])[0]
    xxh3 = as_text * pow(weight("text:c"), -1, 2**64) % 2**64
    assert fingerprints(c=[value, None]) == [weight(f"{kind}:c") * xxh3 % 2**64, weight(f"{kind}:c") * NULL % 2**64]


def test_order_of_columns_and_rows_and_chunks_do_not_matter() -> None:
    frame = pl.DataFrame({f"c{n}": [f"{n}{row}" for row in range(50)] for n in range(19)})
    found = row_fingerprints(frame, frame.columns)
    assert row_fingerprints(frame, frame.columns[::-1]).to_list() == found.to_list()
    assert row_fingerprints(frame.reverse(), frame.columns).to_list() == found.to_list()[::-1]
    chunked = pl.concat([frame.slice(0, 7), frame.slice(7)], rechunk=False)
    assert row_fingerprints(chunked, frame.columns).to_list() == found.to_list()
    assert row_fingerprints(frame.clear(), frame.columns).to_list() == []


TRICKY = [None, "", "null", "None", "\x00", "\x1f", "\x1e", ",", "|", '"', "a", "a,", ",a", "é", "e\u0301", " ", "a "]
TRICKY += ["0", "-0", "\\N", "ÿ", "\u2028", "😀"]


def test_all_pairs_of_tricky_texts_differ() -> None:
    pairs = [(x, y) for x in TRICKY for y in TRICKY]
    found = fingerprints(x=[x for x, _ in pairs], y=[y for _, y in pairs])
    assert len(set(found)) == len(pairs)


def test_tricky_numbers_differ() -> None:
    numbers = [None, 0.0, -0.0, 5e-324, math.inf, -math.inf, math.nan, 1.0, 1 + 2**-52]
    assert len(set(fingerprints(x=numbers))) == len(numbers)
    other_nan = pl.Series([0x7FF8000000000001]).to_arrow().view("float64")
    frame = pl.DataFrame({"x": pl.concat([pl.Series(other_nan), pl.Series([math.nan])])})
    assert row_fingerprints(frame, ["x"]).n_unique() == 1


def test_type_and_name_of_a_column_count() -> None:
    frame = pl.DataFrame({"x": ["1"], "y": ["1"], "z": [1], "flag": [True]})
    assert len({row_fingerprints(frame, [name])[0] for name in frame.columns}) == 4


def test_types_without_an_encoding_are_refused() -> None:
    with pytest.raises(TypeError, match="List"):
        row_fingerprints(pl.DataFrame({"x": [[1]]}), ["x"])


def test_algorithm_names_the_columns_it_was_used_on() -> None:
    schema = pl.Schema({"a": pl.String, "b": pl.Int64})
    assert algorithm(schema) == algorithm(pl.Schema({"b": pl.Int64, "a": pl.String}))
    others = [
        pl.Schema({"a": pl.String}),
        pl.Schema({"a": pl.String, "b": pl.String}),
        pl.Schema({"a\ntext:b": pl.String}),
    ]
    assert len({algorithm(schema), *(algorithm(other) for other in others)}) == 4


_ROW = st.tuples(
    st.none() | st.text(max_size=8) | st.sampled_from(TRICKY),
    st.none() | st.text(max_size=8) | st.sampled_from(TRICKY),
    st.none() | st.integers(-(2**63), 2**63 - 1),
    st.none() | st.booleans(),
    st.none() | st.dates(),
)


@given(rows=st.lists(_ROW, min_size=2, max_size=30, unique_by=lambda row: (row, [type(v) for v in row].__repr__())))
@settings(max_examples=100, deadline=None)
def test_different_rows_have_different_fingerprints(rows: list[tuple[Any, ...]]) -> None:
    schema = {"a": pl.String, "b": pl.String, "n": pl.Int64, "f": pl.Boolean, "d": pl.Date}
    frame = pl.DataFrame(rows, schema=schema, orient="row")
    found = row_fingerprints(frame, frame.columns)
    assert found.n_unique() == len(rows)
    assert row_fingerprints(frame, frame.columns).to_list() == found.to_list()
