"""The sandbox's DAWA: its washing of texts against what DAWA itself was tested with, and its wire.

The washing cases, with category and id, are a part of the regression tests of github.com/DanmarksAdresser/Dawa (MIT);
the addresses are Danish open data (DAR), as shipped with the sandbox.
"""

import csv
import io
import json
import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from integration_assets.cache.engine import embedded_server_url
from integration_assets.domain.addresses import coordinates
from integration_assets.sandbox import address_sample, dawa
from integration_assets.sandbox.dawa_alignment import address_text, aligned, read
from integration_assets.sandbox.dawa_candidates import Version
from integration_assets.sandbox.dawa_datavask import Datavask, rewritten
from integration_assets.sandbox.dawa_register import Snapshot, degrees
from integration_assets.sandbox.dawa_words import found_by, trigrams, words
from integration_assets.sandbox.faults import Boundary, FaultPlan, Faults
from integration_assets.sandbox.requests import RequestLog
from integration_assets.sandbox.store import Store
from integration_assets.sandbox.systems import SandboxOptions
from integration_assets_tests.sandbox.loopback import running

Json = dict[str, Any]

CASES = [
    ("adresser", "Margrethepladsen 4, 4. 8000 Aarhus C", "A", "91b21c97-fb07-4aac-98c5-61bcb4689f78"),
    ("adresser", "Margreteplassen 4, 4. 8000 Aarhus C", "B", "91b21c97-fb07-4aac-98c5-61bcb4689f78"),
    ("adresser", "Margrethepladsen 4, 4. th, 8000 Aarhus C", "C", "91b21c97-fb07-4aac-98c5-61bcb4689f78"),
    ("adresser", "Margreteplassen 04, 4. 8000 Aarhus C", "B", "91b21c97-fb07-4aac-98c5-61bcb4689f78"),
    ("adresser", "Girostrøget 1, 0800 Høje Taastrup", "A", "633c235a-4cd9-4309-b1ce-24ef3caeec6a"),
    ("adresser", "Borgm Christiansens 45, st. th, 2450 København SV", "B", "0a3f509d-747c-32b8-e044-0003ba298018"),
    ("adresser", "Tofthøjvej 20, -0121, 4130 Viby Sjælland", "A", "0a3f50ab-bd7c-32b8-e044-0003ba298018"),
    ("adresser", "Østre Stationsvej 24, kld., 5000 Odense C", "A", "0a3f50b5-08d4-32b8-e044-0003ba298018"),
    ("adresser", "Østergade 43, 2 sal tv, 5000 Odense C", "A", "ccc160cf-668c-45e7-af22-f80d5b0f9e26"),
    ("adgangsadresser", "Margrethepladsen 4, 8000 Aarhus C", "A", "0a3f5096-91d3-32b8-e044-0003ba298018"),
    ("adgangsadresser", "Margrethepladsen 4, 8000 Århus C", "B", "0a3f5096-91d3-32b8-e044-0003ba298018"),
    ("adgangsadresser", "Borgm Christiansens 45, 2450 København SV", "B", "0a3f507a-4bd5-32b8-e044-0003ba298018"),
    ("adgangsadresser", "Margretheplassen 4, Aarhus C", "B", "0a3f5096-91d3-32b8-e044-0003ba298018"),
]
UNIT, HOUSE = "91b21c97-fb07-4aac-98c5-61bcb4689f78", "0a3f5096-91d3-32b8-e044-0003ba298018"


@pytest.fixture(scope="module")
def snapshot() -> Snapshot:
    units, access = address_sample.load()
    return Snapshot({row["id"]: row for row in units}, {row["id"]: row for row in access})


