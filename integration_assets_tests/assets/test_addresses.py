"""A load of the address register by its job: the index, the rows by municipality, and what a failure leaves."""

import uuid
from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import dagster as dg
import polars as pl
import pytest

from integration_assets.automation.jobs import address_register
from integration_assets.cache.engine import embedded_server_url
from integration_assets.clients.address_register import AddressRegister
from integration_assets.definitions import build_definitions
from integration_assets.domain.addresses.municipalities import KEYS
from integration_assets.domain.addresses.washing import wash
from integration_assets.domain.tables import ADDRESS_REGISTER
from integration_assets.partitions import ALL_MUNICIPALITIES
from integration_assets.resources.cache import open_cache
from integration_assets.resources.washing import washing_resource
from integration_assets.sandbox import address_changes, address_files, address_sample
from integration_assets.sandbox.store import Store
from integration_assets.sandbox.systems import SandboxOptions
from integration_assets.settings import Settings
from integration_assets_tests.clients.wire import FAST
from integration_assets_tests.flows.town import QUIET
from integration_assets_tests.sandbox.loopback import running

KEY = "a-key"
POSTCODES = {"2791", "4200", "5000"}
ROWS = dg.AssetKey(list(ADDRESS_REGISTER.asset))
INDEX = dg.AssetKey(["addresses", "washing_index"])


class Country:
    """A register of a few houses in three municipalities on offer, and the product set up to load it."""

    def __init__(self, store: Store, settings: Settings) -> None:
        self.store = store
        self.settings = settings
        self.instance = dg.DagsterInstance.ephemeral()

    def load(self, **tags: str) -> dg.ExecuteInProcessResult:
        job = build_definitions(self.settings).resolve_job_def(address_register.name)
        tags = tags or ALL_MUNICIPALITIES
        return job.execute_in_process(instance=self.instance, run_config=QUIET, tags=tags, raise_on_error=False)

    def rows(self) -> pl.DataFrame:
        cache = open_cache(self.settings)
        try:
            return cache.read_whole(ADDRESS_REGISTER).sort("address_id")
        finally:
            cache.close()

    def answer(self, text: str) -> tuple[str, str | None, int]:
        """Category, unit and generation of a text by the index in use, opened anew."""
        row = wash(pl.Series([text]), washing_resource(self.settings).index()).row(0, named=True)
        return row["category"], row["unit_id"], row["generation"]

    def unit(self) -> tuple[str, str]:
        """The id of a unit in use without floor, and its line."""
        houses = self.store.load("register:access")
        for unit in self.store.load("register:unit").values():
            house = houses[unit["access_id"]]
            plain = unit["floor"] is None and unit["door"] is None and house["supplementary_town"] is None
            if plain and unit["status"] == house["status"] == 3:
                number = f"{house['street_name']} {house['house_number']}"
                return unit["id"], f"{number}, {house['postcode']} {house['district']}"
        raise LookupError("The sample has no such unit.")

    def expected(self) -> Counter[str]:
        """Units and access addresses per municipality."""
        houses = self.store.load("register:access")
        counted = Counter(house["municipality_code"] for house in houses.values())
        units = self.store.load("register:unit").values()
        return counted + Counter(houses[unit["access_id"]]["municipality_code"] for unit in units)


@pytest.fixture
def country(server_dir: Path, cache_url: str, tmp_path: Path) -> Iterator[Country]:
    store = Store(embedded_server_url(server_dir, f"register_{uuid.uuid4().hex}"))
    units, access = address_sample.load()
    houses = {row["id"]: row for row in access if row["postcode"] in POSTCODES}
    store.put_many("register:access", houses)
    store.put_many("register:unit", {row["id"]: row for row in units if row["access_id"] in houses})
    options = SandboxOptions(data_dir=Path("unused"), settings={"address_register_key": KEY})
    with running(address_files.build(store, options)) as url:
        given: dict[str, Any] = {
            "data_dir": tmp_path,
            "cache_url": cache_url,
            "cipher_key": "a secret of the tests",
            "address_register_url": url,
            "address_register_key": KEY,
            "address_register_national": False,
        }
        yield Country(store, Settings(**given))
    store.close()


