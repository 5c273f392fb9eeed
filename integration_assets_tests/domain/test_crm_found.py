"""Rows as the CRM shows them against payloads: what is ours and says something else, and what is written then."""

from typing import Any

import pytest

from integration_assets.domain.crm.drift import drift_of
from integration_assets.domain.crm.fields import FIELDS
from integration_assets.domain.crm.found import differing, mended, owned_fields, read_columns
from integration_assets.domain.crm.tables import STANDARD, CrmMapping, changed
from integration_assets.domain.crm.wire import MAPPED, remapped, wire
from integration_assets.domain.registry.drift import CHANGED, DELETED

HOME = "11111111-1111-4111-8111-11111111111a"
CONTACT = {"firstname": "Anna", "ava_eradressebeskyttet": False, "ava_adresse": HOME, "ava_cpr_nummer": "0101701234"}
SHOWN = {**CONTACT, "_ava_adresse_value": HOME.upper(), "emailaddress1": "her@own.dk", "telephone1": "86123456"}
AGREEMENT = {"ava_startdato": "2020-01-01", "statecode": 0, "statuscode": 1}


def names(entity: str, wanted: dict[str, Any], found: dict[str, Any], by: CrmMapping = STANDARD) -> list[str]:
    return [field.name for field in differing(entity, wanted, found, by)]


def test_what_is_ours_is_all_but_first_writers_and_the_reason_of_a_state() -> None:
    ours = {entity: {field.name for field in owned_fields(entity)} for entity in FIELDS}
    others = {entity: {field.name for field in fields} - ours[entity] for entity, fields in FIELDS.items()}
    assert others == {
        "contacts": {"emailaddress1"},
        "addresses": set(),
        "installation_accounts": {"statuscode"},
        **{entity: {"statuscode"} for entity in ("accounts", "customer_roles", "agreements", "installations")},
    }
    by = CrmMapping(endings={"agreements": "update"})
    assert "statecode" not in {field.name for field in owned_fields("agreements", by)}
    assert "_ava_adresse_value" in read_columns("contacts")
    assert "emailaddress1" in read_columns("contacts")


@pytest.mark.parametrize(
    ("entity", "wanted", "found", "different"),
    [
        ("contacts", CONTACT, SHOWN, []),
        ("contacts", CONTACT, SHOWN | {"firstname": "Anne", "emailaddress1": None}, ["firstname"]),
        ("contacts", CONTACT | {"middlename": None}, SHOWN | {"middlename": ""}, []),
        ("contacts", CONTACT, SHOWN | {"_ava_adresse_value": None}, ["ava_adresse"]),
        ("contacts", CONTACT | {"ava_adresse": None}, SHOWN, ["ava_adresse"]),
        # A company has none, and the CRM has no third value; where we say no, it has to be said.
        ("contacts", CONTACT | {"ava_eradressebeskyttet": None}, SHOWN, []),
        ("contacts", CONTACT, SHOWN | {"ava_eradressebeskyttet": None}, ["ava_eradressebeskyttet"]),
        ("agreements", AGREEMENT, AGREEMENT | {"ava_startdato": "2020-01-01T00:00:00Z"}, []),
        ("agreements", AGREEMENT, AGREEMENT | {"ava_startdato": "2020-01-02"}, ["ava_startdato"]),
        ("agreements", AGREEMENT, AGREEMENT | {"statuscode": 915240099}, []),
        ("agreements", AGREEMENT, AGREEMENT | {"statecode": 1, "statuscode": 2}, ["statecode"]),
    ],
)
def test_only_what_says_something_else_differs(
    entity: str, wanted: dict[str, Any], found: dict[str, Any], different: list[str]
) -> None:
    assert names(entity, wanted, found) == different


def test_a_row_is_mended_by_what_differs_and_what_first_writers_left_empty() -> None:
    wanted = CONTACT | {"contactid": "c1", "emailaddress1": "kmd@example.dk"}
    assert mended("contacts", wanted, SHOWN) == {"contactid": "c1"}
    found = dict.fromkeys(SHOWN)
    assert mended("contacts", wanted, found) == {
        "contactid": "c1",
        "firstname": "Anna",
        "ava_cpr_nummer": "0101701234",
        "ava_eradressebeskyttet": False,
        "emailaddress1": "kmd@example.dk",
        "ava_adresse": ("ava_adresses", HOME),
    }
    awake = AGREEMENT | {"ava_aftaleid": "a1", "statecode": 1, "statuscode": 2}
    assert mended("agreements", awake, AGREEMENT) == {"ava_aftaleid": "a1", "statecode": 1, "statuscode": 2}


def test_drift_is_told_field_by_field_and_masked() -> None:
    found = SHOWN | {"ava_cpr_nummer": "0202801234", "lastname": "Hansen", "modifiedon": "2026-03-01T12:00:00Z"}
    drift = drift_of("contacts", CONTACT, CONTACT, found)
    assert drift is not None
    assert (drift.kind, drift.registered_at) == (CHANGED, "2026-03-01T12:00:00Z")
    assert [(each.field, each.before, each.after) for each in drift.differences] == [
        ("lastname", None, "H."),
        ("ava_cpr_nummer", "••••••••••", "••••••••••"),
    ]
    gone = drift_of("contacts", CONTACT, CONTACT, None)
    assert gone is not None
    assert gone.kind == DELETED
    assert drift_of("contacts", CONTACT, CONTACT | {"firstname": "Anne"}, SHOWN | {"firstname": "Anne"}) is None


def test_a_payload_knows_by_which_mapping_it_was_written() -> None:
    renamed = changed({"contacts": {"firstname": {"column": "new_fornavn"}, "lastname": {"owner": "crm"}}})
    standard, other = (
        {"firstname": "Anna"},
        {"firstname": "Anna", MAPPED: '{"firstname": "new_fornavn", "lastname": ""}'},
    )
    assert remapped("contacts", standard) == frozenset()
    assert remapped("contacts", standard, renamed) == {"firstname"}
    assert remapped("contacts", other, renamed) == frozenset()
    assert remapped("contacts", other) == {"firstname", "lastname"}
    row = {"contactid": "c1", "firstname": "Anna", "lastname": "Hansen"}
    assert wire("contacts", row, standard | {"lastname": "Hansen"}, by=renamed) == {
        "contactid": "c1",
        "new_fornavn": "Anna",
    }
    assert wire("contacts", row, other | {"lastname": "Hansen"}) == {
        "contactid": "c1",
        "firstname": "Anna",
        "lastname": "Hansen",
    }
    first = changed({"contacts": {"emailaddress1": {"column": "emailaddress2"}}})
    assert remapped("contacts", standard, first) == {"emailaddress1"}
