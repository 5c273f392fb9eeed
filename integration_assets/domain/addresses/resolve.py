"""The addresses of the main flow: which question each row puts, and what the answer means for it.

Three procedures, as the utility wants them. *Consumption address*: the unit that the codes or the text mean, else the
house. *Billing address*: the unit that the billing line means, else the party's registered address. *Alternative
place*: the house. Answers of category A and B are used; C is rejected, with the addresses that may have been meant.
"""

from dataclasses import dataclass
from typing import Final

import polars as pl

from integration_assets.domain.addresses import texts
from integration_assets.domain.addresses.dar_tables import LIVE_STATUSES
from integration_assets.domain.addresses.washing.exact import by_codes
from integration_assets.domain.addresses.washing.index import WashingIndex
from integration_assets.domain.addresses.washing.known import live_units
from integration_assets.domain.addresses.washing.washed import ACCESS_ADDRESS, NONE
from integration_assets.domain.schema import EntityTable
from integration_assets.domain.tables import (
    RESOLVED_BILLING_ADDRESSES,
    RESOLVED_CONSUMPTION_ADDRESSES,
    RESOLVED_INSTALLATION_ADDRESSES,
)

REGISTERED_ADDRESS: Final = "registered_address"
"""Method: the address that the register of persons or companies has for the party."""

DECISION: Final = "decision"
"""Method: an operator decided which address the text means, or that it means none."""

HOUSE: Final = "H"
"""Category beside A, B and C: the house is certain, the unit is not."""

CONSUMPTION_NOT_FOUND: Final = "consumption_address_not_found"
BILLING_NOT_FOUND: Final = "billing_address_not_found"
BILLING_PROTECTED: Final = "billing_address_protected"
ALTERNATIVE_NOT_FOUND: Final = "alternative_address_not_found"

FOUND: Final = pl.Schema(
    {
        "text": pl.String,
        "normalized": pl.String,
        "category": pl.String,
        "outcome": pl.String,
        "method": pl.String,
        "unit_id": pl.String,
        "access_id": pl.String,
        "status": pl.Int64,  # DAR status of the address today; null where only existing ones were looked at
        "nearest": pl.List(pl.String),  # of category C: texts of the addresses that may have been meant
    }
)
"""The answer to one question about an address; the first columns mean what they mean in washing."""

_SHOWN: Final = 3


@dataclass(frozen=True)
class Resolved:
    """Addresses found (the rows of a `resolved/*_addresses` frame, unresolved ones included), and the rejections
    (REJECTIONS) of the unresolved."""

    rows: pl.DataFrame
    rejections: pl.DataFrame


def consumption(rows: pl.DataFrame, found: pl.DataFrame) -> Resolved:
    """The address of each consumption place (forbrugssted): rows of `resolved/consumption_addresses`.

    `rows` are of `kmd_ee/customers`, `found` the answers (FOUND, one per row) to their components as unit addresses. A
    place without floor and door means the unit without floor and door; where the unit is not known but the house is,
    the house is the address.
    """
    line = texts.address_line("street_name", "house_number", "house_letter", "floor", "door", "postcode", "city")
    placed = rows.select("customer_number", "supply_area", line.alias("address_line"))
    house = pl.col("outcome") == ACCESS_ADDRESS
    answered = pl.concat([placed, found], how="horizontal").with_columns(
        _usable(pl.when(house).then("access_id").otherwise("unit_id")).alias("address_id"),
        pl.when(house).then(pl.lit(HOUSE)).otherwise("category").alias("category"),
        pl.when(house).then(pl.lit(ACCESS_ADDRESS)).otherwise("method").alias("method"),
    )
    return _resolved(answered, RESOLVED_CONSUMPTION_ADDRESSES, pl.lit(CONSUMPTION_NOT_FOUND))


def billing_lines(rows: pl.DataFrame) -> pl.Series:
    """The billing line (faktureringsadresse) of each row of `kmd_ee/customers`: street line and postal district as
    typed; null where nothing was typed."""
    typed = pl.concat_str("billing_street_line", "billing_district", separator=", ", ignore_nulls=True)
    return rows.select(pl.when(typed != "").then(typed).alias("address_line")).to_series()


def unit_ids(found: pl.DataFrame) -> pl.Series:
    """The existing unit of each answer (FOUND) of category A or B, null for none."""
    return found.select(_usable(pl.col("unit_id")).alias("address_id")).to_series()


def billing(rows: pl.DataFrame, found: pl.DataFrame, party_addresses: pl.DataFrame) -> Resolved:
    """The unit address behind each billing line: rows of `resolved/billing_addresses`.

    `rows` are of `kmd_ee/customers`, `found` the answers (FOUND, one per row) to their `billing_lines` as unit
    addresses; `party_addresses` holds customer_number, address_id, the registered address of the main customer (by
    `party_address`), and withheld (Boolean): that it is protected and may not be shown. First the typed line, then the
    registered address, unless that is withheld.
    """
    registered = party_addresses.select(
        "customer_number", pl.when(~pl.col("withheld")).then("address_id").alias("_registered"), "withheld"
    )
    registered = registered.unique("customer_number", keep="first", maintain_order=True)
    lines = rows.select("customer_number", "supply_area").with_columns(billing_lines(rows))
    answered = pl.concat([lines, found], how="horizontal").with_columns(_usable(pl.col("unit_id")).alias("address_id"))
    answered = answered.join(registered, on="customer_number", how="left", maintain_order="left")
    stands_in = pl.col("address_id").is_null() & pl.col("_registered").is_not_null()
    resolved = answered.with_columns(
        pl.coalesce("address_id", "_registered").alias("address_id"),
        pl.when(stands_in).then(pl.lit(REGISTERED_ADDRESS)).otherwise("method").alias("method"),
    )
    withheld = pl.col("withheld").fill_null(False)
    reason = pl.when(withheld).then(pl.lit(BILLING_PROTECTED)).otherwise(pl.lit(BILLING_NOT_FOUND))
    return _resolved(resolved, RESOLVED_BILLING_ADDRESSES, reason, withheld=withheld)


