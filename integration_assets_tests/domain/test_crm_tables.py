"""The mapping that a utility's own file changes, what does not fit the CRM, and how rows end."""

from datetime import date
from typing import Any

import polars as pl
import pytest

from integration_assets.cache.accounts import ROWS
from integration_assets.domain.crm import mapping
from integration_assets.domain.crm.account_rows import installation_accounts
from integration_assets.domain.crm.fields import FIELDS, INSTALLATION_ACCOUNTS, TABLE_FACTS
from integration_assets.domain.crm.fitting import MISFITS, rejections
from integration_assets.domain.crm.tables import STANDARD, CrmMapping, MappingFault, changed
from integration_assets.domain.crm.values import VALUES, unsuitable
from integration_assets.domain.crm.wire import wire
from integration_assets.domain.identity import ObjectIds
from integration_assets_tests.domain.test_crm_mapping import AS_OF, PERSON, UNIT, found, only, references, register


def accounts(*rows: dict[str, Any], by: CrmMapping = STANDARD) -> Any:
    return mapping.accounts(found("customer_relations", *rows), AS_OF, by=by)


def test_every_value_that_the_table_writes_is_known() -> None:
    assert set(VALUES) == set(FIELDS) == {*TABLE_FACTS, INSTALLATION_ACCOUNTS}
    for entity, fields in FIELDS.items():
        assert {field.value for field in fields} <= set(VALUES[entity]), entity
        assert [fault for field in fields if (fault := unsuitable(entity, field))] == []


@pytest.mark.parametrize("entity", list(FIELDS))
def test_whatever_the_file_may_say_can_be_mapped(entity: str) -> None:
    """Each value into each column: what is not refused goes through the mapping of a row."""
    rows = {
        "contacts": lambda by: mapping.contacts(found("customers", PERSON), AS_OF, by=by),
        "accounts": lambda by: accounts({"utility": "Varme"}, by=by),
        "customer_roles": lambda by: mapping.customer_roles(
            found("customer_roles", {"role_code": "915240004"}), AS_OF, by=by
        ),
        "agreements": lambda by: mapping.agreements(found("agreements", {"utility": "Varme"}), AS_OF, by=by),
        "installations": lambda by: mapping.installations(
            found("installations", {"utility": "Varme"}), found("agreements"), found("customer_relations"), AS_OF, by=by
        ),
        "addresses": lambda by: mapping.addresses(references(("u1", "5000")), register(UNIT), by=by),
        "installation_accounts": lambda by: installation_accounts(
            pl.DataFrame([{"account_id": "a1", "customer_number": "100", "supply_area": "5000"}], schema=ROWS),
            ObjectIds("a key for these tests only"),
            {facts.set_name: pl.Series([], dtype=pl.String) for facts in TABLE_FACTS.values()},
            by.with_accounts("ava_installationskonto"),
        ),
    }
    mapped = 0
    for field in FIELDS[entity]:
        for value in VALUES[entity] if field.target is None else ():
            for rule in ("as_is", "degrees", "metres", "open_end", "state", "status"):
                try:
                    by = changed({entity: {field.name: {"value": value, "rule": rule}}})
                except MappingFault:
                    continue
                assert rows[entity](by).rows.height <= 1
                mapped += 1
    assert mapped > 5


def test_an_empty_file_changes_nothing() -> None:
    assert changed({}).fields == FIELDS


def test_another_utility_turns_the_coordinates_round_by_its_table() -> None:
    standard = only(mapping.addresses(references(("u1", "5000")), register(UNIT)))
    assert (standard["ava_laengdegrad"], standard["ava_breddegrad"]) == ("6140000.5", "588123.45")
    by = changed({"addresses": {"ava_laengdegrad": {"value": "easting"}, "ava_breddegrad": {"value": "northing"}}})
    turned = only(mapping.addresses(references(("u1", "5000")), register(UNIT), by=by))
    assert (turned["ava_laengdegrad"], turned["ava_breddegrad"]) == ("588123.45", "6140000.5")


