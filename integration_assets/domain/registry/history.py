"""How the values of registry rows hold from business day to business day.

The registers date what they tell, and move-in, move-out and meters have dates in the billing system. All else is
overwritten there in place (telephone numbers, mail addresses, names as typed, address texts), so its day is the one on
which a run sees it: the former value holds until then and the new one from then on. The first value that was seen holds
from the beginning of the object. What was so before is not rewritten by a run; an operator does that, explicitly
(`corrected`).
"""

from collections.abc import Mapping
from datetime import date
from typing import Any, Final

import polars as pl

from integration_assets.domain.registry.lines import Lines, history_of

HISTORY: Final = pl.List(pl.Struct({"field": pl.String, "from": pl.Date, "value": pl.String}))
"""Values of fields over time, by field and first day (null: from the beginning): only of fields that have more than one
value. Booleans are written "true" and "false"."""

UNDATED: Final[dict[str, tuple[str, ...]]] = {
    "customers": ("email", "kmd_name", "master_id", "mobile", "name", "phone", "user_key"),
    "customer_relations": ("address_id", "name"),
    "customer_roles": (),
    "installations": ("address_id",),
    "agreements": ("billing_address_id",),
}
"""The fields of each entity's rows that no source dates. The name of a company is dated by its register."""


def is_undated(entity: str, row: Mapping[str, Any], field: str) -> bool:
    """Whether it is the runs that date a field of this row."""
    return field in UNDATED[entity] and not (row.get("party_kind") == "company" and field == "name")


def continued(entity: str, desired: pl.DataFrame, previous: pl.DataFrame, as_of: date) -> pl.DataFrame:
    """The desired rows with the history of what no source dates: same columns and order.

    `desired` has object_id and the columns of `REGISTRY_ROWS`, with the history of dated fields; rows of one object are
    equal. `previous` are the rows desired before, one per object; of those that did not change none need be there. A
    value that differs from the previous one holds from `as_of`; a second change on that day replaces the first, and the
    former value, where it comes back, just goes on. A run of a day before the last change takes that change's day.

    Applying the function to its own result, on the same or a later day, changes nothing.
    """
    if previous.is_empty() or not UNDATED[entity]:
        return desired
    before = previous.filter(pl.col("object_id").is_in(desired.get_column("object_id").implode()))
    now = desired.unique("object_id", keep="first").join(before.select("object_id"), on="object_id", how="semi")
    told = _changes(entity, before)
    last = (
        told.group_by("object_id", "field", maintain_order=True)
        .last()
        .rename({"value": "last_value", "from": "last_from"})
    )
    new = (
        _values(entity, now)
        .join(last, on=("object_id", "field"), how="inner")
        .filter(pl.col("value").ne_missing("last_value"))
        .select("object_id", "field", pl.max_horizontal("last_from", pl.lit(as_of)).alias("from"), "value")
    )
    standing = told.join(new.select("object_id", "field", day="from"), on=("object_id", "field"), how="left").filter(
        pl.col("day").is_null() | pl.col("from").is_null() | (pl.col("from") < pl.col("day"))
    )
    line = ("object_id", "field")
    pieces = pl.concat([standing.drop("day"), new]).sort(*line, "from", nulls_last=False)
    goes_on = pl.col("value").eq_missing(pl.col("value").shift(1).over(line)) & (pl.int_range(pl.len()).over(line) > 0)
    lines = pieces.filter(~goes_on).filter(pl.len().over(line) > 1)
    return _with_lines(desired, lines)


