"""How fast Dynamics CRM 365 may be spoken to: requests under way at once, and rows in a request.

The service-protection limits of Dataverse hold per application user (and web server): requests, execution time and
concurrency in a sliding window. What counts is learnt from the answers: the recommended parallelism
(``x-ms-dop-hint``), 429 with its ``Retry-After``, 413, and how long requests take. Nothing here sends anything.
"""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final

UNHINTED: Final = 4
"""Requests at once where the organisation recommends nothing; Microsoft's own sample has this number."""

SMALLEST_BATCH: Final = 100
LARGEST_BATCH: Final = 1000
GOOD_SECONDS: Final = 10.0
"""What a bulk request should take at most: well below the minutes after which clients and gateways give up."""


class Pace:
    """Turns of one application user. Safe for use by several threads.

    As many requests at once as the organisation recommends, until a 429 halves the number; then it grows by one for
    each round of answers (additive increase, multiplicative decrease). After a 429 nobody begins before its
    `Retry-After` is over; answers of requests that were under way by then do not halve again.
    """

    def __init__(self, *, start: int = UNHINTED, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._turn_is_free = threading.Condition()
        self._allowed = float(start)
        self._recommended = UNHINTED
        self._under_way = 0
        self._paused_until = 0.0
        self._halved_at = float("-inf")

    @property
    def allowed(self) -> int:
        """Requests that may be under way at once now."""
        return int(self._allowed)

    @property
    def _was_throttled(self) -> bool:
        return self._halved_at > float("-inf")

    @property
    def crowd(self) -> tuple[float, float]:
        """By this the least busy of several users is chosen: seconds of pause that are left, share of turns taken."""
        return max(0.0, self._paused_until - self._clock()), self._under_way / self._allowed

    @contextmanager
    def turn(self) -> Iterator[float]:
        """Waits for a turn and holds it; gives the moment (of the clock) at which it began."""
        with self._turn_is_free:
            while (pause := self._paused_until - self._clock()) > 0 or self._under_way >= self.allowed:
                self._turn_is_free.wait(pause if pause > 0 else None)
            self._under_way += 1
        try:
            yield self._clock()
        finally:
            with self._turn_is_free:
                self._under_way -= 1
                self._turn_is_free.notify_all()

    def answered(self, recommended: int | None) -> None:
        """A request went through; `recommended` is the parallelism that its answer recommends, if any."""
        with self._turn_is_free:
            if recommended is not None and recommended > 0:
                self._recommended = recommended
            more = self._allowed + 1 / self._allowed if self._was_throttled else float(self._recommended)
            self._allowed = min(float(self._recommended), more)
            self._turn_is_free.notify_all()

    def throttled(self, began: float, retry_after_s: float) -> None:
        """A request that began at that moment was answered 429."""
        with self._turn_is_free:
            now = self._clock()
            self._paused_until = max(self._paused_until, now + retry_after_s)
            if began >= self._halved_at:
                self._allowed = max(1.0, self._allowed / 2)
                self._halved_at = now


class BatchSizes:
    """Rows in a bulk request, by table: from 100 to 1000, by how long requests take and what was too large.

    `start` rows at first. Safe for use by several threads.
    """

    def __init__(self, start: int) -> None:
        if not 1 <= start <= LARGEST_BATCH:
            raise ValueError(f"A batch holds 1 to {LARGEST_BATCH} rows, not {start}.")
        self._start = start
        self._smallest = min(start, SMALLEST_BATCH)
        self._sizes: dict[str, int] = {}
        self._most: dict[str, int] = {}
        self._lock = threading.Lock()

    def of(self, table: str) -> int:
        """Rows that the next request for a table should hold."""
        return self._sizes.get(table, self._start)

    def took(self, table: str, rows: int, seconds: float) -> None:
        """A request of so many rows went through in that time: the size moves towards what takes `GOOD_SECONDS`."""
        with self._lock:
            size = self.of(table)
            if rows < size / 2:  # too few rows to learn from
                return
            fitting = int(GOOD_SECONDS * rows / max(seconds, 1e-6))
            # Growing by halves at most, so that a few quick answers do not lead to a request that times out.
            wanted = min(fitting, size + size // 2, self._most.get(table, LARGEST_BATCH))
            self._sizes[table] = max(wanted, self._smallest)

    def failed(self, table: str, rows: int, *, too_large: bool) -> None:
        """A request of so many rows got no answer in time, or was refused for its size, which is remembered."""
        with self._lock:
            half = max(1, rows // 2)
            if too_large:
                self._most[table] = min(half, self._most.get(table, LARGEST_BATCH))
                self._sizes[table] = self._most[table]
            else:
                self._sizes[table] = max(min(self._smallest, half), min(self.of(table), half))
