"""The comparison of registry and CRM with the truth: what stands there over time, and what protection keeps away."""

import copy
import json
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from integration_assets.cache.engine import embedded_server_url
from integration_assets.sandbox import dataverse, lora
from integration_assets.sandbox.store import Store
from integration_assets.sandbox.systems import SandboxOptions
from integration_assets.sandbox.verify_crm import compare_crm
from integration_assets.sandbox.verify_lora import compare_registry
from integration_assets_tests.sandbox.loopback import running

Json = dict[str, Any]
ACTOR = "11111111-1111-4111-8111-111111111111"
HOME, AWAY, SEAT = (f"0a3f50a0-0000-42b8-8044-00000000000{each}" for each in "123")
OLD, NEW, COMPANY = "0102804411", "0102804433", "25112233"
EMPTY: Json = {"accounts": {}, "agreements": {}, "installations": {}, "addresses": {}, "roles": [], "links": []}
PERSON: Json = {
    "user_key": "200001", "name": "Åse Bæk", "kmd_name": "Åse Bæk", "first_name": "Åse", "middle_name": None,
    "last_name": "Holm", "gender": "K", "civil_status": "G", "protected": True, "business_code": None,
    "company_form": None, "master_id": "7", "phone": "86123456", "mobile": None, "email": None, "address_id": None,
    "shown_address_id": None, "kind": "person", "primary_email": None, "ended_on": "2026-03-02",
    "history": {
        "last_name": [[None, "Bæk"], ["2026-02-20", "Skov"], ["2026-02-25", "Holm"]],
        "protected": [[None, False], ["2026-03-01", True], ["2026-04-01", False]],
        "address_id": [[None, HOME], ["2026-03-02", None]],
        "number": [[None, OLD], ["2026-02-27", NEW]],
    },
}  # fmt: skip
FIRM: Json = {
    **dict.fromkeys(PERSON),
    "user_key": "200002", "name": "Holms Bageri A/S", "kmd_name": "Bæks Bageri", "business_code": "471110",
    "company_form": "60", "address_id": AWAY, "shown_address_id": AWAY, "kind": "company",
    "history": {
        "name": [[None, "Bæks Bageri ApS"], ["2026-02-26", "Holms Bageri A/S"]],
        "company_form": [[None, "80"], ["2026-02-28", "60"]],
        "business_code": [[None, "107110"], ["2026-02-24", "471110"]],
        "address_id": [[None, SEAT], ["2026-03-02", AWAY]],
    },
}  # fmt: skip


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    store = Store(embedded_server_url(tmp_path_factory.mktemp("verify"), "sandbox"))
    yield store
    store.close()


@pytest.fixture(scope="module")
def lora_url(store: Store) -> Iterator[str]:
    with running(lora.build(store, SandboxOptions(Path("unused")))) as url:
        yield url


@pytest.fixture(scope="module")
def crm(store: Store) -> Iterator[dict[str, str]]:
    given = {"crm_client_id": "the-client", "crm_client_secret": "the-secret"}
    options = SandboxOptions(Path("unused"), settings=given)
    with running(dataverse.build(store, options)) as url:
        yield {**given, **dataverse.settings(url, options)}


def truth(**contacts: Json) -> Json:
    named = {number.removeprefix("n"): contact for number, contact in contacts.items()}
    return {**EMPTY, "as_of": "2026-03-03", "contacts": named, "withheld_addresses": []}


def during(start: str | None, end: str | None, **item: str) -> Json:
    """An item with its validity; days are Copenhagen's, which was an hour ahead before 29 March 2026."""
    moments = {"2026-04-01": "2026-04-01T00:00:00+02:00"}
    first, last = (moments.get(day, f"{day}T00:00:00+01:00") if day else None for day in (start, end))
    virkning = {"from": first or "-infinity", "to": last or "infinity"}
    return {**item, "virkning": {**virkning, "aktoerref": ACTOR, "aktoertypekode": "Bruger"}}


