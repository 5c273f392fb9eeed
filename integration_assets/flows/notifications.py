"""Keeps persons and companies true to their registers: who is asked again, and what becomes of the answers.

Persons are asked when the register tells of a change (event deliveries of those subscribed to), companies and everybody
else when their turn comes (`domain.people.sweep`). A difference becomes a new version of the party's answer; the rows
that the registry should hold follow from the versions (`domain.people.history`).

Promises: a delivery of events counts as taken in only when everybody that it names is marked in the cache, and a mark
goes only with an answer. So a killed run, a silent register or a lost delivery delays a change and never loses it.
"""

from collections.abc import Collection, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import date, timedelta

import polars as pl

from integration_assets.cache.store import Cache
from integration_assets.clients.http import CallError
from integration_assets.domain.addresses.washing import WashingIndex
from integration_assets.domain.identity import ObjectIds
from integration_assets.domain.people.notices import living, notices
from integration_assets.domain.people.ports import PersonEvents, PersonSubscriptions
from integration_assets.domain.people.sweep import to_check
from integration_assets.domain.tables import RESOLVED_CUSTOMERS
from integration_assets.flows.lookups import PERSON, Lookups, register_subjects
from integration_assets.flows.parties import party_frame
from integration_assets.flows.registry import customers_of, rows_by_customer_number

EVENTS = "person_events"
WORKERS = 8
"""Calls to the subscription service under way at once."""
COMPARED_EVERY_DAYS = 7
LAG = timedelta(days=3)
"""The copy of the register that answers look-ups may be so far behind its event deliveries."""


@dataclass(frozen=True)
class Means:
    """What following the registers needs: the cache, whose ids are computed, the business day, the limits of a sweep.

    `watched_sweep_days`: those of whose changes events tell are swept in so many days; None: never.
    """

    cache: Cache
    ids: ObjectIds
    as_of: date
    sweep_days: int
    calls_per_second: float | None
    watched_sweep_days: int | None = None


@dataclass(frozen=True)
class TakenIn:
    """What was taken in of the register's deliveries: deliveries, persons named in them, sentences for the operator."""

    deliveries: int
    persons: int
    notes: tuple[str, ...]


@dataclass(frozen=True)
class Checked:
    """Parties asked again, by reason, and how many gave no answer.

    `changed` are the ids of all whose answer differs and of whom the registry was not told yet, `subjects` theirs.
    """

    changed: frozenset[str]
    subjects: frozenset[str]
    by_event: int
    by_sweep: int
    unanswered: int


@dataclass(frozen=True)
class Subscribed:
    """What was done to follow the customer relations: subscriptions added, removed, and calls that failed."""

    added: int
    removed: int
    failed: int


def take_in(means: Means, events: PersonEvents) -> TakenIn:
    """Marks everybody whom new deliveries name, delivery by delivery. Raises CallError where the source is silent."""
    store, deliveries, persons = means.cache.following, 0, 0
    notes: list[str] = []
    cursor = store.cursor(EVENTS)
    while True:
        batch = events.since(cursor)
        if batch.cursor == cursor:
            return TakenIn(deliveries, persons, tuple(dict.fromkeys([*notes, *batch.notes])))
        named = [number for event in batch.events for number in (event.number, event.new_number) if number]
        changed, ended = _subjects(means, named), _number_subjects(means.ids, batch.ended).to_list()
        # Of the very first delivery the source cannot tell whether one before it was meant for us too.
        first_missed = cursor is None and batch.previous_on is not None and store.subscribed_before(batch.previous_on)
        missing_since = batch.previous_on if first_missed else batch.missing_since
        store.take_in(
            EVENTS,
            batch.cursor,
            changed=changed,
            again_until=means.as_of + LAG,
            ended=ended,
            everybody=missing_since is not None,
        )
        if missing_since is not None:
            notes.append(
                f"A delivery of the person register about {missing_since} is missing; everybody is asked again."
            )
        notes += batch.notes
        deliveries, persons, cursor = deliveries + 1, persons + len(batch.events), batch.cursor


def _number_subjects(ids: ObjectIds, numbers: Iterable[str]) -> pl.Series:
    """The keyed hashes of numbers themselves, whoever's they are."""
    return register_subjects(ids, PERSON, pl.Series("number", list(numbers), dtype=pl.String))


def _subjects(means: Means, numbers: Collection[str]) -> list[str]:
    given = pl.Series("number", list(numbers), dtype=pl.String)
    return register_subjects(means.ids, PERSON, given, means.cache.answers.aliases()).to_list()


