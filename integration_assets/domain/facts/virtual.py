"""Virtual attributes of templates: days and values that are computed when a template is run."""

from collections.abc import Callable, Mapping, Sequence
from datetime import date, timedelta
from typing import Any, Final, NamedTuple, cast

from integration_assets.domain.facts.days import INFINITY, months_later
from integration_assets.domain.facts.operands import BadConfiguration
from integration_assets.domain.facts.values import Value


class Circumstances(NamedTuple):
    """What virtual attributes are computed from: the contract's days and the generation period, inclusive."""

    contract_start: date
    contract_end: date
    period_start: date
    period_end: date


VirtualDay = Callable[[Circumstances], date]
VirtualValue = Callable[[Circumstances], Value]


def _contract_start(at: Circumstances) -> date:
    return at.contract_start


def _contract_end(at: Circumstances) -> date:
    return at.contract_end


def _period_start(at: Circumstances) -> date:
    return at.period_start


def _period_end(at: Circumstances) -> date:
    return at.period_end


def _first_of_month_after_months(months: int) -> VirtualDay:
    return lambda at: months_later(at.contract_start.replace(day=1), months)


def _after_months(months: int) -> VirtualDay:
    return lambda at: months_later(at.contract_start, months)


def _last_day_of_months(months: int) -> VirtualDay:
    def day(at: Circumstances) -> date:
        after = months_later(at.contract_start, months)
        return after if after == INFINITY else after - timedelta(days=1)

    return day


def _period_days(at: Circumstances) -> Value:
    return (at.period_end - at.period_start).days + 1


_DAYS: Final[Mapping[str, VirtualDay]] = {
    "contract_start": _contract_start,
    "contract_end": _contract_end,
    "period_start": _period_start,
    "period_end": _period_end,
}
_DAYS_OF_MONTHS: Final[Mapping[str, Callable[[int], VirtualDay]]] = {
    "contract_start_plus_months": _after_months,
    "contract_start_plus_months_minus_1d": _last_day_of_months,
    "contract_month_plus_months": _first_of_month_after_months,
}
_VALUES: Final[Mapping[str, VirtualValue]] = {"period_days": _period_days}


def virtual_day(told: object) -> VirtualDay:
    """The function of a day, told as ["contract_start"] or ["contract_start_plus_months_minus_1d", 12].

    Raises BadConfiguration for an unknown function or months that are no number of at least zero.
    """
    name, arguments = _told(told)
    if name in _DAYS and not arguments:
        return _DAYS[name]
    if name in _DAYS_OF_MONTHS and len(arguments) == 1:
        months = arguments[0]
        if not isinstance(months, int) or isinstance(months, bool) or months < 0:
            raise BadConfiguration(f"{name} wants a number of months, not {months!r}.")
        return _DAYS_OF_MONTHS[name](months)
    raise BadConfiguration(f"There is no virtual day {told!r}.")


def virtual_value(told: object) -> VirtualValue:
    """The function of a value, told as ["period_days"]. Raises BadConfiguration for an unknown one."""
    name, arguments = _told(told)
    if name in _VALUES and not arguments:
        return _VALUES[name]
    raise BadConfiguration(f"There is no virtual value {told!r}.")


def _told(told: object) -> tuple[str, list[Any]]:
    parts = list(cast("Sequence[Any]", told)) if isinstance(told, list | tuple) else [told]
    if not parts or not isinstance(parts[0], str):
        raise BadConfiguration(f"A virtual attribute is a list of a function and its arguments, not {told!r}.")
    return parts[0], parts[1:]
