"""The supervision process: collects the state of a folder's interactions, keeps it, and decides on mails.

One transaction keeps the state, opens and ends alarms, and queues the mails about them: either all of it happened or
nothing, and two processes that supervise one folder do it one after the other.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from urllib.parse import urlsplit

import sqlalchemy as sa

from integration_assets.cache import acknowledgements, alarms, interactions, mail_outbox
from integration_assets.cache.alarms import EVERYWHERE, Alarm
from integration_assets.cache.indicators import datasets, synchronisations
from integration_assets.cache.mail_outbox import NewMail
from integration_assets.cache.store import Cache
from integration_assets.clients.smtp import message_id
from integration_assets.domain.supervision.anomalies import Anomaly, anomalies, worst
from integration_assets.domain.supervision.datasets import STANDARD_CLASSES, ClassName, DatasetClass, not_ok
from integration_assets.domain.supervision.folders import RUN_FAILED, Folder
from integration_assets.domain.supervision.interactions import Interactions
from integration_assets.domain.supervision.mails import clock, fields_of, one_line, written
from integration_assets.domain.supervision.runs import last_outcome, rejection_share, usual_volume
from integration_assets.domain.supervision.state import mail_is_due, sync_state
from integration_assets.domain.supervision.windows import COPENHAGEN, day_start
from integration_assets.settings import Settings

_REMINDER_MIN = 24 * 60
"""Minutes after which a job that still fails is told of once more."""

MISSED_PERIODS = 2
"""A state that was not refreshed for longer than so many periods is stale."""


@dataclass(frozen=True)
class Means:
    """What supervision of the folders needs beside them."""

    cache: Cache
    classes: Mapping[ClassName, DatasetClass]
    recipients: Sequence[str]
    """Who gets the mails of folders that name nobody."""
    sender: str | None
    """Who the mails come from; without one there are none."""
    crm_project: str
    """Name of the CRM environment of folders that name none."""
    dagit_url: str | None = None
    """Where Dagster's pages are."""

    @classmethod
    def of(cls, settings: Settings, cache: Cache) -> "Means":
        """The means that the settings name."""
        return cls(
            cache=cache,
            classes={**STANDARD_CLASSES, **settings.supervision_classes},
            recipients=settings.mail_recipients,
            sender=settings.mail_sender,
            crm_project=urlsplit(settings.crm_url or "").hostname or "",
            dagit_url=settings.dagit_url,
        )


@dataclass(frozen=True)
class FailedRun:
    """A run that failed and is not started again by itself."""

    run_id: str
    job: str
    failed_at: datetime
    areas: Sequence[str]
    """The supply areas that it was to work on."""
    steps: Sequence[str]
    """The steps that failed. Of their errors nothing is told here: they may quote data."""
    brings_across: bool
    """Whether a run of this job that goes through is a synchronisation."""


@dataclass(frozen=True)
class Refreshed:
    """What a run of supervision found: the state row, the open alarms, and the subjects of the mails it queued."""

    row: Interactions
    alarms: Sequence[Alarm]
    mails: Sequence[str]


def refresh(means: Means, folder: Folder, now: datetime, *, mail: bool, today: date | None = None) -> Refreshed:
    """Collects the state of a folder and keeps it; a folder that has no row yet gets one.

    `today` is the business day, by which rejections are dated; default: that of `now`.
    With `mail`, queues one mail for each alarm that is due for one, unless the folder is paused, the alarm was
    acknowledged, or `now` lies outside of the folder's window. A refresh by hand is without.
    """
    with interactions.refreshing(means.cache.engine, folder.name) as connection:
        # Collected while nobody else refreshes the folder: what is kept last was also seen last.
        seen = _collected(means, folder, now, today or now.astimezone(COPENHAGEN).date())
        before = interactions.read(connection, folder.name)
        row = _with_history(seen.row, before, folder)
        found = alarms.note(connection, folder.name, anomalies(folder, row, seen.rejected), now)
        quiet = acknowledgements.holding(connection, "alarm", now, [alarm.key for alarm in found])
        loud = [alarm for alarm in found if alarm.key not in quiet]
        row = replace(row, severity=worst(alarm.severity for alarm in loud), open_alarms=len(loud))
        mails: list[str] = []
        if mail and not row.is_paused(now) and folder.window.contains(now):
            mails = _queue_mails(connection, means, folder, row, loud, now)
        row = replace(row, last_mail_at=now if mails else row.last_mail_at)
        interactions.write(connection, row)
    return Refreshed(row, found, mails)


