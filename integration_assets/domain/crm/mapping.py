"""From registry rows to rows of Dynamics CRM 365: the values that the mapping's table writes into columns.

The functions named after CRM tables take frames as read back from the registry (object_id, business_key, supply_area
and the columns of `REGISTRY_ROWS`) and add what the table needs beside these (`VALUES`); which value goes into which
column, and in which form, is the table's. They return rows of `CRM_TABLES` with what did not fit. The registry's uuid
is the primary id of the CRM row, so references between rows need no look-up.
"""

from collections.abc import Mapping
from datetime import date
from typing import Final

import polars as pl

from integration_assets.domain.crm.fields import FIELDS, TABLE_FACTS
from integration_assets.domain.crm.fitting import Fitted, fit
from integration_assets.domain.crm.tables import STANDARD, CrmMapping
from integration_assets.domain.identity import ObjectIds
from integration_assets.domain.registry.history import on_day
from integration_assets.domain.registry.meters import DISTANT_FUTURE, DISTANT_PAST, meter_title

COUNTRY: Final = "Danmark"


def contacts(
    customers: pl.DataFrame, as_of: date, *, share_protected: bool = False, by: CrmMapping = STANDARD
) -> Fitted:
    """Persons and companies as contacts, as they are on `as_of`.

    A company carries its name as first name and has no last name. The registered address of a person whose name and
    address are protected is left out unless `share_protected`.
    """
    is_company = pl.col("party_kind") == "company"
    may_show = pl.lit(True) if share_protected else ~pl.col("address_protected").fill_null(False)

    def of_person(name: str) -> pl.Expr:
        return pl.when(~is_company).then(pl.col(name))

    values = on_day(customers, as_of).with_columns(
        shown_first_name=pl.when(is_company).then("name").otherwise("first_name"),
        shown_middle_name=of_person("middle_name"),
        shown_last_name=of_person("last_name"),
        cpr_number=of_person("number"),
        cvr_number=pl.when(is_company).then("number"),
        shown_address_id=pl.when(may_show).then("address_id"),
    )
    return fit("contacts", values, by)


def accounts(customer_relations: pl.DataFrame, as_of: date, *, by: CrmMapping = STANDARD) -> Fitted:
    """Customer relations (kundeforhold) as accounts, as they are on `as_of`; ended from the day they end."""
    return fit("accounts", on_day(customer_relations, as_of).with_columns(ended=_ended(as_of)), by)


def customer_roles(roles: pl.DataFrame, as_of: date, *, by: CrmMapping = STANDARD) -> Fitted:
    """Customer roles (kunderoller); ended from the day they end."""
    return fit("customer_roles", roles.with_columns(ended=_ended(as_of)), by)


def agreements(registry_agreements: pl.DataFrame, as_of: date, *, by: CrmMapping = STANDARD) -> Fitted:
    """Agreements (aftaler); ended from the day they end."""
    installation_ids = pl.col("installations").list.eval(pl.element().struct.field("installation_id"))
    values = on_day(registry_agreements, as_of).with_columns(
        ended=_ended(as_of), installation_count=installation_ids.list.n_unique().fill_null(0)
    )
    return fit("agreements", values, by)


def installations(
    registry_installations: pl.DataFrame,
    registry_agreements: pl.DataFrame,
    customer_relations: pl.DataFrame,
    as_of: date,
    *,
    by: CrmMapping = STANDARD,
) -> Fitted:
    """Installations with the meter in use on `as_of` (the last that has begun, else the first), by validity.

    An installation belongs to the agreement that lists it and is valid on `as_of`; without one to the latest that was,
    and only then to one to come. Its address is the alternative place, else that of the owning customer relation.
    """
    relations = (
        on_day(customer_relations, as_of)
        .select(pl.col("object_id").alias("relation_id"), pl.col("address_id").alias("relation_address"))
        .unique("relation_id", keep="any")
    )
    owned = (
        on_day(registry_installations, as_of)
        .join(_meters_in_use(registry_installations, as_of), on="object_id", how="left")
        .join(_owners(registry_agreements, as_of), on="object_id", how="left")
        .join(relations, on="relation_id", how="left")
    )
    values = owned.with_columns(
        ended=_ended(as_of),
        meter_title=meter_title(pl.col("meter_number"), pl.col("meter_make"), pl.col("meter_type")),
        place_id=pl.coalesce("address_id", "relation_address"),
    )
    return fit("installations", values, by)


