"""The client of DAWA's protocol: its questions on the wire, its reading of answers, and the sandbox's DAWA."""

import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from integration_assets.cache.engine import embedded_server_url
from integration_assets.clients.dawa import DATAVASK, Components, Dawa, DawaAddress, NotOne
from integration_assets.clients.http import PermanentError, RetryPolicy, TransientError
from integration_assets.sandbox import address_sample, dawa
from integration_assets.sandbox.store import Store
from integration_assets.sandbox.systems import SandboxOptions
from integration_assets_tests.clients.wire import FAST, Reply, Seen, Server, serving
from integration_assets_tests.sandbox.loopback import running

UNIT, HOUSE = "0a3f50c4-0000-32b8-e044-000000000001", "0a3f5096-0000-32b8-e044-000000000002"
HOME = Components("12b", "8000", street_code="7005", floor="2", door="tv")


def a_row(**changes: Any) -> dict[str, Any]:
    return {
        "id": UNIT, "status": 1, "darstatus": 3, "vejkode": "7005", "vejnavn": "Eksempelgade",
        "adresseringsvejnavn": "Eksempelg", "husnr": "12B", "supplerendebynavn": None, "postnr": "8000",
        "postnrnavn": "Aarhus C", "kommunekode": "0751", "adgangsadresseid": HOUSE, "etage": "2", "dør": "tv",
        **changes,
    }  # fmt: skip


def a_result(row: dict[str, Any], current: dict[str, Any] | None, **washed: Any) -> dict[str, Any]:
    details = {"forskelle": {"vejnavn": 1, "husnr": 0}, "afstand": 1, "ukendtetokens": [], **washed}
    return {"adresse": row, "aktueladresse": current, "vaskeresultat": details}


def washing(category: str, *results: dict[str, Any]) -> Reply:
    return Reply(200, {"kategori": category, "resultater": list(results)})


def client(server: Server, **options: Any) -> Dawa:
    return Dawa(server.url, policy=FAST, **options)


class TestLookUp:
    def test_floor_and_door_are_sent_even_when_there_are_none(self) -> None:
        with serving([Reply(200, [a_row(etage=None, dør=None)])]) as server:
            found = client(server, api_key="secret-key").unit(Components("12b", "8000", street_name="Eksempelgade"))
        (seen,) = server.seen
        assert (seen.path, dict(seen.query)) == (
            "/adresser",
            {
                "vejnavn": "Eksempelgade", "husnr": "12B", "postnr": "8000", "etage": "", "dør": "",
                "struktur": "mini", "per_side": "2",
            },
        )  # fmt: skip
        assert seen.headers["x-api-key"] == "secret-key"
        assert isinstance(found, DawaAddress)
        assert (found.id, found.access_id, found.floor, found.text) == (
            UNIT,
            HOUSE,
            None,
            "Eksempelgade 12B, 8000 Aarhus C",
        )

    def test_an_access_address_has_neither_floor_nor_door(self) -> None:
        row = a_row(id=HOUSE)
        del row["adgangsadresseid"], row["etage"], row["dør"]
        with serving([Reply(200, [row])]) as server:
            found = client(server).access(HOME)
        (seen,) = server.seen
        assert seen.path == "/adgangsadresser"
        assert not {"etage", "dør"} & dict(seen.query).keys()
        assert "x-api-key" not in seen.headers
        assert isinstance(found, DawaAddress)
        assert (found.id, found.access_id) == (HOUSE, HOUSE)

    @pytest.mark.parametrize(("rows", "expected"), [([], NotOne(0)), ([a_row(), a_row(id=HOUSE)], NotOne(2))])
    def test_only_one_row_is_a_hit(self, rows: list[Any], expected: NotOne) -> None:
        with serving([Reply(200, rows)]) as server:
            assert client(server).unit(HOME) == expected

    @pytest.mark.parametrize(
        ("dawa_status", "dar_status", "exists"), [(1, 3, True), (2, 4, False), (3, 2, True), (4, 5, False)]
    )
    def test_statuses_are_those_of_the_register(self, dawa_status: int, dar_status: int, exists: bool) -> None:
        with serving([Reply(200, [a_row(status=dawa_status)])]) as server:
            found = client(server).unit(HOME)
        assert isinstance(found, DawaAddress)
        assert (found.dar_status, found.exists) == (dar_status, exists)

    def test_without_a_road_nothing_is_asked(self) -> None:
        with serving([Reply(200, [])]) as server, pytest.raises(ValueError, match="street"):
            client(server).unit(Components("1", "8000"))
        assert server.seen == []


