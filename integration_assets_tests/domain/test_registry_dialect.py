"""Which form a registry is written in, what it must have for that, and AVA's own fields in the objects."""

import json
import random
from collections.abc import Mapping
from typing import Any

import pytest

from integration_assets.domain.registry.dialect import (
    EXTENDED,
    EXTENSIONS,
    NEEDED,
    PLAIN,
    ClassFields,
    Dialect,
    UnfitRegistry,
    dialect_of,
)
from integration_assets.domain.registry.objects import LORA_CLASSES, from_object, lora_class, to_object
from integration_assets_tests.domain.registry_rows import (
    ADDRESS,
    COMPANY,
    EXAMPLES,
    INSTALLATION,
    MARRIED,
    PERSON,
    RELATION,
    TENANT,
    answered,
)

# What the original agents' installation had beyond the release, by its own description.
INSTALLED = {
    "organisation/bruger": ClassFields(
        frozenset({
            "ava_fornavn", "ava_mellemnavn", "ava_efternavn", "ava_civilstand", "ava_koen", "ava_adressebeskyttelse",
            "ava_sms_notifikation", "ava_masterid",
        })
    ),
    "organisation/organisation": ClassFields(frozenset({"ava_sms_notifikation", "ava_masterid"})),
    "klassifikation/klasse": ClassFields(relations=frozenset({"ava_opstillingsadresse", "ava_afhentningstype"})),
    "organisation/interessefaellesskab": ClassFields(relations=frozenset({"ava_ejendom"})),
}  # fmt: skip


def plus(fields: ClassFields, more: ClassFields) -> ClassFields:
    return ClassFields(fields.attributes | more.attributes, fields.relations | more.relations)


def serving(more: Mapping[str, ClassFields]) -> dict[str, ClassFields]:
    """What a registry serves that has all that is needed, and this beyond it."""
    return {name: plus(fields, more.get(name, ClassFields())) for name, fields in NEEDED.items()}


def test_the_dialect_follows_what_the_registry_serves() -> None:
    assert dialect_of(serving({})) is PLAIN
    assert dialect_of(serving(INSTALLED)) is EXTENDED
    assert dialect_of(serving(EXTENSIONS)) is EXTENDED


def test_fields_that_we_do_not_write_decide_nothing() -> None:
    others = {name: fields - EXTENSIONS.get(name, ClassFields()) for name, fields in INSTALLED.items()}
    assert dialect_of(serving(others)) is PLAIN


def test_a_part_of_the_fields_is_refused_and_the_rest_named() -> None:
    person = ClassFields(INSTALLED["organisation/bruger"].attributes - {"ava_koen", "ava_fornavn"})
    served = serving({**INSTALLED, "organisation/bruger": person, "klassifikation/klasse": ClassFields()})
    with pytest.raises(UnfitRegistry, match="only some") as refused:
        dialect_of(served)
    assert "organisation/bruger has no attribute ava_fornavn, ava_koen" in str(refused.value)
    assert "klassifikation/klasse has no relation ava_opstillingsadresse" in str(refused.value)
    assert "organisation/organisation" not in str(refused.value)
    assert "Nothing was written" in str(refused.value)


def test_a_class_with_all_fields_beside_one_with_none_is_a_part() -> None:
    with pytest.raises(UnfitRegistry, match="organisation/organisation has no attribute ava_masterid"):
        dialect_of(serving({"organisation/bruger": INSTALLED["organisation/bruger"]}))


@pytest.mark.parametrize("extended", [False, True])
def test_a_newer_release_without_indsats_and_integrationsdata_is_refused(extended: bool) -> None:
    served = serving(INSTALLED if extended else {})
    del served["indsats/indsats"]
    served["organisation/organisationfunktion"] = ClassFields(
        frozenset({"brugervendtnoegle", "funktionsnavn"}),
        NEEDED["organisation/organisationfunktion"].relations - {"tilknyttedebrugere"},
    )
    with pytest.raises(UnfitRegistry) as refused:
        dialect_of(served)
    assert "it does not serve indsats/indsats" in str(refused.value)
    assert (
        "organisation/organisationfunktion has no attribute integrationsdata and no relation tilknyttedebrugere"
        in str(refused.value)
    )


def used(dialect: Dialect) -> dict[str, ClassFields]:
    """The fields that the example rows are written with."""
    found: dict[str, ClassFields] = {}
    for entity, row in EXAMPLES:
        body = to_object(entity, row, TENANT, dialect)
        (pieces,) = body["attributter"].values()
        attributes = frozenset(name for piece in pieces for name in piece) - {"virkning"}
        name = lora_class(entity, row)
        now = ClassFields(attributes, frozenset(body["relationer"]))
        found[name] = plus(found.get(name, ClassFields()), now)
    return found


