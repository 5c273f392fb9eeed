"""The clients against the sandbox's own systems over loopback: two implementations that share no wire code."""

import uuid
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Any

import httpx
import polars as pl
import pytest

from integration_assets.cache.engine import embedded_server_url
from integration_assets.clients.address_register import AddressRegister
from integration_assets.clients.company_register import SERVICES as COMPANY_SERVICES
from integration_assets.clients.company_register import CompanyRegister
from integration_assets.clients.dynamics import DynamicsClient, TableName
from integration_assets.clients.dynamics_auth import FormTokens
from integration_assets.clients.http import NotAllowedError, PermanentError, TransientError
from integration_assets.clients.lora import LoraClient
from integration_assets.clients.person_lookup import SERVICES as LOOKUP_SERVICES
from integration_assets.clients.person_lookup import PersonLookupClient
from integration_assets.clients.person_search import SERVICES as SEARCH_SERVICES
from integration_assets.clients.person_search import PersonSearchClient
from integration_assets.clients.person_subscriptions import SERVICES as SUBSCRIPTION_SERVICES
from integration_assets.clients.person_subscriptions import PersonSubscriptionsClient
from integration_assets.clients.soap_auth import InvocationContextAuth, platform_uuid
from integration_assets.domain.people.parties import AddressKey, Company, Person
from integration_assets.domain.tables import ADDRESS_REGISTER
from integration_assets.sandbox import address_files, company_register, lora, person_register, person_subscriptions
from integration_assets.sandbox.store import Store
from integration_assets.sandbox.systems import SandboxOptions
from integration_assets_tests.clients.whole_register import whole_register
from integration_assets_tests.clients.wire import FAST
from integration_assets_tests.sandbox.loopback import running

SETTINGS = {
    "sp_agreement": "11111111-1111-4111-8111-111111111111",
    "sp_user_system": "22222222-2222-4222-8222-222222222222",
    "sp_authority": "33333333-3333-4333-8333-333333333333",
    "address_register_key": "download-key",
    "crm_client_id": "44444444-4444-4444-8444-444444444444",
    "crm_client_secret": "a secret",
}
HOME: dict[str, Any] = {
    "municipality_code": "0461", "street_code": "0012", "house_number": "12B", "floor": "1", "door": "th",
    "postcode": "5000", "district": "Odense C", "street_name": "Prøvegade",
    "unit_id": "0a3f50a0-0000-42b8-8044-0003ba298018", "moved_in": "2015-03-01",
}  # fmt: skip


def a_person(number: str, **changes: Any) -> dict[str, Any]:
    return {
        "pnr": number, "status": "01", "first_name": "Åse", "middle_name": None, "last_name": "Holm",
        "addressing_name": "Åse Holm", "gender": "K", "civil_status": "G", "protected": True,
        "birth_date": "1981-03-13", "address": HOME, "former_addresses": [], **changes,
    }  # fmt: skip


@pytest.fixture(scope="module")
def options(tmp_path_factory: pytest.TempPathFactory) -> SandboxOptions:
    return SandboxOptions(data_dir=tmp_path_factory.mktemp("sandbox"), settings=SETTINGS)


@pytest.fixture(scope="module")
def store(server_dir: Path) -> Iterator[Store]:
    store = Store(embedded_server_url(server_dir, "clients_sandbox"))
    store.put_many(
        "register:person",
        {
            "1303814074": a_person("1303814074"),
            "0101701234": a_person(
                "0101701234",
                birth_date="1970-01-01",
                status="80",
                address=None,
                former_addresses=[{**HOME, "moved_out": "2020-05-06"}],
            ),
        },
    )
    address = {key: HOME[key] for key in HOME if key not in ("unit_id", "moved_in")}
    store.put(
        "register:company",
        "25052943",
        {
            "cvr": "25052943", "name": "Ærø Varme A/S", "business_code": "353000", "company_form": "60",
            "address": address, "ceased": "2020-05-06",
        },
    )  # fmt: skip
    place = {
        "id": str(uuid.UUID(int=1)), "status": 3, "street_name": "Prøvegade", "addressing_street_name": "Prøveg",
        "house_number": "12B", "supplementary_town": None, "postcode": "5000", "district": "Odense C",
        "municipality_code": "0461", "street_code": "0012", "road_id": str(uuid.UUID(int=2)),
        "x": 588123.45, "y": 6139000.5, "longitude": 10.4, "latitude": 55.4,
    }  # fmt: skip
    store.put("register:access", place["id"], place)
    unit = {"id": HOME["unit_id"], "access_id": place["id"], "status": 3, "floor": "1", "door": "th"}
    store.put("register:unit", unit["id"], unit)
    yield store
    store.close()


