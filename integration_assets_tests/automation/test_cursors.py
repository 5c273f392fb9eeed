"""What the sensors conclude from their memory: nothing is lost, nothing is asked for twice at once."""

import json
from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from integration_assets.automation.cursors import LOST_AFTER, PAUSES, Asked, Cursor, Outcome
from integration_assets.partitions import contiguous_ranges, keys_between

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
AREAS = st.text("0123456789", min_size=1, max_size=4)
STATES = st.dictionaries(AREAS, st.text(min_size=1, max_size=5), max_size=8)
INSTANTS = st.datetimes(timezones=st.just(UTC))
ASKED = st.builds(Asked, request=st.text(max_size=5), state=st.text(max_size=5), at=INSTANTS, tries=st.integers(1, 99))
CURSORS = st.builds(Cursor, done=STATES, asked=st.dictionaries(AREAS, ASKED, max_size=5))
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)


@given(CURSORS)
def test_a_cursor_reads_what_it_wrote(cursor: Cursor) -> None:
    assert Cursor.parse(cursor.text()) == cursor


@given(st.none() | st.text() | JSON.map(json.dumps))
def test_any_text_is_a_cursor(text: str | None) -> None:
    assert isinstance(Cursor.parse(text), Cursor)


@given(done=JSON, asked=JSON)
def test_a_cursor_of_wrong_content_counts_as_empty_or_is_whole(done: object, asked: object) -> None:
    cursor = Cursor.parse(json.dumps({"version": 2, "done": done, "asked": asked}))
    assert Cursor.parse(cursor.text()) == cursor


@given(STATES, STATES)
def test_exactly_the_differing_areas_are_asked_for(done: dict[str, str], current: dict[str, str]) -> None:
    groups = Cursor(done).to_ask(current, {}, [], NOW)
    expected = {area for area in {*done, *current} if done.get(area) != current.get(area)}
    assert sorted(area for group in groups for area in group) == sorted(expected)
    assert len(groups) <= 1


@given(STATES, STATES, st.lists(AREAS))
def test_areas_with_a_run_under_way_wait(done: dict[str, str], current: dict[str, str], busy: list[str]) -> None:
    groups = Cursor(done).to_ask(current, {}, busy, NOW)
    assert not {area for group in groups for area in group} & set(busy)


@given(STATES, STATES)
def test_after_success_nothing_differs(done: dict[str, str], current: dict[str, str]) -> None:
    cursor = Cursor(done)
    cursor = cursor.with_request("r", cursor.differing(current), current, NOW)
    assert cursor.settled({"r": Outcome(True, NOW)}) == Cursor(current)


def _asked(*areas: str) -> Cursor:
    return Cursor().with_request("first", areas, dict.fromkeys(areas, "new"), NOW)


def test_a_request_under_way_is_not_made_again_even_when_the_area_changes() -> None:
    running = {"first": Outcome(False, None)}
    assert _asked("2").to_ask({"2": "newer"}, running, [], NOW + timedelta(hours=5)) == []


def test_a_change_during_the_run_is_asked_for_after_it() -> None:
    ended = {"first": Outcome(True, NOW)}
    assert _asked("2").settled(ended).to_ask({"2": "newer"}, ended, [], NOW) == [["2"]]


def test_a_failed_request_is_made_again_after_its_pause_in_halves() -> None:
    current = dict.fromkeys("2345", "new")
    failed = {"first": Outcome(False, NOW)}
    cursor = _asked(*"2345").settled(failed)
    assert cursor.to_ask(current, failed, [], NOW + PAUSES[0] - timedelta(seconds=1)) == []
    assert cursor.to_ask(current, failed, [], NOW + PAUSES[0]) == [["2", "3"], ["4", "5"]]


def test_a_failed_area_that_changed_is_asked_for_at_once() -> None:
    failed = {"first": Outcome(False, NOW)}
    assert _asked("2").to_ask({"2": "repaired"}, failed, [], NOW) == [["2"]]


def test_pauses_grow_and_stay_at_the_last() -> None:
    cursor, now = _asked("2"), NOW
    for pause in (*PAUSES, PAUSES[-1]):
        failed = {"first": Outcome(False, now)}
        assert cursor.to_ask({"2": "new"}, failed, [], now + pause - timedelta(seconds=1)) == []
        now += pause
        assert cursor.to_ask({"2": "new"}, failed, [], now) == [["2"]]
        cursor = cursor.with_request("first", ["2"], {"2": "new"}, now)


def test_a_lost_request_is_made_again() -> None:
    assert _asked("2").to_ask({"2": "new"}, {}, [], NOW + LOST_AFTER - timedelta(seconds=1)) == []
    assert _asked("2").to_ask({"2": "new"}, {}, [], NOW + LOST_AFTER) == [["2"]]


def test_an_area_that_left_the_source_is_run_once() -> None:
    cursor = Cursor({"2": "old"})
    assert cursor.to_ask({}, {}, [], NOW) == [["2"]]
    after = cursor.with_request("r", ["2"], {}, NOW).settled({"r": Outcome(True, NOW)})
    assert after == Cursor()


@given(st.lists(AREAS, unique=True, max_size=12), st.sets(AREAS))
def test_ranges_cover_exactly_the_wanted_keys_and_are_as_few_as_can_be(known: list[str], more: set[str]) -> None:
    wanted = set(known[::2]) | set(known[3:6]) | more
    ranges = contiguous_ranges(sorted(wanted), known)
    covered = [key for first, last in ranges for key in keys_between(first, last, known)]
    assert covered == [key for key in known if key in wanted]
    starts = [key for before, key in zip([None, *known], known, strict=False) if key in wanted and before not in wanted]
    assert [first for first, _ in ranges] == starts


def test_no_keys_lie_between_strangers() -> None:
    assert keys_between("2", "9", ["2", "4"]) == []