def test_what_is_needed_is_what_is_written() -> None:
    assert set(NEEDED) == {name for names in LORA_CLASSES.values() for name in names}
    assert used(PLAIN) == NEEDED
    assert used(EXTENDED) == serving(EXTENSIONS)


def test_a_person_s_own_fields_take_what_the_register_says() -> None:
    (attributes,) = to_object("customers", PERSON, TENANT, EXTENDED)["attributter"]["brugeregenskaber"]
    del attributes["virkning"]
    assert attributes == {
        "brugervendtnoegle": "1001",
        "brugernavn": "Anna Bjerg Carlsen",
        "ava_fornavn": "Anna",
        "ava_mellemnavn": "Bjerg",
        "ava_efternavn": "Carlsen",
        "ava_koen": "K",
        "ava_civilstand": "G",
        "ava_adressebeskyttelse": "false",
        "ava_masterid": "77",
        "integrationsdata": '{"ava_kmdnavn":"ANNA CARLSEN"}',
    }


def test_own_fields_hold_from_the_days_of_the_register() -> None:
    pieces = to_object("customers", MARRIED, TENANT, EXTENDED)["attributter"]["brugeregenskaber"]
    told = [(each["virkning"]["from"], each["ava_efternavn"], each["ava_adressebeskyttelse"]) for each in pieces]
    assert told == [
        ("-infinity", "Carlsen", "false"),
        ("2026-02-01T00:00:00+01:00", "Dam", "true"),
        ("2027-02-01T00:00:00+01:00", "Dam", "false"),
    ]


def test_a_company_has_a_field_for_its_master_id_only() -> None:
    (attributes,) = to_object("customers", COMPANY, TENANT, EXTENDED)["attributter"]["organisationegenskaber"]
    assert attributes["ava_masterid"] == "77"
    assert json.loads(attributes["integrationsdata"]) == {"ava_adressebeskyttelse": False, "ava_kmdnavn": "BAGERIET"}


def test_the_place_of_an_installation_is_a_relation_as_long_as_it_lasts() -> None:
    body = to_object("installations", INSTALLATION | {"valid_to": "2024-07-01"}, TENANT, EXTENDED)
    (place,) = body["relationer"]["ava_opstillingsadresse"]
    assert place["uuid"] == ADDRESS
    assert (place["virkning"]["from"], place["virkning"]["to"]) == (
        "2010-01-01T00:00:00+01:00",
        "2024-07-01T00:00:00+02:00",
    )
    assert "ava_opstillingsadresse" not in json.dumps(body["attributter"])
    without = to_object("installations", INSTALLATION | {"address_id": None}, TENANT, EXTENDED)
    assert "ava_opstillingsadresse" not in json.dumps(without)


def test_classes_without_own_fields_are_written_alike() -> None:
    assert to_object("customer_relations", RELATION, TENANT, EXTENDED) == to_object(
        "customer_relations", RELATION, TENANT
    )


def in_both(entity: str, row: dict[str, Any], older: dict[str, Any]) -> dict[str, Any]:
    """An object that holds `row` in AVA's own fields and still `older` in its integrationsdata."""
    found = answered(to_object(entity, row, TENANT, EXTENDED), random.Random(3))
    left = answered(to_object(entity, older, TENANT, PLAIN), random.Random(3))
    registration, stale = found["registreringer"][0], left["registreringer"][0]
    for group, pieces in registration["attributter"].items():
        for piece in pieces:
            piece["integrationsdata"] = stale["attributter"][group][0]["integrationsdata"]
    return found


def test_own_fields_win_over_integrationsdata() -> None:
    older = PERSON | {"first_name": "Anne", "gender": "M", "address_protected": True, "master_id": "1"}
    assert from_object("customers", in_both("customers", PERSON, older)) == PERSON


def test_what_own_fields_leave_open_is_taken_from_integrationsdata() -> None:
    half = PERSON | {"first_name": None, "master_id": None}
    assert from_object("customers", in_both("customers", half, PERSON)) == PERSON
    nowhere = INSTALLATION | {"address_id": None, "meters": [{**INSTALLATION["meters"][1], "from": "2010-01-01"}]}
    placed = nowhere | {"address_id": ADDRESS}
    assert from_object("installations", in_both("installations", nowhere, placed)) == placed
