"""The sandbox's registry against the observed behaviour of LoRa 1.3.0, over HTTP."""

import copy
import json
import random
import re
import string
import uuid
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from integration_assets.sandbox.background import RunningSandbox, start_in_background
from integration_assets.sandbox.systems import SandboxOptions

Json = dict[str, Any]
ALWAYS = {"virkningfra": "-infinity", "virkningtil": "infinity"}
HISTORY = {**ALWAYS, "registreretfra": "-infinity", "registrerettil": "infinity"}
OWNER = "11111111-1111-4111-8111-111111111111"
OTHER = "66666666-6666-4666-8666-666666666666"
BRUGER = "/organisation/bruger"


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningSandbox]:
    sandbox = start_in_background(SandboxOptions(tmp_path_factory.mktemp("lora"), systems=("lora",)))
    yield sandbox
    sandbox.stop()


@pytest.fixture(scope="module")
def client(running: RunningSandbox) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=running.settings["lora_url"]) as client:
        yield client


@pytest.fixture
def lora(running: RunningSandbox, client: httpx.Client) -> httpx.Client:
    running.post("/reset")
    return client


def effect(start: str = "2020-01-01", end: str = "infinity", **more: Any) -> Json:
    return {"from": start, "to": end, **more}


def read_effect(start: str = "2020-01-01", end: str = "infinity") -> Json:
    texts = [text if "infinity" in text else f"{text} 00:00:00+00" for text in (start, end)]
    return {"from": texts[0], "from_included": True, "to": texts[1], "to_included": False}


def bruger(user_key: str = "jensen", **more: Any) -> Json:
    return {
        "attributter": {
            "brugeregenskaber": [
                {"brugervendtnoegle": user_key, "brugernavn": "Åse", "brugertype": "kunde", "virkning": effect()}
            ]
        },
        "tilstande": {"brugergyldighed": [{"gyldighed": "Aktiv", "virkning": effect()}]},
        "relationer": {
            "tilhoerer": [{"uuid": OWNER, "virkning": effect()}],
            "adresser": [{"urn": "urn:tel:1", "virkning": effect()}, {"urn": "urn:tel:2", "virkning": effect()}],
        },
        **more,
    }


def indsats() -> Json:
    return {
        "attributter": {
            "indsatsegenskaber": [
                {"brugervendtnoegle": "i", "starttidspunkt": "2020-05-19T12:02:32+02:00", "virkning": effect()}
            ]
        },
        "tilstande": {
            "indsatspubliceret": [{"publiceret": "Normal", "virkning": effect()}],
            "indsatsfremdrift": [{"fremdrift": "Leveret", "virkning": effect()}],
        },
        "relationer": {
            "indsatsaktoer": [
                {"indeks": 9, "uuid": OTHER, "virkning": effect()},
                {"uuid": OWNER, "virkning": effect()},
            ]
        },
    }


def klasse(words: list[list[str]]) -> Json:
    item = {"brugervendtnoegle": "k", "titel": "Måler", "soegeord": words, "virkning": effect()}
    return {
        "attributter": {"klasseegenskaber": [item]},
        "tilstande": {"klassepubliceret": [{"publiceret": "Publiceret", "virkning": effect()}]},
    }


def new_id() -> str:
    return str(uuid.uuid4())


def put(lora: httpx.Client, body: Json, object_id: str | None = None, path: str = BRUGER) -> str:
    object_id = object_id or new_id()
    answer = lora.put(f"{path}/{object_id}", json=body)
    assert (answer.status_code, answer.json()) == (200, {"uuid": object_id})
    return object_id


def read(lora: httpx.Client, object_id: str, path: str = BRUGER, **parameters: str) -> list[Json]:
    answer = lora.get(f"{path}/{object_id}", params=parameters or ALWAYS)
    assert answer.status_code == 200, answer.text
    (found,) = answer.json()[object_id]
    assert found["id"] == object_id
    return found["registreringer"]


def patch(lora: httpx.Client, object_id: str, body: Json, path: str = BRUGER) -> int:
    return lora.patch(f"{path}/{object_id}", json=body).status_code


def codes(lora: httpx.Client, object_id: str) -> list[str]:
    results = lora.get(BRUGER, params={"uuid": object_id, **HISTORY}).json()["results"]
    return [item["livscykluskode"] for item in results[0][0]["registreringer"]]


def search(lora: httpx.Client, path: str = BRUGER, **parameters: Any) -> list[str]:
    answer = lora.get(path, params=parameters)
    assert answer.status_code == 200, answer.text
    (found,) = answer.json()["results"]
    return found