def addresses(references: pl.DataFrame, register: pl.DataFrame, *, by: CrmMapping = STANDARD) -> Fitted:
    """The addresses that CRM rows point at, one row per address and supply area.

    `references` as from `address_references`. `register` are rows of addresses/register with the further columns
    latitude and longitude (degrees, WGS84). Access addresses have no floor, door, key or parent, and say so.
    """
    is_unit = pl.col("kind") == "unit"
    rows = (
        references.select("address_id", "supply_area")
        .unique()
        .join(register.unique("address_id", keep="any"), on="address_id", how="inner")
    )
    named = rows.with_columns(
        pl.col("address_id").alias("object_id"),
        pl.when(is_unit).then("floor").alias("floor"),
        pl.when(is_unit).then("door").alias("door"),
    ).with_columns(
        pl.concat_str(address_text(), pl.when(~is_unit).then(pl.lit("adgangsadresse")), separator=", ",
                      ignore_nulls=True).alias("business_key")
    )  # fmt: skip
    values = named.with_columns(
        address_text=pl.col("business_key"),
        parent_id=pl.when(is_unit).then("access_id"),
        house_digits=pl.col("house_number").str.extract(r"^0*(\d+)"),
        house_letter=pl.col("house_number").str.extract(r"(\p{L}+)\s*$"),
        unit_floor=pl.col("floor"),
        unit_door=pl.col("door"),
        kvhx=pl.when(is_unit).then(kvhx()),
        country=pl.lit(COUNTRY),
    )
    return fit("addresses", values, by)


def address_text() -> pl.Expr:
    """An address in one line from register columns: "<street> <number>[, <floor>.][ <door>], <postcode> <district>"."""
    dwelling = pl.concat_str(
        pl.concat_str("floor", pl.lit(".")), "door", separator=" ", ignore_nulls=True
    ).replace("", None)  # fmt: skip
    return pl.concat_str(
        pl.concat_str("street_name", "house_number", separator=" ", ignore_nulls=True),
        dwelling,
        pl.concat_str("postcode", "district", separator=" ", ignore_nulls=True),
        separator=", ",
        ignore_nulls=True,
    )


def address_references(crm_rows: Mapping[str, pl.DataFrame]) -> pl.DataFrame:
    """Every address that rows of `CRM_TABLES` (by entity) point at: columns address_id, supply_area; no row twice."""
    found = [
        frame.select(pl.col(column).alias("address_id"), "supply_area")
        for entity, frame in crm_rows.items()
        for column in address_columns(entity)
    ]
    empty = pl.DataFrame(schema={"address_id": pl.String, "supply_area": pl.String})
    return pl.concat([empty, *found]).drop_nulls("address_id").unique().sort("address_id", "supply_area")


def without_unknown_addresses(entity: str, rows: pl.DataFrame, known: pl.Series) -> pl.DataFrame:
    """`rows` of an entity with references to addresses that are not among the `known` ids left out (null).

    A row with a reference into nowhere would be refused by the CRM as a whole.
    """
    return rows.with_columns(
        pl.when(pl.col(column).is_in(known.implode())).then(pl.col(column)).alias(column)
        for column in address_columns(entity)
    )


def unknown_addresses(entity: str, rows: pl.DataFrame, known: pl.Series) -> pl.DataFrame:
    """What `without_unknown_addresses` leaves out: columns business_key, supply_area, column, address_id."""
    schema = {"business_key": pl.String, "supply_area": pl.String, "column": pl.String, "address_id": pl.String}
    found = [
        rows.select(
            "business_key", "supply_area", pl.lit(column).alias("column"), pl.col(column).alias("address_id")
        ).filter(pl.col("address_id").is_not_null() & ~pl.col("address_id").is_in(known.implode()))
        for column in address_columns(entity)
    ]
    return pl.concat([pl.DataFrame(schema=schema), *found]).sort("business_key", "column", "address_id")


