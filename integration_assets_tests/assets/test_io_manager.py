"""The IO manager's contract: what it stores, what it reads, what it tells about it."""

from collections.abc import Sequence
from typing import Any

import dagster as dg
import polars as pl
import pytest

from integration_assets.assets.declare import upstream
from integration_assets.domain.schema import EntityTable
from integration_assets.domain.tables import ADDRESS_REGISTER, KMD_CUSTOMERS, RESOLVED_CONSUMPTION_ADDRESSES
from integration_assets.io_managers.cache import PREVIEWED_PARTITIONS, CacheIOManager, table_of
from integration_assets.partitions import MUNICIPALITIES, SUPPLY_AREAS, range_tags
from integration_assets.resources.cache import CacheResource
from integration_assets.settings import Settings

AREAS = [f"{number:04d}" for number in range(5000, 5004)]
Rows = dict[str, list[tuple[str, str]]]


def _frame(table: EntityTable, rows: Sequence[tuple[str, str]], column: str) -> pl.DataFrame:
    """Rows of (partition, key), the key also in `column`; everything else is empty."""
    given = (table.partition, table.key, column)
    return pl.DataFrame(
        [{table.partition: partition, table.key: key, column: f"{column} of {key}"} for partition, key in rows],
        schema={table.partition: pl.String, table.key: pl.String, column: pl.String},
    ).select(
        *(
            pl.col(name).cast(dtype) if name in given else pl.lit(None, dtype).alias(name)
            for name, dtype in table.schema.items()
        )
    )


class House:
    """Three assets on a real cache: one by area, one without areas, one downstream of both that keeps what it got."""

    def __init__(self, cache_url: str) -> None:
        self.instance = dg.DagsterInstance.ephemeral()
        self.instance.add_dynamic_partitions(str(SUPPLY_AREAS.name), AREAS)
        self.customers: list[tuple[str, str]] = []
        self.addresses: list[tuple[str, str]] = []
        self.got: tuple[pl.DataFrame, pl.DataFrame] | None = None
        settings = Settings(cache_url=cache_url, cipher_key="a secret of the tests")  # pyright: ignore[reportArgumentType]
        self._resources = {"cache_tables": CacheIOManager(cache=CacheResource(settings=settings))}
        self._assets = self._declared()

    def _declared(self) -> list[dg.AssetsDefinition]:
        kept: dict[str, Any] = {"io_manager_key": "cache_tables", "backfill_policy": dg.BackfillPolicy.single_run()}
        shared: dict[str, Any] = {**kept, "partitions_def": SUPPLY_AREAS}

        @dg.asset(key=list(KMD_CUSTOMERS.asset), **shared)
        def customers() -> pl.DataFrame:
            return _frame(KMD_CUSTOMERS, self.customers, "id_number")

        @dg.asset(key=list(ADDRESS_REGISTER.asset), partitions_def=MUNICIPALITIES, **kept)
        def register() -> pl.DataFrame:
            return _frame(ADDRESS_REGISTER, self.addresses, "street_name")

        @dg.asset(
            key=list(RESOLVED_CONSUMPTION_ADDRESSES.asset),
            ins={
                "customers": dg.AssetIn(list(KMD_CUSTOMERS.asset)),
                "register": upstream(ADDRESS_REGISTER),
            },
            **shared,
        )
        def resolved(customers: pl.DataFrame, register: pl.DataFrame) -> pl.DataFrame:
            self.got = (customers, register)
            return _frame(RESOLVED_CONSUMPTION_ADDRESSES, [], "method")

        return [customers, register, resolved]

    def run(self, table: EntityTable, *areas: str) -> dg.ExecuteInProcessResult:
        """Materializes the asset of a table for no area, one or a range of areas."""
        return dg.materialize(
            self._assets,
            selection=[dg.AssetKey(list(table.asset))],
            resources=self._resources,
            instance=self.instance,
            partition_key=areas[0] if len(areas) == 1 else None,
            tags=range_tags(areas[0], areas[-1]) if len(areas) > 1 else None,
        )

    def told(self, result: dg.ExecuteInProcessResult) -> dict[str | None, dict[str, Any]]:
        """The metadata of the run's materializations by partition."""
        events = [event.materialization for event in result.get_asset_materialization_events()]
        return {event.partition: {name: value.value for name, value in event.metadata.items()} for event in events}

    def read(self, *areas: str) -> tuple[list[str], list[str]]:
        """The keys that a downstream asset of these areas gets: of customers, of the register."""
        self.run(RESOLVED_CONSUMPTION_ADDRESSES, *areas)
        assert self.got is not None
        customers, register = self.got
        assert customers.schema == KMD_CUSTOMERS.schema
        assert register.schema == ADDRESS_REGISTER.schema
        return customers["customer_number"].to_list(), register["address_id"].to_list()


