"""The log of requests that the sandbox received, for tests and people to assert on.

Belongs here: the entries, their ring, the counts. Never the query string or a body of a request, and never a personal
number: digits in a path that could be one are masked.
"""

import re
from collections import Counter, defaultdict, deque
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Any, Literal

Kind = Literal["read", "write", "lookup", "token", "other"]

_RING = 50_000
_PERSONAL_NUMBER = re.compile(r"(?<![0-9A-Za-z-])\d{6}-?\d{4}(?![0-9A-Za-z-])")


@dataclass(frozen=True, slots=True)
class LoggedRequest:
    """One request: running number `n` (from 1), where it went, what it was, how it ended.

    `status` is 0 when the sandbox dropped the connection; `ms` is the time to the end of the answer, `worked_ms` that
    part of it in which one of the system's workers had the request (all of it where their number is not limited).
    """

    n: int
    system: str
    method: str
    path: str
    kind: str
    objects: list[str]
    status: int
    ms: float
    worked_ms: float


class RequestLog:
    """A ring of the latest requests, and counts of all of them since the last `clear`."""

    def __init__(self) -> None:
        self._entries: deque[LoggedRequest] = deque(maxlen=_RING)
        self._counts: Counter[tuple[str, str, str, int]] = Counter()
        self._objects: Counter[tuple[str, str]] = Counter()
        self._worked_ms: defaultdict[str, float] = defaultdict(float)
        self._n = 0

    def add(
        self,
        system: str,
        method: str,
        path: str,
        kind: str,
        objects: Iterable[str],
        status: int,
        ms: float,
        worked_ms: float | None = None,
    ) -> None:
        """Note one request that has ended. `worked_ms` by default all of its time."""
        worked = ms if worked_ms is None else worked_ms
        self._n += 1
        named = list(objects)
        safe_path = _PERSONAL_NUMBER.sub("**********", path)
        entry = LoggedRequest(self._n, system, method, safe_path, kind, named, status, round(ms, 2), round(worked, 2))
        self._entries.append(entry)
        self._counts[system, kind, method, status] += 1
        self._objects[system, kind] += len(named)
        self._worked_ms[system] += worked

    def since(self, n: int = 0) -> list[dict[str, Any]]:
        """The kept requests numbered above `n`, oldest first."""
        return [asdict(entry) for entry in self._entries if entry.n > n]

    def clear(self) -> None:
        """Forget all requests and counts. The running number goes on."""
        self._entries.clear()
        self._counts.clear()
        self._objects.clear()
        self._worked_ms.clear()

    def summary(self) -> dict[str, Any]:
        """Per system `total`, `by_kind`, `by_method`, `by_status`; `objects_by_kind`: how many handlers named; and
        `worked_ms`, the time that its workers had requests, summed over them."""
        systems: dict[str, Any] = {}
        for (system, kind, method, status), count in self._counts.items():
            entry = systems.setdefault(
                system,
                {
                    "total": 0,
                    "by_kind": {},
                    "objects_by_kind": {},
                    "by_method": {},
                    "by_status": {},
                    "worked_ms": round(self._worked_ms[system]),
                },
            )
            entry["total"] += count
            for group, key in (("by_kind", kind), ("by_method", method), ("by_status", str(status))):
                entry[group][key] = entry[group].get(key, 0) + count
            entry["objects_by_kind"][kind] = self._objects[system, kind]
        return systems