class TestWashing:
    @pytest.mark.parametrize(("endpoint", "text", "category", "expected"), CASES)
    def test_a_published_case(self, snapshot: Snapshot, endpoint: str, text: str, category: str, expected: str) -> None:
        answer = snapshot.washer(endpoint == "adresser").wash(text)
        assert answer["kategori"] == category
        assert [result["adresse"]["id"] for result in answer["resultater"]] == [expected]

    def test_every_address_finds_itself(self, snapshot: Snapshot) -> None:
        lines: dict[str, list[str]] = {}
        for row in snapshot.units.values():
            if row["status"] == 1:
                lines.setdefault(address_text(row), []).append(row["id"])
        for line, ids in list(lines.items())[::9]:
            answer = snapshot.washer(True).wash(line)
            found = {result["adresse"]["id"] for result in answer["resultater"]}
            assert (answer["kategori"], found) == ("A" if len(ids) == 1 else "C", set(ids)), line

    def test_the_answer_tells_fields_differences_and_the_address_of_today(self, snapshot: Snapshot) -> None:
        (result,) = snapshot.washer(True).wash("Margreteplassen 04, 4. 8000 Aarhus C")["resultater"]
        washed = result["vaskeresultat"]
        assert washed["parsetadresse"] == {
            "vejnavn": "Margreteplassen",
            "husnr": "4",
            "etage": "4",
            "postnr": "8000",
            "postnrnavn": "Aarhus C",
        }
        assert washed["forskelle"] == {"vejnavn": 2, "husnr": 0, "etage": 0, "postnr": 0, "postnrnavn": 0}
        assert (washed["afstand"], washed["ukendtetokens"]) == (2, [])
        assert result["aktueladresse"] == result["adresse"]

    def test_a_door_that_the_address_lacks_is_an_unknown_token(self, snapshot: Snapshot) -> None:
        (result,) = snapshot.washer(True).wash("Margrethepladsen 4, 4. th, 8000 Aarhus C")["resultater"]
        assert result["vaskeresultat"]["ukendtetokens"] == ["th"]

    def test_a_large_receivers_postcode_is_named(self, snapshot: Snapshot) -> None:
        (result,) = snapshot.washer(True).wash("Girostrøget 1, 0800 Høje Taastrup")["resultater"]
        used = result["vaskeresultat"]["anvendtstormodtagerpostnummer"]
        assert (result["adresse"]["postnr"], used) == ("2630", {"nr": "0800", "navn": "Høje Taastrup"})

    @pytest.mark.parametrize("text", [".", "8000", "İ 4, 8000 Aarhus C", "🏠", "4" * 100, "Margrethepladsen"])
    def test_whatever_is_typed_has_an_answer(self, snapshot: Snapshot, text: str) -> None:
        assert snapshot.washer(True).wash(text)["kategori"] == "C"

    def test_nothing_alike_is_c_without_results(self) -> None:
        assert Datavask([]).wash("Eksempelgade 1, 8000 Aarhus C") == {"kategori": "C", "resultater": []}


def version(number: str = "1", **changes: Any) -> Version:
    fields: dict[str, Any] = {
        "id": f"id of {number}", "access_id": f"house {number}", "status": 1, "municipality_code": "0461",
        "street_code": "0001", "vejnavn": "Åboulevarden", "adresseringsvejnavn": "Åboulevarden", "husnr": number,
        "etage": None, "dør": None, "supplerendebynavn": None, "postnr": "5000", "postnrnavn": "Odense C",
        "starts": "2000-02-05T11:00:00.000Z", "ends": None,
    }  # fmt: skip
    return Version(**fields | changes)


def ids(answer: Json) -> list[str]:
    return [result["adresse"]["id"] for result in answer["resultater"]]


