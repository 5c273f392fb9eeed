"""What the registers said about parties over time, with the registers' own days.

The first answer about a party holds always: what stood before it is not known. Each later answer that says something
else holds from the register's own first day of it on (the day of the move, of the new name), or from the day on which
it was first given where the register names none. An answer that reaches back replaces what was said of those days, and
one that says the same of another first day moves it. A protection with an end is over from that day on without a
further answer.
"""

from datetime import date
from typing import Final

import polars as pl

from integration_assets.domain.registry.history import HISTORY

PARTY_ROWS: Final = pl.Schema(
    {
        "party_id": pl.String,  # uuid of the party
        "party_kind": pl.String,  # person | company
        "number": pl.String,  # CPR or CVR number in force
        "name": pl.String,  # addressing name of a person, name of a company
        "first_name": pl.String,
        "middle_name": pl.String,
        "last_name": pl.String,
        "gender": pl.String,  # M | K
        "civil_status": pl.String,
        "address_protected": pl.Boolean,
        "business_code": pl.String,  # branchekode
        "company_form": pl.String,  # virksomhedsform
        "address_id": pl.String,  # registered address in the address register
        "status": pl.String,  # CPR status of a person, two digits
        "ended_on": pl.Date,  # day of death, day on which a company ceased
        "history": HISTORY,
    }
)
"""One row per party: every field as the line of its values ends, and the lines of those that have several."""

DEAD: Final = "90"
_RESIDENT: Final = ("01", "03", "05", "07")

_PERSON_DAYS: Final = {
    "number": "number_from",
    "first_name": "name_from",
    "middle_name": "name_from",
    "last_name": "name_from",
    "gender": "seen_on",
    "civil_status": "civil_status_from",
    "address_protected": "protected_from",
    "address_id": "address_from",
}
_COMPANY_DAYS: Final = {
    "name": "name_from",
    "business_code": "business_code_from",
    "company_form": "company_form_from",
    "address_id": "address_from",
}
"""The fields that are kept over time, each with the column of its first day."""

_ALWAYS: Final = date(1, 1, 1)
_NEVER: Final = date(9999, 12, 31)
_LINE: Final = ("party_id", "field")


def parties(versions: pl.DataFrame) -> pl.DataFrame:
    """The frame of PARTY_ROWS, one row per party, by party id.

    `versions` has VERSIONS and address_id: the uuid of each version's address in the address register, or null.
    """
    last = versions.sort("party_id", "version").unique("party_id", keep="last", maintain_order=True)
    last = last.join(_first_dead(versions), on="party_id", how="left", maintain_order="left").with_columns(
        pl.when(pl.col("dead_seen_on").is_not_null())
        .then(pl.coalesce("status_from", "dead_seen_on"))
        .otherwise("ceased_on")
        .alias("ended_on")
    )
    several = pl.col("version").max().over("party_id") > 0
    changing = versions.filter(several | pl.col("protected_until").is_not_null().any().over("party_id"))
    lines = _lines(changing)
    protection = (
        lines.filter(pl.col("field") == "address_protected")
        .unique("party_id", keep="last", maintain_order=True)
        .select("party_id", (pl.col("value") == "true").alias("protected_at_last"))
    )
    history = (
        lines.filter(pl.len().over(_LINE) > 1)
        .with_columns(pl.when(pl.col("from") != _ALWAYS).then("from").alias("from"))
        .group_by("party_id", maintain_order=True)
        .agg(pl.struct("field", "from", "value").alias("history"))
        .cast({"history": HISTORY})
    )
    return (
        last.join(protection, on="party_id", how="left", maintain_order="left")
        .join(history, on="party_id", how="left", maintain_order="left")
        .with_columns(
            pl.coalesce("protected_at_last", "address_protected").alias("address_protected"),
            pl.col("history").fill_null(pl.lit([], dtype=HISTORY)),
        )
        .select(pl.col(name).cast(dtype) for name, dtype in PARTY_ROWS.items())
    )


def _first_dead(versions: pl.DataFrame) -> pl.DataFrame:
    """party_id and dead_seen_on of persons who are dead by their last answer: the day of the first that said so."""
    number = pl.col("version").cast(pl.Int64)
    lived = pl.when(pl.col("status").ne_missing(DEAD)).then(number).max().over("party_id").fill_null(-1)
    dead = versions.filter((pl.col("party_kind") == "person") & (number > lived)).sort("party_id", "version")
    return dead.group_by("party_id", maintain_order=True).agg(pl.col("seen_on").first().alias("dead_seen_on"))


