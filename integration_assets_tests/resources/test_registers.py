"""How the registers are opened from the settings: common values, what differs for a service, and what is wrong."""

import json
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PrivateFormat
from pydantic import ValidationError

from integration_assets.clients.http import NotAllowedError
from integration_assets.domain.people.parties import AddressKey
from integration_assets.domain.people.ports import CompanyLookup, PersonLookup, PersonSearch
from integration_assets.resources.registers import certificate_warning, open_registers, platform_tls, service_access
from integration_assets.settings import MissingSetting, Settings
from integration_assets_tests.clients.certificates import Authority, demanding
from integration_assets_tests.clients.soap_replies import context_in, envelope, found_rows, xml
from integration_assets_tests.clients.wire import Reply, Seen, serving

V4 = "http://serviceplatformen.dk/xml/wsdl/soap11/CPR/PersonBaseDataExtended/4/"
SUBSCRIBED = '<GetAllFiltersResponse xmlns="http://serviceplatformen.dk/xml/wsdl/soap11/CprSubscriptionService/1/"/>'
COMMON: dict[str, Any] = {
    "person_register_url": "http://127.0.0.1:1/person",
    "person_search_url": "http://127.0.0.1:1/search",
    "company_register_url": "http://127.0.0.1:1/company",
    "sp_agreement": "AAAAAAAA-0000-4000-8000-000000000001",
    "sp_user_system": "bbbbbbbb-0000-4000-8000-000000000002",
    "sp_authority": "cccccccc-0000-4000-8000-000000000003",
    "http_attempts": 1,
}
OTHER = "DDDDDDDD-0000-4000-8000-000000000004"


@pytest.fixture(autouse=True)
def _bare_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    for name in Settings.model_fields:
        monkeypatch.delenv(f"INTEGRATION_{name.upper()}", raising=False)
    monkeypatch.delenv("INTEGRATION_SETTINGS_FILE", raising=False)


def settings_with(**changes: Any) -> Settings:
    return Settings(**{**COMMON, **changes})


def test_common_values_serve_every_service() -> None:
    access = service_access(settings_with(), "person_search")
    assert (access.endpoint, access.version, access.timeout_s) == ("http://127.0.0.1:1/search", 2, 30.0)
    assert access.auth.service_agreement == "aaaaaaaa-0000-4000-8000-000000000001"
    assert access.auth.service == "6538f113-b1e6-4b21-8fe1-28b7bf78a1bd"
    assert access.auth.tls is True


def test_a_service_may_differ_in_anything() -> None:
    own: dict[str, Any] = {
        "endpoint": "http://127.0.0.1:2/elsewhere",
        "version": 4,
        "service": OTHER,
        "agreement": "eeeeeeee-0000-4000-8000-000000000005",
        "user_system": "eeeeeeee-0000-4000-8000-000000000006",
        "authority": "eeeeeeee-0000-4000-8000-000000000007",
        "timeout_seconds": 7,
    }
    settings = settings_with(sp_services={"person_lookup": own}, sp_on_behalf_of="x", sp_accounting_info="y")
    access = service_access(settings, "person_lookup")
    assert (access.endpoint, access.version, access.timeout_s) == ("http://127.0.0.1:2/elsewhere", 4, 7.0)
    assert (access.auth.service, access.auth.service_agreement, access.auth.user_system, access.auth.user) == (
        OTHER.lower(), own["agreement"], own["user_system"], own["authority"],
    )  # fmt: skip
    assert (access.auth.on_behalf_of, access.auth.accounting_info) == ("x", "y")
    assert service_access(settings, "company_lookup").auth.service_agreement == COMMON["sp_agreement"].lower()


def test_the_version_of_the_person_look_up_brings_its_uuid() -> None:
    four = service_access(settings_with(person_register_version=4), "person_lookup")
    five = service_access(settings_with(), "person_lookup")
    assert (four.version, four.auth.service) == (4, "e6be2436-bf35-4df2-83fe-925142825dc2")
    assert (five.version, five.auth.service) == (5, "4925d7a0-1b5b-11ec-bdc6-b312b83236d4")


def test_the_mapping_comes_as_json_from_environment_and_settings_file(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    text = json.dumps({"company_lookup": {"timeout_seconds": 5}})
    monkeypatch.setenv("INTEGRATION_SP_SERVICES", text)
    monkeypatch.setenv("INTEGRATION_PERSON_REGISTER_VERSION", "4")
    settings = settings_with()
    assert service_access(settings, "company_lookup").timeout_s == 5.0
    assert service_access(settings, "person_lookup").version == 4
    monkeypatch.delenv("INTEGRATION_SP_SERVICES")
    for value in (text, json.loads(text)):
        (tmp_path / "file.json").write_text(json.dumps({"settings": {"sp_services": value}}))
        monkeypatch.setenv("INTEGRATION_SETTINGS_FILE", str(tmp_path / "file.json"))
        assert service_access(settings_with(), "company_lookup").timeout_s == 5.0


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"sp_agreement": "not a uuid"}, "sp_agreement"),
        ({"sp_user_system": COMMON["sp_user_system"][:-1]}, "sp_user_system"),
        ({"sp_services": {"person_search": {"authority": "x"}}}, "sp_services: person_search.authority"),
        ({"sp_services": {"person_search": {"service": "x"}}}, "sp_services: person_search.service"),
        ({"sp_services": {"person_search": {"version": 3}}}, "sp_services: person_search.version"),
    ],
)
def test_a_value_that_cannot_be_right_is_named(changes: dict[str, Any], named: str) -> None:
    with pytest.raises(ValueError, match=f"Setting {named} "):
        service_access(settings_with(**changes), "person_search")


