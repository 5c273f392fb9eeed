"""What is wrong in a registry that others filled, as far as KMD EE alone can tell: shown before anything is written.

The next runs repair all of it by writing the objects as they should be; nothing here is needed for that. Addresses and
what the person and company registers say are not compared: that takes look-ups.
"""

from collections.abc import Mapping
from typing import Final

import polars as pl

from integration_assets.domain.addresses.texts import address_line
from integration_assets.domain.identity import ObjectIds
from integration_assets.domain.people.history import PARTY_ROWS
from integration_assets.domain.people.numbers import id_kind, normalised
from integration_assets.domain.registry import desired
from integration_assets.domain.registry.adoption import Source, in_other_class
from integration_assets.domain.registry.desired import CO_CUSTOMER_ROLE, CUSTOMER_ROLE
from integration_assets.domain.registry.found import FOUND, Found

FAULTS: Final = pl.Schema({"entity": pl.String, "kind": pl.String, "business_key": pl.String, "registry_id": pl.String})
"""One row per object and kind of fault."""

KINDS: Final[dict[str, str]] = {
    "duplicate": "another object is the same one; this one is ended",
    "incomplete_number": "a personal number without serial: anybody born that day; ended",
    "other_class": "a company kept as a person or the reverse; ended, and made anew in its own class",
    "landline_as_mobile": "the landline stands there as mobile",
    "contact_data": "phone, mobile or e-mail are not those of KMD EE",
    "name": "name is not that of KMD EE",
    "master_id": "master id (KundeSagsnr) is not that of KMD EE, or missing",
    "co_customer_as_main": "a co-customer carries the main customer's name or contact data",
    "process_time": "valid from when it was written, not from the business day",
    "other_start": "starts on another day than in KMD EE",
    "never_ended": "still open, although KMD EE has an end",
    "other_end": "ends on another day than in KMD EE",
    "address_line": "named after another consumption address",
    "without_role": "customer relation without its customer",
    "without_agreement": "customer relation without agreement",
    "role_code": "role of another kind than the party's",
    "without_party": "role of nobody",
    "not_in_source": "role of somebody whom KMD EE does not name there; ended",
    "meter": "meter in use, or an earlier one, is missing or another",
    "title": "title names another meter",
    "agreement_name": "agreement is named after another meter",
    "installations": "installations are not those of the place",
    "product_count": "number of products is not that of the installations",
    "billing_addresses": "several billing addresses, of which readers take the first",
}
"""What the kinds mean, for an operator."""

_CODES: Final = (CUSTOMER_ROLE[0], CO_CUSTOMER_ROLE[0])


def faults(
    found: Found, adopted: pl.DataFrame, source: Source, slots: pl.DataFrame, ids: ObjectIds, *, utility: str
) -> pl.DataFrame:
    """All faults of objects that KMD EE knows: frame of FAULTS.

    `adopted` is the cross reference (ADOPTED), `slots` who stands in the rows of KMD EE (SLOTS).
    """
    known = adopted.filter(pl.col("supply_area").is_not_null())
    survivors = known.filter(~pl.col("superseded"))
    expected = _expected(source, slots, ids, utility)
    tables = {
        entity: found.of(entity)
        .join(survivors.select("registry_id", "object_id", "business_key"), on="registry_id", how="inner")
        .join(expected[entity], on="object_id", how="left", suffix="_wanted")
        for entity in expected
    }
    parts = [
        _superseded(known, found),
        *_customers(tables["customers"], slots, source),
        *_relations(tables["customer_relations"], survivors, found),
        *_roles(tables["customer_roles"], slots),
        *_installations(tables["installations"]),
        *_agreements(tables["agreements"], adopted),
    ]
    return pl.concat(part.select(list(FAULTS)) for part in parts).sort(list(FAULTS))


