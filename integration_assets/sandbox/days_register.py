"""Events in the person register: moves, names, protection, deaths, emigration and changed numbers of customers.

The billing system is told nothing of them, but for the clerk who types a changed number. What the person register tells
its subscribers goes to `Diary.notices`, with the codes that the register gives its events (hændelser).
"""

from collections.abc import Callable
from datetime import date
from typing import Any, Final

from integration_assets.sandbox import names
from integration_assets.sandbox.days_diary import Diary, Event
from integration_assets.sandbox.register_changes import renumbering
from integration_assets.sandbox.town_builder import day_after
from integration_assets.sandbox.town_model import Customer
from integration_assets.sandbox.town_people import birth6
from integration_assets.sandbox.town_rules import is_protected, renumber

Json = dict[str, Any]
Subject = Callable[[Customer], str | None]
Act = Callable[[Diary, Customer, Json], None]
Suits = Callable[[Diary, Json], bool]
Rows = Callable[[Diary, Customer], bool]

_RESIDENT: Final = "01"
_EMIGRATED: Final = "80"
_DEAD: Final = "90"
_RENUMBERED: Final = "60"
_PERSON_DIGITS: Final = 10
_LONG_DAYS: Final = 365


def _main(row: Customer) -> str | None:
    return row.party if row.party is not None and len(row.party) == _PERSON_DIGITS else None


def _co(row: Customer) -> str | None:
    return row.co


def _tell(diary: Diary, number: str, *codes: str, new_number: str | None = None) -> None:
    diary.notices.append({"pnr": number, "codes": list(codes), "new_pnr": new_number})


def _some_days_ago(diary: Diary, days: int, not_before: str = "") -> str:
    """Today or up to so many days ago, not before another day."""
    return max(day_after(diary.today, -diary.draw.randint(0, days)), not_before)


def _left(person: Json, moved_out: str) -> list[Json]:
    """The former addresses of a person who leaves the present one."""
    return [*person["former_addresses"], {**person["address"], "moved_out": moved_out}]


def _moves(diary: Diary, row: Customer, person: Json) -> None:
    home = diary.spare_home()
    if home is None:
        return
    day = _some_days_ago(diary, 5, person["address"]["moved_in"])
    former = _left(person, day)
    diary.amend(row, person["pnr"], address=home.registered(day), former_addresses=former)
    _tell(diary, person["pnr"], "A01")


def _takes_name(diary: Diary, row: Customer, person: Json) -> None:
    """A new family name by marriage; somebody who is married already only takes the name."""
    last = person["last_name"]
    while last == person["last_name"]:
        last = names.family_name(diary.draw)
    day = _some_days_ago(diary, 10)
    addressing = names.addressing_name(person["first_name"], person["middle_name"], last)
    changes: Json = {"last_name": last, "addressing_name": addressing, "name_from": day}
    married = person["civil_status"] == "G"
    if not married:
        changes |= {"civil_status": "G", "civil_status_from": day}
    diary.amend(row, person["pnr"], **changes)
    _tell(diary, person["pnr"], "A13", *(() if married else ("A24",)))


def _protected_for(days: int) -> Act:
    def act(diary: Diary, row: Customer, person: Json) -> None:
        until = day_after(diary.today, days)
        diary.amend(row, person["pnr"], protected=True, protected_from=diary.today, protected_until=until)
        _tell(diary, person["pnr"], "A33")

    return act


def _dies(diary: Diary, row: Customer, person: Json) -> None:
    day = _some_days_ago(diary, 3, person["address"]["moved_in"])
    former = _left(person, day)
    diary.amend(row, person["pnr"], status=_DEAD, status_from=day, address=None, former_addresses=former)
    _tell(diary, person["pnr"], "A21")


def _emigrates(diary: Diary, row: Customer, person: Json) -> None:
    day = _some_days_ago(diary, 3, person["address"]["moved_in"])
    gone: Json = {"status": _EMIGRATED, "status_from": day, "emigrated_on": day, "address": None}
    diary.amend(row, person["pnr"], **gone, former_addresses=_left(person, day))
    _tell(diary, person["pnr"], "A06")


def _gets_new_number(diary: Diary, row: Customer, person: Json) -> None:
    old, day = person["pnr"], _some_days_ago(diary, 3)
    new = diary.builder.people.numbers.cpr(date.fromisoformat(person["birth_date"]), person["gender"])
    replaced: Json = {"status": _RENUMBERED, "status_from": day, "address": None, "former_addresses": []}
    diary.persons[new] = {**person, "pnr": new, "status_from": day}
    for former in [each for each, current in diary.replaced.items() if current == old]:
        diary.persons[former] = {**diary.registered(former), "current_pnr": new}
    diary.persons[old] = {**person, **replaced, "current_pnr": new}
    _renumber(diary, old, new)
    diary.town.register_changes.setdefault(new, []).append(renumbering(old, new, day))
    diary.touch_others(row, old)
    _tell(diary, old, "P03", new_number=new)