def corrected(row: Mapping[str, Any], field: str, since: date | None, as_of: date) -> list[dict[str, Any]]:
    """The history, with dates, of a row in which the value that a field has on `as_of` holds from `since` on (None:
    from the beginning), whatever was said of these days.

    Where it was said to hold before, the value before it goes on until then. Raises ValueError, with a sentence for the
    operator, where there is no such value or the day is yet to come.
    """
    if since is not None and since > as_of:
        raise ValueError(f"{since} is yet to come; a correction is about the past.")
    told = Lines(row)
    line = told.of(field)
    day = None if since is None else since.isoformat()
    holding = line.slice_at(as_of.isoformat())
    start, value = (None, row[field]) if holding is None else (holding.start, holding.value)
    if day is None or (start is not None and day < start):
        line = line.written(day, start, value)
    elif start is None:
        raise ValueError(f"Nothing is known of {field} before its value of today, which holds from the beginning.")
    else:
        former = next(piece.value for piece in line if piece.end == start)
        line = line.written(start, day, former)
    pieces = history_of({**{name: told.of(name) for name in told.changing}, field: line})
    return [{**piece, "from": date.fromisoformat(piece["from"]) if piece["from"] else None} for piece in pieces]


def on_day(rows: pl.DataFrame, day: date) -> pl.DataFrame:
    """The rows with the values that hold on a day: same columns, `history` left as it is.

    `rows` have a column `history` (HISTORY) and those of the fields that it names.
    """
    lines = (
        rows.lazy()
        .with_row_index("_row")
        .select("_row", "history")
        .filter(pl.col("history").list.len() > 0)
        .explode("history")
        .unnest("history")
        .filter(pl.col("from").is_null() | (pl.col("from") <= day))
        .unique(["_row", "field"], keep="last", maintain_order=True)
        .collect()
    )
    if lines.is_empty():
        return rows
    result = rows.with_row_index("_row")
    for (field,), values in lines.group_by("field"):
        held = values.select("_row", pl.lit(True).alias("_told"), pl.col("value").alias("_value"))
        typed = pl.col("_value") == "true" if rows.schema[str(field)] == pl.Boolean else pl.col("_value")
        result = (
            result.join(held, on="_row", how="left", maintain_order="left")
            .with_columns(pl.when("_told").then(typed).otherwise(str(field)).alias(str(field)))
            .drop("_told", "_value")
        )
    return result.drop("_row")


def _values(entity: str, rows: pl.DataFrame) -> pl.DataFrame:
    """The undated values of rows: object_id, field, value."""
    fields = UNDATED[entity]
    if entity != "customers":
        return rows.select("object_id", *fields).unpivot(fields, index="object_id", variable_name="field")
    values = rows.select("object_id", "party_kind", *fields).unpivot(
        fields, index=("object_id", "party_kind"), variable_name="field"
    )
    return values.filter((pl.col("field") != "name") | (pl.col("party_kind") != "company")).drop("party_kind")


def _changes(entity: str, rows: pl.DataFrame) -> pl.DataFrame:
    """The lines of the undated fields of rows: object_id, field, from, value; in order, null first."""
    values = _values(entity, rows)
    told = (
        rows.select("object_id", "history")
        .filter(pl.col("history").list.len() > 0)
        .explode("history")
        .unnest("history")
        .join(values.select("object_id", "field"), on=("object_id", "field"), how="semi")
    )
    single = values.join(told, on=("object_id", "field"), how="anti")
    columns = ("object_id", "field", "from", "value")
    return pl.concat(
        [told.select(columns), single.with_columns(pl.lit(None, pl.Date).alias("from")).select(columns)]
    ).sort("object_id", "field", "from", nulls_last=False)


def _with_lines(desired: pl.DataFrame, lines: pl.DataFrame) -> pl.DataFrame:
    """The rows with these lines (object_id, field, from, value) beside those that their history has already."""
    known = (
        desired.select("object_id", "history")
        .unique("object_id", keep="first")
        .filter(pl.col("history").list.len() > 0)
        .explode("history")
        .unnest("history")
        .join(lines.select("object_id").unique(), on="object_id", how="semi")
        .join(lines, on=("object_id", "field"), how="anti")
    )
    history = (
        pl.concat([known, lines.select(known.columns)])
        .sort("object_id", "field", "from", nulls_last=False)
        .group_by("object_id", maintain_order=True)
        .agg(pl.struct("field", "from", "value").alias("_told"))
        .with_columns(pl.col("_told").cast(HISTORY))
    )
    return (
        desired.join(history, on="object_id", how="left", maintain_order="left")
        .with_columns(pl.coalesce("_told", "history").alias("history"))
        .drop("_told")
    )
