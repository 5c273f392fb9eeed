"""How roles go on when the parties of a customer relation change.

The billing system shows only who is customer now. Who was, and until when, is told from the roles desired before: a
party who is gone from the row leaves on the business day, and one who is new on a row that others had joins on it.
Otherwise roles follow move-in and move-out, corrections included.
"""

from collections.abc import Collection
from datetime import date
from typing import Final

import polars as pl

from integration_assets.domain.registry.desired import CO_CUSTOMER_ROLE
from integration_assets.domain.registry.meters import DISTANT_FUTURE, DISTANT_PAST, shown_dates

_NUMBER: Final = "customer_number"


def continue_roles(
    desired: pl.DataFrame, previous: pl.DataFrame, as_of: date, *, unresolved_co_customers: Collection[str] = ()
) -> pl.DataFrame:
    """The roles of the desired customer numbers, those of parties who left included, same columns as `desired`.

    `desired` as from `domain.registry.desired.customer_roles`, `previous` with the same columns: all roles desired
    before for the same customer numbers, ended ones too. Per customer number:

    * a number without previous roles: as desired.
    * a party still there: from move-in (or from the day it joined) to move-out.
    * a new party: from `as_of`; from move-in where nobody stood in the row before `as_of`, or where the row is over by
      then, because a name corrected afterwards was the right one all the time.
    * a party that is gone: until `as_of`, or until it ended earlier; it keeps that end on later days.
    * a party that had gone and is back: open again from `as_of`.

    Numbers of `previous` that are not desired now are left alone (they have no rows here). `unresolved_co_customers`
    are customer numbers whose co-customer could not be identified this time: her role goes on as before.

    Applying the function to its own result, on the same or a later day, changes nothing.
    """
    columns = desired.columns
    now = _bounded(desired).select(*columns)
    before = _with_removals(_bounded(previous)).join(now.select(_NUMBER).unique(), on=_NUMBER, how="semi")
    now = pl.concat([now, _unresolved(now, before, unresolved_co_customers).select(columns)])
    terms = now.group_by(_NUMBER).agg(
        pl.col("valid_from").min().alias("moved_in"),
        pl.col("valid_to").max().alias("moved_out"),
        pl.col("supply_area").first().alias("area_now"),
    )
    origins = before.group_by(_NUMBER).agg(pl.col("valid_from").min().alias("origin"))
    told = before.select("object_id", pl.col("valid_from").alias("told_from"), "was_removed")
    staying = (
        now.join(told, on="object_id", how="left")
        .join(terms, on=_NUMBER, how="left")
        .join(origins, on=_NUMBER, how="left")
        .with_columns(
            _start(as_of),
            pl.lit(True).alias("goes_on"),
            pl.col("was_removed").fill_null(True).alias("joins_now"),
        )
    )
    gone = (
        before.join(now, on="object_id", how="anti")
        .join(terms, on=_NUMBER, how="left")
        .with_columns(
            pl.min_horizontal("valid_to", "moved_out", pl.lit(as_of)).alias("valid_to"),
            pl.col("area_now").alias("supply_area"),
            pl.lit(False).alias("goes_on"),
            pl.lit(False).alias("joins_now"),
        )
    )
    kept = ("moved_in", "goes_on", "joins_now")
    return (
        pl.concat([staying.select(*columns, *kept), gone.select(*columns, *kept)])
        .with_columns(_settled_start())
        .with_columns(shown_dates("valid_from", "valid_to"))
        .select(columns)
        .sort("business_key", "object_id", "supply_area")
    )


def _bounded(roles: pl.DataFrame) -> pl.DataFrame:
    """Roles with the far ends of time in place of null."""
    return roles.with_columns(
        pl.col("valid_from").fill_null(DISTANT_PAST), pl.col("valid_to").fill_null(DISTANT_FUTURE)
    )


def _with_removals(previous: pl.DataFrame) -> pl.DataFrame:
    """Adds was_removed: the role ended before the row did. Somebody is always customer until the row ends."""
    end_of_row = pl.col("valid_to").max().over(_NUMBER)
    return previous.with_columns((pl.col("valid_to") < end_of_row).alias("was_removed"))


def _unresolved(now: pl.DataFrame, before: pl.DataFrame, numbers: Collection[str]) -> pl.DataFrame:
    """Roles of co-customers who are there but could not be identified, with the validity of their row now."""
    terms = now.select(_NUMBER, "valid_from", "valid_to").unique(_NUMBER)
    return (
        before.filter(
            pl.col(_NUMBER).is_in(list(numbers)) & (pl.col("role_code") == CO_CUSTOMER_ROLE[0]) & ~pl.col("was_removed")
        )
        .drop("valid_from", "valid_to")
        .join(now, on="object_id", how="anti")
        .join(terms, on=_NUMBER, how="inner")
    )


def _start(as_of: date) -> pl.Expr:
    """First day of a role that is desired now, before it is settled; see `_settled_start`."""
    day = pl.lit(as_of)
    joining = pl.when((day > pl.col("moved_in")) & (day < pl.col("moved_out"))).then(day).otherwise("moved_in")
    return (
        pl.when(pl.col("origin").is_null())
        .then("moved_in")
        .when(pl.col("was_removed").fill_null(True))
        .then(joining)
        .when(pl.col("told_from") == pl.col("origin"))
        .then("moved_in")
        .otherwise(pl.max_horizontal("told_from", "moved_in"))
        .alias("valid_from")
    )


def _settled_start() -> pl.Expr:
    """First day, with the exception of parties who join: from move-in where they would be the first of the number.

    So the first role of a number, if it goes on, always begins at move-in. That is how the next run tells the roles
    that follow a corrected move-in from those that began later on their own.
    """
    first = pl.col("valid_from").min().over(_NUMBER)
    first_going_on = pl.col("valid_from").filter(pl.col("goes_on")).min().over(_NUMBER)
    return (
        pl.when(pl.col("joins_now") & (first_going_on == first) & (first > pl.col("moved_in")))
        .then("moved_in")
        .otherwise("valid_from")
        .alias("valid_from")
    )