def agreement_links(
    roles: pl.DataFrame, registry_agreements: pl.DataFrame, ids: ObjectIds, as_of: date
) -> pl.DataFrame:
    """Which contacts take part in which agreement (N:N ava_aktoerens_aftaler), and which no longer do.

    A party takes part by any role in the agreement's customer relation. A role that ended by `as_of` and before the
    agreement did was taken away, and the link goes with it; moving out leaves it.

    Columns: object_id (of the pair), business_key (customer number), supply_area, agreement_id, contact_id, linked.
    """
    agreement = registry_agreements.select(
        pl.col("object_id").alias("agreement_id"),
        "business_key",
        "supply_area",
        "relation_id",
        pl.col("valid_to").fill_null(DISTANT_FUTURE).alias("agreement_end"),
    )
    role_end = pl.col("valid_to").fill_null(DISTANT_FUTURE)
    pairs = (
        roles.select("relation_id", pl.col("party_id").alias("contact_id"), role_end.alias("role_end"))
        .join(agreement, on="relation_id", how="inner")
        .with_columns(
            ((pl.col("role_end") <= pl.lit(as_of)) & (pl.col("role_end") < pl.col("agreement_end"))).alias("taken_away")
        )
        .group_by("agreement_id", "contact_id", "business_key", "supply_area")
        .agg((~pl.col("taken_away")).any().alias("linked"))
    )
    keys = pairs.select(pl.concat_str("agreement_id", "contact_id", separator="|")).to_series()
    return (
        pairs.with_columns(ids.series("agreement_link", keys).alias("object_id"))
        .select("object_id", "business_key", "supply_area", "agreement_id", "contact_id", "linked")
        .sort("business_key", "object_id")
    )


def _owners(registry_agreements: pl.DataFrame, as_of: date) -> pl.DataFrame:
    """The owning agreement of each installation: object_id (installation), owner, owner_number, relation_id."""
    day = pl.lit(as_of)
    start = pl.col("valid_from").fill_null(DISTANT_PAST)
    end = pl.col("valid_to").fill_null(DISTANT_FUTURE)
    standing = pl.when(start > day).then(0).when(end <= day).then(1).otherwise(2)
    return (
        registry_agreements.select(
            pl.col("object_id").alias("owner"),
            pl.col("customer_number").alias("owner_number"),
            "relation_id",
            standing.alias("standing"),
            start.alias("start"),
            pl.col("customer_number").cast(pl.Int64, strict=False).alias("order"),
            pl.col("installations").list.eval(pl.element().struct.field("installation_id")).alias("object_id"),
        )
        .explode("object_id", empty_as_null=True, keep_nulls=True)
        .drop_nulls("object_id")
        .sort("standing", "start", "order", "owner", nulls_last=False)
        .group_by("object_id", maintain_order=True)
        .last()
        .select("object_id", "owner", "owner_number", "relation_id")
    )


def _meters_in_use(registry_installations: pl.DataFrame, as_of: date) -> pl.DataFrame:
    """The meter of each installation on `as_of`: object_id, meter_number, meter_type, meter_make."""
    start = pl.col("from").fill_null(DISTANT_PAST)
    has_begun = start <= pl.lit(as_of)
    nearness = pl.when(has_begun).then(start - pl.lit(DISTANT_PAST)).otherwise(pl.lit(DISTANT_PAST) - start)
    return (
        registry_installations.select("object_id", "meters")
        .unique("object_id", keep="any")
        .explode("meters", empty_as_null=True, keep_nulls=True)
        .drop_nulls("meters")
        .unnest("meters")
        .sort("object_id", nearness)
        .group_by("object_id", maintain_order=True)
        .last()
        .select("object_id", "meter_number", "meter_type", "meter_make")
    )


def kvhx() -> pl.Expr:
    """The KVHX key of a unit, from register columns.

    Municipality and street (4 digits each), house number (4), floor (3), door (4), filled up with _ on the left.
    """

    def filled(name: str, width: int, filler: str) -> pl.Expr:
        return pl.col(name).fill_null("").str.pad_start(width, filler)

    house = pl.col("house_number").str.replace(r"^0+", "").fill_null("").str.pad_start(4, "_")
    return pl.concat_str(
        filled("municipality_code", 4, "0"),
        filled("street_code", 4, "0"),
        house,
        filled("floor", 3, "_"),
        filled("door", 4, "_"),
    )


def _ended(as_of: date) -> pl.Expr:
    """Whether the row has ended on `as_of` (its valid_to is the first day after it)."""
    return (pl.col("valid_to") <= pl.lit(as_of)).fill_null(False)


def address_columns(entity: str) -> list[str]:
    """The columns of an entity's rows that point at addresses."""
    address_set = TABLE_FACTS["addresses"].set_name
    return [field.name for field in FIELDS[entity] if field.target == address_set]
