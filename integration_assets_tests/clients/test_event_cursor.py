"""What is known of the event files that were worked off: nothing twice, nothing lost, gaps told."""

from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from integration_assets.clients.event_cursor import Cursor, Delivery
from integration_assets.clients.event_records import Start
from integration_assets.clients.http import PermanentError

MONDAY = date(2026, 11, 16)


def delivery(day: int, previous: int | None, name: str | None = None, task: str = "730001") -> Delivery:
    """A file produced so many days after the Monday."""
    produced_on = MONDAY + timedelta(days=day)
    before = None if previous is None else MONDAY + timedelta(days=previous)
    return Delivery((name or f"D{produced_on:%y%m%d}", 100), Start(task, produced_on, before))


def after(*deliveries: Delivery) -> Cursor:
    cursor = Cursor()
    for done in deliveries:
        cursor = cursor.after(done, [])
    return cursor


@pytest.mark.parametrize(
    ("done", "following", "missing_since"),
    [
        ([], delivery(4, 3), None),
        ([], delivery(4, None), None),
        ([delivery(0, -3)], delivery(1, 0), None),
        ([delivery(0, -3)], delivery(7, 0), None),
        ([delivery(0, -3)], delivery(2, 1), MONDAY),
        ([delivery(0, -3)], delivery(2, None), MONDAY),
        ([delivery(0, -3)], delivery(2, -1), MONDAY),
        ([delivery(0, -3)], delivery(0, -3, "second"), None),
        ([delivery(0, -3), delivery(2, 1)], delivery(1, 0), None),
        ([delivery(0, -3), delivery(2, 1), delivery(1, 0)], delivery(3, 2), None),
        ([delivery(0, -3, task="1")], delivery(2, 1, task="2"), None),
        ([delivery(0, -3, task="1"), delivery(1, 0, task="2")], delivery(2, 1, task="1"), MONDAY),
    ],
)
def test_a_file_that_follows_another_delivery_than_the_last_one_shows_a_gap(
    done: list[Delivery], following: Delivery, missing_since: date | None
) -> None:
    assert after(*done).gap_before(following) == missing_since


def test_two_files_of_one_day_are_ordered_by_what_they_follow_then_by_name() -> None:
    first, second, third = delivery(1, 0, "b"), delivery(1, 0, "c"), delivery(1, 1, "a")
    assert sorted([third, second, first], key=Delivery.order) == [first, second, third]


def test_the_text_gives_the_same_cursor_back() -> None:
    cursor = after(delivery(0, -3), delivery(1, 0), delivery(1, 0, "blåbær\udce6"), delivery(2, 1, task="2"))
    assert Cursor.read(cursor.text()) == cursor
    assert Cursor.read(cursor.text()).text() == cursor.text()


@pytest.mark.parametrize("text", ["", "{}", "[]", "17", '{"version":2,"last":{},"files":{}}', '{"version":1}', "null"])
def test_another_text_is_no_cursor(text: str) -> None:
    with pytest.raises(PermanentError, match="unreadable"):
        Cursor.read(text)


def test_a_file_is_known_while_it_is_listed_and_sixty_days_beyond() -> None:
    old, listed = delivery(0, -3, "old"), delivery(0, -3, "listed")
    kept = after(old, listed).after(delivery(60, 0, "new"), [listed.key])
    assert set(kept.done) == {old.key, listed.key, ("new", 100)}
    later = kept.after(delivery(61, 60, "newer"), [listed.key])
    assert set(later.done) == {listed.key, ("new", 100), ("newer", 100)}


@given(st.permutations(range(12)), st.integers(1, 4))
def test_in_whatever_order_files_arrive_each_is_worked_off_once_and_a_gap_is_told(
    arrivals: list[int], at_once: int
) -> None:
    """Every file arrives; what waits is worked off in order, the cursor kept as text between."""
    text: str | None = None
    there: list[Delivery] = []
    worked: list[Delivery] = []
    for index in range(0, len(arrivals), at_once):
        there += [delivery(day, day - 1) for day in arrivals[index : index + at_once]]
        while waiting := sorted((file for file in there if file.key not in Cursor.read(text).done), key=Delivery.order):
            cursor, following = Cursor.read(text), waiting[0]
            days = {file.start.produced_on for file in worked}
            latest = max(days, default=None)
            skipped = latest is not None and following.start.produced_on > latest + timedelta(days=1)
            assert cursor.gap_before(following) == (latest if skipped else None)
            worked.append(following)
            text = cursor.after(following, [file.key for file in there]).text()
    assert sorted(worked, key=Delivery.order) == [delivery(day, day - 1) for day in range(12)]
