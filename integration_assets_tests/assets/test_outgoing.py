"""What an asset does before it sends: it stops where too much would change, unless its run is let through."""

from datetime import UTC, datetime, timedelta

import dagster as dg
import polars as pl
import pytest
import sqlalchemy as sa

from integration_assets.assets.outgoing import desire, markdown
from integration_assets.cache.let_throughs import VALID_FOR
from integration_assets.cache.store import Cache
from integration_assets.domain.gates import GateClosed
from integration_assets.settings import Settings
from integration_assets_tests.flows.crm_city import city


@pytest.fixture
def store(cache: sa.Engine) -> Cache:
    return Cache(cache, "a secret of the tests")


def run(store: Cache, settings: Settings, rows: pl.DataFrame, **tags: str) -> dg.ExecuteInProcessResult:
    """Runs an asset that desires the rows as accounts of the CRM."""

    @dg.asset
    def accounts(context: dg.AssetExecutionContext) -> None:
        desire(context, store, settings, "crm", "accounts", rows, {})

    return dg.materialize([accounts], tags={f"integration/{name}": value for name, value in tags.items()})


def test_a_run_that_would_change_too_much_says_how_to_let_it_through(store: Cache) -> None:
    settings = Settings(tolerated_rows=2)
    before, after = city(range(10))["accounts"], city(range(10), 1)["accounts"]
    assert run(store, settings, before).success  # a first load changes nothing
    with pytest.raises(GateClosed) as closed:
        run(store, settings, after)
    sentence = str(closed.value)
    assert sentence.startswith(
        "crm/accounts: 10 of 10 rows (100.0%) would change, more than the 50.0% that is plausible"
    )
    assert "with the tag integration/let_through=yes, or raise INTEGRATION_CRM_MAX_CHANGES or" in sentence
    assert store.deliveries.difference("crm", "accounts", before)["change"].to_list() == ["create"] * 10
    passed = run(store, settings, after, let_through="yes")
    (materialization,) = passed.asset_materializations_for_node("accounts")
    shown = materialization.metadata["plan"].value
    assert isinstance(shown, str)
    assert "| create | update | end |\n|---|---|---|\n| 10 | 0 | 0 |" in shown
    assert "| 0000000 | create | name | – | Varme 1 |" in shown


def test_an_absolute_limit_counts_new_rows_too(store: Cache) -> None:
    rows = city(range(10))["accounts"]
    with pytest.raises(GateClosed, match="10 rows would be created and 0 changed, more than the 9 allowed in one run"):
        run(store, Settings(crm_max_changes=9), rows)
    assert run(store, Settings(crm_max_changes=10), rows).success


def test_values_that_are_lost_are_shown_first_and_people_are_masked() -> None:
    def change(key: str, before: str, after: str) -> dict[str, str]:
        return {"object_id": key, "business_key": key, "change": "update", "before": before, "after": after}

    rows = [change(f"100{n}", '{"firstname": "Anna"}', '{"firstname": "Anne"}') for n in range(8)]
    rows.append(change("2000", '{"firstname": "Bo", "ava_emailkmdee": "bo@x.dk"}', '{"firstname": "Bo"}'))
    shown = markdown("contacts", pl.DataFrame(rows))
    assert "1 of them lose a value." in shown
    assert "| 2000 | clear | ava_emailkmdee | b•••@•••.dk | – |" in shown
    assert "| 1000 | update | firstname | A. | A. |" in shown
    assert "Anna" not in shown


def test_what_an_operator_lets_through_passes_once(store: Cache) -> None:
    settings = Settings(tolerated_rows=2)
    run(store, settings, city(range(10))["accounts"])
    after = city(range(10), 1)["accounts"]
    store.let_throughs.give("crm", "accounts", [], 9, by="kim", why="too few", now=datetime.now(UTC))
    store.let_throughs.give("crm", "contacts", [], 90, by="kim", why="another entity", now=datetime.now(UTC))
    old = datetime.now(UTC) - VALID_FOR - timedelta(hours=1)
    store.let_throughs.give("crm", "accounts", [], 90, by="kim", why="long ago", now=old)
    with pytest.raises(GateClosed, match="integration-assets plan --let-through REASON"):
        run(store, settings, after)
    store.let_throughs.give("crm", "accounts", [], 10, by="anna", why="all names were corrected", now=datetime.now(UTC))
    passed = run(store, settings, after)
    (materialization,) = passed.asset_materializations_for_node("accounts")
    told = {name: materialization.metadata[name].value for name in ("let_through_by", "let_through_why")}
    assert told == {"let_through_by": "anna", "let_through_why": "all names were corrected"}
    (used,) = store.let_throughs.all().filter(pl.col("given_by") == "anna").to_dicts()
    assert (used["most_left"], used["run_ids"]) == (0, [passed.run_id])
    with pytest.raises(GateClosed):
        run(store, settings, city(range(10), 2)["accounts"])


def test_each_area_is_let_through_once_and_all_together_no_more_than_was_shown(store: Cache) -> None:
    now = datetime.now(UTC)
    let = store.let_throughs
    let.give("lora", "customers", ["2", "4", "5"], 100, by="anna", why="a reason", now=now)
    assert let.use("lora", "customers", ["2"], 60, "run 1", now) is not None
    assert let.use("lora", "customers", ["2"], 1, "run 2", now) is None, "the area had its run"
    assert let.use("lora", "customers", ["2"], 60, "run 1", now) is not None, "that run goes on"
    assert let.use("lora", "customers", ["4", "5"], 41, "run 2", now) is None, "more than was shown"
    assert let.use("lora", "customers", ["4", "6"], 1, "run 2", now) is None, "an area that nobody meant"
    assert let.use("lora", "customers", ["4", "5"], 40, "run 2", now) is not None
    (row,) = let.all().to_dicts()
    assert (row["areas"], row["areas_left"], row["most_left"], row["run_ids"]) == (
        *(["2", "4", "5"], [], 0, ["run 1", "run 2"]),
    )
