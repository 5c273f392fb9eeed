"""Service protection of the CRM sandbox: who may still ask what, by sliding windows per application user and server.

Belongs here: counting and refusing. A batch counts as one request; a request costs the time that the server worked on
it. Published by Microsoft are the three limits, their codes and texts. How long `Retry-After` is, is not: here it lasts
until a tenth of the window is free again, and longer by a tenth for every request that comes earlier than that.
"""

import math
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from integration_assets.sandbox.dataverse import errors
from integration_assets.sandbox.dataverse.behaviour import Behaviour

_ROOM = 0.1


@dataclass
class _Usage:
    """What one user asked of one server: (when, seconds of work) of each request in the window."""

    done: deque[tuple[float, float]] = field(default_factory=deque)
    work_s: float = 0.0
    running: int = 0
    locked_until: float = 0.0
    refusal: str = ""

    def forget(self, before: float) -> None:
        """Leave out what has slid out of the window."""
        while self.done and self.done[0][0] <= before:
            self.work_s -= self.done.popleft()[1]


@dataclass
class Place:
    """A request under way, with how many others, itself included. Its handler says what it costs the server."""

    running: int
    cost_s: float = 0.0


class Limits:
    """The usage of all application users on all servers. `now` is a clock in seconds."""

    def __init__(self, now: Callable[[], float] = time.monotonic) -> None:
        self._now = now
        self._usage: dict[tuple[str, int], _Usage] = {}

    @contextmanager
    def place(self, user: str, server: int, rules: Behaviour) -> Iterator[Place]:
        """Let a request in for the time of the block, or raise DataverseError 429 with its Retry-After."""
        usage = self._usage.setdefault((user, server), _Usage())
        started = self._now()
        usage.forget(started - rules.window_s)
        self._admit(usage, rules, started)
        usage.running += 1
        place = Place(usage.running)
        try:
            yield place
        finally:
            usage.running -= 1
            usage.done.append((started, place.cost_s))
            usage.work_s += place.cost_s

    def remaining(self, user: str, server: int, rules: Behaviour) -> tuple[int, float]:
        """Requests and seconds of work that are left in the window."""
        usage = self._usage.get((user, server), _Usage())
        requests = rules.max_requests - len(usage.done) - usage.running
        return max(0, requests), max(0.0, rules.max_execution_s - usage.work_s)

    def _admit(self, usage: _Usage, rules: Behaviour, now: float) -> None:
        if now < usage.locked_until:
            wait = usage.locked_until - now + rules.window_s * _ROOM
            usage.locked_until = now + min(wait, rules.window_s)
            raise errors.throttled(usage.refusal, rules, _seconds(usage.locked_until - now))
        if usage.running >= rules.max_concurrent:
            raise errors.throttled("concurrency", rules, _seconds(1.0))
        if len(usage.done) + usage.running >= rules.max_requests:
            self._lock(usage, rules, now, "requests", math.ceil(rules.max_requests * _ROOM))
        if usage.work_s >= rules.max_execution_s:
            self._lock(usage, rules, now, "execution", None)

    def _lock(self, usage: _Usage, rules: Behaviour, now: float, facet: str, requests: int | None) -> None:
        """Refuse until enough has slid out of the window: so many requests, or a tenth of the time of work."""
        freed = rules.max_execution_s - usage.work_s
        until = now + rules.window_s
        for number, (when, work_s) in enumerate(usage.done, start=1):
            freed += work_s
            if number == requests or (requests is None and freed >= rules.max_execution_s * _ROOM):
                until = when + rules.window_s
                break
        usage.locked_until, usage.refusal = until, facet
        raise errors.throttled(facet, rules, _seconds(until - now))


def _seconds(wait: float) -> int:
    return max(1, math.ceil(wait))
