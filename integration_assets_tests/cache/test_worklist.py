"""The worklist page by page, against the plain list of everything, sorted in Python."""

from datetime import UTC, date, datetime, timedelta
from itertools import pairwise

import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from integration_assets.cache.acknowledgements import Acknowledgements
from integration_assets.cache.tables import delivery, rejection
from integration_assets.cache.worklist import Filter, Worklist
from integration_assets.cache.worklist_position import Position

NOW = datetime(2026, 3, 2, 10, 0, tzinfo=UTC)
DAYS = [date(2026, 2, day) for day in (1, 2, 3)]
MOMENTS = [datetime(2026, 2, day, hour, tzinfo=UTC) for day in (1, 2) for hour in (0, 6)]


def add_rejection(connection: sa.Connection, number: int, first_on: date, **given: object) -> None:
    usual = {
        "asset": "kmd_ee/customers", "supply_area": "7600", "record_key": f"k{number}", "reason": "unreadable_dates",
        "text": "t", "customer_number": f"20000{number}", "attempts": 2, "next_attempt_on": date(2026, 3, 9),
        "first_on": first_on, "closed_on": None,
    }  # fmt: skip
    connection.execute(rejection.insert().values({**usual, **given}))


def add_delivery(connection: sa.Connection, object_id: str, desired_at: datetime, **given: object) -> None:
    usual = {
        "system": "crm", "entity": "contacts", "object_id": object_id, "business_key": object_id, "areas": ["7600"],
        "desired": b"{}", "desired_fingerprint": 1, "desired_at": desired_at, "state": "failed", "attempts": 3,
        "next_attempt_at": NOW + timedelta(hours=3), "error_code": "429", "error_text": "busy",
    }  # fmt: skip
    connection.execute(delivery.insert().values({**usual, **given}))


def forwards(worklist: Worklist, wanted: Filter, size: int) -> list[list[tuple[str, str]]]:
    pages, place = [], None
    for _ in range(100):
        page = worklist.page(wanted, NOW, size, after=place)
        pages.append([(item.kind, item.key) for item in page.items])
        if not page.after:
            return pages
        place = Position.parse(page.end.text())
    raise AssertionError("the list does not end")


def backwards(worklist: Worklist, wanted: Filter, size: int) -> list[list[tuple[str, str]]]:
    page = worklist.page(wanted, NOW, size)
    while page.after:
        page = worklist.page(wanted, NOW, size, after=page.end)
    pages = [[(item.kind, item.key) for item in page.items]]
    while page.before:
        page = worklist.page(wanted, NOW, size, before=Position.parse(page.start.text()))
        pages.insert(0, [(item.kind, item.key) for item in page.items])
    return pages


@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.lists(st.sampled_from(DAYS), max_size=7),
    st.lists(
        st.tuples(st.sampled_from(MOMENTS), st.sampled_from(["contacts", "customers", "customer_roles"])), max_size=7
    ),
    st.integers(1, 5),
    st.booleans(),
)
def test_pages_hold_everything_once_and_in_order(
    cache: sa.Engine, days: list[date], sent: list[tuple[datetime, str]], size: int, newest_first: bool
) -> None:
    with cache.begin() as connection:
        connection.execute(rejection.delete())
        connection.execute(delivery.delete())
        for number, day in enumerate(days):
            add_rejection(connection, number, day)
        for number, (moment, entity) in enumerate(sent):
            add_delivery(connection, f"o{number}", moment, entity=entity)
        ids = connection.execute(sa.select(rejection.c.rejection_id, rejection.c.first_on)).all()
    expected = sorted(
        [(datetime.combine(row.first_on, datetime.min.time(), UTC), "rejection", str(row.rejection_id)) for row in ids]
        + [(moment, "delivery", f"crm/{entity}/o{number}") for number, (moment, entity) in enumerate(sent)],
        reverse=newest_first,
    )
    worklist, wanted = Worklist(cache), Filter(newest_first=newest_first)
    pages = forwards(worklist, wanted, size)
    told = [item for page in pages for item in page]
    assert sorted(told) == sorted((kind, key) for _, kind, key in expected)
    since = {(kind, key): moment for moment, kind, key in expected}
    ages = [since[item] for item in told]
    assert all((one >= other) if newest_first else (one <= other) for one, other in pairwise(ages))
    assert all(len(page) == size for page in pages[:-1])
    back = backwards(worklist, wanted, size)
    assert [item for page in back for item in page] == told
    assert [(item.kind, item.key) for item in worklist.all(wanted, NOW, batch=size)] == told


@pytest.fixture
def several(cache: sa.Engine) -> Worklist:
    with cache.begin() as connection:
        add_rejection(connection, 1, DAYS[0])
        add_rejection(connection, 2, DAYS[1], reason="no_id_number", asset="resolved/customers", supply_area="5000")
        add_rejection(connection, 3, DAYS[2], closed_on=DAYS[2])
        add_rejection(
            connection, 4, DAYS[2], asset="kmd_ee/installations", record_key="50_1|M1|2010-02-13", customer_number=None,
            reason="unreadable_meter",
        )  # fmt: skip
        add_rejection(connection, 5, DAYS[2], record_key="5001|M1|2010-02-13", customer_number=None)
        add_delivery(connection, "a", MOMENTS[0], state="refused", error_code="0x80040237")
        add_delivery(
            connection, "b", MOMENTS[1], entity="installations", business_key="5000001", areas=["5000", "7600"]
        )
        add_delivery(connection, "c", MOMENTS[1], state="waiting", error_code=None)
        add_delivery(connection, "d", MOMENTS[1], state="delivered", error_code=None)
    return Worklist(cache)