def told(result: dg.ExecuteInProcessResult, key: dg.AssetKey) -> dict[str | None, dict[str, Any]]:
    """The metadata of an asset's materializations by partition."""
    events = [event.materialization for event in result.get_asset_materialization_events()]
    return {
        event.partition: {name: value.value for name, value in event.metadata.items()}
        for event in events
        if event.asset_key == key
    }


def test_a_load_builds_the_index_and_fills_the_municipalities(country: Country) -> None:
    result = country.load()
    assert result.success
    expected = country.expected()
    assert len(expected) == 3
    index = told(result, INDEX)[None]
    assert (index["way"], index["units"]) == ("total", len(country.store.load("register:unit")))
    assert index["access_addresses"] == len(country.store.load("register:access"))
    by_municipality = told(result, ROWS)
    assert set(by_municipality) == set(KEYS)
    counted = {key: told_["dagster/partition_row_count"] for key, told_ in by_municipality.items()}
    assert {key: number for key, number in counted.items() if number} == expected
    rows = country.rows()
    assert Counter(rows["municipality_code"]) == expected
    ids = {*country.store.load("register:access"), *country.store.load("register:unit")}
    assert rows["address_id"].to_list() == sorted(ids)
    unit, line = country.unit()
    assert country.answer(line) == ("A", unit, index["generation"])


def test_the_next_load_takes_the_changes_only(country: Country) -> None:
    first = told(country.load(), INDEX)[None]
    unit, line = country.unit()
    house = country.store.load("register:unit")[unit]["access_id"]
    address_changes.add_unit(country.store, house, "7", "mf")
    second = country.load()
    index = told(second, INDEX)[None]
    assert (index["way"], index["deltas"], index["units"]) == ("delta", 1, first["units"] + 1)
    figures = {(one["new"], one["changed"], one["vanished"]) for one in told(second, ROWS).values()}
    assert figures == {(1, 0, 0)}, "all partitions tell the figures of the run"
    street, _, district = line.partition(", ")
    assert country.answer(f"{street}, 7. mf, {district}")[0] == "A"


def test_municipalities_can_be_loaded_alone(country: Country) -> None:
    """The rows of the others are left as they are."""
    country.load()
    first, *others = sorted(country.expected())
    houses = country.store.load("register:access")
    for house in [houses[unit["access_id"]] for unit in country.store.load("register:unit").values()][:50]:
        address_changes.add_unit(country.store, house["id"], "8", "mf")
    before, wanted = Counter(country.rows()["municipality_code"]), country.expected()
    assert country.load(**{"dagster/partition": first}).success
    after = Counter(country.rows()["municipality_code"])
    assert after == {first: wanted[first]} | {key: before[key] for key in others}


@pytest.mark.parametrize(
    "wrong", [{"wrong_md5": ("Husnummer",)}, {"halved": ("Adresse",)}, {"truncated": ("Adresse",)}]
)
def test_a_failed_load_leaves_index_and_rows_as_they_were(country: Country, wrong: dict[str, tuple[str, ...]]) -> None:
    country.load()
    unit, line = country.unit()
    rows, answer = country.rows(), country.answer(line)
    # A generation that no delta leads to, so that the whole register is read.
    units = country.store.load("register:unit")
    with closing(AddressRegister(country.settings.need("address_register_url"), KEY, policy=FAST)) as service:
        for floor in range(9):
            address_changes.add_unit(country.store, units[unit]["access_id"], str(floor), None)
            service.generation()
    address_changes.misbehave(country.store, **wrong)
    result = country.load()
    assert not result.success
    failed = {event.step_key for event in result.all_events if event.is_step_failure}
    assert failed == {"addresses__washing_index"}
    assert told(result, ROWS) == {}
    assert country.rows().equals(rows)
    assert country.answer(line) == answer
    address_changes.behave(country.store)
    assert country.load().success
    assert country.answer(line)[:2] == answer[:2]
    assert country.answer(line)[2] > answer[2]
    assert country.rows().height == rows.height + 9