def named_living(means: Means, kind: str) -> pl.DataFrame:
    """The parties of a kind that living customer relations name (see `notices.living`), and `subject` of each."""
    rows = living(means.cache.read(RESOLVED_CUSTOMERS), means.as_of).filter(pl.col("party_kind") == kind)
    aliases = means.cache.answers.aliases() if kind == PERSON else {}
    return rows.with_columns(register_subjects(means.ids, kind, rows.get_column("number"), aliases))


def check(means: Means, lookups: Lookups, kind: str, named: pl.DataFrame, *, watch: bool) -> Checked:
    """Asks the register of this kind for those of `named` (as from `named_living`) who are due.

    `watch`: events tell of the subscribed, whose turn in the sweep then comes seldom.
    """
    store = means.cache.following
    parties = named.unique("subject", keep="first", maintain_order=True)
    checks = store.checks(kind).join(parties, on="subject", how="semi")
    watched = store.subscriptions().get_column("subject") if watch else pl.Series("subject", [], dtype=pl.String)
    due = to_check(
        checks,
        means.as_of,
        sweep_days=means.sweep_days,
        watched=watched,
        watched_sweep_days=means.watched_sweep_days,
    )
    asked = parties.join(due, on="subject", how="inner").join(checks.select("subject", "mark"), on="subject")
    marks = dict(asked.select("number", "mark").iter_rows())
    unanswered = lookups.refresh(kind, marks, calls_per_second=means.calls_per_second)
    reasons = dict(due.group_by("reason").len().iter_rows())
    waiting = store.checks(kind).filter("to_deliver").join(named, on="subject", how="inner")
    return Checked(
        changed=frozenset(waiting.get_column("party_id")),
        subjects=frozenset(waiting.get_column("subject")),
        by_event=reasons.get("event", 0),
        by_sweep=reasons.get("sweep", 0),
        unanswered=len(unanswered),
    )


def registry_rows(means: Means, party_ids: Collection[str], index: WashingIndex) -> pl.DataFrame:
    """What the registry should hold of these parties, for a delivery."""
    everywhere = rows_by_customer_number(means.cache)
    return customers_of(party_ids, everywhere, means.cache, means.ids, index)


def open_notices(means: Means, named: pl.DataFrame, index: WashingIndex) -> pl.DataFrame:
    """What operators must put right of the parties in `named` (as from `named_living`), as REJECTIONS."""
    parties = named.select("party_id", "party_kind", "number").unique("party_id", keep="first", maintain_order=True)
    return notices(named, party_frame(parties, means.cache.answers, means.ids, index))


def follow_relations(means: Means, subscriptions: PersonSubscriptions, named: pl.DataFrame) -> Subscribed:
    """Subscribes to the persons of living customer relations, and ends the subscriptions of all others that we made.

    `named` as from `named_living`. Subscriptions that others made under the same agreement are left alone. Who is new
    is asked again, if she was asked on an earlier day: of changes since then no event tells. Once a week what we
    believe is compared with what the service has. Raises CallError where it does not say; a call that fails for one
    person is made again in the next run.
    """
    store = means.cache.following
    wanted, ours = _in_force(means, named), store.subscriptions()
    standing = ours
    compared_on = store.compared_on(EVENTS)
    if compared_on is not None and (means.as_of - compared_on).days >= COMPARED_EVERY_DAYS:
        there = pl.Series("number", list(subscriptions.subscribed()), dtype=pl.String)
        standing = ours.filter(pl.col("number").is_in(there.implode()))
    to_add = wanted.join(standing, on="number_subject", how="anti")
    gone = ours.join(wanted, on="number_subject", how="anti")

    def add(row: dict[str, str]) -> bool:
        try:
            subscriptions.add(row["number"])
        except CallError:
            return False
        store.note_subscribed(row["number_subject"], row["subject"], row["number"], means.as_of)
        return True

    def remove(row: dict[str, str]) -> bool:
        try:
            subscriptions.remove(row["number"])
        except CallError:
            return False
        store.note_unsubscribed([row["number_subject"]])
        return True

    with ThreadPoolExecutor(WORKERS) as pool:
        added, removed = sum(pool.map(add, to_add.to_dicts())), sum(pool.map(remove, gone.to_dicts()))
    if compared_on is None or standing is not ours:
        store.note_compared(EVENTS, means.as_of)
    return Subscribed(added, removed, to_add.height + gone.height - added - removed)


def _in_force(means: Means, named: pl.DataFrame) -> pl.DataFrame:
    """subject, number in force and number_subject of each person whom the register knows; each number once."""
    answers = means.cache.answers.frame(PERSON, named.get_column("subject").unique().to_list())
    number = pl.col("answer").str.json_path_match("$.number")
    known = answers.select("subject", number.alias("number")).drop_nulls("number").sort("subject")
    hashed = _number_subjects(means.ids, known.get_column("number")).alias("number_subject")
    return known.with_columns(hashed).unique("number_subject", keep="first", maintain_order=True)
