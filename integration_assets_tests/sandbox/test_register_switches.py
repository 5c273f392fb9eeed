"""The switches of the registers: what a search may answer on a bad day, and how switches are set.

Expected values come from public samples of GCTP answers, in both flavours.
"""

import re
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest

from integration_assets.cache.engine import embedded_server_url
from integration_assets.sandbox import person_register
from integration_assets.sandbox.register_switches import Switches, switch, switches
from integration_assets.sandbox.store import Store
from integration_assets.sandbox.systems import SandboxOptions
from integration_assets_tests.sandbox.handmade_registers import CPR, HOME, found, numbers, person, search
from integration_assets_tests.sandbox.handmade_soap import AGREEMENT
from integration_assets_tests.sandbox.loopback import running

PERSONS = [
    person("1303814002", "Åse Møller Prøve"),
    person("0102704003", "Bo Prøve", protected=True),
    person("0504614004", None),
    person("0910914007", "Gro Hus", address={**HOME, "floor": None, "door": None}),
    person("1010924008", "Hans By", address={**HOME, "municipality_code": "0155"}),
    person("1110924009", "Ida Prøve", address=None, former_addresses=[{**HOME, "moved_out": "2020-01-31"}]),
]
DIRECT_FIELDS = [
    "VEJKOD", "KOMKOD", "HUSNR", "ETAGE", "SIDEDOER", "BNR", "PNR", "CNVN_ADRNVN", "ADRBESKYT", "STARTDATO",
    "SLUTDATO", "CNVN_STATUS", "AKM", "TABMRK",
]  # fmt: skip
ASKED = {"VEJK": "0012", "POST": "5000"}


@pytest.fixture(scope="module")
def store(server_dir: Path) -> Iterator[Store]:
    store = Store(embedded_server_url(server_dir, "register_switches"))
    store.put_many("register:person", {row["pnr"]: row for row in PERSONS})
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


def receipt(root: Any) -> dict[str, str]:
    return dict(root.find(f".//{CPR}Kvit").attrib)


def aia(root: Any) -> str | None:
    return root.find(f".//{CPR}Table").get("aia")


def test_the_registers_own_cap_is_below_what_was_asked_for(url: str, store: Store) -> None:
    switch(store, {"capped_rows": 2})
    first = search(url, **ASKED, MAXA="50")
    assert (len(found(first)), aia(first)) == (2, "2")
    seen, on = [], ""
    while on is not None:
        page = search(url, **ASKED, MAXA="50", AIA=on)
        seen += numbers(page)
        on = aia(page)
    assert sorted(seen) == sorted(row["pnr"] for row in PERSONS)


def test_a_register_that_does_not_go_on(url: str, store: Store) -> None:
    switch(store, {"capped_rows": 2, "paging": "refused"})
    assert aia(search(url, **ASKED)) == "2"
    assert receipt(search(url, **ASKED, AIA="2"))["v"] == "16"


def test_a_register_that_does_not_say_that_it_is_capped(url: str, store: Store) -> None:
    switch(store, {"paging": "hidden"})
    page = search(url, **ASKED, MAXA="3")
    assert (len(found(page)), aia(page)) == (3, None)


