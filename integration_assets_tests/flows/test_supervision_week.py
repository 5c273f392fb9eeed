"""A week of two folders: incidents, nights, a weekend, a dead supervisor, a mail server that is away for two hours.

What is expected stands in two tables that were written by hand. The mails are those that a real SMTP server got.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta

import pytest
import sqlalchemy as sa

from integration_assets.cache.store import Cache
from integration_assets.clients.smtp import MailServer
from integration_assets.domain.supervision.datasets import STANDARD_CLASSES
from integration_assets.domain.supervision.folders import RUN_COMPLETED, Folder
from integration_assets.domain.supervision.interactions import STALE
from integration_assets.domain.supervision.windows import COPENHAGEN, Window
from integration_assets.flows.mails import send_mails
from integration_assets.flows.supervision import Means, refresh
from integration_assets.sandbox.mail import MailBox, running_mail_server

SENDER = "integration@varme.example"
MONDAY = date(2025, 11, 3)
DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")

VARME = Folder(
    name="varme",
    crm_project="varme.crm.example",
    alert_delay_min=30,
    frequency_min=15,
    mail_interval_min=60,
    period_min=20,
    first_sync=time(8),
    window=Window(weekdays=("mon", "tue", "wed", "thu", "fri"), start=time(8, 20), hours=10),
    recipients=("varme@drift.example",),
    areas=("8000",),
)
AFFALD = Folder(
    name="affald",
    alert_delay_min=120,
    frequency_min=60,
    mail_interval_min=0,
    period_min=60,
    window=Window(weekdays=("mon", "tue", "wed", "thu", "fri", "sat"), start=time(6), hours=14),
    areas=("8200", "8210"),
)

SILENT = [
    # folder, from (the last synchronisation before it), to (the first one after it)
    ("varme", "mon 09:29", "mon 11:18"),
    ("varme", "mon 11:18", "mon 12:35"),
    ("varme", "tue 12:45", "tue 16:35"),
    ("varme", "wed 10:00", "wed 12:30"),
    ("affald", "thu 09:30", "thu 14:30"),
    ("varme", "fri 17:00", "mon 08:00"),
]
SUPERVISOR_DEAD = ("wed 10:00", "wed 13:00")
MAIL_SERVER_DOWN = ("tue 13:00", "tue 15:00")

STATES = [
    # every change of the state that supervision keeps, and when it was seen
    ("varme", "mon 08:20", "Normal"),
    ("affald", "mon 06:00", "Normal"),
    ("varme", "mon 10:00", "Alerte > 30"),
    ("varme", "mon 11:20", "Normal"),
    ("varme", "mon 12:00", "Alerte > 30"),
    ("varme", "mon 12:40", "Normal"),
    ("varme", "tue 13:20", "Alerte > 30"),
    ("varme", "tue 16:40", "Normal"),
    # on Wednesday nobody looked while it was silent
    ("affald", "thu 12:00", "Alerte > 120"),
    ("affald", "thu 15:00", "Normal"),
    ("varme", "fri 17:40", "Alerte > 30"),
]
MAILS = [
    # folder, when it came
    ("varme", "mon 10:00"),
    ("varme", "mon 11:00"),
    ("varme", "mon 12:00"),
    ("varme", "tue 15:05"),  # decided on at 13:20; tried 1, 2, 4, 8, then every 15 minutes later
    ("varme", "tue 16:20"),  # an hour after that one had gone out
    ("affald", "thu 12:00"),
    ("affald", "thu 13:00"),
    ("affald", "thu 14:00"),
    ("varme", "fri 17:40"),
]
SHOWN = [
    # folder, when somebody looks at the page, what it shows
    ("varme", "mon 09:00", "Normal"),
    ("varme", "mon 10:30", "Alerte > 30"),
    ("varme", "tue 03:00", "Normal"),
    ("varme", "wed 10:19", "Normal"),
    ("varme", "wed 10:21", STALE),  # refreshed at 09:40, and every 20 minutes as planned
    ("varme", "wed 12:59", STALE),
    ("varme", "wed 13:01", "Normal"),
    ("affald", "wed 10:59", "Normal"),
    ("affald", "wed 11:01", STALE),
    ("varme", "sat 12:00", "Alerte > 30"),
    ("varme", "sun 23:59", "Alerte > 30"),
    ("affald", "sun 12:00", "Normal"),
]


def at(told: str) -> datetime:
    """An instant of the week, told as "mon 09:29"; the second Monday is not needed but as an end."""
    day, clock = told.split()
    return datetime.combine(MONDAY + timedelta(DAYS.index(day)), time.fromisoformat(clock), COPENHAGEN)


def told(instant: datetime) -> str:
    local = instant.astimezone(COPENHAGEN)
    return f"{DAYS[(local.date() - MONDAY).days]} {local:%H:%M}"


def between(first: str, last: str, minutes: int, days: range) -> list[datetime]:
    """Instants every so many minutes, both ends included, on these days of the week."""
    found: list[datetime] = []
    for day in days:
        moment = datetime.combine(MONDAY + timedelta(day), time.fromisoformat(first), COPENHAGEN)
        end = datetime.combine(MONDAY + timedelta(day), time.fromisoformat(last), COPENHAGEN)
        while moment <= end:
            found.append(moment)
            moment += timedelta(minutes=minutes)
    return found


def synchronisations() -> dict[datetime, str]:
    """When each folder is synchronised."""
    planned = dict.fromkeys(between("08:00", "18:15", 15, range(5)), "varme")
    planned |= dict.fromkeys(between("05:30", "19:30", 60, range(6)), "affald")
    for folder, last, first in SILENT:
        end = at(first) if first != "mon 08:00" else at("sun 23:59")
        planned = {m: f for m, f in planned.items() if not (f == folder and at(last) < m < end)}
        planned |= {moment: folder for moment in (at(last), end) if moment != at("sun 23:59")}
    return planned


def supervised() -> list[tuple[datetime, Folder]]:
    """When supervision runs."""
    dead = (at(SUPERVISOR_DEAD[0]), at(SUPERVISOR_DEAD[1]))
    runs = [(moment, VARME) for moment in between("08:20", "18:00", 20, range(5))]
    runs += [(moment, AFFALD) for moment in between("06:00", "19:00", 60, range(6))]
    return sorted(
        ((moment, folder) for moment, folder in runs if not dead[0] <= moment < dead[1]),
        key=lambda run: (run[0], run[1].name),
    )


@dataclass
class Week:
    """The outside of a week: the cache, the mail server, and what was seen."""

    means: Means
    box: MailBox
    server: MailServer
    states: list[tuple[str, str, str]]
    mails: list[tuple[str, str]]
    shown: list[tuple[str, str, str]]

    def send(self, now: datetime) -> None:
        """Empties the outbox as Dagster's sensor would."""
        self.box.switches.down = at(MAIL_SERVER_DOWN[0]) <= now < at(MAIL_SERVER_DOWN[1])
        before = len(self.box.mails)
        send_mails(self.means.cache.mails, self.server, SENDER, lambda: now)
        self.mails += [(_folder(mail.recipients), told(now)) for mail in self.box.mails[before:]]

    def supervise(self, folder: Folder, now: datetime) -> None:
        """One run of supervision."""
        state = refresh(self.means, folder, now, mail=True).row.state
        seen = [kept for name, _, kept in self.states if name == folder.name]
        if not seen or seen[-1] != state:
            self.states.append((folder.name, told(now), state))

    def look(self, name: str, now: datetime) -> None:
        """Somebody opens the page."""
        row = self.means.cache.interactions.of(name)
        assert row is not None
        self.shown.append((name, told(now), row.shown_state(now)))


