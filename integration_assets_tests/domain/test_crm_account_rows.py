"""Installation accounts as CRM rows: columns by the table, references only to rows that are there."""

from datetime import date
from typing import Any

import polars as pl

from integration_assets.cache.accounts import ROWS
from integration_assets.domain.crm.account_rows import installation_accounts
from integration_assets.domain.crm.fields import FIELDS, INSTALLATION_ACCOUNTS, TABLE_FACTS
from integration_assets.domain.crm.needs import needed_tables
from integration_assets.domain.crm.tables import STANDARD, changed
from integration_assets.domain.crm.wire import wire
from integration_assets.domain.identity import ObjectIds

IDS = ObjectIds("a key for these tests only")
BY = STANDARD.with_accounts("ava_installationskonto")
NOTHING = {facts.set_name: pl.Series([], dtype=pl.String) for facts in TABLE_FACTS.values()}
ACCOUNT = {
    "account_id": "a1", "party_id": "p1", "installation": "7", "supply_area": "5000", "status": "ACTIVE",
    "customer_number": "100", "contract_start": date(2024, 1, 1), "meter_number": "M1", "address_id": "u1",
    "billing_address_id": "u2", "tariff_facts": '{"RABAT": 0.1}', "open_collection": False,
}  # fmt: skip
AGREEMENT = str(IDS.of("agreement", "100"))


def row(delivered: dict[str, pl.Series] | None = None, **values: Any) -> dict[str, Any]:
    frame = pl.DataFrame([{**dict.fromkeys(ROWS.names()), **ACCOUNT, **values}], schema=ROWS)
    fitted = installation_accounts(frame, IDS, {**NOTHING, **(delivered or {})}, BY)
    return fitted.rows.to_dicts()[0]


def test_references_wait_until_their_targets_are_there() -> None:
    there = {
        "contacts": pl.Series(["p1"]),
        "ava_aftales": pl.Series([AGREEMENT]),
        "ava_adresses": pl.Series(["u1"]),
    }
    lookups = ("ava_aktoer", "ava_aftale", "ava_adresse", "ava_faktureringsadresse", "ava_kundeforhold")
    assert [row()[name] for name in lookups] == [None] * 5
    found = row(there)
    assert [found[name] for name in lookups] == ["p1", AGREEMENT, "u1", None, None]
    sent = wire(INSTALLATION_ACCOUNTS, found, None, by=BY)
    assert sent["ava_installationskontoid"] == "a1"
    assert (sent["ava_aftale"], sent["ava_startdato"]) == (("ava_aftales", AGREEMENT), "2024-01-01")
    assert "ava_kundeforhold" not in sent


def test_ended_and_superseded_accounts_are_inactive_and_others_are_not() -> None:
    assert (row()["statecode"], row()["ava_slutdato"]) == (0, date(9999, 12, 31))
    assert (row(status="ENDED")["statecode"], row(superseded_by="a2")["statuscode"]) == (1, 2)
    assert (row(status="PROSPECT", customer_number=None)["statecode"], row()["ava_name"]) == (0, "100-7")


def test_facts_too_long_for_the_column_are_left_out_and_told() -> None:
    frame = pl.DataFrame([{**dict.fromkeys(ROWS.names()), **ACCOUNT, "tariff_facts": "x" * 2001}], schema=ROWS)
    fitted = installation_accounts(frame, IDS, NOTHING, BY)
    assert fitted.rows["ava_tariffakta"].to_list() == [None]
    assert fitted.misfits.select("business_key", "column", "problem", "done").rows() == [
        ("100", "ava_tariffakta", "too_long", "blank")
    ]


def test_the_mapping_file_and_the_preflight_know_the_table_where_it_is_named() -> None:
    document = {INSTALLATION_ACCOUNTS: {"ava_produkt": {"column": "new_produkt"}, "ava_tariffakta": {"owner": "crm"}}}
    by = changed(document).with_accounts("new_konto/new_kontoer")
    (needed,) = [table for table in needed_tables("Varme", by) if table.logical_name == "new_konto"]
    columns = {column.name for column in needed.columns}
    assert (needed.set_name, needed.primary_id) == ("new_kontoer", "new_kontoid")
    assert "new_produkt" in columns
    assert not {"ava_produkt", "ava_tariffakta"} & columns
    assert {lookup.navigation for lookup in needed.lookups} == {
        field.name for field in FIELDS[INSTALLATION_ACCOUNTS] if field.target
    }
    unnamed = {table.logical_name: table for table in needed_tables("Varme")}
    rights = {table.logical_name: table for table in needed_tables("Varme", by)}
    assert "new_konto" not in unnamed
    # Somebody points at installations only where accounts are delivered.
    assert "AppendTo" not in unnamed["ava_installation"].rights
    assert "AppendTo" in rights["ava_installation"].rights
