"""What the registry should hold: registry rows computed from the resolved rows of the billing system.

Every function returns a frame with object_id, business_key (the customer or installation number that an operator
knows), supply_area and the columns of `REGISTRY_ROWS` for its entity, ordered by business key. Nothing is remembered
here, so `history` has what the sources date: the rest is `domain.registry.history`, and what became of parties who left
a row `domain.registry.continuity`.
"""

from typing import Final

import polars as pl

from integration_assets.domain.identity import ObjectIds
from integration_assets.domain.registry.history import HISTORY
from integration_assets.domain.registry.meters import (
    DISTANT_FUTURE,
    DISTANT_PAST,
    coverage,
    meter_line,
    meter_title,
    shown_dates,
)
from integration_assets.domain.tables import INSTALLATION_PERIODS, METER_PERIODS, REGISTRY_ROWS

CUSTOMER_ROLE: Final = ("915240004", "Kunde")
CO_CUSTOMER_ROLE: Final = ("915240006", "Ligestillingskunde")
"""Role code and name; the codes are those of the CRM's option set ava_rolle."""

NAMELESS_AGREEMENT: Final = "Fjernvarmeaftale"
"""What an agreement without installations is called, after its utility."""

_LAST: Final = 2**63 - 1
_NO_HISTORY: Final = pl.lit([], dtype=HISTORY).alias("history")

_CONTACT_DATA: Final = ("name", "master_id", "phone", "mobile", "email")


def customers(resolved: pl.DataFrame, parties: pl.DataFrame) -> pl.DataFrame:
    """Persons and companies (kunder), one row per party and supply area; rows of one party differ in the area only.

    `resolved` are the rows of resolved/customers, of all supply areas, that name the parties, as main or as
    co-customer (ligestillingskunde): then the outcome is the same whichever area asks. `parties` has PARTY_ROWS. A
    party that the register did not answer for has no row (its names would otherwise be overwritten by blanks).

    Contact data (name as typed, phone, mobile, e-mail, master id) are those of the customer relation where the party is
    main customer with the latest move-in, then the highest customer number; a party that is only co-customer has none.
    The user key is the lowest customer number that names the party. A person is called as the billing system types her
    name, else by her addressing name; a company as the company register calls it. The number is the one in force, which
    the register may have given in the place of the one that the billing system names.
    """
    naming = _naming(resolved)
    identity = (
        naming.sort(_numerically("customer_number"), "customer_number", nulls_last=True)
        .group_by("party_id", maintain_order=True)
        .agg(
            pl.col("customer_number").first().alias("user_key"),
            pl.col("party_kind", "number").drop_nulls().first(),
        )
    )
    contact = (
        resolved.filter(pl.col("party_id").is_not_null())
        .sort(
            pl.col("moved_in"),
            _numerically("customer_number"),
            "customer_number",
            descending=True,
            nulls_last=True,
        )
        .group_by("party_id", maintain_order=True)
        .agg(_clean(name).first() for name in _CONTACT_DATA)
        .rename({"name": "kmd_name"})
    )
    known = parties.rename({"name": "registered_name", "number": "number_in_force"}).drop("party_kind")
    is_person = pl.col("party_kind") == "person"
    rows = (
        identity.join(contact, on="party_id", how="left")
        .join(known, on="party_id", how="inner")
        .with_columns(
            pl.when(is_person)
            .then(pl.coalesce("kmd_name", "registered_name"))
            .otherwise(pl.coalesce("registered_name", "kmd_name"))
            .alias("name"),
            pl.coalesce("number_in_force", "number").alias("number"),
            pl.col("party_id").alias("object_id"),
            pl.col("user_key").alias("business_key"),
        )
    )
    areas = naming.select("party_id", "supply_area").unique()
    return _finished("customers", rows.join(areas, on="party_id", how="inner"))


def customer_relations(
    resolved: pl.DataFrame, consumption_addresses: pl.DataFrame, ids: ObjectIds, *, utility: str
) -> pl.DataFrame:
    """Customer relations (kundeforhold), one row per row of the billing system.

    `consumption_addresses` are the rows of resolved/consumption_addresses for the same customer numbers. The name is
    the utility and the address line, so it follows the address; both follow corrections of the place at once.
    """
    places = consumption_addresses.select("customer_number", "address_line", "address_id")
    return _finished(
        "customer_relations",
        resolved.join(places, on="customer_number", how="left").with_columns(
            ids.series("customer_relation", resolved["customer_number"]).alias("object_id"),
            pl.col("customer_number").alias("business_key"),
            pl.concat_str(pl.lit(utility), _clean("address_line"), separator=", ", ignore_nulls=True).alias("name"),
            pl.lit(utility).alias("utility"),
            pl.col("moved_in").alias("valid_from"),
            pl.col("moved_out").alias("valid_to"),
            _NO_HISTORY,
        ),
    )


