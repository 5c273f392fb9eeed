"""Events at the place and around the parties: meters, co-customers, take-overs, garbage, and repairs of errors."""

from typing import Final

from integration_assets.sandbox import names
from integration_assets.sandbox.days_diary import Diary, Event
from integration_assets.sandbox.town_homes import plainly
from integration_assets.sandbox.town_model import Customer


def _address_corrected(diary: Diary, row: Customer) -> None:
    place = diary.place(row)
    home = diary.spare_home(place.postcode)
    if home is not None:
        vars(place).update(unit=home.unit, **vars(plainly(home)))
        diary.touch_place(place)


def _meter_swapped(diary: Diary, row: Customer) -> None:
    installation = next(each for each in diary.installations(row) if each.meters[-1][5] is None)
    installation.meters[-1][5] = diary.today
    installation.meters.append(diary.builder.meter(diary.today))
    diary.touch_installation(installation)


def _meter_removed(diary: Diary, row: Customer) -> None:
    installation = next(each for each in diary.installations(row) if each.meters[-1][5] is None)
    installation.meters[-1][5] = diary.today
    diary.touch_installation(installation)


def _has_meter(diary: Diary, row: Customer) -> bool:
    last = [installation.meters[-1] for installation in diary.installations(row)]
    return diary.is_alone(row) and any(meter[5] is None and meter[4] < diary.today for meter in last)


def _installation_added(diary: Diary, row: Customer) -> None:
    diary.touch_installation(diary.builder.install(diary.place(row), diary.today))


def _co_added(diary: Diary, row: Customer) -> None:
    co = diary.builder.people.person(diary.home(diary.place(row).unit))
    row.co, row.co_id_number = co["pnr"], co["pnr"]


def _co_removed(_diary: Diary, row: Customer) -> None:
    row.co, row.co_id_number = None, "0"


def _has_co(diary: Diary, row: Customer) -> bool:
    return diary.is_alone(row) and row.co is not None


def _taken_over(diary: Diary, row: Customer) -> None:
    company = diary.builder.people.company(diary.home(diary.place(row).unit))
    row.party = row.id_number = company["cvr"]
    row.name = company["name"][:80].rstrip()


def _number_is_garbage(_diary: Diary, row: Customer) -> None:
    row.good = dict(vars(row))
    row.id_number, row.reason = "12345", "unreadable_id_number"


def _number_repaired(_diary: Diary, row: Customer) -> None:
    good = row.good or {}
    row.id_number, row.reason, row.good = good["id_number"], None, None


def _was_good(_diary: Diary, row: Customer) -> bool:
    return row.good is not None and row.reason == "unreadable_id_number"


def _dates_repaired(_diary: Diary, row: Customer) -> None:
    row.moved_out, row.reason = None, None


def _has_garbage_dates(_diary: Diary, row: Customer) -> bool:
    # A row that was in good order once was annulled, which is no mistake.
    return row.reason == "annulled_move_in" and row.good is None


def _co_completed(diary: Diary, row: Customer) -> None:
    twins = [each["pnr"] for each in diary.residents(diary.place(row).unit) if each["pnr"][:6] == row.co_id_number[:6]]
    row.co = row.co_id_number = row.co or next(number for number in twins if number != row.party)
    row.co_reason = None


def _has_incomplete_co(_diary: Diary, row: Customer) -> bool:
    return (
        row.exported
        and row.reason is None
        and row.moved_out is None
        and row.kind in ("co_incomplete", "co_ambiguous")
        and row.co_id_number.endswith("0000")
    )


def _typing_repaired(diary: Diary, row: Customer) -> None:
    place = diary.place(row)
    vars(place).update(vars(plainly(diary.home(place.unit))))
    diary.touch_place(place)


def _is_mistyped(diary: Diary, row: Customer) -> bool:
    return row.exported and row.reason is None and row.moved_out is None and diary.place(row).address_id is None


def _name_repaired(diary: Diary, row: Customer) -> None:
    for person in diary.residents(diary.place(row).unit):
        if names.mistyped(person["addressing_name"]) == row.name:
            row.party, row.name, row.reason = person["pnr"], person["addressing_name"], None
            return


def _is_misnamed(_diary: Diary, row: Customer) -> bool:
    return row.reason == "completion_no_match"


REPAIR_EVENTS: Final = {
    "number_repaired": Event(_number_repaired, _was_good),
    "dates_repaired": Event(_dates_repaired, _has_garbage_dates),
    "typing_repaired": Event(_typing_repaired, _is_mistyped),
    "name_repaired": Event(_name_repaired, _is_misnamed),
    "co_completed": Event(_co_completed, _has_incomplete_co),
    "co_removed": Event(_co_removed, _has_co),
    "co_added": Event(_co_added, Diary.is_person_alone),
    "company_took_over": Event(_taken_over, Diary.is_person_alone),
    "garbage_number": Event(_number_is_garbage, Diary.is_person_alone),
    "consumption_address_corrected": Event(_address_corrected, Diary.is_alone),
    "meter_swapped": Event(_meter_swapped, _has_meter),
    "meter_removed": Event(_meter_removed, _has_meter),
    "installation_added": Event(_installation_added, Diary.is_alone),
}
"""Events by name."""
