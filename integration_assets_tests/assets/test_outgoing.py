"""What an asset does before it sends: it stops where too much would change, unless its run is let through."""

import dagster as dg
import polars as pl
import pytest
import sqlalchemy as sa

from integration_assets.assets.outgoing import desire, markdown
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
