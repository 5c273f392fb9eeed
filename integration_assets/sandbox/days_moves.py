"""Events of moving: in, out, one after the other, ahead of time, too late, and not after all."""

import itertools
from typing import Final

from integration_assets.sandbox.days_diary import Diary, Event
from integration_assets.sandbox.town_builder import day_after
from integration_assets.sandbox.town_model import Customer
from integration_assets.sandbox.town_people import birth6

RETROACTIVE_DAYS: Final = 60
"""How far back a late move-out is dated: well outside every window in which the source is read nightly."""


def _arrives(diary: Diary, kind: str, moved_in: str) -> Customer | None:
    """A new person at a spare home, with installation; None when no home is left."""
    home = diary.spare_home()
    if home is None:
        return None
    person = diary.builder.people.person(home)
    row = diary.builder.person_row(kind, person, home, moved_in=moved_in)
    _touch_new_place(diary, row)
    return row


def _touch_new_place(diary: Diary, row: Customer) -> None:
    diary.touch_place(diary.place(row))
    newest_first = reversed(diary.town.installations.values())
    for installation in itertools.takewhile(lambda each: each.place == row.place, newest_first):
        diary.touch_installation(installation)


def _moves_in(diary: Diary, _row: None) -> Customer | None:
    return _arrives(diary, "day_move_in", diary.today)


def _moves_in_incomplete(diary: Diary, _row: None) -> Customer | None:
    row = _arrives(diary, "day_move_in_incomplete", diary.today)
    if row is not None and row.party is not None:
        row.id_number = birth6(row.party)
    return row


def _company_moves_in(diary: Diary, _row: None) -> Customer | None:
    home = diary.spare_home()
    if home is None:
        return None
    company = diary.builder.people.company(home)
    row = diary.builder.company_row("day_company", company, home, moved_in=diary.today)
    _touch_new_place(diary, row)
    return row


def _will_move_in(diary: Diary, _row: None) -> Customer | None:
    return _arrives(diary, "day_future_move_in", day_after(diary.today, diary.draw.randint(1, 3)))


def _dates_are_garbage(diary: Diary, _row: None) -> Customer | None:
    row = _arrives(diary, "day_garbage_dates", diary.today)
    if row is not None:
        row.moved_out, row.reason = day_after(diary.today, -1), "annulled_move_in"
    return row


def _is_succeeded(diary: Diary, row: Customer) -> None:
    row.moved_out = diary.today
    home = diary.home(diary.place(row).unit)
    person = diary.builder.people.person(home)
    diary.touch(diary.builder.person_row("day_successor", person, home, diary.place(row), moved_in=diary.today))


def _announces(diary: Diary, row: Customer) -> None:
    row.moved_out = day_after(diary.today, diary.draw.randint(5, 30))


def _moves_out(diary: Diary, row: Customer) -> None:
    row.moved_out = diary.today


def _moved_out_long_ago(diary: Diary, row: Customer) -> None:
    row.moved_out = day_after(diary.today, -RETROACTIVE_DAYS)


def _has_been_here_long(diary: Diary, row: Customer) -> bool:
    end = day_after(diary.today, -RETROACTIVE_DAYS)
    meters = [meter for installation in diary.installations(row) for meter in installation.meters]
    return diary.is_alone(row) and row.moved_in < end and all(meter[4] < end for meter in meters)


def _stays(_diary: Diary, row: Customer) -> None:
    row.moved_out = None


def _is_to_leave(diary: Diary, row: Customer) -> bool:
    return row.exported and row.reason is None and row.moved_out is not None and row.moved_out > diary.today


MOVE_EVENTS: Final = {
    "moved_in": Event(_moves_in),
    "moved_in_incomplete": Event(_moves_in_incomplete),
    "company_moved_in": Event(_company_moves_in),
    "future_move_in": Event(_will_move_in),
    "garbage_dates": Event(_dates_are_garbage),
    "succeeded": Event(_is_succeeded, Diary.is_alone),
    "move_out_cancelled": Event(_stays, _is_to_leave),
    "move_out_announced": Event(_announces, Diary.is_alone),
    "moved_out": Event(_moves_out, Diary.is_alone),
    "moved_out_retroactively": Event(_moved_out_long_ago, _has_been_here_long),
}
"""Events by name."""
