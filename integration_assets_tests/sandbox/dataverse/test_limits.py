"""Service protection: sliding windows per application user and web server, three codes, Retry-After, cookies."""

import threading
import time
from collections.abc import Callable
from typing import Any

import httpx
import pytest

from integration_assets.sandbox.dataverse.behaviour import Behaviour
from integration_assets.sandbox.dataverse.errors import DataverseError
from integration_assets.sandbox.dataverse.limits import Limits
from integration_assets_tests.sandbox.dataverse.api import Api, error, get_token, message, row_id

SECOND_APP = "9f1a2b4c-0000-4000-8000-00000000c22e"


class Clock:
    """Seconds that pass when the test says so."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


def ask(limits: Limits, rules: Behaviour, cost_s: float = 0.0, user: str = "one", server: int = 0) -> str | None:
    """Code of the refusal, or None."""
    try:
        with limits.place(user, server, rules) as place:
            place.cost_s = cost_s
    except DataverseError as refused:
        return refused.code if refused.status == 429 else "not throttled"
    return None


def test_the_documented_numbers_are_the_defaults(clock: Clock) -> None:
    limits, rules = Limits(clock), Behaviour()
    assert [ask(limits, rules) for _ in range(6000)] == [None] * 6000
    assert ask(limits, rules) == "0x80072322"
    assert ask(limits, rules, user="two") is None
    assert ask(limits, rules, server=1) is None
    assert ask(Limits(clock), rules, cost_s=1200.0) is None
    busy = Limits(clock)
    ask(busy, rules, cost_s=1199.0)
    assert ask(busy, rules, cost_s=1.0) is None
    assert ask(busy, rules) == "0x80072321"
    assert (rules.window_s, rules.max_concurrent) == (300, 52)


def test_the_window_slides(clock: Clock) -> None:
    limits, rules = Limits(clock), Behaviour(window_s=10, max_requests=3)
    for _ in range(3):
        assert ask(limits, rules) is None
        clock.now += 2
    # Requests at 0, 2 and 4 s; the first leaves the window at 10 s.
    assert ask(limits, rules) == "0x80072322"
    clock.now += 4.1
    assert ask(limits, rules) is None
    assert ask(limits, rules) == "0x80072322"


def test_a_refusal_lasts_until_there_is_room_and_grows_for_those_who_push(clock: Clock) -> None:
    limits, rules = Limits(clock), Behaviour(window_s=100, max_requests=1)
    waits = []
    ask(limits, rules)
    for _ in range(4):
        with pytest.raises(DataverseError) as refused, limits.place("one", 0, rules):
            pass
        waits.append(int(refused.value.headers["Retry-After"]))
    assert waits == [100, 100, 100, 100], "never longer than the window"
    clock.now += 101
    assert ask(limits, rules) is None
    clock.now += 60
    with pytest.raises(DataverseError), limits.place("one", 0, rules):
        pass
    # 40 seconds are left; each push adds a tenth of the window.
    clock.now += 10
    with pytest.raises(DataverseError) as refused, limits.place("one", 0, rules):
        pass
    assert refused.value.headers["Retry-After"] == "40"
    clock.now += 10
    with pytest.raises(DataverseError) as refused, limits.place("one", 0, rules):
        pass
    assert refused.value.headers["Retry-After"] == "40"
    clock.now += 40.1
    assert ask(limits, rules) is None


def test_who_waits_as_told_is_let_in(clock: Clock) -> None:
    limits, rules = Limits(clock), Behaviour(window_s=50, max_execution_s=10)
    passed = 0
    for _ in range(60):
        try:
            with limits.place("one", 0, rules) as place:
                place.cost_s = 1.0
            passed += 1
            clock.now += 1
        except DataverseError as refused:
            clock.now += int(refused.headers["Retry-After"])
            assert ask(limits, rules, cost_s=1.0) is None
            passed += 1
    # In the long run ten seconds of work in fifty seconds.
    assert passed == pytest.approx((clock.now - 1000) * 10 / 50, abs=11)


def test_more_than_so_many_at_a_time(clock: Clock) -> None:
    limits, rules = Limits(clock), Behaviour(max_concurrent=2)
    with limits.place("one", 0, rules), limits.place("one", 0, rules):
        assert ask(limits, rules) == "0x80072326"
        assert ask(limits, rules, user="two") is None
    assert ask(limits, rules) is None


@pytest.fixture
def switched(server: str) -> Callable[..., dict[str, Any]]:
    """Sets switches; the `api` fixture of the next test sets them back."""

    def change(**switches: Any) -> dict[str, Any]:
        answer = httpx.post(f"{server}/_behaviour", json=switches)
        assert answer.status_code == 200, answer.text
        return answer.json()

    return change


def test_too_many_requests_over_the_wire(api: Api, switched: Callable[..., Any]) -> None:
    switched(window_s=1.5, max_requests=3)
    assert [api.get("WhoAmI").status_code for _ in range(3)] == [200, 200, 200]
    refused = api.send("POST", "contacts", {"contactid": row_id(1)})
    assert error(refused) == (429, "0x80072322")
    assert message(refused) == "Number of requests exceeded the limit of 3 over time window of 1.5 seconds."
    assert refused.headers["Retry-After"] == "2"
    time.sleep(1.6)
    assert api.rows("contacts") == []


def test_a_batch_counts_once_and_its_rows_cost_their_time(api: Api, switched: Callable[..., Any]) -> None:
    switched(window_s=30, max_execution_s=0.1, single_row_ms=20, row_ms=5, request_ms=10)
    part = "--batch_1\nContent-Type: application/http\nContent-Transfer-Encoding: binary\n\n"
    body = "".join(f"{part}PATCH contacts({row_id(n)}) HTTP/1.1\n\n{{}}\n" for n in (1, 2)) + "--batch_1--\n"
    started = time.monotonic()
    status, _ = api.batch(body)
    assert status == 200
    assert time.monotonic() - started >= 0.05  # 10 ms and twice 20 ms
    answer = api.bulk("contacts", "UpsertMultiple", "contact", [{"contactid": row_id(n)} for n in range(4)])
    assert answer.status_code == 204
    assert answer.headers["x-ms-ratelimit-burst-remaining-xrm-requests"] == "5998"
    assert answer.headers["x-ms-ratelimit-time-remaining-xrm-requests"] == "0.02"
    assert api.send("PATCH", f"contacts({row_id(9)})", {}).status_code == 204
    refused = api.get("WhoAmI")
    assert error(refused) == (429, "0x80072321")
    assert "exceeded limit of 100 milliseconds over time window of 30 seconds." in message(refused)


def test_too_many_at_a_time_over_the_wire(api: Api, switched: Callable[..., Any]) -> None:
    switched(max_concurrent=2, request_ms=300, parallelism=8)
    statuses: list[int] = []
    threads = [threading.Thread(target=lambda: statuses.append(api.get("WhoAmI").status_code)) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(statuses) == [200, 200, 429, 429]


def test_requests_share_the_processors_of_a_server(api: Api, switched: Callable[..., Any]) -> None:
    switched(request_ms=50, parallelism=1, servers=1)
    times: list[float] = []

    def ask_once() -> None:
        started = time.monotonic()
        assert api.get("WhoAmI").headers["x-ms-dop-hint"] == "1"
        times.append(time.monotonic() - started)

    threads = [threading.Thread(target=ask_once) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert max(times) >= 0.15, times


def test_each_web_server_and_each_user_has_its_own_limits(api: Api, server: str, switched: Callable[..., Any]) -> None:
    switched(max_requests=2, servers=2, users={SECOND_APP: {"secret": "two"}})
    # The client of these tests keeps cookies, and so its server.
    statuses = [api.get("WhoAmI").status_code for _ in range(4)]
    assert statuses == [200, 200, 429, 429]
    api.client.cookies.clear()
    without = dict.fromkeys(range(4))
    for number in without:
        api.client.cookies.clear()
        without[number] = api.get("WhoAmI").headers["Set-Cookie"].split(";")[0]
    assert len(set(without.values())) == 2
    api.client.cookies.clear()
    assert {api.get("WhoAmI").status_code for _ in range(2)} == {429}
    token = get_token(server, client_id=SECOND_APP, client_secret="two").json()["access_token"]
    other = httpx.get(f"{api.root}WhoAmI", headers={"Authorization": f"Bearer {token}"})
    assert other.status_code == 200
    assert other.json()["UserId"] != ""


def test_unknown_switches_are_refused(api: Api, server: str) -> None:
    del api
    for wrong in ({"max_request": 1}, {"servers": 0}, {"users": {"x": {"password": "y"}}}, {"schema": {"lead": None}}):
        assert httpx.post(f"{server}/_behaviour", json=wrong).status_code == 400