@pytest.mark.parametrize("missing", ["sp_agreement", "sp_user_system", "sp_authority", "company_register_url"])
def test_a_missing_value_is_named(missing: str) -> None:
    with pytest.raises(MissingSetting, match=f"INTEGRATION_{missing.upper()}"):
        open_registers(settings_with(**{missing: None}))


@pytest.mark.parametrize("wrong", [{"person_serch": {}}, {"person_search": {"agrement": OTHER}}, "not json"])
def test_a_misspelled_mapping_is_named_when_it_is_read(wrong: object) -> None:
    with pytest.raises(ValidationError, match="sp_services"):
        settings_with(sp_services=wrong)


def test_certificate_files_that_cannot_be_used_are_named(tmp_path: Path) -> None:
    (tmp_path / "bad.pem").write_text("no certificate")
    for changes in ({"sp_certificate": tmp_path / "none.pem"}, {"sp_ca": tmp_path / "bad.pem"}):
        with pytest.raises(ValueError, match="sp_certificate and sp_ca") as caught:
            platform_tls(settings_with(**changes))
        assert str(tmp_path) not in str(caught.value)


def test_each_service_is_asked_in_its_own_name() -> None:
    def script(seen: Seen) -> Reply:
        return {
            "/person": xml(f'<PersonLookupResponse xmlns="{V4}"><persondata/></PersonLookupResponse>'),
            "/search": found_rows(""),
            "/company": xml('<GetLegalUnitResponse xmlns="http://rep.oio.dk/eogs/xml/2/"/>'),
            "/subscription": xml(SUBSCRIBED),
        }[seen.path]

    with serving(script) as server:
        urls: dict[str, Any] = {name: f"{server.url}{COMMON[name][18:]}" for name in COMMON if name.endswith("_url")}
        settings = settings_with(
            **urls,
            person_register_version=4,
            person_subscription_url=f"{server.url}/subscription",
            sp_services={"company_lookup": {"agreement": OTHER}},
        )
        registers = open_registers(settings)
        lookup: PersonLookup = registers
        search: PersonSearch = registers
        companies: CompanyLookup = registers
        person = lookup.person("0101701234")
        assert person is not None
        assert person.source == "PersonBaseDataExtended/4"
        assert search.residents(AddressKey("0001", "1", "5000")).complete
        assert companies.company("25052943") is None
        assert registers.subscriptions is not None
        assert registers.subscriptions.subscribed() == frozenset()
        registers.close()
    contexts = {seen.path: context_in(seen) for seen in server.seen}
    assert {path: context["ServiceUUID"] for path, context in contexts.items()} == {
        "/person": "e6be2436-bf35-4df2-83fe-925142825dc2",
        "/search": "6538f113-b1e6-4b21-8fe1-28b7bf78a1bd",
        "/company": "c0daecde-e278-43b7-84fd-477bfeeea027",
        "/subscription": "9cdccc2f-3243-11e2-8fef-d4bed98c5934",
    }
    agreements = {path: context["ServiceAgreementUUID"][:8] for path, context in contexts.items()}
    assert agreements == dict.fromkeys(contexts, "aaaaaaaa") | {"/company": "dddddddd"}


def test_without_an_address_there_are_no_subscriptions() -> None:
    assert open_registers(settings_with()).subscriptions is None
    elsewhere = {"person_subscriptions": {"endpoint": "http://127.0.0.1:1/subscription"}}
    assert open_registers(settings_with(sp_services=elsewhere)).subscriptions is not None


def test_the_certificate_of_the_settings_is_shown(tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    answer = envelope(f'<PersonLookupResponse xmlns="{V4}"><persondata/></PersonLookupResponse>')
    with demanding(authority.issue("server"), authority.ca, answer) as url:
        settings = settings_with(person_register_url=url, sp_certificate=authority.issue("us"), sp_ca=authority.ca)
        assert open_registers(settings).person("0101701234") is not None


def test_without_an_address_search_nobody_can_be_completed_and_all_else_works() -> None:
    registers = open_registers(settings_with(person_search_url=None))
    with pytest.raises(NotAllowedError, match="person_search_url"):
        registers.residents(AddressKey("0866", "1", "9240"))
    registers.close()


def test_a_key_with_a_passphrase_is_refused_and_nobody_asked(tmp_path: Path) -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    issued = Authority(tmp_path).issue("us").read_bytes()
    certificate = issued[issued.index(b"-----BEGIN CERTIFICATE") :]
    sealed = key.private_bytes(
        Encoding.PEM, PrivateFormat.PKCS8, serialization.BestAvailableEncryption(b"a passphrase")
    )
    (tmp_path / "sealed.pem").write_bytes(sealed + certificate)
    with pytest.raises(ValueError, match="sp_certificate and sp_ca"):
        platform_tls(settings_with(sp_certificate=tmp_path / "sealed.pem"))


def test_a_certificate_is_warned_of_a_month_before_its_end(tmp_path: Path) -> None:
    issued = Authority(tmp_path).issue("us", datetime(2027, 3, 31, 12, tzinfo=UTC))
    settings = settings_with(sp_certificate=issued)
    assert certificate_warning(settings, date(2027, 2, 28)) is None
    told = certificate_warning(settings, date(2027, 3, 1))
    assert told is not None
    assert "sp_certificate) ends on 2027-03-31" in told
    assert certificate_warning(settings_with(), date(2027, 3, 1)) is None
