"""Keeps persons and companies true to their registers: who is asked again, and what becomes of the answers.

Persons are asked when the register tells of a change (event deliveries of those subscribed to), companies and everybody
else when their turn comes (`domain.people.sweep`). A difference becomes a new version of the party's answer; the rows
that the registry should hold follow from the versions (`domain.people.history`).

Promises: a delivery of events counts as taken in only when everybody that it names is marked in the cache, and a mark
goes only with an answer. So a killed run, a silent register or a lost delivery delays a change and never loses it.
"""

from collections.abc import Collection
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import date

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
from integration_assets.flows.registry import customers_of

EVENTS = "person_events"
WORKERS = 8
"""Calls to the subscription service under way at once."""
COMPARED_EVERY_DAYS = 7


@dataclass(frozen=True)
class Following:
    """What following needs: the cache, whose ids are computed, the business day, and the limits of a sweep."""

    cache: Cache
    ids: ObjectIds
    as_of: date
    sweep_days: int
    calls_per_second: float | None


@dataclass(frozen=True)
class TakenIn:
    """What was taken in of the register's deliveries: deliveries, persons named in them, sentences for the operator."""

    deliveries: int
    persons: int
    notes: tuple[str, ...]


@dataclass(frozen=True)
class Checked:
    """Parties asked again: ids of those that changed, numbers asked by reason, and how many gave no answer."""

    changed: frozenset[str]
    by_event: int
    by_sweep: int
    unanswered: int


@dataclass(frozen=True)
class Subscribed:
    """What was done to follow the customer relations: subscriptions added, removed, and calls that failed."""

    added: int
    removed: int
    failed: int


def take_in(following: Following, events: PersonEvents) -> TakenIn:
    """Marks everybody whom new deliveries name, delivery by delivery. Raises CallError where the source is silent."""
    store, deliveries, persons = following.cache.following, 0, 0
    notes: list[str] = []
    cursor = store.cursor(EVENTS)
    while True:
        batch = events.since(cursor)
        if batch.cursor == cursor:
            return TakenIn(deliveries, persons, tuple(notes))
        named = [number for event in batch.events for number in (event.number, event.new_number) if number]
        changed, ended = (_subjects(following, numbers) for numbers in (named, batch.ended))
        # Of the very first delivery the source cannot tell whether one before it was meant for us too.
        first_missed = cursor is None and batch.previous_on is not None and store.subscribed_before(batch.previous_on)
        missing_since = batch.previous_on if first_missed else batch.missing_since
        store.take_in(EVENTS, batch.cursor, changed=changed, ended=ended, everybody=missing_since is not None)
        if missing_since is not None:
            notes.append(
                f"A delivery of the person register about {missing_since} is missing; everybody is asked again."
            )
        notes += batch.notes
        deliveries, persons, cursor = deliveries + 1, persons + len(batch.events), batch.cursor


def _subjects(following: Following, numbers: Collection[str]) -> list[str]:
    given = pl.Series("number", list(numbers), dtype=pl.String)
    return register_subjects(following.ids, PERSON, given, following.cache.answers.aliases()).to_list()


def named_living(following: Following, kind: str) -> pl.DataFrame:
    """The parties of a kind that living customer relations name (see `notices.living`), and `subject` of each."""
    rows = living(following.cache.read(RESOLVED_CUSTOMERS), following.as_of).filter(pl.col("party_kind") == kind)
    aliases = following.cache.answers.aliases() if kind == PERSON else {}
    return rows.with_columns(register_subjects(following.ids, kind, rows.get_column("number"), aliases))


