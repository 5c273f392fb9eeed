"""Two more programs that are not ours: dataverse-api writes and reads rows, python-odata lives on $metadata alone."""

import io
from collections.abc import Iterator
from typing import Any

import pytest
import requests
from dataverse_api import DataverseClient
from odata import ODataService
from rich.console import Console

from integration_assets_tests.sandbox.dataverse.api import Api, row_id


@pytest.fixture
def session(api: Api, token: str) -> Iterator[requests.Session]:
    del api  # empties the organisation
    with requests.Session() as session:
        session.headers["Authorization"] = f"Bearer {token}"
        yield session


@pytest.fixture
def other(session: requests.Session, server: str) -> DataverseClient:
    return DataverseClient(session, server)


def test_it_learns_a_table_from_its_metadata(other: DataverseClient) -> None:
    accounts = other.entity("account")
    assert (accounts.entity_set_name, accounts.primary_id_attr) == ("accounts", "accountid")
    assert accounts.alternate_keys == {"ava_kundenummer_key": ["ava_kundenummer"]}
    assert accounts.supports_create_multiple
    assert accounts.supports_update_multiple


@pytest.mark.parametrize("mode", ["individual", "multiple", "batch"])
def test_its_three_ways_of_creating(other: DataverseClient, mode: Any) -> None:
    contacts = other.entity("contact")
    answers = contacts.create([{"firstname": name, "gendercode": 2} for name in ("Åse", "Ida", "Eva")], mode=mode)
    assert all(answer.ok for answer in answers)
    rows = contacts.read(select=["firstname"], filter="gendercode eq 2", order_by={"firstname": "asc"})
    assert [row["firstname"] for row in rows] == ["Eva", "Ida", "Åse"]


@pytest.mark.parametrize("mode", ["individual", "batch"])
def test_it_upserts_by_alternate_key(other: DataverseClient, mode: Any) -> None:
    accounts = other.entity("account")
    for name in ("first", "second"):
        data = [{"ava_kundenummer": number, "name": f"{name} {number}"} for number in ("1", "2")]
        answers = accounts.upsert(data, mode=mode, altkey_name="ava_kundenummer_key")
        assert all(answer.ok for answer in answers)
    found = accounts.read(select=["name", "ava_kundenummer"], order_by={"name": "asc"})
    assert [(row["name"], row["ava_kundenummer"]) for row in found] == [("second 1", "1"), ("second 2", "2")]


@pytest.fixture
def service(session: requests.Session, server: str) -> ODataService:
    quiet = Console(file=io.StringIO())
    return ODataService(
        f"{server}/api/data/v9.2/", reflect_entities=True, session=session, console=quiet, quiet_progress=True
    )


def test_the_metadata_document_describes_tables_and_relationships(service: ODataService) -> None:
    kinds = {name: kind.__odata_schema__ for name, kind in service.entities.items()}
    assert {"contacts", "accounts", "ava_kunderolles", "ava_aftales", "ava_installations", "ava_adresses",
            "incidents"} <= set(kinds)  # fmt: skip
    columns = {column["name"]: column for column in kinds["contacts"]["properties"]}
    assert columns["contactid"]["is_primary_key"]
    assert (columns["firstname"]["type"], columns["gendercode"]["type"]) == ("Edm.String", "Edm.Int32")
    assert columns["_ava_adresse_value"]["type"] == "Edm.Guid"
    links = {
        link["name"]: (link["type"], link["foreign_key"]) for link in kinds["ava_kunderolles"]["navigation_properties"]
    }
    assert links == {
        "ava_aktoer": ("mscrm.contact", "_ava_aktoer_value"),
        "ava_kundeforhold": ("mscrm.account", "_ava_kundeforhold_value"),
    }
    many = {link["name"]: link["type"] for link in kinds["ava_aftales"]["navigation_properties"]}
    assert many["ava_aktoerens_aftaler"] == "Collection(mscrm.contact)"
    assert "WhoAmI" in service.functions


def test_objects_made_from_the_metadata_read_rows(service: ODataService, api: Api) -> None:
    api.create("ava_adresses", ava_adresseid=row_id(9), ava_postnummer="4000")
    api.create(
        "contacts",
        contactid=row_id(1),
        firstname="Åse",
        gendercode=2,
        **{"ava_adresse@odata.bind": f"/ava_adresses({row_id(9)})"},
    )
    api.create("contacts", contactid=row_id(2), firstname="Bo", gendercode=1)
    contacts = service.entities["contacts"]
    query = service.query(contacts).filter(contacts.gendercode == 2).expand(contacts.ava_adresse)
    (found,) = query.all()
    assert (str(found.contactid), found.firstname) == (row_id(1), "Åse")
    assert found.ava_adresse.ava_postnummer == "4000"