def _renumber(diary: Diary, old: str, new: str) -> None:
    diary.renumbered[old] = new
    diary.touched.update(("customers", each.number) for each in renumber(diary.town, old, new))


def _number_corrected(diary: Diary, row: Customer) -> None:
    """A clerk types the numbers in force; a town may have begun with people under numbers long replaced."""
    for old in {row.party, row.co} & set(diary.replaced):
        _renumber(diary, old or "", diary.replaced[old or ""])
    row.id_number = diary.replaced.get(row.id_number, row.id_number)
    row.co_id_number = diary.replaced.get(row.co_id_number, row.co_id_number)


def _has_old_number(diary: Diary, row: Customer) -> bool:
    typed = (row.id_number, row.co_id_number)
    in_order = row.exported and row.reason is None and row.moved_out is None
    return in_order and any(number in diary.replaced for number in typed)


def _is_completed(row: Customer) -> bool:
    """Whether the registry has known the parties of a row from the base day on: once known stays known."""
    return row.exported and row.reason is None and row.co_reason is None and not row.kind.startswith("day_")


def _is_watched(diary: Diary, person: Json) -> bool:
    """Whether a completion not yet made, or that of somebody else, looks for residents at a person's house."""
    return any(
        person["pnr"] not in (row.party, row.co) or not _is_completed(row)
        for row in diary.incomplete.get(diary.house(person["address"]["unit_id"]), [])
    )


def _is_settled(diary: Diary, row: Customer) -> bool:
    return diary.is_settled(row)


def _is_known(diary: Diary, row: Customer) -> bool:
    """Settled, or with a number that was completed before the first day."""
    numbers = ((row.id_number, row.party), (row.co_id_number, row.co))
    completed = all(typed == (party or "0") or (party and typed == birth6(party)) for typed, party in numbers)
    return diary.is_settled(row) or (_is_completed(row) and row.moved_out is None and completed)


def _anybody(_diary: Diary, _person: Json) -> bool:
    return True


def _is_protected(diary: Diary, person: Json) -> bool:
    return is_protected(person, diary.today)


def _never_protected(_diary: Diary, person: Json) -> bool:
    return not person["protected"]


def _is_billed_at_home(diary: Diary, person: Json) -> bool:
    """Whether bills of the person go to the registered address because their own line leads nowhere."""
    return any(row.billing_unit is None and row.party == person["pnr"] for row in diary.rows_of(person["pnr"]))


def _may_be_protected_briefly(diary: Diary, person: Json) -> bool:
    """Not if the end moves a billing address, which it may do when nobody reads the row any more."""
    return _never_protected(diary, person) and not _is_billed_at_home(diary, person)


def _is_billed_unprotected(diary: Diary, person: Json) -> bool:
    return _never_protected(diary, person) and _is_billed_at_home(diary, person)


def _may_lose_address(diary: Diary, person: Json) -> bool:
    """Not if a billing address would be refused for two reasons at once."""
    return not person["protected"] or not _is_billed_at_home(diary, person)


def _event(act: Act, suits: Suits, subject: Subject = _main, rows: Rows = _is_settled) -> Event:
    """An event of one person of a row: a resident of the country whose rows are in order and have had none today."""

    def happens(diary: Diary, row: Customer) -> None:
        act(diary, row, diary.registered(subject(row) or ""))

    def fits(diary: Diary, row: Customer) -> bool:
        number = subject(row)
        if number is None or not diary.is_free(number) or not all(rows(diary, each) for each in diary.rows_of(number)):
            return False
        person = diary.registered(number)
        lives_here = person["status"] == _RESIDENT and person["address"] is not None
        return lives_here and not _is_watched(diary, person) and suits(diary, person)

    return Event(happens, fits)


PERSON_EVENTS: Final = {
    "number_corrected": Event(_number_corrected, _has_old_number),
    "protected_person_moved": _event(_moves, _is_protected),
    "billed_person_protected": _event(_protected_for(_LONG_DAYS), _is_billed_unprotected),
    "billed_person_moved": _event(_moves, _is_billed_unprotected),
    "registered_move": _event(_moves, _anybody, rows=_is_known),
    "co_name_change": _event(_takes_name, _anybody, _co),
    "name_change": _event(_takes_name, _anybody),
    "protection_granted": _event(_protected_for(_LONG_DAYS), _never_protected),
    "protection_granted_briefly": _event(_protected_for(1), _may_be_protected_briefly),
    "co_death": _event(_dies, _may_lose_address, _co),
    "death": _event(_dies, _may_lose_address, rows=_is_known),
    "emigration": _event(_emigrates, _may_lose_address),
    "co_number_change": _event(_gets_new_number, _anybody, _co),
    "number_change": _event(_gets_new_number, _anybody),
}
"""Events by name."""
