"""CRM rows by hand, from registry rows as they are read back."""

from datetime import date
from typing import Any

import polars as pl
import pytest

from integration_assets.domain.crm import mapping
from integration_assets.domain.crm.fields import CRM_TABLES
from integration_assets.domain.crm.fitting import Fitted
from integration_assets.domain.identity import ObjectIds
from integration_assets.domain.tables import ADDRESS_REGISTER, REGISTRY_ROWS

IDS = ObjectIds("a key for these tests only")
AS_OF = date(2024, 1, 1)


def found(entity: str, *rows: dict[str, Any]) -> pl.DataFrame:
    first = dict.fromkeys(("object_id", "business_key", "supply_area"), pl.String)
    common = {"business_key": "1001", "supply_area": "5000"}
    return pl.DataFrame([common | row for row in rows], schema={**first, **REGISTRY_ROWS[entity]})


def only(found: Fitted | pl.DataFrame) -> dict[str, Any]:
    (row,) = (found.rows if isinstance(found, Fitted) else found).to_dicts()
    return row


PERSON = {
    "object_id": "anna",
    "party_kind": "person",
    "number": "0101701234",
    "name": "ANNA CARLSEN",
    "first_name": "Anna",
    "middle_name": "Bjerg",
    "last_name": "Carlsen",
    "gender": "K",
    "address_protected": False,
    "history": [],
    "master_id": "77",
    "phone": "86123456",
    "mobile": "20304050",
    "email": "anna@example.dk",
    "address_id": "home",
}
COMPANY = {
    "object_id": "baker",
    "party_kind": "company",
    "number": "12345678",
    "name": "Bageriet ApS",
    "company_form": "80",
    "business_code": "107110",
}


def test_a_person() -> None:
    assert only(mapping.contacts(found("customers", PERSON), AS_OF)) == {
        "contactid": "anna",
        "business_key": "1001",
        "supply_area": "5000",
        "firstname": "Anna",
        "middlename": "Bjerg",
        "lastname": "Carlsen",
        "gendercode": 2,
        "ava_cpr_nummer": "0101701234",
        "ava_cvr_nummer": None,
        "ava_virksomhedsform": None,
        "ava_eradressebeskyttet": False,
        "ava_kmdeemasterid": "77",
        "ava_mobilkmdee": "20304050",
        "ava_fastnetkmdee": "86123456",
        "ava_emailkmdee": "anna@example.dk",
        "emailaddress1": "anna@example.dk",
        "ava_adresse": "home",
    }


def piece(field: str, start: date | None, value: str | None) -> dict[str, Any]:
    return {"field": field, "from": start, "value": value}


def test_a_person_is_shown_as_of_the_day() -> None:
    """Protected from 2 January 2024 to 2 January 2025, married on 1 June 2024."""
    row = PERSON | {
        "last_name": "Dam",
        "address_protected": False,
        "history": [
            piece("address_protected", None, "false"),
            piece("address_protected", date(2024, 1, 2), "true"),
            piece("address_protected", date(2025, 1, 2), "false"),
            piece("last_name", None, "Carlsen"),
            piece("last_name", date(2024, 6, 1), "Dam"),
        ],
    }
    shown = ("lastname", "ava_eradressebeskyttet", "ava_adresse")
    for day, expected in [
        (date(2024, 1, 1), ("Carlsen", False, "home")),
        (date(2024, 1, 2), ("Carlsen", True, None)),
        (date(2024, 6, 1), ("Dam", True, None)),
        (date(2025, 1, 1), ("Dam", True, None)),
        (date(2025, 1, 2), ("Dam", False, "home")),
    ]:
        contact = only(mapping.contacts(found("customers", row), day))
        assert tuple(contact[name] for name in shown) == expected, day
    shared = only(mapping.contacts(found("customers", row), date(2024, 6, 1), share_protected=True))
    assert (shared["ava_adresse"], shared["ava_eradressebeskyttet"]) == ("home", True)