@pytest.fixture
def house(cache_url: str) -> House:
    return House(cache_url)


def test_one_partition_is_merged_and_read_back_with_open_personal_numbers(house: House) -> None:
    house.customers = [("5000", "1"), ("5000", "2")]
    told = house.told(house.run(KMD_CUSTOMERS, "5000"))["5000"]
    assert {name: told[name] for name in ("new", "changed", "unchanged", "vanished")} == {
        "new": 2,
        "changed": 0,
        "unchanged": 0,
        "vanished": 0,
    }
    assert (told["dagster/row_count"], told["dagster/partition_row_count"]) == (2, 2)
    house.customers = [("5000", "2"), ("5000", "3")]
    told = house.told(house.run(KMD_CUSTOMERS, "5000"))["5000"]
    assert (told["new"], told["unchanged"], told["vanished"]) == (1, 1, 1)
    assert house.read("5000") == (["2", "3"], [])
    assert house.got is not None
    assert house.got[0]["id_number"].to_list() == ["id_number of 2", "id_number of 3"]


def test_a_range_is_merged_at_once_and_tells_each_partition_its_own_figures(house: House) -> None:
    house.customers = [("5000", "1"), ("5001", "2"), ("5001", "3")]
    told = house.told(house.run(KMD_CUSTOMERS, "5000", "5002"))
    assert {area: figures["dagster/partition_row_count"] for area, figures in told.items()} == {
        "5000": 1,
        "5001": 2,
        "5002": 0,
    }
    assert {figures["new"] for figures in told.values()} == {3}
    assert "| 2 | 5001 |" in told["5001"]["preview"]
    assert "| 1 | 5000 |" not in told["5001"]["preview"]
    assert house.read("5001") == (["2", "3"], [])
    assert house.read("5000", "5002") == (["1", "2", "3"], [])


def test_other_partitions_are_left_alone(house: House) -> None:
    house.customers = [("5000", "1")]
    house.run(KMD_CUSTOMERS, "5000")
    house.customers = [("5001", "2")]
    house.run(KMD_CUSTOMERS, "5001")
    assert house.read("5000", "5003") == (["1", "2"], [])


def test_a_row_outside_the_partitions_of_the_run_is_refused(house: House) -> None:
    house.customers = [("5001", "2")]
    with pytest.raises(ValueError, match="not asked for"):
        house.run(KMD_CUSTOMERS, "5000")
    assert house.read("5000", "5003") == ([], [])


def test_a_table_of_other_partitions_is_merged_by_them_and_read_whole(house: House) -> None:
    house.addresses = [("0265", "b"), ("0461", "a"), ("0461", "c")]
    told = house.told(house.run(ADDRESS_REGISTER, "0101", "unknown"))
    assert told["0461"]["new"] == 3
    assert (told["0461"]["dagster/partition_row_count"], told["0101"]["dagster/partition_row_count"]) == (2, 0)
    house.addresses = [("0461", "a")]
    told = house.told(house.run(ADDRESS_REGISTER, "0461"))
    assert (told["0461"]["unchanged"], told["0461"]["vanished"]) == (1, 1)
    assert house.read("5000") == ([], ["b", "a"]), "a municipality that was not asked for is left alone"
    house.run(ADDRESS_REGISTER, "0101", "unknown")
    assert house.read("5000") == ([], ["a"]), "one that is gone has vanished"


def test_a_run_of_many_partitions_leaves_previews_out(house: House) -> None:
    many = [f"9{number:03d}" for number in range(PREVIEWED_PARTITIONS + 1)]
    house.instance.add_dynamic_partitions(str(SUPPLY_AREAS.name), many)
    told = house.told(house.run(KMD_CUSTOMERS, many[0], many[-1]))
    assert len(told) == len(many)
    assert not any("preview" in figures for figures in told.values())


def test_an_asset_without_a_table_is_named() -> None:
    with pytest.raises(KeyError, match="kmd_ee/meters"):
        table_of(dg.AssetKey(["kmd_ee", "meters"]))