@pytest.mark.parametrize(
    ("wanted", "keys"),
    [
        (Filter(), ["k1", "a", "k2", "b", "50_1|M1|2010-02-13", "5001|M1|2010-02-13"]),
        (Filter(kind="delivery"), ["a", "5000001"]),
        (Filter(reason="no_id_number"), ["k2"]),
        (Filter(reason="429"), ["5000001"]),
        (Filter(asset="kmd_ee/installations"), ["50_1|M1|2010-02-13"]),
        (Filter(asset="crm/installations"), ["5000001"]),
        (Filter(area="5000"), ["5000001", "k2"]),
        (Filter(number="200001"), ["k1"]),
        (Filter(number="5000001"), ["5000001"]),
        # The beginning of a meter's key, and an underscore that is no wild card.
        (Filter(number="50_1"), ["50_1|M1|2010-02-13"]),
        (Filter(number="%"), []),
        (Filter(number="' OR true --"), []),
        (Filter(until=DAYS[1]), ["k1", "a", "k2", "b"]),
        (Filter(until=date(2026, 1, 31)), []),
    ],
)
def test_filters(several: Worklist, wanted: Filter, keys: list[str]) -> None:
    found = {item.record_key for item in several.page(wanted, NOW, 50).items}
    assert found == {"5000001" if key == "b" else key for key in keys}


def test_items_tell_numbers_attempts_and_state(several: Worklist) -> None:
    items = {item.record_key: item for item in several.page(Filter(), NOW, 50).items}
    meter, sent = items["50_1|M1|2010-02-13"], items["5000001"]
    assert (meter.customer_number, meter.installation_number, meter.attempts) == (None, "50_1", 2)
    assert (sent.installation_number, sent.customer_number, tuple(sent.areas)) == ("5000001", None, ("5000", "7600"))
    assert (sent.state, items["a"].state, items["k1"].state) == ("failed", "refused", "open")


def test_reasons_are_counted_by_kind(several: Worklist) -> None:
    counts = {(each.kind, each.reason): each.count for each in several.reasons()}
    assert counts == {
        ("rejection", "unreadable_dates"): 2, ("rejection", "no_id_number"): 1, ("rejection", "unreadable_meter"): 1,
        ("delivery", "0x80040237"): 1, ("delivery", "429"): 1,
    }  # fmt: skip


def test_what_is_acknowledged_leaves_the_list_until_then(several: Worklist, cache: sa.Engine) -> None:
    book = Acknowledgements(cache)
    first = several.page(Filter(reason="no_id_number"), NOW, 9).items[0]
    book.give("rejection", first.key, by="Oda", reason="told them", now=NOW, until=NOW + timedelta(days=1))
    book.give("delivery", "crm/contacts/a", by="Oda", reason="known", now=NOW)
    told = {item.record_key for item in several.page(Filter(), NOW, 50).items}
    assert not told & {"k2", "a"}
    assert {item.record_key for item in several.page(Filter(acknowledged="yes"), NOW, 50).items} == {"k2", "a"}
    assert {"k2", "a"} < {item.record_key for item in several.page(Filter(acknowledged="any"), NOW, 50).items}
    later = {item.record_key for item in several.page(Filter(), NOW + timedelta(days=2), 50).items}
    assert "k2" in later
    assert "a" not in later


def test_retry_makes_due_what_waits_and_nothing_else(several: Worklist, cache: sa.Engine) -> None:
    today = date(2026, 3, 2)
    by_key = {item.record_key: item for item in several.page(Filter(), NOW, 50).items}
    assert several.retry("rejection", by_key["k1"].key, today)
    assert several.retry("delivery", "crm/contacts/a", today)
    for kind, key in (("rejection", "999"), ("rejection", "1; DROP TABLE rejection"), ("rejection", "٣"),
                      ("delivery", "crm/contacts/d"), ("delivery", "crm"), ("delivery", "")):  # fmt: skip
        assert not several.retry(kind, key, today)
    with cache.connect() as connection:
        days = dict(connection.execute(sa.select(rejection.c.record_key, rejection.c.next_attempt_on)).all())
        moments = dict(connection.execute(sa.select(delivery.c.object_id, delivery.c.next_attempt_at)).all())
    assert (days["k1"], days["k2"]) == (today, date(2026, 3, 9))
    assert moments["a"] is None
    assert moments["b"] == moments["d"] == NOW + timedelta(hours=3)


def test_an_object_that_is_being_sent_is_left_alone(several: Worklist, cache: sa.Engine) -> None:
    with cache.begin() as sending:
        sending.execute(sa.text("SELECT FROM delivery WHERE object_id = 'a' FOR UPDATE"))
        assert not several.retry("delivery", "crm/contacts/a", date(2026, 3, 2))


@given(st.text(max_size=60))
def test_no_text_is_taken_for_a_place_but_ours(text: str) -> None:
    try:
        place = Position.parse(text)
    except ValueError:
        return
    assert Position.parse(place.text()) == place