def test_a_company_has_its_name_as_first_name() -> None:
    row = only(mapping.contacts(found("customers", COMPANY), AS_OF))
    assert (row["firstname"], row["lastname"], row["ava_cvr_nummer"]) == ("Bageriet ApS", None, "12345678")
    assert (row["ava_cpr_nummer"], row["ava_virksomhedsform"], row["gendercode"]) == (None, "80", None)


def test_names_are_cut_to_what_the_crm_takes_and_mails_are_not() -> None:
    long = PERSON | dict.fromkeys(("first_name", "middle_name", "last_name"), "ø" * 200)
    row = only(mapping.contacts(found("customers", long | {"email": "a" * 95 + "@x.dk"}), AS_OF))
    assert [len(row[name]) for name in ("firstname", "middlename", "lastname")] == [150, 80, 100]
    assert row["emailaddress1"] == "a" * 95 + "@x.dk"
    row = only(mapping.contacts(found("customers", long | {"email": "a" * 96 + "@x.dk"}), AS_OF))
    assert (row["emailaddress1"], row["ava_emailkmdee"]) == (None, "a" * 96 + "@x.dk")


@pytest.mark.parametrize(
    ("end", "state"), [(None, (0, 1)), (date(2024, 1, 2), (0, 1)), (AS_OF, (1, 2)), (date(2023, 1, 1), (1, 2))]
)
def test_what_has_ended_is_inactive(end: date | None, state: tuple[int, int]) -> None:
    account = only(mapping.accounts(found("customer_relations", {"utility": "Varme", "valid_to": end}), AS_OF))
    role = only(mapping.customer_roles(found("customer_roles", {"role_code": "915240006", "valid_to": end}), AS_OF))
    agreement = only(mapping.agreements(found("agreements", {"utility": "Varme", "valid_to": end}), AS_OF))
    for row in (account, role, agreement):
        assert (row["statecode"], row["statuscode"]) == state
    assert (account["ava_kundetype"], role["ava_rolle"], agreement["ava_aftaletype"]) == (
        915240001,
        915240006,
        915240001,
    )


def held(*installations: str) -> list[dict[str, Any]]:
    return [{"installation_id": name, "from": date(2020, 1, 1), "to": None} for name in installations]


def test_an_agreement_counts_its_installations_and_is_open_until_9999() -> None:
    frame = found(
        "agreements",
        {
            "object_id": "a",
            "name": "Varme, M1",
            "relation_id": "r",
            "billing_address_id": "b",
            "installations": held("i1", "i1", "i2"),
            "valid_from": date(2020, 1, 1),
        },
    )
    row = only(mapping.agreements(frame, AS_OF))
    assert (row["ava_antal_produkter"], row["ava_startdato"], row["ava_slutdato"]) == (
        2,
        date(2020, 1, 1),
        date(9999, 12, 31),
    )
    assert (row["ava_kundeforhold"], row["ava_faktureringsadresse"], row["ava_name"]) == ("r", "b", "Varme, M1")


def agreement(name: str, number: str, start: date, end: date | None = None, *, of: str = "i1") -> dict[str, Any]:
    return {
        "object_id": name,
        "customer_number": number,
        "relation_id": f"relation {number}",
        "installations": held(of),
        "valid_from": start,
        "valid_to": end,
    }


OLD = agreement("old", "1001", date(2019, 1, 1), date(2021, 1, 1))
NOW = agreement("now", "999", date(2021, 1, 1))
OLDER = agreement("older", "2000", date(2015, 1, 1), date(2019, 1, 1))
LATER = agreement("later", "3000", date(2024, 6, 1))


