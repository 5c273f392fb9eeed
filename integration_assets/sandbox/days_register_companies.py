"""Events in the company register: new names, seats, business codes (branchekoder) and forms, and their end.

The billing system is told nothing of them, and nobody gets a notice: companies have no subscription.
"""

from collections.abc import Callable
from typing import Any, Final

from integration_assets.sandbox import names
from integration_assets.sandbox.days_diary import Diary, Event
from integration_assets.sandbox.town_builder import day_after
from integration_assets.sandbox.town_model import Customer

Json = dict[str, Any]

_COMPANY_DIGITS: Final = 8
_LATE_DAYS: Final = 10
"""How late the register may tell of a change."""

_CODES: Final = (10_000, 960_900)


def _some_day(diary: Diary) -> str:
    return day_after(diary.today, -diary.draw.randint(0, _LATE_DAYS))


def _renamed(diary: Diary, row: Customer, company: Json) -> None:
    name = company["name"]
    while name == company["name"]:
        name, _form = names.company_name(diary.draw)
    diary.amend(row, company["cvr"], name=name, name_from=_some_day(diary))


def _moved(diary: Diary, row: Customer, company: Json) -> None:
    home = diary.spare_home()
    if home is not None:
        diary.amend(row, company["cvr"], address=home.seat(), address_from=_some_day(diary))


def _code_changed(diary: Diary, row: Customer, company: Json) -> None:
    code = company["business_code"]
    while code == company["business_code"]:
        code = f"{diary.draw.randint(*_CODES):06d}"
    diary.amend(row, company["cvr"], business_code=code, business_code_from=_some_day(diary))


def _form_changed(diary: Diary, row: Customer, company: Json) -> None:
    form = diary.draw.choice([each for each in names.COMPANY_FORMS if each != company["company_form"]])
    diary.amend(row, company["cvr"], company_form=form, company_form_from=_some_day(diary))


def _ceased(diary: Diary, row: Customer, company: Json) -> None:
    diary.amend(row, company["cvr"], ceased=diary.today)


def _event(act: Callable[[Diary, Customer, Json], None]) -> Event:
    """An event of the company of a row: one that exists, whose rows are settled and have had no event today."""

    def happens(diary: Diary, row: Customer) -> None:
        act(diary, row, diary.registered(row.party or ""))

    def fits(diary: Diary, row: Customer) -> bool:
        number = row.party
        return (
            number is not None
            and len(number) == _COMPANY_DIGITS
            and diary.is_free(number)
            and all(map(diary.is_settled, diary.rows_of(number)))
            and diary.registered(number)["ceased"] is None
        )

    return Event(happens, fits)


COMPANY_EVENTS: Final = {
    "company_renamed": _event(_renamed),
    "company_moved": _event(_moved),
    "company_code_changed": _event(_code_changed),
    "company_form_changed": _event(_form_changed),
    "company_ceased": _event(_ceased),
}
"""Events by name."""