def spans(items: list[Json], field: str) -> dict[str, Any]:
    return {
        f"{item['virkning']['from'][:10]}..{item['virkning']['to'][:10]}": item.get(field)
        for item in sorted(items, key=lambda item: item["virkning"]["from"])
    }


class TestForm:
    def test_a_created_object_reads_back_with_period_forms_and_without_empty_values(self, lora: httpx.Client) -> None:
        body = bruger(note="")
        body["attributter"]["brugeregenskaber"][0] |= {
            "integrationsdata": "",
            "virkning": effect(aktoerref=OWNER, aktoertypekode="Bruger", notetekst="lost here", to_included=True),
        }
        created = lora.post(BRUGER, json=body)
        assert created.status_code == 201
        object_id = created.json()["uuid"]
        (registration,) = read(lora, object_id)
        since = registration.pop("fratidspunkt")
        assert since["graenseindikator"] is True
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d*[1-9])?\+00:00", since["tidsstempeldatotid"])
        assert registration == {
            "tiltidspunkt": {"tidsstempeldatotid": "infinity"},
            "livscykluskode": "Opstaaet",
            "brugerref": "42c432e8-9c4a-11e6-9f62-873cf34a735f",
            "attributter": {
                "brugeregenskaber": [
                    {
                        "brugervendtnoegle": "jensen",
                        "brugernavn": "Åse",
                        "brugertype": "kunde",
                        "virkning": {**read_effect(), "aktoerref": OWNER, "aktoertypekode": "Bruger"},
                    }
                ]
            },
            "tilstande": {"brugergyldighed": [{"gyldighed": "Aktiv", "virkning": read_effect()}]},
            "relationer": {
                "tilhoerer": [{"uuid": OWNER, "virkning": read_effect()}],
                "adresser": [
                    {"urn": "urn:tel:1", "virkning": read_effect()},
                    {"urn": "urn:tel:2", "virkning": read_effect()},
                ],
            },
        }

    def test_answers_are_compact_sorted_ascii_and_close_the_connection(self, lora: httpx.Client) -> None:
        object_id = put(lora, bruger())
        answer = lora.get(f"{BRUGER}/{object_id}", params=ALWAYS)
        assert answer.headers["connection"] == "close"
        assert answer.headers["content-type"] == "application/json"
        assert answer.text == json.dumps(answer.json(), sort_keys=True, separators=(",", ":")) + "\n"
        assert "\\u00c5se" in answer.text

    @pytest.mark.parametrize(
        ("sent", "stored"),
        [
            ("2020-06-01T00:00:00+02:00", "2020-05-31 22:00:00+00"),
            ("2020-06-01 10:20", "2020-06-01 10:20:00+00"),
            ("2020-06-01T10:20:30.120Z", "2020-06-01 10:20:30.12+00"),
            ("0001-01-01", "0001-01-01 00:00:00+00"),
            ("-infinity", "-infinity"),
        ],
    )
    def test_date_texts(self, lora: httpx.Client, sent: str, stored: str) -> None:
        body = bruger()
        body["tilstande"]["brugergyldighed"][0]["virkning"] = effect(sent)
        (registration,) = read(lora, put(lora, body))
        assert registration["tilstande"]["brugergyldighed"][0]["virkning"]["from"] == stored

    def test_an_id_is_answered_as_written(self, lora: httpx.Client) -> None:
        object_id = put(lora, bruger())
        answer = lora.get(f"{BRUGER}/{object_id.upper()}/", params=ALWAYS).json()
        assert answer[object_id.upper()][0]["id"] == object_id

    def test_a_body_may_come_as_a_form_field(self, lora: httpx.Client) -> None:
        answer = lora.post(BRUGER, files={"json": (None, json.dumps(bruger()))})
        assert answer.status_code == 201

    def test_timestamps_numbers_and_search_words_of_their_classes(self, lora: httpx.Client) -> None:
        (registration,) = read(lora, put(lora, indsats(), path="/indsats/indsats"), "/indsats/indsats")
        assert registration["attributter"]["indsatsegenskaber"][0]["starttidspunkt"] == "2020-05-19T10:02:32+00:00"
        targets = {item["indeks"]: item["uuid"] for item in registration["relationer"]["indsatsaktoer"]}
        assert targets == {1: OTHER, 2: OWNER}
        path = "/klassifikation/klasse"
        two = put(lora, klasse([["a", "b", "c"], ["d", "", "f"]]), path=path)
        (item,) = read(lora, two, path)[0]["attributter"]["klasseegenskaber"]
        assert item["soegeord"] == [
            {"soegeordidentifikator": "a", "beskrivelse": "b", "soegeordskategori": "c"},
            {"soegeordidentifikator": "d", "soegeordskategori": "f"},
        ]
        (item,) = read(lora, put(lora, klasse([["a", "b", "c"]]), path=path), path)[0]["attributter"][
            "klasseegenskaber"
        ]
        assert "soegeord" not in item

    def test_structure_is_served(self, lora: httpx.Client) -> None:
        assert "/organisation/bruger" in lora.get("/site-map").json()["site-map"]
        assert lora.get("/").status_code == 308
        assert lora.get("/organisation/bruger/fields").json()["tilstande"] == {"gyldighed": ["Aktiv", "Inaktiv"]}
        pairs = lora.get("/indsats/indsats/fields").json()["tilstande"]
        assert ["publiceret", ["Publiceret", "IkkePubliceret", "Normal"]] in pairs
        assert set(lora.get("/klassifikation/classes").json()) == {"facet", "klasse", "klassifikation"}
        schema = lora.get("/klassifikation/klasse/schema").json()
        group = schema["properties"]["attributter"]["properties"]["klasseegenskaber"]["items"]
        assert group["required"] == ["brugervendtnoegle", "titel", "virkning"]