@pytest.mark.parametrize(
    ("agreements", "owner", "number"),
    [
        ([OLD, NOW, OLDER, LATER], "now", "999"),
        ([OLD, OLDER, LATER], "old", "1001"),
        ([LATER], "later", "3000"),
        ([agreement("other", "1", date(2020, 1, 1), of="i2")], None, None),
        ([], None, None),
    ],
)
def test_an_installation_belongs_to_the_agreement_in_force(
    agreements: list[dict[str, Any]], owner: str | None, number: str | None
) -> None:
    meters = [
        {"meter_number": "M1", "meter_type": "qp 1", "meter_make": "K", "from": date(2010, 1, 1), "to": AS_OF},
        {"meter_number": "M2", "meter_type": "qp 2", "meter_make": None, "from": AS_OF, "to": None},
    ]
    row = only(
        mapping.installations(
            found(
                "installations",
                {"object_id": "i1", "installation_number": "47", "utility": "Varme", "meters": meters},
            ),
            found("agreements", *agreements),
            found("customer_relations", {"object_id": "relation 999", "address_id": "place"}),
            AS_OF,
        )
    )
    assert (row["ava_aftale"], row["ava_kundenummer"]) == (owner, number)
    assert row["ava_adresse"] == ("place" if owner == "now" else None)
    assert (row["ava_name"], row["ava_maalernummer"], row["ava_maalertype"]) == ("M2, qp 2", "M2", "qp 2")
    assert (row["ava_identifikation"], row["ava_installationstype"]) == ("47", 915240001)


def test_an_alternative_place_goes_before_the_consumption_place() -> None:
    row = only(
        mapping.installations(
            found("installations", {"object_id": "i1", "address_id": "alternative"}),
            found("agreements", NOW),
            found("customer_relations", {"object_id": "relation 999", "address_id": "place"}),
            AS_OF,
        )
    )
    assert row["ava_adresse"] == "alternative"
    assert (row["ava_name"], row["ava_maalernummer"]) == (None, None)


UNIT = {
    "address_id": "u1",
    "municipality_code": "0461",
    "kind": "unit",
    "access_id": "h1",
    "street_name": "Åboulevarden",
    "street_code": "9664",
    "house_number": "26",
    "floor": "st",
    "door": "6",
    "postcode": "5000",
    "district": "Odense C",
    "easting": 588123.45,
    "northing": 6140000.5,
}


def register(*rows: dict[str, Any]) -> pl.DataFrame:
    schema = {**ADDRESS_REGISTER.schema, "latitude": pl.Float64, "longitude": pl.Float64}
    return pl.DataFrame([{"latitude": 55.4, "longitude": 10.388} | row for row in rows], schema=schema)


def references(*rows: tuple[str, str]) -> pl.DataFrame:
    return pl.DataFrame(rows, schema=["address_id", "supply_area"], orient="row")


def test_a_unit_address() -> None:
    row = only(mapping.addresses(references(("u1", "5000")), register(UNIT, UNIT | {"address_id": "u2"})))
    assert row == {
        "ava_adresseid": "u1",
        "business_key": "Åboulevarden 26, st. 6, 5000 Odense C",
        "supply_area": "5000",
        "ava_name": "Åboulevarden 26, st. 6, 5000 Odense C",
        "ava_dawaadgangsadresseid": "h1",
        "ava_gadenavn": "Åboulevarden",
        "ava_vejkode": "9664",
        "ava_husnummer": "26",
        "ava_bogstav": None,
        "ava_etage": "st",
        "ava_doer": "6",
        "ava_postnummer": "5000",
        "ava_by": "Odense C",
        "ava_kommunenummer": "0461",
        # the example of the public documentation of the key
        "ava_kvhx": "04619664__26_st___6",
        "ava_land": "Danmark",
        "ava_koordinat_nord": "55.4",
        "ava_koordinat_oest": "10.388",
        "ava_laengdegrad": "6140000.5",
        "ava_breddegrad": "588123.45",
    }


def test_an_access_address_says_so_and_has_no_key() -> None:
    access = UNIT | {"address_id": "h1", "kind": "access", "house_number": "003B", "floor": None, "door": None}
    row = only(mapping.addresses(references(("h1", "5000")), register(access)))
    assert row["ava_name"] == "Åboulevarden 003B, 5000 Odense C, adgangsadresse"
    assert (row["ava_husnummer"], row["ava_bogstav"]) == ("3", "B")
    assert [row[name] for name in ("ava_kvhx", "ava_dawaadgangsadresseid", "ava_etage", "ava_doer")] == [None] * 4