class TestChoice:
    def test_a_former_number_leads_to_the_address_of_today(self) -> None:
        former = version("41L", id="x", ends="2012-02-28T09:31:12.953Z")
        today = version("41N", id="x", starts="2012-02-28T09:31:12.953Z")
        (result,) = Datavask([today, former]).wash("Åboulevarden 41L, 5000 Odense C")["resultater"]
        assert (result["adresse"]["husnr"], result["aktueladresse"]["husnr"]) == ("41L", "41N")

    def test_of_two_ids_of_one_text_the_current_one_is_meant_and_two_current_ones_are_c(self) -> None:
        closed, current = version("7", id="closed", status=2), version("7", id="current")
        text = "Åboulevarden 7, 5000 Odense C"
        one = Datavask([closed, current]).wash(text)
        assert (one["kategori"], ids(one)) == ("A", ["current"])
        two = Datavask([current, version("7", id="other")]).wash(text)
        assert (two["kategori"], sorted(ids(two))) == ("C", ["current", "other"])

    def test_a_closed_address_alone_is_found_with_its_status(self) -> None:
        answer = Datavask([version("7", status=2)]).wash("Åboulevarden 7, 5000 Odense C")
        assert answer["kategori"] == "A"
        assert answer["resultater"][0]["aktueladresse"]["status"] == 2

    def test_a_road_that_is_not_the_only_nearest_is_not_meant(self) -> None:
        mark = version("3", id="mark", vejnavn="Markvej", adresseringsvejnavn="Markvej")
        bark = version("3", id="bark", vejnavn="Barkvej", adresseringsvejnavn="Barkvej", street_code="0002")
        assert Datavask([mark, bark]).wash("Tarkvej 3, 5000 Odense C")["kategori"] == "C"
        assert Datavask([mark]).wash("Tarkvej 3, 5000 Odense C")["kategori"] == "B"

    def test_four_edits_are_too_many(self) -> None:
        assert Datavask([version("3")]).wash("Åboulevxxxx 3, 5000 Odense C")["kategori"] == "C"

    @pytest.mark.parametrize(
        "text", ["Åboulevarden 4, 5000 Odense C", "Åboulevarden 3, 1. 5000 Odense C", "Åboulevarden 3, 5200 Odense C"]
    )
    def test_house_number_floor_and_postcode_are_never_guessed(self, text: str) -> None:
        assert Datavask([version("3")]).wash(text)["kategori"] == "C"

    def test_a_supplementary_town_may_be_left_out_or_misspelt(self) -> None:
        washer = Datavask([version("3", supplerendebynavn="Bellinge")])
        assert washer.wash("Åboulevarden 3, 5000 Odense C")["kategori"] == "A"
        assert washer.wash("Åboulevarden 3, Belinge, 5000 Odense C")["kategori"] == "B"

    @pytest.mark.parametrize(
        "text", ["Aaboulevarden 12 b, 2tv 5000 Odense C", "ÅBOULEVARDEN 012B 02. TV, 5000 ODENSE C"]
    )
    def test_forms_of_floor_door_and_letter(self, text: str) -> None:
        answer = Datavask([version("12B", etage="2", dør="tv")]).wash(text)
        assert answer["kategori"] == ("B" if text.startswith("Aa") else "A")