def check(following: Following, lookups: Lookups, kind: str, named: pl.DataFrame, *, watch: bool) -> Checked:
    """Asks the register of this kind for those of `named` (as from `named_living`) who are due.

    `watch`: events tell of the subscribed, who therefore take no part in the sweep.
    """
    store = following.cache.following
    parties = named.unique("subject", keep="first", maintain_order=True)
    checks = store.checks(kind).join(parties, on="subject", how="semi")
    watched = store.subscriptions().get_column("subject") if watch else pl.Series("subject", [], dtype=pl.String)
    due = to_check(checks, following.as_of, sweep_days=following.sweep_days, watched=watched)
    asked = parties.join(due, on="subject", how="inner")
    refreshed = lookups.refresh(kind, asked["number"].to_list(), calls_per_second=following.calls_per_second)
    changed = asked.filter(pl.col("number").is_in(list(refreshed.changed))).get_column("party_id")
    reasons = dict(due.group_by("reason").len().iter_rows())
    return Checked(
        changed=frozenset(changed),
        by_event=reasons.get("event", 0),
        by_sweep=reasons.get("sweep", 0),
        unanswered=len(refreshed.unanswered),
    )


def registry_rows(following: Following, party_ids: Collection[str], index: WashingIndex) -> pl.DataFrame:
    """What the registry should hold of these parties, for a delivery."""
    now = following.cache.read(RESOLVED_CUSTOMERS)
    ended = following.cache.read(RESOLVED_CUSTOMERS, include_vanished=True).join(now, on="customer_number", how="anti")
    everywhere = pl.concat([now, ended]).unique("customer_number", keep="first", maintain_order=True)
    return customers_of(party_ids, everywhere, following.cache, following.ids, index)


def open_notices(following: Following, named: pl.DataFrame, index: WashingIndex) -> pl.DataFrame:
    """What operators must put right of the parties in `named` (as from `named_living`), as REJECTIONS."""
    parties = named.select("party_id", "party_kind", "number").unique("party_id", keep="first", maintain_order=True)
    return notices(named, party_frame(parties, following.cache.answers, following.ids, index))


def follow_relations(following: Following, subscriptions: PersonSubscriptions, named: pl.DataFrame) -> Subscribed:
    """Subscribes to the persons of living customer relations, and ends the subscriptions of all others that we made.

    `named` as from `named_living`. Subscriptions that others made under the same agreement are left alone. Who is new
    is asked again, if she was asked on an earlier day: of changes since then no event tells. Once a week what we
    believe is compared with what the service has. Raises CallError where it does not say; a call that fails for one
    person is made again in the next run.
    """
    store = following.cache.following
    wanted, ours = _in_force(following, named), store.subscriptions()
    standing = ours
    compared_on = store.compared_on(EVENTS)
    if compared_on is not None and (following.as_of - compared_on).days >= COMPARED_EVERY_DAYS:
        there = pl.Series("number", list(subscriptions.subscribed()), dtype=pl.String)
        standing = ours.filter(pl.col("number").is_in(there.implode()))
    to_add = wanted.join(standing, on=["subject", "number"], how="anti")
    gone = ours.join(wanted, on=["subject", "number"], how="anti")
    kept = set(wanted.get_column("subject"))

    def add(row: tuple[str, str]) -> str | None:
        subject, number = row
        try:
            subscriptions.add(number)
        except CallError:
            return None
        store.note_subscribed(subject, number, following.as_of)
        return subject

    def remove(row: tuple[str, str]) -> bool:
        subject, number = row
        try:
            subscriptions.remove(number)
        except CallError:
            return False
        if subject not in kept:
            store.note_unsubscribed([subject])
        return True

    with ThreadPoolExecutor(WORKERS) as pool:
        added = {subject for subject in pool.map(add, to_add.rows()) if subject is not None}
        removed = sum(pool.map(remove, gone.rows()))
    if compared_on is None or standing is not ours:
        store.note_compared(EVENTS, following.as_of)
    asked_before = store.checks(PERSON).filter(pl.col("as_of") < following.as_of).get_column("subject")
    store.mark(sorted(added & set(asked_before)))
    return Subscribed(len(added), removed, to_add.height + gone.height - len(added) - removed)


def _in_force(following: Following, named: pl.DataFrame) -> pl.DataFrame:
    """subject and number in force of each person whom the register knows."""
    answers = following.cache.answers.frame(PERSON, named.get_column("subject").unique().to_list())
    number = pl.col("answer").str.json_path_match("$.number")
    return answers.select("subject", number.alias("number")).drop_nulls("number").sort("subject")