def _folder(recipients: tuple[str, ...]) -> str:
    return {("varme@drift.example",): "varme", ("alle@drift.example",): "affald"}[recipients]


@pytest.fixture
def week(cache: sa.Engine) -> Iterator[Week]:
    """Nothing has happened yet."""
    means = Means(
        cache=Cache(cache, "tests"),
        classes=STANDARD_CLASSES,
        recipients=["alle@drift.example"],
        sender=SENDER,
        crm_project="crm.example",
    )
    with running_mail_server() as (box, port):
        yield Week(means, box, MailServer("127.0.0.1", port, "none", 5.0), [], [], [])


def test_a_week_gives_exactly_these_states_and_mails(week: Week) -> None:
    journal = week.means.cache.journal
    syncs = synchronisations()
    runs = supervised()
    looks = [(at(when), name) for name, when, _ in SHOWN]
    waiting = [
        at("tue 13:20") + timedelta(minutes=minute) for minute in range(1, 106)
    ]  # the sensor's ticks while a mail waits
    for moment in sorted({*syncs, *(run[0] for run in runs), *(look[0] for look in looks), *waiting}):
        if folder := syncs.get(moment):
            area = {"varme": "8000", "affald": "8210"}[folder]
            journal.record(f"{folder} {moment.isoformat()}", RUN_COMPLETED, [area], {"records": 100}, moment, moment)
        for due, supervised_folder in runs:
            if due == moment:
                week.supervise(supervised_folder, moment)
        week.send(moment)
        for when, name in looks:
            if when == moment:
                week.look(name, moment)

    assert week.states == sorted(STATES, key=lambda change: at(change[1]))
    assert week.mails == MAILS
    assert sorted(week.shown) == sorted(SHOWN)
    assert set(week.box.deliveries.values()) == {1}
    late = week.box.mails[3].message
    assert late["Subject"].startswith("[varme] Alerte > 30: The last synchronisation ended at 2025-11-04 12:45")
    assert late["Date"].datetime == at("tue 13:20"), "when it was written, whenever it came"
    alarms = [(alarm.folder, told(alarm.began_at), alarm.ended_at) for alarm in week.means.cache.alarms.open()]
    assert alarms == [("varme", "fri 17:40", None)]
    assert len(week.means.cache.alarms.history()) == 5, "one for each anomaly, however long it lasted"
