"""What the registers say of parties that an operator must put right in the billing system."""

from datetime import date
from typing import Final

import polars as pl

from integration_assets.domain.people.history import DEAD
from integration_assets.domain.source import REJECTIONS

PERSON_DIED: Final = "person_died"
NUMBER_CHANGED: Final = "number_changed"
COMPANY_CEASED: Final = "company_ceased"

CO_SUFFIX: Final = "/co"
"""Ending of the record key of a co-customer."""


def living(resolved: pl.DataFrame, as_of: date) -> pl.DataFrame:
    """The parties of customer relations that have not ended on `as_of`: rows of resolved/customers, main and co.

    Columns party_id, party_kind, number (as in the billing system), customer_number, record_key, supply_area.
    """
    open_rows = resolved.filter(pl.col("moved_out").is_null() | (pl.col("moved_out") > as_of))
    columns = ("party_id", "party_kind", "number", "customer_number", "record_key", "supply_area")
    main = open_rows.with_columns(record_key=pl.col("customer_number"))
    second = open_rows.with_columns(
        party_id=pl.col("co_party_id"),
        party_kind=pl.lit("person"),
        number=pl.col("co_number"),
        record_key=pl.col("customer_number") + CO_SUFFIX,
    )
    return pl.concat([main.select(columns), second.select(columns)]).drop_nulls("party_id")


def notices(named: pl.DataFrame, standing: pl.DataFrame) -> pl.DataFrame:
    """What is to be put right, as rejections (REJECTIONS) of the customer rows that name the parties.

    `named` as from `living`; `standing` says of each party, as PARTY_ROWS do, its number in force, its status and when
    it ended. Parties without a standing have no notice.
    """
    told = named.join(standing.select("party_id", "status", "ended_on", in_force="number"), on="party_id", how="inner")
    is_co = pl.col("record_key").str.ends_with(CO_SUFFIX)
    who = pl.when(is_co).then(pl.lit("co-customer")).otherwise(pl.lit("main customer"))
    day = pl.col("ended_on").cast(pl.String).fill_null("an unknown day")
    is_person = pl.col("party_kind") == "person"
    found = (
        (
            PERSON_DIED,
            is_person & (pl.col("status") == DEAD),
            pl.format(
                "The {} of customer number {} died on {}. Registry and CRM say so; end the customer relation in KMD "
                "EE.",
                *(who, "customer_number", day),
            ),
        ),
        (
            NUMBER_CHANGED,
            is_person & (pl.col("number") != pl.col("in_force")),
            pl.format(
                "The {} of customer number {} has got another CPR number. Registry and CRM have the new one; correct "
                "it in KMD EE.",
                *(who, "customer_number"),
            ),
        ),
        (
            COMPANY_CEASED,
            ~is_person & pl.col("ended_on").is_not_null(),
            pl.format(
                "The company of customer number {} ceased on {}. Registry and CRM say so; end the customer relation in "
                "KMD EE.",
                *("customer_number", day),
            ),
        ),
    )
    rows = [
        told.filter(condition).with_columns(reason=pl.lit(reason), text=text).select(list(REJECTIONS))
        for reason, condition, text in found
    ]
    return pl.concat(rows).sort("record_key", "reason")
