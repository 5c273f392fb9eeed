"""What an administrator sets up: roles, users, columns, keys, messages. Well or badly, the API answers accordingly."""

from collections.abc import Callable
from typing import Any

import httpx
import pytest

from integration_assets_tests.sandbox.dataverse.api import CLIENT_ID, Api, error, message, row_id

A, B, C = row_id(1), row_id(2), row_id(3)
LINKS = f"ava_aftales({C})/ava_aktoerens_aftaler/$ref"
KEYED = "accounts(ava_kundenummer='{}')"


@pytest.fixture
def switched(api: Api, server: str) -> Callable[..., None]:
    del api

    def change(**switches: Any) -> None:
        answer = httpx.post(f"{server}/_behaviour", json=switches)
        assert answer.status_code == 200, answer.text

    return change


@pytest.fixture
def role(switched: Callable[..., None]) -> Callable[..., None]:
    """The security role of the application user lacks these privileges."""

    def lacks(*privileges: str, **more: Any) -> None:
        switched(users={CLIENT_ID: {"without": list(privileges), **more}})

    return lacks


@pytest.mark.parametrize(
    ("privilege", "method", "path", "body"),
    [
        ("prvReadContact", "GET", f"contacts({A})", None),
        ("prvReadContact", "GET", "contacts", None),
        ("prvReadContact", "GET", "contacts/$count", None),
        ("prvCreateContact", "POST", "contacts", {}),
        ("prvCreateContact", "PATCH", f"contacts({C})", {}),
        ("prvWriteContact", "PATCH", f"contacts({A})", {"firstname": "x"}),
        ("prvDeleteContact", "DELETE", f"contacts({A})", None),
        ("prvAppendContact", "PATCH", f"contacts({A})", {"ava_adresse@odata.bind": f"ava_adresses({B})"}),
        ("prvAppendToava_adresse", "PATCH", f"contacts({A})", {"ava_adresse@odata.bind": f"ava_adresses({B})"}),
        ("prvAppendava_aftale", "POST", LINKS, {"@odata.id": f"contacts({A})"}),
        ("prvAppendToContact", "POST", LINKS, {"@odata.id": f"contacts({A})"}),
    ],
)
def test_a_missing_privilege_is_told(
    api: Api, role: Callable[..., None], privilege: str, method: str, path: str, body: Any
) -> None:
    api.create("contacts", contactid=A)
    api.create("ava_adresses", ava_adresseid=B)
    api.create("ava_aftales", ava_aftaleid=C)
    role(privilege)
    refused = api.send(method, path, body)
    assert error(refused) == (403, "0x80040220")
    assert f"is missing {privilege} privilege (Id=" in message(refused)
    role()
    assert api.send(method, path, body).status_code in (200, 204)


def test_a_role_that_may_only_create_upserts_new_rows(api: Api, role: Callable[..., None]) -> None:
    api.create("contacts", contactid=A)
    role("prvWriteContact")
    upsert = [{"contactid": B}, {"contactid": A, "firstname": "Ida"}]
    assert error(api.bulk("contacts", "UpsertMultiple", "contact", upsert)) == (403, "0x80040220")
    assert [row["contactid"] for row in api.rows("contacts")] == [A]
    assert api.bulk("contacts", "UpsertMultiple", "contact", upsert[:1]).status_code == 204


def test_privileges_as_the_user_can_ask_for_them(api: Api, role: Callable[..., None]) -> None:
    role("prvCreateava_aftale", depth="Local")
    user = api.row("WhoAmI")["UserId"]
    found = api.row(f"systemusers({user})/Microsoft.Dynamics.CRM.RetrieveUserPrivileges()")["RolePrivileges"]
    named = {privilege["PrivilegeName"]: privilege for privilege in found}
    assert "prvCreateava_aftale" not in named
    assert named["prvWriteava_aftale"]["Depth"] == "Local"
    table = api.row("EntityDefinitions(LogicalName='ava_aftale')?$select=Privileges")
    ids = {entry["PrivilegeType"]: entry["PrivilegeId"] for entry in table["Privileges"]}
    assert named["prvWriteava_aftale"]["PrivilegeId"] == ids["Write"]


def test_an_application_without_user(api: Api, role: Callable[..., None]) -> None:
    role(member=False)
    assert error(api.get("WhoAmI")) == (403, "0x80072560")


@pytest.mark.parametrize("status", ["Pending", "InProgress", "Failed"])
def test_a_key_that_is_not_active_looks_defined_and_is_of_no_use(
    api: Api, switched: Callable[..., None], status: str
) -> None:
    api.create("accounts", accountid=A, ava_kundenummer="1")
    switched(schema={"account": {"keys": {"ava_kundenummer_key": {"status": status}}}})
    (key,) = api.rows("EntityDefinitions(LogicalName='account')/Keys")
    assert (key["KeyAttributes"], key["EntityKeyIndexStatus"]) == (["ava_kundenummer"], status)
    assert api.get(KEYED.format(1)).status_code == 400
    api.create("accounts", accountid=B, ava_kundenummer="1")
    switched(schema=None)
    assert api.get(KEYED.format(1)).status_code == 200


