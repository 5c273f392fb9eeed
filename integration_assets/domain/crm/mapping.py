"""From registry rows to rows of Dynamics CRM 365, as `domain.crm.fields` declares them.

The functions named after CRM tables take frames as read back from the registry (object_id, business_key, supply_area
and the columns of `REGISTRY_ROWS`) and return frames with the schema of `CRM_TABLES`. The registry's uuid is the
primary id of the CRM row, so references between rows need no look-up.
"""

from collections.abc import Mapping
from datetime import date
from typing import Any, Final

import polars as pl

from integration_assets.domain.crm.fields import (
    ACTIVE,
    COUNTRY,
    CRM_TABLES,
    FIELDS,
    GENDER_OPTIONS,
    INACTIVE,
    OPEN_END_IN_CRM,
    TABLE_FACTS,
    UTILITY_OPTIONS,
)
from integration_assets.domain.identity import ObjectIds
from integration_assets.domain.registry.history import on_day
from integration_assets.domain.registry.meters import DISTANT_FUTURE, DISTANT_PAST, meter_title

_OPEN_END: Final = date.fromisoformat(OPEN_END_IN_CRM)


def contacts(customers: pl.DataFrame, as_of: date, *, share_protected: bool = False) -> pl.DataFrame:
    """Persons and companies as contacts, as they are on `as_of`.

    A company carries its name as first name and has no last name. The registered address of a person whose name and
    address are protected is left out unless `share_protected`.
    """
    is_company = pl.col("party_kind") == "company"
    may_show = pl.lit(True) if share_protected else ~pl.col("address_protected").fill_null(False)

    def of_person(name: str) -> pl.Expr:
        return pl.when(~is_company).then(pl.col(name))

    return _finished(
        "contacts",
        on_day(customers, as_of),
        firstname=pl.when(is_company).then("name").otherwise("first_name"),
        middlename=of_person("middle_name"),
        lastname=of_person("last_name"),
        gendercode=_option("gender", GENDER_OPTIONS),
        ava_cpr_nummer=of_person("number"),
        ava_cvr_nummer=pl.when(is_company).then("number"),
        ava_virksomhedsform=pl.col("company_form"),
        ava_eradressebeskyttet=pl.col("address_protected"),
        ava_kmdeemasterid=pl.col("master_id"),
        ava_mobilkmdee=pl.col("mobile"),
        ava_fastnetkmdee=pl.col("phone"),
        ava_emailkmdee=pl.col("email"),
        # Half an e-mail address is none: what does not fit is not cut but left out.
        emailaddress1=pl.when(pl.col("email").str.len_chars() <= _limit("contacts", "emailaddress1")).then("email"),
        ava_adresse=pl.when(may_show).then("address_id"),
    )


def accounts(customer_relations: pl.DataFrame, as_of: date) -> pl.DataFrame:
    """Customer relations (kundeforhold) as accounts, as they are on `as_of`; inactive from the day they end."""
    return _finished(
        "accounts",
        on_day(customer_relations, as_of),
        **_state(as_of),
        ava_kundenummer=pl.col("customer_number"),
        ava_kundetype=_option("utility", UTILITY_OPTIONS),
        ava_adresse=pl.col("address_id"),
        name=pl.col("name"),
    )


def customer_roles(roles: pl.DataFrame, as_of: date) -> pl.DataFrame:
    """Customer roles (kunderoller); inactive from the day they end."""
    return _finished(
        "customer_roles",
        roles,
        **_state(as_of),
        ava_rolle=pl.col("role_code").cast(pl.Int64, strict=False),
        ava_aktoer=pl.col("party_id"),
        ava_kundeforhold=pl.col("relation_id"),
    )


def agreements(registry_agreements: pl.DataFrame, as_of: date) -> pl.DataFrame:
    """Agreements (aftaler); inactive from the day they end, an open end is 9999-12-31."""
    installation_ids = pl.col("installations").list.eval(pl.element().struct.field("installation_id"))
    return _finished(
        "agreements",
        on_day(registry_agreements, as_of),
        **_state(as_of),
        ava_name=pl.col("name"),
        ava_aftaletype=_option("utility", UTILITY_OPTIONS),
        ava_antal_produkter=installation_ids.list.n_unique().fill_null(0),
        ava_startdato=pl.col("valid_from"),
        ava_slutdato=pl.col("valid_to").fill_null(_OPEN_END),
        ava_kundeforhold=pl.col("relation_id"),
        ava_faktureringsadresse=pl.col("billing_address_id"),
    )