def alternative_places(rows: pl.DataFrame) -> pl.DataFrame:
    """The alternative place (alternativt sted) of each installation that has one: installation_number, supply_area,
    address_line and the components of a house.

    `rows` are of `kmd_ee/installations`; an installation with several meters is one row, with the place that stands
    beside its latest meter.
    """
    places = rows.filter(pl.col("alternative_place_id").is_not_null()).sort(
        "installation_number", "meter_from", "meter_period", descending=[False, True, True]
    )
    places = places.unique("installation_number", keep="first", maintain_order=True)
    line = texts.address_line(
        "alt_street_name", "alt_house_number", "alt_house_letter", "alt_floor", "alt_door", "alt_postcode", "alt_city"
    )
    house = ("street_name", "street_code", "house_number", "house_letter", "postcode", "city")
    return places.select(
        "installation_number",
        "supply_area",
        line.alias("address_line"),
        *(pl.col(f"alt_{name}").alias(name) for name in house),
    )


def alternative(places: pl.DataFrame, found: pl.DataFrame) -> Resolved:
    """The access address of each of the `alternative_places`: rows of `resolved/installation_addresses`.

    `found` are the answers (FOUND, one per place) to their components as access addresses.
    """
    named = places.select("installation_number", "supply_area", "address_line")
    answered = pl.concat([named, found], how="horizontal").with_columns(
        _usable(pl.col("access_id")).alias("address_id")
    )
    return _resolved(answered, RESOLVED_INSTALLATION_ADDRESSES, pl.lit(ALTERNATIVE_NOT_FOUND))


def party_address(rows: pl.DataFrame, index: WashingIndex) -> pl.Series:
    """The unit address id of each registered address, in the order of the rows; null for none.

    `rows` carry municipality_code, street_code, house_number (with its letter), floor, door, postcode and unit_id, all
    text. The unit id that the register of persons or companies answers is taken when it exists; else the codes within
    the municipality, or within the postal code where the municipality is missing.
    """
    own = rows["unit_id"].str.strip_chars().str.to_lowercase()
    own = own.set(~live_units(own, index), None)
    has_municipality = texts.municipality_code("municipality_code").is_not_null()
    coded = by_codes(rows.with_columns(pl.when(~has_municipality).then("postcode").alias("postcode")), index)
    by_row = pl.DataFrame({"row": pl.int_range(rows.height, dtype=pl.UInt32, eager=True)}).join(
        coded, on="row", how="left", maintain_order="left"
    )
    return pl.select(pl.coalesce(pl.lit(own), pl.lit(by_row["unit_id"])).alias("address_id")).to_series()


def _usable(address_id: pl.Expr) -> pl.Expr:
    """The id where the answer is used: not of category C unless the house alone is certain, and of an address that
    exists."""
    settled = (pl.col("category") != "C") | (pl.col("outcome") == ACCESS_ADDRESS)
    exists = pl.col("status").is_null() | pl.col("status").is_in(LIVE_STATUSES)
    return pl.when(settled & exists).then(address_id)


def _resolved(found: pl.DataFrame, table: EntityTable, reason: pl.Expr, *, withheld: pl.Expr | None = None) -> Resolved:
    """The rows of the table, and a rejection with this reason for each that has no address.

    `withheld`: there is another address that could have stood in, but it may not be shown.
    """
    number = pl.col("customer_number") if "customer_number" in table.schema else pl.lit(None, pl.String)
    line = pl.when(pl.col("text").fill_null("") != "").then("text").otherwise(pl.lit("(nothing typed)"))
    nearest = pl.col("nearest").list.head(_SHOWN).list.join("; ")
    closed = ~pl.col("status").is_in(LIVE_STATUSES) & (pl.col("category") != "C")
    why = (
        pl.when(pl.col("method") == DECISION)
        .then(pl.format("An operator decided that no address is meant by: {}", line))
        .when(closed)
        .then(pl.format("The register has closed the address that is meant by: {}", line))
        .when(pl.lit(False) if withheld is None else withheld)
        .then(
            pl.format(
                "No single address of the register is meant by: {}. The customer's registered address is protected "
                "and not copied; type a billing address in KMD EE.",
                line,
            )
        )
        .when(pl.col("nearest").list.len() > 0)
        .then(pl.format("No single address of the register is meant by: {}. Nearest: {}", line, nearest))
        .otherwise(pl.format("No single address of the register is meant by: {}", line))
    )
    # Polars 2.1 panics where it formats columns whose first chunk is empty.
    rejected = found.filter(pl.col("address_id").is_null()).rechunk()
    rejections = rejected.select(
        pl.col(table.key).alias("record_key"),
        reason.alias("reason"),
        why.alias("text"),
        number.alias("customer_number"),
        "supply_area",
    )
    without = pl.col("address_id").is_null() & (pl.col("method") != DECISION)
    rows = found.with_columns(
        pl.when(pl.col("address_id").is_null()).then(pl.lit("C")).otherwise("category").alias("category"),
        pl.when(without).then(pl.lit(NONE)).otherwise("method").alias("method"),
    )
    return Resolved(rows.select(list(table.schema)), rejections)
