"""The client of Adressevask: what an answer is worth, that no text spoils the others, and the sandbox's service."""

import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from integration_assets.cache.engine import embedded_server_url
from integration_assets.clients.adressevask import OPINIONS, Adressevask
from integration_assets.clients.http import PermanentError
from integration_assets.sandbox import address_sample, adressevask
from integration_assets.sandbox.store import Store
from integration_assets.sandbox.systems import SandboxOptions
from integration_assets_tests.clients.wire import FAST, Reply, Seen, Server, serving
from integration_assets_tests.sandbox.loopback import running

TOKEN = "secret-token-123"
UNIT = "0a3f50c4-379f-32b8-e044-0003ba298018"


def answer(code: Any, unit: str | None = UNIT, status: Any = 3, former: str | None = None, **more: Any) -> Reply:
    return Reply(
        200,
        {
            "vaskestatus": {"kode": code, "tekst": f"tekst {code}"},
            "vaskeresultat": {"adresse_id_lokalid": unit, "adressebetegnelse": "X 2", "status": status, **more},
            "vaskeresultat_historisk": {"adressebetegnelse": former},
        },
    )


def client(server: Server, **options: Any) -> Adressevask:
    return Adressevask(server.url, TOKEN, policy=FAST, **options)


def opinion(reply: Reply) -> dict[str, Any]:
    with serving([reply]) as server:
        (row,) = client(server).second_opinion(["a text"]).to_dicts()
    return row


@pytest.mark.parametrize(
    ("reply", "outcome", "reason"),
    [
        (answer(1000), "resolved", "exact"),
        (answer("900", status="2"), "resolved", "spelling"),
        (answer(800), "unresolved", "interval"),
        (answer(700), "unresolved", "interval"),
        (answer(1000, status=4), "unresolved", "not_current"),
        (answer(1000, status=5), "unresolved", "not_current"),
        (answer(1000, status=None), "unresolved", "not_current"),
        (answer(1000, virkningtil="2020-01-01T00:00:00Z"), "unresolved", "not_current"),
        (answer(1000, None), "unresolved", "no_address"),
        (answer(950), "unresolved", "unknown_code"),
        (answer(-400, None), "unresolved", "unknown_code"),
        (answer(-300, None), "unresolved", "no_postcode"),
        (answer(-500, None), "unresolved", "door_not_found"),
        (answer(-600, None), "unresolved", "floor_not_found"),
        (answer(-700, None), "unresolved", "house_number_not_found"),
        (answer(-800, None), "unresolved", "road_not_found"),
        (answer(-1000, None), "unresolved", "not_an_address"),
        (answer(None), "failed", None),
        (Reply(200, []), "failed", None),
        (Reply(200, b"<html>"), "failed", None),
        (Reply(400, {"beskrivelse": "for lang"}), "failed", None),
        (Reply(500, {}), "failed", None),
    ],
)
def test_what_an_answer_is_worth(reply: Reply, outcome: str, reason: str | None) -> None:
    row = opinion(reply)
    assert (row["outcome"], row["reason"]) == (outcome, reason)
    assert (row["address_id"] == UNIT) == (outcome == "resolved")
    assert (row["failure"] is None) == (outcome != "failed")


def test_a_former_address_is_told() -> None:
    row = opinion(answer(1000, former="X 1"))
    assert (row["historical_text"], row["address_text"], row["code"], row["code_text"]) == (
        "X 1",
        "X 2",
        1000,
        "tekst 1000",
    )


def test_one_text_does_not_spoil_the_others_and_the_token_stays_secret() -> None:
    def script(seen: Seen) -> Reply:
        assert dict(seen.query)["token"] == TOKEN
        return Reply(503, {}, {"Retry-After": "0"}) if dict(seen.query)["adresse"] == "bad" else answer(1000)

    with serving(script) as server:
        frame = client(server).second_opinion(["good", "bad", "good", "fine"])
    assert frame.schema == OPINIONS
    assert frame.select("text", "outcome").rows() == [("good", "resolved"), ("bad", "failed"), ("fine", "resolved")]
    assert TOKEN not in str(frame.to_dicts())


def test_a_refusal_ends_the_questions() -> None:
    with serving([Reply(401, {})]) as server:
        frame = client(server, parallel=1).second_opinion([str(number) for number in range(20)])
    assert set(frame["outcome"]) == {"failed"}
    assert len(server.seen) == 1


def test_sixteen_questions_at_once_at_most() -> None:
    lock = threading.Lock()
    open_now, most = 0, 0
    release = threading.Event()

    def script(_seen: Seen) -> Reply:
        nonlocal open_now, most
        with lock:
            open_now += 1
            most = max(most, open_now)
            if open_now == 16:
                release.set()
        release.wait(5)
        with lock:
            open_now -= 1
        return answer(1000)

    with serving(script) as server:
        client(server, parallel=100).second_opinion([str(number) for number in range(64)])
    assert most == 16


def test_a_short_token_is_refused_before_anything_is_asked() -> None:
    with pytest.raises(PermanentError, match="adressevask_token"):
        Adressevask("http://127.0.0.1:1", "short")


@pytest.fixture
def url(server_dir: Path) -> Iterator[str]:
    store = Store(embedded_server_url(server_dir, "adressevask_client"))
    units, access = address_sample.load()
    store.put_many("register:unit", {row["id"]: row for row in units})
    store.put_many("register:access", {row["id"]: row for row in access})
    options = SandboxOptions(
        data_dir=Path("unused"), settings={"adressevask_token": TOKEN}, adressevask_codes={"odd": -400}
    )
    with running(adressevask.build(store, options)) as url:
        yield url
    store.close()


def test_against_the_sandbox(url: str) -> None:
    texts = [f"Kildegårdsvej {number}, 5240 Odense NØ" for number in range(178, 218, 2)]
    frame = Adressevask(url, TOKEN, policy=FAST).second_opinion(
        [*texts, "Kyldegårdsvej 178, 5240 Odense NØ", "odd", "x" * 201, "Kildegårdsvej 1, 5240 Odense NØ"]
    )
    assert frame["reason"].to_list() == ["exact"] * 20 + ["spelling", "unknown_code", None, "house_number_not_found"]
    assert frame["outcome"].to_list()[-2] == "failed"
    assert frame["address_id"][20] == frame["address_id"][0]