def caller(service: str, agreement: str = SETTINGS["sp_agreement"]) -> InvocationContextAuth:
    return InvocationContextAuth(
        platform_uuid(service, "service"),
        platform_uuid(agreement, "sp_agreement"),
        platform_uuid(SETTINGS["sp_user_system"], "sp_user_system"),
        platform_uuid(SETTINGS["sp_authority"], "sp_authority"),
        on_behalf_of="integration",
        accounting_info="test",
    )


def test_a_person_is_found_and_an_unknown_one_is_not(store: Store, options: SandboxOptions) -> None:
    with running(person_register.build(store, options)) as url:
        paths = person_register.settings(url, options)
        path = paths["person_register_url"]
        client = PersonLookupClient(path, caller(LOOKUP_SERVICES[5]), policy=FAST)
        found = client.person("1303814074")
        assert client.person("1303814999") is None
        search = PersonSearchClient(paths["person_search_url"], caller(SEARCH_SERVICES[2]), policy=FAST)
        result = search.residents(AddressKey("0012", "12B", "5000", "1", "th"))
        in_municipality = search.residents(AddressKey("0012", "12B", "9999", municipality_code="0461"))
        refused = PersonLookupClient(path, caller(LOOKUP_SERVICES[5], str(uuid.uuid4())), policy=FAST)
        with pytest.raises(NotAllowedError) as caught:
            refused.person("1303814074")
    assert isinstance(found, Person)
    assert (found.number, found.status, found.address_protected) == ("1303814074", "01", True)
    assert found.address is not None
    assert (found.address.street_code, found.address.house_number, found.address.floor, found.address.door) == (
        "0012", "12B", "1", "th",
    )  # fmt: skip
    assert found.address.unit_id == HOME["unit_id"]
    assert "1303814074" not in str(caught.value)
    assert found.birth_date == date(1981, 3, 13)
    assert found.address_from == date(2015, 3, 1)
    assert in_municipality == result
    assert {(hit.house_number, hit.floor, hit.door) for hit in result.hits} == {("12B", "1", "th")}
    assert {hit.protected for hit in result.hits} == {True}
    assert result.complete
    assert {(hit.number, hit.moved_out, hit.birth_date) for hit in result.hits} == {
        ("1303814074", False, date(1981, 3, 13)),
        ("0101701234", True, date(1970, 1, 1)),
    }


def test_a_former_number_leads_to_the_one_in_force_in_both_versions(store: Store, options: SandboxOptions) -> None:
    former = a_person("1303814112", status="60", current_pnr="1303814074", address=None, status_from="2024-05-06")
    store.put("register:person", former["pnr"], former)
    with running(person_register.build(store, options)) as url:
        for version, path in ((5, person_register.LOOKUP_PATH), (4, person_register.FORMER_LOOKUP_PATH)):
            auth = caller(LOOKUP_SERVICES[version])
            found = PersonLookupClient(url + path, auth, version=version, policy=FAST).person("1303814112")
            assert found is not None
            assert (found.number, found.status, found.status_from) == ("1303814074", "60", date(2024, 5, 6))
            assert found.source == f"PersonBaseDataExtended/{version}"


