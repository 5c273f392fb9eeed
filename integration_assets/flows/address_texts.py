"""Which address texts the rows of the billing system ask the washing about, as `flows.washing` makes them."""

from typing import Final

import polars as pl

from integration_assets.cache.store import Cache
from integration_assets.domain.addresses.resolve import billing_lines
from integration_assets.domain.addresses.washing import components
from integration_assets.domain.tables import KMD_CUSTOMERS, KMD_INSTALLATIONS

_PLACE: Final = tuple(name for name in components.COLUMNS if name in KMD_CUSTOMERS.schema)
_ALTERNATIVE: Final = tuple(
    name for name in _PLACE if f"alt_{name}" in KMD_INSTALLATIONS.schema and name not in ("floor", "door")
)
"""Of an alternative place only the house is asked for."""


def texts_in_use(cache: Cache) -> pl.DataFrame:
    """The texts of all rows that the cache keeps, vanished ones too: text, customer_number (null: an installation's).

    Those of consumption places, of billing lines and of alternative places. A pair may come twice; none is empty.
    """
    billed = ("billing_street_line", "billing_district")
    customers = cache.read(
        KMD_CUSTOMERS, columns=["customer_number", "supply_area", *_PLACE, *billed], include_vanished=True
    )
    alternatives = [f"alt_{name}" for name in _ALTERNATIVE]
    installations = cache.read(
        KMD_INSTALLATIONS, columns=["meter_period", "supply_area", *alternatives], include_vanished=True
    )
    houses = installations.select(pl.col(f"alt_{name}").alias(name) for name in _ALTERNATIVE)
    asked = (
        (components.lines(customers), customers["customer_number"]),
        (billing_lines(customers), customers["customer_number"]),
        (components.lines(houses), pl.Series([None], dtype=pl.String).new_from_index(0, houses.height)),
    )
    found = pl.concat([pl.DataFrame({"text": texts, "customer_number": numbers}) for texts, numbers in asked])
    return found.filter(pl.col("text") != "")