def _lines(versions: pl.DataFrame) -> pl.DataFrame:
    """The pieces of every field: party_id, field, from (_ALWAYS at first), value; by party, field and day."""
    told = pl.concat(
        [
            pl.DataFrame(schema=_TOLD),
            *(_told(versions, "person", field, day) for field, day in _PERSON_DAYS.items()),
            *(_told(versions, "company", field, day) for field, day in _COMPANY_DAYS.items()),
        ]
    ).sort(*_LINE, "version")
    before, before_until = pl.col("value").shift(1).over(_LINE), pl.col("until").shift(1).over(_LINE)
    is_over = (before_until <= pl.col("seen_on")).fill_null(False)
    unchanged = (
        pl.when(is_over)
        .then((pl.col("value") == "false") & pl.col("until").is_null())
        .otherwise(pl.col("value").eq_missing(before) & pl.col("until").eq_missing(before_until))
    )
    first = pl.col("version") == pl.col("version").min().over(_LINE)
    # Of a protection that is over the answer tells its end; that is no other first day of it.
    told = told.with_columns((first | ~unchanged).alias("begins"), pl.when(~is_over | ~unchanged).then("since"))
    run = told.with_columns(pl.col("begins").cum_sum().over(_LINE).alias("run"))
    restated = pl.col("since").drop_nulls().last().over(*_LINE, "run")
    pieces = run.with_columns(
        pl.when(pl.col("run") > 1).then(pl.coalesce(restated, "from")).otherwise("from").alias("from")
    ).filter("begins")
    ends = pieces.filter((pl.col("value") == "true") & pl.col("until").is_not_null())
    pieces = pl.concat(
        [
            pieces.select(*_LINE, "from", "value", order=pl.col("version") * 2),
            ends.select(
                *_LINE,
                pl.col("until").alias("from"),
                pl.lit("false").alias("value"),
                order=pl.col("version") * 2 + 1,
            ),
        ]
    ).sort(*_LINE, "order")  # fmt: skip
    replaced_from = pl.col("from").cum_min(reverse=True).shift(-1, fill_value=_NEVER).over(_LINE)
    standing = pieces.filter(pl.col("from") < replaced_from)
    goes_on = pl.col("value").eq_missing(pl.col("value").shift(1).over(_LINE)) & (
        pl.int_range(pl.len()).over(_LINE) > 0
    )
    return standing.filter(~goes_on).select(*_LINE, "from", "value")


_TOLD: Final = {
    "party_id": pl.String,
    "field": pl.String,
    "version": pl.UInt32,
    "seen_on": pl.Date,
    "from": pl.Date,
    "since": pl.Date,
    "value": pl.String,
    "until": pl.Date,
}


def _told(versions: pl.DataFrame, kind: str, field: str, day: str) -> pl.DataFrame:
    """What each version says of a field: the value as text, its first day, and its announced end (protection only).

    `since` is the register's own first day of that value, null where it names none.
    """
    value, until = pl.col(field), pl.lit(None, pl.Date)
    since = pl.lit(None, pl.Date) if day == "seen_on" else pl.col(day)
    if day == "name_from" and kind == "person":
        # One day for the whole name: of a part that stayed it says nothing when another part changed.
        whole = pl.concat_str("first_name", "middle_name", "last_name", separator="|", ignore_nulls=True)
        stays = pl.col(field).eq_missing(pl.col(field).shift(1).over("party_id"))
        another_part = stays & (whole != whole.shift(1).over("party_id")).fill_null(False)
        since = pl.when(~another_part).then(since)
    if field == "address_id":
        # Nobody lives anywhere from the day on which she emigrated, disappeared or died.
        gone = pl.coalesce("emigrated_on", pl.when(~pl.col("status").is_in(_RESIDENT)).then("status_from"))
        since = pl.when(pl.col(field).is_null()).then(gone).otherwise(since)
    first = pl.col("version") == pl.col("version").min().over("party_id")
    if field == "address_protected":
        over = (pl.col("protected_until") <= pl.col("seen_on")).fill_null(False)
        # Of somebody new to us only today counts; of others also a protection that has come and gone meanwhile.
        value = pl.col(field) & ~(first & over)
        until = pl.when(value).then("protected_until")
        # A protection that is not there any more ended on the day that was announced, or when it was seen to be gone.
        since = pl.when(value).then("protected_from").otherwise(pl.when(over).then("protected_until"))
    since = pl.min_horizontal(since, pl.when(since.is_not_null()).then("seen_on"))
    return versions.filter(pl.col("party_kind") == kind).select(
        "party_id",
        pl.lit(field).alias("field"),
        "version",
        "seen_on",
        pl.when(first).then(pl.lit(_ALWAYS)).otherwise(pl.coalesce(since, "seen_on")).alias("from"),
        since.alias("since"),
        value.cast(pl.String).alias("value"),
        until.alias("until"),
    )
