"""What the sandbox's registry can be switched to: an installation's own fields, newer parameters, a real one's time."""

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import pytest

from integration_assets.sandbox.background import RunningSandbox, start_in_background
from integration_assets.sandbox.systems import SandboxOptions

Json = dict[str, Any]
BRUGER = "/organisation/bruger"
KLASSE = "/klassifikation/klasse"
OBJECT = "12121212-0000-4000-8000-000000000001"
SECOND = "12121212-0000-4000-8000-000000000002"
ALWAYS = {"virkningfra": "-infinity", "virkningtil": "infinity"}
# Section 2 and 12.2 of what is known of the original integration, class by class.
OWN_FIELDS = {
    BRUGER: {
        "ava_fornavn", "ava_mellemnavn", "ava_efternavn", "ava_civilstand", "ava_koen", "ava_adressebeskyttelse",
        "ava_sms_notifikation", "ava_masterid",
    },
    "/organisation/organisation": {"ava_sms_notifikation", "ava_masterid"},
    "/organisation/organisationfunktion": set[str](),
    "/organisation/interessefaellesskab": set[str](),
    "/indsats/indsats": set[str](),
    KLASSE: set[str](),
}  # fmt: skip
OWN_RELATIONS = {
    "/organisation/interessefaellesskab": {"ava_ejendom", "ava_arosia_id"},
    KLASSE: {"ava_opstillingsadresse", "ava_afhentningstype", "ava_arosia_id", "ava_aftale_id"},
}


def started(folder: Path, **options: Any) -> Iterator[RunningSandbox]:
    sandbox = start_in_background(SandboxOptions(folder, systems=("lora",), **options))
    yield sandbox
    sandbox.stop()


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningSandbox]:
    yield from started(tmp_path_factory.mktemp("plain"))


@pytest.fixture(scope="module")
def switched(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningSandbox]:
    yield from started(
        tmp_path_factory.mktemp("switched"),
        lora_extension_fields=True,
        lora_parameters=("konsolider", "list"),
        lora_request_line=0,
    )


@pytest.fixture
def old(plain: RunningSandbox) -> Iterator[httpx.Client]:
    plain.post("/reset")
    with httpx.Client(base_url=plain.systems["lora"]) as client:
        yield client


@pytest.fixture
def new(switched: RunningSandbox) -> Iterator[httpx.Client]:
    switched.post("/reset")
    with httpx.Client(base_url=switched.systems["lora"]) as client:
        yield client


def effect(start: str = "2020-01-01", end: str = "infinity") -> Json:
    return {"from": start, "to": end}


def bruger(**fields: str) -> Json:
    return {
        "attributter": {"brugeregenskaber": [{"brugervendtnoegle": "b", **fields, "virkning": effect()}]},
        "tilstande": {"brugergyldighed": [{"gyldighed": "Aktiv", "virkning": effect()}]},
    }


def klasse(**relations: str) -> Json:
    item = {"brugervendtnoegle": "k", "titel": "Måler", "virkning": effect()}
    return {
        "attributter": {"klasseegenskaber": [item]},
        "tilstande": {"klassepubliceret": [{"publiceret": "Publiceret", "virkning": effect()}]},
        "relationer": {name: [{"uuid": target, "virkning": effect()}] for name, target in relations.items()},
    }


def own(client: httpx.Client, path: str) -> tuple[set[str], set[str], set[str]]:
    """The ava_ names that `/fields` gives: attributes, 0..1 relations, 0..n relations."""
    found = client.get(f"{path}/fields").json()
    lists = (found["attributter"]["egenskaber"], found["relationer_nul_til_en"], found["relationer_nul_til_mange"])
    attributes, one, many = ({name for name in names if name.startswith("ava_")} for names in lists)
    return attributes, one, many


class TestOwnFields:
    @pytest.mark.parametrize("path", OWN_FIELDS)
    def test_are_served_where_they_are_installed(self, old: httpx.Client, new: httpx.Client, path: str) -> None:
        assert own(old, path) == (set(), set(), set())
        assert own(new, path) == (OWN_FIELDS[path], OWN_RELATIONS.get(path, set()), set())
        name = path.rpartition("/")[2]
        schema = new.get(f"{path}/schema").json()["properties"]
        fields = schema["attributter"]["properties"][f"{name}egenskaber"]["items"]["properties"]
        assert {field for field in fields if field.startswith("ava_")} == OWN_FIELDS[path]

    def test_are_taken_and_found_where_they_are_installed(self, new: httpx.Client) -> None:
        assert new.put(f"{BRUGER}/{OBJECT}", json=bruger(ava_fornavn="Åse", ava_masterid="77")).status_code == 200
        assert new.put(f"{KLASSE}/{OBJECT}", json=klasse(ava_opstillingsadresse=SECOND)).status_code == 200
        change = [{"ava_koen": "K", "virkning": effect("2021-01-01")}]
        assert new.patch(f"{BRUGER}/{OBJECT}", json={"attributter": {"brugeregenskaber": change}}).status_code == 200
        (registration,) = new.get(f"{BRUGER}/{OBJECT}").json()[OBJECT][0]["registreringer"]
        (item,) = registration["attributter"]["brugeregenskaber"]
        assert (item["ava_fornavn"], item["ava_masterid"], item["ava_koen"]) == ("Åse", "77", "K")
        assert new.get(BRUGER, params={"ava_masterid": "77"}).json() == {"results": [[OBJECT]]}
        assert new.get(KLASSE, params={"ava_opstillingsadresse": SECOND}).json() == {"results": [[OBJECT]]}

    def test_are_unknown_elsewhere(self, old: httpx.Client) -> None:
        assert old.put(f"{BRUGER}/{OBJECT}", json=bruger(ava_fornavn="Åse")).status_code == 400
        assert old.put(f"{KLASSE}/{OBJECT}", json=klasse(ava_opstillingsadresse=SECOND)).status_code == 400
        assert old.get(BRUGER, params={"ava_masterid": "77"}).status_code == 400
        # An update is not checked: the release stores what it knows and says nothing of the rest.
        old.put(f"{BRUGER}/{OBJECT}", json=bruger())
        change = [{"ava_koen": "K", "virkning": effect()}]
        assert old.patch(f"{BRUGER}/{OBJECT}", json={"attributter": {"brugeregenskaber": change}}).status_code == 200
        assert "ava_koen" not in old.get(f"{BRUGER}/{OBJECT}").text


