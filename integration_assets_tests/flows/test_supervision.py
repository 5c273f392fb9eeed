"""What supervision collects from the books, and what it then says and mails."""

from dataclasses import replace
from datetime import UTC, date, datetime, time, timedelta

import polars as pl
import pytest
import sqlalchemy as sa

from integration_assets.cache.claims import Outcome
from integration_assets.cache.store import Cache
from integration_assets.domain.supervision.datasets import STANDARD_CLASSES
from integration_assets.domain.supervision.folders import RUN_COMPLETED, RUN_FAILED, Folder
from integration_assets.domain.supervision.windows import Window
from integration_assets.flows.supervision import (
    FailedRun,
    Means,
    Refreshed,
    note_failed_run,
    note_stale_states,
    note_succeeded_run,
    refresh,
)

NOW = datetime(2026, 3, 10, 11, tzinfo=UTC)
TODAY = date(2026, 3, 10)
MINUTE = timedelta(minutes=1)
DAY = timedelta(days=1)
FOLDER = Folder(name="varme", alert_delay_min=30, frequency_min=15, mail_interval_min=60, areas=("8000", "8200"))


@pytest.fixture
def means(cache: sa.Engine) -> Means:
    """An empty cache, and somebody to tell."""
    return Means(
        cache=Cache(cache, "tests"),
        classes=STANDARD_CLASSES,
        recipients=["drift@varme.example"],
        sender="integration@varme.example",
        crm_project="crm.example",
    )


def completed(means: Means, at: datetime, area: str = "8000", **counts: int) -> None:
    given = {"records": 100, "rejected_records": 0, "undelivered": 0, **counts}
    means.cache.journal.record(f"run {at.isoformat()} {area}", RUN_COMPLETED, [area], given, at, at)


def failed(means: Means, at: datetime, area: str = "8000") -> None:
    means.cache.journal.record(f"run {at.isoformat()} {area}", RUN_FAILED, [area], {}, at, at)


def desired(means: Means, entity: str, keys: list[str], area: str = "8000", system: str = "lora") -> None:
    frame = pl.DataFrame({"object_id": keys, "business_key": keys, "supply_area": area, "name": keys})
    means.cache.deliveries.desire(system, entity, frame)


def delivered(means: Means, entity: str, outcomes: dict[str, bool], *, refused: bool = False) -> None:
    """Sends what is due, in the order of keys; those not named stay as they are."""
    with means.cache.deliveries.claim("lora", entity, 100, NOW) as claim:
        claim.record(
            [
                Outcome(row.object_id, ok=outcomes[row.object_id], error_code="500", error_text="no", permanent=refused)
                for row in claim.rows
                if row.object_id in outcomes
            ]
        )


def rejected(means: Means, asset: str, keys: list[str], on: date = TODAY, area: str = "8000") -> None:
    rows = {"record_key": keys, "reason": "r", "text": "t", "customer_number": None, "supply_area": area}
    frame = pl.DataFrame(rows, schema_overrides={"customer_number": pl.String})
    means.cache.rejections.replace(asset, [area], frame, on)


def look(means: Means, now: datetime = NOW, folder: Folder = FOLDER, *, mail: bool = True) -> Refreshed:
    return refresh(means, folder, now, mail=mail)


def test_a_refresh_by_hand_creates_the_folder_and_mails_nothing(means: Means) -> None:
    first = look(means, mail=False).row
    assert (first.state, first.last_sync_at, first.syncs_today, first.created_at) == ("Normal", None, 0, NOW)
    late = look(means, NOW + 31 * MINUTE, mail=False)
    assert (late.row.state, late.row.severity, late.row.created_at) == ("Alerte > 30", "error", NOW)
    assert [alarm.kind for alarm in late.alarms] == ["silence"]
    assert means.cache.mails.latest() == []
    assert means.cache.interactions.of("varme") == late.row
    assert means.cache.interactions.of("another") is None


def test_synchronisations_are_those_of_its_areas_and_of_today(means: Means) -> None:
    midnight = datetime(2026, 3, 9, 23, tzinfo=UTC)  # in Copenhagen
    for at in (midnight - MINUTE, midnight, NOW - 70 * MINUTE, NOW - 10 * MINUTE):
        completed(means, at)
    completed(means, NOW - MINUTE, area="9000")
    row = look(means).row
    assert (row.last_sync_at, row.syncs_today) == (NOW - 10 * MINUTE, 3)
    everywhere = look(means, folder=Folder(name="alle", alert_delay_min=30, frequency_min=15)).row
    assert (everywhere.last_sync_at, everywhere.syncs_today) == (NOW - MINUTE, 4)