def test_lengths_options_owners_and_columns_are_the_files() -> None:
    by = changed(
        {
            "contacts": {
                "firstname": {"max_length": 3, "column": "new_fornavn"},
                "gendercode": {"options": {"M": 10, "K": 20}},
                "ava_mobilkmdee": {"owner": "crm"},
                "emailaddress1": {"owner": "ours"},
            }
        }
    )
    row = only(mapping.contacts(found("customers", PERSON), AS_OF, by=by))
    assert (row["firstname"], row["gendercode"]) == ("Ann", 20)
    sent = wire("contacts", row, None, by=by)
    assert (sent["new_fornavn"], sent["gendercode"], sent["emailaddress1"]) == ("Ann", 20, "anna@example.dk")
    assert not {"firstname", "ava_mobilkmdee"} & set(sent)


@pytest.mark.parametrize(
    ("document", "sentence"),
    [
        ([], "The file is to be an object of JSON."),
        ({"customers": {}}, "There is no entity 'customers'; there are contacts, accounts,"),
        ({"contacts": {"name": {}}}, "Entity contacts has no field 'name'; it has firstname,"),
        ({"contacts": {"firstname": 3}}, "Field contacts.firstname is to be an object of JSON."),
        ({"contacts": {"firstname": {"kind": "date"}}}, "'kind' cannot be changed; only column, value, rule,"),
        ({"contacts": {"firstname": {"max_length": 0}}}, "max_length is a number of characters, or null, not 0."),
        ({"contacts": {"firstname": {"max_length": True}}}, "max_length is a number of characters, or null, not True."),
        ({"contacts": {"gendercode": {"max_length": 3}}}, "only a text has a max_length, and this is option."),
        (
            {"contacts": {"gendercode": {"options": {"M": "1"}}}},
            "options are an object of whole numbers by text, one at",
        ),
        ({"contacts": {"gendercode": {"misfit": "cut"}}}, "only a text can be cut."),
        ({"contacts": {"firstname": {"owner": "theirs"}}}, "owner is one of ours, first_writer, crm, status, not"),
        ({"contacts": {"firstname": {"value": "secret"}}}, "value is one of shown_first_name,"),
        ({"contacts": {"ava_adresse": {"value": "phone"}}}, "value is kept for lookups, not 'phone'."),
        ({"contacts": {"firstname": {"column": "a b"}}}, "column is the name of a CRM column, not 'a b'."),
        ({"contacts": {"firstname": {"column": "lastname"}}}, "writes the column 'lastname' from two fields."),
        (
            {"addresses": {"ava_by": {"rule": "metres"}}},
            "the value 'district' (text) cannot be written by the rule 'metres'.",
        ),
        (
            {"contacts": {"firstname": {"rule": []}}},
            "rule is one of as_is, degrees, metres, open_end, state,",
        ),
        ({"contacts": {"firstname": {"value": {"a": 1}}}}, "value is one of shown_first_name,"),
        (
            {"contacts": {"firstname": {"value": "cpr_number"}}},
            "the value 'cpr_number' is a personal number, and the column is not one that is kept encrypted.",
        ),
        (
            {"contacts": {"ava_eradressebeskyttet": {"value": "email"}}},
            "the value 'email' (text) does not go into a column of kind boolean.",
        ),
        (
            {"contacts": {"gendercode": {"value": "address_protected"}}},
            "the value 'address_protected' (boolean) does not go into a choice of texts.",
        ),
        (
            {"agreements": {"ava_startdato": {"value": "customer_number"}}},
            "the value 'customer_number' (text) does not go into a column of kind date.",
        ),
        (
            {"agreements": {"ava_antal_produkter": {"value": "name"}}},
            "the value 'name' (text) does not go into a column of kind integer.",
        ),
        (
            {"addresses": {"ava_laengdegrad": {"rule": "as_is"}}},
            "the value 'northing' (decimal) does not go into a column of kind text.",
        ),
        (
            {"accounts": {"name": {"value": "ended", "rule": "state"}}},
            "the rule 'state' is for columns of kind option, and this is text.",
        ),
        ({"accounts": {"statecode": {"owner": "crm"}}}, "only columns of the state have the owner status, and they"),
        ({"contacts": {"lastname": {"owner": "status"}}}, "only columns of the state have the owner status, and they"),
        (
            {"contacts": {"gendercode": {"options": {}}}},
            "options are an object of whole numbers by text, one at",
        ),
        ({"contacts": {"lastname": {"options": {"M": 1}}}}, "only a choice of texts has options, and this is text."),
    ],
)
def test_a_file_that_does_not_do_is_told_as_a_sentence(document: Any, sentence: str) -> None:
    with pytest.raises(MappingFault) as fault:
        changed(document)
    assert sentence in str(fault.value)


