"""Agreements are annulled or end earlier: their claims are proposed, approved by command, recalled, and no claim more.

Runs of the asset job carry it, as in Dagit; people use the command. The debt authority is asked over mutual TLS.
"""

import random
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date

import dagster as dg
import polars as pl
import pytest
import sqlalchemy as sa
from typer.testing import CliRunner

from integration_assets.automation.jobs import claim_recalls
from integration_assets.cache.claim_ledger import ClaimLedger
from integration_assets.cli import app
from integration_assets.resources.business_day import AS_OF_TAG
from integration_assets.resources.cache import open_cache
from integration_assets.sandbox import town_numbers
from integration_assets.sandbox.verify_claims import compare_claims
from integration_assets_tests.end_to_end.conftest import NewWorld
from integration_assets_tests.end_to_end.leaks import Numbers, database, leaks
from integration_assets_tests.end_to_end.world import World, played, shown

CUSTOMERS = 25
SEED = 8


@dataclass
class Office:
    """The utility on a day: runs of the job, and the command as its people use it."""

    world: World
    day: int = 0

    def run(self) -> None:
        """A run of the job of claims."""
        as_of = str(self.world.settings(self.day).business_day)
        with played(self.world.settings(self.day), self.world.cursors) as runner:
            runner.carry_out([dg.RunRequest(job_name=claim_recalls.name, tags={AS_OF_TAG: as_of})])

    def command(self, *arguments: str) -> str:
        """What `integration-assets claims` prints; it must succeed."""
        given = self.world.given_on(self.day)
        environment = {f"INTEGRATION_{name.upper()}": str(value) for name, value in given.items()}
        result = CliRunner().invoke(app, ["claims", *arguments], env=environment)
        assert result.exit_code == 0, result.output
        return result.stdout

    def rows(self, query: str) -> list[tuple[object, ...]]:
        """Rows of the cache."""
        cache = open_cache(self.world.settings(self.day))
        try:
            with cache.engine.connect() as connection:
                return [tuple(row) for row in connection.execute(sa.text(query))]
        finally:
            cache.close()

    def flagged(self) -> set[object]:
        """Customer numbers whose installation accounts show open collection."""
        query = "SELECT DISTINCT customer_number FROM installation_account WHERE open_collection"
        return {number for (number,) in self.rows(query)}

    def under_collection(self) -> dict[str, int]:
        """Number of claims under collection by customer number."""
        cache = open_cache(self.world.settings(self.day))
        try:
            found = ClaimLedger(cache.engine).open_collections()
            return dict(found.select("customer_number", pl.col("claims")).iter_rows())
        finally:
            cache.close()


@pytest.fixture(scope="module")
def office(new_world: NewWorld) -> Office:
    world = new_world()
    world.build(CUSTOMERS, SEED)
    world.load_addresses()
    world.run_day(0)
    return Office(world)


def told_by_the_authority(world: World, mains: Iterable[str]) -> list[str]:
    """Gives each main claim a debtor more, a business of one man; the personal numbers of the owners."""
    people = town_numbers.Numbers(random.Random(4), set())
    claims = world.get("/debt_authority/books")["claims"]
    owners: list[str] = []
    for main in mains:
        owners.append(people.cpr(date(1961, 3, 4), "M"))
        named = {"cvr": people.cvr(), "form": "10", "owner": owners[-1]}
        more = {"customer": "0000099999", "kind": "VIRKSOMHED", "limitation": "2028-06-01", **named}
        world.post("/debt_authority/claims", [{**claims[main], "debtors": [*claims[main]["debtors"], more]}])
    return owners


def test_from_the_annulled_agreement_to_the_receipts(office: Office, capfd: pytest.CaptureFixture[str]) -> None:
    world = office.world
    world.post("/debt_authority/switches", {"automatic": False})
    office.run()
    claims = world.truth()["claims"]
    by_customer = {
        name: [key for key, each in claims.items() if each["customer_number"] == name]
        for name in {each["customer_number"] for each in claims.values()}
    }
    assert office.under_collection() == {name: len(found) for name, found in by_customer.items()}
    assert office.rows("SELECT * FROM recall_action") == []

    annulled = world.post("/annulments", {"count": 2})["customers"]
    # In the middle of the second billing period: what was billed after it was never owed, that period in part.
    world.post("/late-move-outs", {"day": "2025-05-15", "count": 3})
    world.play(1)
    office.day = 1
    world.run_day(1)
    assert not (found := world.differences()), shown(found)
    assert office.flagged() == set(by_customer) - {str(number) for number in annulled}, "accounts show open collection"
    office.run()
    mains = world.truth()["recalls"]
    assert {claims[main]["customer_number"] for main in mains} >= set(annulled)
    proposed = office.rows("SELECT claim_id, reason, state FROM recall_action")
    assert sorted(proposed) == sorted((int(main), reason, "PROPOSED") for main, reason in mains.items())
    reduced = world.truth()["write_downs"]
    told = office.rows("SELECT claim_id FROM claim_issue WHERE kind = 'write_down'")
    assert sorted(str(claim) for (claim,) in told) == sorted(reduced)
    assert reduced, "a person has something to write down"
    assert {claims[main]["customer_number"] for main in mains} > set(annulled), "some follow from a late move-out"
    assert world.get("/debt_authority/books")["arrivals"] == []

    owners = told_by_the_authority(world, mains)
    ids = [str(action) for (action,) in office.rows("SELECT action_id FROM recall_action")]
    assert all(action in office.command("list") for action in ids)
    said = office.command("approve", *ids, "--yes-irreversible", "--by", "bent", "--note", "annulled")
    office.run()
    assert {state for (state,) in office.rows("SELECT state FROM recall_action")} == {"MODTAGET"}
    world.post("/debt_authority/work", {})
    office.run()

    assert {state for (state,) in office.rows("SELECT state FROM recall_action")} == {"UDFOERT"}
    recalled = {str(claim) for (claim,) in office.rows("SELECT claim_id FROM claim WHERE recalled_for = 'FEJL'")}
    families = {key for key, each in claims.items() if each["main"] in mains}
    assert recalled == families
    assert len(families) > len(mains), "there are sub-claims"
    receipts = office.rows("SELECT claim_id FROM recall_receipt")
    assert sorted(str(claim) for (claim,) in receipts) == sorted(families)
    assert [str(each) for each in compare_claims(world.control_url)] == []
    left = {name: len(set(found) - families) for name, found in by_customer.items()}
    assert office.under_collection() == {name: number for name, number in left.items() if number}
    assert office.rows("SELECT kind, text FROM claim_issue WHERE kind <> 'write_down'") == []
    world.play(2)
    office.day = 2
    world.run_day(2)
    assert office.flagged() == set(office.under_collection()), "and do not any more when all are recalled"

    # Whoever owns a business of one man is told by the receipts. It stays sealed.
    said += "".join(office.command("show", action) for action in ids)
    places = [*database(world.given["cache_url"]), ("the commands", said), ("the log", capfd.readouterr().err)]
    assert leaks(Numbers(owners), places) == {}


def test_another_run_changes_nothing(office: Office) -> None:
    mark = office.world.mark()
    before = office.rows("SELECT action_id, state, changed_at FROM recall_action ORDER BY 1")
    office.run()
    assert office.rows("SELECT action_id, state, changed_at FROM recall_action ORDER BY 1") == before
    assert [each for each in office.world.requests(mark) if each["system"] == "debt_authority"] == []