def test_another_step_may_be_the_mark(means: Means) -> None:
    at = NOW - 5 * MINUTE
    means.cache.journal.record("run", "notifications/persons", ["8000"], {}, at, at)
    assert look(means).row.last_sync_at is None
    assert look(means, folder=replace(FOLDER, marker="notifications/persons")).row.last_sync_at == at


def test_datasets_that_are_not_ok(means: Means, cache: sa.Engine) -> None:
    desired(means, "installations", ["i1", "i2", "i3", "i4"])
    desired(means, "installations", ["i9"], area="9000")
    delivered(means, "installations", {"i1": True, "i2": False, "i9": False})
    delivered(means, "installations", {"i3": False}, refused=True)
    desired(means, "agreements", ["a1", "a2"])
    delivered(means, "agreements", {"a1": True})
    desired(means, "customers", ["c1"])
    rejected(means, "kmd_ee/installations", ["1", "2"])
    rejected(means, "kmd_ee/installations", ["3"], area="9000")
    rejected(means, "notifications/notices", ["4"])
    rejected(means, "notifications/persons", ["5"], on=TODAY - DAY)
    with cache.begin() as connection:  # what was stated when the test began counts as of NOW
        connection.execute(sa.text("UPDATE delivery SET desired_at = :now"), {"now": NOW})
        connection.execute(
            sa.text("UPDATE delivery SET desired_at = :then WHERE object_id = 'i4'"), {"then": NOW - DAY}
        )
    row = look(means).row
    assert row.installations_today_not_ok == 2 + 2, "failed and refused; two rejected records"
    assert row.installations_not_ok == 3 + 2, "and one that waits since yesterday"
    assert row.notifications_not_ok == 1
    assert row.documents_not_ok == 1
    assert row.entities == {
        "lora/agreements": {"waiting": 1},
        "lora/customers": {"waiting": 1},
        "lora/installations": {"failed": 1, "refused": 1, "waiting": 1},
        "kmd_ee/installations": {"rejected": 2},
        "notifications/notices": {"rejected": 1},
        "notifications/persons": {"rejected": 1},
    }


def test_an_answer_that_the_registry_was_not_told_is_a_notification(means: Means, cache: sa.Engine) -> None:
    insert = "INSERT INTO register_answer (service, subject, answer, as_of, to_deliver) VALUES ('p', :s, '', :d, :t)"
    with cache.begin() as connection:
        for subject, day, told in (("1", TODAY, True), ("2", TODAY - DAY, True), ("3", TODAY, False)):
            connection.execute(sa.text(insert), {"s": subject, "d": day, "t": told})
    assert look(means, folder=Folder(name="alle")).row.notifications_not_ok == 1
    assert look(means).row.notifications_not_ok == 0, "a party is of no area"


def test_what_was_acknowledged_for_good_is_discarded_and_a_snooze_is_not(means: Means, cache: sa.Engine) -> None:
    desired(means, "installations", ["i1", "i2"])
    rejected(means, "kmd_ee/installations", ["1", "2"])
    with cache.begin() as connection:
        connection.execute(sa.text("UPDATE delivery SET desired_at = :then"), {"then": NOW - MINUTE})
        rejection_id = connection.execute(sa.text("SELECT min(rejection_id) FROM rejection")).scalar_one()
    acknowledge = means.cache.acknowledgements.give
    assert look(means).row.installations_not_ok == 4
    acknowledge("delivery", "lora/installations/i1", by="ane", reason="sold", now=NOW)
    acknowledge("rejection", str(rejection_id), by="ane", reason="sold", now=NOW)
    assert look(means).row.installations_not_ok == 2
    acknowledge("rejection", str(rejection_id), by="bo", reason="later", now=NOW, until=NOW + DAY)
    assert look(means).row.installations_not_ok == 3, "a snooze decides nothing"
    assert means.cache.acknowledgements.withdraw("rejection", str(rejection_id), by="bo", now=NOW)
    assert not means.cache.acknowledgements.withdraw("rejection", str(rejection_id), by="bo", now=NOW)
    with cache.begin() as connection:  # something else is desired of it since
        connection.execute(sa.text("UPDATE delivery SET desired_at = :now"), {"now": NOW + MINUTE})
    assert look(means).row.installations_not_ok == 4
    told = means.cache.acknowledgements.history("rejection", str(rejection_id))
    assert [(one.by, one.withdrawn_by) for one in told] == [("bo", "bo"), ("ane", "bo")]


