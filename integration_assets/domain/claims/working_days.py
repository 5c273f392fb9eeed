"""Working days of a Danish authority."""

from datetime import date, timedelta
from functools import cache
from typing import Final

_LAST_PRAYER_DAY: Final = 2023
"""Store bededag was a holiday for the last time in this year (lov nr. 214 af 06/03/2023)."""


def easter_sunday(year: int) -> date:
    """Easter Sunday of a year in the Gregorian calendar (Meeus' rule)."""
    golden, century = year % 19, year // 100
    leap_correction = century // 4
    moon = (19 * golden + century - leap_correction - (century - (century + 8) // 25 + 1) // 3 + 15) % 30
    week = (32 + 2 * (century % 4) + 2 * (year % 100 // 4) - moon - year % 4) % 7
    shift = (golden + 11 * moon + 22 * week) // 451
    month, day = divmod(moon + week - 7 * shift + 114, 31)
    return date(year, month, day + 1)


@cache
def holidays(year: int) -> frozenset[date]:
    """Days on which a Danish authority is closed beside weekends: holidays, Constitution Day, 24 and 31 December."""
    easter = easter_sunday(year)
    shifts = (-3, -2, 0, 1, 39, 49, 50)  # Thursday and Friday before Easter … Ascension, Whit Sunday and Monday
    moving = {easter + timedelta(days=shift) for shift in shifts}
    if year <= _LAST_PRAYER_DAY:
        moving.add(easter + timedelta(days=26))
    fixed = ((1, 1), (6, 5), (12, 24), (12, 25), (12, 26), (12, 31))
    return frozenset(moving | {date(year, month, day) for month, day in fixed})


def is_working_day(day: date) -> bool:
    """Whether a Danish authority works on this day."""
    return day.weekday() < 5 and day not in holidays(day.year)


def working_days_before(day: date, number: int) -> date:
    """The last day after which `number` working days have passed by `day`, that day included.

    What was sent on it has been answered for that many working days; 0 gives the day itself.
    """
    while number > 0:
        number -= is_working_day(day)
        day -= timedelta(days=1)
    return day
