"""A small cache as runs leave it behind: customers, an address nobody understands, a refused delivery, a journal."""

from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from random import Random
from typing import Any

import polars as pl
import sqlalchemy as sa

from integration_assets.cache.cipher import Cipher
from integration_assets.cache.deliveries import Outcome
from integration_assets.cache.interactions import refreshing, write
from integration_assets.cache.merge import merge_partition
from integration_assets.cache.rejections import FOUND
from integration_assets.cache.store import Cache
from integration_assets.cache.washing_store import index_folder, write_washing_index
from integration_assets.domain.addresses.washing import RULE_VERSION, wash
from integration_assets.domain.addresses.washing.evidence import answers
from integration_assets.domain.schema import EntityTable
from integration_assets.domain.supervision.interactions import Interactions
from integration_assets.domain.tables import (
    KMD_CUSTOMERS,
    KMD_INSTALLATIONS,
    REGISTRY_ROWS,
    RESOLVED_CONSUMPTION_ADDRESSES,
    RESOLVED_CUSTOMERS,
)
from integration_assets.sandbox.town_numbers import Numbers
from integration_assets_tests.domain.washing.small_register import house, register

SECRET = "a secret of the tests of the pages"
TODAY = date(2026, 3, 2)
NOW = datetime(2026, 3, 2, 10, 0, tzinfo=UTC)
AREA = "7600"
TYPED = "Fjordvejj 5, 7600 Struer"
PARTY = "7d0e4a34-5a5f-8a68-9c0b-0d4b3a1f2c11"
SCRIPT = "<script>alert('x')</script>"


@dataclass(frozen=True)
class Scene:
    """The cache, the folder of its register, and the personal numbers that are in it."""

    cache: Cache
    data_dir: Path
    number: str = field(repr=False)
    co_number: str = field(repr=False)

    @property
    def written(self) -> list[str]:
        """The numbers as anybody might write them."""
        both = (self.number, self.co_number)
        return [*both, *(f"{each[:6]}-{each[6:]}" for each in both), *(f"{each[:6]} {each[6:]}" for each in both)]


def filled(engine: sa.Engine, data_dir: Path) -> Scene:
    """The scene in an empty, migrated cache."""
    cache = Cache(engine, SECRET)
    numbers = Numbers(Random(7), set())
    number, co_number = (numbers.cpr(date(1970, 5, 17), gender) for gender in "MK")
    _source(cache, number, co_number)
    _address(cache, data_dir)
    _rejections(cache, number)
    _deliveries(cache, number)
    _journal(cache)
    for folder, changes in (
        ("Varme", {}),
        ("Vand", {"state": "Alerte > 45", "severity": "error", "last_sync_at": NOW - timedelta(hours=3)}),
        ("Affald", {"refreshed_at": NOW - timedelta(hours=5), "stale_at": NOW - timedelta(hours=4)}),
    ):
        with refreshing(engine, folder) as connection:
            write(connection, interactions(folder, **changes))
    return Scene(cache, data_dir, number, co_number)


def interactions(folder: str, **changes: Any) -> Interactions:
    """A row of a folder in which all is well, but for the changes."""
    usual: dict[str, Any] = {
        "folder": folder, "crm_project": "CRM-TEST", "created_at": NOW - timedelta(days=9),
        "refreshed_at": NOW - timedelta(minutes=4), "stale_at": NOW + timedelta(minutes=16), "period_minutes": 10,
        "frequency_min": 30, "alert_delay_min": 45, "last_sync_at": NOW - timedelta(minutes=11), "state": "Normal",
        "syncs_today": 17, "installations_today_not_ok": 21, "installations_not_ok": 22, "notifications_not_ok": 23,
        "runs_with_rejections": 24, "documents_not_ok": 1025, "last_mail_at": None, "severity": "ok",
        "open_alarms": 0, "last_outcome": "succeeded", "consecutive_failures": 0, "rejection_share": 0.0,
        "volume": 9, "usual_volume": 9, "entities": {},
    }  # fmt: skip
    return Interactions(**{**usual, **changes})


def merged(cache: Cache, table: EntityTable, *rows: dict[str, Any], now: datetime = NOW) -> None:
    """Rows of an entity table; columns that are not named are empty."""
    frame = pl.DataFrame([{name: row.get(name) for name in table.schema} for row in rows], schema=table.schema)
    areas = sorted({row["supply_area"] for row in rows})
    merge_partition(cache.engine, table, areas, frame, cipher=cache.cipher, as_of_now=now)