def test_runs_with_rejections_and_how_they_ended(means: Means) -> None:
    for number, at in enumerate((NOW - DAY, NOW - 50 * MINUTE, NOW - 40 * MINUTE)):
        for step in ("kmd_ee/customers", "resolved/customers"):
            counts = {"rows": 100, "rejected": 0 if number == 1 else 2}
            means.cache.journal.record(f"run {number}", step, ["8000"], counts, at, at)
    completed(means, NOW - 40 * MINUTE, rejected_records=4)
    row = look(means).row
    assert row.runs_with_rejections == 1
    assert (row.last_outcome, row.rejection_share, row.partial) == ("partial", 0.04, True)
    assert row.severity == "error", "silent for 40 minutes"


def test_failures_in_a_row_end_with_a_run_that_goes_through(means: Means) -> None:
    completed(means, NOW - 100 * MINUTE)
    for minutes in (90, 80, 70):
        failed(means, NOW - minutes * MINUTE)
    failed(means, NOW - 60 * MINUTE, area="9000")
    seen = look(means)
    assert (seen.row.consecutive_failures, seen.row.last_outcome) == (3, "failed")
    assert {alarm.kind for alarm in seen.alarms} == {"silence", "failures"}
    assert len(seen.mails) == 2, "one for each anomaly"
    completed(means, NOW - MINUTE)
    after = look(means, NOW + MINUTE)
    assert (after.row.consecutive_failures, after.row.last_outcome, after.alarms) == (0, "succeeded", [])


def test_unusual_numbers(means: Means) -> None:
    for hours in range(5, 1, -1):
        completed(means, NOW - hours * 60 * MINUTE, records=1000)
    completed(means, NOW - MINUTE, records=400, rejected_records=100)
    seen = look(means)
    assert (seen.row.volume, seen.row.usual_volume, seen.row.severity) == (400, 1000, "warning")
    assert sorted(alarm.kind for alarm in seen.alarms) == ["rejections", "volume"]
    assert "[varme] Normal: The last run had 400 records where 1000 are usual" in "".join(seen.mails)


def alerting(means: Means) -> Refreshed:
    look(means, NOW - 40 * MINUTE)
    return look(means)


def test_an_acknowledged_alarm_is_silent_until_there_is_another(means: Means) -> None:
    seen = alerting(means)
    (alarm,) = seen.alarms
    assert len(seen.mails) == 1
    means.cache.acknowledgements.give("alarm", alarm.key, by="ane", reason="known", now=NOW)
    later = look(means, NOW + 90 * MINUTE)
    assert (later.mails, later.row.open_alarms, later.row.severity) == ([], 0, "ok")
    assert later.row.state == "Alerte > 30", "it is what it is"
    completed(means, NOW + 91 * MINUTE)
    assert look(means, NOW + 92 * MINUTE).alarms == []
    again = look(means, NOW + 150 * MINUTE)
    assert len(again.mails) == 1, "another anomaly"


def test_a_snoozed_alarm_is_heard_again(means: Means) -> None:
    (alarm,) = alerting(means).alarms
    until = NOW + 120 * MINUTE
    means.cache.acknowledgements.give("alarm", alarm.key, by="ane", reason="lunch", now=NOW, until=until)
    assert look(means, until - MINUTE).mails == []
    mails = means.cache.mails
    with mails.sending():
        first = mails.claim(NOW)
        assert first is not None
        mails.note_sent(first.mail_id, NOW)
    assert len(look(means, until).mails) == 1


def test_a_paused_folder_is_watched_and_silent(means: Means) -> None:
    assert not means.cache.interactions.pause("varme", by="ane", reason="move", until=None), "it has no row yet"
    look(means, NOW - 40 * MINUTE)
    assert means.cache.interactions.pause("varme", by="ane", reason="move", until=NOW + DAY)
    seen = look(means)
    assert (seen.mails, seen.row.state, seen.row.paused_by) == ([], "Alerte > 30", "ane")
    assert seen.row.shown_state(NOW) == "PAUSED"
    assert means.cache.interactions.resume("varme")
    assert len(look(means, NOW + MINUTE).mails) == 1


