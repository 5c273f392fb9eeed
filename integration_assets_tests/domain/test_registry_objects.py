"""Registry rows as LoRa objects and back, against LoRa's rules and against an independent picture of its answers."""

import json
import random
from datetime import date
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from integration_assets.domain.registry.dialect import EXTENDED, Dialect
from integration_assets.domain.registry.objects import (
    LORA_CLASSES,
    from_object,
    in_two_steps,
    lora_class,
    to_object,
)
from integration_assets.domain.registry.time import midnight
from integration_assets.domain.tables import REGISTRY_ROWS
from integration_assets_tests.domain.registry_rows import (
    ADDRESS,
    AGREEMENT,
    BILLED,
    COMPANY,
    EXAMPLES,
    INSTALLATION,
    MARRIED,
    MOVED,
    PERSON,
    PLACED,
    REACHED,
    RELATION,
    ROLE,
    ROWS,
    SINGLE,
    TENANT,
    UUIDS,
    accepted,
    answered,
)


def virkning(start: str, end: str) -> dict[str, str]:
    return {"from": start, "to": end, "aktoerref": TENANT.actor, "aktoertypekode": "Bruger"}


ALWAYS = virkning("-infinity", "infinity")


def test_a_person_is_a_bruger() -> None:
    assert lora_class("customers", PERSON) == "organisation/bruger"
    body = to_object("customers", PERSON, TENANT)
    (attributes,) = body["attributter"]["brugeregenskaber"]
    assert attributes.pop("integrationsdata") == (
        '{"ava_adressebeskyttelse":false,"ava_civilstand":"G","ava_efternavn":"Carlsen","ava_fornavn":"Anna",'
        '"ava_kmdnavn":"ANNA CARLSEN","ava_koen":"K","ava_masterid":"77","ava_mellemnavn":"Bjerg"}'
    )
    assert attributes == {"brugervendtnoegle": "1001", "brugernavn": "Anna Bjerg Carlsen", "virkning": ALWAYS}
    assert body["tilstande"] == {"brugergyldighed": [{"gyldighed": "Aktiv", "virkning": ALWAYS}]}
    assert body["relationer"] == {
        "tilhoerer": [{"uuid": TENANT.organisation, "virkning": ALWAYS}],
        "tilknyttedepersoner": [{"urn": "urn:0101701234", "virkning": ALWAYS}],
        "adresser": [
            {"urn": "urn:tel:86123456", "virkning": ALWAYS},
            {"urn": "urn:mobile:20%2030%2040%2050", "virkning": ALWAYS},
            {"urn": "urn:email:anna@example.dk", "virkning": ALWAYS},
            {"uuid": ADDRESS, "virkning": ALWAYS},
        ],
    }


def test_a_company_is_an_organisation() -> None:
    assert lora_class("customers", COMPANY) == "organisation/organisation"
    body = to_object("customers", COMPANY, TENANT)
    (attributes,) = body["attributter"]["organisationegenskaber"]
    assert attributes["organisationsnavn"] == "Bageriet ApS"
    assert json.loads(attributes["integrationsdata"])["ava_masterid"] == "77"
    relations = body["relationer"]
    assert relations["virksomhed"] == [{"urn": "urn:12345678", "virkning": ALWAYS}]
    assert relations["virksomhedstype"] == [{"urn": "urn:80", "virkning": ALWAYS}]
    assert relations["branche"] == [{"urn": "urn:107110", "virkning": ALWAYS}]


def test_what_the_person_register_changed_holds_from_its_own_days() -> None:
    body = to_object("customers", MARRIED, TENANT)
    told = [
        (attributes["virkning"]["from"], unpacked["ava_efternavn"], unpacked["ava_adressebeskyttelse"])
        for attributes in body["attributter"]["brugeregenskaber"]
        for unpacked in [json.loads(attributes["integrationsdata"])]
    ]
    assert told == [
        ("-infinity", "Carlsen", False),
        ("2026-02-01T00:00:00+01:00", "Dam", True),
        ("2027-02-01T00:00:00+01:00", "Dam", False),
    ]
    assert body["tilstande"]["brugergyldighed"] == [
        {"gyldighed": "Aktiv", "virkning": virkning("-infinity", "2026-05-01T00:00:00+02:00")},
        {"gyldighed": "Inaktiv", "virkning": virkning("2026-05-01T00:00:00+02:00", "infinity")},
    ]
    assert body["relationer"]["tilknyttedepersoner"] == [
        {"urn": "urn:0101701234", "virkning": virkning("-infinity", "2026-03-01T00:00:00+01:00")},
        {"urn": "urn:0101701242", "virkning": virkning("2026-03-01T00:00:00+01:00", "infinity")},
    ]
    assert body["relationer"]["adresser"][-1] == {
        "uuid": ADDRESS,
        "virkning": virkning("-infinity", "2026-05-01T00:00:00+02:00"),
    }


