"""The look-up of one person: both versions of the contract, the register's own days, and what nobody asked for.

Expected values come from the public contract of PersonBaseDataExtended (SF1520), versions 4 and 5.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from lxml import etree

from integration_assets.cache.engine import embedded_server_url
from integration_assets.sandbox import person_register
from integration_assets.sandbox.register_surplus import relatives, shown
from integration_assets.sandbox.register_switches import Switches, switch
from integration_assets.sandbox.store import Store
from integration_assets.sandbox.systems import SandboxOptions
from integration_assets.sandbox.town_numbers import passes_cpr_check
from integration_assets_tests.sandbox.handmade_registers import FORMER_PERSON_SERVICE, HOME, P, look_up, person
from integration_assets_tests.sandbox.handmade_soap import AGREEMENT, body_of, fault_of, tree
from integration_assets_tests.sandbox.loopback import running

# The order in which the contract names what persondata may hold.
PERSON_ORDER = [
    "personnummer", "gaeldendePersonnummer", "navn", "foedselsdato", "foedselsregistreringsOplysninger", "startdato",
    "slutdato", "alder", "koen", "antalBoernUnder18", "stilling", "DeltBopælMarkering", "DeltBopælStartDato", "status",
    "separation", "civilstand", "statsborgerskab", "umyndiggoerelse", "forsvindingsdato", "adressebeskyttelse",
    "vejviserbeskyttelse", "markedsfoeringsbeskyttelse", "tilmeldtNemsms", "tilmeldtDigitalpost",
]  # fmt: skip
FULL = person(
    "1303814002", "Åse Møller Prøve", status_from="1999-02-03", name_from="2005-06-07", civil_status_from="2010-08-09",
    protected=True, protected_from="2026-01-02", protected_until="2027-01-02",
)  # fmt: skip
REPLACED = person(
    "0102704003", "Bo Prøve", status="60", status_from="2026-02-03", current_pnr="0102704009", address=None,
    former_addresses=[{**HOME, "moved_out": "2026-02-03"}],
)  # fmt: skip
GONE = person("0607504005", "Dan Prøve", status="80", status_from="2026-01-11", emigrated_on="2026-01-10", address=None)
DEAD = person(
    "0809404006", "Finn Prøve", status="90", birth_date="1940-09-08", status_from="2026-01-20", address=None,
)  # fmt: skip
FORMER = {"version": 4, "service": FORMER_PERSON_SERVICE}


@pytest.fixture(scope="module")
def store(server_dir: Path) -> Iterator[Store]:
    store = Store(embedded_server_url(server_dir, "person_answer"))
    store.put_many("register:person", {row["pnr"]: row for row in (FULL, REPLACED, GONE, DEAD)})
    yield store
    store.close()


@pytest.fixture(scope="module")
def url(store: Store) -> Iterator[str]:
    options = SandboxOptions(data_dir=Path("unused"), settings={"sp_agreement": AGREEMENT})
    with running(person_register.build(store, options)) as address:
        yield address


@pytest.fixture(autouse=True)
def friendly(store: Store) -> None:
    store.clear("register:switches")
    switch(store, {"surplus": "none"})


def asked(url: str, number: str, **changes: Any) -> Any:
    return tree(body_of(look_up(url, number, **changes)))


def test_the_registers_own_days_stand_beside_their_values(url: str) -> None:
    data = asked(url, "1303814002")["persondata"]
    assert data["status"] == {"status": "1", "statusdato": {"dato": "1999-02-03T00:00:00"}}
    assert data["navn"]["navnestartdato"] == {"dato": "2005-06-07T00:00:00"}
    assert list(data["navn"])[-1] == "navnestartdato"
    assert data["civilstand"] == {"civilstand": "G", "civilstandsdato": {"dato": "2010-08-09T00:00:00"}}
    assert list(data["adressebeskyttelse"].items()) == [
        ("startdato", "2026-01-02"), ("slutdato", "2027-01-02"), ("beskyttet", "true"),
    ]  # fmt: skip


def test_a_replaced_number_names_the_one_in_force(url: str) -> None:
    content = asked(url, "0102704003")
    data = content["persondata"]
    assert (data["personnummer"], data["gaeldendePersonnummer"]) == ("0102704003", "0102704009")
    assert data["status"] == {"status": "60", "statusdato": {"dato": "2026-02-03T00:00:00"}}
    assert list(content["adresse"]) == ["adresseHistorik"]


def test_the_emigrated_and_the_dead_have_no_address(url: str) -> None:
    gone = asked(url, "0607504005")
    assert gone["adresse"] == {"udrejseoplysninger": {"udrejsedato": {"dato": "2026-01-10T00:00:00"}}}
    assert gone["persondata"]["status"]["status"] == "80"
    dead = asked(url, "0809404006")
    assert dead["persondata"]["status"] == {"status": "90", "statusdato": {"dato": "2026-01-20T00:00:00"}}
    assert "adresse" not in dead


def test_version_4_has_its_own_namespace_and_no_address_id(url: str, store: Store) -> None:
    switch(store, {"surplus": "all"})
    response = body_of(look_up(url, "1303814002", version=4, service=FORMER_PERSON_SERVICE))
    namespace = P[1:-1].replace("/5/", "/4/")
    assert response.tag == f"{{{namespace}}}PersonLookupResponse"
    assert {etree.QName(element).namespace for element in response.iter()} == {namespace}
    former, newest = tree(response), asked(url, "1303814002")
    assert set(newest["adresse"]["aktuelAdresse"]) - set(former["adresse"]["aktuelAdresse"]) == {"AdresseUUID"}
    assert set(newest["persondata"]) - set(former["persondata"]) == {"DeltBopælMarkering"}
    assert "VærgemålType" not in former["persondata"]["umyndiggoerelse"]


def test_each_version_wants_its_own_service(url: str) -> None:
    assert fault_of(look_up(url, "1303814002", version=4))[1] == "UnknownService"
    assert fault_of(look_up(url, "1303814002", service=FORMER_PERSON_SERVICE))[1] == "UnknownService"
    assert fault_of(look_up(url, "0101014009", version=4, service=FORMER_PERSON_SERVICE))[1] == "PNRNotFound"


@pytest.mark.parametrize("changes", [{}, FORMER])
def test_more_than_asked_for_comes_in_the_order_of_the_contract(url: str, store: Store, changes: Any) -> None:
    assert set(asked(url, "1303814002", **changes)) == {"persondata", "adresse"}
    switch(store, {"surplus": "all"})
    content = asked(url, "1303814002", **changes)
    assert list(content) == ["persondata", "adresse", "relationer", "notater"]
    places = [PERSON_ORDER.index(name) for name in content["persondata"]]
    assert places == sorted(places)
    assert list(content["relationer"]) == ["aegtefaelle", "mor", "far", "foraeldremyndighed"]
    assert content["persondata"]["vejviserbeskyttelse"]["beskyttet"] == "true"
    assert content["persondata"]["markedsfoeringsbeskyttelse"]["beskyttet"] == "true"


def test_relatives_are_the_same_every_time_and_belong_to_nobody(url: str, store: Store) -> None:
    switch(store, {"surplus": "all"})
    family = relatives(FULL)
    told = asked(url, "1303814002")["relationer"]
    assert told["mor"] == {"personnummer": family.mother}
    assert told["aegtefaelle"] == {"personnummer": family.spouse}
    numbers = [family.mother, family.father, family.spouse or "", *family.children]
    assert len(set(numbers)) == len(numbers) == 3, "nobody born after 2006 is invented: she has no children"
    assert not any(map(passes_cpr_check, numbers))
    assert relatives({**FULL, "civil_status": "U"}).spouse is None


def test_children_come_one_by_one_before_their_grandparents(url: str, store: Store) -> None:
    switch(store, {"surplus": "all"})
    family = body_of(look_up(url, "0809404006")).find(f"{P}relationer")
    assert [etree.QName(part).localname for part in family] == [
        "aegtefaelle", "barn", "barn", "mor", "far", "foraeldremyndighed",
    ]  # fmt: skip


def test_a_few_are_told_of_by_default() -> None:
    numbers = [f"{day:02d}0170{serial:04d}" for day in range(1, 29) for serial in range(4000, 4040)]
    share = sum(shown(number, Switches()) for number in numbers) / len(numbers)
    assert 0.1 < share < 0.3


def test_a_nameless_person_by_switch(url: str, store: Store) -> None:
    switch(store, {"nameless": ["1303814002"]})
    assert "navn" not in asked(url, "1303814002")["persondata"]
    assert "navn" in asked(url, "0607504005")["persondata"]