class TestLifeCycle:
    def test_of_a_bruger(self, lora: httpx.Client) -> None:
        object_id = put(lora, bruger())
        url = f"{BRUGER}/{object_id}"
        change = {"attributter": {"brugeregenskaber": [{"brugernavn": "Åse Holm", "virkning": effect()}]}}
        assert patch(lora, object_id, {**change, "note": "gift"}) == 200
        again = lora.patch(url, json=change)
        assert again.status_code == 400
        assert again.json()["context"] == [None]
        assert patch(lora, object_id, {"livscyklus": "PASSIV", **change}) == 200
        assert patch(lora, object_id, change) == 400
        assert patch(lora, object_id, {"livscyklus": "Passiv"}) == 400
        assert read(lora, object_id)[0]["livscykluskode"] == "Passiveret"
        assert search(lora, bvn="jensen") == [object_id]
        assert lora.delete(url).status_code == 202
        assert lora.request("DELETE", url, json={"note": "again"}).status_code == 202
        assert lora.get(url).status_code == 410
        assert lora.get(url, params=HISTORY).status_code == 410
        assert search(lora, bvn="jensen") == []
        assert search(lora, livscykluskode="Slettet") == [object_id]
        (listed,) = lora.get(BRUGER, params={"uuid": object_id}).json()["results"]
        assert listed[0]["registreringer"][0]["livscykluskode"] == "Slettet"
        assert patch(lora, object_id, change) == 400
        put(lora, bruger(), object_id)
        assert codes(lora, object_id) == ["Importeret", "Slettet", "Passiveret", "Rettet", "Importeret"]

    def test_put_replaces_and_always_registers(self, lora: httpx.Client) -> None:
        object_id = put(lora, bruger())
        put(lora, bruger(), object_id)
        smaller = bruger("b2")
        del smaller["relationer"]
        put(lora, smaller, object_id)
        assert codes(lora, object_id) == ["Rettet", "Rettet", "Importeret"]
        (registration,) = read(lora, object_id)
        assert "relationer" not in registration
        history = read(lora, object_id, **HISTORY)
        ends = [item["tiltidspunkt"]["tidsstempeldatotid"] for item in history]
        starts = [item["fratidspunkt"]["tidsstempeldatotid"] for item in history]
        assert ends == ["infinity", *starts[:-1]]

    @pytest.mark.parametrize("closing", ["delete", "passivate"])
    def test_put_over_a_closed_object_merges_and_a_second_put_replaces(self, lora: httpx.Client, closing: str) -> None:
        object_id = put(lora, bruger())
        if closing == "delete":
            lora.delete(f"{BRUGER}/{object_id}")
        else:
            patch(lora, object_id, {"livscyklus": "Passiv"})
        late = effect("2022-01-01")
        body = {
            "attributter": {"brugeregenskaber": [{"brugervendtnoegle": "new", "virkning": late}]},
            "tilstande": {"brugergyldighed": [{"gyldighed": "Inaktiv", "virkning": late}]},
            "relationer": {"adresser": [{"urn": "urn:tel:3", "virkning": late}]},
        }
        put(lora, body, object_id)
        (registration,) = read(lora, object_id)
        egenskaber = registration["attributter"]["brugeregenskaber"]
        assert spans(egenskaber, "brugervendtnoegle") == {
            "2020-01-01..2022-01-01": "jensen",
            "2022-01-01..infinity": "new",
        }
        # What the body does not say comes back to life: fields of the same period, relations of other types.
        assert spans(egenskaber, "brugernavn") == {"2020-01-01..2022-01-01": "Åse", "2022-01-01..infinity": "Åse"}
        assert set(spans(registration["tilstande"]["brugergyldighed"], "gyldighed").values()) == {"Aktiv", "Inaktiv"}
        assert [item["uuid"] for item in registration["relationer"]["tilhoerer"]] == [OWNER]
        assert [item["urn"] for item in registration["relationer"]["adresser"]] == ["urn:tel:3"]
        put(lora, body, object_id)
        (registration,) = read(lora, object_id)
        assert spans(registration["attributter"]["brugeregenskaber"], "brugernavn") == {"2022-01-01..infinity": None}
        assert set(registration["relationer"]) == {"adresser"}

    def test_the_first_patch_after_an_import_registers_even_without_change(self, lora: httpx.Client) -> None:
        object_id = put(lora, bruger())
        assert patch(lora, object_id, {"note": "only a note"}) == 200
        assert patch(lora, object_id, {"note": "another note"}) == 400


