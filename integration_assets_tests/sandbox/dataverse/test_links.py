"""Lookups and many-to-many links."""

import pytest

from integration_assets_tests.sandbox.dataverse.api import REPRESENTATION, Api, error, message, row_id

ADDRESS, CONTACT, OTHER, ACCOUNT, AGREEMENT = (row_id(n) for n in range(1, 6))
MISSING = row_id(99)


@pytest.fixture
def town(api: Api) -> Api:
    api.create("ava_adresses", ava_adresseid=ADDRESS, ava_name="Algade 1, 4000 Roskilde")
    api.create("contacts", contactid=CONTACT, firstname="Ida")
    api.create("contacts", contactid=OTHER, firstname="Eva")
    api.create("accounts", accountid=ACCOUNT, ava_kundenummer="4711")
    api.create("ava_aftales", ava_aftaleid=AGREEMENT)
    return api


@pytest.mark.parametrize(
    "form", ["/accounts({})", "accounts({})", "{root}accounts({})", "/accounts(ava_kundenummer='4711')"]
)
def test_binding_forms(town: Api, form: str) -> None:
    target = form.format(ACCOUNT, root=town.root)
    answer = town.send("PATCH", f"ava_aftales({AGREEMENT})", {"ava_kundeforhold@odata.bind": target})
    assert answer.status_code == 204, answer.text
    assert town.row(f"ava_aftales({AGREEMENT})")["_ava_kundeforhold_value"] == ACCOUNT


def test_all_navigation_properties(town: Api) -> None:
    bindings = {
        "contacts": {"ava_adresse": f"ava_adresses({ADDRESS})"},
        "accounts": {"ava_adresse": f"ava_adresses({ADDRESS})"},
        "ava_kunderolles": {"ava_aktoer": f"contacts({CONTACT})", "ava_kundeforhold": f"accounts({ACCOUNT})"},
        "ava_aftales": {
            "ava_kundeforhold": f"accounts({ACCOUNT})",
            "ava_faktureringsadresse": f"ava_adresses({ADDRESS})",
        },
        "ava_installations": {"ava_aftale": f"ava_aftales({AGREEMENT})", "ava_adresse": f"ava_adresses({ADDRESS})"},
    }
    for entity_set, properties in bindings.items():
        body = {f"{name}@odata.bind": f"/{target}" for name, target in properties.items()}
        row = town.send("POST", entity_set, body, REPRESENTATION).json()
        assert {name: row[f"_{name}_value"] for name in properties} == {
            name: target[-37:-1] for name, target in properties.items()
        }


def test_binding_to_a_missing_row(town: Api) -> None:
    by_id = town.send("POST", "ava_kunderolles", {"ava_aktoer@odata.bind": f"/contacts({MISSING})"})
    assert error(by_id) == (404, "0x80040217")
    assert message(by_id) == f"Entity 'contact' With Id = {MISSING} Does Not Exist"
    by_key = town.send("POST", "ava_aftales", {"ava_kundeforhold@odata.bind": "/accounts(ava_kundenummer='1')"})
    assert error(by_key) == (404, "0x80060891")


def test_null_on_the_navigation_property_clears(town: Api) -> None:
    town.send("PATCH", f"contacts({CONTACT})", {"ava_adresse@odata.bind": f"/ava_adresses({ADDRESS})"})
    assert town.send("PATCH", f"contacts({CONTACT})", {"ava_adresse": None}).status_code == 204
    assert town.row(f"contacts({CONTACT})")["_ava_adresse_value"] is None


def test_reference_of_a_lookup_is_set_read_and_deleted(town: Api) -> None:
    path = f"contacts({CONTACT})/ava_adresse"
    assert town.get(path).status_code == 204
    body = {"@odata.id": f"{town.root}ava_adresses({ADDRESS})"}
    assert town.send("PUT", f"{path}/$ref", body).status_code == 204
    assert town.row(f"{path}/$ref")["@odata.id"] == f"{town.root}ava_adresses({ADDRESS})"
    assert town.row(path)["ava_name"] == "Algade 1, 4000 Roskilde"
    assert town.send("DELETE", f"{path}/$ref").status_code == 204
    assert town.row(f"contacts({CONTACT})")["_ava_adresse_value"] is None


def test_links_are_added_listed_and_not_added_twice(town: Api) -> None:
    path = f"ava_aftales({AGREEMENT})/ava_aktoerens_aftaler"
    for contact in (CONTACT, OTHER):
        body = {"@odata.id": f"{town.root}contacts({contact})"}
        assert town.send("POST", f"{path}/$ref", body).status_code == 204
    again = town.send("POST", f"{path}/$ref", {"@odata.id": f"{town.root}contacts({OTHER})"})
    assert error(again) == (412, "0x80040237")
    assert message(again) == "A record with matching key values already exists."
    assert [row["firstname"] for row in town.rows(f"{path}?$select=firstname")] == ["Ida", "Eva"]
    assert town.rows(f"{path}/$ref") == [
        {"@odata.id": f"{town.root}contacts({CONTACT})"},
        {"@odata.id": f"{town.root}contacts({OTHER})"},
    ]
    from_the_other_side = town.rows(f"contacts({CONTACT})/ava_aktoerens_aftaler")
    assert [row["ava_aftaleid"] for row in from_the_other_side] == [AGREEMENT]


def test_links_are_removed_by_key_or_by_id(town: Api) -> None:
    path = f"ava_aftales({AGREEMENT})/ava_aktoerens_aftaler"
    for contact in (CONTACT, OTHER):
        town.send("POST", f"{path}/$ref", {"@odata.id": f"contacts({contact})"})
    assert town.send("DELETE", f"{path}({CONTACT})/$ref").status_code == 204
    assert town.send("DELETE", f"{path}/$ref?$id={town.root}contacts({OTHER})").status_code == 204
    assert town.rows(path) == []
    assert town.send("DELETE", f"{path}({CONTACT})/$ref").status_code == 404
    assert town.send("POST", f"{path}/$ref", {"@odata.id": f"contacts({CONTACT})"}).status_code == 204
    assert len(town.rows(path)) == 1


def test_links_need_both_rows(town: Api) -> None:
    path = f"ava_aftales({AGREEMENT})/ava_aktoerens_aftaler/$ref"
    assert error(town.send("POST", path, {"@odata.id": f"contacts({MISSING})"})) == (404, "0x80040217")
    path = f"ava_aftales({MISSING})/ava_aktoerens_aftaler/$ref"
    assert error(town.send("POST", path, {"@odata.id": f"contacts({CONTACT})"})) == (404, "0x80040217")


def test_links_go_with_their_rows(town: Api) -> None:
    path = f"ava_aftales({AGREEMENT})/ava_aktoerens_aftaler"
    town.send("POST", f"{path}/$ref", {"@odata.id": f"contacts({CONTACT})"})
    town.send("DELETE", f"contacts({CONTACT})")
    assert town.rows(path) == []
