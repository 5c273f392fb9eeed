"""The ledger of claims handed over (fordringer), as files tell of it: read as text, typed, checked row by row.

A row that does not do is rejected with a reason and a sentence; the others are taken.
"""

from collections.abc import Collection
from datetime import date
from typing import Final, NamedTuple

import polars as pl

AMOUNT: Final = pl.Decimal(13, 2)

CLAIMS: Final = pl.Schema(
    {
        "claim_id": pl.Int64,
        "main_claim_id": pl.Int64,
        "art": pl.String,
        "type_code": pl.String,
        "creditor_id": pl.Int64,
        "creditor_ref": pl.String,
        "customer_number": pl.String,
        "period_from": pl.Date,
        "period_to": pl.Date,
        "amount": AMOUNT,
        "received_on": pl.Date,
        "state_refund": pl.Boolean,
    }
)
"""A claim: ids of claim, main claim and creditor (DMIFordringID, DMIFordringHaverID), kind INDR or MODR, type such as
FOFAKFY, our reference `<customer number>-<invoice>`, the customer number (Kundenr), which is that of the agreement, the
first and last day billed, principal in DKK, the day on which the authority received it, and whether the state refunds
it."""

MOVEMENTS: Final = pl.Schema(
    {"reference": pl.String, "claim_id": pl.Int64, "kind": pl.String, "amount": AMOUNT, "effective_on": pl.Date}
)
"""A write-down (written_down) or write-up (written_up) of a claim, under a reference of its own, in DKK."""

REJECTED: Final = pl.Schema(
    {"record_key": pl.String, "reason": pl.String, "text": pl.String, "customer_number": pl.String}
)

_OPTIONAL: Final = ("main_claim_id", "customer_number", "period_from", "period_to", "state_refund")
_MOVES: Final = {"NEDSKRIV": "written_down", "OPSKRIV": "written_up"}
_YES: Final = ("1", "true", "ja", "j", "yes")
_MOST: Final = 10**18


class Checked(NamedTuple):
    """The rows that are good, typed, and the rejected ones (REJECTED)."""

    good: pl.DataFrame
    rejected: pl.DataFrame


def missing_columns(columns: Collection[str], schema: pl.Schema) -> list[str]:
    """The columns that a file must have and has not."""
    return [name for name in schema if name not in columns and name not in _OPTIONAL]


def checked_claims(raw: pl.DataFrame, known: Collection[int], as_of: date) -> Checked:
    """The claims of a file (texts, in columns of CLAIMS); optional ones may be missing, null or empty.

    `known` are ids of the main claims that the ledger has. Without a main claim a row is its own; without a customer
    number it is what stands before the hyphen of the reference.
    """
    typed = _typed(raw, CLAIMS).with_columns(
        pl.col("main_claim_id").fill_null(pl.col("claim_id")),
        pl.col("art").str.to_uppercase(),
        pl.col("customer_number").fill_null(pl.col("creditor_ref").str.split("-").list.first()),
    )
    given = pl.col("_given_period_from") | pl.col("_given_period_to")
    dated = pl.col("period_from").is_not_null() & pl.col("period_to").is_not_null()
    mains = pl.concat([pl.Series(known, dtype=pl.Int64), typed["main_claim_id"].filter(_is_main(typed))])
    faults = (
        ("claim_id", ~pl.col("claim_id").is_between(0, _MOST - 1).fill_null(False), "its id is no number of 18 digits"),
        ("duplicate", ~pl.col("claim_id").is_first_distinct(), "a row before it has the same claim id"),
        ("main_claim", ~pl.col("main_claim_id").is_in(mains.implode()), "its main claim is not known"),
        ("art", ~pl.col("art").is_in(["INDR", "MODR"]).fill_null(False), "its kind is neither INDR nor MODR"),
        ("type_code", pl.col("type_code").is_null(), "it has no type"),
        ("creditor_id", ~pl.col("creditor_id").is_between(0, _MOST - 1).fill_null(False), "its creditor is no number"),
        ("creditor_ref", pl.col("creditor_ref").is_null(), "it has no reference of ours"),
        ("amount", ~(pl.col("amount") > 0).fill_null(False), "its amount is no sum above zero with two decimals"),
        ("received_on", ~(pl.col("received_on") <= as_of).fill_null(False), "it has no day of receipt up to today"),
        (
            "period",
            given & ~(dated & (pl.col("period_from") <= pl.col("period_to"))).fill_null(False),
            "its billing period has no first and last day in this order",
        ),
    )
    return _split(typed, CLAIMS, faults, pl.col("_key_claim_id"))