class TestMergingPatch:
    @pytest.fixture
    def object_id(self, lora: httpx.Client) -> str:
        return put(lora, bruger())

    def test_attributes_inherit_piece_by_piece(self, lora: httpx.Client, object_id: str) -> None:
        for name, start, end in (("Bo", "2021-01-01", "2022-01-01"), ("Bo", "2020-06-01", "2023-01-01")):
            item = {"brugernavn": name, "virkning": effect(start, end)}
            assert patch(lora, object_id, {"attributter": {"brugeregenskaber": [item]}}) == 200
        egenskaber = read(lora, object_id)[0]["attributter"]["brugeregenskaber"]
        assert spans(egenskaber, "brugernavn") == {
            "2020-01-01..2020-06-01": "Åse",
            "2020-06-01..2021-01-01": "Bo",
            "2021-01-01..2022-01-01": "Bo",
            "2022-01-01..2023-01-01": "Bo",
            "2023-01-01..infinity": "Åse",
        }
        assert set(spans(egenskaber, "brugertype").values()) == {"kunde"}

    def test_an_item_that_says_everything_is_one_piece(self, lora: httpx.Client, object_id: str) -> None:
        cut = {"brugernavn": "Bo", "virkning": effect("2021-01-01", "2022-01-01")}
        patch(lora, object_id, {"attributter": {"brugeregenskaber": [cut]}})
        whole = dict.fromkeys(("brugervendtnoegle", "brugernavn", "brugertype", "integrationsdata"), "x")
        patch(lora, object_id, {"attributter": {"brugeregenskaber": [{**whole, "virkning": effect()}]}})
        egenskaber = read(lora, object_id)[0]["attributter"]["brugeregenskaber"]
        assert spans(egenskaber, "brugernavn") == {"2020-01-01..infinity": "x"}

    def test_beyond_coverage_the_user_key_is_needed(self, lora: httpx.Client, object_id: str) -> None:
        early = {"brugernavn": "Bo", "virkning": effect("2010-01-01", "2021-01-01")}
        assert patch(lora, object_id, {"attributter": {"brugeregenskaber": [early]}}) == 500
        early["brugervendtnoegle"] = "early"
        assert patch(lora, object_id, {"attributter": {"brugeregenskaber": [early]}}) == 200
        egenskaber = read(lora, object_id)[0]["attributter"]["brugeregenskaber"]
        assert spans(egenskaber, "brugertype") == {
            "2010-01-01..2020-01-01": None,
            "2020-01-01..2021-01-01": "kunde",
            "2021-01-01..infinity": "kunde",
        }

    def test_an_empty_text_clears_and_null_inherits(self, lora: httpx.Client, object_id: str) -> None:
        item = {"brugertype": "", "brugernavn": None, "virkning": effect()}
        patch(lora, object_id, {"attributter": {"brugeregenskaber": [item]}})
        (found,) = read(lora, object_id)[0]["attributter"]["brugeregenskaber"]
        assert "brugertype" not in found
        assert found["brugernavn"] == "Åse"

    def test_states_are_overlaid_and_cleared(self, lora: httpx.Client, object_id: str) -> None:
        items = [{"gyldighed": "Inaktiv", "virkning": effect("2022-01-01")}]
        assert patch(lora, object_id, {"tilstande": {"gyldighed": items}}) == 200
        items = [{"gyldighed": "", "virkning": effect("2019-01-01", "2021-01-01")}]
        assert patch(lora, object_id, {"tilstande": {"brugergyldighed": items}}) == 200
        assert spans(read(lora, object_id)[0]["tilstande"]["brugergyldighed"], "gyldighed") == {
            "2019-01-01..2021-01-01": None,
            "2021-01-01..2022-01-01": "Aktiv",
            "2022-01-01..infinity": "Inaktiv",
        }
        assert patch(lora, object_id, {"tilstande": {"brugergyldighed": []}}) == 200
        assert "tilstande" not in read(lora, object_id)[0]

    def test_single_relations_are_overlaid(self, lora: httpx.Client, object_id: str) -> None:
        two = [
            {"uuid": OTHER, "virkning": effect("2021-01-01", "2022-01-01")},
            {"uuid": "", "urn": "", "virkning": effect("2022-01-01")},
        ]
        assert patch(lora, object_id, {"relationer": {"tilhoerer": two}}) == 200
        assert spans(read(lora, object_id)[0]["relationer"]["tilhoerer"], "uuid") == {
            "2020-01-01..2021-01-01": OWNER,
            "2021-01-01..2022-01-01": OTHER,
            "2022-01-01..infinity": None,
        }

    def test_lists_of_relations_are_replaced_by_type(self, lora: httpx.Client, object_id: str) -> None:
        patch(lora, object_id, {"note": "so that only content counts"})
        for nothing in ({"adresser": []}, {}):
            assert patch(lora, object_id, {"relationer": nothing}) == 400
        one = [{"urn": "urn:tel:9", "virkning": effect()}]
        assert patch(lora, object_id, {"relationer": {"adresser": one}}) == 200
        relations = read(lora, object_id)[0]["relationer"]
        assert [item["urn"] for item in relations["adresser"]] == ["urn:tel:9"]
        assert [item["uuid"] for item in relations["tilhoerer"]] == [OWNER]

    def test_numbered_relations_are_replaced_by_number_or_appended(self, lora: httpx.Client) -> None:
        path = "/indsats/indsats"
        object_id = put(lora, indsats(), path=path)
        third = new_id()
        items = [{"indeks": 1, "uuid": third, "virkning": effect()}, {"uuid": OTHER, "virkning": effect()}]
        for _ in range(2):
            assert patch(lora, object_id, {"relationer": {"indsatsaktoer": items}}, path) == 200
        found = read(lora, object_id, path)[0]["relationer"]["indsatsaktoer"]
        assert {item["indeks"]: item["uuid"] for item in found} == {1: third, 2: OWNER, 3: OTHER, 4: OTHER}

    @pytest.mark.parametrize(
        ("body", "status"),
        [
            ({"attributter": {"brugeregenskaber": [{"brugernavn": "x", "virkning": effect()}] * 2}}, 400),
            ({"tilstande": {"brugergyldighed": [{"gyldighed": "Aktiv", "virkning": effect()}] * 2}}, 500),
            ({"relationer": {"tilhoerer": [{"uuid": OWNER, "virkning": effect()}] * 2}}, 500),
            ({"attributter": {"kundeegenskaber": []}}, 500),
            ({"attributter": [1]}, 400),
            ({"tilstande": {"brugergyldighed": [{"gyldighed": "Hest", "virkning": effect()}]}}, 400),
            ({"relationer": {"hest": [{"uuid": OWNER, "virkning": effect()}]}}, 400),
            ({"relationer": {"adresser": [{"urn": "urn:x"}]}}, 500),
            ({}, 400),
            ({"attributter": {"brugeregenskaber": 5}}, 500),
            ({"tilstande": {"brugergyldighed": ["Aktiv"]}}, 500),
            ({"attributter": {"brugeregenskaber": [{"brugernavn": "\ud800", "virkning": effect()}]}}, 500),
            ({"livscyklus": "Passiv", "note": 5}, 400),
        ],
    )
    def test_faulty_bodies(self, lora: httpx.Client, object_id: str, body: Json, status: int) -> None:
        before = read(lora, object_id)
        # As ASCII: a lone surrogate can only travel escaped.
        answer = lora.patch(
            f"{BRUGER}/{object_id}", content=json.dumps(body), headers={"Content-Type": "application/json"}
        )
        assert answer.status_code == status
        assert read(lora, object_id) == before