def note_failed_run(means: Means, failed: FailedRun, now: datetime) -> bool:
    """Notes that a run failed: in the journal, where it was to bring data across, and as an alarm of its job.

    The alarm lasts until a run of the job succeeds. Returns whether a mail was queued: one for the alarm, and one more
    for each further day that it lasts, however many runs fail meanwhile.
    """
    if failed.brings_across:
        means.cache.journal.record(failed.run_id, RUN_FAILED, failed.areas, {}, failed.failed_at, failed.failed_at)
    text = f"A run of {failed.job} failed" + (f" at {', '.join(failed.steps)}" if failed.steps else "") + "."
    where = f"{means.dagit_url.rstrip('/')}/runs/{failed.run_id}" if means.dagit_url else f"run {failed.run_id}"
    with interactions.refreshing(means.cache.engine, EVERYWHERE) as connection:
        alarm = alarms.see(connection, EVERYWHERE, Anomaly("run_failure", "error", text, failed.job), now)
        explained = f"Dagster shows why: {where}\nThe alarm ends when a run of this job succeeds."
        return _remind(connection, means, alarm, explained, now)


def note_succeeded_run(cache: Cache, job: str, now: datetime) -> bool:
    """Ends the alarm of a job, a run of which succeeded; False where there was none."""
    with interactions.refreshing(cache.engine, EVERYWHERE) as connection:
        return alarms.end(connection, EVERYWHERE, "run_failure", job, now)


def note_stale_states(means: Means, folders: Sequence[Folder], now: datetime) -> list[str]:
    """Alarms about folders whose supervision itself stands still, and ends it for those that are refreshed again.

    Returns the names of the stale ones; one that was never refreshed is none. One mail for each, and one more for each
    further day that it lasts.
    """
    rows = {row.folder: row for row in means.cache.interactions.all()}
    stale = [folder.name for folder in folders if folder.name in rows and rows[folder.name].is_stale(now)]
    with interactions.refreshing(means.cache.engine, EVERYWHERE) as connection:
        for folder in folders:
            if folder.name not in stale:
                alarms.end(connection, EVERYWHERE, "stale", folder.name, now)
                continue
            text = (
                f"Supervision of {folder.name} stands still: its state is of {clock(rows[folder.name].refreshed_at)}."
            )
            alarm = alarms.see(connection, EVERYWHERE, Anomaly("stale", "error", text, folder.name), now)
            explained = (
                "Until it goes on, nobody would be told of a synchronisation that is late. Look at the schedule "
                f"supervise_{folder.name} and its runs in Dagster."
            )
            _remind(connection, means, alarm, explained, now)
    return stale


def _remind(connection: sa.Connection, means: Means, alarm: Alarm, explained: str, now: datetime) -> bool:
    """Queues a mail to everybody about an alarm of no folder, once and then once a day; whether it did."""
    quiet = acknowledgements.holding(connection, "alarm", now, [alarm.key])
    last = mail_outbox.last_mails(connection, [alarm.alarm_id]).get(alarm.alarm_id)
    is_due = mail_is_due(last, now, interval_min=_REMINDER_MIN, period_min=_REMINDER_MIN)
    if quiet or not is_due or not means.recipients or means.sender is None:
        return False
    mail = NewMail(
        message_id=message_id(means.sender),
        cause=f"alarm {alarm.alarm_id} at {now.isoformat()}",
        folder=EVERYWHERE,
        alarm_id=alarm.alarm_id,
        recipients=means.recipients,
        subject=one_line(f"[{alarm.subject}] {alarm.text}"),
        body=f"{alarm.text}\n\n{explained}\nNo further mail is sent about it today.\n",
    )
    return mail_outbox.queue(connection, mail, now)