def test_a_single_relation_that_changed_is_put_and_then_patched() -> None:
    body = to_object("customers", MOVED, TENANT)
    whole, over_time = in_two_steps("organisation/organisation", body)
    new = {"urn": "urn:471000", "virkning": virkning("2026-03-01T00:00:00+01:00", "infinity")}
    assert whole["relationer"]["branche"] == [new]
    assert over_time == {
        "relationer": {
            "branche": [{"urn": "urn:107110", "virkning": virkning("-infinity", "2026-03-01T00:00:00+01:00")}, new]
        }
    }
    assert in_two_steps("organisation/organisation", to_object("customers", COMPANY, TENANT))[1] is None
    assert in_two_steps("organisation/bruger", to_object("customers", MARRIED, TENANT))[1] is None


def test_validity_follows_business_days_in_copenhagen() -> None:
    body = to_object("customer_relations", RELATION, TENANT)
    start, end = "2020-01-15T00:00:00+01:00", "2024-07-01T00:00:00+02:00"
    (attributes,) = body["attributter"]["interessefaellesskabegenskaber"]
    assert attributes == {
        "brugervendtnoegle": "1001",
        "interessefaellesskabsnavn": RELATION["name"],
        "interessefaellesskabstype": "Varme",
        "virkning": virkning(start, "infinity"),
    }
    assert body["tilstande"]["interessefaellesskabgyldighed"] == [
        {"gyldighed": "Aktiv", "virkning": virkning(start, end)},
        {"gyldighed": "Inaktiv", "virkning": virkning(end, "infinity")},
    ]
    assert body["relationer"]["adresser"] == [{"uuid": ADDRESS, "virkning": virkning(start, end)}]


def test_a_role_names_its_party_and_has_no_owner() -> None:
    body = to_object("customer_roles", ROLE | {"party_kind": "company"}, TENANT)
    period = virkning("2020-01-15T00:00:00+01:00", "infinity")
    assert body["relationer"] == {
        "organisatoriskfunktionstype": [{"urn": "urn:915240006", "virkning": period}],
        "tilknyttedebrugere": [{"uuid": UUIDS[1], "objekttype": "Organisation", "virkning": period}],
        "tilknyttedeinteressefaellesskaber": [{"uuid": UUIDS[2], "virkning": period}],
    }
    (attributes,) = body["attributter"]["organisationfunktionegenskaber"]
    assert (attributes["brugervendtnoegle"], attributes["funktionsnavn"]) == ("915240006", "Ligestillingskunde")


def test_an_installation_has_a_period_per_meter() -> None:
    body = to_object("installations", INSTALLATION, TENANT)
    first, second = body["attributter"]["klasseegenskaber"]
    assert (first["titel"], first["eksempel"], first["beskrivelse"]) == ("111, Kamstrup qp 1,5", "111", "qp 1,5")
    assert first["virkning"] == virkning("2010-01-01T00:00:00+01:00", "2019-12-01T00:00:00+01:00")
    assert (second["titel"], second["brugervendtnoegle"]) == ("222, qp 9,9", "4711")
    assert second["virkning"] == virkning("2019-12-01T00:00:00+01:00", "infinity")
    assert json.loads(second["integrationsdata"]) == {"ava_opstillingsadresse": ADDRESS}
    assert body["tilstande"]["klassepubliceret"][0]["publiceret"] == "Publiceret"
    assert body["relationer"]["overordnetklasse"][0]["urn"] == "urn:Varme"
    assert body["relationer"]["ejer"][0]["uuid"] == TENANT.organisation


