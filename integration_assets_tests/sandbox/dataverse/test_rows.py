"""Create, read, update, upsert and delete of single rows, and the refusals of bodies."""

from typing import Any

import pytest

from integration_assets_tests.sandbox.dataverse.api import (
    CREATE_ONLY,
    REPRESENTATION,
    UPDATE_ONLY,
    Api,
    error,
    message,
    row_id,
)

A, B, C = row_id(1), row_id(2), row_id(3)
TYPE = "Microsoft.Dynamics.CRM"


def test_create_answers_204_with_the_url_of_the_row(api: Api) -> None:
    answer = api.create("contacts", firstname="Ida")
    url = answer.headers["OData-EntityId"]
    assert url.startswith(f"{api.root}contacts(")
    assert answer.content == b""
    row = api.row(url)
    assert row["firstname"] == "Ida"
    assert row["fullname"] == "Ida"
    assert (row["statecode"], row["statuscode"]) == (0, 1)
    assert row["@odata.context"] == f"{api.root}$metadata#contacts/$entity"
    assert url.endswith(f"contacts({row['contactid']})")


def test_create_with_representation_answers_201(api: Api) -> None:
    answer = api.send("POST", "contacts?$select=firstname", {"contactid": A, "firstname": "Ida"}, REPRESENTATION)
    assert answer.status_code == 201
    assert answer.headers["Preference-Applied"] == "return=representation"
    assert "OData-EntityId" not in answer.headers
    body = answer.json()
    assert body.pop("@odata.etag") == answer.headers["ETag"]
    assert body == {
        "@odata.context": f"{api.root}$metadata#contacts(firstname)/$entity",
        "firstname": "Ida",
        "contactid": A,
    }


def test_create_with_an_existing_primary_id(api: Api) -> None:
    api.create("contacts", contactid=A)
    answer = api.send("POST", "contacts", {"contactid": A})
    assert error(answer) == (412, "0x80040237")
    assert message(answer) == "A record with matching key values already exists."


def test_update_only_of_a_missing_row(api: Api) -> None:
    answer = api.send("PATCH", f"ava_aftales({A})", {"ava_name": "x"}, UPDATE_ONLY)
    assert error(answer) == (404, "0x80040217")
    assert message(answer) == f"Entity 'ava_aftale' With Id = {A} Does Not Exist"


def test_update_changes_only_what_is_sent_and_null_clears(api: Api) -> None:
    api.create("contacts", contactid=A, firstname="Ida", lastname="Holm", gendercode=2)
    answer = api.send("PATCH", f"contacts({A})", {"lastname": "Bech", "gendercode": None}, UPDATE_ONLY)
    assert answer.status_code == 204
    row = api.row(f"contacts({A})?$select=firstname,lastname,gendercode,fullname")
    assert (row["firstname"], row["lastname"], row["gendercode"]) == ("Ida", "Bech", None)
    assert row["fullname"] == "Ida Bech"


def test_update_with_representation_answers_200(api: Api) -> None:
    api.create("contacts", contactid=A)
    answer = api.send("PATCH", f"contacts({A})?$select=contactid", {"lastname": "Bech"}, UPDATE_ONLY | REPRESENTATION)
    assert answer.status_code == 200
    assert set(answer.json()) == {"@odata.context", "@odata.etag", "contactid"}


def test_upsert_by_primary_id_creates_and_updates(api: Api) -> None:
    for name, status in (("Ida", 201), ("Eva", 200)):
        answer = api.send("PATCH", f"contacts({A})?$select=contactid", {"firstname": name}, REPRESENTATION)
        assert answer.status_code == status
        assert answer.headers["ETag"]
    assert [row["firstname"] for row in api.rows("contacts")] == ["Eva"]


def test_upsert_by_alternate_key_echoes_the_key(api: Api) -> None:
    for name in ("Vejen 1", "Vejen 2"):
        answer = api.send("PATCH", "accounts(ava_kundenummer='4711')", {"name": name})
        assert answer.status_code == 204
        assert answer.headers["OData-EntityId"] == f"{api.root}accounts(ava_kundenummer='4711')"
    assert [(row["name"], row["ava_kundenummer"]) for row in api.rows("accounts")] == [("Vejen 2", "4711")]
    assert api.row("accounts(ava_kundenummer='4711')")["name"] == "Vejen 2"


def test_key_columns_in_the_body_win_on_create_and_are_ignored_on_update(api: Api) -> None:
    api.send("PATCH", "accounts(ava_kundenummer='1')", {"ava_kundenummer": "2", "name": "created"})
    assert api.row("accounts(ava_kundenummer='2')")["name"] == "created"
    api.send("PATCH", "accounts(ava_kundenummer='2')", {"ava_kundenummer": "3", "name": "updated"})
    assert api.row("accounts(ava_kundenummer='2')")["name"] == "updated"


