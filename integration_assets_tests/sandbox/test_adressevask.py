"""The sandbox's Adressevask: codes, answers and limits as clients of the original report them."""

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from integration_assets.cache.engine import embedded_server_url
from integration_assets.sandbox import address_sample, adressevask
from integration_assets.sandbox.store import Store
from integration_assets.sandbox.systems import SandboxOptions
from integration_assets_tests.sandbox.loopback import running

TOKEN = "a-token-of-the-sandbox"
UNIT = "91b21c97-fb07-4aac-98c5-61bcb4689f78"
ODD = "Kanalvej 1, 5000 Odense C"

Json = dict[str, Any]


@pytest.fixture(scope="module")
def url(server_dir: Path) -> Iterator[str]:
    store = Store(embedded_server_url(server_dir, "adressevask_sandbox"))
    units, access = address_sample.load()
    store.put_many("register:unit", {row["id"]: row for row in units})
    store.put_many("register:access", {row["id"]: row for row in access})
    options = SandboxOptions(
        data_dir=Path("unused"), settings={"adressevask_token": TOKEN}, adressevask_codes={ODD: -400}
    )
    with running(adressevask.build(store, options)) as url:
        assert adressevask.settings(url, options) == {"adressevask_url": url, "adressevask_token": TOKEN}
        yield url
    store.close()


def washed(url: str, text: str) -> Json:
    answer = httpx.get(f"{url}/vask/", params={"adresse": text, "token": TOKEN})
    assert answer.status_code == 200, answer.text
    return answer.json()


@pytest.mark.parametrize(
    ("text", "code", "found"),
    [
        ("Margrethepladsen 4, 4. 8000 Aarhus C", 1000, "Margrethepladsen 4, 4., 8000 Aarhus C"),
        ("margrethepladsen 04, 4. sal, 8000 Aarhus C", 1000, "Margrethepladsen 4, 4., 8000 Aarhus C"),
        ("Margreteplassen 4, 4., 8000 Aarhus C", 900, "Margrethepladsen 4, 4., 8000 Aarhus C"),
        ("Girostrøget 1, Høje Taastrup, 2630 Taastrup", 1000, "Girostrøget 1, Høje Taastrup, 2630 Taastrup"),
        ("Girostrøget 1-9, 2630 Taastrup", 800, "Girostrøget 1, Høje Taastrup, 2630 Taastrup"),
        ("Margrethepladsen 4, 4.", -300, None),
        ("Margrethepladsen 4, 4. th, 8000 Aarhus C", -500, None),
        ("Margrethepladsen 4, 17., 8000 Aarhus C", -600, None),
        ("Margrethepladsen 4000, 8000 Aarhus C", -1000, None),
        ("Margrethepladsen 444, 8000 Aarhus C", -700, None),
        ("Findesikkevej 4, 8000 Aarhus C", -800, None),
        ("Postboks, Svendborg", -1000, None),
        (ODD, -400, None),
    ],
)
def test_codes(url: str, text: str, code: int, found: str | None) -> None:
    answer = washed(url, text)
    assert (answer["vaskestatus"]["kode"], answer["vaskeresultat"]["adressebetegnelse"]) == (code, found)
    assert (answer["vaskeresultat"]["adresse_id_lokalid"] is None) == (found is None)


def test_the_last_number_of_an_interval_when_the_first_does_not_exist(url: str) -> None:
    assert washed(url, "Kildegårdsvej 99-101, 5240 Odense NØ")["vaskestatus"]["kode"] == 700


def test_the_shape_of_an_answer(url: str) -> None:
    assert washed(url, "Margrethepladsen 4, 4. 8000 Aarhus C") == {
        "vaskestatus": {"kode": 1000, "tekst": "Eksakt match på vejnavn, husnummer og postnummer"},
        "vaskeresultat": {
            "adresse_id_lokalid": UNIT,
            "adressebetegnelse": "Margrethepladsen 4, 4., 8000 Aarhus C",
            "status": 3,
        },
        "vaskeresultat_historisk": {"adressebetegnelse": None, "virkningfra": None, "virkningtil": None},
    }


@pytest.mark.parametrize("token", ["", "short", "a-wrong-but-long-token"])
def test_a_token_is_needed(url: str, token: str) -> None:
    assert httpx.get(f"{url}/vask/", params={"adresse": "x", "token": token}).status_code == 401


def test_a_text_that_is_too_long_is_refused(url: str) -> None:
    long = httpx.get(f"{url}/vask/", params={"adresse": "a" * 201, "token": TOKEN})
    assert long.status_code == 400


def test_more_than_sixteen_at_once_break_it(url: str) -> None:
    async def statuses(parallel: int) -> set[int]:
        async with httpx.AsyncClient(timeout=30, limits=httpx.Limits(max_connections=parallel)) as client:
            asked = {"adresse": "Girostrøget 1, 2630 Taastrup", "token": TOKEN}
            answers = [client.get(f"{url}/vask/", params=asked) for _ in range(4 * parallel)]
            return {answer.status_code for answer in await asyncio.gather(*answers)}

    assert asyncio.run(statuses(16)) == {200}
    assert 503 in asyncio.run(statuses(48))


def test_addresses_by_their_ids(url: str) -> None:
    asked = {"token": TOKEN, "id_lokalids": f"{UNIT},00000000-0000-4000-8000-000000000000"}
    (unit,) = httpx.get(f"{url}/adresser", params=asked).json()["adresser"]
    assert (unit["id_lokalid"], unit["etagebetegnelse"], unit["status"]) == (UNIT, "4", "3")
    house = unit["husnummer"]
    asked["id_lokalids"] = house["id_lokalid"]
    assert httpx.get(f"{url}/husnumre", params=asked).json() == {"status": "ok", "husnumre": [house]}
    assert httpx.get(f"{url}/adresser/{UNIT}", params={"token": TOKEN}).json()["adresse"] == unit
    assert httpx.get(f"{url}/husnumre/{UNIT}", params={"token": TOKEN}).status_code == 404


def test_more_than_300_ids_are_too_many(url: str) -> None:
    asked = {"token": TOKEN, "id_lokalids": ",".join(["1"] * 300)}
    assert httpx.get(f"{url}/adresser", params=asked).status_code == 200
    asked["id_lokalids"] += ",1"
    assert httpx.get(f"{url}/adresser", params=asked).status_code == 431