def _expected(source: Source, slots: pl.DataFrame, ids: ObjectIds, utility: str) -> dict[str, pl.DataFrame]:
    """What KMD EE alone makes of each entity, by object id (see `domain.registry.desired`); addresses are missing."""
    main, second = (slots.filter(pl.col("role_code") == code) for code in _CODES)
    kind = pl.when(pl.col("kind") == "company").then(pl.lit("company")).otherwise(pl.lit("person"))
    rows = source.customers.join(
        main.select("customer_number", "party_id", "number", kind.alias("party_kind")), on="customer_number", how="left"
    ).join(
        second.select("customer_number", pl.col("party_id").alias("co_party_id"), pl.col("number").alias("co_number")),
        on="customer_number",
        how="left",
    )
    nobody = PARTY_ROWS.to_frame()
    parties = slots.drop_nulls("party_id").unique("party_id").select("party_id")
    unasked = parties.join(nobody, on="party_id", how="left").select(list(PARTY_ROWS))
    line = address_line("street_name", "house_number", "house_letter", "floor", "door", "postcode", "city")
    places = rows.select("customer_number", line.alias("address_line"), pl.lit(None, pl.String).alias("address_id"))
    no_billing = rows.select("customer_number", pl.lit(None, pl.String).alias("address_id"))
    no_place = source.meters.select("installation_number", pl.lit(None, pl.String).alias("address_id")).unique()
    frames = {
        "customers": desired.customers(rows, unasked),
        "customer_relations": desired.customer_relations(rows, places, ids, utility=utility),
        "customer_roles": desired.customer_roles(rows, ids),
        "installations": desired.installations(source.meters, no_place, ids, utility=utility),
        "agreements": desired.agreements(rows, source.meters, no_billing, ids, utility=utility),
    }
    return {
        entity: frame.drop("business_key", "supply_area").unique("object_id", keep="first", maintain_order=True)
        for entity, frame in frames.items()
    }


def _told(entity: str, rows: pl.DataFrame, kinds: Mapping[str, pl.Expr]) -> list[pl.DataFrame]:
    """The faults of an entity: rows for which the expression of a kind holds."""
    return [
        rows.filter(condition.fill_null(False)).with_columns(entity=pl.lit(entity), kind=pl.lit(kind))
        for kind, condition in kinds.items()
    ]


def _differs(name: str) -> pl.Expr:
    return pl.col(name).ne_missing(pl.col(f"{name}_wanted"))


def _superseded(known: pl.DataFrame, found: Found) -> pl.DataFrame:
    """Objects that are to give way and have not ended yet, and why."""
    number = found.customers.select("registry_id", id_kind(normalised("number")).alias("number_kind"))
    running = pl.concat(found.of(entity).select("registry_id", "runs_on") for entity in FOUND)
    going_on = known.filter("superseded").join(running.filter("runs_on"), on="registry_id", how="semi")
    given_way = going_on.join(number, on="registry_id", how="left")
    return given_way.with_columns(
        pl.when(pl.col("number_kind") == "incomplete_person")
        .then(pl.lit("incomplete_number"))
        .when(in_other_class("number_kind"))
        .then(pl.lit("other_class"))
        .when((pl.col("entity") == "customer_roles") & pl.col("object_id").is_null())
        .then(pl.lit("without_party"))
        .otherwise(pl.lit("duplicate"))
        .alias("kind")
    )


def _customers(rows: pl.DataFrame, slots: pl.DataFrame, source: Source) -> list[pl.DataFrame]:
    """Parties whom KMD EE names. A co-customer has no name or contact data of her own there."""
    named = rows.filter(pl.col("user_key_wanted").is_not_null())
    mains, seconds = (slots.filter(pl.col("role_code") == code) for code in _CODES)
    silent = pl.all_horizontal(pl.col("phone", "mobile", "email").is_null())
    main_names = (
        seconds.join(source.customers.filter(silent).select("customer_number", "name"), on="customer_number")
        .group_by(pl.col("party_id").alias("object_id"))
        .agg(pl.col("name").str.strip_chars().alias("names_of_silent_mains"))
    )
    rows = named.join(main_names, on="object_id", how="left")
    # A main customer whose number is not complete there may be anybody of her name born that day.
    incomplete = mains.filter(pl.col("party_id").is_null()).join(
        source.customers.select("customer_number", "name"), on="customer_number"
    )
    born_and_called = pl.concat_str(pl.col("number").str.head(6), pl.col("name").str.strip_chars(), separator=" ")
    may_be = incomplete.select(born_and_called).to_series()
    is_main = pl.col("object_id").is_in(mains["party_id"].drop_nulls().implode())
    is_second = ~is_main & ~born_and_called.is_in(may_be.implode()).fill_null(False)
    is_person = pl.col("party_kind") == "person"
    landline = is_main & is_person & pl.col("mobile").is_not_null() & _differs("mobile")
    landline &= (pl.col("mobile") == pl.col("phone_wanted")).fill_null(False)
    contact = is_main & ~landline & (_differs("phone") | _differs("mobile") | _differs("email"))
    borrowed = is_second & (~silent | pl.col("names_of_silent_mains").list.contains(pl.col("name")))
    return _told(
        "customers",
        rows,
        {
            "landline_as_mobile": landline,
            "contact_data": contact,
            "name": is_main & is_person & (pl.col("name") != pl.col("kmd_name_wanted")),
            "master_id": is_main & _differs("master_id"),
            "co_customer_as_main": borrowed,
        },
    )