def customer_roles(resolved: pl.DataFrame, ids: ObjectIds) -> pl.DataFrame:
    """Customer roles (kunderoller): the main customer of each row as Kunde, her co-customer as Ligestillingskunde.

    Each role is valid from move-in to move-out; its id follows from customer number, role code and party.
    """
    main = resolved.filter(pl.col("party_id").is_not_null()).with_columns(
        pl.lit(CUSTOMER_ROLE[0]).alias("role_code"), pl.lit(CUSTOMER_ROLE[1]).alias("role_name")
    )
    second = resolved.filter(pl.col("co_party_id").is_not_null()).with_columns(
        pl.lit(CO_CUSTOMER_ROLE[0]).alias("role_code"),
        pl.lit(CO_CUSTOMER_ROLE[1]).alias("role_name"),
        pl.col("co_party_id").alias("party_id"),
        pl.lit("person").alias("party_kind"),
    )
    rows = pl.concat([main, second], how="vertical_relaxed")
    keys = rows.select(pl.concat_str("customer_number", "role_code", "party_id", separator="|")).to_series()
    return _finished(
        "customer_roles",
        rows.with_columns(
            ids.series("customer_role", keys).alias("object_id"),
            ids.series("customer_relation", rows["customer_number"]).alias("relation_id"),
            pl.col("customer_number").alias("business_key"),
            pl.col("moved_in").alias("valid_from"),
            pl.col("moved_out").alias("valid_to"),
        ),
    )


def installations(
    meters: pl.DataFrame, installation_addresses: pl.DataFrame, ids: ObjectIds, *, utility: str
) -> pl.DataFrame:
    """Installations with all their meters, one row per installation number.

    `meters` are rows of kmd_ee/installations, `installation_addresses` those of resolved/installation_addresses. An
    installation is valid from its first meter to the end of its last; one whose meters all last zero days has no row.
    """
    places = meters.group_by("installation_number").agg(pl.col("supply_area").min())
    addresses = installation_addresses.select("installation_number", "address_id")
    rows = (
        meter_line(meters)
        .group_by("installation_number", maintain_order=True)
        .agg(
            pl.struct("meter_number", "meter_type", "meter_make", "from", "to").alias("meters"),
            pl.col("from").fill_null(DISTANT_PAST).min().alias("valid_from"),
            pl.col("to").fill_null(DISTANT_FUTURE).max().alias("valid_to"),
        )
        .with_columns(shown_dates("valid_from", "valid_to"))
        .join(places, on="installation_number", how="left")
        .join(addresses, on="installation_number", how="left")
    )
    return _finished(
        "installations",
        rows.with_columns(
            ids.series("installation", rows["installation_number"]).alias("object_id"),
            pl.col("installation_number").alias("business_key"),
            pl.lit(utility).alias("utility"),
            pl.col("meters").cast(METER_PERIODS),
            _NO_HISTORY,
        ),
    )


def agreements(
    resolved: pl.DataFrame, meters: pl.DataFrame, billing_addresses: pl.DataFrame, ids: ObjectIds, *, utility: str
) -> pl.DataFrame:
    """Agreements (aftaler), one row per row of the billing system, each with all installations of its place.

    `meters` are the rows of kmd_ee/installations of the consumption places. An installation belongs to the agreement
    for the days on which it had a meter while the agreement was valid. On each day the agreement is called after the
    first, by number, of the installations that it had by then, with the meter that this had last.
    """
    line = meter_line(meters)
    held = _within_agreement(resolved, meters, coverage(line))
    keys = held.select("installation_number").to_series()
    periods = (
        held.with_columns(ids.series("installation", keys).alias("installation_id"))
        .sort("customer_number", "installation_id", "from")
        .group_by("customer_number", maintain_order=True)
        .agg(pl.struct("installation_id", *shown_dates("from", "to")).alias("installations"))
        .with_columns(pl.col("installations").cast(INSTALLATION_PERIODS))
    )
    billing = billing_addresses.select("customer_number", pl.col("address_id").alias("billing_address_id"))
    rows = (
        resolved.drop("name", strict=False)
        .join(billing, on="customer_number", how="left")
        .join(periods, on="customer_number", how="left")
        .join(_names(resolved, meters, line, utility), on="customer_number", how="left")
    )
    return _finished(
        "agreements",
        rows.with_columns(
            ids.series("agreement", rows["customer_number"]).alias("object_id"),
            ids.series("customer_relation", rows["customer_number"]).alias("relation_id"),
            pl.col("customer_number").alias("business_key"),
            pl.col("name").fill_null(f"{utility}, {NAMELESS_AGREEMENT}"),
            pl.col("history").fill_null(pl.lit([], dtype=HISTORY)),
            pl.lit(utility).alias("utility"),
            pl.col("installations").fill_null(pl.lit([], dtype=INSTALLATION_PERIODS)),
            pl.col("moved_in").alias("valid_from"),
            pl.col("moved_out").alias("valid_to"),
        ),
    )