def test_all_faults_of_a_file_are_told_at_once() -> None:
    with pytest.raises(MappingFault) as fault:
        changed({"nobody": {}, "contacts": {"firstname": {"max_length": -1}, "nothing": {}}})
    assert len(str(fault.value).splitlines()) == 3


def test_a_name_too_long_is_cut_and_reported_without_its_value() -> None:
    fitted = accounts({"name": "ø" * 161, "utility": "Varme"})
    assert only(fitted)["name"] == "ø" * 160
    assert fitted.misfits.to_dicts() == [
        {
            "business_key": "1001",
            "supply_area": "5000",
            "column": "name",
            "problem": "too_long",
            "done": "cut",
            "length": 161,
        }
    ]
    assert rejections("accounts", fitted.misfits, STANDARD).is_empty()
    assert accounts({"name": "ø" * 160, "utility": "Varme"}).misfits.is_empty()


def test_a_word_that_is_no_option_keeps_its_row_back_and_leaves_the_others() -> None:
    fitted = accounts({"object_id": "a", "utility": "Vand"}, {"object_id": "b", "utility": "Varme"})
    assert fitted.rows["accountid"].to_list() == ["b"]
    (rejection,) = rejections("accounts", fitted.misfits, STANDARD).to_dicts()
    assert rejection == {
        "record_key": "1001",
        "reason": "crm_no_option",
        "text": "The value of ava_kundetype is no option of the CRM.",
        "customer_number": "1001",
        "supply_area": "5000",
    }
    assert accounts({"utility": None}).rows.height == 1  # no value is no wrong value


def test_a_value_that_is_left_out_leaves_its_row() -> None:
    fitted = mapping.contacts(found("customers", PERSON | {"gender": "X", "email": "a" * 96 + "@x.dk"}), AS_OF)
    row = only(fitted)
    assert (row["gendercode"], row["emailaddress1"], row["firstname"]) == (None, None, "Anna")
    assert fitted.misfits.select("column", "problem", "done", "length").rows() == [
        ("emailaddress1", "too_long", "blank", 101),
        ("gendercode", "no_option", "blank", 1),
    ]


def test_a_key_too_long_is_rejected_with_its_length_where_the_table_knows_a_limit() -> None:
    by = changed({"accounts": {"ava_kundenummer": {"max_length": 3}}})
    fitted = accounts({"customer_number": "10010", "utility": "Varme"}, by=by)
    assert fitted.rows.is_empty()
    (rejection,) = rejections("accounts", fitted.misfits, by).to_dicts()
    assert rejection["reason"] == "crm_too_long"
    assert rejection["text"] == "ava_kundenummer has 5 characters and the CRM takes 3."


def test_misfits_have_their_schema_also_when_there_are_none() -> None:
    assert accounts().misfits.schema == MISFITS


@pytest.mark.parametrize(("ending", "state"), [("deactivate", (1, 2)), ("update", (0, 1))])
def test_what_ended_is_made_inactive_or_only_gets_its_end(ending: Any, state: tuple[int, int]) -> None:
    by = CrmMapping(endings={"agreements": ending})
    ended = {"utility": "Varme", "valid_to": date(2023, 1, 1)}
    row = only(mapping.agreements(found("agreements", ended), AS_OF, by=by))
    assert (row["statecode"], row["statuscode"], row["ava_slutdato"]) == (*state, date(2023, 1, 1))
    # The setting is the entity's own.
    assert only(mapping.accounts(found("customer_relations", ended), AS_OF, by=by))["statecode"] == 1


def test_the_frames_of_another_table_have_the_standard_columns() -> None:
    by = changed({"accounts": {"name": {"column": "new_navn"}}})
    assert accounts(by=by).rows.schema == accounts().rows.schema
    assert isinstance(accounts(by=by).rows, pl.DataFrame)