class TestWashing:
    def test_a_former_address_is_told_with_todays(self) -> None:
        former, today = a_row(husnr="12A", status=1), a_row(husnr="12B", status=2)
        with serving([washing("B", a_result(former, today, ukendtetokens=[]))]) as server:
            answer = client(server).datavask_units("Eksempelgde 12A, 2. tv, 8000 Aarhus C")
        (seen,) = server.seen
        assert (seen.path, seen.query) == (
            "/datavask/adresser",
            [("betegnelse", "Eksempelgde 12A, 2. tv, 8000 Aarhus C")],
        )
        hit = answer.found
        assert hit is not None
        assert hit.current is not None
        assert (hit.matched.house_number, hit.current.house_number) == ("12A", "12B")
        assert (hit.matched.exists, hit.current.exists, hit.distance) == (True, False, 1)

    def test_a_lonely_c_is_no_hit(self) -> None:
        with serving([washing("C", a_result(a_row(), a_row()))]) as server:
            answer = client(server).datavask_access("Eksempelgade 12")
        assert server.seen[0].path == "/datavask/adgangsadresser"
        assert (answer.category, len(answer.hits), answer.found) == ("C", 1, None)

    def test_a_text_that_dawa_would_refuse_is_not_sent(self) -> None:
        with serving([washing("C")]) as server, pytest.raises(ValueError, match="101 characters"):
            client(server).datavask_units("a" * 101)
        assert server.seen == []

    def test_many_texts_make_a_frame_of_one_row_each(self) -> None:
        former, today = a_row(husnr="12A"), a_row(status=2)
        answers = {
            "sure": washing("A", a_result(former, today, forskelle={"vejnavn": 0})),
            "gone": washing("B", a_result(former, None)),
            "unsure": washing("C", a_result(former, today), a_result(a_row(id=HOUSE), None)),
            "broken": Reply(500, {"type": "InternalServerError", "title": "Something unexpected", "details": {}}),
            "odd": Reply(200, {"resultater": []}),
        }
        with serving(lambda seen: answers[dict(seen.query)["betegnelse"]]) as server:
            texts = ["sure", "gone", "unsure", "broken", "sure", "odd", "a" * 101]
            frame = client(server).wash_units(texts)
        assert frame.schema == DATAVASK
        rows = {row["text"]: row for row in frame.to_dicts()}
        assert list(rows) == ["sure", "gone", "unsure", "broken", "odd", "a" * 101]
        assert rows["sure"] == {
            "text": "sure", "category": "A", "address_id": UNIT, "access_id": HOUSE, "dar_status": 4,
            "matched_text": "Eksempelgade 12A, 2. tv, 8000 Aarhus C",
            "current_text": "Eksempelgade 12B, 2. tv, 8000 Aarhus C",
            "distance": 0, "unknown": [], "candidates": [UNIT], "failure": None,
        }  # fmt: skip
        assert (rows["gone"]["address_id"], rows["gone"]["dar_status"]) == (UNIT, None)
        assert (rows["unsure"]["address_id"], rows["unsure"]["candidates"]) == (None, [UNIT, HOUSE])
        assert "500 InternalServerError: Something unexpected" in rows["broken"]["failure"]
        assert all(rows[text]["failure"] and rows[text]["category"] is None for text in ("odd", "a" * 101))

    def test_no_texts_make_an_empty_frame(self) -> None:
        with serving([washing("C")]) as server:
            assert client(server).wash_access([]).schema == DATAVASK