def test_columns_tables_and_navigation_properties_change(api: Api, switched: Callable[..., None]) -> None:
    switched(
        schema={
            "contact": {
                "columns": {
                    "firstname": {"max_length": 3},
                    "gendercode": {"options": {"1": "M"}},
                    "ava_mobilkmdee": None,
                },
                "lookups": {"ava_adresse": {"navigation": "ava_Adresse"}},
            },
            "ava_kunderolle": None,
            "relationships": {"ava_aktoerens_aftaler": None},
        }
    )
    assert error(api.send("POST", "contacts", {"firstname": "Vera"})) == (400, "0x80044331")
    assert error(api.send("POST", "contacts", {"ava_mobilkmdee": "1"})) == (400, "0x80048d19")
    assert error(api.send("POST", "contacts", {"gendercode": 2})) == (400, "0x8004431a")
    assert error(api.send("POST", "contacts", {"ava_adresse@odata.bind": f"ava_adresses({A})"}))[1] == "0x80048d19"
    assert api.get("ava_kunderolles").status_code == 404
    assert api.rows("EntityDefinitions?$select=LogicalName&$filter=LogicalName eq 'ava_kunderolle'") == []
    found = api.rows("EntityDefinitions(LogicalName='contact')/ManyToOneRelationships")
    assert [row["ReferencingEntityNavigationPropertyName"] for row in found] == ["ava_Adresse"]
    assert api.rows("EntityDefinitions(LogicalName='contact')/ManyToManyRelationships") == []


def test_numbers_have_bounds_and_a_precision(api: Api, switched: Callable[..., None]) -> None:
    assert error(api.send("POST", "ava_aftales", {"ava_antal_produkter": 1001})) == (400, "0x8004432f")
    decimal = {"name": "ava_beloeb", "kind": "decimal", "minimum": 0, "maximum": 10, "precision": 2}
    switched(schema={"ava_aftale": {"columns": {"ava_beloeb": decimal}}})
    assert error(api.send("POST", "ava_aftales", {"ava_beloeb": 10.5})) == (400, "0x80044330")
    assert api.send("POST", "ava_aftales", {"ava_beloeb": "1"}).status_code == 400
    api.create("ava_aftales", ava_aftaleid=A, ava_beloeb=1.239)
    assert api.row(f"ava_aftales({A})")["ava_beloeb"] == 1.24
    url = "EntityDefinitions(LogicalName='ava_aftale')/Attributes/Microsoft.Dynamics.CRM.DecimalAttributeMetadata"
    (column,) = api.rows(url)
    assert (column["MinValue"], column["MaxValue"], column["Precision"]) == (0, 10, 2)


def test_a_date_column_of_the_other_behaviour(api: Api, switched: Callable[..., None]) -> None:
    changed = {"kind": "datetime", "date_format": "DateOnly"}
    switched(schema={"ava_aftale": {"columns": {"ava_startdato": changed}}})
    api.create("ava_aftales", ava_aftaleid=A, ava_startdato="2026-01-31T23:30:00+01:00")
    assert api.row(f"ava_aftales({A})")["ava_startdato"] == "2026-01-31T22:30:00Z"
    url = "EntityDefinitions(LogicalName='ava_aftale')/Attributes/Microsoft.Dynamics.CRM.DateTimeAttributeMetadata"
    found = {row["LogicalName"]: (row["Format"], row["DateTimeBehavior"]["Value"]) for row in api.rows(url)}
    assert found["ava_startdato"] == ("DateOnly", "UserLocal")
    assert found["ava_slutdato"] == ("DateOnly", "DateOnly")


def test_a_secured_column(api: Api, switched: Callable[..., None]) -> None:
    switched(schema={"contact": {"columns": {"ava_cpr_nummer": {"secured": True}}}})
    assert error(api.send("POST", "contacts", {"ava_cpr_nummer": "1"})) == (403, "0x8004f507")


def test_messages_of_a_table(api: Api, switched: Callable[..., None]) -> None:
    query = "sdkmessageid/name eq '{}' and primaryobjecttypecode eq '{}'"

    def supported(name: str, table: str) -> bool:
        return bool(api.rows(f"sdkmessagefilters?$select=sdkmessagefilterid&$filter={query.format(name, table)}"))

    assert supported("UpsertMultiple", "ava_aftale")
    switched(schema={"account": {"messages": ["CreateMultiple"]}})
    assert not supported("UpsertMultiple", "account")
    assert supported("CreateMultiple", "account")
    assert api.bulk("accounts", "UpsertMultiple", "account", [{"accountid": A}]).status_code == 404
    refused = api.bulk("contacts", "DeleteMultiple", "contact", [{"contactid": A}])
    assert (refused.status_code, message(refused)) == (400, "DeleteMultiple has not yet been implemented.")
    expanded = "$expand=sdkmessageid($select=name)&$filter=primaryobjecttypecode eq 'account'"
    assert "CreateMultiple" in {row["sdkmessageid"]["name"] for row in api.rows(f"sdkmessagefilters?{expanded}")}


def test_cases_hold_on_to_their_customers(api: Api) -> None:
    api.create("accounts", accountid=A)
    api.create("contacts", contactid=B)
    api.create("ava_installations", ava_installationid=C)
    api.create(
        "incidents",
        title="Meter is broken",
        **{
            "customerid_account@odata.bind": f"/accounts({A})",
            "ava_kundeforhold@odata.bind": f"/accounts({A})",
            "ava_aktoer@odata.bind": f"/contacts({B})",
            "ava_installation@odata.bind": f"/ava_installations({C})",
        },
    )
    open_cases = "incidents?$select=title,_ava_kundeforhold_value,_ava_installation_value&$filter=statecode eq 0"
    (case,) = api.rows(open_cases)
    assert (case["_ava_kundeforhold_value"], case["_ava_installation_value"]) == (A, C)
    (case,) = api.rows(f"incidents?$filter=_customerid_value eq {A} and statecode eq 0")
    assert case["title"] == "Meter is broken"