def installations_held(agreements_of_places: pl.DataFrame, meters: pl.DataFrame) -> pl.DataFrame:
    """Which agreement has which installation, and when: customer_number, installation_number, from, to (no nulls).

    The first has customer_number, consumption_place_id, moved_in and moved_out; `meters` are rows of
    kmd_ee/installations. An installation of the place belongs to the agreement on the days on which it had a meter.
    """
    held = _within_agreement(agreements_of_places, meters, coverage(meter_line(meters)))
    return held.select("customer_number", "installation_number", "from", "to")


def _names(resolved: pl.DataFrame, meters: pl.DataFrame, line: pl.DataFrame, utility: str) -> pl.DataFrame:
    """What agreements with installations are called: customer_number, name (the last one), history of several names."""
    title = meter_title(pl.col("meter_number"), pl.col("meter_make"), pl.col("meter_type"))
    number = "customer_number"
    standing = _within_agreement(resolved, meters, line).select(
        number,
        "moved_in",
        "from",
        title.fill_null(NAMELESS_AGREEMENT).alias("title"),
        pl.struct(_numerically("installation_number").fill_null(_LAST), key="installation_number")
        .rank("dense")
        .over(number)
        .alias("place_in_order"),
    )
    first = standing.sort(number, "from", "place_in_order").filter(
        pl.col("place_in_order") == pl.col("place_in_order").cum_min().over(number)
    )
    nameless = (
        first.unique(number, keep="first")
        .filter(pl.col("from") > pl.col("moved_in"))
        .with_columns(pl.col("moved_in").alias("from"), pl.lit(NAMELESS_AGREEMENT).alias("title"))
    )
    names = (
        pl.concat([first, nameless])
        .sort(number, "from", "place_in_order")
        .unique([number, "from"], keep="first", maintain_order=True)
        .select(number, "from", pl.format("{}, {}", pl.lit(utility), "title").alias("name"))
        .filter(pl.col("name").ne_missing(pl.col("name").shift(1).over(number)))
        .with_columns(pl.when(pl.int_range(pl.len()).over(number) > 0).then("from").alias("from"))
    )
    piece = pl.struct(pl.lit("name").alias("field"), "from", pl.col("name").alias("value"))
    return (
        names.group_by(number, maintain_order=True)
        .agg(pl.col("name").last(), piece.filter(pl.len() > 1).alias("history"))
        .cast({"history": HISTORY})
    )


def _within_agreement(resolved: pl.DataFrame, meters: pl.DataFrame, periods: pl.DataFrame) -> pl.DataFrame:
    """`periods` of installations cut to the agreements of their consumption place; from and to without nulls."""
    place = meters.select("installation_number", "consumption_place_id").drop_nulls().unique()
    agreement = resolved.select(
        "customer_number",
        "consumption_place_id",
        pl.col("moved_in").fill_null(DISTANT_PAST),
        pl.col("moved_out").fill_null(DISTANT_FUTURE),
    )
    return (
        periods.join(place, on="installation_number", how="inner")
        .join(agreement, on="consumption_place_id", how="inner")
        .with_columns(
            pl.max_horizontal(pl.col("from").fill_null(DISTANT_PAST), "moved_in").alias("from"),
            pl.min_horizontal(pl.col("to").fill_null(DISTANT_FUTURE), "moved_out").alias("to"),
        )
        .filter(pl.col("from") < pl.col("to"))
    )


def _naming(resolved: pl.DataFrame) -> pl.DataFrame:
    """Who is named where, main and co-customers: party_id, party_kind, number, customer_number, supply_area."""
    columns = ("party_id", "party_kind", "number", "customer_number", "supply_area")
    main = resolved.select(columns)
    second = resolved.select(
        pl.col("co_party_id").alias("party_id"),
        pl.lit("person").alias("party_kind"),
        pl.col("co_number").alias("number"),
        "customer_number",
        "supply_area",
    )
    return pl.concat([main, second]).filter(pl.col("party_id").is_not_null())


def _numerically(name: str) -> pl.Expr:
    """A text of digits as the number it is, so that 9 comes before 10; null for other texts."""
    return pl.col(name).cast(pl.Int64, strict=False)


def _clean(name: str) -> pl.Expr:
    """A text without blanks around it; a blank text is null."""
    text = pl.col(name).str.strip_chars()
    return pl.when(text.str.len_chars() > 0).then(text).alias(name)


def _finished(entity: str, rows: pl.DataFrame) -> pl.DataFrame:
    """The frame as promised: ids, area, the columns of REGISTRY_ROWS; sorted, so that equal input looks equal."""
    schema = REGISTRY_ROWS[entity]
    return rows.select(
        "object_id", "business_key", "supply_area", *(pl.col(name).cast(dtype) for name, dtype in schema.items())
    ).sort("business_key", "object_id", "supply_area")
