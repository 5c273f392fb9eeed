"""What the plan shows: counts, changed fields, and nothing that tells who it is about."""

import json
from typing import Any

import polars as pl
import pytest

from integration_assets.domain.differences import FieldChange, field_changes, samples, summary

PERSON: dict[str, Any] = {
    "party_kind": "person",
    "number": "0101701234",
    "name": "Anna Bjerg Carlsen",
    "civil_status": "G",
    "address_protected": False,
    "phone": "86 12 34 56",
    "email": "anna@example.dk",
    "address_id": "home",
}


def difference(*rows: tuple[str, dict[str, Any] | None, dict[str, Any]]) -> pl.DataFrame:
    return pl.DataFrame(
        [
            {
                "object_id": f"o{number}",
                "business_key": str(1000 + number),
                "change": change,
                "before": None if before is None else json.dumps(before),
                "after": json.dumps(after),
            }
            for number, (change, before, after) in enumerate(rows)
        ],
        schema=dict.fromkeys(("object_id", "business_key", "change", "before", "after"), pl.String),
    )


def counts(entity: str, frame: pl.DataFrame) -> list[tuple[str, int]]:
    shown = summary(entity, frame)
    assert set(shown["entity"]) == {entity}
    return shown.select("change", "count").rows()


def test_ends_are_told_from_updates() -> None:
    open_, ended = {"valid_to": None, "name": "x"}, {"valid_to": "2024-01-01", "name": "x"}
    frame = difference(
        ("create", None, open_),
        ("create", None, ended),
        ("update", open_, ended),
        ("update", ended, open_),
        ("update", ended, ended | {"name": "y"}),
        ("update", {"statecode": 0}, {"statecode": 1}),
        ("update", {"statecode": 1}, {"statecode": 0}),
    )
    assert counts("agreements", frame) == [("create", 2), ("update", 3), ("end", 2)]


def test_what_is_superseded_ends_though_it_was_never_delivered() -> None:
    frame = difference(("create", None, {"lora_class": "organisation/bruger", "ended_on": "2026-03-01"}))
    assert counts("superseded", frame) == [("create", 0), ("update", 0), ("end", 1)]
    assert counts("customers", frame) == [("create", 1), ("update", 0), ("end", 0)]


def test_nothing_to_do_is_shown_as_zeros() -> None:
    assert counts("agreements", difference()) == [("create", 0), ("update", 0), ("end", 0)]
    assert samples("agreements", difference()).is_empty()


def test_personal_data_are_masked() -> None:
    changes = {change.field: change.after for change in field_changes("customers", None, json.dumps(PERSON))}
    assert changes == {
        "party_kind": "person",
        "number": "••••••••••",
        "name": "A. B. C.",
        "civil_status": "•••",
        "address_protected": "•••",
        "phone": "••••••56",
        "email": "a•••@•••.dk",
        "address_id": "home",
    }


@pytest.mark.parametrize("text", ["0101701234", "010170-1234", "note 0101701234 end"])
def test_what_looks_like_a_personal_number_is_masked_anywhere(text: str) -> None:
    (change,) = field_changes("customer_relations", None, json.dumps({"name": text}))
    assert "1234" not in str(change.after)


def test_a_changed_field_shows_both_sides() -> None:
    before, after = PERSON, PERSON | {"phone": "20304050", "address_id": None}
    assert field_changes("customers", json.dumps(before), json.dumps(after)) == [
        FieldChange("phone", "••••••56", "••••••50"),
        FieldChange("address_id", "home", None),
    ]


def test_a_history_shows_its_days_and_masked_values() -> None:
    told = [
        {"field": "phone", "from": None, "value": "86123456"},
        {"field": "phone", "from": "2026-03-02", "value": "8"},
    ]
    (change,) = field_changes("customers", json.dumps({"history": []}), json.dumps({"history": told}))
    assert change == FieldChange("history", "", "phone ••••••56 from the beginning, phone • from 2026-03-02")


def test_names_of_places_are_shown() -> None:
    (change,) = field_changes("accounts", None, json.dumps({"name": "Varme, Åboulevarden 3, 5000 Odense C"}))
    assert change.after == "Varme, Åboulevarden 3, 5000 Odense C"


def test_samples_are_the_first_objects_by_business_key() -> None:
    frame = difference(
        ("create", None, {"name": "a", "utility": "Varme"}),
        ("update", {"name": "b"}, {"name": "c"}),
        ("update", {"name": "d"}, {"name": "e"}),
    ).reverse()
    assert samples("agreements", frame, limit=2).rows() == [
        ("agreements", "1000", "create", "name", None, "a"),
        ("agreements", "1000", "create", "utility", None, "Varme"),
        ("agreements", "1001", "update", "name", "b", "c"),
    ]
