"""Cleans what was read from the billing system (KMD EE) and explains what is no longer read.

Source values are typed by hand or kept as floats: a value that cannot be read costs its own column, and the row only
when it cannot be keyed or dated any more. Such rows come back as rejections; nothing is dropped silently.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Final

import polars as pl

from integration_assets.domain.people.numbers import whole_number
from integration_assets.domain.source_columns import (
    ALTERNATIVE_COLUMNS,
    INSTALLATION_COLUMNS,
    KUNDE_COLUMNS,
    PLACE_COLUMNS,
    SourceColumn,
    four_digits,
)
from integration_assets.domain.tables import KMD_CUSTOMERS, KMD_INSTALLATIONS

__all__ = [
    "ALTERNATIVE_COLUMNS",
    "ANNULLED",
    "INSTALLATION_COLUMNS",
    "KUNDE_COLUMNS",
    "REJECTIONS",
    "Cleaned",
    "Explained",
    "clean_by_number",
    "clean_customers",
    "clean_installations",
    "explain_vanished",
    "supply_area",
]

UNKNOWN_AREA: Final = "unknown"
ANNULLED: Final = "annulled_move_in"
"""Reason of the rejection of rows that move out on or before their move-in: no agreement comes of them."""
EXCLUDED_SETTLEMENT_GROUP: Final = "999"
"""Rows of this settlement group (AfregningsgrpNr) are never exported: a wish of the utility, November 2017."""

REJECTIONS: Final = pl.Schema(
    {
        "record_key": pl.String,
        "reason": pl.String,
        "text": pl.String,
        "customer_number": pl.String,
        "supply_area": pl.String,
    }
)
"""One row per record that could not be processed: key and reason identify it, the text is for an operator."""

LEFT: Final = pl.Schema({"customer_number": pl.String, "why": pl.String})


@dataclass(frozen=True)
class Cleaned:
    """Cleaned rows, sorted by key, and the rejections (REJECTIONS) of those that are not among them."""

    rows: pl.DataFrame
    rejections: pl.DataFrame


@dataclass(frozen=True)
class Explained:
    """Why known rows are no longer in the source window.

    `rows` are those to keep in the partition for now, `rejections` (REJECTIONS) those that need a person. `left`
    (customer_number, why) names those that leave the partition, and those the source no longer has, which are kept.
    """

    rows: pl.DataFrame
    left: pl.DataFrame
    rejections: pl.DataFrame


def supply_area(postcode: str, digits: int) -> pl.Expr:
    """The supply area of a postal code (raw or cleaned column): its first `digits` digits, or "unknown"."""
    code = four_digits(postcode)
    return pl.when(code.str.contains(r"^[0-9]{4}$")).then(code.str.head(digits)).otherwise(pl.lit(UNKNOWN_AREA))


def clean_customers(raw: pl.DataFrame, digits: int) -> Cleaned:
    """The customers of a raw frame (columns of KUNDE_COLUMNS), as rows of `kmd_ee/customers`.

    Rejected are rows without customer number (no_customer_number), without readable dates (unreadable_dates), with a
    move-out on or before the move-in (ANNULLED), and all but the latest move-in where one customer number stands on
    several rows (duplicate_customer_number).
    """
    plain = _plain(raw, ("Tilflytningsdato", "Fraflytningsdato"))
    area = supply_area("Postnr", digits)
    rows = plain.select(*_reads(KUNDE_COLUMNS), area.alias("supply_area"), "_Fraflytningsdato_unreadable")
    moved_in = pl.col("moved_in").cast(pl.String).fill_null("?")
    place = pl.format(
        "consumption place {} from {}", pl.col("consumption_place_id").cast(pl.String).fill_null("?"), moved_in
    )
    keyed = pl.col("customer_number").str.contains(r"^[0-9]+$").fill_null(False)
    judged = rows.with_columns(
        pl.when(keyed).then("customer_number").alias("customer_number"),
        pl.when(keyed).then("customer_number").otherwise(place).alias("record_key"),
        pl.when(~keyed)
        .then(pl.lit("no_customer_number"))
        .when(pl.col("moved_in").is_null() | pl.col("_Fraflytningsdato_unreadable"))
        .then(pl.lit("unreadable_dates"))
        .when(pl.col("moved_out") <= pl.col("moved_in"))
        .then(pl.lit(ANNULLED))
        .alias("reason"),
        pl.when(~keyed)
        .then(pl.format("A row of {} has no customer number (Kundenr).", place))
        .when(pl.col("moved_in").is_null())
        .then(pl.lit("The move-in date (Tilflytningsdato) is missing or cannot be read."))
        .when(pl.col("_Fraflytningsdato_unreadable"))
        .then(pl.lit("The move-out date (Fraflytningsdato) cannot be read."))
        .otherwise(
            pl.format(
                "Moved out on {} but in on {}: an annulled move-in, no agreement comes of it.",
                pl.col("moved_out").cast(pl.String),
                moved_in,
            )
        )
        .alias("text"),
    )
    doubles = pl.format(
        "Customer number {} stands on several rows; the one with the latest move-in is used.", "customer_number"
    )
    return _settled(
        judged,
        KMD_CUSTOMERS.schema,
        key="customer_number",
        latest=("moved_in", "consumption_place_id"),
        double=("duplicate_customer_number", pl.format("{}, {}", "customer_number", place), doubles),
    )


def clean_installations(raw: pl.DataFrame, digits: int) -> Cleaned:
    """The meters of a raw frame (INSTALLATION_COLUMNS, ALTERNATIVE_COLUMNS), as `kmd_ee/installations`.

    Rejected are rows without installation number or readable period (unreadable_meter) and all but one of those
    that say installation, meter and first day twice (duplicate_meter_period).
    """
    plain = _plain(raw, ("DatoFra", "DatoTil"))
    rows = plain.select(*_reads(INSTALLATION_COLUMNS), *_reads(ALTERNATIVE_COLUMNS), "_DatoTil_unreadable")
    rows = rows.with_columns(supply_area("supply_area", digits).alias("supply_area"))
    first_day = pl.col("meter_from").cast(pl.String).fill_null("?")
    key = pl.format(
        "{}|{}|{}", pl.col("installation_number").fill_null("?"), pl.col("meter_number").fill_null(""), first_day
    )
    unreadable = (
        pl.col("installation_number").is_null()
        | pl.col("meter_from").is_null()
        | pl.col("_DatoTil_unreadable")
        | (pl.col("meter_to") <= pl.col("meter_from")).fill_null(False)
    )
    judged = rows.with_columns(
        key.alias("meter_period"),
        key.alias("record_key"),
        pl.lit(None, pl.String).alias("customer_number"),
        pl.when(unreadable).then(pl.lit("unreadable_meter")).alias("reason"),
        pl.format(
            "Installation {} at consumption place {}: the meter's period from {} to {} cannot be used.",
            pl.col("installation_number").fill_null("?"),
            pl.col("consumption_place_id").cast(pl.String).fill_null("?"),
            first_day,
            pl.col("meter_to").cast(pl.String).fill_null("?"),
        ).alias("text"),
    )
    double = pl.format("Installation {} has this meter twice from the same day; one is used.", "installation_number")
    return _settled(
        judged,
        KMD_INSTALLATIONS.schema,
        key="meter_period",
        latest=("meter_to", "consumption_place_id"),
        double=("duplicate_meter_period", pl.col("meter_period"), double),
    )


def _reads(columns: Sequence[SourceColumn]) -> list[pl.Expr]:
    return [
        column.read(column.name).alias(column.target)
        for column in columns
        if column.read is not None and column.target is not None
    ]


def _plain(raw: pl.DataFrame, days: Sequence[str]) -> pl.DataFrame:
    """The raw frame with floats as text without decimals and `days` as dates.

    Adds `_<name>_unreadable` for each of `days`: something stands there that is no date.
    """
    floats = [whole_number(name).alias(name) for name, dtype in raw.schema.items() if dtype.is_float()]
    dates = [_as_day(name, raw.schema[name]).alias(name) for name in days]
    given = [pl.col(name).is_not_null().alias(f"_{name}_unreadable") for name in days]
    plain = raw.with_columns(*floats, *dates, *given)
    return plain.with_columns(pl.col(f"_{name}_unreadable") & pl.col(name).is_null() for name in days)


def _as_day(name: str, dtype: pl.DataType) -> pl.Expr:
    column = pl.col(name)
    if isinstance(dtype, pl.String):
        return column.str.strip_chars().str.head(10).str.to_date("%Y-%m-%d", strict=False)
    if isinstance(dtype, pl.Datetime) and dtype.time_zone is not None:
        column = column.dt.convert_time_zone("Europe/Copenhagen").dt.replace_time_zone(None)
    return column.cast(pl.Date, strict=False)


def _settled(
    judged: pl.DataFrame,
    schema: pl.Schema,
    *,
    key: str,
    latest: tuple[str, ...],
    double: tuple[str, pl.Expr, pl.Expr],
) -> Cleaned:
    """Parts judged rows (with record_key, reason, text) into rows and rejections, and leaves one row per key."""
    reason, double_key, text = double
    sound = judged.filter(pl.col("reason").is_null()).select("record_key", *schema)
    rest = [name for name in schema if name not in latest]
    several = sound.filter(pl.col(key).is_duplicated()).unique()
    several = several.sort(*latest, *rest, descending=True, nulls_last=False)
    rows = pl.concat([sound.filter(pl.col(key).is_unique()), several.filter(pl.col(key).is_first_distinct())])
    doubles = several.filter(~pl.col(key).is_first_distinct()).with_columns(
        double_key.alias("record_key"), pl.lit(reason).alias("reason"), text.alias("text")
    )
    if "customer_number" not in schema:
        doubles = doubles.with_columns(pl.lit(None, pl.String).alias("customer_number"))
    rejected = pl.concat(
        [judged.filter(pl.col("reason").is_not_null()).select(list(REJECTIONS)), doubles.select(list(REJECTIONS))]
    )
    return Cleaned(
        rows=rows.select(list(schema)).sort(key),
        rejections=rejected.unique(["record_key", "reason"], keep="first", maintain_order=True),
    )


def explain_vanished(known: pl.DataFrame, reread: pl.DataFrame, *, window_start: date, digits: int) -> Explained:
    """Explains rows that were known and are missing from what was read now.

    `known` are their rows as of the last run (`kmd_ee/customers`), `reread` is the raw frame of the same customer
    numbers read by key without date filter, with the settlement group (AfregningsgrpNr). The window reads agreements
    that ended on `window_start` or later. What the source says today decides:

    * another move-out or any other change: the row of today is kept, so that its end is delivered (a retroactive
      move-out never shows in the window); a row that still runs, or is to begin later, is kept as well;
    * ended before the window and already known so: ``ended``;
    * still running, but in another supply area: ``moved_area`` (that partition has it);
    * now in the excluded settlement group: ``excluded_group``;
    * not found by its number, or its consumption place is gone: ``not_in_source`` and the rejection
      vanished_from_source. Unless its known end has passed the window it is kept as known until somebody explains it:
      nothing is ended or deleted on a guess;
    * found but unreadable: kept as known, with the rejection of `clean_customers`.

    Rows that are kept stay in the supply area they are known in.
    """
    excluded, placed = _in_excluded_group(reread), _has_place()
    today = clean_by_number(reread, digits)
    columns = list(KMD_CUSTOMERS.schema)
    beside_area = [name for name in columns if name != "supply_area"]
    unchanged = known.join(today.rows, on=beside_area, how="semi", nulls_equal=True)["customer_number"]

    key = pl.col("customer_number")
    now = today.rows.select(key, pl.col("supply_area").alias("_area"), pl.col("moved_out").alias("_moved_out"))
    out_of_window = (pl.col("_moved_out") < window_start).fill_null(False)
    was_out_of_window = (pl.col("moved_out") < window_start).fill_null(False)
    judged = (
        known.select(columns)
        .join(now, on="customer_number", how="left")
        .with_columns(
            pl.when(~key.is_in(_numbers(reread.filter(placed | excluded))))
            .then(pl.when(was_out_of_window).then(pl.lit("ended")).otherwise(pl.lit("not_in_source")))
            .when(pl.col("_area").is_null() & key.is_in(_numbers(reread.filter(excluded))))
            .then(pl.lit("excluded_group"))
            .when(out_of_window & key.is_in(unchanged.implode()))
            .then(pl.lit("ended"))
            .when(~out_of_window & (pl.col("_area") != pl.col("supply_area")))
            .then(pl.lit("moved_area"))
            .alias("why")
        )
    )
    kept = judged.filter(pl.col("why").is_null() | (pl.col("why") == "not_in_source"))
    as_read = kept.select("customer_number", "supply_area").join(today.rows.drop("supply_area"), on="customer_number")
    as_known = kept.filter(pl.col("_area").is_null())
    return Explained(
        rows=pl.concat([as_read.select(columns), as_known.select(columns)]).sort("customer_number"),
        left=judged.filter(pl.col("why").is_not_null()).select(list(LEFT)),
        rejections=pl.concat([_vanished(judged.filter(pl.col("why") == "not_in_source")), today.rejections]),
    )


def clean_by_number(reread: pl.DataFrame, digits: int) -> Cleaned:
    """The customers of a raw frame that was read by key, as `clean_customers`.

    Left out: those of the excluded settlement group (AfregningsgrpNr), and those without a consumption place.
    """
    return clean_customers(reread.filter(_has_place() & ~_in_excluded_group(reread)), digits)


def _in_excluded_group(reread: pl.DataFrame) -> pl.Expr:
    group = {name.lower(): name for name in reread.columns}["afregningsgrpnr"]
    return (whole_number(group) == EXCLUDED_SETTLEMENT_GROUP).fill_null(False)


def _has_place() -> pl.Expr:
    return pl.any_horizontal(pl.col(column.name).is_not_null() for column in PLACE_COLUMNS)


def _numbers(raw: pl.DataFrame) -> pl.Series:
    """The customer numbers of a raw frame, as one list to look in."""
    return raw.select(whole_number("Kundenr").alias("customer_number")).to_series().implode()


def _vanished(rows: pl.DataFrame) -> pl.DataFrame:
    """The rejections of known rows that the source no longer has."""
    sentence = "Customer number {} was read before; now KMD EE has no row of this number with a consumption place."
    return rows.select(
        pl.col("customer_number").alias("record_key"),
        pl.lit("vanished_from_source").alias("reason"),
        pl.format(sentence, "customer_number").alias("text"),
        "customer_number",
        "supply_area",
    )
