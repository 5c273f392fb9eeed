"""Finds the one address of the register that is meant by what somebody typed.

A hit counts only when it is the only one: two addresses with the same key are none. Nothing is guessed here; a typing
error in a street name stays unresolved unless the codes beside it say which street is meant. Closed and abandoned
addresses (DAR status 4, 5) are never hit. All matching is by joins on keys that are prepared once per register.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Final

import polars as pl

from integration_assets.domain.addresses import texts
from integration_assets.domain.schema import EntityTable
from integration_assets.domain.tables import (
    RESOLVED_BILLING_ADDRESSES,
    RESOLVED_CONSUMPTION_ADDRESSES,
    RESOLVED_INSTALLATION_ADDRESSES,
)

COMPONENTS: Final = "components"
TEXT: Final = "text"
ACCESS_ADDRESS: Final = "access_address"
REGISTERED_ADDRESS: Final = "registered_address"
NONE: Final = "none"

CURRENT_STATUSES: Final = (2, 3)
"""DAR statuses of addresses that exist: provisional and current."""

CONSUMPTION_NOT_FOUND: Final = "consumption_address_not_found"
BILLING_NOT_FOUND: Final = "billing_address_not_found"
ALTERNATIVE_NOT_FOUND: Final = "alternative_address_not_found"

_KEY: Final = "_key"
_STREETS: Final = ("street_name", "short_street_name")


@dataclass(frozen=True)
class Resolved:
    """Addresses found (the rows of a `resolved/*_addresses` frame, unresolved ones included), and the rejections
    (REJECTIONS) of the unresolved."""

    rows: pl.DataFrame
    rejections: pl.DataFrame


class Register:
    """The addresses of a register (frame of `addresses/register`) with the keys they are found by.

    Each index is a frame of `_key` and `address_id` in which a key that several addresses share is missing.
    """

    def __init__(self, frame: pl.DataFrame) -> None:
        current = frame.filter(pl.col("status").is_in(CURRENT_STATUSES)).with_columns(
            texts.house("house_number").alias("_house"),
            texts.floor("floor").alias("_floor"),
            texts.door("door").alias("_door"),
            texts.street_code("street_code").alias("_street_code"),
            texts.municipality_code("municipality_code").alias("_municipality_code"),
            texts.postcode("postcode").alias("_postcode"),
        )
        self._units = current.filter(pl.col("kind") == "unit")
        self._access = current.filter(pl.col("kind") == "access")

    @cached_property
    def addresses(self) -> pl.DataFrame:
        """All addresses that exist, units and access addresses, in the columns of the register."""
        found = pl.concat([self._units, self._access])
        return found.select(name for name in found.columns if not name.startswith("_"))

    @cached_property
    def unit_ids(self) -> pl.DataFrame:
        """Units by their own id."""
        return _index(self._units, pl.col("address_id"))

    @cached_property
    def units_by_components(self) -> pl.DataFrame:
        """Units by street code, postal code, house number, floor and door."""
        return _index(self._units, _unit_key("_street_code", "_postcode"))

    @cached_property
    def units_by_municipality(self) -> pl.DataFrame:
        """Units by street code, municipality (where the code is unique), house number, floor and door."""
        return _index(self._units, _unit_key("_street_code", "_municipality_code"))

    @cached_property
    def units_by_text(self) -> pl.DataFrame:
        """Units by their line, with full and short road name, with and without supplementary town."""
        place = ("_house", "_floor", "_door", "supplementary_town", "postcode", "district")
        lines = _with_lines(self._units, (*_STREETS, *place))
        without_town = [name for name in place if name != "supplementary_town"]
        return _index(lines, *(_joined(street, *parts) for street in _STREETS for parts in (without_town, place)))

    @cached_property
    def access_by_components(self) -> pl.DataFrame:
        """Access addresses by street code, postal code and house number."""
        return _index(self._access, _key("_street_code", "_postcode", "_house"))

    @cached_property
    def access_by_text(self) -> pl.DataFrame:
        """Access addresses by road name, house number and postal code; the postal district says nothing more."""
        return _index(self._access, *(_access_text(texts.line(street)) for street in _STREETS))


def _key(*parts: str | pl.Expr, optional: Sequence[str] = ()) -> pl.Expr:
    """The parts as one text, null when a part is; `optional` ones may be absent."""
    return pl.concat_str(*parts, *(pl.col(name).fill_null("") for name in optional), separator="|")


def _unit_key(street_code: str, within: str) -> pl.Expr:
    return _key(street_code, within, "_house", optional=("_floor", "_door"))


def _access_text(street: pl.Expr) -> pl.Expr:
    return _key(street, "_postcode", "_house")


def _with_lines(addresses: pl.DataFrame, columns: Sequence[str]) -> pl.DataFrame:
    """The addresses with these columns as by `texts.line`: each distinct value is normalised once."""
    for name in columns:
        distinct = addresses.select(name).unique().with_columns(texts.line(name).alias("_line"))
        addresses = addresses.join(distinct, on=name, how="left", maintain_order="left").drop(name)
        addresses = addresses.rename({"_line": name})
    return addresses


def _joined(street: str, *parts: str) -> pl.Expr:
    """Street and further parts with blanks between; null without a street."""
    rest = pl.concat_str(*parts, separator=" ", ignore_nulls=True)
    return pl.concat_str(pl.col(street), rest, separator=" ")


def _index(addresses: pl.DataFrame, *keys: pl.Expr) -> pl.DataFrame:
    """Keys that lead to exactly one address."""
    pairs = pl.concat([addresses.select(key.alias(_KEY), "address_id") for key in keys])
    return pairs.drop_nulls(_KEY).unique().unique(_KEY, keep="none")


def _first_hit(rows: pl.DataFrame, steps: Sequence[tuple[str, pl.Expr, pl.DataFrame]]) -> pl.DataFrame:
    """The rows with address_id and method of the first step that finds an address, in their order.

    Each step is only taken for the rows that are still without.
    """
    rest = rows.with_row_index("_row")
    found: list[pl.DataFrame] = []
    for method, key, index in steps:
        hits = rest.select("_row", key.alias(_KEY)).join(index, on=_KEY).select("_row", "address_id")
        found.append(hits.with_columns(pl.lit(method).alias("method")))
        rest = rest.join(hits, on="_row", how="anti", maintain_order="left")
    nowhere = rest.select("_row", pl.lit(None, pl.String).alias("address_id"), pl.lit(NONE).alias("method"))
    chosen = pl.concat([*found, nowhere]).sort("_row")
    return rows.with_columns(chosen["address_id"], chosen["method"])


def _with_parts(rows: pl.DataFrame, prefix: str = "", letter: str | None = "house_letter") -> pl.DataFrame:
    """The rows with their normalised parts, named as in the register."""
    typed_letter = None if letter is None else prefix + letter
    return rows.with_columns(
        texts.house(prefix + "house_number", typed_letter).alias("_house"),
        texts.floor(prefix + "floor").alias("_floor"),
        texts.door(prefix + "door").alias("_door"),
        texts.street_code(prefix + "street_code").alias("_street_code"),
        texts.postcode(prefix + "postcode").alias("_postcode"),
    )


def consumption(rows: pl.DataFrame, register: Register) -> Resolved:
    """The address of each consumption place (forbrugssted): rows of `resolved/consumption_addresses`.

    `rows` are of `kmd_ee/customers`. Tried in this order: the unit by its codes, the unit by its text, the access
    address by codes and by text. A place without floor and door means the unit without floor and door.
    """
    parts = _with_parts(rows).with_columns(
        texts.address_line("street_name", "house_number", "house_letter", "floor", "door", "postcode", "city").alias(
            "address_line"
        )
    )
    text = texts.line(_joined("street_name", "_house", "_floor", "_door", "postcode", "city"))
    resolved = _first_hit(
        parts,
        [
            (COMPONENTS, _unit_key("_street_code", "_postcode"), register.units_by_components),
            (TEXT, text, register.units_by_text),
            (ACCESS_ADDRESS, _key("_street_code", "_postcode", "_house"), register.access_by_components),
            (ACCESS_ADDRESS, _access_text(texts.line("street_name")), register.access_by_text),
        ],
    )
    return _resolved(resolved, RESOLVED_CONSUMPTION_ADDRESSES, CONSUMPTION_NOT_FOUND)


def billing_line_addresses(rows: pl.DataFrame, register: Register) -> pl.DataFrame:
    """The unit address that each billing line (faktureringsadresse) names by itself.

    `rows` are of `kmd_ee/customers`. Returned are customer_number, supply_area, address_line (street line and postal
    district as typed), address_id and method, in the order of the rows.
    """
    typed = pl.concat_str("billing_street_line", "billing_district", separator=", ", ignore_nulls=True)
    lines = rows.select("customer_number", "supply_area", pl.when(typed != "").then(typed).alias("address_line"))
    return _first_hit(lines, [(TEXT, texts.line("address_line"), register.units_by_text)])


def billing(rows: pl.DataFrame, register: Register, party_addresses: pl.DataFrame) -> Resolved:
    """The unit address behind each billing line: rows of `resolved/billing_addresses`.

    `rows` are of `kmd_ee/customers`; `party_addresses` holds customer_number and address_id, the registered address of
    the main customer (by `party_address`). First the typed line, then the registered address.
    """
    registered = party_addresses.select("customer_number", pl.col("address_id").alias("_registered"))
    registered = registered.unique("customer_number", keep="first", maintain_order=True)
    lines = billing_line_addresses(rows, register).join(
        registered, on="customer_number", how="left", maintain_order="left"
    )
    stands_in = pl.col("address_id").is_null() & pl.col("_registered").is_not_null()
    resolved = lines.with_columns(
        pl.coalesce("address_id", "_registered").alias("address_id"),
        pl.when(stands_in).then(pl.lit(REGISTERED_ADDRESS)).otherwise("method").alias("method"),
    )
    return _resolved(resolved, RESOLVED_BILLING_ADDRESSES, BILLING_NOT_FOUND)


def alternative(rows: pl.DataFrame, register: Register) -> Resolved:
    """The access address of each alternative place (alternativt sted): rows of `resolved/installation_addresses`.

    `rows` are of `kmd_ee/installations`; an installation with several meters is one row, with the place that stands
    beside its latest meter; installations without alternative place are left out. Codes first, then text.
    """
    places = rows.filter(pl.col("alternative_place_id").is_not_null()).sort(
        "installation_number", "meter_from", "meter_period", descending=[False, True, True]
    )
    places = places.unique("installation_number", keep="first", maintain_order=True)
    line = texts.address_line(
        "alt_street_name", "alt_house_number", "alt_house_letter", "alt_floor", "alt_door", "alt_postcode", "alt_city"
    )
    resolved = _first_hit(
        _with_parts(places, prefix="alt_").with_columns(line.alias("address_line")),
        [
            (COMPONENTS, _key("_street_code", "_postcode", "_house"), register.access_by_components),
            (TEXT, _access_text(texts.line("alt_street_name")), register.access_by_text),
        ],
    )
    return _resolved(resolved, RESOLVED_INSTALLATION_ADDRESSES, ALTERNATIVE_NOT_FOUND)


def party_address(rows: pl.DataFrame, register: Register) -> pl.Series:
    """The unit address id of each registered address, in the order of the rows; null for none.

    `rows` carry municipality_code, street_code, house_number (with its letter), floor, door, postcode and unit_id, all
    text. The unit id that the register of persons or companies answers is taken when it exists; else the codes within
    the municipality, or within the postal code where the municipality is missing.
    """
    parts = _with_parts(rows, letter=None).with_columns(
        texts.municipality_code("municipality_code").alias("_municipality_code")
    )
    without_municipality = pl.when(pl.col("_municipality_code").is_null()).then("_postcode").alias("_postcode")
    hits = _first_hit(
        parts.with_columns(without_municipality),
        [
            (REGISTERED_ADDRESS, pl.col("unit_id").str.strip_chars().str.to_lowercase(), register.unit_ids),
            (REGISTERED_ADDRESS, _unit_key("_street_code", "_municipality_code"), register.units_by_municipality),
            (REGISTERED_ADDRESS, _unit_key("_street_code", "_postcode"), register.units_by_components),
        ],
    )
    return hits["address_id"]


def _resolved(found: pl.DataFrame, table: EntityTable, reason: str) -> Resolved:
    """The rows of the table, and a rejection with this reason for each that has no address."""
    number = pl.col("customer_number") if "customer_number" in table.schema else pl.lit(None, pl.String)
    line = pl.col("address_line").fill_null("(nothing typed)")
    rejections = found.filter(pl.col("address_id").is_null()).select(
        pl.col(table.key).alias("record_key"),
        pl.lit(reason).alias("reason"),
        pl.format("No single address of the register is meant by: {}", line).alias("text"),
        number.alias("customer_number"),
        "supply_area",
    )
    return Resolved(found.select(list(table.schema)), rejections)
