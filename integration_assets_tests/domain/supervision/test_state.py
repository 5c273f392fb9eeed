"""Properties of states and mails, and the thresholds of anomalies."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from statistics import median

from hypothesis import given
from hypothesis import strategies as st

from integration_assets.domain.supervision.anomalies import anomalies, worst
from integration_assets.domain.supervision.folders import Folder
from integration_assets.domain.supervision.interactions import PAUSED, STALE, Interactions
from integration_assets.domain.supervision.runs import CompletedRun, last_outcome, rejection_share, usual_volume
from integration_assets.domain.supervision.state import NORMAL, LastMail, alert, mail_is_due, sync_state

NOW = datetime(2025, 11, 3, 12, tzinfo=UTC)
MINUTE = timedelta(minutes=1)

ROW = Interactions(
    folder="varme",
    crm_project="crm",
    created_at=NOW - timedelta(days=9),
    refreshed_at=NOW,
    stale_at=NOW + 40 * MINUTE,
    period_minutes=20,
    frequency_min=15,
    alert_delay_min=30,
    last_sync_at=NOW - 5 * MINUTE,
    state=NORMAL,
    syncs_today=3,
    installations_today_not_ok=0,
    installations_not_ok=0,
    notifications_not_ok=0,
    runs_with_rejections=0,
    documents_not_ok=0,
    last_mail_at=None,
    severity="ok",
    open_alarms=0,
    last_outcome="succeeded",
    consecutive_failures=0,
    rejection_share=0.0,
    volume=1000,
    usual_volume=1000,
    entities={},
)
FOLDER = Folder(name="varme", alert_delay_min=30, frequency_min=15)


@given(st.timedeltas(timedelta(), timedelta(days=900)), st.integers(0, 5000))
def test_a_state_is_an_alert_from_just_above_its_delay_on(elapsed: timedelta, delay: int) -> None:
    state = sync_state(NOW - elapsed, NOW, NOW, delay)
    assert state == (f"Alerte > {delay}" if delay > 0 and elapsed / MINUTE > delay else "Normal")
    assert sync_state(None, NOW - elapsed, NOW, delay) == state, "never synchronised: from the creation of the row"
    just_over = NOW + timedelta(minutes=delay, microseconds=1)
    assert sync_state(NOW, NOW, just_over, delay) == (alert(delay) if delay else NORMAL)


@given(
    states=st.lists(st.booleans(), min_size=1, max_size=60),
    interval=st.integers(0, 200),
    period=st.integers(1, 60),
    seconds=st.integers(0, 50),
)
def test_mails_of_any_sequence(states: list[bool], interval: int, period: int, seconds: int) -> None:
    """Against the rule as it is told: the first run of an anomaly mails, then the interval must pass."""
    last: LastMail | None = None
    mailed: list[int] = []
    for number, is_alert in enumerate(states):
        now = NOW + number * period * MINUTE
        if not is_alert:
            last = None
        elif mail_is_due(last, now, interval_min=interval, period_min=period):
            last = LastMail(now, now + timedelta(seconds=seconds))
            mailed.append(number)
    expected: list[int] = []
    for number, is_alert in enumerate(states):
        if is_alert:
            began = max((index for index in range(number) if not states[index]), default=-1) + 1
            of_this = [index for index in expected if index >= began]
            if not of_this or (number - of_this[-1]) * period >= interval:
                expected.append(number)
    assert mailed == expected


def test_a_mail_that_waits_is_followed_by_none() -> None:
    assert not mail_is_due(LastMail(NOW, None), NOW + timedelta(days=3), interval_min=0, period_min=20)
    late = LastMail(NOW, NOW + 105 * MINUTE)
    assert not mail_is_due(late, NOW + 160 * MINUTE, interval_min=60, period_min=20)
    assert mail_is_due(late, NOW + 165 * MINUTE, interval_min=60, period_min=20)


def test_what_a_page_shows() -> None:
    assert ROW.shown_state(NOW + 40 * MINUTE) == "Normal"
    assert ROW.shown_state(NOW + 41 * MINUTE) == STALE
    paused = replace(ROW, paused=True, paused_until=NOW + 10 * MINUTE)
    assert paused.shown_state(NOW) == PAUSED
    assert paused.shown_state(NOW + 10 * MINUTE) == "Normal"
    assert replace(paused, paused_until=None).shown_state(NOW + 40 * MINUTE) == PAUSED
    assert paused.shown_state(NOW + 41 * MINUTE) == STALE


def kinds(row: Interactions, rejected: int = 0, folder: Folder = FOLDER) -> list[tuple[str, str]]:
    return [(found.kind, found.severity) for found in anomalies(folder, row, rejected)]


def test_nothing_is_wrong_at_the_thresholds() -> None:
    assert kinds(ROW) == []
    at = replace(ROW, consecutive_failures=2, rejection_share=0.2, volume=700)
    assert kinds(at, rejected=200) == []
    assert kinds(replace(at, rejection_share=None, volume=None, usual_volume=None)) == []
    assert kinds(replace(ROW, rejection_share=0.9), rejected=20) == [], "so few count nothing"
    assert kinds(replace(ROW, volume=0, usual_volume=20)) == []


def test_each_thing_that_is_wrong_is_one_anomaly() -> None:
    assert kinds(replace(ROW, state=alert(30))) == [("silence", "error")]
    assert kinds(replace(ROW, consecutive_failures=3)) == [("failures", "error")]
    assert kinds(replace(ROW, rejection_share=0.21), rejected=210) == [("rejections", "warning")]
    assert kinds(replace(ROW, volume=699)) == [("volume", "warning")]
    assert kinds(replace(ROW, volume=1301)) == [("volume", "warning")]
    quiet = replace(FOLDER, max_consecutive_failures=0, max_volume_deviation=0, max_rejection_share=1)
    all_wrong = replace(ROW, consecutive_failures=9, rejection_share=1.0, volume=1)
    assert kinds(all_wrong, rejected=1000, folder=quiet) == []
    assert len(kinds(replace(all_wrong, state=alert(30)), rejected=1000)) == 4


def test_texts_say_since_when_and_how_much() -> None:
    (silence,) = anomalies(FOLDER, replace(ROW, state=alert(30)), 0)
    assert silence.text == (
        "The last synchronisation ended at 2025-11-03 12:55; more than the 30 minutes allowed have passed."
    )
    (never,) = anomalies(FOLDER, replace(ROW, state=alert(30), last_sync_at=None), 0)
    assert never.text.startswith("There was no synchronisation since supervision began at 2025-10-25 14:00;")


def test_the_worst_of_severities() -> None:
    assert worst([]) == "ok"
    assert worst(["warning", "ok"]) == "warning"
    assert worst(["warning", "error", "ok"]) == "error"


def run(minutes: int, records: int, areas: tuple[str, ...] = ("1",), rejected: int = 0, undelivered: int = 0):
    return CompletedRun(NOW + minutes * MINUTE, areas, records, rejected, undelivered)


def test_how_the_last_run_ended() -> None:
    assert last_outcome(None, None) is None
    assert last_outcome(None, NOW) == "failed"
    assert last_outcome(run(0, 10), NOW + MINUTE) == "failed"
    assert last_outcome(run(2, 10), NOW + MINUTE) == "succeeded"
    assert last_outcome(run(2, 10, rejected=1), None) == "partial"
    assert last_outcome(run(2, 10, undelivered=1), None) == "partial"


def test_shares_and_usual_numbers() -> None:
    assert rejection_share(run(0, 200, rejected=3)) == 0.015
    assert rejection_share(run(0, 0)) is None
    assert rejection_share(run(0, 2, rejected=3)) == 1.0, "a record may be rejected by several steps"
    history = [run(-number, records) for number, records in enumerate((5, 100, 120, 90, 400))]
    assert usual_volume(history) == median([100, 120, 90, 400])
    assert usual_volume(history[:3]) is None, "too few to be usual"
    assert usual_volume([]) is None
    others = [run(0, 5, ("1", "2")), *history]
    assert usual_volume(others) is None, "runs of other areas tell nothing"
