"""The declared CRM mapping, and what of a row goes over the wire."""

from datetime import date
from typing import Any

import pytest

from integration_assets.domain.crm.field import Field
from integration_assets.domain.crm.fields import CRM_TABLES, FIELDS, INSTALLATION_ACCOUNTS, TABLE_FACTS
from integration_assets.domain.crm.wire import first_writer_fields, wire
from integration_assets.domain.tables import ENTITY_TABLES, REGISTRY_ROWS


def test_every_table_is_declared_once() -> None:
    assert set(CRM_TABLES) == set(FIELDS) - {INSTALLATION_ACCOUNTS} == set(TABLE_FACTS)
    for entity, table in CRM_TABLES.items():
        assert table.asset == ("cache", entity)
        assert table.key == TABLE_FACTS[entity].primary_id
        names = [column.name for column in table.columns]
        assert names == [table.key, "business_key", "supply_area", *(field.name for field in FIELDS[entity])]


def test_personal_numbers_are_sealed_and_nothing_else() -> None:
    sealed = {(entity, name) for entity, table in CRM_TABLES.items() for name in table.sealed}
    assert sealed == {("contacts", "ava_cpr_nummer")}


def test_every_source_is_a_column_that_exists() -> None:
    extra = {"object_id", "business_key", "supply_area"}
    known = {f"lora/{entity}": extra | set(schema) for entity, schema in REGISTRY_ROWS.items()}
    known |= {"/".join(asset): set(table.schema) for asset, table in ENTITY_TABLES.items()}
    for table in CRM_TABLES.values():
        for column in table.columns:
            for source in column.sources:
                asset, _, name = source.rpartition(".")
                assert name in known[asset], f"{table.name}.{column.name} <- {source}"


def test_lookups_point_at_declared_sets() -> None:
    sets = {facts.set_name for facts in TABLE_FACTS.values()}
    assert {field.target for fields in FIELDS.values() for field in fields} - {None} <= sets


def test_a_lookup_without_target_is_refused() -> None:
    with pytest.raises(ValueError, match="target"):
        Field("ava_adresse", "lookup", (), "no target")


CONTACT: dict[str, Any] = {
    "contactid": "c1",
    "firstname": "Anna",
    "middlename": None,
    "emailaddress1": "anna@example.dk",
    "ava_emailkmdee": "anna@example.dk",
    "ava_adresse": "home",
}


def test_a_new_row_has_its_filled_columns_and_leaves_the_primary_mail_alone() -> None:
    assert wire("contacts", CONTACT, None) == {
        "contactid": "c1",
        "firstname": "Anna",
        "ava_emailkmdee": "anna@example.dk",
        "ava_adresse": ("ava_adresses", "home"),
    }


def test_the_primary_mail_is_sent_where_the_crm_has_none() -> None:
    assert [field.name for field in first_writer_fields("contacts")] == ["emailaddress1"]
    expected = {"contactid": "c1", "emailaddress1": "anna@example.dk"}
    assert wire("contacts", CONTACT, CONTACT, crm_lacks={"emailaddress1"}) == expected
    assert wire("contacts", CONTACT | {"emailaddress1": None}, CONTACT, crm_lacks={"emailaddress1"}) == {
        "contactid": "c1"
    }


def test_only_changes_are_sent() -> None:
    assert wire("contacts", CONTACT, CONTACT) == {"contactid": "c1"}
    changed = CONTACT | {"firstname": None, "ava_adresse": "new home"}
    assert wire("contacts", changed, CONTACT) == {
        "contactid": "c1",
        "firstname": None,
        "ava_adresse": ("ava_adresses", "new home"),
    }


def test_a_lookup_is_cleared_only_when_one_was_delivered() -> None:
    without = CONTACT | {"ava_adresse": None}
    assert wire("contacts", without, CONTACT) == {"contactid": "c1", "ava_adresse": None}
    assert wire("contacts", without, without) == {"contactid": "c1"}
    assert "ava_adresse" not in wire("contacts", without, None)


def test_dates_are_texts_whether_read_or_computed() -> None:
    desired = {"ava_aftaleid": "a", "ava_slutdato": date(2024, 1, 1), "business_key": "1001"}
    assert wire("agreements", desired, None) == {"ava_aftaleid": "a", "ava_slutdato": "2024-01-01"}
    assert wire("agreements", desired, {"ava_slutdato": "2024-01-01"}) == {"ava_aftaleid": "a"}
