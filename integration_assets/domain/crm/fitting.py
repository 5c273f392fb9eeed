"""Values into the columns of a CRM table, in the form and within the limits that the mapping declares.

What the CRM would refuse (a text too long, a word that is no option) is cut, left out, or keeps its row back, as the
field says; it is reported in any case, by field and length and never by value.
"""

from datetime import date
from typing import Final, NamedTuple

import polars as pl

from integration_assets.domain.crm.field import Field
from integration_assets.domain.crm.fields import ACTIVE, INACTIVE, OPEN_END_IN_CRM
from integration_assets.domain.crm.tables import CrmMapping

MISFITS: Final = pl.Schema(
    {
        "business_key": pl.String,
        "supply_area": pl.String,
        "column": pl.String,
        "problem": pl.String,
        "done": pl.String,
        "length": pl.Int64,
    }
)
"""A value that did not fit: problem is "too_long" or "no_option", done the field's misfit, length in characters."""

_OPEN_END: Final = date.fromisoformat(OPEN_END_IN_CRM)
_STATE_RULES: Final = ("state", "status")


class Fitted(NamedTuple):
    """Rows of `CRM_TABLES` that may be delivered, and what did not fit (`MISFITS`), rejected rows included."""

    rows: pl.DataFrame
    misfits: pl.DataFrame


def fit(entity: str, values: pl.DataFrame, by: CrmMapping) -> Fitted:
    """The rows of an entity. `values` has object_id, business_key, supply_area and the entity's values."""
    fields, primary_id = by.fields[entity], by.tables[entity].primary_id
    deactivates = by.deactivates(entity)
    written = values.select(
        pl.col("object_id").alias(primary_id),
        "business_key",
        "supply_area",
        *(_written(field, deactivates=deactivates).alias(field.name) for field in fields),
        *(_length(field).alias(f"length of {field.name}") for field in fields if _may_misfit(field)),
        *(_problem(field).alias(f"problem of {field.name}") for field in fields if _may_misfit(field)),
    )
    watched = [field for field in fields if _may_misfit(field)]
    rejecting = [pl.col(f"problem of {field.name}").is_not_null() for field in watched if field.misfit == "reject"]
    rows = written.filter(~pl.any_horizontal(rejecting)) if rejecting else written
    keys = (primary_id, "business_key", "supply_area")
    schema = pl.Schema({**dict.fromkeys(keys, pl.String), **{field.name: field.dtype for field in fields}})
    return Fitted(
        rows.select(schema.names()).cast(schema).sort("business_key", pl.nth(0), "supply_area"),
        _misfits(written, watched),
    )


def rejections(entity: str, misfits: pl.DataFrame, by: CrmMapping) -> pl.DataFrame:
    """The rows that are kept back, as the worklist takes them: record_key, reason, text, customer_number, supply_area.

    Their reasons are crm_too_long and crm_no_option.
    """
    limits = {field.name: field.max_length for field in by.fields[entity]}
    limit = pl.col("column").replace_strict(limits, default=None, return_dtype=pl.Int64)
    text = (
        pl.when(pl.col("problem") == "too_long")
        .then(pl.format("{} has {} characters and the CRM takes {}.", "column", "length", limit.fill_null(0)))
        .otherwise(pl.format("The value of {} is no option of the CRM.", "column"))
    )
    numbered = entity not in ("installations", "addresses")
    return misfits.filter(pl.col("done") == "reject").select(
        pl.col("business_key").alias("record_key"),
        pl.format("crm_{}", "problem").alias("reason"),
        text.alias("text"),
        (pl.col("business_key") if numbered else pl.lit(None, pl.String)).alias("customer_number"),
        "supply_area",
    )


def _misfits(written: pl.DataFrame, watched: list[Field]) -> pl.DataFrame:
    found = [
        written.filter(pl.col(f"problem of {field.name}").is_not_null()).select(
            "business_key",
            "supply_area",
            pl.lit(field.name).alias("column"),
            pl.col(f"problem of {field.name}").alias("problem"),
            pl.lit(field.misfit).alias("done"),
            pl.col(f"length of {field.name}").cast(pl.Int64).alias("length"),
        )
        for field in watched
    ]
    return pl.concat([pl.DataFrame(schema=MISFITS), *found]).sort("business_key", "column", "supply_area")


def _written(field: Field, *, deactivates: bool) -> pl.Expr:
    """The value as the CRM gets it; null where it does not fit and is not cut."""
    value = pl.col(field.value)
    if field.rule in _STATE_RULES:
        place = _STATE_RULES.index(field.rule)
        return pl.when(value & pl.lit(deactivates)).then(INACTIVE[place]).otherwise(ACTIVE[place])
    if field.options is not None:
        return _option(field)
    value = _in_form(field).cast(field.dtype)
    if field.max_length is None:
        return value
    if field.misfit == "cut":
        # A cut between two words leaves no blank at the end.
        return value.str.slice(0, field.max_length).str.strip_chars_end()
    return pl.when(value.str.len_chars() <= field.max_length).then(value)


def _in_form(field: Field) -> pl.Expr:
    value = pl.col(field.value)
    match field.rule:
        case "degrees":
            return value.round(8)
        case "metres":
            return value.round(2)
        case "open_end":
            return value.fill_null(_OPEN_END)
        case _:
            return value


def _option(field: Field) -> pl.Expr:
    return pl.col(field.value).replace_strict(dict(field.options or {}), default=None, return_dtype=pl.Int64)


def _may_misfit(field: Field) -> bool:
    return field.max_length is not None or field.options is not None


def _length(field: Field) -> pl.Expr:
    return pl.col(field.value).cast(pl.String).str.len_chars()


def _problem(field: Field) -> pl.Expr:
    """Why a value does not fit, or null."""
    if field.options is not None:
        return pl.when(pl.col(field.value).is_not_null() & _option(field).is_null()).then(pl.lit("no_option"))
    return pl.when(_in_form(field).cast(pl.String).str.len_chars() > field.max_length).then(pl.lit("too_long"))