class TestNewerParameters:
    def test_equal_pieces_are_joined_when_asked(self, old: httpx.Client, new: httpx.Client) -> None:
        new.put(f"{BRUGER}/{OBJECT}", json=bruger(brugernavn="Bo"))
        for name, start, end in (("Ib", "2021-01-01", "2022-01-01"), ("Bo", "2021-06-01", "2023-01-01")):
            item = {"brugernavn": name, "virkning": effect(start, end)}
            new.patch(f"{BRUGER}/{OBJECT}", json={"attributter": {"brugeregenskaber": [item]}})

        def pieces(**parameters: str) -> list[tuple[str, str]]:
            (found,) = new.get(BRUGER, params={"uuid": OBJECT, **parameters}).json()["results"][0]
            items = found["registreringer"][0]["attributter"]["brugeregenskaber"]
            return sorted((item["virkning"]["from"][:10], item["brugernavn"]) for item in items)

        cut = [("2020-01-01", "Bo"), ("2021-01-01", "Ib"), ("2021-06-01", "Bo"), ("2022-01-01", "Bo")]
        assert pieces(**ALWAYS) == [*cut, ("2023-01-01", "Bo")]
        assert pieces(**ALWAYS, konsolider="1") == cut[:3]
        assert pieces(konsolider="") == [("2021-06-01", "Bo")]
        assert new.get(f"{BRUGER}/{OBJECT}", params={"konsolider": "1"}).status_code == 200
        for refused in (f"{BRUGER}?uuid={OBJECT}&konsolider=1", f"{BRUGER}/{OBJECT}?konsolider=1"):
            assert old.get(refused).status_code == 400

    def test_a_search_answers_whole_objects_when_asked(self, old: httpx.Client, new: httpx.Client) -> None:
        for object_id in (SECOND, OBJECT):
            new.put(f"{BRUGER}/{object_id}", json=bruger())
        (found,) = new.get(BRUGER, params={"bvn": "b", "list": "1"}).json()["results"]
        assert [item["id"] for item in found] == [OBJECT, SECOND]
        assert found[0]["registreringer"][0]["livscykluskode"] == "Importeret"
        new.delete(f"{BRUGER}/{SECOND}")
        (found,) = new.get(BRUGER, params={"bvn": "b", "list": "1"}).json()["results"]
        assert [item["id"] for item in found] == [OBJECT]
        assert new.get(BRUGER, params={"livscykluskode": "Slettet", "list": "1"}).status_code == 410
        assert new.get(BRUGER, params={"bvn": "none", "list": "1"}).json() == {"results": []}
        assert old.get(BRUGER, params={"bvn": "b", "list": "1"}).status_code == 400

    def test_the_request_line_may_be_lifted(self, new: httpx.Client) -> None:
        assert new.get(f"{BRUGER}?" + "&".join([f"uuid={OBJECT}"] * 1000)).json() == {"results": []}

    def test_a_parameter_that_never_was_is_refused_at_start(self, tmp_path: Path) -> None:
        with pytest.raises(RuntimeError, match="never had the parameters listen"):
            start_in_background(SandboxOptions(tmp_path, systems=("lora",), lora_parameters=("listen",)))


class TestTime:
    def test_a_real_servers_time_per_object_and_write(self, plain: RunningSandbox, old: httpx.Client) -> None:
        for object_id in (OBJECT, SECOND):
            old.put(f"{BRUGER}/{object_id}", json=bruger())
        plain.post("/faults", {"lora": {"read_ms": 40, "write_ms": 60}})

        def milliseconds(method: str, url: str, **more: Any) -> float:
            began = time.perf_counter()
            assert old.request(method, url, **more).is_success
            return (time.perf_counter() - began) * 1000

        assert milliseconds("GET", f"{BRUGER}?uuid={OBJECT}&uuid={SECOND}") >= 80
        assert milliseconds("GET", f"{BRUGER}/{OBJECT}") >= 40
        assert milliseconds("PUT", f"{BRUGER}/{OBJECT}", json=bruger()) >= 60
        assert milliseconds("GET", "/site-map") < 40

    def test_workers_bound_what_is_done_at_once(self, plain: RunningSandbox, old: httpx.Client) -> None:
        plain.post("/faults", {"lora": {"write_ms": 50, "workers": 2}})
        began = time.perf_counter()
        with ThreadPoolExecutor(6) as pool:
            answers = list(pool.map(lambda number: old.put(f"{BRUGER}/{OBJECT[:-1]}{number}", json=bruger()), range(6)))
        elapsed = time.perf_counter() - began
        assert [answer.status_code for answer in answers] == [200] * 6
        assert elapsed >= 0.15
        with pytest.raises(OSError, match="400"):
            plain.post("/faults", {"lora": {"workers": 1.5}})