def test_create_only_refuses_an_existing_row(api: Api) -> None:
    assert api.send("PATCH", f"contacts({A})", {}, CREATE_ONLY).status_code == 204
    assert error(api.send("PATCH", f"contacts({A})", {}, CREATE_ONLY)) == (412, "0x80040237")


def test_unknown_alternate_key_value(api: Api) -> None:
    for answer in (
        api.get("accounts(ava_kundenummer='1')"),
        api.send("PATCH", "accounts(ava_kundenummer='1')", {}, UPDATE_ONLY),
    ):
        assert error(answer) == (404, "0x80060891")
        assert message(answer) == "A record with the specified key values does not exist in account entity"


def test_columns_that_are_no_key(api: Api) -> None:
    answer = api.get("accounts(name='1')")
    assert error(answer) == (400, "0x80060890")
    assert message(answer).startswith(f"The key in the request URI is not valid for resource '{TYPE}.account'.")


@pytest.mark.parametrize("character", list("/<>*%&:\\?+"))
def test_unsafe_characters_in_a_key_do_not_work(api: Api, character: str) -> None:
    encoded = f"A%{ord(character):02X}1"
    assert api.send("PATCH", f"accounts(ava_kundenummer='{encoded}')", {"name": "x"}).status_code == 400
    assert api.rows("accounts") == []


def test_quotes_in_a_key_are_doubled(api: Api) -> None:
    api.create("accounts", ava_kundenummer="O'Neill")
    assert api.row("accounts(ava_kundenummer='O%27%27Neill')")["ava_kundenummer"] == "O'Neill"


def test_alternate_keys_are_unique(api: Api) -> None:
    api.create("ava_installations", ava_identifikation="77")
    api.create("ava_installations", ava_identifikation="78", ava_installationid=A)
    texts = (
        "Entity Key ava_identifikation_key violated. A record with the same value for ava_identifikation already "
        "exists. A duplicate record cannot be created. Select one or more unique values and try again."
    )
    for answer in (
        api.send("POST", "ava_installations", {"ava_identifikation": "77"}),
        api.send("PATCH", f"ava_installations({A})", {"ava_identifikation": "77"}),
    ):
        assert error(answer) == (412, "0x80060892")
        assert message(answer) == texts
    api.create("ava_installations")
    api.create("ava_installations")


def test_delete(api: Api) -> None:
    api.create("contacts", contactid=A)
    assert api.send("DELETE", f"contacts({A})").status_code == 204
    assert error(api.get(f"contacts({A})")) == (404, "0x80040217")
    assert error(api.send("DELETE", f"contacts({A})")) == (404, "0x80040217")


def test_delete_removes_lookups_to_the_row(api: Api) -> None:
    api.create("ava_adresses", ava_adresseid=A)
    api.create("contacts", contactid=B, **{"ava_adresse@odata.bind": f"/ava_adresses({A})"})
    api.send("DELETE", f"ava_adresses({A})")
    assert api.row(f"contacts({B})")["_ava_adresse_value"] is None


def test_etags_guard_updates_deletes_and_reads(api: Api) -> None:
    api.create("contacts", contactid=A)
    old = api.row(f"contacts({A})")["@odata.etag"]
    assert old.startswith('W/"')
    assert api.get(f"contacts({A})", If_None_Match=old).status_code == 304
    assert api.send("PATCH", f"contacts({A})", {"firstname": "Ida"}, {"If-Match": old}).status_code == 204
    assert api.get(f"contacts({A})", If_None_Match=old).status_code == 200
    for answer in (
        api.send("PATCH", f"contacts({A})", {"firstname": "Eva"}, {"If-Match": old}),
        api.send("DELETE", f"contacts({A})", None, {"If-Match": old}),
    ):
        assert error(answer) == (412, "0x80060882")
        assert message(answer) == ("The version of the existing record doesn't match the RowVersion property provided.")
    assert api.row(f"contacts({A})")["firstname"] == "Ida"


def test_single_columns_are_set_read_and_cleared(api: Api) -> None:
    api.create("contacts", contactid=A, firstname="Ida")
    assert api.send("PUT", f"contacts({A})/firstname", {"value": "Eva"}).status_code == 204
    assert api.row(f"contacts({A})/firstname")["value"] == "Eva"
    assert api.send("DELETE", f"contacts({A})/firstname").status_code == 204
    assert api.get(f"contacts({A})/firstname").status_code == 204