def _source(cache: Cache, number: str, co_number: str) -> None:
    place = {"supply_area": AREA, "consumption_place_id": 41, "street_name": "Fjordvejj", "house_number": "5",
             "postcode": "7600", "city": "Struer"}  # fmt: skip
    merged(
        cache,
        KMD_CUSTOMERS,
        {**place, "customer_number": "200001", "id_number": number, "co_id_number": co_number, "name": "Ole Rør",
         "moved_in": date(2020, 5, 1), "phone": SCRIPT},
        {**place, "customer_number": "200002", "id_number": "12345678", "name": "Bageren ApS", "consumption_place_id":
         42, "street_name": "Nørregade"},
    )  # fmt: skip
    merged(
        cache,
        KMD_INSTALLATIONS,
        {"meter_period": "5000001|M1|2010-02-13", "supply_area": AREA, "installation_number": "5000001",
         "consumption_place_id": 41, "meter_number": "M1", "meter_from": date(2010, 2, 13)},
    )  # fmt: skip
    merged(
        cache,
        RESOLVED_CUSTOMERS,
        {"customer_number": "200001", "supply_area": AREA, "party_id": PARTY, "party_kind": "person",
         "number": number, "co_number": co_number, "name": "Ole Rør"},
    )  # fmt: skip
    merged(
        cache,
        RESOLVED_CONSUMPTION_ADDRESSES,
        {"customer_number": "200001", "supply_area": AREA, "address_line": TYPED, "category": "C", "method": "none"},
    )


def _address(cache: Cache, data_dir: Path) -> None:
    index = register(
        house("Fjordvej", "5", ("1", "tv"), ("1", "th")),
        house("Fjordvænget", "5"),
        house("Nørregade"),
    )
    write_washing_index(index, index_folder(data_dir))
    washed = wash(pl.Series([TYPED]), index, "unit")
    cache.washings.record("unit", answers(washed, "unit"), generation=7, rule_version=RULE_VERSION, now=NOW)


def _rejections(cache: Cache, number: str) -> None:
    def found(*rows: tuple[str, str, str, str | None]) -> pl.DataFrame:
        columns = ["record_key", "reason", "text", "customer_number"]
        return pl.DataFrame(
            [{**dict(zip(columns, row, strict=True)), "supply_area": AREA} for row in rows], schema=FOUND
        )

    put = cache.rejections.replace
    put("resolved/consumption_addresses", [AREA], found(
        ("200001", "consumption_address_not_found", f"No single address is meant by: {TYPED}", "200001"),
    ), TODAY - timedelta(days=10))  # fmt: skip
    put("kmd_ee/customers", [AREA], found(
        # No row of ours has a number in its text; a page must not trust that.
        ("200002", "unreadable_dates", f"A number got into this text: {number}.", "200002"),
        ("=1+1", "no_customer_number", SCRIPT, None),
    ), TODAY - timedelta(days=3))  # fmt: skip
    put("kmd_ee/installations", [AREA], found(
        ("5000001|M1|2010-02-13", "unreadable_meter", "The meter's period cannot be used.", None),
    ), TODAY)  # fmt: skip
    put(
        "resolved/customers", [AREA], found(("200001", "no_id_number", "Nobody.", "200001")), TODAY - timedelta(days=20)
    )
    put("resolved/customers", [AREA], found(), TODAY - timedelta(days=19))


def _deliveries(cache: Cache, number: str) -> None:
    schema = REGISTRY_ROWS["customers"]
    row = dict.fromkeys(schema) | {
        "party_kind": "person", "number": number, "user_key": "200001", "name": "Ole Rør", "mobile": "12345678",
    }  # fmt: skip
    keys = {"object_id": PARTY, "business_key": "200001", "supply_area": AREA}
    frame = pl.DataFrame([keys | row], schema={**dict.fromkeys(keys, pl.String), **schema})
    # Sealed where the product seals it.
    cache.deliveries.desire("lora", "customers", frame)
    settle(cache, "lora", "customers", Outcome(PARTY, ok=True))
    cache.deliveries.record_found("lora", "customers", {PARTY: row})
    cache.deliveries.desire("crm", "contacts", frame)
    settle(cache, "crm", "contacts", Outcome(PARTY, ok=False, error_code="0x80048544", error_text="Too long.",
                                             permanent=True))  # fmt: skip


def settle(cache: Cache, system: str, entity: str, *outcomes: Outcome) -> None:
    """Claims what is due and records these outcomes."""
    with cache.deliveries.claim(system, entity, 100, datetime.now(UTC)) as claim:
        claim.record(outcomes)


def _journal(cache: Cache) -> None:
    for back, counts in ((2, {"created": 40, "updated": 3, "failed": 1}), (1, {"created": 7}), (0, {"updated": 5})):
        ended = NOW - timedelta(days=back, minutes=5)
        cache.journal.record(f"run-{back}", "lora/customers", [AREA], counts, ended - timedelta(minutes=2), ended)
    ended = NOW - timedelta(minutes=3)
    cache.journal.record("run-0", "resolved/consumption_addresses", [AREA], {"rejected": 6}, ended, ended)


def cipher() -> Cipher:
    """The cipher of the scene's cache."""
    return Cipher.from_secret(SECRET)
