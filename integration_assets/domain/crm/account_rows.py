"""Installation accounts as rows of a custom table of Dynamics CRM 365."""

from collections.abc import Mapping

import polars as pl

from integration_assets.domain.accounts.derived import Status
from integration_assets.domain.crm.fields import INSTALLATION_ACCOUNTS
from integration_assets.domain.crm.fitting import Fitted, fit
from integration_assets.domain.crm.tables import CrmMapping
from integration_assets.domain.identity import ObjectIds


def installation_accounts(
    accounts: pl.DataFrame, ids: ObjectIds, delivered: Mapping[str, pl.Series], by: CrmMapping
) -> Fitted:
    """The rows of accounts (`cache.accounts.ROWS`); ended and superseded ones have ended.

    `delivered` are the ids of the rows that the CRM has, by entity set: a row with a reference into nowhere would be
    refused as a whole, so references to others are left out until their targets are there.
    """
    number = pl.concat_str("customer_number", "installation", separator="-", ignore_nulls=True)
    values = accounts.with_columns(
        pl.col("account_id").alias("object_id"),
        pl.coalesce("customer_number", "installation", "account_id").alias("business_key"),
        number.alias("account_number"),
        ids.series("customer_relation", accounts["customer_number"]).alias("relation_id"),
        ids.series("agreement", accounts["customer_number"]).alias("agreement_id"),
        ids.series("installation", accounts["installation"]).alias("installation_id"),
        ((pl.col("status") == Status.ENDED) | pl.col("superseded_by").is_not_null()).alias("ended"),
    )
    there = [
        pl.when(pl.col(field.value).is_in(delivered[field.target].implode()))
        .then(pl.col(field.value))
        .alias(field.value)
        for field in by.fields[INSTALLATION_ACCOUNTS]
        if field.target is not None
    ]
    return fit(INSTALLATION_ACCOUNTS, values.with_columns(there), by)