class TestParts:
    @pytest.mark.parametrize(
        ("text", "expected"),
        [
            ("Algade 2, kld tv, 5000 Odense", "Algade 2, kl tv, 5000 Odense"),
            ("Algade 2, stueplan, 5000 Odense", "Algade 2, st, 5000 Odense"),
            ("Algade 2, 1. sal, 5000 Odense", "Algade 2, 1. , 5000 Odense"),
            ("Saltholmsgade 2, 5000 Odense", "Saltholmsgade 2, 5000 Odense"),
        ],
    )
    def test_words_for_floors_are_rewritten(self, text: str, expected: str) -> None:
        assert rewritten(text) == expected

    def test_words_lose_accents_and_have_synonyms(self) -> None:
        assert words("Sct. Knuds-Allé 7, Ærø x1") == ["sct", "knuds", "alle", "7", "aeroe", "ks1"]
        assert {"sankt", "skt", "sct"} == found_by("sankt")
        assert found_by("st") == {"st", "store", "sten", "stensen"}

    def test_trigrams_are_those_of_postgresql(self) -> None:
        assert trigrams("Å 12") == {"  å", " å ", "  1", " 12", "12 "}

    def test_unknown_words_stand_between_fields(self) -> None:
        reading = read("Algade 2 baghus, 5000 Odense", address("Algade", "2", "5000", "Odense"))
        assert reading.unknown == ["baghus"]
        assert reading.fields == {"vejnavn": "Algade", "husnr": "2", "postnr": "5000", "postnrnavn": "Odense"}

    def test_a_name_in_front_becomes_part_of_the_road(self) -> None:
        reading = read("c/o Holm, Algade 2, 5000 Odense", address("Algade", "2", "5000", "Odense"))
        assert (reading.fields["vejnavn"], reading.unknown) == ("c/o Holm, Algade", [])

    @given(typed=st.text("abcgØå2357 .,", max_size=30), road=st.text("abcgØå", min_size=1, max_size=8))
    def test_nothing_typed_is_lost(self, typed: str, road: str) -> None:
        reading = read(typed, address(road, "2", "5000", "Odense"))
        kept = "".join((*reading.fields.values(), *reading.unknown))
        assert sorted(re.sub(r"[ .,]", "", kept)) == sorted(re.sub(r"[ .,]", "", typed))

    @given(typed=st.text("abÅ1 ", max_size=7), known=st.text("abÅ1 ", max_size=7))
    def test_an_alignment_spells_both_texts_with_the_fewest_lone_characters(self, typed: str, known: str) -> None:
        pairs = aligned(typed, known)
        assert "".join(pair.typed or "" for pair in pairs) == typed
        assert "".join(pair.known or "" for pair in pairs) == known
        lone = sum(None in pair for pair in pairs)
        assert lone == len(typed) + len(known) - 2 * longest_common_subsequence(typed, known)

    def test_degrees_agree_with_another_series(self) -> None:
        points = pl.DataFrame([{"x": row["x"], "y": row["y"]} for row in address_sample.load()[1]])
        expected = points.select(coordinates.latitude("x", "y"), longitude=coordinates.longitude("x", "y")).rows()
        for point, pair in zip(points.rows(), expected, strict=True):
            assert degrees(*point) == pytest.approx(pair, abs=1e-7)


def address(road: str, number: str, postcode: str, district: str) -> dict[str, str | None]:
    return {
        "vejnavn": road, "husnr": number, "etage": None, "dør": None, "supplerendebynavn": None, "postnr": postcode,
        "postnrnavn": district,
    }  # fmt: skip


def longest_common_subsequence(one: str, other: str) -> int:
    if not one or not other:
        return 0
    if one[0] == other[0]:
        return 1 + longest_common_subsequence(one[1:], other[1:])
    return max(longest_common_subsequence(one[1:], other), longest_common_subsequence(one, other[1:]))


@pytest.fixture(scope="module")
def store(server_dir: Path) -> Iterator[Store]:
    store = Store(embedded_server_url(server_dir, "dawa_sandbox"))
    units, access = address_sample.load()
    store.put_many("register:unit", {row["id"]: row for row in units})
    store.put_many("register:access", {row["id"]: row for row in access})
    yield store
    store.close()


@pytest.fixture
def service(store: Store) -> Iterator[httpx.Client]:
    options = SandboxOptions(data_dir=Path("unused"))
    with running(dawa.build(store, options)) as url, httpx.Client(base_url=url, timeout=30) as client:
        yield client


def rows(service: httpx.Client, path: str, **asked: str) -> list[Json]:
    answer = service.get(path, params={"struktur": "mini", **asked})
    assert answer.status_code == 200, answer.text
    return answer.json()


