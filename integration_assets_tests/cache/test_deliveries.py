"""Desired against delivered: what is written, claimed, retried and read back."""

import contextlib
import json
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, date, datetime, timedelta
from typing import Any

import polars as pl
import pytest
import sqlalchemy as sa

from integration_assets.cache.cipher import Cipher
from integration_assets.cache.deliveries import Deliveries, DesireCounts, Outcome

NOW = datetime(2024, 5, 1, 6, 0, tzinfo=UTC)
PERIODS = pl.List(pl.Struct({"installation_id": pl.String, "from": pl.Date, "to": pl.Date}))


@pytest.fixture
def deliveries(cache: sa.Engine) -> Deliveries:
    cipher = Cipher.from_secret("tests")
    return Deliveries(cache, cipher, sealed_entities=frozenset({"customers"}), backoff_base_seconds=60)


def objects(*names: str, area: str = "5000", value: int = 1) -> pl.DataFrame:
    return pl.DataFrame(
        {
            "object_id": [f"id-{name}" for name in names],
            "business_key": [name.upper() for name in names],
            "supply_area": [area] * len(names),
            "name": list(names),
            "value": [value] * len(names),
        },
        schema_overrides={"object_id": pl.String, "business_key": pl.String, "name": pl.String},
    )


def deliver(
    deliveries: Deliveries,
    *,
    entity: str = "agreements",
    now: datetime = NOW,
    failing: Sequence[str] = (),
    **outcome: Any,
) -> list[str]:
    """Deliver everything that is due; returns the business keys in the order in which they were handed out."""
    with deliveries.claim("lora", entity, 1000, now) as claim:
        claim.record(
            [
                Outcome(row.object_id, False, error_code="500", error_text="broken", **outcome)
                if row.object_id in failing
                else Outcome(row.object_id, True, external_ref=f"ref {row.object_id}")
                for row in claim.rows
            ]
        )
        return [row.business_key for row in claim.rows]


def delivery_row(engine: sa.Engine, object_id: str) -> dict[str, Any]:
    with engine.connect() as connection:
        query = sa.text("SELECT *, ctid::text AS place FROM delivery WHERE object_id = :id")
        return dict(connection.execute(query, {"id": object_id}).mappings().one())


def test_what_would_be_counted_is_counted_without_being_stated(deliveries: Deliveries, cache: sa.Engine) -> None:
    deliveries.desire("lora", "agreements", objects("a", "b", "c"))
    deliver(deliveries, failing=["id-c"])
    with cache.begin() as connection:  # a repair is due, and says nothing new
        connection.execute(sa.text("UPDATE delivery SET delivered_fingerprint = NULL WHERE object_id = 'id-a'"))
    before = [delivery_row(cache, f"id-{name}") for name in "abc"]
    wanted = pl.concat([objects("a", "c", "d"), objects("b", value=2)])
    counts = deliveries.compare("lora", "agreements", wanted)
    assert counts == DesireCounts(new=1, changed=1, unchanged=2)
    assert [delivery_row(cache, f"id-{name}") for name in "abc"] == before
    assert deliveries.difference("lora", "agreements", wanted).height == 4, "what is sent is more: a repair, a failure"
    assert deliveries.desire("lora", "agreements", wanted) == counts
    assert deliveries.compare("lora", "agreements", wanted) == DesireCounts(0, 0, 4)


def test_only_differences_are_written_and_sent(deliveries: Deliveries, cache: sa.Engine) -> None:
    assert deliveries.desire("lora", "agreements", objects("b", "a", "c")) == DesireCounts(3, 0, 0)
    assert deliver(deliveries) == ["A", "B", "C"]
    before = {name: delivery_row(cache, f"id-{name}") for name in "abc"}
    changed = pl.concat([objects("a", "c"), objects("b", value=2)])
    assert deliveries.desire("lora", "agreements", changed) == DesireCounts(0, 1, 2)
    after = {name: delivery_row(cache, f"id-{name}") for name in "abc"}
    assert [name for name in "abc" if before[name] != after[name]] == ["b"]
    assert deliver(deliveries) == ["B"]
    assert deliver(deliveries) == []


