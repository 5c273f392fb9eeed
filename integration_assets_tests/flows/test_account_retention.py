"""Installation accounts when a customer is forgotten: after the time of the books, or on request."""

from datetime import UTC, date, datetime, timedelta

import pytest
import sqlalchemy as sa

from integration_assets.cache.store import Cache
from integration_assets.domain.identity import ObjectIds
from integration_assets.flows.person_requests import erase, held
from integration_assets.flows.retention import apply_retention
from integration_assets.settings import Settings
from integration_assets_tests.flows.on_file import OnFile

ANNA, DAN = "0101701234", "0404741111"
TODAY = date(2026, 11, 21)
YEARS_AGO = datetime(2026, 11, 21, 4, 0, tzinfo=UTC) - timedelta(days=6 * 365)


@pytest.fixture
def file(store: Cache, ids: ObjectIds) -> OnFile:
    """Anna left long ago, Dan is a customer; both have an account."""
    file = OnFile(store, ids)
    file.add("200001", ANNA, moved_out=date(2018, 6, 1))
    file.add("200003", DAN)
    file.write(YEARS_AGO - timedelta(days=1))
    file.end("200001")
    file.write(YEARS_AGO)
    link(file, "200001", ANNA, "7")
    link(file, "200003", DAN, "7")
    return file


def link(file: OnFile, customer_number: str, number: str, installation: str) -> None:
    row = {"number": customer_number, "party": file.party(number), "installation": installation}
    row["account"] = str(file.ids.of("installation_account", f"{row['party']}|{installation}"))
    with file.store.engine.begin() as connection:
        connection.execute(
            sa.text(
                "INSERT INTO installation_account (account_id, party_id, installation, supply_area, customer_number, "
                "billing_line, status) VALUES (:account, :party, :installation, '5000', :number, 'Søvej', 'ENDED') "
                "ON CONFLICT DO NOTHING"
            ),
            row,
        )
        connection.execute(
            sa.text(
                "INSERT INTO account_contract (customer_number, installation, account_id, supply_area, party_id, "
                "billing_line) VALUES (:number, :installation, :account, '5000', :party, 'Søvej')"
            ),
            row,
        )
        connection.execute(
            sa.text(
                "INSERT INTO account_waiting (customer_number, installation, supply_area, missing, since) "
                "VALUES (:number, '99', '5000', '{installation}', '2020-01-01')"
            ),
            row,
        )


def rows(file: OnFile) -> dict[str, list[str]]:
    tables = ("installation_account", "account_contract", "account_waiting")
    with file.store.engine.connect() as connection:
        return {
            table: sorted(connection.execute(sa.text(f"SELECT customer_number FROM {table}")).scalars())
            for table in tables
        }


def test_the_accounts_of_ended_customers_go_with_what_was_delivered_of_them(file: OnFile) -> None:
    foretold = apply_retention(file.store, file.ids, Settings(), TODAY, dry_run=True)["installation_accounts"]
    assert (foretold, len(rows(file)["installation_account"])) == (2, 2)
    assert apply_retention(file.store, file.ids, Settings(), TODAY)["installation_accounts"] == 2
    assert rows(file)["installation_account"] == rows(file)["account_contract"] == ["200003"]


def test_they_are_shown_and_erased_on_request(file: OnFile) -> None:
    shown = {section.table: len(section.rows) for section in held(file.store, file.ids, "200001").sections}
    assert {table: shown[table] for table in rows(file)} == dict.fromkeys(rows(file), 1)
    file.store.accounts.add_prospect("a prospect", file.party(ANNA), "41373559241", "5000")
    for dry_run in (True, False):
        done = erase(file.store, file.ids, "200001", TODAY, first_month=1, by="a tester", dry_run=dry_run)
        (accounts,) = [each for each in done if each.what.startswith("installation accounts")]
        assert (accounts.erased, accounts.kept) == (4, 0)
    assert rows(file) == {table: ["200003"] for table in rows(file)}


def test_an_account_that_shows_another_contract_stays_without_the_erased_one(file: OnFile) -> None:
    """Anna had the place under two customer numbers; what is erased is one of them."""
    link(file, "200009", ANNA, "7")
    for dry_run in (True, False):
        done = erase(file.store, file.ids, "200001", TODAY, first_month=1, by="a tester", dry_run=dry_run)
        (accounts,) = [each for each in done if each.what.startswith("installation accounts")]
        assert (accounts.erased, accounts.kept) == (2, 2)
    assert rows(file)["account_contract"] == ["200003", "200009"]
    assert [account for account, _ in file.store.accounts.marked_ids(None)] == [
        str(file.ids.of("installation_account", f"{file.party(ANNA)}|7"))
    ]