def test_an_address_without_dwelling_keeps_the_width_of_its_key() -> None:
    row = only(
        mapping.addresses(
            references(("u1", "5000")), register(UNIT | {"house_number": "103B", "floor": None, "door": None})
        )
    )
    assert (row["ava_kvhx"], row["ava_name"]) == ("04619664103B_______", "Åboulevarden 103B, 5000 Odense C")


def test_an_address_stands_in_every_area_that_points_at_it() -> None:
    crm = {
        "contacts": mapping.contacts(found("customers", PERSON, PERSON | {"supply_area": "5200"}), AS_OF).rows,
        "accounts": mapping.accounts(found("customer_relations", {"address_id": "place"}), AS_OF).rows,
        "customer_roles": mapping.customer_roles(found("customer_roles"), AS_OF).rows,
    }
    found_references = mapping.address_references(crm)
    assert found_references.rows() == [("home", "5000"), ("home", "5200"), ("place", "5000")]
    rows = mapping.addresses(found_references, register(UNIT | {"address_id": "home"})).rows
    assert rows.select("ava_adresseid", "supply_area").rows() == [("home", "5000"), ("home", "5200")]


def test_addresses_unknown_to_the_register_are_left_out_and_reported() -> None:
    rows = mapping.contacts(found("customers", PERSON, COMPANY | {"address_id": "gone"}), AS_OF).rows
    known = pl.Series(["home"])
    kept = mapping.without_unknown_addresses("contacts", rows, known)
    assert dict(kept.select("contactid", "ava_adresse").rows()) == {"anna": "home", "baker": None}
    assert mapping.unknown_addresses("contacts", rows, known).rows() == [("1001", "5000", "ava_adresse", "gone")]


def test_links_go_with_a_role_that_was_taken_away_and_stay_after_move_out() -> None:
    moved_out = date(2023, 1, 1)
    relation = {"relation_id": "r"}
    agreements = found("agreements", {"object_id": "a", "valid_to": moved_out, **relation})
    roles = found(
        "customer_roles",
        {"party_id": "stayed", "valid_to": moved_out, **relation},
        {"party_id": "removed", "valid_to": date(2022, 1, 1), **relation},
        {"party_id": "other", "relation_id": "elsewhere"},
    )
    links = mapping.agreement_links(roles, agreements, IDS, AS_OF)
    assert dict(links.select("contact_id", "linked").rows()) == {"stayed": True, "removed": False}
    assert set(links["agreement_id"]) == {"a"}
    assert set(links["object_id"]) == {str(IDS.of("agreement_link", f"a|{who}")) for who in ("stayed", "removed")}


def test_one_role_is_enough_for_a_link() -> None:
    agreements = found("agreements", {"object_id": "a", "relation_id": "r"})
    roles = found(
        "customer_roles",
        {"party_id": "bo", "relation_id": "r", "valid_to": date(2022, 1, 1)},
        {"party_id": "bo", "relation_id": "r"},
    )
    assert only(mapping.agreement_links(roles, agreements, IDS, AS_OF))["linked"] is True


def test_frames_have_the_declared_schema_also_when_empty() -> None:
    none = {entity: found(entity) for entity in REGISTRY_ROWS}
    frames = {
        "contacts": mapping.contacts(none["customers"], AS_OF).rows,
        "accounts": mapping.accounts(none["customer_relations"], AS_OF).rows,
        "customer_roles": mapping.customer_roles(none["customer_roles"], AS_OF).rows,
        "agreements": mapping.agreements(none["agreements"], AS_OF).rows,
        "installations": mapping.installations(
            none["installations"], none["agreements"], none["customer_relations"], AS_OF
        ).rows,
    }
    frames["addresses"] = mapping.addresses(mapping.address_references(frames), register()).rows
    assert set(frames) == set(CRM_TABLES)
    for entity, frame in frames.items():
        assert frame.schema == CRM_TABLES[entity].schema
        assert frame.is_empty()