def test_partial_frames_and_other_entities_touch_nothing_else(deliveries: Deliveries) -> None:
    deliveries.desire("lora", "agreements", objects("a", "b"))
    deliveries.desire("crm", "agreements", objects("a", value=5))
    deliveries.desire("lora", "installations", objects("a", value=6))
    deliver(deliveries)
    assert deliveries.desire("lora", "agreements", objects("b", value=2)) == DesireCounts(0, 1, 0)
    assert deliveries.counts("lora", "agreements") == {"delivered": 1, "waiting": 1}
    assert deliveries.counts("crm", "agreements") == {"waiting": 1}
    assert deliveries.desire("lora", "agreements", objects()) == DesireCounts(0, 0, 0)


def test_going_back_to_what_was_delivered_needs_no_sending(deliveries: Deliveries) -> None:
    deliveries.desire("lora", "agreements", objects("a", value=1))
    deliver(deliveries)
    deliveries.desire("lora", "agreements", objects("a", value=2))
    deliveries.desire("lora", "agreements", objects("a", value=1))
    assert deliveries.counts("lora", "agreements") == {"delivered": 1}
    assert deliver(deliveries) == []


def test_areas_are_united_without_a_new_delivery(deliveries: Deliveries) -> None:
    deliveries.desire("lora", "agreements", objects("a", area="5200"))
    deliver(deliveries)
    assert deliveries.desire("lora", "agreements", objects("a", area="2690")) == DesireCounts(0, 0, 1)
    assert deliver(deliveries) == []
    for areas in (["5200"], ["2690"], ["2690", "5200"], None):
        assert deliveries.counts("lora", "agreements", areas) == {"delivered": 1}
    assert deliveries.counts("lora", "agreements", ["5000"]) == {}


def test_an_object_of_several_areas_has_an_equal_row_for_each(deliveries: Deliveries) -> None:
    rows = pl.concat([objects("a", "b"), objects("a", area='odd "{\\,} area'), objects("a", area="2690")])
    assert deliveries.desire("lora", "agreements", rows) == DesireCounts(2, 0, 0)
    assert deliveries.desire("lora", "agreements", rows.reverse()) == DesireCounts(0, 0, 2)
    assert deliveries.difference("lora", "agreements", rows)["business_key"].to_list() == ["A", "B"]
    desired = deliveries.desired("lora", "agreements", None, pl.Schema({"value": pl.Int64}))
    assert desired.select("object_id", "supply_area").rows() == [
        ("id-a", "2690"),
        ("id-a", "5000"),
        ("id-a", 'odd "{\\,} area'),
        ("id-b", "5000"),
    ]
    assert deliver(deliveries) == ["A", "B"]


