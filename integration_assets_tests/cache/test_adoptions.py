"""The cross reference of an adopted registry."""

import uuid
from datetime import UTC, date, datetime
from typing import Any

import polars as pl
import pytest
import sqlalchemy as sa

from integration_assets.cache.adoptions import STORED, Adoptions
from integration_assets.cache.cipher import Cipher
from integration_assets.cache.deliveries import Deliveries, Outcome
from integration_assets.domain.registry.adoption import ADOPTED

FIRST, SECOND = date(2026, 3, 1), date(2026, 3, 9)


def row(registry_id: str, object_id: str | None, *, superseded: bool = False, **more: Any) -> dict[str, Any]:
    common = {"entity": "customer_relations", "lora_class": "organisation/interessefaellesskab", "supply_area": "8000"}
    return {
        "registry_id": registry_id,
        "object_id": object_id,
        "superseded": superseded,
        "business_key": "1",
        **common,
        **more,
    }


def rows(*each: dict[str, Any]) -> pl.DataFrame:
    return pl.DataFrame(each, schema=ADOPTED)


@pytest.fixture
def adoptions(cache: sa.Engine) -> Adoptions:
    return Adoptions(cache)


def test_ids_lead_there_and_back(adoptions: Adoptions) -> None:
    assert adoptions.registry_ids(["a"]) == adoptions.object_ids(["A"]) == {}
    adoptions.record(rows(row("A", "a"), row("A2", "a", superseded=True), row("N", None, superseded=True)), FIRST)
    assert adoptions.registry_ids(["a", "b"]) == {"a": "A"}
    assert adoptions.object_ids(["A", "A2", "N", "a"]) == {"A": "a", "A2": "a"}


def test_repeating_keeps_the_day_and_a_change_has_its_own(adoptions: Adoptions) -> None:
    adoptions.record(rows(row("A", "a"), row("B", "a", superseded=True)), FIRST)
    adoptions.record(rows(row("A", "a"), row("B", "a", superseded=True), row("C", "c")), SECOND)
    days = adoptions.rows()
    assert days.schema == STORED
    assert dict(days.select("registry_id", "adopted_on").iter_rows()) == {"A": FIRST, "B": FIRST, "C": SECOND}
    # The two change places, as after somebody deleted and revived one of them.
    adoptions.record(rows(row("A", "a", superseded=True), row("B", "a")), SECOND)
    assert adoptions.registry_ids(["a"]) == {"a": "B"}
    assert set(adoptions.rows()["adopted_on"]) == {SECOND}


def test_an_object_that_is_gone_gives_its_place_to_the_one_found_now(adoptions: Adoptions) -> None:
    adoptions.record(rows(row("A", "a"), row("B", "b")), FIRST)
    adoptions.record(rows(row("A2", "a")), SECOND)
    assert adoptions.registry_ids(["a", "b"]) == {"a": "A2", "b": "B"}
    assert adoptions.object_ids(["A"]) == {}


def test_customer_numbers_wait_until_a_run_has_desired_their_relation(cache: sa.Engine, adoptions: Adoptions) -> None:
    adoptions.record(
        rows(
            row("A", "a", business_key="1"),
            row("B", "b", business_key="2"),
            row("B2", "b", business_key="2", superseded=True),
            row("C", "c", business_key="3", supply_area="5000"),
            row("D", "d", business_key="4", supply_area=None),
            row("E", "e", business_key="5", entity="agreements"),
        ),
        FIRST,
    )
    assert adoptions.unasked_customer_numbers(["8000"]) == ["1", "2"]
    deliveries = Deliveries(cache, Cipher.from_secret("a secret of sixteen bytes"))
    desired = {"object_id": "a", "business_key": "1", "supply_area": "8000", "name": "x"}
    deliveries.desire("lora", "customer_relations", pl.DataFrame([desired]))
    assert adoptions.unasked_customer_numbers(["8000"]) == ["2"]
    assert set(adoptions.of_areas(["5000"])["registry_id"]) == {"C"}


def test_what_stands_elsewhere_now_is_due_again_and_so_is_what_refers_to_it(
    cache: sa.Engine, adoptions: Adoptions
) -> None:
    deliveries = Deliveries(cache, Cipher.from_secret("a secret of sixteen bytes"))
    a, b, c, d, e = (str(uuid.uuid4()) for _ in range(5))
    first = [row("A", a), row("B", b), row("C", c), row("D", d, superseded=True)]
    adoptions.record(rows(*first), FIRST)
    keys = {"business_key": "1", "supply_area": "8000"}
    relations = [{**keys, "object_id": each, "name": "x"} for each in (a, b, c, d, e)]
    roles = [{**keys, "object_id": f"role of {each}", "relation_id": each} for each in (a, b, c, d, e)]
    deliveries.desire("lora", "customer_relations", pl.DataFrame(relations))
    deliveries.desire("lora", "customer_roles", pl.DataFrame(roles))

    def sent() -> set[str]:
        found: set[str] = set()
        for entity in ("customer_relations", "customer_roles"):
            with deliveries.claim("lora", entity, 100, datetime.now(UTC)) as claim:
                found |= {each.object_id for each in claim.rows}
                claim.record([Outcome(each.object_id, ok=True) for each in claim.rows])
        return found

    assert len(sent()) == 10
    adoptions.record(rows(*first), SECOND)
    assert sent() == set(), "the same once more"
    # A gave way to A2; B, kept in the wrong class, stands for nothing any more; E was made by others meanwhile.
    now = [row("A", a, superseded=True), row("A2", a), row("B", b, superseded=True), row("E", e)]
    adoptions.record(rows(*now), SECOND)
    assert sent() == {each for moved in (a, b, e) for each in (moved, f"role of {moved}")}
    assert sent() == set()
