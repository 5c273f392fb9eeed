"""Microsoft's own Python client against the sandbox: what it takes for Dataverse's answers, ours must be.

It insists on https, so the organisation is served with a certificate of the sandbox's own authority.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import httpx
import pytest
from PowerPlatform.Dataverse.client import DataverseClient
from PowerPlatform.Dataverse.core.errors import HttpError, MetadataError
from starlette.types import ASGIApp

from integration_assets.sandbox.certificates import keys_of
from integration_assets_tests.sandbox.dataverse.api import Api, row_id
from integration_assets_tests.sandbox.loopback import running


@dataclass(frozen=True)
class _Token:
    token: str
    expires_on: int = 2**31


@dataclass(frozen=True)
class _Credential:
    """What the client takes for an identity."""

    value: str

    def get_token(self, *_scopes: str, **_options: Any) -> _Token:
        return _Token(self.value)


@pytest.fixture(scope="module")
def secure_server(organisation: ASGIApp, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    keys = keys_of(tmp_path_factory.mktemp("tls") / "keys")
    with running(organisation, certificate=keys.server) as url, pytest.MonkeyPatch.context() as patch:
        patch.setenv("REQUESTS_CA_BUNDLE", str(keys.authority))
        yield url


@pytest.fixture
def client(api: Api, secure_server: str, token: str) -> Iterator[DataverseClient]:
    del api  # empties the organisation
    with DataverseClient(secure_server, _Credential(token)) as client:  # pyright: ignore[reportArgumentType]
        yield client


def test_create_read_update_delete(client: DataverseClient) -> None:
    contact = client.records.create("contact", {"firstname": "Åse", "lastname": "Holm", "gendercode": "Female"})
    found = client.records.retrieve("contact", contact, select=["fullname", "gendercode", "ava_eradressebeskyttet"])
    assert found is not None
    assert (found["fullname"], found["gendercode"], found["ava_eradressebeskyttet"]) == ("Åse Holm", 2, None)
    client.records.update("contact", contact, {"lastname": None, "ava_eradressebeskyttet": True})
    found = client.records.retrieve("contact", contact)
    assert found is not None
    assert (found["fullname"], found["ava_eradressebeskyttet"]) == ("Åse", True)
    client.records.delete("contact", contact)
    assert client.records.retrieve("contact", contact) is None
    with pytest.raises(HttpError) as refused:
        client.records.update("contact", contact, {"lastname": "Holm"})
    assert (refused.value.status_code, refused.value.details["service_error_code"]) == (404, "0x80040217")


def test_lookups_are_bound_expanded_and_case_sensitive(client: DataverseClient) -> None:
    address = client.records.create("ava_adresse", {"ava_name": "Algade 1", "ava_postnummer": "4000"})
    contact = client.records.create(
        "contact", {"firstname": "Ida", "ava_adresse@odata.bind": f"/ava_adresses({address})"}
    )
    found = client.records.retrieve("contact", contact, expand=["ava_adresse"])
    assert found is not None
    assert found["ava_adresse"]["ava_postnummer"] == "4000"
    assert found["_ava_adresse_value"] == address
    with pytest.raises(HttpError, match="undeclared property 'ava_Adresse'"):
        client.records.update("contact", contact, {"ava_Adresse@odata.bind": f"/ava_adresses({address})"})
    client.records.update("contact", contact, {"ava_adresse": None})
    found = client.records.retrieve("contact", contact)
    assert found is not None
    assert found["_ava_adresse_value"] is None


def test_unknown_columns_and_tables(client: DataverseClient) -> None:
    with pytest.raises(HttpError, match="The property 'ava_findes_ikke' does not exist on type"):
        client.records.create("contact", {"ava_findes_ikke": "x"})
    with pytest.raises(MetadataError):
        client.records.create("ava_findes_ikke", {"ava_name": "x"})


def test_upsert_of_one_and_of_many(client: DataverseClient) -> None:
    client.records.upsert("account", [{"alternate_key": {"ava_kundenummer": "O'1"}, "record": {"name": "first"}}])
    items = [
        {"alternate_key": {"ava_kundenummer": "O'1"}, "record": {"name": "changed"}},
        {"alternate_key": {"ava_kundenummer": "2"}, "record": {"name": "new", "ava_kundetype": "Varme"}},
    ]
    client.records.upsert("account", items)
    found = client.records.list("account", select=["name", "ava_kundenummer", "ava_kundetype"], orderby=["name"])
    assert [(row["name"], row["ava_kundenummer"], row["ava_kundetype"]) for row in found] == [
        ("changed", "O'1", None),
        ("new", "2", 915240001),
    ]


def test_many_rows_hold_together(client: DataverseClient) -> None:
    ids = client.records.create("contact", [{"firstname": f"Ida {n}"} for n in range(5)])
    assert len(set(ids)) == 5
    client.records.update("contact", ids, {"lastname": "Holm"})
    assert {row["lastname"] for row in client.records.list("contact", select=["lastname"])} == {"Holm"}
    with pytest.raises(HttpError) as refused:
        client.records.update("contact", ids[:2], [{"lastname": "Berg"}, {"firstname": "x" * 151}])
    assert refused.value.details["service_error_code"] == "0x80044331"
    assert {row["lastname"] for row in client.records.list("contact", select=["lastname"])} == {"Holm"}


def test_bulk_deletion_is_a_job(client: DataverseClient) -> None:
    ids = client.records.create("contact", [{"firstname": f"Ida {n}"} for n in range(3)])
    assert client.records.delete("contact", ids[:2])
    assert [row["contactid"] for row in client.records.list("contact", select=["firstname"])] == ids[2:]


def test_queries_and_pages(client: DataverseClient) -> None:
    client.records.create("contact", [{"firstname": f"Ida {n}", "gendercode": 1 + n % 2} for n in range(7)])
    pages = list(client.records.list_pages("contact", select=["firstname"], orderby=["firstname desc"], page_size=3))
    assert [[row["firstname"] for row in page] for page in pages] == [
        ["Ida 6", "Ida 5", "Ida 4"],
        ["Ida 3", "Ida 2", "Ida 1"],
        ["Ida 0"],
    ]
    found = client.records.list("contact", filter="gendercode eq 2 and firstname ne 'Ida 1'", select=["gendercode"],
                                include_annotations="*")  # fmt: skip
    assert {row["gendercode@OData.Community.Display.V1.FormattedValue"] for row in found} == {"Female"}
    assert len(list(found)) == 2


def test_a_batch_stops_or_goes_on(client: DataverseClient) -> None:
    for go_on, expected in ((False, [204, 400]), (True, [204, 400, 204, 200])):
        batch = client.batch.new()
        batch.records.create("contact", {"firstname": "Ida"})
        batch.records.create("contact", {"firstname": "x" * 151})
        batch.records.create("contact", {"firstname": "Eva"})
        batch.records.list("contact", filter="firstname eq 'Ida'", select=["firstname"])
        result = batch.execute(continue_on_error=go_on)
        assert [response.status_code for response in result.responses] == expected
    assert result.responses[1].error_code == "0x80044331"
    assert result.responses[3].data is not None
    assert [row["firstname"] for row in result.responses[3].data["value"]] == ["Ida", "Ida"]


def test_change_sets_refer_to_their_rows_and_hold_together(client: DataverseClient) -> None:
    batch = client.batch.new()
    with batch.changeset() as together:
        contact = together.records.create("contact", {"firstname": "Ida"})
        account = together.records.create("account", {"name": "Algade 1"})
        together.records.create(
            "ava_kunderolle", {"ava_aktoer@odata.bind": contact, "ava_kundeforhold@odata.bind": account}
        )
        together.records.update("contact", contact, {"lastname": "Holm"})
    assert [response.status_code for response in batch.execute().responses] == [204] * 4
    (role,) = client.records.list("ava_kunderolle", expand=["ava_aktoer"])
    assert role["ava_aktoer"]["fullname"] == "Ida Holm"

    batch = client.batch.new()
    with batch.changeset() as together:
        together.records.create("contact", {"firstname": "Eva"})
        together.records.create("contact", {"firstname": "x" * 151})
    (refused,) = batch.execute().responses
    assert (refused.status_code, refused.error_code) == (400, "0x80044331")
    assert len(list(client.records.list("contact", select=["firstname"]))) == 1


def test_it_takes_our_refusals_for_dataverses(client: DataverseClient, server: str) -> None:
    client.records.create("contact", {"contactid": row_id(1)})
    with pytest.raises(HttpError) as refused:
        client.records.create("contact", {"contactid": row_id(1)})
    assert (refused.value.status_code, refused.value.details["service_error_code"]) == (412, "0x80040237")
    httpx.post(f"{server}/_behaviour", json={"max_requests": 1})
    client.records.list("contact", select=["firstname"])
    with pytest.raises(HttpError) as refused:
        client.records.list("contact", select=["firstname"])
    assert refused.value.is_transient
    assert refused.value.details["service_error_code"] == "0x80072322"
    assert refused.value.details["retry_after"] > 0