def attributes(start: str | None, end: str | None, last: str, protected: bool) -> Json:
    said = {
        "ava_fornavn": "Åse",
        "ava_efternavn": last,
        "ava_koen": "K",
        "ava_civilstand": "G",
        "ava_kmdnavn": "Åse Bæk",
        "ava_masterid": "7",
        "ava_adressebeskyttelse": protected,
    }
    text = json.dumps(said)
    return during(start, end, brugervendtnoegle="200001", brugernavn="Åse Bæk", integrationsdata=text)


BRUGER: Json = {
    "attributter": {
        "brugeregenskaber": [
            attributes(None, "2026-02-20", "Bæk", False),
            attributes("2026-02-20", "2026-02-25", "Skov", False),
            attributes("2026-02-25", "2026-03-01", "Holm", False),
            attributes("2026-03-01", "2026-04-01", "Holm", True),
            attributes("2026-04-01", None, "Holm", False),
        ]
    },
    "tilstande": {
        "brugergyldighed": [
            during(None, "2026-03-02", gyldighed="Aktiv"),
            during("2026-03-02", None, gyldighed="Inaktiv"),
        ]
    },
    "relationer": {
        "adresser": [during(None, None, urn="urn:tel:86123456"), during(None, "2026-03-02", uuid=HOME)],
        "tilknyttedepersoner": [
            during(None, "2026-02-27", urn=f"urn:{OLD}"),
            during("2026-02-27", None, urn=f"urn:{NEW}"),
        ],
    },
}


def put(lora_url: str, body: Json) -> None:
    path = f"{lora_url}/organisation/bruger/{uuid.UUID(int=1)}"
    httpx.put(path, json=body).raise_for_status()


def said(lora_url: str, wanted: Json) -> list[str]:
    return [str(each) for each in compare_registry(lora_url, wanted)]


def test_a_person_with_a_history_is_as_the_truth_says(store: Store, lora_url: str) -> None:
    store.clear()
    put(lora_url, BRUGER)
    assert said(lora_url, truth(**{f"n{NEW}": PERSON})) == []


def test_a_wrong_day_shows_on_the_days_around_it(store: Store, lora_url: str) -> None:
    store.clear()
    body = copy.deepcopy(BRUGER)
    pieces = body["attributter"]["brugeregenskaber"]
    pieces[0], pieces[1] = (
        attributes(None, "2026-02-21", "Bæk", False),
        attributes("2026-02-21", "2026-02-25", "Skov", False),
    )
    del pieces[4]
    body["relationer"]["adresser"][1] = during(None, "2026-03-01", uuid=HOME)
    put(lora_url, body)
    assert said(lora_url, truth(**{f"n{NEW}": PERSON})) == [
        "LoRa contact of customer number 200001: last_name on 2026-02-20 is 'Bæk' and should be 'Skov'",
        f"LoRa contact of customer number 200001: address_id on 2026-03-01 is None and should be '{HOME}'",
    ]


def test_a_missing_end_of_life_and_an_old_number_show_without_the_number(store: Store, lora_url: str) -> None:
    store.clear()
    body = copy.deepcopy(BRUGER)
    body["tilstande"]["brugergyldighed"] = [during(None, None, gyldighed="Aktiv")]
    body["relationer"]["tilknyttedepersoner"] = [during(None, None, urn=f"urn:{NEW}")]
    put(lora_url, body)
    found = said(lora_url, truth(**{f"n{NEW}": PERSON}))
    assert found == [
        "LoRa contact of customer number 200001: active is (None, None) and should be (None, '2026-03-02')",
        "LoRa contact of customer number 200001: inactive is None and should be ('2026-03-02', None)",
        "LoRa contact of customer number 200001: number on 2026-02-26 is 'another' and should be 'as registered'",
    ]
    body["relationer"]["tilknyttedepersoner"] = [during(None, None, urn=f"urn:{OLD}")]
    put(lora_url, body)
    found = said(lora_url, truth(**{f"n{NEW}": PERSON}))
    assert found == ["LoRa contact 010280-xxxx: stands there and should not",
                     "LoRa contact of customer number 200001: is missing"]  # fmt: skip


