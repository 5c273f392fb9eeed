"""How fast the CRM is spoken to: requests at once by recommendation and 429, rows in a request by time and size."""

import threading
import time

import pytest

from integration_assets.clients.dynamics_pace import GOOD_SECONDS, BatchSizes, Pace


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def test_as_many_requests_as_recommended() -> None:
    pace = Pace()
    assert pace.allowed == 4  # what Microsoft's sample recommends, until an answer says otherwise
    pace.answered(7)
    assert pace.allowed == 7
    pace.answered(None)
    assert pace.allowed == 7
    pace.answered(2)
    assert pace.allowed == 2


def test_a_429_halves_once_and_growing_again_takes_a_round_for_each_more() -> None:
    clock = Clock()
    pace = Pace(clock=clock)
    pace.answered(8)
    began = clock.now
    clock.now += 1
    pace.throttled(began, 30)
    pace.throttled(began, 10)  # was under way when the first was refused
    assert pace.allowed == 4
    assert pace.crowd[0] == 30
    # From 4 to 5 by the answers of one round, to 6 by those of another.
    for rounds, allowed in [(4, 4), (1, 5), (5, 6)]:
        for _ in range(rounds):
            pace.answered(8)
        assert pace.allowed == allowed
    clock.now += 40
    pace.throttled(clock.now, 1)
    assert pace.allowed == 3
    for _ in range(200):
        pace.answered(8)
    assert pace.allowed == 8


def test_nobody_begins_before_the_pause_is_over_and_never_too_many_at_once() -> None:
    pace = Pace(start=2)
    began_at: list[float] = []
    under_way: list[int] = []
    running = 0
    lock = threading.Lock()

    def work() -> None:
        nonlocal running
        with pace.turn():
            with lock:
                running += 1
                began_at.append(time.monotonic())
                under_way.append(running)
            time.sleep(0.02)
            with lock:
                running -= 1

    pace.answered(2)
    pause_ends = time.monotonic() + 0.2
    pace.throttled(time.monotonic(), 0.2)
    pace.answered(2)
    threads = [threading.Thread(target=work) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert min(began_at) >= pause_ends - 0.005
    assert max(under_way) <= 2


def test_batches_approach_what_takes_a_good_time() -> None:
    sizes = BatchSizes(500)
    assert sizes.of("accounts") == 500
    sizes.took("accounts", 500, 1.0)
    assert sizes.of("accounts") == 750  # not more than by half at once
    sizes.took("accounts", 750, 1.0)
    assert sizes.of("accounts") == 1000
    sizes.took("accounts", 1000, 2 * GOOD_SECONDS)
    assert sizes.of("accounts") == 500
    sizes.took("accounts", 100, 0.01)  # the end of a delivery says nothing
    assert sizes.of("accounts") == 500
    sizes.took("accounts", 500, 100 * GOOD_SECONDS)
    assert sizes.of("accounts") == 100
    assert sizes.of("contacts") == 500


def test_what_was_too_large_is_not_tried_again_and_what_timed_out_may_be() -> None:
    sizes = BatchSizes(800)
    sizes.failed("accounts", 800, too_large=True)
    sizes.took("accounts", 400, 0.1)
    assert sizes.of("accounts") == 400
    sizes.failed("contacts", 800, too_large=False)
    assert sizes.of("contacts") == 400
    sizes.took("contacts", 400, 0.1)
    assert sizes.of("contacts") == 600


@pytest.mark.parametrize("rows", [0, 1001])
def test_a_batch_has_1_to_1000_rows(rows: int) -> None:
    with pytest.raises(ValueError, match="1 to 1000"):
        BatchSizes(rows)