class TestTime:
    def test_the_default_is_what_is_in_force_now(self, lora: httpx.Client) -> None:
        body = bruger()
        for items in (*body["attributter"].values(), *body["tilstande"].values(), *body["relationer"].values()):
            for item in items:
                item["virkning"] = effect("2020-01-01", "2021-01-01")
        object_id = put(lora, body)
        (registration,) = lora.get(f"{BRUGER}/{object_id}").json()[object_id][0]["registreringer"]
        assert set(registration) == {"fratidspunkt", "tiltidspunkt", "livscykluskode", "brugerref"}
        assert "relationer" in read(lora, object_id, virkningstid="2020-06-01T00:00:00+02:00")[0]
        assert "relationer" not in read(lora, object_id, virkningstid="2021-01-01")[0]
        assert "relationer" in read(lora, object_id, VirkningFra="2020-12-31")[0]
        assert "relationer" not in read(lora, object_id, virkningfra="2020-06-01", virkningtil="2020-06-01")[0]
        assert search(lora, bvn="jensen") == []
        assert search(lora, bvn="jensen", virkningtil="2020-02-01") == [object_id]

    def test_pieces_come_whole(self, lora: httpx.Client) -> None:
        object_id = put(lora, bruger())
        (item,) = read(lora, object_id, virkningstid="2024-01-01")[0]["tilstande"]["brugergyldighed"]
        assert item["virkning"] == read_effect()

    def test_earlier_registrations_by_moment(self, lora: httpx.Client) -> None:
        object_id = put(lora, bruger())
        put(lora, bruger("second"), object_id)
        lora.delete(f"{BRUGER}/{object_id}")
        results = lora.get(BRUGER, params={"uuid": object_id, **HISTORY}).json()["results"]
        moment = results[0][0]["registreringer"][1]["fratidspunkt"]["tidsstempeldatotid"]
        (then,) = read(lora, object_id, registreringstid=moment, **ALWAYS)
        assert then["attributter"]["brugeregenskaber"][0]["brugervendtnoegle"] == "second"
        assert lora.get(f"{BRUGER}/{object_id}", params={"registreringstid": "1999-01-01"}).status_code == 404

    @pytest.mark.parametrize(
        ("parameters", "status"),
        [
            ({"virkningstid": "2020-01-01", "virkningfra": "2020-01-01"}, 400),
            ({"virkningstid": "infinity"}, 500),
            ({"virkningfra": "2021-01-01", "virkningtil": "2020-01-01"}, 400),
            ({"virkningfra": "2020"}, 400),
            ({"bvn": "x"}, 400),
        ],
    )
    def test_faulty_times(self, lora: httpx.Client, parameters: dict[str, str], status: int) -> None:
        object_id = put(lora, bruger())
        assert lora.get(f"{BRUGER}/{object_id}", params=parameters).status_code == status