def test_a_company_with_a_history_is_as_the_truth_says(store: Store, lora_url: str) -> None:
    """A single relation has one item in a body: the later periods are laid over it afterwards."""
    store.clear()
    extension = json.dumps({"ava_kmdnavn": "Bæks Bageri"})
    named: Json = {"brugervendtnoegle": "200002", "integrationsdata": extension}
    path = f"{lora_url}/organisation/organisation/{uuid.UUID(int=2)}"
    body: Json = {
        "attributter": {
            "organisationegenskaber": [
                during(None, "2026-02-26", organisationsnavn="Bæks Bageri ApS", **named),
                during("2026-02-26", None, organisationsnavn="Holms Bageri A/S", **named),
            ]
        },
        "tilstande": {"organisationgyldighed": [during(None, None, gyldighed="Aktiv")]},
        "relationer": {
            "virksomhed": [during(None, None, urn=f"urn:{COMPANY}")],
            "virksomhedstype": [during(None, None, urn="urn:80")],
            "branche": [during(None, None, urn="urn:107110")],
            "adresser": [during(None, "2026-03-02", uuid=SEAT), during("2026-03-02", None, uuid=AWAY)],
        },
    }
    httpx.put(path, json=body).raise_for_status()
    later = {"virksomhedstype": [during("2026-02-28", None, urn="urn:60")]}
    httpx.patch(path, json={"relationer": later}).raise_for_status()
    assert said(lora_url, truth(n25112233=FIRM)) == [
        "LoRa contact of customer number 200002: business_code is '107110' and should be '471110'",
        "LoRa contact of customer number 200002: business_code on 2026-02-24 is '107110' and should be '471110'",
    ]
    later = {"branche": [during("2026-02-24", None, urn="urn:471110")]}
    httpx.patch(path, json={"relationer": later}).raise_for_status()
    assert said(lora_url, truth(n25112233=FIRM)) == []


def test_the_crm_must_not_show_where_a_protected_person_lives(store: Store, crm: dict[str, str]) -> None:
    store.clear()
    form = {"grant_type": "client_credentials", "scope": crm["crm_scope"]}
    form |= {"client_id": crm["crm_client_id"], "client_secret": crm["crm_client_secret"]}
    token = httpx.post(crm["crm_token_url"], data=form).json()["access_token"]
    person = {**PERSON, "address_id": HOME, "history": {}, "ended_on": None}
    wanted = {**truth(**{f"n{NEW}": person}), "withheld_addresses": [HOME]}
    contact: Json = {
        "firstname": "Åse", "lastname": "Holm", "gendercode": 2, "ava_cpr_nummer": NEW, "ava_kmdeemasterid": "7",
        "ava_fastnetkmdee": "86123456", "ava_eradressebeskyttet": True,
    }  # fmt: skip
    root = f"{crm['crm_url']}/api/data/v9.2"
    with httpx.Client(base_url=root, headers={"Authorization": f"Bearer {token}"}) as client:
        client.post("/contacts", json=contact).raise_for_status()
        assert compare_crm(crm, wanted) == []
        client.post("/ava_adresses", json={"ava_adresseid": HOME, "ava_name": "Prøvegade 1"}).raise_for_status()
        alone = "stands there though only a protected person is registered at it"
        assert [str(each) for each in compare_crm(crm, wanted)] == [f"CRM address {HOME}: {alone}"]
        row = client.get("/contacts").json()["value"][0]["contactid"]
        link = {"ava_adresse@odata.bind": f"/ava_adresses({HOME})"}
        client.patch(f"/contacts({row})", json=link).raise_for_status()
    shown = f"_ava_adresse_value is '{HOME}' and should be None"
    assert f"CRM contact of customer number 200001: {shown}" in [str(each) for each in compare_crm(crm, wanted)]
