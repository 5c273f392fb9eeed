"""A night without changes asks the database a fixed number of questions, however many customers there are."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import date
from typing import Any

import polars as pl
import psycopg
import pytest
import sqlalchemy as sa
from sqlalchemy import event

from integration_assets.cache.deliveries import Deliveries
from integration_assets.cache.merge import merge_partition
from integration_assets.cache.register_answers import RegisterAnswers
from integration_assets.cache.rejections import Rejections
from integration_assets_tests.cache import samples

FEW, MANY = 20, 2000
AREAS = ("5000", "5240")
PAYLOAD = pl.Schema({"name": pl.String, "valid_from": pl.Date})


class CountingCursor(psycopg.Cursor[Any]):
    """Counts what goes to the server by any way: a statement, a COPY, and each row of executemany."""

    sent = 0

    def execute(self, *arguments: Any, **options: Any) -> Any:
        CountingCursor.sent += 1
        return super().execute(*arguments, **options)

    def executemany(self, query: Any, params_seq: Any, **options: Any) -> None:
        rows = list(params_seq)
        CountingCursor.sent += len(rows)
        super().executemany(query, rows, **options)

    @contextmanager
    def copy(self, *arguments: Any, **options: Any) -> Iterator[Any]:
        CountingCursor.sent += 1
        with super().copy(*arguments, **options) as copy:
            yield copy


@pytest.fixture
def counted(cache: sa.Engine) -> Iterator[sa.Engine]:
    """The cache's engine with all its cursors counted."""

    def count(connection: Any, _record: Any) -> None:
        connection.cursor_factory = CountingCursor

    event.listen(cache, "connect", count)
    cache.dispose()
    yield cache
    event.remove(cache, "connect", count)


def statements(work: Callable[[], object]) -> int:
    """How many statements the work takes."""
    before = CountingCursor.sent
    work()
    return CountingCursor.sent - before


def flat(unchanged: Callable[[int], Callable[[], object]], *, at_most: int) -> None:
    """Asserts that the work that `unchanged` prepares for a number of customers takes as many statements for any."""
    few, many = (statements(unchanged(customers)) for customers in (FEW, MANY))
    assert few == many
    assert 0 < many <= at_most


def test_merging_equal_rows(counted: sa.Engine) -> None:
    samples.create(counted)

    def unchanged(customers: int) -> Callable[[], object]:
        rows = [samples.row(f"{number}", AREAS[number % 2]) for number in range(customers)]
        frame = samples.frame(*rows)

        def merge() -> None:
            merge_partition(counted, samples.SAMPLE, AREAS, frame, cipher=samples.CIPHER, as_of_now=samples.NOW)

        merge()
        return merge

    flat(unchanged, at_most=6)


def desired(customers: int) -> pl.DataFrame:
    """A row per customer."""
    number = pl.int_range(customers, eager=True)
    return pl.DataFrame({"number": number}).select(
        pl.format("00000000-0000-8000-8000-{}", pl.col("number").cast(pl.String).str.zfill(12)).alias("object_id"),
        pl.col("number").cast(pl.String).alias("business_key"),
        pl.when(pl.col("number") % 2 == 0).then(pl.lit(AREAS[0])).otherwise(pl.lit(AREAS[1])).alias("supply_area"),
        pl.format("Kunde {}", "number").alias("name"),
        pl.lit(date(2020, 1, 1)).alias("valid_from"),
    )


@pytest.mark.parametrize("sealed", [False, True])
def test_desiring_what_was_desired_before(counted: sa.Engine, sealed: bool) -> None:
    entities = frozenset({f"entity {FEW}", f"entity {MANY}"}) if sealed else frozenset[str]()
    deliveries = Deliveries(counted, samples.CIPHER, sealed_entities=entities)

    def unchanged(customers: int) -> Callable[[], object]:
        deliveries.desire("lora", f"entity {customers}", desired(customers))
        return lambda: deliveries.desire("lora", f"entity {customers}", desired(customers))

    flat(unchanged, at_most=6)


def test_looking_for_what_is_due_or_was_not_read_back(counted: sa.Engine) -> None:
    deliveries = Deliveries(counted, samples.CIPHER)

    def unchanged(customers: int) -> Callable[[], object]:
        entity = f"entity {customers}"
        deliveries.desire("lora", entity, desired(customers))
        deliver_all(counted, entity)

        def look() -> None:
            with deliveries.claim("lora", entity, 400, samples.NOW, areas=AREAS) as claim:
                assert claim.rows == []
            assert not deliveries.is_busy("lora", entity, samples.NOW, areas=AREAS)
            assert len(deliveries.unread("lora", entity, AREAS)) == 0

        return look

    flat(unchanged, at_most=6)


def deliver_all(engine: sa.Engine, entity: str) -> None:
    """Marks all objects of the entity as delivered and read back as desired."""
    delivered = (
        "UPDATE delivery SET delivered = desired, delivered_fingerprint = desired_fingerprint, state = 'delivered', "
        "found = desired, found_of = desired_fingerprint WHERE entity = :entity"
    )
    with engine.begin() as connection:
        connection.execute(sa.text(delivered), {"entity": entity})


def test_reading_what_the_registry_holds(counted: sa.Engine) -> None:
    deliveries = Deliveries(counted, samples.CIPHER)

    def unchanged(customers: int) -> Callable[[], object]:
        entity = f"entity {customers}"
        deliveries.desire("lora", entity, desired(customers))
        deliver_all(counted, entity)

        def read() -> None:
            rows = deliveries.found("lora", entity, AREAS, PAYLOAD)
            assert rows.sort("object_id").equals(desired(customers).sort("object_id"))

        return read

    flat(unchanged, at_most=3)


def test_remembering_answers_and_rejections(counted: sa.Engine) -> None:
    answers, rejections = RegisterAnswers(counted, samples.CIPHER), Rejections(counted)

    def unchanged(customers: int) -> Callable[[], object]:
        subjects = [f"{number:064}" for number in range(customers)]
        for subject in subjects[:FEW]:
            answers.put("person", subject, {"kind": "nobody"}, date(2026, 3, 1))
        found = desired(customers).select(
            pl.col("business_key").alias("record_key"),
            pl.lit("no_id_number").alias("reason"),
            pl.lit("The row names nobody.").alias("text"),
            pl.col("business_key").alias("customer_number"),
            "supply_area",
        )
        asset = f"asset {customers}"
        rejections.replace(asset, AREAS, found, date(2026, 3, 1))

        def again() -> None:
            assert answers.frame("person", subjects).height == FEW
            assert rejections.replace(asset, AREAS, found, date(2026, 3, 1)).kept == customers

        return again

    flat(unchanged, at_most=9)
