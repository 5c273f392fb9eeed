"""Merging: what is written, what is left alone, what vanishes and returns."""

import math
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, date, datetime, timedelta
from typing import Any

import polars as pl
import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from integration_assets.cache.cipher import Cipher, CipherError
from integration_assets.cache.merge import MergeCounts, merge_partition, read_partition
from integration_assets_tests.cache.samples import CIPHER, NOW, SAMPLE, create, frame, row


@pytest.fixture
def store(cache: sa.Engine) -> sa.Engine:
    create(cache)
    return cache


def merge(engine: sa.Engine, rows: pl.DataFrame, *areas: str, now: datetime = NOW) -> MergeCounts:
    return merge_partition(engine, SAMPLE, areas or ("5000",), rows, cipher=CIPHER, as_of_now=now)


def read(engine: sa.Engine, *areas: str, include_vanished: bool = False) -> pl.DataFrame:
    return read_partition(engine, SAMPLE, areas or None, cipher=CIPHER, include_vanished=include_vanished)


def physical(engine: sa.Engine) -> dict[str, tuple[Any, ...]]:
    """Per key: where the row's version lies on disk, and its book-keeping instants."""
    with engine.connect() as connection:
        rows = connection.execute(
            sa.text("SELECT key, ctid::text, first_seen_at, changed_at, vanished_at FROM sample_rows")
        )
        return {key: tuple(rest) for key, *rest in rows}


def test_counts_and_content_of_a_second_merge(store: sa.Engine) -> None:
    merge(store, frame(row("a"), row("b"), row("c")))
    counts = merge(store, frame(row("d"), row("b", text="Vestergade 2"), row("a")))
    assert counts == MergeCounts(new=1, changed=1, unchanged=1, vanished=1)
    assert read(store).rows() == frame(row("a"), row("b", text="Vestergade 2"), row("d")).rows()
    assert read(store, include_vanished=True)["key"].to_list() == ["a", "b", "c", "d"]


def test_equal_rows_are_not_rewritten(store: sa.Engine) -> None:
    merge(store, frame(row("a"), row("b"), row("c")))
    before = physical(store)
    later = NOW + timedelta(days=1)
    merge(store, frame(row("c"), row("b", number=2), row("a")), now=later)
    after = physical(store)
    assert {key for key in after if after[key] != before[key]} == {"b"}
    assert after["b"][1:] == (NOW, later, None)


def test_a_row_that_returns_is_revived(store: sa.Engine) -> None:
    merge(store, frame(row("a"), row("b")))
    merge(store, frame(row("a")), now=NOW + timedelta(days=1))
    assert physical(store)["b"][1:] == (NOW, NOW, NOW + timedelta(days=1))
    assert merge(store, frame(row("a"), row("b")), now=NOW + timedelta(days=2)) == MergeCounts(1, 0, 1, 0)
    assert physical(store)["b"][1:] == (NOW, NOW + timedelta(days=2), None)
    assert merge(store, frame(row("a"), row("b"))) == MergeCounts(0, 0, 2, 0)


def test_partitions_are_apart_and_may_hold_the_same_key(store: sa.Engine) -> None:
    merge(store, frame(row("a"), row("a", "5200", text="other home")), "5000", "5200")
    assert merge(store, frame(), "5000") == MergeCounts(0, 0, 0, 1)
    assert read(store).rows() == frame(row("a", "5200", text="other home")).rows()
    assert merge(store, frame(row("a"), row("a", "5200")), "5000", "5200") == MergeCounts(1, 1, 0, 0)


def test_every_value_comes_back_as_it_was(store: sa.Engine) -> None:
    rows = frame(
        row("null", secret=None, text=None, number=None, amount=None, day=None, flag=None, instant=None),
        row("empty", secret="", text=""),
        row("marker", secret="\\N", text="\\N"),
        row("null text", text="null"),
        row("quotes", text='"Å", \'ø\'; \\ "" \t end', secret='a"b'),
        row("lines", text="one\ntwo\r\nthree\r", secret="\n"),
        row("end of copy", text="\\."),
        row("spaces", text="  both  "),
        row("unicode", text="e\u0301 \u00e9 \U0001f600 \u2028", secret="ÆØÅ"),
        row("infinite", amount=math.inf, number=2**63 - 1, day=date(1, 1, 1)),
        row("minus", amount=-math.inf, number=-(2**63), day=date(9999, 12, 31)),
        row("tiny", amount=5e-324, instant=datetime(1901, 1, 1, 0, 0, 0, 1, tzinfo=UTC), flag=False),
        row("sum", amount=0.1 + 0.2),
    )
    merge(store, rows)
    assert read(store).rows() == rows.sort("key").rows()
    assert merge(store, read(store)) == MergeCounts(0, 0, rows.height, 0)


def test_zero_without_its_sign_and_not_a_number_are_kept(store: sa.Engine) -> None:
    merge(store, frame(row("minus zero", amount=-0.0), row("not a number", amount=math.nan)))
    minus_zero, not_a_number = read(store)["amount"]
    assert math.copysign(1, minus_zero) == -1
    assert math.isnan(not_a_number)


