"""The texts that rows are said to ask about are those that the washing is asked about."""

from datetime import UTC, datetime
from typing import Any

import polars as pl
import pytest
import sqlalchemy as sa

from integration_assets.cache.merge import merge_partition
from integration_assets.cache.store import Cache
from integration_assets.domain.addresses.resolve import alternative_places, billing_lines
from integration_assets.domain.addresses.washing.washed import ACCESS, UNIT
from integration_assets.domain.schema import EntityTable
from integration_assets.domain.tables import KMD_CUSTOMERS, KMD_INSTALLATIONS
from integration_assets.flows.address_providers import LocalRegister
from integration_assets.flows.address_texts import texts_in_use
from integration_assets.flows.washing import Washer
from integration_assets_tests.domain.register_rows import index_of, register
from integration_assets_tests.flows.on_file import AREA, frame
from integration_assets_tests.flows.test_washing import house

NOW = datetime(2026, 11, 21, 4, 0, tzinfo=UTC)
STREET = {"street_name": "Hans Mules Gade", "postcode": "5000", "city": "Odense C", "supply_area": AREA}
CUSTOMERS: list[dict[str, Any]] = [
    STREET | {"customer_number": "1", "house_number": "12", "house_letter": "B", "floor": " 02", "door": "TV"},
    STREET | {"customer_number": "2", "house_number": "12", "floor": "ST", "door": "1", "street_code": "0866"},
    STREET | {"customer_number": "3", "street_name": None, "house_number": "9", "billing_street_line": "Søvej 1, 2 th"},
    STREET | {"customer_number": "4", "postcode": None, "city": None, "billing_district": "5700 Svendborg"},
    STREET | {"customer_number": "5", "house_number": "3", "billing_street_line": "", "billing_district": ""},
]
INSTALLATIONS: list[dict[str, Any]] = [
    {
        "supply_area": AREA,
        "meter_period": f"9|1|{number}",
        "installation_number": "9",
        "alternative_place_id": 7,
        "alt_street_name": "Havnen",
        "alt_house_number": number,
        "alt_house_letter": "A",
        "alt_floor": "2",
        "alt_door": "th",
        "alt_postcode": "5000",
    }
    for number in ("3", "4")
]


def put(store: Cache, table: EntityTable, rows: list[dict[str, Any]]) -> pl.DataFrame:
    given = frame(rows, table.schema)
    merge_partition(store.engine, table, [AREA], given, cipher=store.cipher, as_of_now=NOW)
    return given


@pytest.mark.parametrize("vanished", [False, True])
def test_every_text_that_is_washed_is_in_use_by_its_row(store: Cache, *, vanished: bool) -> None:
    index = index_of(register(*house("12B", "2 tv"), *house("3")))
    washer = Washer(index, store.washings, LocalRegister(index), NOW)
    customers, installations = put(store, KMD_CUSTOMERS, CUSTOMERS), put(store, KMD_INSTALLATIONS, INSTALLATIONS)
    washer.components(customers, UNIT)
    washer.texts(billing_lines(customers), UNIT)
    for meter in range(installations.height):  # each was the latest once
        washer.components(alternative_places(installations[[meter]]), ACCESS)
    if vanished:
        put(store, KMD_CUSTOMERS, [])
        put(store, KMD_INSTALLATIONS, [])
    with store.engine.connect() as connection:
        washed = set(connection.execute(sa.text("SELECT text FROM washing WHERE text <> ''")).scalars())
    used = texts_in_use(store)
    assert {
        "Hans Mules Gade 12B, 2. tv, 5000 Odense C",
        "Søvej 1, 2 th",
        "5700 Svendborg",
        "Havnen 3A, 5000",
        "Havnen 4A, 5000",
    } <= washed
    assert washed <= set(used["text"])
    assert set(used.filter(pl.col("text") == "Søvej 1, 2 th")["customer_number"]) == {"3"}
    assert used.filter(pl.col("text").str.starts_with("Havnen"))["customer_number"].null_count() == 2