def test_a_block_of_flats_is_asked_for_to_the_end(store: Store, options: SandboxOptions) -> None:
    block = {**HOME, "street_code": "0013", "house_number": "2", "floor": None, "door": None}
    numbers = [f"010170{serial:04d}" for serial in range(1, 136)]
    store.put_many("register:person", {number: a_person(number, address=block) for number in numbers})
    with running(person_register.build(store, options)) as url:
        path = person_register.settings(url, options)["person_search_url"]
        search = PersonSearchClient(path, caller(SEARCH_SERVICES[2]), policy=FAST)
        result = search.residents(AddressKey("0013", "2", "5000"))
    assert sorted(hit.number for hit in result.hits) == numbers
    assert result.complete


def test_subscriptions_are_kept_once(store: Store, options: SandboxOptions) -> None:
    with running(person_subscriptions.build(store, options)) as url:
        path = person_subscriptions.settings(url, options)["person_subscription_url"]
        client = PersonSubscriptionsClient(path, caller(SUBSCRIPTION_SERVICES[1]), policy=FAST)
        for number in ("1303814074", "0101701234", "1303814074"):
            client.add(number)
        assert client.subscribed() == {"1303814074", "0101701234"}
        client.remove("0101701234")
        client.remove("0101701234")
        assert client.subscribed() == {"1303814074"}


def test_a_company_is_found_and_an_unknown_one_is_not(store: Store, options: SandboxOptions) -> None:
    with running(company_register.build(store, options)) as url:
        path = company_register.settings(url, options)["company_register_url"]
        client = CompanyRegister(path, caller(COMPANY_SERVICES[2]), policy=FAST)
        found = client.company("25052943")
        assert client.company("10000000") is None
    assert isinstance(found, Company)
    assert (found.name, found.business_code, found.company_form) == ("Ærø Varme A/S", "353000", "60")
    assert found.ceased_on == date(2020, 5, 6)
    assert found.address is not None
    assert (found.address.house_number, found.address.postcode, found.address.door) == ("12B", "5000", "th")


def test_the_address_register_is_downloaded(store: Store, options: SandboxOptions, tmp_path: Path) -> None:
    with running(address_files.build(store, options)) as url:
        client = AddressRegister(url, SETTINGS["address_register_key"], policy=FAST)
        assert client.generation() >= 1
        frame, _homeless = whole_register(client, tmp_path)
        with pytest.raises(PermanentError):
            AddressRegister(url, "wrong", policy=FAST).generation()
    assert frame.schema == ADDRESS_REGISTER.schema
    assert sorted(frame["kind"]) == ["access", "unit"]
    assert frame.filter(pl.col("kind") == "unit").row(0, named=True) == {
        "address_id": HOME["unit_id"], "municipality_code": "0461", "kind": "unit", "access_id": str(uuid.UUID(int=1)),
        "street_name": "Prøvegade", "short_street_name": "Prøveg", "street_code": "0012", "house_number": "12B",
        "floor": "1", "door": "th", "supplementary_town": None, "postcode": "5000", "district": "Odense C", "status": 3,
        "easting": 588123.45, "northing": 6139000.5,
    }  # fmt: skip


def a_user(name: str, *urns: str) -> dict[str, Any]:
    always = {"from": "2020-01-01T00:00:00+01:00", "to": "infinity"}
    return {
        "attributter": {"brugeregenskaber": [{"brugervendtnoegle": "1", "brugernavn": name, "virkning": always}]},
        "tilstande": {"brugergyldighed": [{"gyldighed": "Aktiv", "virkning": always}]},
        "relationer": {"adresser": [{"urn": urn, "virkning": always} for urn in urns]},
    }