def installations(
    registry_installations: pl.DataFrame,
    registry_agreements: pl.DataFrame,
    customer_relations: pl.DataFrame,
    as_of: date,
) -> pl.DataFrame:
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
    return _finished(
        "installations",
        owned,
        **_state(as_of),
        ava_name=meter_title(pl.col("meter_number"), pl.col("meter_make"), pl.col("meter_type")),
        ava_identifikation=pl.col("installation_number"),
        ava_installationstype=_option("utility", UTILITY_OPTIONS),
        ava_maalernummer=pl.col("meter_number"),
        ava_maalertype=pl.col("meter_type"),
        ava_kundenummer=pl.col("owner_number"),
        ava_aftale=pl.col("owner"),
        ava_adresse=pl.coalesce("address_id", "relation_address"),
    )


def addresses(references: pl.DataFrame, register: pl.DataFrame) -> pl.DataFrame:
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
    return _finished(
        "addresses",
        named,
        ava_name=pl.col("business_key"),
        ava_dawaadgangsadresseid=pl.when(is_unit).then("access_id"),
        ava_gadenavn=pl.col("street_name"),
        ava_vejkode=pl.col("street_code"),
        ava_husnummer=pl.col("house_number").str.extract(r"^0*(\d+)"),
        ava_bogstav=pl.col("house_number").str.extract(r"(\p{L}+)\s*$"),
        ava_etage=pl.col("floor"),
        ava_doer=pl.col("door"),
        ava_postnummer=pl.col("postcode"),
        ava_by=pl.col("district"),
        ava_kommunenummer=pl.col("municipality_code"),
        ava_kvhx=pl.when(is_unit).then(_kvhx()),
        ava_land=pl.lit(COUNTRY),
        ava_koordinat_nord=pl.col("latitude").round(8),
        ava_koordinat_oest=pl.col("longitude").round(8),
        ava_laengdegrad=pl.col("northing").round(2),
        ava_breddegrad=pl.col("easting").round(2),
    )


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


def _kvhx() -> pl.Expr:
    """Municipality and street (4 digits each), house number (4), floor (3), door (4), filled up with _ on the left."""

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


def _option(name: str, options: Mapping[str, int]) -> pl.Expr:
    """The option value for a text; null for a text without one."""
    return pl.col(name).replace_strict(options, default=None, return_dtype=pl.Int64)


def _state(as_of: date) -> dict[str, pl.Expr]:
    """statecode and statuscode by whether the row has ended on `as_of` (its valid_to is the first day after it)."""
    ended = (pl.col("valid_to") <= pl.lit(as_of)).fill_null(False)
    return {
        name: pl.when(ended).then(inactive).otherwise(active)
        for name, active, inactive in zip(("statecode", "statuscode"), ACTIVE, INACTIVE, strict=True)
    }


def _limit(entity: str, name: str) -> int | None:
    return next(field.max_length for field in FIELDS[entity] if field.name == name)


def address_columns(entity: str) -> list[str]:
    """The columns of an entity's rows that point at addresses."""
    address_set = TABLE_FACTS["addresses"].set_name
    return [field.name for field in FIELDS[entity] if field.target == address_set]


def _finished(entity: str, rows: pl.DataFrame, **values: pl.Expr) -> pl.DataFrame:
    """The frame of `CRM_TABLES`: values cast to the declared types and cut to the declared lengths."""
    columns: list[Any] = [
        pl.col("object_id").alias(TABLE_FACTS[entity].primary_id),
        "business_key",
        "supply_area",
    ]
    for field in FIELDS[entity]:
        value = values[field.name].cast(field.dtype)
        if field.max_length is not None:
            # A cut between two words leaves no blank at the end.
            value = value.str.slice(0, field.max_length).str.strip_chars_end()
        columns.append(value.alias(field.name))
    return rows.select(columns).cast(CRM_TABLES[entity].schema).sort("business_key", pl.nth(0), "supply_area")
