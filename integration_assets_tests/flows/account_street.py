"""A street for the tests of installation accounts: rows of the entity tables, as the assets before would keep them."""

from datetime import UTC, date, datetime
from typing import Any

import polars as pl

from integration_assets.cache.merge import merge_partition
from integration_assets.cache.store import Cache
from integration_assets.domain.accounts.decision import Order
from integration_assets.domain.identity import ObjectIds
from integration_assets.domain.schema import EntityTable
from integration_assets.domain.tables import (
    KMD_CUSTOMERS,
    KMD_INSTALLATIONS,
    RESOLVED_BILLING_ADDRESSES,
    RESOLVED_CONSUMPTION_ADDRESSES,
    RESOLVED_CUSTOMERS,
    RESOLVED_INSTALLATION_ADDRESSES,
)
from integration_assets.flows.accounts import MARKET_LOCATIONS, NO_COLLECTIONS, Refreshed, refresh_accounts

IDS = ObjectIds("a key for these tests only")
_TABLES = (
    KMD_CUSTOMERS, KMD_INSTALLATIONS, RESOLVED_CUSTOMERS, RESOLVED_CONSUMPTION_ADDRESSES, RESOLVED_BILLING_ADDRESSES,
    RESOLVED_INSTALLATION_ADDRESSES,
)  # fmt: skip


def at_five(day: date) -> datetime:
    """Five o'clock of a day, when the nightly run calculates."""
    return datetime(day.year, day.month, day.day, 5, tzinfo=UTC)


class Street:
    """Rows by table and key; `keep` writes those of some supply areas to the cache, `refresh` runs the accounts."""

    def __init__(self, store: Cache) -> None:
        self.store = store
        self.rows: dict[str, dict[str, dict[str, Any]]] = {table.name: {} for table in _TABLES}
        self.numbers: dict[str, str] = {}
        self.collections = NO_COLLECTIONS

    def customer(
        self, number: str, party: str | None, place: int, moved_in: date, moved_out: date | None = None,
        area: str = "5000",
    ) -> None:  # fmt: skip
        """A customer row; one without party is not resolved."""
        common = {"customer_number": number, "supply_area": area}
        dates = {"consumption_place_id": place, "moved_in": moved_in, "moved_out": moved_out}
        self._put(KMD_CUSTOMERS, number, **common, **dates)
        self.rows[RESOLVED_CUSTOMERS.name].pop(number, None)
        if party is not None:
            self._put(RESOLVED_CUSTOMERS, number, **common, **dates, party_id=party)
        for table, line in ((RESOLVED_CONSUMPTION_ADDRESSES, f"Vej {place}"), (RESOLVED_BILLING_ADDRESSES, "Bakken 1")):
            self._put(table, number, **common, address_line=line, address_id=f"address of {line}")

    def meter(
        self, installation: str, place: int, first: date, end: date | None = None, meter: str = "M1", area: str = "5000"
    ) -> None:
        """A meter of an installation, from its first day to the first day after it."""
        key = f"{installation}|{meter}|{first}"
        self._put(
            KMD_INSTALLATIONS, key, meter_period=key, supply_area=area, installation_number=installation,
            consumption_place_id=place, meter_number=meter, meter_type="Fjernvarme", meter_from=first, meter_to=end,
        )  # fmt: skip

    def remove(self, table: EntityTable, key: str) -> None:
        """Takes a row away."""
        del self.rows[table.name][key]

    def keep(self, *areas: str) -> None:
        """Merges the rows of these supply areas (default 5000) into the cache."""
        for table in _TABLES:
            here = [row for row in self.rows[table.name].values() if row["supply_area"] in (areas or ("5000",))]
            merge_partition(
                self.store.engine, table, list(areas or ("5000",)), pl.DataFrame(here, schema=table.schema),
                cipher=self.store.cipher, as_of_now=datetime.now(UTC),
            )  # fmt: skip

    def refresh(self, today: date, *areas: str, order: Order = Order.PURPOSE) -> Refreshed:
        """A run of these supply areas (default 5000) on a day, after keeping their rows."""
        self.keep(*areas)
        return self.refresh_kept(today, *areas, order=order)

    def refresh_kept(self, today: date, *areas: str, order: Order = Order.PURPOSE) -> Refreshed:
        """A run on what the cache holds."""
        told = {"installation_number": list(self.numbers), "market_location": list(self.numbers.values())}
        return refresh_accounts(
            self.store, IDS, list(areas or ("5000",)), today, at_five(today), utility="Varme", order=order,
            market_locations=pl.DataFrame(told, schema=MARKET_LOCATIONS), collections=self.collections,
        )  # fmt: skip

    def accounts(self) -> list[dict[str, Any]]:
        """All accounts as rows, by party and installation."""
        rows = self.store.accounts.rows(None)
        return rows.sort("party_id", "installation", "superseded_by", nulls_last=True).to_dicts()

    def account(self, party: str, installation: str) -> dict[str, Any]:
        """The one standing account of a party and an installation."""
        (found,) = [
            row
            for row in self.accounts()
            if (row["party_id"], row["installation"], row["superseded_by"]) == (party, installation, None)
        ]
        return found

    def _put(self, table: EntityTable, key: str, **values: Any) -> None:
        self.rows[table.name][key] = {**dict.fromkeys(table.schema.names()), **values}