def test_what_the_runs_dated_is_said_for_its_days() -> None:
    """The former number of a telephone until the day of the change, another mail address from it on."""
    until, since = "2026-03-02T00:00:00+01:00", "2026-03-02T00:00:00+01:00"
    assert to_object("customers", REACHED, TENANT)["relationer"]["adresser"] == [
        {"urn": "urn:tel:86123456", "virkning": virkning("-infinity", until)},
        {"urn": "urn:mobile:20%2030%2040%2050", "virkning": ALWAYS},
        {"urn": "urn:email:anna@example.dk", "virkning": virkning("-infinity", until)},
        {"urn": "urn:email:dam@example.dk", "virkning": virkning(since, "infinity")},
        {"uuid": ADDRESS, "virkning": ALWAYS},
    ]


def test_a_change_after_the_end_leaves_the_past_as_it_was() -> None:
    """The bill of an agreement that has ended goes elsewhere from the day of the change on."""
    body = to_object("agreements", BILLED, TENANT)
    start, changed, end = "2020-01-15T00:00:00+01:00", "2025-03-01T00:00:00+01:00", "2026-01-01T00:00:00+01:00"
    assert body["relationer"]["indsatsdokument"] == [
        {"uuid": ADDRESS, "virkning": virkning(start, changed)},
        {"uuid": UUIDS[4], "virkning": virkning(changed, end)},
        {"uuid": UUIDS[5], "virkning": virkning("2026-02-01T00:00:00+01:00", "infinity")},
    ]
    assert [(piece["brugervendtnoegle"], piece["virkning"]) for piece in body["attributter"]["indsatsegenskaber"]] == [
        ("Varme, 111", virkning(start, "2021-01-01T00:00:00+01:00")),
        ("Varme, 222, qp 9,9", virkning("2021-01-01T00:00:00+01:00", "infinity")),
    ]


def test_an_agreement_counts_the_installations_that_it_had_by_each_day() -> None:
    held = [
        {"installation_id": UUIDS[3], "from": "2020-01-15", "to": "2020-06-01"},
        {"installation_id": UUIDS[4], "from": "2021-01-01", "to": None},
        {"installation_id": UUIDS[3], "from": "2022-01-01", "to": None},
    ]
    row = AGREEMENT | {"installations": held}
    pieces = to_object("agreements", row, TENANT)["attributter"]["indsatsegenskaber"]
    assert [(piece["beskrivelse"], piece["virkning"]["from"][:10]) for piece in pieces] == [
        ("1", "2020-01-15"),
        ("2", "2021-01-01"),
    ]
    assert (
        from_object("agreements", answered(to_object("agreements", row, TENANT), random.Random(1)))["name"]
        == row["name"]
    )


def test_the_place_of_an_installation_changes_on_its_own_day_in_either_form() -> None:
    plain = to_object("installations", PLACED, TENANT)["attributter"]["klasseegenskaber"]
    assert [
        (
            piece["eksempel"],
            json.loads(piece["integrationsdata"])["ava_opstillingsadresse"],
            piece["virkning"]["from"][:10],
        )
        for piece in plain
    ] == [
        ("111", ADDRESS, "2010-01-01"),
        ("111", UUIDS[4], "2015-03-01"),
        ("222", UUIDS[4], "2019-12-01"),
    ]
    whole, over_time = in_two_steps("klassifikation/klasse", to_object("installations", PLACED, TENANT, EXTENDED))
    new = {"uuid": UUIDS[4], "virkning": virkning("2015-03-01T00:00:00+01:00", "infinity")}
    old = {"uuid": ADDRESS, "virkning": virkning("2010-01-01T00:00:00+01:00", "2015-03-01T00:00:00+01:00")}
    assert len(whole["attributter"]["klasseegenskaber"]) == 2
    assert whole["relationer"]["ava_opstillingsadresse"] == [new]
    assert over_time == {"relationer": {"ava_opstillingsadresse": [old, new]}}


def test_changes_before_the_beginning_are_not_said() -> None:
    """What an announced move-in was to be called before it began."""
    history = [{"field": "name", "from": None, "value": "old"}, {"field": "name", "from": "2020-01-10", "value": "new"}]
    (attributes,) = to_object("customer_relations", RELATION | {"name": "new", "history": history}, TENANT)[
        "attributter"
    ]["interessefaellesskabegenskaber"]
    assert attributes["interessefaellesskabsnavn"] == "new"