def test_objects_are_put_read_and_revived_in_the_registry(store: Store, options: SandboxOptions) -> None:
    first, second, unknown = (str(uuid.uuid4()) for _ in range(3))
    with running(lora.build(store, options)) as url:
        client = LoraClient(url, policy=FAST)
        client.put("organisation/bruger", first, a_user("Åse", "urn:a"))
        client.put("organisation/bruger", second, a_user("Bo", "urn:b"))
        client.put("organisation/bruger", second, a_user("Bo", "urn:c"))
        with pytest.raises(PermanentError):
            client.put("organisation/bruger", first, {"attributter": {}})
        found = client.read_many("organisation/bruger", [first, second, unknown])
        assert sorted(found) == sorted([first, second])
        assert [address["urn"] for address in addresses(found[second])] == ["urn:c"]

        httpx.delete(f"{url}/organisation/bruger/{first}").raise_for_status()
        assert sorted(client.read_many("organisation/bruger", [first, second])) == [second]
        assert client.ended("organisation/bruger", [first, second, unknown]) == {first}
        client.put("organisation/bruger", first, {**a_user("Åse"), "relationer": {}}, revive=True)
        revived = client.read_many("organisation/bruger", [first])[first]
        assert addresses(revived) == []
        assert client.ended("organisation/bruger", [first]) == frozenset()
        assert "/organisation/bruger" in " ".join(client.get_site_map())


def addresses(item: dict[str, Any]) -> list[dict[str, Any]]:
    return item["registreringer"][0].get("relationer", {}).get("adresser", [])


CONTACTS = TableName("contacts", "contact", "contactid")
ACCOUNTS = TableName("accounts", "account", "accountid")
AGREEMENTS = TableName("ava_aftales", "ava_aftale", "ava_aftaleid")


def test_rows_are_written_read_and_linked_in_the_crm(store: Store, options: SandboxOptions) -> None:
    dataverse = pytest.importorskip("integration_assets.sandbox.dataverse")
    ids = [str(uuid.uuid4()) for _ in range(4)]
    with running(dataverse.build(store, options)) as url:
        tokens = FormTokens(
            f"{url}/oauth2/v2.0/token",
            SETTINGS["crm_client_id"],
            SETTINGS["crm_client_secret"],
            f"{url}/.default",
            policy=FAST,
        )
        client = DynamicsClient(url, tokens, batch_size=3, policy=FAST)
        assert set(client.who_am_i()) >= {"UserId", "BusinessUnitId", "OrganizationId"}
        rows = [{"contactid": row_id, "lastname": f"Ærø {row_id[:4]}", "emailaddress1": None} for row_id in ids]
        assert [outcome.ok for outcome in client.upsert(CONTACTS, rows)] == [True] * 4
        assert [outcome.ok for outcome in client.upsert(CONTACTS, rows, known=ids)] == [True] * 4

        rows[1]["lastname"] = "x" * 5000
        outcomes = client.upsert(CONTACTS, rows)
        assert [outcome.ok for outcome in outcomes] == [True, False, True, True]
        assert (outcomes[1].code, outcomes[1].permanent) == ("0x80044331", True)

        found = client.select(CONTACTS, ["lastname"], [*ids, str(uuid.uuid4())])
        assert sorted(found) == sorted(ids)
        assert found[ids[1]]["lastname"] == f"Ærø {ids[1][:4]}"
        assert {row["contactid"] for row in client.query("contacts", ["contactid"], page_size=2)} >= set(ids)

        agreement = {"ava_aftaleid": ids[0], "ava_name": "Varme"}
        assert [outcome.ok for outcome in client.upsert(AGREEMENTS, [agreement])] == [True]
        pairs = [(ids[0], ids[0]), (ids[1], ids[0])]
        for _ in range(2):
            linked = client.link("contacts", "ava_aktoerens_aftaler", "ava_aftales", pairs)
            assert [outcome.ok for outcome in linked] == [True, True], linked
        for _ in range(2):
            parted = client.unlink("contacts", "ava_aktoerens_aftaler", "ava_aftales", pairs)
            assert [outcome.ok for outcome in parted] == [True, True], parted


def test_a_system_that_is_away_is_transient(store: Store, options: SandboxOptions) -> None:
    with running(lora.build(store, options)) as url:
        pass
    with pytest.raises(TransientError):
        LoraClient(url, policy=FAST).read_many("organisation/bruger", [str(uuid.uuid4())])
