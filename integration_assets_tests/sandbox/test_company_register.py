"""The company register of the sandbox, asked with envelopes written by hand.

Expected values come from the public contract of CVR Online 2: names, namespaces, order and forms of fields. All
companies are invented.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from integration_assets.cache.engine import embedded_server_url
from integration_assets.sandbox import company_register
from integration_assets.sandbox.store import Store
from integration_assets.sandbox.systems import SandboxOptions
from integration_assets_tests.sandbox.handmade_soap import AGREEMENT, body_of, context, fault_of, send, tree
from integration_assets_tests.sandbox.loopback import running

COMPANY_SERVICE = "c0daecde-e278-43b7-84fd-477bfeeea027"
PERSON_SERVICE = "4925d7a0-1b5b-11ec-bdc6-b312b83236d4"
C = "{http://rep.oio.dk/eogs/xml.schema/}"

SEAT: dict[str, Any] = {
    "municipality_code": "0461", "street_code": "0012", "house_number": "7C", "floor": "1", "door": "th",
    "postcode": "5000", "district": "Odense C", "street_name": "Prøvegade",
}  # fmt: skip
COMPANIES = [
    {
        "cvr": "10150817", "name": "Prøve & Søn A/S", "business_code": "353000", "company_form": "060", "ceased": None,
        "address": SEAT,
    },
    {
        "cvr": "20150818", "name": "Ophørt ApS", "business_code": None, "company_form": None, "ceased": "2019-06-30",
        "address": None,
    },
]  # fmt: skip


@pytest.fixture(scope="module")
def companies_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    store = Store(embedded_server_url(tmp_path_factory.mktemp("companies"), "sandbox"))
    store.put_many("register:company", {row["cvr"]: row for row in COMPANIES})
    options = SandboxOptions(data_dir=Path("unused"), settings={"sp_agreement": AGREEMENT})
    with running(company_register.build(store, options)) as url:
        yield url
    store.close()


def get_legal_unit(url: str, number: str, level: str = ' level="10"', service: str = COMPANY_SERVICE) -> httpx.Response:
    request = (
        f'<m:GetLegalUnitRequest xmlns:m="http://rep.oio.dk/eogs/xml/2/">{context(service)}'
        f'<w:GetLegalUnitRequest xmlns:w="http://rep.oio.dk/eogs/xml.wsdl/"{level}>'
        f'<x:LegalUnitIdentifier xmlns:x="{C[1:-1]}">{number}</x:LegalUnitIdentifier>'
        "</w:GetLegalUnitRequest></m:GetLegalUnitRequest>"
    )
    return send(url + "/service/CVR/Online/2", request, "http://rep.oio.dk/eogs/xml.wsdl/2/getLegalUnit")


def test_company_look_up_gives_the_elements_of_the_contract(companies_url: str) -> None:
    response = body_of(get_legal_unit(companies_url, "10150817"))
    assert response.tag == "{http://rep.oio.dk/eogs/xml/2/}GetLegalUnitResponse"
    (inner,) = response
    assert inner.tag == "{http://rep.oio.dk/eogs/xml.wsdl/}GetLegalUnitResponse"
    (unit,) = inner
    assert unit.tag == f"{C}LegalUnit"
    assert tree(unit) == {
        "LegalUnitIdentifier": "10150817",
        "LegalUnitName": {"name": "Prøve & Søn A/S"},
        "AdvertisingProtectionIndicator": "false",
        "ExporterIndicator": "false",
        "ImporterIndicator": "false",
        "Lifecycle": {"StartDate": "2000-01-01"},
        "AddressOfficial": {
            "AddressAccess": {"MunicipalityCode": "0461", "StreetCode": "0012", "StreetBuildingIdentifier": "7C"},
            "AddressPostalExtended": {
                "StreetName": "Prøvegade",
                "StreetBuildingIdentifier": "7C",
                "FloorIdentifier": "1",
                "SuiteIdentifier": "th",
                "PostCodeIdentifier": "5000",
                "DistrictName": "Odense C",
            },
            "CountryIdentificationCode": "DK",
        },
        "ActivityInformation": {"MainActivity": {"ActivityCode": "353000"}},
        "BusinessFormat": {"BusinessFormatCode": "60", "DataSupplierIdentifier": "E&S", "MunicipalCommunity": "false"},
    }
    access = unit.find(f"{C}AddressOfficial/{{http://rep.oio.dk/xkom.dk/xml/schemas/2005/03/15/}}AddressAccess")
    assert access.findtext("{http://rep.oio.dk/cpr.dk/xml/schemas/core/2005/03/18/}StreetCode") == "0012"


def test_ceased_company_without_address(companies_url: str) -> None:
    unit = tree(body_of(get_legal_unit(companies_url, "20150818"))[0][0])
    assert unit["Lifecycle"]["CessationDate"] == "2019-06-30"
    assert unit["AddressOfficial"] == {"CountryIdentificationCode": "DK"}
    assert not {"ActivityInformation", "BusinessFormat"} & set(unit)


def test_unknown_company_is_a_fault_of_the_source_behind(companies_url: str) -> None:
    text, code = fault_of(get_legal_unit(companies_url, "30150819"))
    assert "/virksomhed/CVRNummer" in text
    assert code is None, "the contract of this service declares no fault"


def test_company_requests_outside_the_contract_are_refused(companies_url: str) -> None:
    assert "level" in fault_of(get_legal_unit(companies_url, "10150817", level=""))[0]
    assert "eight digits" in fault_of(get_legal_unit(companies_url, "01508170"))[0]
    assert fault_of(get_legal_unit(companies_url, "10150817", service=PERSON_SERVICE))[1] == "UnknownService"