class TestListAndSearch:
    def test_lists_are_sorted_unique_and_silent_about_the_unknown(self, lora: httpx.Client) -> None:
        ids = [put(lora, bruger()) for _ in range(3)]
        results = lora.get(BRUGER, params={"uuid": [*ids, ids[0].upper(), new_id()], **ALWAYS}).json()["results"]
        assert [item["id"] for item in results[0]] == sorted(ids)

    @pytest.mark.parametrize("parameters", [{}, ALWAYS, {"uuid": OTHER}])
    def test_a_list_of_nothing(self, lora: httpx.Client, parameters: dict[str, str]) -> None:
        put(lora, bruger())
        assert lora.get(BRUGER, params=parameters).json() == {"results": []}

    def test_96_ids_pass_and_97_do_not(self, lora: httpx.Client) -> None:
        ids = [new_id() for _ in range(97)]
        assert lora.get(BRUGER + "?" + "&".join(f"uuid={i}" for i in ids[:96])).status_code == 200
        refused = lora.get(BRUGER + "?" + "&".join(f"uuid={i}" for i in ids))
        assert (refused.status_code, refused.headers["content-type"][:9]) == (400, "text/html")

    def test_conditions(self, lora: httpx.Client) -> None:
        body = bruger("Bo_1")
        body["relationer"]["tilhoerer"][0]["objekttype"] = "enhed"
        object_id = put(lora, body, None)
        put(lora, bruger("other", relationer={}))
        for hit in (
            {"bvn": "bo_1"},
            {"Bvn": "BO%"},
            {"brugervendtnoegle": "%o\\_1"},
            {"bvn": "bo_1", "gyldighed": "Aktiv", "tilhoerer": OWNER, "adresser": "urn:tel:1"},
            {"adresser": ["urn:tel:1", "urn:tel:2"]},
            {"tilhoerer:enhed": OWNER},
            {"vilkaarligattr": "bo__"},
            {"vilkaarligrel": OWNER},
            {"uuid": object_id, "livscykluskode": "Importeret"},
        ):
            assert search(lora, **hit) == [object_id], hit
        for miss in (
            {"bvn": "box1"},
            {"bvn": "b__1"},
            {"bvn": ["bo_1", "other"]},
            {"gyldighed": "Inaktiv"},
            {"adresser": "urn:tel:%"},
            {"adresser": "URN:tel:1"},
            {"tilhoerer:Enhed": OWNER},
            {"notetekst": "x"},
        ):
            assert search(lora, **miss) == [], miss

    def test_timestamps_are_searched_in_any_offset(self, lora: httpx.Client) -> None:
        path = "/indsats/indsats"
        object_id = put(lora, indsats(), path=path)
        assert search(lora, path, starttidspunkt="2020-05-19T10:02:32Z", fremdrift="Leveret") == [object_id]
        assert search(lora, path, vilkaarligattr="2020-05-19 10%") == [object_id]

    def test_pages_are_sorted_by_user_key(self, lora: httpx.Client) -> None:
        ids = {key: put(lora, bruger(key)) for key in "dbac"}
        assert search(lora, maximalantalresultater=2) == [ids["a"], ids["b"]]
        assert search(lora, foersteresultat=3, maximalantalresultater=2) == [ids["d"]]
        assert search(lora, foersteresultat=9) == []
        assert sorted(search(lora, foersteresultat=0)) == sorted(ids.values())

    @pytest.mark.parametrize(
        ("parameters", "status"),
        [
            ({"foo": "1"}, 400),
            ({"list": "1", "bvn": "x"}, 400),
            ({"brugergyldighed": "Aktiv"}, 400),
            ({"gyldighed": "aktiv"}, 400),
            ({"livscykluskode": "x"}, 400),
            ({"vilkaarligrel": "urn:x"}, 400),
            ({"uuid": "x"}, 400),
            ({"uuid": [OWNER, OTHER], "bvn": "x"}, 400),
            ({"tilhoerer": "hest"}, 500),
            ({"maximalantalresultater": "x"}, 500),
            ({"maximalantalresultater": "99999999999"}, 500),
            ({"maximalantalresultater": "-1"}, 400),
        ],
    )
    def test_faulty_parameters(self, lora: httpx.Client, parameters: Json, status: int) -> None:
        assert lora.get(BRUGER, params=parameters).status_code == status