def test_the_direct_flavour(url: str, store: Store) -> None:
    switch(store, {"flavour": "direct"})
    root = search(url, **ASKED)
    assert root.find(f"{CPR}Gctp").get("env") == "Demo"
    assert re.fullmatch(r"\d{20}", root.find(f".//{CPR}CprServiceHeader").get("ts"))
    role = root.find(f".//{CPR}Rolle")
    assert [part.get("r") for part in role] == ["BEMAERK", "ADRSOEG", "SEARCH_ID"]
    rows = list(root.iter(f"{CPR}Row"))
    headings = [row for row in rows if row.get("u") == "B"]
    assert [[field.get("r") for field in row] for row in headings] == [["KOMKOD", "VEJKOD", "TABMRK"]] * 2
    assert [row[0].get("v") for row in headings] == ["0155", "0461"], "one heading for each street"
    people = [row for row in rows if row.get("u") is None]
    assert all([field.get("r") for field in row] == DIRECT_FIELDS for row in people)
    assert len({row.get("k") for row in rows}) == len(rows)
    assert all(re.fullmatch(r"[0-9A-Z]{28}", row.get("k")) for row in rows)
    by_number = {values["PNR"]: values for row in people if (values := {f.get("r"): f.get("v") for f in row})}
    assert by_number["1303814002"] == {
        "VEJKOD": "0012", "KOMKOD": "0461", "HUSNR": "012B", "ETAGE": "01", "SIDEDOER": "  th", "BNR": None,
        "PNR": "1303814002", "CNVN_ADRNVN": "Prøve,Åse Møller", "ADRBESKYT": None, "STARTDATO": "201503010000",
        "SLUTDATO": None, "CNVN_STATUS": "01", "AKM": None, "TABMRK": "1",
    }  # fmt: skip
    assert by_number["0102704003"]["ADRBESKYT"] == "1"
    assert by_number["0504614004"]["CNVN_ADRNVN"] is None
    assert by_number["1110924009"]["SLUTDATO"] == "202001310000"


def test_capped_rows_of_the_direct_flavour_are_people_and_not_headings(url: str, store: Store) -> None:
    switch(store, {"flavour": "direct", "capped_rows": 4})
    root = search(url, **ASKED)
    rows = list(root.iter(f"{CPR}Row"))
    assert (len(rows), len([row for row in rows if row.get("u") is None]), aia(root)) == (6, 4, "4")


@pytest.mark.parametrize(("flavour", "absent"), [("local", False), ("direct", True)])
def test_nameless_rows(url: str, store: Store, flavour: str, absent: bool) -> None:
    switch(store, {"flavour": flavour, "nameless": ["1303814002"]})
    (row,) = [row for row in found(search(url, **ASKED)) if row.get("PNR") == "1303814002"]
    assert ("CNVN_ADRNVN" in row) is absent
    assert row.get("CNVN_ADRNVN") is None


def test_receipts_of_failure(url: str, store: Store) -> None:
    switch(store, {"receipt_code": "905", "receipt_text": "forkert kodeord"})
    root = search(url, **ASKED)
    assert receipt(root) == {"r": "Fejl", "t": "forkert kodeord", "v": "905"}
    assert found(root) == []
    switch(store, {"receipt_code": "4599", "receipt_place": "field"})
    root = search(url, **ASKED)
    assert receipt(root) == {"r": "Fejl", "t": "", "v": "4599"}
    assert found(root) == [{"Kvittxt": "forkert kodeord"}]
    switch(store, {"receipt_code": None})
    assert receipt(search(url, **ASKED))["r"] == "Ok"


def test_switches_stay_until_set_again(store: Store) -> None:
    assert switches(store) == Switches()
    switch(store, {"capped_rows": 7, "nameless": ["0102704003"]})
    answer = switch(store, {"flavour": "direct"})
    assert answer == {**asdict(Switches()), "capped_rows": 7, "nameless": ["0102704003"], "flavour": "direct"}
    switch(store, {"capped_rows": None, "nameless": None})
    assert switches(store) == Switches(flavour="direct")


@pytest.mark.parametrize(
    "wrong",
    [
        {"teapot": 1},
        {"flavour": "0102704003"},
        {"capped_rows": 0},
        {"capped_rows": True},
        {"nameless": "0102704003"},
        {"nameless": [102704003]},
        {"cvr_absent": 1},
        {"receipt_code": 905},
        {"surplus": "many"},
    ],
)
def test_nonsense_is_refused_without_repeating_it(store: Store, wrong: Any) -> None:
    with pytest.raises(ValueError, match="register switch") as caught:
        switch(store, wrong)
    assert "102704003" not in str(caught.value)
    assert switches(store) == Switches()