def test_states_and_their_reasons(api: Api) -> None:
    api.create("accounts", accountid=A)
    assert api.send("PATCH", f"accounts({A})", {"statecode": 1, "statuscode": 2}).status_code == 204
    assert error(api.send("PATCH", f"accounts({A})", {"statecode": 0, "statuscode": 2})) == (400, "0x80048408")
    api.send("PATCH", f"accounts({A})", {"statecode": 0})
    row = api.row(f"accounts({A})")
    assert (row["statecode"], row["statuscode"]) == (0, 1)


def test_cases_refer_to_customers_of_either_kind(api: Api) -> None:
    api.create("accounts", accountid=A)
    api.create("contacts", contactid=B)
    api.create("incidents", incidentid=C, title="Kold radiator", **{"customerid_contact@odata.bind": f"contacts({B})"})
    api.send("PATCH", f"incidents({C})", {"ava_kundeforhold@odata.bind": f"/accounts({A})"})
    row = api.row(f"incidents({C})")
    assert (row["_customerid_value"], row["_ava_kundeforhold_value"]) == (B, A)


@pytest.mark.parametrize(
    ("body", "code", "text"),
    [
        (
            {"ava_findes_ikke": 1},
            "0x80048d19",
            f"The property 'ava_findes_ikke' does not exist on type '{TYPE}.contact'. "
            "Make sure to only use property names that are defined by the type.",
        ),
        ({"Firstname": None}, "0x80048d19", "Does not support untyped value in non-open type."),
        (
            {"Ava_Adresse@odata.bind": f"/ava_adresses({A})"},
            "0x80048d19",
            "An undeclared property 'Ava_Adresse' which only has property annotations in the payload but no property "
            "value was found in the payload.",
        ),
        ({"ava_adresse@odata.bind": None}, "0x80048d19", "must have a non-null string value"),
        ({"ava_adresse": A}, "0x80048d19", "A 'PrimitiveValue' node with non-null value was found"),
        ({"_ava_adresse_value": A}, "0x80048d19", "CRM do not support direct update of Entity Reference properties"),
        (
            {"middlename": "x" * 81},
            "0x80044331",
            "A validation error occurred.  The length of the 'middlename' attribute of the 'contact' entity exceeded "
            "the maximum allowed length of '80'.",
        ),
        (
            {"gendercode": 9},
            "0x8004431a",
            "A validation error occurred. The value 9 of 'gendercode' on record of type 'contact' is outside the valid "
            "range. Accepted Values: 1,2",
        ),
        ({"gendercode": "Female"}, "0x80048d19", "Edm.Int32"),
        ({"firstname": 5}, "0x80048d19", "Edm.String"),
        ({"ava_eradressebeskyttet": "true"}, "0x80048d19", "Edm.Boolean"),
        ({"contactid": "not-a-guid"}, "0x80048d19", "Edm.Guid"),
    ],
)
def test_refused_bodies(api: Api, body: dict[str, Any], code: str, text: str) -> None:
    answer = api.send("POST", "contacts", body)
    assert error(answer) == (400, code)
    assert text in message(answer)
    if code == "0x80048d19":
        assert message(answer).startswith(
            "Error identified in Payload provided by the user for Entity :'contacts', For more information on this "
            "error please follow this help link https://go.microsoft.com/fwlink/?linkid=2195293"
        )
    assert api.rows("contacts") == []


@pytest.mark.parametrize(
    ("date", "code"),
    [
        ("2026-02-30", "0x80048d19"),
        ("2026-01-31T00:00:00Z", "0x80048d19"),
        ("20260131", "0x80048d19"),
        ("1752-12-31", "0x80040239"),
    ],
)
def test_refused_dates(api: Api, date: str, code: str) -> None:
    assert error(api.send("POST", "ava_aftales", {"ava_startdato": date})) == (400, code)


def test_every_kind_of_value_comes_back(api: Api) -> None:
    values = {
        "ava_name": "Varme, Fjernvarmeaftale æøå 🏠",
        "ava_aftaletype": 915240001,
        "ava_antal_produkter": 3,
        "ava_startdato": "2026-01-31",
        "ava_slutdato": "9999-12-31",
    }
    api.create("ava_aftales", ava_aftaleid=A, **values)
    row = api.row(f"ava_aftales({A.upper()})")
    assert {name: row[name] for name in values} == values
    api.create("contacts", contactid=A, ava_eradressebeskyttet=True, ava_modtag_sms_notifikation=False)
    row = api.row(f"contacts({A})")
    assert (row["ava_eradressebeskyttet"], row["ava_modtag_sms_notifikation"]) == (True, False)