class TestWire:
    def test_mini_has_the_fields_of_dawa(self, service: httpx.Client) -> None:
        (row,) = rows(service, "/adresser", id=UNIT)
        assert list(row) == [
            "id", "status", "darstatus", "vejkode", "vejnavn", "adresseringsvejnavn", "husnr", "supplerendebynavn",
            "postnr", "postnrnavn", "stormodtagerpostnr", "stormodtagerpostnrnavn", "kommunekode", "x", "y",
            "adgangsadresseid", "etage", "dør", "href", "betegnelse",
        ]  # fmt: skip
        assert (row["status"], row["darstatus"], row["etage"], row["dør"]) == (1, 3, "4", None)
        assert row["betegnelse"] == "Margrethepladsen 4, 4., 8000 Aarhus C"
        assert row["href"].endswith(f"/adresser/{UNIT}")
        assert 9.5 < row["x"] < 10.7
        assert 55.8 < row["y"] < 56.5

    def test_coordinates_in_metres_when_asked(self, service: httpx.Client) -> None:
        (row,) = rows(service, "/adgangsadresser", id=HOUSE, srid="25832")
        assert 500_000 < row["x"] < 650_000
        assert "adgangsadresseid" not in row

    def test_empty_means_none_and_missing_means_any(self, service: httpx.Client) -> None:
        house = {"vejnavn": "Girostrøget", "husnr": "1", "postnr": "2630"}
        assert len(rows(service, "/adresser", **house)) == 4
        (bare,) = rows(service, "/adresser", **house, etage="", dør="")
        assert bare["etage"] is None
        assert len(rows(service, "/adresser", **house, etage="1|2")) == 2
        assert len(rows(service, "/adresser", **house, etage="|2")) == 2

    def test_road_names_are_compared_with_their_case_codes_without_zeros(self, service: httpx.Client) -> None:
        assert rows(service, "/adgangsadresser", vejnavn="girostrøget") == []
        (row,) = rows(service, "/adgangsadresser", id="0a3f507c-f9a0-32b8-e044-0003ba298018")
        code = row["vejkode"].lstrip("0")
        assert row in rows(service, "/adgangsadresser", vejkode=code, kommunekode="169")

    def test_house_numbers_within_bounds(self, service: httpx.Client) -> None:
        asked = {"vejnavn": "Kildegårdsvej", "postnr": "5240", "husnrfra": "80", "husnrtil": "103"}
        # By number, not letter by letter: as texts, 101 comes before 80.
        assert {row["husnr"] for row in rows(service, "/adgangsadresser", **asked)} == {"80", "101", "103"}

    def test_closed_addresses_show_only_when_asked_for(self, service: httpx.Client) -> None:
        hidden = rows(service, "/adresser", status="2")
        shown = rows(service, "/adresser", status="2", medtagnedlagte="true")
        assert (len(hidden), len(shown), {row["darstatus"] for row in shown}) == (0, 19, {4})

    def test_paging(self, service: httpx.Client) -> None:
        every = rows(service, "/adgangsadresser", postnr="2791", per_side="1000")
        pages = [rows(service, "/adgangsadresser", postnr="2791", side=str(n), per_side="50") for n in (1, 2)]
        assert [row["id"] for page in pages for row in page] == [row["id"] for row in every[:100]]
        assert len(rows(service, "/adgangsadresser", postnr="2791", side="1")) == 20
        refused = service.get("/adgangsadresser", params={"side": "1001", "per_side": "25"})
        assert refused.status_code == 400

    def test_search_by_words_then_by_likeness(self, service: httpx.Client) -> None:
        assert rows(service, "/adresser", q="margrethepladsen 4 4 8000")[0]["id"] == UNIT
        assert rows(service, "/adresser", q="margretepladsen 4 4 8000") == []
        assert rows(service, "/adresser", q="margretepladsen 4, 4. 8000", fuzzy="true")[0]["id"] == UNIT
        assert rows(service, "/adresser", q="margrethepl", autocomplete="true")

    def test_formats(self, service: httpx.Client) -> None:
        asked = {"vejnavn": "Girostrøget", "struktur": "mini"}
        table = service.get("/adresser", params={**asked, "format": "csv"})
        lines = service.get("/adresser", params={**asked, "ndjson": ""})
        assert table.headers["content-type"].lower() == "text/csv; charset=utf-8"
        by_table = {row["id"] for row in csv.DictReader(io.StringIO(table.text))}
        assert by_table == {json.loads(line)["id"] for line in lines.text.splitlines()}
        assert len(by_table) == 4

    def test_structures(self, service: httpx.Client) -> None:
        nested = service.get(f"/adresser/{UNIT}").json()
        assert nested["adgangsadresse"]["id"] == HOUSE
        assert nested["adgangsadresse"]["vejstykke"]["navn"] == "Margrethepladsen"
        flat = service.get(f"/adresser/{UNIT}", params={"struktur": "flad"}).json()
        assert (len(flat["kvhx"]), flat["kvhx"][-7:]) == (19, "__4____")
        assert rows(service, "/adresser", kvhx=flat["kvhx"])[0]["id"] == UNIT

    def test_answers_may_be_kept_for_a_day(self, service: httpx.Client) -> None:
        assert service.get(f"/adresser/{UNIT}").headers["cache-control"] == "public, max-age=86400"
        assert service.get(f"/adresser/{UNIT}?cache=no-cache").headers["cache-control"] == "no-cache"

    @pytest.mark.parametrize(
        ("path", "status", "kind"),
        [
            ("/adresser?postnr=12345", 400, "QueryParameterFormatError"),
            ("/adresser?husnr=B4", 400, "QueryParameterFormatError"),
            ("/adresser?format=xml", 400, "QueryParameterFormatError"),
            ("/datavask/adresser", 400, "QueryParameterFormatError"),
            (f"/datavask/adresser?betegnelse={'a' * 101}", 400, "QueryParameterFormatError"),
            ("/adresser/nonsense", 404, "ResourcePathFormatError"),
            ("/adresser/00000000-0000-4000-8000-000000000000", 404, "ResourceNotFoundError"),
        ],
    )
    def test_errors(self, service: httpx.Client, path: str, status: int, kind: str) -> None:
        answer = service.get(path)
        assert (answer.status_code, answer.json()["type"]) == (status, kind)
        assert set(answer.json()) == {"type", "title", "details"}

    def test_washing_over_the_wire(self, service: httpx.Client) -> None:
        answer = service.get("/datavask/adresser", params={"betegnelse": "Margreteplassen 4, 4. 8000 Aarhus C"}).json()
        (result,) = answer["resultater"]
        assert (answer["kategori"], result["aktueladresse"]["id"]) == ("B", UNIT)
        assert result["aktueladresse"]["href"].endswith(f"/adresser/{UNIT}")
        house = service.get("/datavask/adgangsadresser", params={"betegnelse": "Margrethepladsen 4, 8000 Aarhus C"})
        assert house.json()["resultater"][0]["aktueladresse"]["href"].endswith(f"/adgangsadresser/{HOUSE}")

    def test_more_than_thirty_requests_in_a_second_are_too_many(self, service: httpx.Client) -> None:
        answers = [service.get(f"/adgangsadresser/{HOUSE}") for _ in range(40)]
        refused = [answer for answer in answers if answer.status_code == 429]
        assert refused
        assert refused[0].json()["type"] == "TooManyRequestsError"

    def test_closed_for_good(self, store: Store) -> None:
        options = replace(SandboxOptions(data_dir=Path("unused")), dawa_closed=True)
        with running(dawa.build(store, options)) as url:
            assert {httpx.get(url + path).status_code for path in ("/adresser", "/datavask/adresser", "/else")} == {410}

    def test_faults_speak_dawas_language_and_requests_are_logged(self, store: Store) -> None:
        application = dawa.build(store, SandboxOptions(data_dir=Path("unused")))
        log = RequestLog()
        faults = Faults(FaultPlan(rate_500=1))
        with running(Boundary(application, "dawa", faults, log, application.state.fault_body)) as url:
            broken = httpx.get(f"{url}/adresser/{UNIT}")
            faults.use(FaultPlan())
            assert httpx.get(f"{url}/adresser/{UNIT}").status_code == 200
        assert (broken.status_code, broken.json()["type"]) == (500, "InternalServerError")
        assert [(entry["kind"], entry["status"]) for entry in log.since()] == [("read", 500), ("lookup", 200)]
        assert log.since()[-1]["objects"] == [UNIT]
