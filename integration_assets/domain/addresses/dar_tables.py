"""The eight entities of the address register (DAR) as typed tables of versions, before they are joined to addresses.

A row is one version of one thing during one time (virkning), as the newest registration has it. A register of kind
"current" holds one row for each thing, one of kind "bitemporal" its history as well.
"""

from collections.abc import Callable
from typing import Final, Literal

import polars as pl

Kind = Literal["current", "bitemporal"]
Table = Callable[[str], pl.DataFrame]
"""A function that gives the table of an entity; large ones are asked for once and let go."""

_MOMENT: Final = pl.Datetime("us", "UTC")
_HALVES: Final = {"id_high": pl.UInt64, "id_low": pl.UInt64}
_NAME: Final = {"id": pl.String}
_TIMES: Final = {"valid_from": _MOMENT, "valid_to": _MOMENT, "registered_from": _MOMENT}

DAR_TABLES: Final[dict[str, pl.Schema]] = {
    "Adresse": pl.Schema(
        {
            **_HALVES,
            "house_high": pl.UInt64,  # husnummer
            "house_low": pl.UInt64,
            "floor": pl.String,  # lower case, null for none
            "door": pl.String,  # lower case, no leading zeros, null for none
            "status": pl.UInt8,
            **_TIMES,
        }
    ),
    "Husnummer": pl.Schema(
        {
            **_HALVES,
            "house_number": pl.String,  # "12B"; null where the register has no text
            "road": pl.String,  # ids of other entities
            "postcode_id": pl.String,
            "town": pl.String,
            "division": pl.String,  # id of the administrative division (DAGI), not the municipality's code
            "point_high": pl.UInt64,
            "point_low": pl.UInt64,
            "status": pl.UInt8,
            **_TIMES,
        }
    ),
    "Adressepunkt": pl.Schema({**_HALVES, "easting": pl.Float64, "northing": pl.Float64, **_TIMES}),
    "NavngivenVej": pl.Schema({**_NAME, "street_name": pl.String, "short_street_name": pl.String, **_TIMES}),
    "NavngivenVejKommunedel": pl.Schema(
        {
            **_NAME,
            "road": pl.String,
            "municipality_code": pl.String,  # four digits
            "street_code": pl.String,  # four digits
            "status": pl.UInt8,
            **_TIMES,
        }
    ),
    "NavngivenVejPostnummer": pl.Schema(
        {**_NAME, "road": pl.String, "postcode_id": pl.String, "status": pl.UInt8, **_TIMES}
    ),
    "Postnummer": pl.Schema({**_NAME, "postcode": pl.String, "district": pl.String, **_TIMES}),
    "SupplerendeBynavn": pl.Schema({**_NAME, "supplementary_town": pl.String, **_TIMES}),
}
"""Columns of each entity's table. Times are virkningFra, virkningTil and registreringFra."""

LIVE_STATUSES: Final = (2, 3)
"""DAR statuses of addresses that are or will be in use: provisional (foreløbig) and current (gældende)."""


def id_columns(entity: str) -> list[str]:
    """The columns that name a thing of this entity."""
    return list(_HALVES) if "id_high" in DAR_TABLES[entity] else list(_NAME)


def row_columns(entity: str, kind: Kind) -> list[str]:
    """The columns that name a row: things of a current register have one, those of a bitemporal one have versions."""
    own = id_columns(entity)
    return own if kind == "current" else [*own, "valid_from", "registered_from"]


def merged(entity: str, kind: Kind, table: pl.DataFrame, changes: pl.DataFrame) -> pl.DataFrame:
    """The table after changes: rows of its columns and `ended` (the row is no more), in the order they came.

    The table may have some of the entity's columns, with those that name a row among them. A change replaces the row
    of the same name. Order of rows is not kept.
    """
    if changes.is_empty():
        return table
    names = row_columns(entity, kind)
    latest = changes.unique(names, keep="last", maintain_order=True)
    kept = table.join(latest.select(names), on=names, how="anti", nulls_equal=True)
    return pl.concat([kept, latest.filter(~pl.col("ended")).select(table.columns)])


def live(units: pl.DataFrame) -> pl.DataFrame:
    """The rows of Adresse that hold for addresses in use: no end, status provisional or current."""
    return units.filter(pl.col("valid_to").is_null() & pl.col("status").is_in(LIVE_STATUSES))
