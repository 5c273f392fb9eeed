"""Events that change one thing on a customer row and nothing beside it."""

from collections.abc import Callable
from typing import Final

from integration_assets.sandbox.days_diary import Diary, Event
from integration_assets.sandbox.town_builder import billed_to
from integration_assets.sandbox.town_model import Customer

_MANY: Final = " m.fl."


def _phone(diary: Diary, row: Customer) -> None:
    row.phone = diary.draw.randint(20_000_000, 99_999_999)


def _mobile(diary: Diary, row: Customer) -> None:
    row.mobile = str(diary.draw.randint(20_000_000, 99_999_999))


def _no_mobile(_diary: Diary, row: Customer) -> None:
    row.mobile = None


def _email(diary: Diary, row: Customer) -> None:
    row.email = f"ny{row.number}.{diary.town.meta['day']}@eksempel.example"


def _typed_name(_diary: Diary, row: Customer) -> None:
    row.name = row.name.removesuffix(_MANY) if row.name.endswith(_MANY) else f"{row.name[:70].rstrip()}{_MANY}"


def _master_id(diary: Diary, row: Customer) -> None:
    row.master_id += 100_000 * (1 + diary.town.meta["day"])


def _billing(diary: Diary, row: Customer) -> None:
    home = diary.spare_home()
    if home is not None:
        vars(row).update(billed_to(home))


def _billing_home(diary: Diary, row: Customer) -> None:
    vars(row).update(billed_to(diary.home(diary.place(row).unit)))


def _changes(
    act: Callable[[Diary, Customer], None], fits: Callable[[Diary, Customer], bool] = Diary.is_settled
) -> Event:
    return Event(act, fits)


def _has_mobile(diary: Diary, row: Customer) -> bool:
    return diary.is_settled(row) and row.mobile is not None


def _billed_elsewhere(diary: Diary, row: Customer) -> bool:
    return diary.is_settled(row) and row.billing_unit != diary.place(row).unit


CONTACT_EVENTS: Final = {
    "phone_changed": _changes(_phone),
    "mobile_changed": _changes(_mobile),
    "mobile_removed": _changes(_no_mobile, _has_mobile),
    "email_changed": _changes(_email),
    "typed_name_changed": _changes(_typed_name),
    "master_id_changed": _changes(_master_id),
    "billing_address_changed": _changes(_billing),
    "billing_address_to_place": _changes(_billing_home, _billed_elsewhere),
}
"""Events by name."""