@pytest.mark.parametrize(
    ("again", "sentence"),
    [
        (objects("a"), "1 objects are desired more than once: A"),
        (objects("a", area="5200", value=2), "1 objects are desired more than once: A"),
        (objects("c").with_columns(supply_area=pl.lit(None, pl.String)), "1 keys or supply areas"),
    ],
)
def test_contradictions_in_a_frame_are_refused(deliveries: Deliveries, again: pl.DataFrame, sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        deliveries.desire("lora", "agreements", pl.concat([objects("a", "b"), again]))
    assert deliveries.object_ids("lora", "agreements", None) == []


def test_failures_wait_twice_as_long_each_time_up_to_a_day(deliveries: Deliveries, cache: sa.Engine) -> None:
    deliveries.desire("lora", "agreements", objects("a", "b"))
    now, waits = NOW, []
    for _ in range(13):
        deliver(deliveries, now=now, failing=["id-a"])
        row = delivery_row(cache, "id-a")
        waits.append((row["next_attempt_at"] - now).total_seconds())
        assert deliver(deliveries, now=row["next_attempt_at"] - timedelta(seconds=1)) == []
        now = row["next_attempt_at"]
    assert waits == [60 * 2**n for n in range(11)] + [86400, 86400]
    assert (row["state"], row["attempts"], row["error_code"], row["error_text"]) == ("failed", 13, "500", "broken")
    assert deliver(deliveries, now=now) == ["A"]
    row = delivery_row(cache, "id-a")
    assert (row["state"], row["attempts"], row["error_code"], row["external_ref"]) == ("delivered", 0, None, "ref id-a")


def test_a_permanent_failure_waits_a_day_and_a_new_payload_frees_it(deliveries: Deliveries, cache: sa.Engine) -> None:
    deliveries.desire("lora", "agreements", objects("a"))
    deliver(deliveries, failing=["id-a"], permanent=True)
    assert delivery_row(cache, "id-a")["next_attempt_at"] == NOW + timedelta(days=1)
    assert deliveries.due(NOW).is_empty()
    assert not deliveries.is_busy("lora", "agreements", NOW)
    deliveries.desire("lora", "agreements", objects("a"))
    assert deliver(deliveries) == []
    deliveries.desire("lora", "agreements", objects("a", value=2))
    assert delivery_row(cache, "id-a")["attempts"] == 0
    assert deliveries.due(NOW).rows() == [("lora", "agreements", "5000", 1)]
    assert deliver(deliveries) == ["A"]


def test_due_counts_an_object_once_under_its_smallest_area(deliveries: Deliveries) -> None:
    deliveries.desire("lora", "agreements", objects("a", "b", area="5200"))
    deliveries.desire("lora", "agreements", objects("a", area="2690"))
    deliveries.desire("crm", "contacts", objects("c", area="5000"))
    due = deliveries.due(NOW)
    assert due.rows() == [
        ("crm", "contacts", "5000", 1),
        ("lora", "agreements", "2690", 1),
        ("lora", "agreements", "5200", 1),
    ]
    assert due.columns == ["system", "entity", "supply_area", "count"]


def test_claims_never_overlap_and_a_failed_claim_records_nothing(deliveries: Deliveries) -> None:
    deliveries.desire("lora", "agreements", objects(*"abcd"))
    with (
        deliveries.claim("lora", "agreements", 2, NOW) as first,
        deliveries.claim("lora", "agreements", 9, NOW) as second,
    ):
        assert [row.business_key for row in first.rows] == ["A", "B"]
        assert [row.business_key for row in second.rows] == ["C", "D"]
        assert deliveries.is_busy("lora", "agreements", NOW)
        second.record([Outcome("id-c", True)])
        with pytest.raises(ValueError, match="id-a"):
            second.record([Outcome("id-a", True)])
    assert deliveries.counts("lora", "agreements") == {"delivered": 1, "waiting": 3}
    with contextlib.suppress(KeyError), deliveries.claim("lora", "agreements", 9, NOW) as claim:
        claim.record([Outcome("id-a", True)])
        raise KeyError
    assert deliveries.counts("lora", "agreements") == {"delivered": 1, "waiting": 3}
    with deliveries.claim("lora", "agreements", 9, NOW, areas=["2690"]) as claim:
        assert claim.rows == []


def test_claimed_rows_carry_both_payloads(deliveries: Deliveries) -> None:
    rows = objects("a").with_columns(
        pl.Series("installations", [[{"installation_id": "i", "from": date(2024, 1, 1), "to": None}]], dtype=PERIODS),
        pl.Series("day", [date(2024, 2, 29)]),
        pl.Series("none", [None], dtype=pl.String),
    )
    deliveries.desire("lora", "agreements", rows)
    expected = {
        "name": "a",
        "value": 1,
        "installations": [{"installation_id": "i", "from": "2024-01-01", "to": None}],
        "day": "2024-02-29",
        "none": None,
    }
    with deliveries.claim("lora", "agreements", 1, NOW) as claim:
        assert (claim.rows[0].desired, claim.rows[0].delivered) == (expected, None)
        claim.record([Outcome("id-a", True)])
    deliveries.desire("lora", "agreements", rows.with_columns(value=pl.lit(2)))
    with deliveries.claim("lora", "agreements", 1, NOW) as claim:
        assert (claim.rows[0].desired, claim.rows[0].delivered) == (expected | {"value": 2}, expected)
        assert "installation" not in repr(claim.rows[0])


def test_difference_shows_what_a_delivery_would_send_and_writes_nothing(deliveries: Deliveries) -> None:
    deliveries.desire("lora", "agreements", objects("a", "b", "d"))
    deliver(deliveries, failing=["id-d"])
    planned = pl.concat([objects("c", "a", "d"), objects("b", value=2)])
    shown = deliveries.difference("lora", "agreements", planned)
    assert shown.select("object_id", "business_key", "change").rows() == [
        ("id-b", "B", "update"),
        ("id-c", "C", "create"),
        ("id-d", "D", "create"),
    ]
    assert [None if text is None else json.loads(text)["value"] for text in shown["before"]] == [1, None, None]
    assert [json.loads(text)["value"] for text in shown["after"]] == [2, 1, 1]
    assert deliveries.counts("lora", "agreements") == {"delivered": 2, "failed": 1}
    assert deliveries.difference("lora", "agreements", objects("a")).is_empty()


def test_another_fingerprint_algorithm_sends_nothing_again(deliveries: Deliveries, cache: sa.Engine) -> None:
    deliveries.desire("lora", "agreements", objects("a", "b", "c"))
    deliver(deliveries, failing=["id-c"])
    deliveries.record_found("lora", "agreements", {"id-a": {"name": "a"}})
    with cache.begin() as connection:
        connection.execute(
            sa.text(
                "UPDATE delivery SET desired_fingerprint = desired_fingerprint + 1, found_of = found_of + 1, "
                "delivered_fingerprint = delivered_fingerprint + 1, "
                "desired = convert_to(replace(convert_from(desired, 'UTF8'), ',', ' , '), 'UTF8')"
            )
        )
    assert deliveries.difference("lora", "agreements", objects("a", "b")).is_empty()
    assert deliveries.desire("lora", "agreements", objects("a", "b", "c")) == DesireCounts(0, 0, 3)
    assert deliver(deliveries) == []
    assert list(deliveries.unread("lora", "agreements", None)) == ["id-b"]
    assert deliveries.counts("lora", "agreements") == {"delivered": 2, "failed": 1}
    assert deliveries.desire("lora", "agreements", objects("a", value=2)) == DesireCounts(0, 1, 0)


def test_a_new_column_without_values_changes_nothing(deliveries: Deliveries) -> None:
    deliveries.desire("lora", "customers", objects("a", "b", "c"))
    deliver(deliveries, entity="customers", failing=["id-c"])
    more = objects("a", "b", "c").with_columns(email=pl.lit(None, pl.String))
    assert deliveries.difference("lora", "customers", more)["change"].to_list() == ["create"]
    seen: list[DesireCounts] = []
    assert deliveries.desire("lora", "customers", more, check=seen.append) == DesireCounts(0, 0, 3)
    assert seen == [DesireCounts(0, 0, 3)]
    assert deliver(deliveries, entity="customers") == []
    # What is sent later has the column.
    with deliveries.claim("lora", "customers", 9, NOW + timedelta(days=1)) as claim:
        assert [row.desired for row in claim.rows] == [{"name": "c", "value": 1, "email": None}]
    filled = more.with_columns(email=pl.when(pl.col("name") == "b").then(pl.lit("b@example.dk")))
    assert deliveries.desire("lora", "customers", filled) == DesireCounts(0, 1, 2)
    with deliveries.claim("lora", "customers", 9, NOW) as claim:
        assert [row.delivered for row in claim.rows] == [{"name": "b", "value": 1, "email": None}]
    # Taken back, and without the column again.
    assert deliveries.desire("lora", "customers", more) == DesireCounts(0, 1, 2)
    assert deliveries.desire("lora", "customers", objects("a", "b", "c")) == DesireCounts(0, 0, 3)
    assert deliver(deliveries, entity="customers") == []


def test_reading_back(deliveries: Deliveries) -> None:
    schema = pl.Schema({"name": pl.String, "from": pl.Date, "open": pl.Boolean, "installations": PERIODS})
    assert deliveries.found("lora", "agreements", None, schema).schema["installations"] == PERIODS
    deliveries.desire("lora", "agreements", objects("a", "b", area="5200"))
    deliveries.desire("lora", "agreements", objects("b", area="2690"))
    assert list(deliveries.unread("lora", "agreements", None)) == []
    deliver(deliveries)
    assert list(deliveries.unread("lora", "agreements", ["5200"])) == ["id-a", "id-b"]
    assert list(deliveries.unread("lora", "agreements", ["2690"])) == ["id-b"]
    period = {"installation_id": "i", "from": date(2024, 1, 1), "to": None}
    deliveries.record_found(
        "lora",
        "agreements",
        {
            "id-b": {"name": "Ærø", "from": date(2024, 2, 29), "open": True, "installations": [period]},
            "id-a": {"name": None, "from": None, "open": None, "installations": []},
            "id-unknown": {"name": "x"},
        },
    )
    assert list(deliveries.unread("lora", "agreements", None)) == []
    found = deliveries.found("lora", "agreements", None, schema)
    assert found.schema == pl.Schema(
        {"object_id": pl.String, "business_key": pl.String, "supply_area": pl.String, **schema}
    )
    assert found.rows() == [
        ("id-a", "A", "5200", None, None, None, []),
        ("id-b", "B", "2690", "Ærø", date(2024, 2, 29), True, [period]),
        ("id-b", "B", "5200", "Ærø", date(2024, 2, 29), True, [period]),
    ]
    assert deliveries.found("lora", "agreements", ["5200"], schema)["supply_area"].to_list() == ["5200", "5200"]
    assert deliveries.found("lora", "agreements", ["2690"], schema)["object_id"].to_list() == ["id-b"]
    deliveries.desire("lora", "agreements", objects("a", value=2))
    assert list(deliveries.unread("lora", "agreements", None)) == []
    deliver(deliveries)
    assert list(deliveries.unread("lora", "agreements", None)) == ["id-a"]


def test_payloads_of_sealed_entities_are_sealed_at_rest(deliveries: Deliveries, cache: sa.Engine) -> None:
    person = objects("a").with_columns(number=pl.lit("0101701234"))
    deliveries.desire("lora", "customers", person)
    with deliveries.claim("lora", "customers", 1, NOW) as claim:
        assert claim.rows[0].desired["number"] == "0101701234"
        claim.record([Outcome("id-a", True)])
    deliveries.record_found("lora", "customers", {"id-a": {"number": "0101701234"}})
    row = delivery_row(cache, "id-a")
    for name in ("desired", "delivered", "found"):
        assert b"0101701234" not in bytes(row[name])
    assert b"name" not in bytes(row["desired"])
    found = deliveries.found("lora", "customers", None, pl.Schema({"number": pl.String}))
    assert found["number"].to_list() == ["0101701234"]
    assert deliveries.desire("lora", "customers", person) == DesireCounts(0, 0, 1)
    deliveries.desire("lora", "agreements", person.with_columns(object_id=pl.lit("plain")))
    assert json.loads(bytes(delivery_row(cache, "plain")["desired"]))["number"] == "0101701234"


def test_desiring_the_same_objects_at_the_same_time(deliveries: Deliveries) -> None:
    names = [f"n{number:03}" for number in range(300)]
    frames = [objects(*(names if turn % 2 else names[::-1]), area=str(5000 + turn), value=turn) for turn in range(8)]
    with ThreadPoolExecutor(4) as pool:
        results = list(pool.map(lambda frame: deliveries.desire("lora", "agreements", frame), frames))
    assert sum(result.new for result in results) >= 300
    with deliveries.claim("lora", "agreements", 1000, NOW) as claim:
        assert len({row.desired["value"] for row in claim.rows}) == 1
        assert len(claim.rows) == 300
    assert deliveries.counts("lora", "agreements", ["5007"]) == {"waiting": 300}
    assert deliveries.counts("lora", "agreements", ["5000"]) == {"waiting": 300}


def test_a_delivery_between_asking_and_recording_leaves_the_object_unread(deliveries: Deliveries) -> None:
    def deliver(name: str) -> None:
        desired = pl.DataFrame({"object_id": ["id-a"], "business_key": ["1"], "supply_area": ["5000"], "name": [name]})
        deliveries.desire("lora", "agreements", desired)
        with deliveries.claim("lora", "agreements", 10, datetime.now(UTC)) as claim:
            claim.record([Outcome("id-a", ok=True)])

    deliver("old")
    asked = deliveries.unread("lora", "agreements", None)
    deliver("new")
    deliveries.record_found("lora", "agreements", {"id-a": {"name": "old"}}, of=asked)

    assert list(deliveries.unread("lora", "agreements", None)) == ["id-a"]


def test_of_rows_that_differ_the_former_ones_are_given_and_no_others(deliveries: Deliveries) -> None:
    schema = pl.Schema({"name": pl.String, "value": pl.Int64})
    deliveries.desire("lora", "customers", objects("a", "b"))
    deliveries.desire("lora", "agreements", objects("a", value=7))
    changed = pl.concat([objects("a"), objects("b", "c", value=2), objects("b", area="4000", value=2)])
    before = deliveries.before("lora", "customers", changed, schema)
    assert before.rows(named=True) == [{"object_id": "id-b", "name": "b", "value": 1}]
    assert deliveries.before("lora", "customers", objects("a", "b"), schema).is_empty()
