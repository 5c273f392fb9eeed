"""What operators correct of the past: from which day on an undated value of a registry object has been true.

A run dates what the billing system overwrites in place by the day on which it sees it, and never rewrites what it said
before. Where the value was true earlier (a telephone number typed in late) or only later, an operator says so; what is
desired of the object is changed at once, and the next run delivers it like any other difference.
"""

from dataclasses import dataclass
from datetime import date, datetime

import polars as pl

from integration_assets.cache.store import Cache
from integration_assets.domain.registry import history
from integration_assets.domain.tables import REGISTRY_ROWS, RESOLVED_CUSTOMERS
from integration_assets.flows.registry import SYSTEM, desiring

_KEYS = ("object_id", "business_key", "supply_area")


class CorrectionRefused(Exception):
    """Nothing was corrected; the message says why."""


@dataclass(frozen=True)
class Correction:
    """A correction that was made: of which object, and the days on which the field now changes its value."""

    object_id: str
    days: tuple[date | None, ...]


def correct(
    cache: Cache,
    entity: str,
    number: str,
    field: str,
    since: date | None,
    *,
    as_of: date,
    by: str,
    note: str | None,
    now: datetime,
    co_customer: bool = False,
) -> Correction:
    """Makes the value that the field has on `as_of` true from `since` on (None: from the beginning of the object).

    `number` is the installation number of an installation, the customer number of all others; with `co_customer` the
    co-customer of that number is meant instead of the main customer. Raises CorrectionRefused, with a sentence for the
    operator, where there is no such object, where the field is dated by its source, or where nothing would change.
    """
    if not by.strip():
        raise CorrectionRefused("A correction needs the name of the one who makes it; nothing was corrected.")
    if not history.UNDATED.get(entity):
        may = ", ".join(sorted(name for name, fields in history.UNDATED.items() if fields))
        raise CorrectionRefused(f"There is nothing to correct of {entity}. What can be corrected are {may}.")
    with desiring(cache, entity):
        rows = _rows(cache, entity, number, co_customer)
        row = rows.row(0, named=True)
        if not history.is_undated(entity, row, field):
            may = ", ".join(name for name in history.UNDATED[entity] if history.is_undated(entity, row, name))
            raise CorrectionRefused(
                f"{field} of {number} is not dated by runs, so its source corrects it. What can be corrected are {may}."
            )
        try:
            corrected = history.corrected(row, field, since, as_of)
        except ValueError as error:
            raise CorrectionRefused(f"{error} Nothing was corrected.") from error
        if corrected == (row["history"] or []):
            raise CorrectionRefused(f"That is what is said of {field} of {number} already; nothing was corrected.")
        changed = rows.with_columns(pl.lit(corrected, dtype=history.HISTORY).alias("history"))
        cache.deliveries.desire(SYSTEM, entity, changed)
        key = "installation_number" if entity == "installations" else "customer_number"
        cache.corrections.note(
            entity, row["object_id"], field, since, by=by.strip(), note=note, now=now, **{key: number}
        )
    return Correction(row["object_id"], tuple(piece["from"] for piece in corrected if piece["field"] == field))


def _rows(cache: Cache, entity: str, number: str, co_customer: bool) -> pl.DataFrame:
    """What is desired of the object, a row per supply area. Raises CorrectionRefused where there is none."""
    named = pl.col("business_key") == number
    if entity == "customers":
        known = cache.read(RESOLVED_CUSTOMERS, include_vanished=True).filter(pl.col("customer_number") == number)
        parties = known.get_column("co_party_id" if co_customer else "party_id").drop_nulls()
        named = pl.col("object_id").is_in(parties.implode())
    rows = cache.deliveries.desired(SYSTEM, entity, None, REGISTRY_ROWS[entity]).filter(named)
    rows = rows.filter(~pl.all_horizontal(pl.col(*REGISTRY_ROWS[entity]).is_null()))  # those are erased
    if rows.is_empty():
        whose = "co-customer of the " if co_customer else ""
        kind = "installation" if entity == "installations" else "customer"
        raise CorrectionRefused(
            f"The registry has no {entity.replace('_', ' ')} of the {whose}{kind} number {number}; "
            "nothing was corrected."
        )
    if rows.get_column("object_id").n_unique() > 1:
        raise CorrectionRefused(f"The number {number} names several {entity.replace('_', ' ')}; nothing was corrected.")
    return rows.select(*_KEYS, *REGISTRY_ROWS[entity])
