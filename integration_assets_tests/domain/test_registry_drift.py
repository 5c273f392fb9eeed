"""What counts as drift, and how it is told: objects as LoRa answers them against the rows that were delivered."""

import copy
import random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from integration_assets.domain.differences import FieldChange
from integration_assets.domain.registry.dialect import EXTENDED, PLAIN, Dialect
from integration_assets.domain.registry.drift import CHANGED, DELETED, MISSING, NEWER, PASSIVE, drift_of
from integration_assets.domain.registry.objects import to_object
from integration_assets_tests.domain.registry_rows import (
    AGREEMENT,
    EXAMPLES,
    INSTALLATION,
    MARRIED,
    PERSON,
    RELATION,
    ROWS,
    TENANT,
    UUIDS,
    answered,
)

Row = dict[str, Any]


def standing(entity: str, row: Row, dialect: Dialect = PLAIN, seed: int = 1) -> Row:
    """The object of a row as a registry that nobody else wrote to answers it."""
    return answered(to_object(entity, row, TENANT, dialect), random.Random(seed))


def registration(found: Row) -> Row:
    return found["registreringer"][0]


@pytest.mark.parametrize("entity", ROWS)
def test_what_was_delivered_does_not_drift(entity: str) -> None:
    @settings(max_examples=10, deadline=None)
    @given(row=ROWS[entity], dialect=st.sampled_from(Dialect), seed=st.integers(0, 9))
    def holds(row: Row, dialect: Dialect, seed: int) -> None:
        assert drift_of(entity, row, row, standing(entity, row, dialect, seed), TENANT) is None

    holds()


def test_what_waits_is_no_drift() -> None:
    waiting = PERSON | {"phone": "11111111"}
    assert drift_of("customers", PERSON, waiting, standing("customers", PERSON), TENANT) is None


def test_a_delivery_whose_outcome_was_lost_is_told_apart_from_other_writers() -> None:
    waiting = PERSON | {"phone": "11111111"}
    drift = drift_of("customers", PERSON, waiting, standing("customers", waiting), TENANT)
    assert drift is not None
    assert (drift.kind, drift.differences) == (NEWER, ())


def test_a_row_of_an_earlier_version_has_no_value_in_newer_columns() -> None:
    earlier = {name: value for name, value in PERSON.items() if name != "business_code"}
    assert drift_of("customers", earlier, earlier, standing("customers", PERSON), TENANT) is None


def test_objects_that_are_gone() -> None:
    for code, kind in (("Slettet", DELETED), ("Passiveret", PASSIVE)):
        found = standing("agreements", AGREEMENT)
        registration(found)["livscykluskode"] = code
        drift = drift_of("agreements", AGREEMENT, AGREEMENT, found, TENANT)
        assert drift is not None
        assert (drift.kind, drift.registered_at) == (kind, "2026-11-21T17:24:20.0018+00:00")
    missing = drift_of("agreements", AGREEMENT, AGREEMENT, None, TENANT)
    assert missing is not None
    assert (missing.kind, missing.registered_at) == (MISSING, None)


@pytest.mark.parametrize("dialect", Dialect)
def test_changed_fields_are_told_masked(dialect: Dialect) -> None:
    theirs = PERSON | {"last_name": "Olsen", "number": "0202721111", "phone": "98765432", "civil_status": "E"}
    drift = drift_of("customers", PERSON, PERSON, standing("customers", theirs, dialect), TENANT)
    assert drift is not None
    assert drift.kind == CHANGED
    assert set(drift.differences) == {
        FieldChange("number", "•" * 10, "•" * 10),
        FieldChange("last_name", "C.", "O."),
        FieldChange("civil_status", "•••", "•••"),
        FieldChange("phone", "••••••56", "••••••32"),
    }


def test_values_of_earlier_days_are_masked_as_those_of_today() -> None:
    theirs = copy.deepcopy(MARRIED)
    for piece in theirs["history"]:
        if piece["field"] == "last_name":
            piece["value"] = "Hemmelig"
    theirs["last_name"] = "Hemmelig"
    drift = drift_of("customers", MARRIED, MARRIED, standing("customers", theirs), TENANT)
    assert drift is not None
    told = {change.field: (change.before, change.after) for change in drift.differences}
    assert "history" in told
    assert "H." in str(told)
    assert not [name for name in (*NAMES_OF_MARRIED, "Hemmelig") if name in str(told)]


NAMES_OF_MARRIED = {
    value
    for value in (
        *(MARRIED[name] for name in ("first_name", "middle_name", "last_name", "name")),
        *(piece["value"] for piece in MARRIED["history"] if piece["field"].endswith("name")),
    )
    if value
}


def test_periods_are_compared_and_told() -> None:
    theirs = RELATION | {"valid_to": "2024-08-01"}
    drift = drift_of("customer_relations", RELATION, RELATION, standing("customer_relations", theirs), TENANT)
    assert drift is not None
    assert drift.differences == (FieldChange("valid_to", "2024-07-01", "2024-08-01"),)


def test_what_no_field_shows_is_told_by_the_registry_s_own_names() -> None:
    found = standing("customer_relations", RELATION)
    (owner, *_), stranger = registration(found)["relationer"]["tilhoerer"], UUIDS[4]
    registration(found)["relationer"]["tilhoerer"] = [owner | {"uuid": stranger, "virkning": LONG}]
    registration(found)["relationer"]["opgaver"] = [{"urn": "urn:secret", "virkning": LONG}]
    drift = drift_of("customer_relations", RELATION, RELATION, found, TENANT)
    assert drift is not None
    assert drift.differences == (
        FieldChange("relationer.opgaver", None, "••• 2020-01-15–2024-07-01"),
        FieldChange(
            "relationer.tilhoerer",
            f"{TENANT.organisation} 2020-01-15–2024-07-01",
            f"{stranger} 2020-01-15–2024-07-01",
        ),
    )


LONG = {"from": "2020-01-14 23:00:00+00", "to": "2024-06-30 22:00:00+00"}


def test_content_that_cannot_be_read_is_drift_and_no_failure() -> None:
    found = standing("installations", INSTALLATION)
    for piece in registration(found)["attributter"]["klasseegenskaber"]:
        piece["virkning"] = {"from": "0044-03-15 00:00:00+00 BC", "to": "infinity"}
    drift = drift_of("installations", INSTALLATION, INSTALLATION, found, TENANT)
    assert drift is not None
    assert drift.kind == CHANGED
    assert drift.differences == (FieldChange("object", None, "cannot be read"),)


def test_nothing_that_is_compared_is_changed() -> None:
    for entity, row in EXAMPLES:
        found, delivered = standing(entity, row, EXTENDED), copy.deepcopy(row)
        before = copy.deepcopy(found)
        drift_of(entity, delivered, delivered, found, TENANT)
        assert (found, delivered) == (before, row)