def test_secrets_are_sealed_at_rest(store: sa.Engine) -> None:
    merge(store, frame(row("a", secret="0101701234")))
    with store.connect() as connection:
        stored = connection.execute(sa.text("SELECT secret, sample_rows::text FROM sample_rows")).one()
        packed = connection.execute(sa.text("SELECT packed FROM partition_fingerprint")).scalar_one()
    assert b"0101701234" not in bytes(stored[0])
    assert "0101701234" not in stored[1]
    assert b"0101701234" not in packed
    with pytest.raises(CipherError, match="another one"):
        read_partition(store, SAMPLE, None, cipher=Cipher.from_secret("another"))


@pytest.mark.parametrize(
    ("damage", "written"),
    [("DELETE FROM partition_fingerprint", 0), ("UPDATE partition_fingerprint SET algorithm = 'older'", 0)],
)
def test_snapshot_is_rebuilt_from_the_rows(store: sa.Engine, damage: str, written: int) -> None:
    rows = frame(row("a"), row("b", secret=None, amount=-0.0), row("gone"))
    merge(store, rows)
    merge(store, rows.head(2))
    before = physical(store)
    with store.begin() as connection:
        connection.execute(sa.text(damage))
    assert merge(store, rows.head(2)) == MergeCounts(0, written, 2, 0)
    assert physical(store) == before
    with store.connect() as connection:
        query = sa.text("SELECT row_count, algorithm <> 'older' FROM partition_fingerprint")
        assert connection.execute(query).one() == (2, True)
    assert merge(store, frame(row("a"), row("b", secret=None, amount=0.0))) == MergeCounts(0, 1, 1, 0)


def test_a_failed_merge_leaves_nothing(store: sa.Engine) -> None:
    merge(store, frame(row("a")))
    with pytest.raises(ValueError, match="NUL") as failure:
        merge(store, frame(row("a", number=2), row("b", text="half\x00way")))
    assert "half" not in str(failure.value)
    assert read(store).rows() == frame(row("a")).rows()
    assert merge(store, frame(row("a"))) == MergeCounts(0, 0, 1, 0)


@pytest.mark.parametrize(
    ("rows", "sentence"),
    [
        (frame(row("a"), row("a", number=2)), "come twice in a partition of sample_rows: a"),
        (frame(row("a", "2690")), "not asked for"),
        (frame(row("a") | {"key": None}), "have no key"),
        (frame(row("a")).drop("day"), "lacks the columns"),
    ],
)
def test_impossible_frames_are_refused(store: sa.Engine, rows: pl.DataFrame, sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        merge(store, rows)
    assert read(store).is_empty()


def test_empty_table_reads_as_an_empty_frame_of_the_schema(store: sa.Engine) -> None:
    assert read(store).schema == SAMPLE.schema
    assert merge(store, frame()) == MergeCounts(0, 0, 0, 0)


def test_merges_of_one_partition_at_the_same_time_both_hold(store: sa.Engine) -> None:
    versions = [frame(*(row(f"k{n}", number=version) for n in range(200))) for version in range(6)]
    with ThreadPoolExecutor(3) as pool:
        list(pool.map(lambda rows: merge(store, rows), versions))
    final = read(store)
    assert final.height == 200
    assert final["number"].n_unique() == 1
    assert merge(store, final) == MergeCounts(0, 0, 200, 0)


_VALUES = st.fixed_dictionaries(
    {
        "secret": st.sampled_from([None, "", "0101701234", "\\N"]),
        "text": st.sampled_from([None, "", "null", "\\N", '"', "a,b", "x\ny", " "]),
        "number": st.sampled_from([None, 0, 1, -1]),
        "amount": st.sampled_from([None, 0.0, 1.5]),
        "flag": st.sampled_from([None, True, False]),
    }
)
_DAYS = st.lists(
    st.dictionaries(
        st.sampled_from(["5000", "5200"]),
        st.dictionaries(st.sampled_from("abcdef"), _VALUES, max_size=6),
        min_size=1,
    ),
    min_size=1,
    max_size=5,
)


@given(days=_DAYS)
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_merging_day_after_day_equals_a_dict(store: sa.Engine, days: list[dict[str, dict[str, Any]]]) -> None:
    with store.begin() as connection:
        connection.execute(sa.text("TRUNCATE sample_rows, partition_fingerprint"))
    living: dict[tuple[str, str], dict[str, Any]] = {}
    seen: set[tuple[str, str]] = set()
    for day in days:
        rows = {(area, key): row(key, area, **values) for area, part in day.items() for key, values in part.items()}
        before = {identity: value for identity, value in living.items() if identity[0] in day}
        counts = merge(store, frame(*rows.values()), *day)
        assert counts == MergeCounts(
            new=len(rows.keys() - before.keys()),
            changed=sum(before[identity] != rows[identity] for identity in rows.keys() & before.keys()),
            unchanged=sum(before[identity] == rows[identity] for identity in rows.keys() & before.keys()),
            vanished=len(before.keys() - rows.keys()),
        )
        living = {identity: value for identity, value in living.items() if identity[0] not in day} | rows
        seen |= rows.keys()
    assert read(store).to_dicts() == [living[identity] for identity in sorted(living)]
    everything = read(store, include_vanished=True)
    assert set(everything.select("supply_area", "key").iter_rows()) == seen