def changed(path: str, value: Any) -> Json:
    """A bruger with one place set: `path` are keys and indexes separated by dots; removed when value is None."""
    body = bruger()
    target: Any = body
    *parents, last = path.split(".")
    for key in parents:
        target = target[int(key) if key.isdigit() else key]
    if value is None:
        del target[last]
    else:
        target[last] = copy.deepcopy(value)
    return body


EGENSKABER = "attributter.brugeregenskaber"


class TestErrors:
    @pytest.mark.parametrize(
        ("path", "value"),
        [
            ("livscyklus", "Passiv"),
            ("note", 5),
            ("attributter", None),
            ("tilstande", None),
            ("tilstande.brugergyldighed", None),
            ("tilstande.brugergyldighed", []),
            ("tilstande.brugergyldighed.0.gyldighed", "Hest"),
            (EGENSKABER, []),
            (f"{EGENSKABER}.0.brugervendtnoegle", None),
            (f"{EGENSKABER}.0.brugernavn", 5),
            (f"{EGENSKABER}.0.hest", "x"),
            (f"{EGENSKABER}.0.virkning", None),
            (f"{EGENSKABER}.0.virkning.to", None),
            (f"{EGENSKABER}.0.virkning.aktoertypekode", "Hest"),
            (f"{EGENSKABER}.0.virkning.aktoerref", "x"),
            (f"{EGENSKABER}.0.virkning.from", "2020"),
            (f"{EGENSKABER}.0.virkning.from", "01/06/2020"),
            (f"{EGENSKABER}.0.virkning.to", "2019-01-01"),
            ("relationer.hest", []),
            ("relationer.adresser.0.urn", "tel:1"),
            ("relationer.adresser.0.uuid", OWNER),
            ("relationer.adresser.0.indeks", 1),
            ("relationer.tilhoerer", [{"uuid": OWNER, "virkning": effect("2020-01-01", "2021-01-01")}] * 2),
        ],
    )
    def test_refused_bodies(self, lora: httpx.Client, path: str, value: Any) -> None:
        object_id = new_id()
        for answer in (
            lora.put(f"{BRUGER}/{object_id}", json=changed(path, value)),
            lora.post(BRUGER, json=changed(path, value)),
        ):
            assert answer.status_code == 400
            assert isinstance(answer.json()["message"], str)
        assert lora.get(f"{BRUGER}/{object_id}").status_code == 404

    @pytest.mark.parametrize(
        ("path", "value"),
        [
            (f"{EGENSKABER}.0.virkning.to", "2020-01-01"),
            (f"{EGENSKABER}.0.virkning.to", "2020-01-01'"),
            (EGENSKABER, [{"brugervendtnoegle": "x", "virkning": effect()}] * 2),
            (f"{EGENSKABER}.0.brugernavn", "a\0b"),
            (f"{EGENSKABER}.0.brugernavn", "".join(random.Random(1).choices(string.ascii_letters, k=3000))),
        ],
    )
    def test_what_the_registry_did_not_foresee(self, lora: httpx.Client, path: str, value: Any) -> None:
        answer = lora.put(f"{BRUGER}/{new_id()}", json=changed(path, value))
        assert (answer.status_code, answer.headers["content-type"][:9]) == (500, "text/html")

    @pytest.mark.parametrize("text", ["S" * 200_000, '{"felt": "værdi", "tal": 12345}' * 150])
    def test_long_texts_that_compress_are_stored(self, lora: httpx.Client, text: str) -> None:
        (registration,) = read(lora, put(lora, changed(f"{EGENSKABER}.0.brugernavn", text)))
        assert registration["attributter"]["brugeregenskaber"][0]["brugernavn"] == text

    def test_an_unbounded_period_breaks_reading(self, lora: httpx.Client) -> None:
        object_id = put(lora, changed(f"{EGENSKABER}.0.virkning.from", ""))
        assert lora.get(f"{BRUGER}/{object_id}").status_code == 500
        assert lora.get(BRUGER, params={"uuid": object_id}).status_code == 500

    @pytest.mark.parametrize("content", [{}, {"content": b"{}"}, {"content": b"[]"}, {"content": b"null"}])
    def test_no_body(self, lora: httpx.Client, content: Json) -> None:
        for method, url in (("POST", BRUGER), ("PUT", f"{BRUGER}/{new_id()}")):
            answer = lora.request(method, url, headers={"Content-Type": "application/json"}, **content)
            assert (answer.status_code, answer.json()) == (400, {"uuid": None})

    def test_json_under_another_name_is_no_body(self, lora: httpx.Client) -> None:
        answer = lora.post(BRUGER, content=json.dumps(bruger()), headers={"Content-Type": "text/plain"})
        assert (answer.status_code, answer.json()) == (400, {"uuid": None})

    def test_broken_json(self, lora: httpx.Client) -> None:
        answer = lora.post(BRUGER, content="{not json", headers={"Content-Type": "application/json"})
        assert (answer.status_code, answer.headers["content-type"][:9]) == (400, "text/html")

    @pytest.mark.parametrize(
        ("method", "path", "status"),
        [
            ("GET", f"{BRUGER}/not-a-uuid", 404),
            ("GET", "/foo", 404),
            ("GET", "/Organisation/Bruger", 404),
            ("GET", f"{BRUGER}/{OTHER}", 404),
            ("PATCH", f"{BRUGER}/{OTHER}", 404),
            ("DELETE", f"{BRUGER}/{OTHER}", 404),
            ("PUT", BRUGER, 405),
            ("PUT", f"{BRUGER}/{OTHER}?foo=1", 400),
        ],
    )
    def test_routes(self, lora: httpx.Client, method: str, path: str, status: int) -> None:
        assert lora.request(method, path, json=bruger() if method == "PUT" else None).status_code == status

    def test_what_was_read_can_be_put_back(self, lora: httpx.Client) -> None:
        object_id = put(lora, bruger())
        (registration,) = read(lora, object_id)
        kept = {key: registration[key] for key in ("attributter", "tilstande", "relationer")}
        put(lora, kept, object_id)
        (again,) = read(lora, object_id)
        assert {key: again[key] for key in kept} == kept