class TestLimits:
    def test_a_closed_service_is_named_with_its_successor(self) -> None:
        with serving([Reply(410, {"type": "Gone"})]) as server:
            with pytest.raises(PermanentError, match="address_provider=local"):
                client(server).unit(HOME)
            with pytest.raises(PermanentError, match="1 October 2026"):
                client(server).wash_units(["a", "b"])

    def test_a_refused_key_ends_the_batch(self) -> None:
        with serving([Reply(401, {})]) as server, pytest.raises(PermanentError):
            client(server).wash_units(["a", "b"])

    def test_busy_is_tried_again(self) -> None:
        busy = Reply(429, {"type": "TooManyRequestsError"}, {"Retry-After": "0"})
        with serving([busy, busy, washing("C")]) as server:
            assert client(server).datavask_units("x").category == "C"
        assert len(server.seen) == 3

    def test_requests_are_paced(self) -> None:
        times: list[float] = []

        def script(_seen: Seen) -> Reply:
            times.append(time.monotonic())
            return Reply(200, {"kategori": "C", "resultater": []}, delay_s=0.05)

        with serving(script) as server:
            client(server, requests_per_second=1000).wash_units([str(number) for number in range(45)])
        # 25 fit into a second: the last of 45 begins 44/25 seconds after the first, however quick the answers.
        assert max(times) - min(times) > 1.7

    def test_ten_requests_at_most_are_open(self) -> None:
        lock = threading.Lock()
        open_now, most = 0, 0

        def script(_seen: Seen) -> Reply:
            nonlocal open_now, most
            with lock:
                open_now += 1
                most = max(most, open_now)
            time.sleep(0.5)
            with lock:
                open_now -= 1
            return washing("C")

        with serving(script) as server:
            client(server).wash_units([str(number) for number in range(30)])
        assert most <= 10

    @pytest.mark.parametrize("body", [b"<html>gateway</html>", {"not": "a list"}])
    def test_what_is_no_answer_may_be_one_later(self, body: Any) -> None:
        with serving([Reply(200, body)]) as server, pytest.raises(TransientError):
            client(server).unit(HOME)


class TestAgainstTheSandbox:
    @pytest.fixture
    def service(self, server_dir: Path) -> Iterator[Dawa]:
        store = Store(embedded_server_url(server_dir, "dawa_client"))
        units, access = address_sample.load()
        store.put_many("register:unit", {row["id"]: row for row in units})
        store.put_many("register:access", {row["id"]: row for row in access})
        with running(dawa.build(store, SandboxOptions(data_dir=Path("unused")))) as url:
            yield Dawa(url, policy=RetryPolicy(first_pause_s=0.3))
        store.close()

    def test_look_ups_and_washing(self, service: Dawa) -> None:
        house = Components("1", "2630", street_name="Girostrøget")
        unit = service.unit(house)
        assert isinstance(unit, DawaAddress)
        assert unit.id == "633c235a-4cd9-4309-b1ce-24ef3caeec6a"
        access = service.access(house)
        assert isinstance(access, DawaAddress)
        assert access.id == unit.access_id
        assert service.unit(Components("1", "2630", street_name="Girostrøget", floor="9")) == NotOne(0)
        assert service.datavask_units("Girostroget 1, 0800 Høje Taastrup").category == "B"

    def test_forty_texts_within_the_limits_of_the_service(self, service: Dawa) -> None:
        texts = [f"Kildegårdsvej {number}, 5240 Odense NØ" for number in range(178, 218, 2)]
        frame = service.wash_access([*texts, *(text.replace("Kilde", "Kylde") for text in texts)])
        assert frame["failure"].null_count() == 40
        assert frame["category"].to_list() == ["A"] * 20 + ["B"] * 20
        assert frame["address_id"].to_list()[:20] == frame["address_id"].to_list()[20:]