def test_an_agreement_without_end_runs_to_the_year_9999() -> None:
    body = to_object("agreements", AGREEMENT, TENANT)
    (attributes,) = body["attributter"]["indsatsegenskaber"]
    assert attributes["starttidspunkt"] == "2020-01-15T00:00:00+01:00"
    assert attributes["sluttidspunkt"] == "9999-12-31T00:00:00+00:00"
    assert (attributes["brugervendtnoegle"], attributes["beskrivelse"]) == ("Varme, 222, qp 9,9", "1")
    states = body["tilstande"]
    assert states["indsatspubliceret"][0]["publiceret"] == "IkkePubliceret"
    assert [state["fremdrift"] for state in states["indsatsfremdrift"]] == ["Disponeret"]
    assert [item["uuid"] for item in body["relationer"]["indsatskvalitet"]] == [UUIDS[3]]
    assert body["relationer"]["indsatsdokument"][0]["uuid"] == ADDRESS
    assert body["relationer"]["indsatstype"][0]["urn"] == "urn:Varme"


def test_extension_fields_that_lora_cannot_hold_are_refused_without_the_personal_number() -> None:
    row = PERSON | {"last_name": "æ" * 1300}
    with pytest.raises(ValueError, match="1001") as refused:
        to_object("customers", row, TENANT)
    assert PERSON["number"] not in str(refused.value)


def test_a_field_of_its_own_holds_no_more_than_integrationsdata_does() -> None:
    row = PERSON | {"last_name": "æ" * 1300}
    with pytest.raises(ValueError, match="ava_efternavn of 1001 takes 2600 bytes") as refused:
        to_object("customers", row, TENANT, EXTENDED)
    assert PERSON["number"] not in str(refused.value)
    kept = PERSON | {"last_name": "æ" * 1299}
    assert from_object("customers", answered(to_object("customers", kept, TENANT, EXTENDED), random.Random(1))) == kept


def test_midnight_knows_summer_and_winter() -> None:
    assert midnight("2020-06-01") == "2020-06-01T00:00:00+02:00"
    assert midnight("2020-12-01") == "2020-12-01T00:00:00+01:00"


def test_dates_are_taken_as_well_as_texts() -> None:
    row = RELATION | {"valid_from": date(2020, 1, 15), "valid_to": date(2024, 7, 1)}
    assert to_object("customer_relations", row, TENANT) == to_object("customer_relations", RELATION, TENANT)


@pytest.mark.parametrize("dialect", Dialect)
@pytest.mark.parametrize("entity", sorted(ROWS))
@settings(max_examples=80, deadline=None)
@given(data=st.data())
def test_what_was_put_is_read_back(entity: str, dialect: Dialect, data: st.DataObject) -> None:
    row = data.draw(ROWS[entity])
    body = to_object(entity, row, TENANT, dialect)
    name = lora_class(entity, row)
    assert name in LORA_CLASSES[entity]
    whole, over_time = in_two_steps(name, body)
    accepted(name.partition("/")[2], whole)
    assert set((over_time or {"relationer": {}})["relationer"]) <= SINGLE
    assert body == to_object(entity, json.loads(json.dumps(row)), TENANT, dialect)
    chance = random.Random(data.draw(st.integers(0, 1000)))
    assert from_object(entity, answered(body, chance)) == row


@pytest.mark.parametrize("dialect", Dialect)
@pytest.mark.parametrize(("entity", "row"), EXAMPLES)
def test_rows_of_the_schema_come_back_whole(entity: str, row: dict[str, Any], dialect: Dialect) -> None:
    assert list(row) == list(REGISTRY_ROWS[entity])
    back = from_object(entity, answered(to_object(entity, row, TENANT, dialect), random.Random(1)))
    assert list(back) == list(row)
    assert back == row


def test_an_object_emptied_by_others_is_read_as_blanks() -> None:
    bare = {"id": UUIDS[0], "registreringer": [{"livscykluskode": "Rettet"}]}
    for entity in LORA_CLASSES:
        assert set(from_object(entity, bare)) == set(REGISTRY_ROWS[entity])


def test_a_protection_that_nobody_can_read_is_none() -> None:
    attributes = {"brugervendtnoegle": "1", "ava_adressebeskyttelse": "maybe", "virkning": ALWAYS}
    found = {"id": UUIDS[0], "registreringer": [{"attributter": {"brugeregenskaber": [attributes]}}]}
    assert from_object("customers", found)["address_protected"] is None
    attributes["ava_adressebeskyttelse"] = "True"
    assert from_object("customers", found)["address_protected"] is True


def test_an_object_without_registration_is_refused() -> None:
    with pytest.raises(ValueError, match="registration"):
        from_object("customers", {"id": UUIDS[0]})
