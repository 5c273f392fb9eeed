"""What installation accounts are made of, read from the cache: contracts, meters, alternative places, facts, products.

Belongs here: the reading only. Rows that vanished from their source are left out.
"""

from collections.abc import Sequence
from datetime import date
from typing import Final

import polars as pl
import sqlalchemy as sa

from integration_assets.cache.copying import copy_out
from integration_assets.domain.accounts.derived import CONTRACTS, FACTS, METERS, PLACES, PRODUCTS, Linked
from integration_assets.domain.tables import KMD_INSTALLATIONS

STANDING_METERS: Final = pl.Schema(
    {
        name: KMD_INSTALLATIONS.schema[name]
        for name in (
            *("installation_number", "consumption_place_id", "meter_number", "meter_type", "meter_make"),
            *("meter_from", "meter_to"),
        )
    }
)
"""Columns of kmd_ee/installations that say where an installation stands, and when it had which meter."""

_EPOCH: Final = "DATE '1970-01-01'"

_METERS_AT: Final = f"""
SELECT installation_number, consumption_place_id, meter_number, meter_type, meter_make, meter_from - {_EPOCH},
  meter_to - {_EPOCH}
FROM kmd_ee_installations
WHERE vanished_at IS NULL AND (consumption_place_id = ANY(%s) OR installation_number = ANY(%s))
"""
_CONTRACTS: Final = f"""
SELECT account_id, customer_number, installation, supply_area, market_location, "start" - {_EPOCH}, "end" - {_EPOCH},
  address_line, address_id, billing_line, billing_address_id
FROM account_contract WHERE account_id = ANY(%s)
"""
_METERS: Final = f"""
SELECT DISTINCT installation_number, meter_number, meter_type, meter_from - {_EPOCH}, meter_to - {_EPOCH}
FROM kmd_ee_installations WHERE vanished_at IS NULL AND installation_number = ANY(%s)
"""
_PLACES: Final = """
SELECT installation_number, address_line, address_id FROM resolved_installation_addresses
WHERE vanished_at IS NULL AND address_id IS NOT NULL AND installation_number = ANY(%s)
"""
_FACTS: Final = f"""
SELECT installation,
  jsonb_object_agg(concat_ws(' ', operand, nullif(season, '')), value)
    FILTER (WHERE valid_from <= %s AND valid_to >= %s)::text,
  min(valid_from) FILTER (WHERE valid_from > %s) - {_EPOCH},
  min(valid_to) FILTER (WHERE valid_to >= %s AND valid_to < '9999-12-31') + 1 - {_EPOCH}
FROM fact_slice WHERE NOT inactive AND installation = ANY(%s) GROUP BY installation
"""
# A contract that was annulled and came back is numbered: 4711-2 is the second of customer number 4711.
_PRODUCTS: Final = f"""
SELECT f.installation, split_part(c.id, '-', 1), p ->> 1, (p ->> 0)::date - {_EPOCH}
FROM installation_fact AS f, jsonb_to_recordset(f.contracts) AS c (id text, products jsonb, status text),
  jsonb_array_elements(c.products) AS p
WHERE c.status = 'ACTIVE' AND f.installation = ANY(%s)
"""


def meters_at(engine: sa.Engine, places: Sequence[int], installations: Sequence[str]) -> pl.DataFrame:
    """The meters (STANDING_METERS) of the installations at these consumption places, and of these installations, of
    all supply areas."""
    with engine.connect() as connection:
        return copy_out(connection, _METERS_AT, STANDING_METERS, [list(places), list(installations)])


def linked_entities(
    engine: sa.Engine, accounts: Sequence[str], installations: Sequence[str], today: date, collections: pl.DataFrame
) -> Linked:
    """What these accounts show something of, as it stands now; facts are those of the day."""
    named = [list(installations)]
    with engine.connect() as connection:
        contracts = copy_out(connection, _CONTRACTS, CONTRACTS, [list(accounts)])
        held = sorted({*installations, *contracts["installation"]})
        return Linked(
            contracts=contracts,
            meters=copy_out(connection, _METERS, METERS, named),
            places=copy_out(connection, _PLACES, PLACES, named),
            facts=copy_out(connection, _FACTS, FACTS, [today, today, today, today, *named]),
            products=copy_out(connection, _PRODUCTS, PRODUCTS, [held]),
            collections=collections,
        )