def _dated() -> dict[str, pl.Expr]:
    """Faults of validity, for entities whose rows have one; `valid_from_wanted` is null where KMD EE has no such."""
    there = pl.col("valid_from_wanted").is_not_null()
    ended = pl.col("valid_to_wanted").is_not_null()
    return {
        "process_time": there & _differs("valid_from"),
        "never_ended": there & ended & pl.col("valid_to").is_null(),
        "other_end": there & pl.col("valid_to").is_not_null() & _differs("valid_to"),
    }


def _relations(rows: pl.DataFrame, survivors: pl.DataFrame, found: Found) -> list[pl.DataFrame]:
    roles = found.customer_roles.filter(pl.col("role_code") == CUSTOMER_ROLE[0]).select("registry_id")
    with_role = survivors.join(roles, on="registry_id", how="semi").get_column("business_key")
    with_agreement = survivors.filter(pl.col("entity") == "agreements").get_column("business_key")
    return _told(
        "customer_relations",
        rows,
        {
            **_dated(),
            "address_line": _differs("name"),
            "without_role": ~pl.col("business_key").is_in(with_role.implode()),
            "without_agreement": ~pl.col("business_key").is_in(with_agreement.implode()),
        },
    )


def _roles(rows: pl.DataFrame, slots: pl.DataFrame) -> list[pl.DataFrame]:
    """A role whose number KMD EE does not have complete is of nobody in particular there: it may be the right one."""
    unknown = slots.filter(pl.col("party_id").is_null()).select(
        pl.col("customer_number").alias("business_key"), "role_code", pl.lit(True).alias("may_be")
    )
    rows = rows.join(unknown.unique(), on=["business_key", "role_code"], how="left")
    expected = pl.col("role_code_wanted").is_not_null()
    return _told(
        "customer_roles",
        rows,
        {
            **_dated(),
            "role_code": expected & _differs("role_code"),
            "without_party": expected & pl.col("party_id").is_null(),
            "not_in_source": ~expected & pl.col("may_be").is_null(),
        },
    )


def _installations(rows: pl.DataFrame) -> list[pl.DataFrame]:
    def numbers(name: str) -> pl.Expr:
        return pl.col(name).list.eval(pl.element().struct.field("meter_number"))

    there = pl.col("valid_from_wanted").is_not_null()
    last = pl.col("meters_wanted").list.last().struct
    model = pl.concat_str(last.field("meter_make"), last.field("meter_type"), separator=" ", ignore_nulls=True)
    title = pl.concat_str(last.field("meter_number"), model, separator=", ", ignore_nulls=True)
    return _told(
        "installations",
        rows,
        {
            "meter": there & numbers("meters").ne_missing(numbers("meters_wanted")),
            "title": there & (pl.col("titles").list.last() != title),
            "never_ended": there & pl.col("valid_to_wanted").is_not_null() & pl.col("valid_to").is_null(),
        },
    )


def _agreements(rows: pl.DataFrame, adopted: pl.DataFrame) -> list[pl.DataFrame]:
    ours = adopted.filter(pl.col("entity") == "installations").select(
        pl.col("registry_id").alias("held"), pl.col("object_id").alias("held_ours")
    )
    held = (
        rows.select("registry_id", pl.col("installations").list.eval(pl.element().struct.field("installation_id")))
        .explode("installations")
        .rename({"installations": "held"})
        .join(ours, on="held", how="left")
        .group_by("registry_id")
        .agg(pl.col("held_ours").drop_nulls().unique().sort())
    )
    wanted = pl.col("installations_wanted").list.eval(pl.element().struct.field("installation_id").unique().sort())
    nothing = pl.lit([], dtype=pl.List(pl.String))
    rows = rows.join(held, on="registry_id", how="left").with_columns(
        pl.col("held_ours").fill_null(nothing), wanted.alias("held_wanted")
    )
    there = pl.col("valid_from_wanted").is_not_null()
    return _told(
        "agreements",
        rows,
        {
            **_dated(),
            "process_time": there & (pl.col("said_from") != pl.col("valid_from_wanted")),
            "other_start": there & _differs("valid_from"),
            "agreement_name": there & _differs("name"),
            "installations": there & pl.col("held_ours").ne_missing(pl.col("held_wanted")),
            "product_count": there & (pl.col("product_count") != pl.col("held_wanted").list.len().cast(pl.String)),
            "billing_addresses": pl.col("documents") > 1,
        },
    )
