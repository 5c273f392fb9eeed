"""A day in the life of the town: what clerks and customers change between one night's run and the next.

`play_day` plays the events of the `days_` modules, moves the truth along and writes the changes to the billing system
and the registers. The same town and the same day give the same events.
"""

import random
from typing import Any, Final

from integration_assets.sandbox.days_contact import CONTACT_EVENTS
from integration_assets.sandbox.days_diary import Diary
from integration_assets.sandbox.days_moves import MOVE_EVENTS
from integration_assets.sandbox.days_register import PERSON_EVENTS
from integration_assets.sandbox.days_register_companies import COMPANY_EVENTS
from integration_assets.sandbox.days_repairs import REPAIR_EVENTS
from integration_assets.sandbox.store import Store
from integration_assets.sandbox.town_builder import Builder
from integration_assets.sandbox.town_model import Town, load, uninterrupted
from integration_assets.sandbox.town_people import People
from integration_assets.sandbox.town_rules import (
    as_of,
    contact_parts,
    exported_rows,
    remember_parties,
    settle,
)
from integration_assets.sandbox.town_write import write_changes

Json = dict[str, Any]

OUTBOX: Final = "register:events"
"""Store collection of what the person register tells its subscribers, by day."""

EVENTS = {**MOVE_EVENTS, **CONTACT_EVENTS, **REPAIR_EVENTS, **PERSON_EVENTS, **COMPANY_EVENTS}
"""All events by name, in the order in which a day plays them."""


@uninterrupted
def play_day(store: Store, kmd_ee_url: str, day: int) -> Json:
    """Play day `day` (1 is the day after the base day) on the town as it stands.

    Days are played in rising order; a day may be left out, but not played twice. Returns {day, as_of, customers:
    {customer number: [event, ...]}, installations: {installation number: [event, ...]}}; an event without a
    suitable row does not occur. Rows that come into view by themselves are named with the event "came_into_view"; an
    event in a register is named at every row of the party. What a subscriber of the person register is told of the day
    stands in the collection "register:events" under the day: {day, events: [{pnr, codes, new_pnr}]}.
    Raises ValueError for a day that is not after the last one played, LookupError without a town.
    """
    town = load(store)
    if day <= town.meta["day"]:
        raise ValueError(f"Day {day} cannot be played: the town stands at day {town.meta['day']}.")
    town.meta["day"] = day
    draw = random.Random(f"day {day} of town {town.meta['seed']} {town.meta['size']}")
    taken = {*store.load("register:person"), *store.load("register:company"), *_typed_numbers(town)}
    people = People(draw, taken)
    diary = Diary(store, town, Builder(town, people, draw), as_of(town))
    waiting = [row for row in town.customers.values() if not row.exported]
    settle(town, waiting)
    diary.note("came_into_view", [row for row in waiting if row.exported])
    before = contact_parts(exported_rows(town))
    for name, event in EVENTS.items():
        diary.play(name, event)
    settle(town, [town.customers[number] for kind, number in sorted(diary.touched) if kind == "customers"])
    _keep_departed(town, {diary.renumbered.get(party, party): part for party, part in before.items()})
    remember_parties(town)
    store.put_many("register:person", {**people.persons, **diary.persons})
    store.put_many("register:company", {**people.companies, **diary.companies})
    store.put(OUTBOX, diary.today, {"day": diary.today, "events": diary.notices})
    town.save(store, diary.touched)
    write_changes(town, kmd_ee_url, diary.touched)
    return {"day": day, "as_of": diary.today, **diary.report()}


def _typed_numbers(town: Town) -> set[str]:
    """Numbers that stand in the source without being anybody's."""
    return {number for row in town.customers.values() for number in (row.id_number, row.co_id_number)}


def _keep_departed(town: Town, before: dict[str, Json]) -> None:
    """Note what the registry keeps of parties that no row names any more, and forget the note of those who return."""
    now = contact_parts(exported_rows(town))
    for party, part in before.items():
        if party not in now:
            town.kept[party] = part
    for party in [party for party in town.kept if party in now]:
        del town.kept[party]