def checked_movements(raw: pl.DataFrame, known: Collection[int]) -> Checked:
    """The write-downs and write-ups of a file (texts, in columns of MOVEMENTS; kind NEDSKRIV or OPSKRIV).

    `known` are the ids of all claims of the ledger.
    """
    typed = _typed(raw, MOVEMENTS).with_columns(pl.col("kind").str.to_uppercase().replace_strict(_MOVES, default=None))
    faults = (
        ("reference", pl.col("reference").is_null(), "it has no reference"),
        ("duplicate", ~pl.col("reference").is_first_distinct(), "a row before it has the same reference"),
        ("claim_id", ~pl.col("claim_id").is_in(pl.Series(known, dtype=pl.Int64).implode()), "its claim is not known"),
        ("kind", pl.col("kind").is_null(), "it is neither NEDSKRIV nor OPSKRIV"),
        ("amount", ~(pl.col("amount") > 0).fill_null(False), "its amount is no sum above zero with two decimals"),
        ("effective_on", pl.col("effective_on").is_null(), "it has no day"),
    )
    return _split(typed, MOVEMENTS, faults, pl.col("reference"))


def _is_main(typed: pl.DataFrame) -> pl.Series:
    return (typed["claim_id"] == typed["main_claim_id"]).fill_null(False)


def _typed(raw: pl.DataFrame, schema: pl.Schema) -> pl.DataFrame:
    """The columns with their types; what cannot be read as such is null, and `_given_` tells whether there was text."""
    texts = raw.select(
        (
            pl.col(name).cast(pl.String).str.strip_chars().replace("", None)
            if name in raw.columns
            else pl.lit(None, pl.String)
        ).alias(name)
        for name in schema
    )
    return texts.select(
        *(_read(name, dtype) for name, dtype in schema.items()),
        *(pl.col(name).is_not_null().alias(f"_given_{name}") for name in schema if name.startswith("period")),
        pl.col("claim_id").alias("_key_claim_id"),
    ).with_row_index("_row", offset=1)


def _read(name: str, dtype: pl.DataType | type[pl.DataType]) -> pl.Expr:
    text = pl.col(name)
    if dtype == pl.Boolean:
        return text.str.to_lowercase().is_in(_YES).fill_null(False).alias(name)
    if dtype == pl.Date:
        return text.str.to_date("%Y-%m-%d", strict=False).alias(name)
    if dtype == AMOUNT:
        plain = text.str.contains(r"^[0-9]{1,11}([.][0-9]{1,2})?$")
        return pl.when(plain).then(text).cast(AMOUNT, strict=False).alias(name)
    return text.cast(dtype, strict=False).alias(name)


def _split(
    typed: pl.DataFrame, schema: pl.Schema, faults: tuple[tuple[str, pl.Expr, str], ...], key: pl.Expr
) -> Checked:
    reason = pl.coalesce(*(pl.when(found).then(pl.lit(name)) for name, found, _ in faults))
    sentence = pl.coalesce(*(pl.when(found).then(pl.lit(text)) for _, found, text in faults))
    told = typed.with_columns(reason.alias("reason"), sentence.alias("_why"))
    number = pl.format("row {}", pl.col("_row"))
    customer = pl.col("customer_number") if "customer_number" in typed.columns else pl.lit(None, pl.String)
    rejected = told.filter(pl.col("reason").is_not_null()).select(
        pl.when(pl.col("reason") == "duplicate").then(number).otherwise(key.fill_null(number)).alias("record_key"),
        "reason",
        pl.format("The row {} of the file was not taken: {}.", pl.col("_row"), pl.col("_why")).alias("text"),
        customer.alias("customer_number"),
    )
    return Checked(told.filter(pl.col("reason").is_null()).select(list(schema)), rejected)