@dataclass(frozen=True)
class _Seen:
    """The state by the journal and the worklists alone, and the records that the last run rejected."""

    row: Interactions
    rejected: int


def _collected(means: Means, folder: Folder, now: datetime, today: date) -> _Seen:
    areas, midnight = list(folder.areas) or None, day_start(now)
    runs = synchronisations(means.cache.engine, folder.marker, areas, midnight)
    sets = datasets(means.cache.engine, areas, midnight, today)
    last = runs.completed[0] if runs.completed else None

    def count(column: str, *names: ClassName) -> int:
        return not_ok(means.classes, sets.not_ok, names, column)

    row = Interactions(
        folder=folder.name,
        crm_project=folder.crm_project or means.crm_project,
        created_at=now,
        refreshed_at=now,
        stale_at=folder.window.after(now, timedelta(minutes=MISSED_PERIODS * folder.period_min)),
        period_minutes=folder.period_min,
        frequency_min=folder.frequency_min,
        alert_delay_min=folder.alert_delay_min,
        last_sync_at=runs.last_at,
        state=sync_state(runs.last_at, now, now, folder.alert_delay_min),
        syncs_today=runs.today,
        installations_today_not_ok=count("today", "installation"),
        installations_not_ok=count("total", "installation"),
        notifications_not_ok=count("today", "notification"),
        runs_with_rejections=runs.with_rejections,
        documents_not_ok=count("today", "claim", "aftale"),
        last_mail_at=None,
        severity="ok",
        open_alarms=0,
        last_outcome=last_outcome(last, runs.last_failed_at),
        consecutive_failures=runs.failures,
        rejection_share=None if last is None else rejection_share(last),
        volume=None if last is None else last.records,
        usual_volume=usual_volume(runs.completed),
        entities=sets.states,
    )
    return _Seen(row, last.rejected if last else 0)


def _with_history(row: Interactions, before: Interactions | None, folder: Folder) -> Interactions:
    """The row with what the one before it knows: since when the folder is watched, its last mail, its pause."""
    if before is None:
        return row
    return replace(
        row,
        created_at=before.created_at,
        state=sync_state(row.last_sync_at, before.created_at, row.refreshed_at, folder.alert_delay_min),
        last_mail_at=before.last_mail_at,
        paused=before.paused,
        paused_by=before.paused_by,
        paused_reason=before.paused_reason,
        paused_until=before.paused_until,
    )


def _queue_mails(
    connection: sa.Connection, means: Means, folder: Folder, row: Interactions, loud: Sequence[Alarm], now: datetime
) -> list[str]:
    """Queues the mails that are due, one for each alarm; their subjects."""
    recipients = list(folder.recipients or means.recipients)
    if not recipients or means.sender is None:
        return []
    last = mail_outbox.last_mails(connection, [alarm.alarm_id for alarm in loud])
    subjects: list[str] = []
    for alarm in loud:
        latest = last.get(alarm.alarm_id)
        if not mail_is_due(latest, now, interval_min=folder.mail_interval_min, period_min=folder.period_min):
            continue
        fields = fields_of(row, text=alarm.text, severity=alarm.severity, since=alarm.began_at)
        mail = NewMail(
            message_id=message_id(means.sender),
            cause=f"alarm {alarm.alarm_id} at {now.isoformat()}",
            folder=folder.name,
            alarm_id=alarm.alarm_id,
            recipients=recipients,
            subject=one_line(written(folder.mail_subject, fields)),
            body=written(folder.mail_body, fields),
        )
        if mail_outbox.queue(connection, mail, now):
            subjects.append(mail.subject)
    return subjects