@pytest.mark.parametrize("taken_by_some", [False, True])
def test_a_mail_that_somebody_never_gets_does_not_silence_the_next(means: Means, *, taken_by_some: bool) -> None:
    """The server refused it for good, or puts one recipient off for days while the others have it."""
    assert len(alerting(means).mails) == 1
    outbox = means.cache.mails
    mail = outbox.claim(NOW)
    assert mail is not None
    if taken_by_some:
        outbox.keep_for(mail.mail_id, ["full@varme.example"], "mailbox full", NOW, NOW + DAY)
    else:
        outbox.give_up(mail.mail_id, "no such user")
    assert not look(means, NOW + 40 * MINUTE).mails
    assert len(look(means, NOW + 60 * MINUTE).mails) == 1


def test_nobody_is_mailed_where_nobody_is_named(means: Means) -> None:
    for silent in (replace(means, recipients=[]), replace(means, sender=None)):
        look(silent, NOW - 40 * MINUTE)
        assert look(silent).mails == []
    own = replace(FOLDER, recipients=("vagt@varme.example",))
    look(means, folder=own)
    assert [mail.recipients for mail in means.cache.mails.latest()] == [["vagt@varme.example"]]


def test_a_text_of_a_folder_cannot_add_a_header(means: Means) -> None:
    folder = replace(FOLDER, mail_subject="${text}\r\nBcc: x@y.example", mail_body="${etatsynchro}\r\n.\r\n")
    look(means, NOW - 40 * MINUTE, folder)
    (subject,) = look(means, folder=folder).mails
    assert "\n" not in subject
    assert "\r" not in subject


def run_failed(means: Means, run_id: str, at: datetime, job: str = "main_flow") -> bool:
    told = FailedRun(run_id, job, at, ["8000"], ["crm__contacts"], brings_across=job == "main_flow")
    return note_failed_run(means, told, at)


def test_runs_that_fail_are_one_anomaly_until_one_succeeds(means: Means) -> None:
    means = replace(means, dagit_url="https://dagster.example/")
    assert run_failed(means, "r1", NOW)
    assert not run_failed(means, "r1", NOW), "told twice of the same run"
    assert not run_failed(means, "r2", NOW + 60 * MINUTE)
    assert run_failed(means, "r3", NOW + 61 * MINUTE, job="register_notifications"), "another job"
    assert [alarm.subject for alarm in means.cache.alarms.open()] == ["main_flow", "register_notifications"]
    assert look(means, NOW + 62 * MINUTE).row.consecutive_failures == 2, "only what was to bring data across"
    assert note_succeeded_run(means.cache, "main_flow", NOW + 63 * MINUTE)
    assert not note_succeeded_run(means.cache, "main_flow", NOW + 63 * MINUTE)
    assert run_failed(means, "r4", NOW + 64 * MINUTE)
    newest, _, first = (mail for mail in means.cache.mails.latest() if not mail.folder)
    assert newest.subject == "[main_flow] A run of main_flow failed at crm__contacts."
    assert "https://dagster.example/runs/r1" in first.body


def test_a_supervisor_that_stands_still_is_told_of(means: Means) -> None:
    assert note_stale_states(means, [FOLDER], NOW) == [], "never refreshed"
    look(means)
    assert note_stale_states(means, [FOLDER], NOW + 40 * MINUTE) == []
    for minutes in (41, 46):
        assert note_stale_states(means, [FOLDER], NOW + minutes * MINUTE) == ["varme"]
    (mail,) = means.cache.mails.latest()
    assert mail.subject == "[varme] Supervision of varme stands still: its state is of 2026-03-10 12:00."
    look(means, NOW + 50 * MINUTE, mail=False)
    assert note_stale_states(means, [FOLDER], NOW + 51 * MINUTE) == []
    assert [alarm for alarm in means.cache.alarms.open() if not alarm.folder] == []


def test_a_run_that_comes_late_mails_nothing_outside_of_its_window(means: Means) -> None:
    folder = replace(FOLDER, window=Window(start=time(8, 20), hours=4))  # until 12:20, and NOW is 12:00
    look(means, NOW - 40 * MINUTE, folder)
    late = look(means, NOW + 20 * MINUTE, folder)
    assert (late.row.state, late.mails) == ("Alerte > 30", [])
    assert len(look(means, NOW + 19 * MINUTE, folder).mails) == 1
