"""Accounts of customers to come: made by people before any contract, and taken over by the first one that fits."""

from typing import Final

import polars as pl

from integration_assets.cache.store import Cache
from integration_assets.domain.accounts.market_locations import scheme_of
from integration_assets.domain.identity import ObjectIds
from integration_assets.domain.tables import RESOLVED_CUSTOMERS

USER_FIELDS: Final = ("notes", "prospect_source", "prospect_owner")
"""Fields of an account that belong to people."""


class NoProspect(ValueError):
    """An account cannot be made; the text says why."""


def add_prospect(cache: Cache, ids: ObjectIds, customer_number: str, market_location: str) -> str:
    """Makes an account of the customer behind a customer number at a market location, without an installation.

    Its id is returned. When a contract of the customer is linked to an installation with that market location, it gets
    the installation. Raises NoProspect for an invalid number, an unknown customer, or where there is such an account.
    """
    if scheme_of(market_location) is None:
        raise NoProspect(f"{market_location} is no valid MaLo-ID or GSRN.")
    columns = ("customer_number", "supply_area", "party_id")
    known = cache.read(RESOLVED_CUSTOMERS, None, columns=columns, include_vanished=True)
    found = known.filter(pl.col("customer_number") == customer_number).drop_nulls("party_id")
    if found.is_empty():
        raise NoProspect(f"No customer is known by the customer number {customer_number}.")
    row = found.row(0, named=True)
    account_id = str(ids.of("installation_account", f"{row['party_id']}|market location {market_location}"))
    if not cache.accounts.add_prospect(account_id, row["party_id"], market_location, row["supply_area"]):
        raise NoProspect(f"The customer has an account with the market location {market_location} already.")
    return account_id
